"""Rows to learn from: a token's candles, past moments of hype of many tokens, and labelled candidates."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from modules.learning import events, features, labels
from modules.learning.features import CONTEXT, FEATURES, HOUR, STEP_MS, Floats
from modules.learning.fit import Rows
from modules.learning.labels import Rule
from modules.learning.market import MARKET, Panel

SETTLED = 50  # rows at the beginning of a history in which the indicators are not settled
CONTEXT_SHARE = 0.95  # a context column that more rows lack would only tell where a row comes from
PAST_COLUMNS = len(FEATURES) + len(CONTEXT) + 3  # … label, time, net result
# What the tracker's exits would have earned after rows of a token's candles, percent (NaN: not known). The rules of
# the exits belong to the strategy, which hands this function in.
Results = Callable[[Floats, Sequence[int]], Floats]
SAME_MS = 3_600_000  # a past moment this near to a labelled candidate of the token is the same event


class Bars(msgspec.Struct, frozen=True):
    """Growth in percent and surge in multiples that count as hype (the scanner's settings)."""

    growth_5m_pct: float
    growth_1h_pct: float
    volume_surge: float


class LabelledRow(msgspec.Struct, frozen=True):
    """One labelled candidate as it lies in ``labeled_candidates.csv``; `features` is features.pack's text.

    `net_pct`: what it earned or would have earned after costs, percent; NaN where not known.
    """

    symbol: str
    market_ms: int
    features: str
    label: int
    net_pct: float = float("nan")


@dataclass(frozen=True, slots=True)
class FeedbackRows:
    """Rows of the feedback model, the names of their columns, and how many of them are real candidates."""

    rows: Rows
    names: tuple[str, ...]
    labelled: int


def token_rows(candles: Floats, rule: Rule, bars: Bars, net: Floats | None = None) -> Rows:
    """Every candle of one token as a row, known at its close; those in motion count as candidates.

    `net`: the net result after each candle, percent, NaN where not known (shape (n,)); None: of none.
    """
    made = features.compute(candles)
    label = labels.label_rows(candles, rule)
    motion = events.moving(candles, bars.growth_5m_pct, bars.growth_1h_pct)
    known = np.isfinite(label)
    known[:SETTLED] = False
    earned = None if net is None or len(net) != len(candles) else net[known]
    return Rows(made[known], label[known], candles[known, 0] + STEP_MS, motion[known], earned)


def feedback_rows(past: Floats, labelled: Sequence[LabelledRow]) -> FeedbackRows:
    """Rows of `past_rows` (of many tokens, in any order) and labelled candidates, in order of time.

    Spread and depth are not known of the past. A context column stays only if nearly all rows have it.
    """
    real = _labelled(labelled)
    width = len(FEATURES) + len(CONTEXT)
    table = np.concatenate([real, past.reshape(-1, PAST_COLUMNS)])
    table = table[np.argsort(table[:, width + 1], kind="stable")]
    keep = np.ones(width, dtype=bool)
    if len(table):
        present = np.isfinite(table[:, len(FEATURES) : width]).mean(axis=0)
        keep[len(FEATURES) :] = present >= CONTEXT_SHARE
    names = tuple(name for name, kept in zip(FEATURES + CONTEXT, keep, strict=True) if kept)
    every = np.ones(len(table), dtype=bool)
    rows = Rows(np.ascontiguousarray(table[:, :width][:, keep]), table[:, width], table[:, width + 1], every,
                table[:, width + 2])
    return FeedbackRows(rows, names, len(real))


def _labelled(items: Sequence[LabelledRow]) -> Floats:
    """Candidates as (features, context, label, time); those of another version of the features are left out."""
    made: list[Floats] = []
    for item in items:
        values = features.unpack(item.features, FEATURES + CONTEXT)
        if values is not None and item.label in (0, 1):
            made.append(np.concatenate([values, [float(item.label), float(item.market_ms), item.net_pct]]))
    return np.array(made).reshape(-1, PAST_COLUMNS)


def past_rows(candles: Floats, btc: Floats, rule: Rule, bars: Bars, taken: Sequence[int],
              net: Results | None = None) -> Floats:
    """Moments of hype in one token's closed candles, one row each: features, context, label, time, net result.

    `taken`: times (ms) of its labelled candidates, which stand for the moments near to them. `btc`: BTC's candles.
    `net`: what the exits would have earned after these rows of the candles, percent; without it NaN.
    """
    moments = events.hype_moments(candles, bars.growth_5m_pct, bars.growth_1h_pct, bars.volume_surge)
    label = labels.label_rows(candles, rule)
    moments = moments[np.isfinite(label[moments]) & (moments >= SETTLED)]
    times = candles[moments, 0] + STEP_MS
    if len(taken) and len(moments):
        near = np.abs(times[:, None] - np.array(taken, dtype=np.float64)[None, :]).min(axis=1) < SAME_MS
        moments, times = moments[~near], times[~near]
    if not len(moments):
        return np.empty((0, PAST_COLUMNS))
    made = features.compute(candles)[moments]
    context = np.full((len(moments), len(CONTEXT)), np.nan)
    context[:, CONTEXT.index("btc_1h_pct")] = _btc_change(btc, times)
    day = events.growth(candles[:, 4], features.DAY)[moments]
    context[:, CONTEXT.index("change_24h_pct")] = day
    earned = np.full(len(moments), np.nan) if net is None else net(candles, moments.tolist())
    return np.column_stack([made, context, label[moments], times, earned])


def with_market(rows: Floats, panel: Panel, symbol: str) -> Floats:
    """`past_rows` of one token with the figures of the whole market (market.py) in their context columns.

    `panel` holds the candles of all tokens, this one's too.
    """
    if len(rows):
        made = panel.rows(symbol, rows[:, PAST_COLUMNS - 2])
        for place, name in enumerate(MARKET):
            rows[:, len(FEATURES) + CONTEXT.index(name)] = made[:, place]
    return rows


def _btc_change(btc: Floats, times: Floats) -> Floats:
    """BTC's change over the hour before each of `times`, percent, from candles closed by then; NaN if unknown."""
    found = np.full(len(times), np.nan)
    if not len(btc):
        return found
    change = events.growth(btc[:, 4], HOUR)
    closes = btc[:, 0] + STEP_MS
    place = np.searchsorted(closes, times, side="right") - 1
    fresh = (place >= 0) & (times - closes[np.maximum(place, 0)] < 2 * STEP_MS)
    found[fresh] = change[place[fresh]]
    return found
