"""Binance USD-M: market data: contracts and their filters, books, trades, candles, tickers, marks and funding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from modules.simulator.dialects import binance_format as fmt
from modules.simulator.dialects.binance import Call
from modules.simulator.dialects.binance_errors import declined
from modules.simulator.dialects.binance_symbols import exchange_info
from modules.simulator.dialects.binance_weights import Limits
from modules.simulator.perp.api import Print, Spec
from modules.simulator.perp.candles import MINUTE_MS, Candle

if TYPE_CHECKING:
    from modules.simulator.perp.venue import PerpVenue

INTERVALS = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M")
CONTRACTS = ("PERPETUAL", "CURRENT_QUARTER", "NEXT_QUARTER", "TRADIFI_PERPETUAL")
DEPTH_LIMITS = (5, 10, 20, 50, 100, 500, 1000)
_ALL = 1 << 30
HOUR_MS, DAY_MS = 3_600_000, 86_400_000


class Market:
    """Handlers of market data."""

    def __init__(self, venue: PerpVenue, limits: Limits) -> None:
        self._venue, self._limits = venue, limits

    def _index(self, symbol: str | None) -> int:
        index = self._venue.by_symbol.get(symbol or "")
        if index is None:
            raise declined(-1121)
        return index

    def _each(self, call: Call, row: Callable[[int], Any]) -> object:
        """One symbol's row, or the rows of all where none is named."""
        if call.symbol is not None:
            return row(self._index(call.symbol))
        return [row(index) for index in self._venue.by_symbol.values()]

    async def ping(self, call: Call) -> object:
        return {}

    async def time(self, call: Call) -> object:
        return {"serverTime": call.told_ms}

    async def exchange_info(self, call: Call) -> object:
        return exchange_info(self._venue, self._limits, call.told_ms)

    # -- book and trades -----------------------------------------------------------------------------------------

    async def depth(self, call: Call) -> object:
        index = self._index(call.values.need("symbol"))
        limit = call.values.whole("limit")
        if limit is not None and limit not in DEPTH_LIMITS:
            raise declined(-4021)
        last_id, bids, asks = self._venue.depth(index, limit or 500)
        spec = self._venue.specs[index]
        price, qty = fmt.digits(spec.tick).text, fmt.digits(spec.step).text
        return {
            "lastUpdateId": last_id, "E": call.told_ms, "T": call.told_ms,
            "bids": [[price(tick), qty(steps)] for tick, steps in bids],
            "asks": [[price(tick), qty(steps)] for tick, steps in asks]}

    async def trades(self, call: Call) -> object:
        index = self._index(call.values.need("symbol"))
        limit = call.values.limit(500, 1000)
        rows = list(_singles(self._venue.specs[index], self._venue.market.tape.recent(index, limit)))
        return rows[-limit:]

    async def old_trades(self, call: Call) -> object:
        first = call.values.whole("fromId")
        if first is None:
            return await self.trades(call)
        index = self._index(call.values.need("symbol"))
        limit = call.values.limit(100, 500)
        later = (one for one in self._venue.market.tape.recent(index, _ALL) if one.last >= first)
        rows = []
        for row in _singles(self._venue.specs[index], later):
            if row["id"] >= first:
                rows.append(row)
                if len(rows) == limit:
                    break
        return rows

    async def agg_trades(self, call: Call) -> object:
        values = call.values
        index = self._index(values.need("symbol"))
        first, limit = values.whole("fromId"), values.limit(500, 1000)
        if first is not None and ("startTime" in values or "endTime" in values):
            raise declined(-1128)
        start, end = values.span(HOUR_MS if "startTime" in values and "endTime" in values else None)
        tape = self._venue.market.tape
        if first is None and start is None:
            rows = tape.recent(index, limit if end is None else _ALL)
            rows = [one for one in rows if end is None or one.ms <= end][-limit:]
        else:
            rows = tape.since(index, limit, first, start, end)
        spec = self._venue.specs[index]
        price, qty = fmt.digits(spec.tick).text, fmt.digits(spec.step).text
        return [
            {"a": one.id, "p": price(one.tick), "q": qty(one.steps), "f": one.first,
             "l": one.last, "T": one.ms, "m": one.buyer_is_maker} for one in rows]

    # -- candles -------------------------------------------------------------------------------------------------

    def _candles(self, call: Call, index: int) -> list[Candle]:
        values = call.values
        start, end = values.span()
        interval, limit = values.need("interval"), values.limit(500, 1500)
        if interval == "1m":
            return self.minutes(index, start, end, limit)
        return self._venue.market.candles.klines(index, interval, start, end, limit)

    def minutes(self, index: int, start: int | None, end: int | None, limit: int) -> list[Candle]:
        """What `candles.klines` gives for 1m, without folding every minute by itself: a bot that starts asks for a
        thousand of them of each contract, and meanwhile the market has to go on."""
        candles = self._venue.market.candles
        last = candles.minute if end is None else min(candles.minute, end // MINUTE_MS)
        if start is None:
            first = max(candles.past.first, last - limit + 1)
        else:
            first = max(candles.past.first, -(-start // MINUTE_MS))
            last = min(last, first + limit - 1)
        if last < first:
            return []
        rows = candles.rows(index, first, last + 1).tolist()
        return [
            Candle((first + place) * MINUTE_MS, (first + place + 1) * MINUTE_MS - 1, int(row[0]), int(row[1]),
                   int(row[2]), int(row[3]), int(row[4]), row[5], int(row[6]), int(row[7]), row[8])
            for place, row in enumerate(rows)]

    async def klines(self, call: Call) -> object:
        return self._klines(call, self._index(call.values.need("symbol")))

    async def continuous_klines(self, call: Call) -> object:
        index = self._index(call.values.need("pair"))
        if call.values.need("contractType") != "PERPETUAL":
            return []
        return self._klines(call, index)

    def _klines(self, call: Call, index: int) -> object:
        spec = self._venue.specs[index]
        price, qty = fmt.digits(spec.tick).text, fmt.digits(spec.step).text
        quotes = spec.price_precision + spec.qty_precision
        return [
            [row.open_ms, price(row.open), price(row.high), price(row.low), price(row.close), qty(row.volume),
             row.close_ms, f"{row.quote:.{quotes}f}", row.trades, qty(row.buy_volume), f"{row.buy_quote:.{quotes}f}",
             "0"]
            for row in self._candles(call, index)]

    async def mark_klines(self, call: Call) -> object:
        return self._priced(call, self._index(call.values.need("symbol")), 0.1)

    async def index_klines(self, call: Call) -> object:
        return self._priced(call, self._index(call.values.need("pair")), 1.0)

    def _priced(self, call: Call, index: int, share: float) -> object:
        """Candles of mark (`share` 0.1) and index (1) prices: the trades' candles less that share of the premium."""
        tick = float(self._venue.specs[index].tick)
        rows = []
        for row in self._candles(call, index):
            begin, end = (1.0 - share * premium for premium in self._premiums(index, row))
            high, low = row.high * max(begin, end), row.low * min(begin, end)
            rows.append(_bare(row, [f"{value * tick:.8f}" for value in (row.open * begin, high, low, row.close * end)]))
        return rows

    async def premium_klines(self, call: Call) -> object:
        index = self._index(call.values.need("symbol"))
        rows = []
        for row in self._candles(call, index):
            begin, end = self._premiums(index, row)
            prices = (begin, max(begin, end) + 2e-5, min(begin, end) - 2e-5, end)
            rows.append(_bare(row, [f"{value:.8f}" for value in prices]))
        return rows

    def _premiums(self, index: int, row: Candle) -> tuple[float, float]:
        """Premium where a candle opens and closes: a function of time, as the venue keeps no history of its marks;
        the true one where the candle is still open."""
        marks = self._venue.market.marks
        begin = (marks.ratio(index, "premium", row.open_ms, 60_000) - 0.5) * 0.004
        if row.close_ms >= self._venue.now():
            last = self._venue.market.candles.last(index) * float(self._venue.specs[index].tick)
            return begin, (1.0 - float(marks.index[index]) / last) if last else begin
        return begin, (marks.ratio(index, "premium", row.close_ms + 1, 60_000) - 0.5) * 0.004

    # -- marks and funding ---------------------------------------------------------------------------------------

    async def premium_index(self, call: Call) -> object:
        marks = self._venue.market.marks

        def row(index: int) -> dict[str, Any]:
            return {
                "symbol": self._venue.specs[index].symbol, "markPrice": fmt.money(marks.mark[index]),
                "indexPrice": fmt.money(marks.index[index]), "estimatedSettlePrice": fmt.money(marks.index[index]),
                "lastFundingRate": fmt.money(marks.rate[index]), "interestRate": "0.00010000",
                "nextFundingTime": marks.next_funding(index), "time": call.told_ms}
        return self._each(call, row)

    async def funding_rate(self, call: Call) -> object:
        start, end = call.values.span()
        limit = call.values.limit(100, 1000)
        indices = [self._index(call.symbol)] if call.symbol is not None else list(self._venue.by_symbol.values())
        rows = []
        for index in indices:
            symbol = self._venue.specs[index].symbol
            for ms, rate, mark in self._venue.market.marks.funding_history(index, start, end, limit):
                rows.append({"symbol": symbol, "fundingTime": ms, "fundingRate": fmt.money(rate),
                             "markPrice": fmt.money(mark) if mark is not None else ""})
        rows.sort(key=lambda row: int(str(row["fundingTime"])))
        return rows[:limit] if start is not None else rows[-limit:]

    async def funding_info(self, call: Call) -> object:
        return [
            {"symbol": spec.symbol, "adjustedFundingRateCap": fmt.money(spec.funding_cap),
             "adjustedFundingRateFloor": fmt.money(-spec.funding_cap), "fundingIntervalHours": spec.funding_hours,
             "disclaimer": False, "updateTime": spec.onboard_ms}
            for spec in (self._venue.specs[index] for index in self._venue.by_symbol.values())]

    async def open_interest(self, call: Call) -> object:
        index = self._index(call.values.need("symbol"))
        spec = self._venue.specs[index]
        steps = self._venue.market.marks.open_interest(index)
        return {"symbol": spec.symbol, "openInterest": fmt.qty(steps, spec.step), "time": call.told_ms}

    async def constituents(self, call: Call) -> object:
        index = self._index(call.values.need("symbol"))
        price = fmt.money(self._venue.market.marks.index[index])
        symbol = self._venue.specs[index].symbol
        return {"symbol": symbol, "time": call.told_ms, "constituents": [
            {"exchange": "binance", "symbol": symbol, "price": price, "weight": "1.00000000"}]}

    # -- tickers -------------------------------------------------------------------------------------------------

    async def ticker(self, call: Call) -> object:
        return self._each(call, lambda index: self._ticker(index, call.told_ms))

    def _ticker(self, index: int, ms: int) -> dict[str, Any]:
        spec, day = self._venue.specs[index], self._venue.day(index)
        change = day.last - day.open
        average = day.quote / (day.volume * float(spec.step)) if day.volume else day.last * float(spec.tick)
        return {
            "symbol": spec.symbol, "priceChange": fmt.price(change, spec.tick),
            "priceChangePercent": f"{100.0 * change / day.open if day.open else 0.0:.3f}",
            "weightedAvgPrice": f"{average:.{spec.price_precision}f}", "lastPrice": fmt.price(day.last, spec.tick),
            "lastQty": fmt.qty(day.last_steps, spec.step), "openPrice": fmt.price(day.open, spec.tick),
            "highPrice": fmt.price(day.high, spec.tick), "lowPrice": fmt.price(day.low, spec.tick),
            "volume": fmt.qty(day.volume, spec.step), "quoteVolume": f"{day.quote:.2f}", "openTime": ms - DAY_MS,
            "closeTime": ms, "firstId": day.first_id, "lastId": day.last_id, "count": day.trades}

    async def ticker_price(self, call: Call) -> object:
        def row(index: int) -> dict[str, Any]:
            spec = self._venue.specs[index]
            return {"symbol": spec.symbol, "price": fmt.price(self._venue.market.candles.last(index), spec.tick),
                    "time": call.told_ms}
        return self._each(call, row)

    async def book_ticker(self, call: Call) -> object:
        def row(index: int) -> dict[str, Any]:
            spec = self._venue.specs[index]
            last_id, bids, asks = self._venue.depth(index, 1)
            bid, ask = (bids or [(0, 0)])[0], (asks or [(0, 0)])[0]
            return {"symbol": spec.symbol, "bidPrice": fmt.price(bid[0], spec.tick),
                    "bidQty": fmt.qty(bid[1], spec.step), "askPrice": fmt.price(ask[0], spec.tick),
                    "askQty": fmt.qty(ask[1], spec.step), "time": call.told_ms, "lastUpdateId": last_id}
        return self._each(call, row)


def _bare(row: Candle, prices: list[str]) -> list[Any]:
    """A candle without volumes."""
    return [row.open_ms, *prices, "0", row.close_ms, "0", 60, "0", "0", "0"]


def _singles(spec: Spec, prints: Any) -> Iterator[dict[str, Any]]:
    """The single trades behind aggregate ones: the quantity shared out, the first trade takes the rest."""
    one: Print
    for one in prints:
        count = one.last - one.first + 1
        share, rest = divmod(one.steps, count)
        for number in range(count):
            steps = share + (rest if number == 0 else 0)
            if not steps:
                continue
            price, amount = one.tick * spec.tick, steps * spec.step
            yield {"id": one.first + number, "price": fmt.price(one.tick, spec.tick),
                   "qty": fmt.qty(steps, spec.step), "quoteQty": f"{price * amount:.2f}", "time": one.ms,
                   "isBuyerMaker": one.buyer_is_maker}
