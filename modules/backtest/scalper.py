"""The scalper on candles: its indicators and recorded sentiment through its own rules; order flow is not in candles.

1. At each close the parts of `indicators.py` and the mood that was known then go through `rules.score` and
   `rules.worth_it`, with flow left out of the score (rules.py, rule 1): the weights of the others count for all.
2. A score beyond ±`buy_score` that is worth its costs is a wish with the scalper's own stop and target; the opposite
   score closes (`flip`), and so does the longest hold. Gates of order flow (trades, speed, volatility) are not asked.
3. The live scalper looks at 1m candles: give those.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from modules.backtest import arrays as a
from modules.backtest.arrays import Floats, Ints
from modules.backtest.frames import Frame
from modules.backtest.settings import BacktestSettings
from modules.backtest.signals import costs_of, hype_of
from modules.backtest.strategies import Groups
from modules.backtest.terms import terms_of as account_of
from modules.backtest.wishes import Wishes
from modules.sentiment.board import FOLDER, History, read_state
from modules.strategies.hype.exit_rules import rules_of
from modules.strategies.hype.exits import Rules
from modules.strategies.scalper import indicators, rules
from modules.strategies.scalper.settings import ScalperSettings
from modules.strategies.scalper.terms import Terms, terms_of
from utils.compiled import kernel
from utils.paths import default_paths

HALF_LIFE_S = 14_400.0
FIGURES = ("rsi_part", "macd_part", "bollinger_part", "atr_bps")
NO_FLOW = ("order flow: not in candles; the score is that of indicators and sentiment alone, and the gates of spread, "
           "trades and speed are not asked (try --ticks)")
ENTRY = "a signal fills at the next candle's open as a taker; the live scalper tries a limit order first"


def settings_of(groups: Groups) -> ScalperSettings:
    """The scalper's own settings of a run."""
    found = groups["scalper"]
    assert isinstance(found, ScalperSettings)
    return found


def figures_of(frame: Frame, settings: ScalperSettings) -> dict[str, Floats]:
    """What the rules look at, at every close."""
    found = indicators.parts(frame.high, frame.low, frame.close, settings)
    return {name: found[:, at] for at, name in enumerate(FIGURES)}


def history_of(settings: ScalperSettings) -> History:
    """The record of sentiment: what was known, by the time at which it became known."""
    folder = Path(settings.sentiment_record) if settings.sentiment_record else default_paths().data / FOLDER
    state = read_state(default_paths())
    return History.read(folder, state.half_life_s if state is not None else HALF_LIFE_S)


@kernel
def judged(context: Floats, terms: Terms, spread_bps: float, scores: Floats, codes: Ints) -> None:
    """Rule 1 for every row of `context` (n, CONTEXT): score, and the code of reasons.Code."""
    features, parts = np.zeros(16), np.zeros(rules.PARTS)
    for row in range(len(context)):
        scores[row] = 0.0
        if not context[row, rules.X_ATR_BPS] > 0:
            codes[row] = rules.NO_CANDLES
            continue
        scores[row] = rules.score(features, context[row], terms, False, parts)
        if abs(scores[row]) < terms.buy_score:
            codes[row] = rules.WEAK
        elif not rules.worth_it(terms, scores[row], context[row, rules.X_ATR_BPS], spread_bps, False):
            codes[row] = rules.COST
        else:
            codes[row] = rules.OK


def scalper_wishes(frames: Sequence[Frame], groups: Groups, counted: Counter[str]) -> Wishes:
    """The wishes of all contracts. Why candles gave none is added to `counted`."""
    settings = settings_of(groups)
    history = history_of(settings)
    if history.texts:
        counted["recorded texts of sentiment"] = len(history.texts)
    for problem in history.damaged:
        counted[f"record of sentiment left out: {problem}"] += 1
    return Wishes.joined([_of_contract(place, frame, settings, costs_of(groups), history, counted)
                          for place, frame in enumerate(frames)])


def context_of(frame: Frame, settings: ScalperSettings, history: History) -> Floats:
    """(n, CONTEXT) at every close."""
    out = np.zeros((len(frame), rules.CONTEXT))
    out[:, :4] = np.nan_to_num(indicators.parts(frame.high, frame.low, frame.close, settings), nan=0.0)
    if history.texts:
        mood = history.series(frame.symbol, frame.time + frame.interval_ms)
        known = mood[:, 1] >= rules.LEAST_CONFIDENCE
        out[:, rules.X_SENTIMENT] = np.where(known, mood[:, 0], 0.0)
        out[:, rules.X_HAS_SENTIMENT] = known
    return out


def _of_contract(place: int, frame: Frame, settings: ScalperSettings, costs: BacktestSettings, history: History,
                 counted: Counter[str]) -> Wishes:
    terms = terms_of(settings)
    context = context_of(frame, settings, history)
    scores, codes = np.zeros(len(frame)), np.zeros(len(frame), np.int64)
    judged(context, terms, costs.spread_pct * 100, scores, codes)
    for name, code in (("weak", rules.WEAK), ("not worth its costs", rules.COST),
                       ("no indicators yet", rules.NO_CANDLES), ("signals", rules.OK)):
        counted[f"candles: {name}"] += int((codes == code).sum())
    rows = np.flatnonzero(codes == rules.OK)
    side = np.where(scores[rows] > 0, a.LONG, a.SHORT)
    close, ends = frame.close[rows], frame.time + frame.interval_ms
    away = close * _stops(terms, context[rows, rules.X_ATR_BPS]) / 1e4
    risk = costs.start_usdt * settings.risk_pct / 100
    size = np.minimum(1.0, risk / (away / close) / settings.max_position_usdt)
    made = Wishes.made(place, rows, ends[rows], close, goal=close + side * away * terms.take_r,
                       stop=close - side * away, side=side, size=size, strength=np.abs(scores[rows]))
    if not settings.flip:
        return replace(made, own=True, hold_ms=terms.hold_ms)
    against, towards = (np.flatnonzero(sign * scores >= terms.buy_score) for sign in (-1, 1))
    return replace(made, own=True, hold_ms=terms.hold_ms,
                   sell_token=np.full(len(against), place, np.int64), sell_ms=ends[against],
                   cover_token=np.full(len(towards), place, np.int64), cover_ms=ends[towards])


def _stops(terms: Terms, atr_bps: Floats) -> Floats:
    """`rules.stop_bps` of many."""
    return np.array([rules.stop_bps(terms, each) for each in atr_bps.tolist()])


def exits_of(groups: Groups) -> Rules:
    """Those of the engine; stop, target and longest hold are the wishes' own."""
    return rules_of(hype_of(groups))


def terms_for(groups: Groups) -> a.Terms:
    """The account with the scalper's limits."""
    own, plain = settings_of(groups), account_of(hype_of(groups), costs_of(groups), plain=True)
    return plain._replace(
        trade_size=round(own.max_position_usdt * a.MONEY), share_ppm=0, max_open=own.most_open,
        max_per_day=own.trades_a_day, cool_stop_ms=round(own.cooldown_loss_s * 1000),
        cool_sell_ms=round(own.cooldown_s * 1000))


def assumed(symbols: Sequence[str], groups: Groups) -> list[str]:
    """What candles do not tell, for the report."""
    known = bool(history_of(settings_of(groups)).texts)
    return [NO_FLOW, ENTRY, "sentiment: as it was known at each close" if known else
            "sentiment: no record of it, left out of the score (scalper.sentiment_record)"]
