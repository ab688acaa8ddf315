"""The whole market in arrays: each scan's tickers, and the last hour's price of every symbol minute by minute.

A ring of minutes rather than of scans: its size and its answers do not depend on how often a scan comes or how
fast the market's clock runs. A slot holds the last price seen in its minute. At the start it is empty; `backfill`
puts 1m candles into it, so growth over an hour is known long before an hour has been watched.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from modules.exchange.types import Candles, Market, Ticker
from modules.learning.market import MARKET, figures
from modules.learning.market import Board as Moment
from modules.strategies.hype.rules import Board

Floats = npt.NDArray[np.float64]
BTC = "BTCUSDT"
MINUTE_MS = 60_000
HOUR = 60
ROWS = 72
LATE_MINUTES = 4  # how many minutes older than asked a price may be, where the exact minute was missed
_FIELDS = 5


class MarketBoard:
    """Prices and flags of every symbol, by column."""

    def __init__(self) -> None:
        self.symbols: list[str] = []
        self._column: dict[str, int] = {}
        self._seen: Board | None = None
        self._minutes = np.full(ROWS, -1, np.int64)
        self._ring = np.full((ROWS, 0), np.nan)
        self._trading = np.zeros(0, np.bool_)
        self._api = np.zeros(0, np.bool_)

    def column(self, symbol: str) -> int | None:
        """The column of a symbol, or None for one never seen."""
        return self._column.get(symbol)

    def set_markets(self, markets: Mapping[str, Market]) -> None:
        """Take over which symbols trade and which are open to API orders (A11)."""
        self._grow(markets)
        self._trading[:] = False
        self._api[:] = False
        for symbol, market in markets.items():
            at = self._column[symbol]
            self._trading[at] = market.trading
            self._api[at] = market.api_allowed

    def push(self, tickers: Mapping[str, Ticker], now_ms: int) -> Board:
        """Take over one tickers call and return the market as it stands. Unlisted symbols have NaN prices."""
        self._grow(tickers)
        flat = np.array(
            [(t.last, t.bid, t.ask, t.quote_volume, t.change_pct) for t in tickers.values()], np.float64
        ).reshape(-1, _FIELDS)
        at = np.fromiter(map(self._column.__getitem__, tickers), np.int64, len(tickers))
        table = np.full((_FIELDS, len(self.symbols)), np.nan)
        table[:, at] = flat.T
        last, bid, ask, volume, change = table
        self._row(now_ms // MINUTE_MS)[at] = last[at]
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = (ask - bid) / ((ask + bid) * 0.5) * 100.0
        self._seen = Board(
            price=last, spread_pct=spread, quote_volume=volume,
            growth_5m=self._growth(last, now_ms, 5), growth_1h=self._growth(last, now_ms, HOUR), growth_24h=change,
            trading=self._trading.copy(), api_allowed=self._api.copy(),
        )
        return self._seen

    def beside(self, symbol: str, least_volume: float) -> dict[str, float | None]:
        """The market beside a token at the last scan (learning/market.py), over all tokens with volume."""
        at, seen = self._column.get(symbol), self._seen
        if at is None or seen is None:
            return {}
        counted = seen.trading & (seen.quote_volume >= least_volume)
        counted[at] = True
        btc = self._column.get(BTC)
        if btc is not None:
            counted[btc] = True
        place = np.cumsum(counted) - 1
        board = Moment(*(column[counted][None, :] for column in (seen.growth_5m, seen.growth_1h, seen.growth_24h,
                                                                  seen.quote_volume)))
        made = figures(board, place[[at]], -1 if btc is None else int(place[btc]))[0]
        return {name: float(value) for name, value in zip(MARKET, made, strict=True) if np.isfinite(value)}

    def backfill(self, symbol: str, candles: Candles) -> None:
        """Fill the minutes that nobody watched with the closes of 1m `candles`; what was seen stays."""
        at = self._column[symbol]
        for minute, close in zip(candles[:, 0] // MINUTE_MS, candles[:, 4], strict=True):
            slot = int(minute) % ROWS
            if self._minutes[slot] < minute:
                self._row(int(minute))
            if self._minutes[slot] == minute and np.isnan(self._ring[slot, at]):
                self._ring[slot, at] = close

    def knows_hour(self, symbol: str, now_ms: int) -> bool:
        """Whether growth over 1 h can be told for a symbol."""
        at = self._column.get(symbol)
        return at is not None and bool(np.isfinite(self._base(now_ms, HOUR)[at]))

    def _growth(self, price: Floats, now_ms: int, minutes: int) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            result: Floats = (price / self._base(now_ms, minutes) - 1.0) * 100.0
        return result

    def _base(self, now_ms: int, minutes: int) -> Floats:
        """Price of every symbol `minutes` to `minutes` + 1 ago, or up to LATE_MINUTES older."""
        base = np.full(len(self.symbols), np.nan)
        for back in range(minutes + 1, minutes + 2 + LATE_MINUTES):
            minute = now_ms // MINUTE_MS - back
            slot = minute % ROWS
            if self._minutes[slot] == minute:
                base = np.where(np.isnan(base), self._ring[slot], base)
        return base

    def _row(self, minute: int) -> Floats:
        slot = minute % ROWS
        if self._minutes[slot] != minute:
            self._minutes[slot] = minute
            self._ring[slot] = np.nan
        row: Floats = self._ring[slot]
        return row

    def _grow(self, seen: Mapping[str, object]) -> None:
        new = [symbol for symbol in seen if symbol not in self._column]
        if not new:
            return
        for symbol in new:
            self._column[symbol] = len(self.symbols)
            self.symbols.append(symbol)
        more = len(new)
        self._ring = np.concatenate((self._ring, np.full((ROWS, more), np.nan)), axis=1)
        self._trading = np.concatenate((self._trading, np.zeros(more, np.bool_)))
        self._api = np.concatenate((self._api, np.zeros(more, np.bool_)))
