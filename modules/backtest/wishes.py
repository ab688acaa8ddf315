"""What a strategy wants, before any account is asked: entries and sells by signal; the tables of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from modules.backtest import arrays as a
from modules.backtest.arrays import Floats, Ints, Series
from modules.backtest.market import Steps
from modules.backtest.settings import BacktestSettings

PPM = 1_000_000


def _none() -> Ints:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class Wishes:
    """Wishes to enter, in any order: arrays over wishes. Prices as in the file.

    token: place of its frame. row: the candle of that frame at whose close it was made. known_ms: that close. price:
    of the signal. kind: place in the strategy's `kinds`. side: arrays.LONG or SHORT. atr_pct: NaN where unknown.
    size: factor on the size of a trade. strength: the stronger is asked first at one time. confidence: NaN leaves it
    to `backtest.confidence`. goal, stop: prices of a target and a stop of its own; 0 for none. `own` tells that they
    are the strategy's own, so that the exit rules do not make a plan; `hold_ms` is their longest hold then (0: none).
    sell_token, sell_ms: signals that sell what is held of a token at the next open. cover_…: the same for shorts.
    """

    token: Ints
    row: Ints
    known_ms: Ints
    price: Floats
    kind: Ints
    side: Ints
    atr_pct: Floats
    size: Floats
    strength: Floats
    confidence: Floats
    goal: Floats
    stop: Floats
    own: bool = False
    hold_ms: int = 0
    sell_token: Ints = field(default_factory=_none)
    sell_ms: Ints = field(default_factory=_none)
    cover_token: Ints = field(default_factory=_none)
    cover_ms: Ints = field(default_factory=_none)

    def __len__(self) -> int:
        return len(self.token)

    @classmethod
    def made(cls, token: int, row: Ints, known_ms: Ints, price: Floats, **more: Any) -> "Wishes":
        """Wishes of one token; what is not given in `more` is plain: long, of full size, no ATR, no confidence."""
        count = len(row)
        plain: dict[str, Any] = {
            "kind": np.zeros(count, np.int64), "side": np.full(count, a.LONG), "atr_pct": np.full(count, np.nan),
            "size": np.ones(count), "strength": np.zeros(count), "confidence": np.full(count, np.nan),
            "goal": np.zeros(count), "stop": np.zeros(count)}
        return cls(np.full(count, token, np.int64), row, known_ms, price, **(plain | more))

    @classmethod
    def joined(cls, parts: Sequence["Wishes"]) -> "Wishes":
        """All parts as one. Raises ValueError for no part."""
        columns = [each.name for each in fields(cls) if each.name not in ("own", "hold_ms")]
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in columns},
                   own=parts[0].own, hold_ms=parts[0].hold_ms)

    def only(self, keep: npt.NDArray[np.bool_]) -> "Wishes":
        """Only these wishes; the sells stay."""
        columns = ("token", "row", "known_ms", "price", "kind", "side", "atr_pct", "size", "strength", "confidence",
                   "goal", "stop")
        return replace(self, **{name: getattr(self, name)[keep] for name in columns})


def entries_of(wishes: Wishes, series: Series, steps: Sequence[Steps], costs: BacktestSettings, bar_ms: int) -> Ints:
    """The engine's table of entries: each at the first candle that opens `latency_bars` bars after its own.

    Wishes after which a token has no candle any more are left out. `bar_ms`: length of the strategy's candles.
    """
    table = np.zeros((len(wishes), a.E_COLUMNS), np.int64)
    keep = np.zeros(len(table), np.bool_)
    order_ms = wishes.known_ms + (costs.latency_bars - 1) * bar_ms
    for token, mine in _of_tokens(wishes.token, len(steps)):
        begin, end = (int(value) for value in series.tokens[token, :2])
        at = begin + np.searchsorted(series.candles[a.TIME, begin:end], order_ms[mine])
        table[mine, a.E_AT], keep[mine] = at, at < end
        table[mine, a.E_HOLD] = wishes.hold_ms
        table[mine, a.E_PRICE] = steps[token].ticks(wishes.price[mine])
        if wishes.own:
            goal, stop = steps[token].ticks(wishes.goal[mine]), steps[token].ticks(wishes.stop[mine])
            table[mine, a.E_GOAL] = np.where(goal > 0, goal, a.NEVER)
            table[mine, a.E_STOP] = stop
    table[:, a.E_TOKEN], table[:, a.E_KNOWN], table[:, a.E_STRATEGY] = wishes.token, order_ms, wishes.kind
    table[:, a.E_SIDE] = wishes.side
    table[:, a.E_CONFIDENCE] = np.rint(np.where(np.isnan(wishes.confidence), costs.confidence, wishes.confidence) * PPM)
    table[:, a.E_ATR] = np.rint(np.nan_to_num(wishes.atr_pct, nan=0.0) * PPM / 100)
    table[:, a.E_SIZE] = np.rint(wishes.size * PPM)
    table, strength = table[keep], wishes.strength[keep]
    return table[np.lexsort((-strength, series.candles[a.TIME, table[:, a.E_AT]]))]


def rows_of(token: Ints, known_ms: Ints, series: Series) -> Ints:
    """Candles at whose open a signal of that time sells, ascending; none for one after a token's last candle."""
    found = []
    for number, mine in _of_tokens(token, len(series.tokens)):
        begin, end = (int(value) for value in series.tokens[number, :2])
        at = begin + np.searchsorted(series.candles[a.TIME, begin:end], known_ms[mine])
        found.append(at[at < end])
    return np.unique(np.concatenate(found)) if found else _none()


def _of_tokens(token: Ints, count: int) -> list[tuple[int, npt.NDArray[np.int64] | slice]]:
    """(token, its rows) of every token that has some; a slice where there is only one token."""
    if count == 1:
        return [(0, slice(None))]
    order = np.argsort(token, kind="stable")
    bounds = np.searchsorted(token[order], np.arange(count + 1))
    return [(number, order[begin:end]) for number, (begin, end) in enumerate(zip(bounds[:-1], bounds[1:], strict=True))
            if begin < end]
