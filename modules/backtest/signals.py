"""Entries of the hype scanner from candles: its own rules (rules.py, mood.py) at the close of every 5m candle.

1. `rules.screen` over all candles of a token as it runs over all symbols of the market; `rules.inspect` and
   `rules.classify` for the suspects, each with its own figures.
2. The mood is BTC's where BTCUSDT is among the tokens; without it the mood is NORMAL, and the report says so.
3. Nothing looks ahead: a signal of a candle is known at its close and filled at the open of a later one.
4. What candles do not tell is assumed, and named in `WAIVED`.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from modules.backtest import measure as m
from modules.backtest.arrays import Floats, Ints
from modules.backtest.frames import Frame
from modules.backtest.settings import BacktestSettings
from modules.backtest.strategies import Groups
from modules.backtest.wishes import Wishes
from modules.strategies.hype import rules
from modules.strategies.hype.exit_rules import strategy_index
from modules.strategies.hype.mood import EFFECTS, Mood, next_mood
from modules.strategies.hype.reasons import Refusal
from modules.strategies.hype.settings import HypeSettings

BTC = "BTCUSDT"
MOODS = tuple(Mood)
# The scanner sees 168 hours, among them the newest, and figures of 500 candles: nothing before changes a signal.
WARM_UP = 168 * 12
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
# A mood read longer ago than this is not known any more.
STALE_MS = 3 * m.INTERVAL_MS
ENDLESS_DEPTH = float("inf")
WAIVED = (
    "depth of the order book: not in candles, taken as deep enough; the cost of size is in the slippage",
    "spread: not in candles, taken as backtest.spread_pct everywhere",
    "whether the venue takes API orders, or has halted the token: not in candles, taken as open",
    "the scanner looks every half minute, the backtest once at the close of each 5m candle",
    "a scan's limits (max_probes, max_candidates): none is cut off, the strongest come first",
)
NO_MODELS = "the models: not asked; every entry has backtest.confidence, none is vetoed (--models walk-forward asks)"
NO_TOKEN_MODELS = "the tokens' own models: not fitted in a backtest, taken as standing aside; the feedback model is"
NO_BTC = "the market's mood: no BTCUSDT among the candles, taken as normal"


def hype_of(groups: Groups) -> HypeSettings:
    """The bot's own settings of a run."""
    found = groups["hype"]
    assert isinstance(found, HypeSettings)
    return found


def costs_of(groups: Groups) -> BacktestSettings:
    """Account and costs of a run."""
    found = groups["backtest"]
    assert isinstance(found, BacktestSettings)
    return found


def figures_of(frame: Frame) -> dict[str, Floats]:
    """All that the scanner's rules look at, at the close of every candle."""
    close_look = m.look_closely(frame, np.arange(len(frame)))
    names = ("surge_1h", "surge_15m", "atr_pct", "rising_share", "fall_pct", "bounce_pct", "below_high_pct")
    return {"growth_5m": m.growth_over(frame, m.INTERVAL_MS), "growth_1h": m.growth_over(frame, HOUR_MS),
            "growth_24h": m.growth_over(frame, DAY_MS), "quote_volume": m.volume_of_day(frame),
            **{name: close_look[:, place] for place, name in enumerate(names)}}


def hype_wishes(frames: Sequence[Frame], settings: HypeSettings, costs: BacktestSettings,
                 counted: Counter[str]) -> Wishes:
    """The wishes of all tokens; `frames` are 5m candles. Why candles gave none is added to `counted`."""
    btc = next((frame for frame in frames if frame.symbol == BTC), None)
    moods = None if btc is None else (btc.time, moods_of(btc, settings))
    return Wishes.joined([_of_token(token, frame, settings, costs, _mood_at(frame, moods), counted)
                           for token, frame in enumerate(frames)])


def moods_of(btc: Frame, settings: HypeSettings) -> npt.NDArray[np.int8]:
    """The mood at each close of BTC, as places in MOODS."""
    found = np.empty(len(btc), np.int8)
    mood = Mood.NORMAL
    places = {each: place for place, each in enumerate(MOODS)}
    hour, day = m.growth_over(btc, HOUR_MS).tolist(), m.growth_over(btc, DAY_MS).tolist()
    for row, (one, twenty_four) in enumerate(zip(hour, day, strict=True)):
        mood = next_mood(mood, one, twenty_four, settings)
        found[row] = places[mood]
    return found


