"""Binance USD-M's /futures/data: open interest, long/short ratios, taker volumes and basis over time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from modules.simulator.dialects import binance_format as fmt
from modules.simulator.dialects.binance import Call
from modules.simulator.dialects.binance_errors import declined, malformed

if TYPE_CHECKING:
    from modules.simulator.perp.venue import PerpVenue

PERIODS: dict[str, int] = {
    "5m": 300_000, "15m": 900_000, "30m": 1_800_000, "1h": 3_600_000, "2h": 7_200_000, "4h": 14_400_000,
    "6h": 21_600_000, "12h": 43_200_000, "1d": 86_400_000}
KEPT_MS = 30 * 86_400_000  # the venue keeps a month


class Stats:
    """Handlers of the statistics."""

    def __init__(self, venue: PerpVenue) -> None:
        self._venue = venue

    def _index(self, symbol: str) -> int:
        index = self._venue.by_symbol.get(symbol)
        if index is None:
            raise declined(-1121)
        return index

    def _times(self, call: Call) -> list[int]:
        """Ends of the wanted periods, oldest first: the first ones of a span that names its beginning."""
        values = call.values
        limit = values.whole("limit")
        if limit is not None and not 1 <= limit <= 500:
            raise malformed("limit")
        limit = limit or 30
        period = PERIODS[values.need("period")]
        start, end = values.span()
        last = min(end if end is not None else call.ms, call.ms) // period * period
        oldest = call.ms - KEPT_MS
        if start is not None and start < oldest - period:
            raise malformed("startTime")
        first = max(oldest, start if start is not None else last - (limit - 1) * period)
        times = list(range(-(-first // period) * period, last + 1, period))
        return times[:limit] if start is not None else times[-limit:]

    async def open_interest(self, call: Call) -> object:
        index = self._index(call.values.need("symbol"))
        spec, period = self._venue.specs[index], PERIODS[call.values.need("period")]
        mark = float(self._venue.market.marks.mark[index])
        rows = []
        for ms in self._times(call):
            value = self._venue.market.marks.interest_at(index, ms, period)
            rows.append({"symbol": spec.symbol, "sumOpenInterest": f"{value / mark:.8f}",
                         "sumOpenInterestValue": f"{value:.8f}", "CMCCirculatingSupply": "0.00000000",
                         "timestamp": ms})
        return rows

    async def top_accounts(self, call: Call) -> object:
        return self._ratio(call, "top accounts")

    async def top_positions(self, call: Call) -> object:
        return self._ratio(call, "top positions")

    async def all_accounts(self, call: Call) -> object:
        return self._ratio(call, "all accounts")

    def _ratio(self, call: Call, name: str) -> object:
        symbol = call.values.need("symbol")

        def row(share: float, ms: int) -> dict[str, Any]:
            share = round(share, 4)
            return {"symbol": symbol, "longAccount": f"{share:.4f}",
                    "longShortRatio": f"{share / (1 - share):.4f}", "shortAccount": f"{1 - share:.4f}",
                    "timestamp": ms}
        return self._shares(call, symbol, name, row)

    def _shares(self, call: Call, symbol: str, name: str, row: Callable[[float, int], dict[str, Any]]) -> object:
        index, period = self._index(symbol), PERIODS[call.values.need("period")]
        return [row(self._venue.market.marks.ratio(index, name, ms, period), ms) for ms in self._times(call)]

    async def takers(self, call: Call) -> object:
        """Takers' volumes out of the candles themselves."""
        index, period = self._index(call.values.need("symbol")), call.values.need("period")
        step = float(self._venue.specs[index].step)
        rows = []
        for ms in self._times(call):
            found = self._venue.market.candles.klines(index, period, ms - PERIODS[period], ms - 1, 1)
            for candle in found:
                buys, sells = candle.buy_volume * step, (candle.volume - candle.buy_volume) * step
                rows.append({"buySellRatio": f"{buys / sells if sells else 0.0:.4f}", "sellVol": f"{sells:.4f}",
                             "buyVol": f"{buys:.4f}", "timestamp": ms})
        return rows

    async def basis(self, call: Call) -> object:
        index, period = self._index(call.values.need("pair")), call.values.need("period")
        if call.values.need("contractType") != "PERPETUAL":
            return []
        spec, marks = self._venue.specs[index], self._venue.market.marks
        rows = []
        for ms in self._times(call):
            found = self._venue.market.candles.klines(index, period, ms - PERIODS[period], ms - 1, 1)
            premium = (marks.ratio(index, "premium", ms, 60_000) - 0.5) * 0.004
            for candle in found:
                futures = candle.close * float(spec.tick)
                price = futures * (1 - premium)
                rows.append({"indexPrice": f"{price:.8f}", "contractType": "PERPETUAL",
                             "basisRate": f"{(futures - price) / price:.4f}",
                             "futuresPrice": fmt.price(candle.close, spec.tick), "annualizedBasisRate": "",
                             "basis": f"{futures - price:.8f}", "pair": spec.symbol, "timestamp": ms})
        return rows
