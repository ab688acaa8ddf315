"""From candle files to rows that can be judged: candidates by two definitions, features, labels, net results.

1. ``scanner``: the live rules (strategies and mood as live). ``reference``: +3 % in an hour with twice the usual
   volume, bought as `simple`; the definition that the reference filter was measured on.
2. Definitions are of time, not of a number of candles: with candles longer than 5m the growth over an hour and the
   surge of that hour decide, and ATR is brought to 5m by the square root of time. What such candles cannot tell (the
   move of the last five minutes) neither helps nor forbids.
3. Two candidates of one token lie at least GAP_MS apart: neighbours tell the same story twice.
4. A row knows only candles closed at its time; features are features.compute and market.Panel, as live.
5. `seed` is the seed's label (A8), `within` the same reached at any time within; `net` what the tracker's exits would
   have earned from there (outcomes.py).
6. ``rises`` and ``rest`` are no candidates: moments of any rise, and of any kind; they only teach. At most MOST_RISES
   and MOST_REST, evenly over all of them.
7. ``reference`` and what only teaches pay the reference filter's costs: fee, and 0.1 % a fill for everything else.
   ``scanner`` pays those of a backtest.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from modules.backtest import measure as m
from modules.backtest.arrays import Floats, Ints, Series
from modules.backtest.frames import Frame, resampled
from modules.backtest.market import Steps, series_of
from modules.backtest.outcomes import outcomes
from modules.backtest.settings import BacktestSettings
from modules.backtest.strategies import STRATEGIES
from modules.backtest.wishes import Wishes
from modules.learning import features, labels
from modules.learning.market import MARKET, Panel
from modules.learning.settings import LearningSettings
from modules.strategies.hype import rules
from modules.strategies.hype.exit_rules import rules_of, strategy_index
from modules.strategies.hype.exit_table import CONFIDENCES
from modules.strategies.hype.mood import Mood
from modules.strategies.hype.settings import HypeSettings

BAR_MS = 300_000
GAP_MS = 1_800_000
CAP_MS = 48 * 3_600_000
PRESETS = ("seed", "gain")
DEFINITIONS = ("scanner", "reference")
RISES, RISE_1H_PCT, RISE_GAP_MS, MOST_RISES = "rises", 1.5, 900_000, 40_000
REST, MOST_REST = "rest", 40_000
# The exits by which a result counts, as a place in CONFIDENCES: 0.90, the middle of those that the approved are sold by
# (confidence 0.80 to 1). The narrow row 0.80 is what the bot uses without a filter.
ROW, NARROW = CONFIDENCES.index("0.90"), 0
REFERENCE_COSTS = {"spread_pct": 0.0, "slippage_pct": 0.1, "impact_pct": 0.0}
NAMES = (*features.FEATURES, *MARKET)
REFERENCE_1H_PCT, REFERENCE_SURGE = 3.0, 2.0
SETTLED_MS = 86_400_000  # a token's first day: its usual volume is not known yet
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Rows:
    """Candidates in order of time. `net`: (n, presets, rows of the exit table) percent; NaN where not known."""

    token: Ints
    time: Ints
    strategy: Ints
    table: Floats
    seed: Floats
    within: Floats
    net: Floats
    end: Ints

    def __len__(self) -> int:
        return len(self.time)

    def only(self, keep: object) -> "Rows":
        """Only these rows."""
        return Rows(*(getattr(self, each.name)[keep] for each in fields(self)))


@dataclass(frozen=True, slots=True)
class Market:
    """All rows of one market, by definition, and its tokens."""

    symbols: tuple[str, ...]
    bar_ms: int
    candles: int
    by: dict[str, Rows]


def bar_of(*markets: Sequence[Frame]) -> int:
    """The candles on which decisions are made: 5m, or the longest given. Raises DataError (frames.resampled)."""
    return max([BAR_MS, *(frame.interval_ms for frames in markets for frame in frames)])


def market_of(frames: Sequence[Frame], bar_ms: int, hype: HypeSettings, learning: LearningSettings,
              costs: BacktestSettings, counted: Counter[str], say: Say) -> Market:
    """Every row of the candles. Raises DataError for candles of mixed length that cannot be joined."""
    seen = [resampled(frame, bar_ms) for frame in frames]
    say(f"{len(frames)} tokens, {sum(map(len, frames)):,} candles; candidates …")
    wishes = {"scanner": _scanner(seen, bar_ms, hype, costs, counted), "reference": _reference(seen, bar_ms)}
    wishes = {name: spaced(each, GAP_MS) for name, each in wishes.items()}
    wishes[RISES] = _thinned(spaced(_reference(seen, bar_ms, RISE_1H_PCT, 0.0), RISE_GAP_MS))
    wishes[REST] = _reference(seen, bar_ms, -np.inf, 0.0, every=-(-sum(map(len, seen)) // MOST_REST))
    say(", ".join(f"{len(each):,} {name}" for name, each in wishes.items()) + "; features …")
    tables, seeds, within = _known(seen, bar_ms, wishes, learning)
    series, steps = series_of(list(frames), costs.min_notional_usdt)
    made: dict[str, Rows] = {}
    for name, each in wishes.items():
        say(f"net results of {name} …")
        paid = costs if name == "scanner" else costs.model_copy(update=REFERENCE_COSTS)
        net, end = _net(each, series, steps, hype, paid, bar_ms, name in DEFINITIONS)
        order = np.argsort(each.known_ms, kind="stable")
        made[name] = Rows(each.token, each.known_ms, each.kind, tables[name], seeds[name], within[name], net,
                          end).only(order)
    return Market(tuple(frame.symbol for frame in frames), bar_ms, sum(map(len, frames)), made)


def _net(wishes: Wishes, series: Series, steps: Sequence[Steps], hype: HypeSettings, costs: BacktestSettings,
         bar_ms: int, whole: bool) -> tuple[Floats, Ints]:
    """(net, end) of Rows; not `whole`: only what teaches, the first preset at ROW and NARROW."""
    net, end = np.full((len(wishes), len(PRESETS), len(CONFIDENCES)), np.nan), np.zeros(len(wishes), np.int64)
    for place, preset in enumerate(PRESETS if whole else PRESETS[:1]):
        settings = hype.model_copy(update={"tp_preset": preset})
        terms = STRATEGIES["hype"].terms({"hype": settings, "backtest": costs})
        for row in range(len(CONFIDENCES)) if whole else (NARROW, ROW):
            found = outcomes(wishes, series, steps, rules_of(settings), terms, costs, bar_ms, CAP_MS,
                             float(CONFIDENCES[row]))
            net[:, place, row], end = found.net_pct, np.maximum(end, found.end_ms)
    return net, end


def _thinned(wishes: Wishes) -> Wishes:
    """Rule 6."""
    keep = np.zeros(len(wishes), np.bool_)
    keep[np.unique(np.linspace(0, max(len(wishes) - 1, 0), min(len(wishes), MOST_RISES)).astype(np.int64))] = True
    return wishes.only(keep)


def spaced(wishes: Wishes, gap_ms: int) -> Wishes:
    """Rule 3."""
    order = np.lexsort((wishes.known_ms, wishes.token))
    keep, last, token = np.zeros(len(wishes), np.bool_), 0, -1
    for row in order.tolist():
        if wishes.token[row] != token or wishes.known_ms[row] - last >= gap_ms:
            token, last, keep[row] = int(wishes.token[row]), int(wishes.known_ms[row]), True
    return wishes.only(keep)


def _known(seen: Sequence[Frame], bar_ms: int, wishes: dict[str, Wishes],
           learning: LearningSettings) -> tuple[dict[str, Floats], dict[str, Floats], dict[str, Floats]]:
    """Features, seed labels and those of any time within, of all wishes, by definition."""
    rule = labels.Rule(round(learning.label_after_h * 3_600_000), learning.label_growth_pct, learning.label_any_time)
    tables = {name: np.full((len(each), len(NAMES)), np.nan) for name, each in wishes.items()}
    seeds = {name: np.full(len(each), np.nan) for name, each in wishes.items()}
    within = {name: np.full(len(each), np.nan) for name, each in wishes.items()}
    panel = Panel(bar_ms)
    width = len(features.FEATURES)
    for token, frame in enumerate(seen):
        panel.add(frame.symbol, frame.time, frame.close, frame.volume)
        candles = np.column_stack((frame.time.astype(np.float64), frame.open, frame.high, frame.low, frame.close,
                                   frame.volume))
        own = features.compute(candles, bar_ms)
        label = labels.label_rows(candles, rule, bar_ms)
        for name, each in wishes.items():
            mine = each.token == token
            tables[name][mine, :width], seeds[name][mine] = own[each.row[mine]], label[each.row[mine]]
            within[name][mine] = _reached(frame, each.row[mine], label[each.row[mine]], rule, bar_ms)
    for name, each in wishes.items():
        tables[name][:, width:] = panel.rows_of(each.token, each.known_ms)
    return tables, seeds, within


def _reached(frame: Frame, rows: Ints, label: Floats, rule: labels.Rule, bar_ms: int) -> Floats:
    """1 where the growth was there at any time within, NaN where the seed's label is not known."""
    found = label.copy()
    last = np.searchsorted(frame.time, frame.time[rows] + bar_ms + rule.after_ms)
    for place, (row, end) in enumerate(zip(rows.tolist(), last.tolist(), strict=True)):
        if label[place] == 0.0 and end > row + 1:
            top = frame.high[row + 1:end].max()
            found[place] = float((top / frame.close[row] - 1.0) * 100.0 >= rule.growth_pct)
    return found


