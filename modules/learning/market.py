"""The whole market beside one token: breadth, BTC's moves, and the token's place among all tokens. Causal, pure.

1. One function makes these figures for the live scanner (one moment) and for years of candles (many moments): arrays
   have the shape (m, n), m moments of n tokens.
2. A growth is percent over 5 minutes, 1 hour, 24 hours, as the scanner's board has it; NaN is not known.
3. Of fewer than LEAST tokens nothing is said (NaN): one token is no market.
4. Shares and ranks do not depend on how many tokens there are, so a model can be asked on another venue.
"""

import warnings
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MARKET: tuple[str, ...] = (
    "btc_5m_pct", "btc_1h_pct", "btc_24h_pct",
    "market_5m_pct", "market_1h_pct", "market_24h_pct", "market_spread_1h", "market_rising_1h", "market_rising_24h",
    "market_hot_1h",
    "rank_5m", "rank_1h", "rank_24h", "rank_volume", "over_market_1h", "over_market_24h",
)  # fmt: skip
HOT_1H_PCT = 3.0
LEAST = 5
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
BTC = "BTCUSDT"
CHUNK = 2048  # moments at once: memory stays the same however long the history is


class Board(NamedTuple):
    """Growths in percent and 24 h volume in USDT of all tokens at some moments, each (m, n)."""

    growth_5m: Floats
    growth_1h: Floats
    growth_24h: Floats
    volume: Floats


def figures(board: Board, of: Ints, btc: int) -> Floats:
    """MARKET for the token `of[i]` at moment i; `btc` is BTC's place among the tokens, -1 where it is not there.

    Returns (m, len(MARKET)). The median and shares are over all tokens whose growth is known.
    """
    moments = np.arange(len(of))
    five, hour, day, volume = board
    own = [column[moments, of] for column in board]
    nothing = np.full(len(of), np.nan)
    of_btc = [nothing if btc < 0 else column[:, btc] for column in (five, hour, day)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a moment of which nothing is known: NaN, as it should be
        middle = [np.nanmedian(column, axis=1) for column in (five, hour, day)]
        quarters = np.nanpercentile(hour, (25.0, 75.0), axis=1)
    enough = np.isfinite(hour).sum(axis=1) >= LEAST
    of_all = [*middle, quarters[1] - quarters[0], _share(hour > 0, hour), _share(day > 0, day),
              _share(hour >= HOT_1H_PCT, hour), *(_rank(column, mine) for column, mine in zip(board, own, strict=True)),
              own[1] - middle[1], own[2] - middle[2]]
    made = np.column_stack([*of_btc, *(np.where(enough, column, np.nan) for column in of_all)])
    made[~np.isfinite(made)] = np.nan
    return made


def _share(hit: npt.NDArray[np.bool_], known: Floats) -> Floats:
    count = np.isfinite(known).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = (hit & np.isfinite(known)).sum(axis=1) / count
    return found


def _rank(column: Floats, own: Floats) -> Floats:
    """Share of the tokens below one's own figure (equals count half), 0 … 1."""
    known = np.isfinite(column)
    below = ((column < own[:, None]) & known).sum(axis=1) + 0.5 * ((column == own[:, None]) & known).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = np.where(np.isfinite(own), below / known.sum(axis=1), np.nan)
    return found


@dataclass(slots=True)
class Panel:
    """The candles of many tokens, as far as the market's figures need them: closes and volume by time."""

    bar_ms: int
    _tokens: dict[str, tuple[Ints, Floats, Floats]] = field(default_factory=dict)

    def add(self, symbol: str, time: npt.ArrayLike, close: npt.ArrayLike, volume: npt.ArrayLike) -> None:
        """A token's candles: open times (ms, ascending), closes, base volume. A token comes once."""
        closes, at = np.asarray(close, np.float64), np.asarray(time).astype(np.int64)
        quote = np.concatenate([[0.0], np.cumsum(closes * np.asarray(volume, np.float64))])
        self._tokens[symbol] = at + self.bar_ms, closes, quote

    def rows(self, symbol: str, at_ms: npt.ArrayLike) -> Floats:
        """MARKET for one token at these moments (ms), from candles closed by then: (m, len(MARKET))."""
        moments = np.asarray(at_ms).astype(np.int64)
        return self.rows_of(np.full(len(moments), list(self._tokens).index(symbol), np.int64), moments)

    def rows_of(self, of: Ints, at_ms: Ints) -> Floats:
        """The same for many tokens: `of` are their places in the order in which they were added."""
        names = list(self._tokens)
        btc = names.index(BTC) if BTC in self._tokens else -1
        out = np.full((len(of), len(MARKET)), np.nan)
        moments, which = np.unique(at_ms, return_inverse=True)
        order = np.argsort(which, kind="stable")
        begin = 0
        while begin < len(order):
            end = min(begin + CHUNK, len(order))
            rows = order[begin:end]
            needed = np.unique(which[rows])
            board = self.board(moments[needed])
            local = np.searchsorted(needed, which[rows])
            out[rows] = figures(Board(*(column[local] for column in board)), of[rows], btc)
            begin = end
        return out

    def board(self, at_ms: Ints) -> Board:
        """Growths and volume of all tokens at these moments; a close older than two bars counts as not known."""
        columns = [np.full((len(at_ms), len(self._tokens)), np.nan) for _ in range(4)]
        for number, (closed, close, quote) in enumerate(self._tokens.values()):
            last = np.searchsorted(closed, at_ms, side="right")
            now = _as_of(closed, close, at_ms, self.bar_ms)
            for column, span in zip(columns, (300_000, HOUR_MS, DAY_MS), strict=False):
                if span >= self.bar_ms:
                    column[:, number] = (now / _as_of(closed, close, at_ms - span, self.bar_ms) - 1.0) * 100.0
            first = np.searchsorted(closed, at_ms - DAY_MS, side="right")
            columns[3][:, number] = np.where(np.isfinite(now), quote[last] - quote[first], np.nan)
        return Board(*columns)


def _as_of(closed: Ints, close: Floats, at_ms: Ints, bar_ms: int) -> Floats:
    """The last close at or before each moment, at most two bars old."""
    place = np.searchsorted(closed, at_ms, side="right") - 1
    known = (place >= 0) & (at_ms - closed[np.maximum(place, 0)] <= 2 * bar_ms) if len(closed) else place > 0
    return np.where(known, close[np.maximum(place, 0)] if len(close) else np.nan, np.nan)
