"""What the scalper on ticks (scalper.py) is given beside the tape: candles, recorded sentiment, settings in numbers."""

import sys

import numpy as np

from modules.backtest.scalper import history_of
from modules.backtest.ticks.arena import Arena, Ints
from modules.backtest.ticks.scalper import MINUTE_MS, Known, run
from modules.backtest.ticks.tape import TRADE, Tape
from modules.sentiment.board import History
from modules.strategies.scalper import flow as fl
from modules.strategies.scalper import indicators, rules
from modules.strategies.scalper.flow import Floats
from modules.strategies.scalper.settings import ScalperSettings
from modules.strategies.scalper.terms import terms_of

FOREVER = sys.maxsize // 2


def candles_of(tape: Tape) -> tuple[Ints, Floats]:
    """(open times in ms, rows (n, 3) of high, low, close) of the whole minutes of the tape's trades; a minute without a
    trade goes on at the last price."""
    traded = tape.kind == TRADE
    ms = tape.exch_ns[traded] // 1_000_000
    price = np.abs(tape.key[tape.begin[:-1][traded]]).astype(np.float64)
    if not len(ms):
        return np.zeros(0, np.int64), np.zeros((0, 3))
    minutes = np.arange(ms[0] // MINUTE_MS + 1, ms[-1] // MINUTE_MS)  # the first and the last are cut off
    rows = np.zeros((len(minutes), 3))
    edges = np.searchsorted(ms, np.append(minutes, minutes[-1:] + 1) * MINUTE_MS).tolist()
    for row, (low, high) in enumerate(zip(edges, edges[1:], strict=False)):
        inside = price[low:high] if high > low else price[low - 1:low]
        rows[row] = inside.max(), inside.min(), inside[-1]
    return minutes * MINUTE_MS, rows


def contexts_of(candles: tuple[Ints, Floats], settings: ScalperSettings) -> tuple[Floats, Ints]:
    """Contexts (n, CONTEXT) by the time (ms) at which each was known: the close of its candle."""
    opened, rows = candles
    found = indicators.parts(np.ascontiguousarray(rows[:, 0]), np.ascontiguousarray(rows[:, 1]),
                             np.ascontiguousarray(rows[:, 2]), settings)
    known = ~np.isnan(found).any(axis=1)
    contexts = np.zeros((int(known.sum()), rules.CONTEXT))
    contexts[:, :4] = found[known]
    return contexts, opened[known] + MINUTE_MS


def moods_of(tape: Tape, history: History) -> tuple[Floats, Ints]:
    """Moods (n, 2: score, 1 where it still says something) by the ms from which each held: each minute, because what
    is known fades, and at once where a text became known. Nothing of it was known later than that."""
    if not history.texts:
        return np.zeros((0, 2)), np.zeros(0, np.int64)
    begin, end = int(tape.exch_ns[0]) // 1_000_000, int(tape.exch_ns[-1]) // 1_000_000
    texts = [text.known_ms for text in history.texts if begin <= text.known_ms <= end]
    times = np.unique(np.append(np.arange(begin, end + 1, MINUTE_MS), np.array(texts, np.int64)))
    found = history.series(tape.symbol, times)
    known = found[:, 1] >= rules.LEAST_CONFIDENCE
    return np.stack([np.where(known, found[:, 0], 0.0), known.astype(np.float64)], axis=1), times


def play(a: Arena, tape: Tape, settings: ScalperSettings, start_usdt: float, maker_fee: float, taker_fee: float,
         counts: Ints) -> int:
    """Scalp a tape; fees as shares. Returns looks on a doubtful book; refusals go into `counts`."""
    return play_known(a, tape, settings, candles_of(tape), moods_of(tape, history_of(settings)),
                      (start_usdt, maker_fee, taker_fee), counts)


def play_known(a: Arena, tape: Tape, settings: ScalperSettings, candles: tuple[Ints, Floats],
               moods: tuple[Floats, Ints], money: tuple[float, float, float], counts: Ints,
               until_ns: int = FOREVER) -> int:
    """`play` with candles and moods that are known already. `money`: start, and the two fees as shares."""
    contexts, at_ms = contexts_of(candles, settings)
    without = {} if len(contexts) else {"w_rsi": 0.0, "w_macd": 0.0, "w_bollinger": 0.0}
    own = settings.model_copy(update=without)
    unit = float(tape.tick * tape.step)
    terms = terms_of(own)._replace(large_units=max(round(own.large_trade_usdt / unit), 1))
    start_usdt, maker_fee, taker_fee = money
    account = np.array([start_usdt, own.max_position_usdt, start_usdt * own.risk_pct / 100, own.wait_s * 1e9,
                        float(own.taker), own.max_chase_bps, own.day_loss_pct / 100, own.trades_a_day,
                        own.cooldown_s * 1000, own.cooldown_loss_s * 1000, unit, maker_fee, taker_fee])
    return int(run(a, fl.empty(1 << 16), terms, Known(contexts, at_ms, *moods), account, until_ns, counts))


def too_short(tape: Tape, settings: ScalperSettings) -> bool:
    """Whether indicators are left out (scalper.py, rule 4)."""
    return not len(contexts_of(candles_of(tape), settings)[0])


def assumed(tape: Tape, settings: ScalperSettings) -> list[str]:
    """What a report says of it."""
    texts = len(history_of(settings).texts)
    mood = (f"sentiment: {texts:,} recorded texts, each from the moment on at which it was known" if texts else
            "sentiment: no record of it, left out of the score (scalper.sentiment_record)")
    if too_short(tape, settings):
        return ["the recording is too short for the indicators: they are left out of the score, and ATR is taken from "
                "the short volatility", mood]
    return ["indicators of 1m candles made from the recording's own trades", mood]