def _mood_at(frame: Frame, moods: tuple[Ints, npt.NDArray[np.int8]] | None) -> npt.NDArray[np.int8]:
    """The mood at each close of a token (rule 2); CAREFUL where BTC's candles are missing, as live."""
    if moods is None:
        return np.full(len(frame), MOODS.index(Mood.NORMAL), np.int8)
    time, mood = moods
    place = np.searchsorted(time, frame.time, side="right") - 1
    known = (place >= 0) & (frame.time - time[np.maximum(place, 0)] <= STALE_MS)
    found: npt.NDArray[np.int8] = np.where(known, mood[np.maximum(place, 0)], MOODS.index(Mood.CAREFUL)).astype(np.int8)
    return found


def _of_token(token: int, frame: Frame, settings: HypeSettings, costs: BacktestSettings,
              mood: npt.NDArray[np.int8], counted: Counter[str]) -> Wishes:
    count = len(frame)
    always = np.ones(count, np.bool_)
    board = rules.Board(
        price=frame.close, spread_pct=np.full(count, costs.spread_pct), quote_volume=m.volume_of_day(frame),
        growth_5m=m.growth_over(frame, m.INTERVAL_MS), growth_1h=m.growth_over(frame, HOUR_MS),
        growth_24h=m.growth_over(frame, DAY_MS), trading=always, api_allowed=always,
    )
    codes, strength = np.zeros(count, np.int8), np.zeros(count)
    for place, each in enumerate(MOODS):
        now = mood == place
        if now.any():
            at = rules.bars(settings, each)
            codes[now] = rules.screen(_part(board, now), at)
            strength[now] = rules.strength(_part(board, now), at)
    for code, many in zip(*np.unique(codes, return_counts=True), strict=True):
        counted[f"candles: {Refusal(int(code)).code}" if code else "candles: suspects"] += int(many)
    suspects = np.flatnonzero(codes == 0)
    figures = m.look_closely(frame, suspects)
    strategy = _classified(board, suspects, figures, mood, settings, counted)
    chosen = strategy >= 0
    rows = suspects[chosen]
    size = np.array([EFFECTS[each].size for each in MOODS])[mood[rows]]
    return Wishes.made(token, rows, frame.time[rows] + frame.interval_ms, frame.close[rows], kind=strategy[chosen],
                       atr_pct=figures[chosen, m.ATR], size=size, strength=strength[rows])


def _part(board: rules.Board, rows: npt.NDArray[np.bool_]) -> rules.Board:
    return rules.Board(board.price[rows], board.spread_pct[rows], board.quote_volume[rows], board.growth_5m[rows],
                       board.growth_1h[rows], board.growth_24h[rows], board.trading[rows], board.api_allowed[rows])


def _classified(board: rules.Board, suspects: Ints, close_look: Floats, mood: npt.NDArray[np.int8],
                settings: HypeSettings, counted: Counter[str]) -> Ints:
    """The strategy of each suspect as its place in the table; -1 where it has none, or the mood forbids buying."""
    at = [rules.bars(settings, each) for each in MOODS]
    found = np.full(len(suspects), -1, np.int64)
    market = np.stack((board.price, board.spread_pct, board.quote_volume, board.growth_5m, board.growth_1h,
                       board.growth_24h))[:, suspects].T.tolist()
    rows = zip(market, close_look.tolist(), mood[suspects].tolist(), strict=True)
    for place, (row, own, its_mood) in enumerate(rows):
        known = [*row, *own[:m.RISING], ENDLESS_DEPTH, *own[m.RISING:]]  # the order of rules.Figures
        figures = rules.Figures(*known)
        strategy = None if rules.inspect(figures, at[its_mood]) else rules.classify(figures, at[its_mood])
        if strategy is None:
            counted["suspects: no_strategy"] += 1
        elif MOODS[its_mood] is Mood.PAUSE:
            counted["suspects: mood_pause"] += 1
        else:
            counted[f"suspects: {strategy.value}"] += 1
            found[place] = strategy_index(strategy)
    return found