def _scanner(seen: Sequence[Frame], bar_ms: int, hype: HypeSettings, costs: BacktestSettings,
             counted: Counter[str]) -> Wishes:
    """The live rules' candidates."""
    if bar_ms == BAR_MS:
        return STRATEGIES["hype"].wishes(seen, {"hype": hype, "backtest": costs}, counted)
    at = rules.bars(hype, Mood.NORMAL)
    return Wishes.joined([_coarse(token, frame, at, costs) for token, frame in enumerate(seen)])


def _coarse(token: int, frame: Frame, at: rules.Bars, costs: BacktestSettings) -> Wishes:
    """Candidates from candles longer than 5m (rule 2)."""
    hour, day = m.growth_over(frame, m.HOUR_MS), m.growth_over(frame, m.DAY_MS)
    volume, surge = m.volume_of_day(frame), _surge(frame)
    fall, bounce, below = _recovery(frame)
    atr = _atr_pct(frame)
    count = len(frame)
    board = rules.Board(frame.close, np.full(count, costs.spread_pct), volume, np.full(count, np.nan), hour, day,
                        np.ones(count, np.bool_), np.ones(count, np.bool_))
    rows = np.flatnonzero(rules.screen(board, at) == 0)
    rows = rows[frame.time[rows] - frame.time[0] >= SETTLED_MS] if count else rows
    kinds = np.full(len(rows), -1, np.int64)
    for place, row in enumerate(rows.tolist()):
        figures = rules.Figures(
            float(frame.close[row]), costs.spread_pct, float(volume[row]), 0.0, float(hour[row]), float(day[row]),
            float(surge[row]), float(surge[row]), float(atr[row]), float("inf"),
            float(frame.close[row] > frame.open[row]), float(fall[row]), float(bounce[row]), float(below[row]))
        strategy = rules.classify(figures, at)
        kinds[place] = -1 if strategy is None else strategy_index(strategy)
    rows, kinds = rows[kinds >= 0], kinds[kinds >= 0]
    return _wishes(token, frame, rows, kinds, atr[rows])


