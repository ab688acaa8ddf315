"""Bybit v5: market data of linear contracts: instruments, books, trades, candles, tickers, funding, open interest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modules.simulator.dialects import binance_format as fmt
from modules.simulator.dialects.bitget_market import Market as Candles
from modules.simulator.dialects.bybit import Call
from modules.simulator.dialects.bybit_errors import declined
from modules.simulator.dialects.bybit_format import contract
from modules.simulator.perp.candles import Candle

if TYPE_CHECKING:
    from modules.simulator.perp.api import Spec
    from modules.simulator.perp.venue import PerpVenue

#: interval → the name of the candles behind it
INTERVALS = {"1": "1m", "3": "3m", "5": "5m", "15": "15m", "30": "30m", "60": "1H", "120": "2H", "240": "4H",
             "360": "6H", "720": "12H", "D": "1D", "W": "1W", "M": "1M"}
MINUTES = {"1": 1, "3": 3, "5": 5, "15": 15, "30": 30, "60": 60, "120": 120, "240": 240, "360": 360, "720": 720,
           "D": 1440, "W": 10080, "M": 43200}
PERIODS = {"5min": 300_000, "15min": 900_000, "30min": 1_800_000, "1h": 3_600_000, "4h": 14_400_000, "1d": 86_400_000}


class Market:
    """Handlers of market data."""

    def __init__(self, venue: PerpVenue) -> None:
        self.venue, self._candles = venue, Candles(venue)

    def index(self, call: Call) -> int:
        """The contract that a call names. Raises Declined."""
        symbol = call.values.need("symbol")
        index = self.venue.by_symbol.get(symbol) if call.values.linear else None
        if index is None:
            raise declined(10001, "Not supported symbols")
        return index

    def _some(self, call: Call) -> list[int]:
        """The contract named, or all of the category."""
        if not call.values.linear:
            return []
        return [self.index(call)] if call.symbol is not None else list(self.venue.by_symbol.values())

    async def time(self, call: Call) -> object:
        return {"timeSecond": str(call.told_ms // 1000), "timeNano": str(call.told_ms * 1_000_000)}

    async def coins(self, call: Call) -> object:
        """What clients with a key ask for when they start: there are no coins to move here."""
        return {"rows": []}

    async def instruments(self, call: Call) -> object:
        closed, wanted = self.venue.desk.closed, call.values.text("status")
        rows = [contract(self.venue.specs[index], self.venue.specs[index].symbol in closed)
                for index in self._some(call)]
        if wanted is not None:
            rows = [row for row in rows if row["status"] == wanted]
        base = call.values.text("baseCoin")
        rows = [row for row in rows if base in (None, row["baseCoin"])]
        return {"category": call.values.need("category"), "list": rows, "nextPageCursor": ""}

    async def tickers(self, call: Call) -> object:
        return {"category": call.values.need("category"), "list": [self.ticker(index) for index in self._some(call)]}

    def ticker(self, index: int) -> dict[str, Any]:
        """The last 24 hours, the touch, mark, index, funding, open interest."""
        spec, day, marks = self.venue.specs[index], self.venue.day(index), self.venue.market.marks
        bid, bid_qty, ask, ask_qty = self.venue.touch(index)
        interest = marks.open_interest(index)
        return {
            "symbol": spec.symbol, "lastPrice": fmt.price(day.last, spec.tick),
            "indexPrice": fmt.plain(marks.index[index]), "markPrice": fmt.plain(marks.mark[index]),
            "prevPrice24h": fmt.price(day.open, spec.tick),
            "price24hPcnt": f"{(day.last - day.open) / day.open if day.open else 0.0:.6f}",
            "highPrice24h": fmt.price(day.high, spec.tick), "lowPrice24h": fmt.price(day.low, spec.tick),
            "prevPrice1h": fmt.price(self.venue.market.candles.current(index, "1h").open, spec.tick),
            "openInterest": fmt.qty(interest, spec.step),
            "openInterestValue": f"{float(spec.qty(interest) * marks.mark[index]):.2f}",
            "turnover24h": f"{day.quote:.4f}",
            "volume24h": fmt.qty(day.volume, spec.step), "fundingRate": fmt.plain(marks.rate[index]),
            "nextFundingTime": str(marks.next_funding(index)), "predictedDeliveryPrice": "", "basisRate": "",
            "basis": "", "deliveryFeeRate": "", "deliveryTime": "0", "ask1Size": fmt.qty(ask_qty, spec.step),
            "bid1Price": fmt.price(bid, spec.tick), "ask1Price": fmt.price(ask, spec.tick),
            "bid1Size": fmt.qty(bid_qty, spec.step), "fundingIntervalHour": str(spec.funding_hours)}

    async def depth(self, call: Call) -> object:
        index = self.index(call)
        return self.book(index, call.values.limit(25, 500), call.told_ms)

    def book(self, index: int, limit: int, ms: int) -> dict[str, Any]:
        """The best `limit` levels a side."""
        spec = self.venue.specs[index]
        last, bids, asks = self.venue.depth(index, limit)
        return {"s": spec.symbol, "b": self.levels(spec, bids), "a": self.levels(spec, asks), "ts": ms, "u": last,
                "seq": last, "cts": ms}

    @staticmethod
    def levels(spec: Spec, rows: Any) -> list[list[str]]:
        """Levels as text; 0: gone."""
        return [[fmt.price(tick, spec.tick), fmt.qty(steps, spec.step) if steps else "0"] for tick, steps in rows]

    async def trades(self, call: Call) -> object:
        index = self.index(call)
        spec, limit = self.venue.specs[index], call.values.limit(500, 1000)
        rows = [{"execId": f"{spec.symbol}-{one.last}", "symbol": spec.symbol, "price": fmt.price(one.tick, spec.tick),
                 "size": fmt.qty(one.steps, spec.step), "side": "Sell" if one.buyer_is_maker else "Buy",
                 "time": str(one.ms), "isBlockTrade": False, "isRPITrade": False, "seq": str(one.last)}
                for one in reversed(self.venue.market.tape.recent(index, limit))]
        return {"category": "linear", "list": rows}

    # -- candles ---------------------------------------------------------------------------------------------

    def rows(self, index: int, interval: str, start: int | None, end: int | None, limit: int) -> list[Candle]:
        """Candles, oldest first."""
        return self._candles.klines(index, INTERVALS[interval], start, end, limit)

    def _asked(self, call: Call) -> tuple[Spec, list[Candle]]:
        interval, index = call.values.need("interval"), self.index(call)
        start, end, limit = call.values.whole("start"), call.values.whole("end"), call.values.limit(200, 1000)
        rows = self.rows(index, interval, start, end, limit)
        rows = [row for row in rows if start is None or row.open_ms >= start]
        return self.venue.specs[index], rows[::-1]

    async def klines(self, call: Call) -> object:
        spec, rows = self._asked(call)
        return {"symbol": spec.symbol, "category": "linear", "list": [self.candle(spec, row) for row in rows]}

    def candle(self, spec: Spec, row: Candle) -> list[str]:
        """start, open, high, low, close, volume, turnover."""
        return self._candles.candle_row(spec, row)

    async def derived(self, call: Call) -> object:
        """Mark, index and premium candles: the traded prices (the premium there is small), or nothing of it."""
        spec, rows = self._asked(call)
        return {"symbol": spec.symbol, "category": "linear", "list": [self.candle(spec, row)[:5] for row in rows]}

    # -- funding, interest, risk -------------------------------------------------------------------------------

    async def funding(self, call: Call) -> object:
        index = self.index(call)
        start, end, limit = call.values.whole("startTime"), call.values.whole("endTime"), call.values.limit(200, 200)
        if start is not None and end is None:
            raise declined(10001, "startTime without endTime")
        found = self.venue.market.marks.funding_history(index, None, end, 1 << 20)
        found = [row for row in found if start is None or row[0] >= start][-limit:]
        symbol = self.venue.specs[index].symbol
        return {"category": "linear", "list": [
            {"symbol": symbol, "fundingRate": fmt.plain(rate), "fundingRateTimestamp": str(ms)}
            for ms, rate, _ in reversed(found)]}

    async def interest(self, call: Call) -> object:
        index = self.index(call)
        period, limit = PERIODS[call.values.need("intervalTime")], call.values.limit(50, 200)
        end = min(call.values.whole("endTime") or call.ms, call.ms) // period * period
        start, spec, marks = call.values.whole("startTime") or 0, self.venue.specs[index], self.venue.market.marks
        times = [end - place * period for place in range(limit) if end - place * period >= start]
        unit = float(marks.mark[index])
        rows = [{"openInterest": f"{marks.interest_at(index, ms, period) / unit:.{spec.qty_precision}f}",
                 "timestamp": str(ms)} for ms in times]
        return {"symbol": spec.symbol, "category": "linear", "list": rows, "nextPageCursor": ""}

    async def risk(self, call: Call) -> object:
        rows = []
        for index in self._some(call)[:15 if call.symbol is None else None]:
            spec = self.venue.specs[index]
            rows += [{"id": one.number, "symbol": spec.symbol, "riskLimitValue": str(one.cap),
                      "maintenanceMargin": fmt.plain(one.rate), "initialMargin": f"{1 / one.leverage:.6f}",
                      "isLowestRisk": int(one.number == 1), "maxLeverage": f"{one.leverage}.00",
                      "mmDeduction": fmt.plain(one.cum) if one.cum else ""} for one in spec.brackets]
        return {"category": "linear", "list": rows, "nextPageCursor": ""}