def _reference(seen: Sequence[Frame], bar_ms: int, least_1h_pct: float = REFERENCE_1H_PCT,
               least_surge: float = REFERENCE_SURGE, every: int = 1) -> Wishes:
    """A rise in an hour with a surge of volume, exits of `simple` (rules 1, 6); of those each `every`-th moment."""
    parts = []
    for token, frame in enumerate(seen):
        with np.errstate(invalid="ignore"):
            hit = (m.growth_over(frame, m.HOUR_MS) >= least_1h_pct) & (_surge(frame) >= least_surge)
            hit &= frame.time // bar_ms % every == token % every
        rows = np.flatnonzero(hit & (frame.time - frame.time[0] >= SETTLED_MS)) if len(frame) else np.zeros(0, np.int64)
        atr = m.look_closely(frame, rows)[:, m.ATR] if bar_ms == BAR_MS else _atr_pct(frame)[rows]
        parts.append(_wishes(token, frame, rows, np.zeros(len(rows), np.int64), atr))
    return Wishes.joined(parts)


def _wishes(token: int, frame: Frame, rows: Ints, kinds: Ints, atr: Floats) -> Wishes:
    return Wishes.made(token, rows, frame.time[rows] + frame.interval_ms, frame.close[rows], kind=kinds, atr_pct=atr)


def _surge(frame: Frame) -> Floats:
    """USDT traded in the last hour over the usual hour of the day before it; NaN with less than half a day known."""
    total = np.concatenate(([0.0], np.cumsum(frame.quote())))
    hour = np.searchsorted(frame.time, frame.time - m.HOUR_MS, side="right")
    begin = np.searchsorted(frame.time, frame.time - m.HOUR_MS - m.DAY_MS, side="right")
    with np.errstate(invalid="ignore", divide="ignore"):
        usual = (total[hour] - total[begin]) / 24.0
        found: Floats = (total[1:] - total[hour]) / usual
    found[frame.time - frame.time[:1] < m.DAY_MS // 2] = np.nan
    return found


def _atr_pct(frame: Frame) -> Floats:
    """ATR(14)/price as of 5m candles: the mean true range of 14 candles, by the square root of time (rule 2)."""
    if not len(frame):
        return np.zeros(0)
    before = np.concatenate((frame.open[:1], frame.close[:-1]))
    span = np.maximum(frame.high, before) - np.minimum(frame.low, before)
    total = np.concatenate(([0.0], np.cumsum(span)))
    rows = np.arange(len(frame))
    first = np.maximum(rows - 13, 0)
    mean = (total[rows + 1] - total[first]) / (rows + 1 - first)
    found: Floats = mean / frame.close * 100.0 * np.sqrt(BAR_MS / max(frame.interval_ms, 1))
    return found


def _recovery(frame: Frame) -> tuple[Floats, Floats, Floats]:
    """figures.recovery over the last 168 hours at each close."""
    found = np.full((3, len(frame)), np.nan)
    most = max(168 * m.HOUR_MS // max(frame.interval_ms, 1), 1)
    for row in range(len(frame)):
        first = max(row + 1 - most, 0)
        if row - first < 24 * m.HOUR_MS // max(frame.interval_ms, 1):
            continue
        top_at = first + int(np.argmax(frame.high[first:row + 1]))
        top, low, price = frame.high[top_at], frame.low[top_at:row + 1].min(), frame.close[row]
        found[:, row] = (1.0 - low / top) * 100.0, (price / low - 1.0) * 100.0, (1.0 - price / top) * 100.0
    return found[0], found[1], found[2]
