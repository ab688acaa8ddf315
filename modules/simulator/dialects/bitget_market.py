"""Bitget v2 mix: market data: contracts, books, trades, candles, tickers, marks, funding, open interest."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR
from typing import TYPE_CHECKING, Any

from modules.simulator.dialects import binance_format as fmt
from modules.simulator.dialects.bitget import Call
from modules.simulator.dialects.bitget_auth import MIN_USDT
from modules.simulator.dialects.bitget_errors import declined
from modules.simulator.perp.api import Spec
from modules.simulator.perp.candles import MINUTE_MS, Candle, begin_of

if TYPE_CHECKING:
    from modules.simulator.perp.venue import PerpVenue

PRODUCT = "USDT-FUTURES"
#: granularity → interval; those with "utc" and those without begin alike here (UTC)
GRANULARITIES: dict[str, str] = {
    "1m": "1m", "3m": "3m", "5m": "5m", "15m": "15m", "30m": "30m", "1H": "1h", "2H": "2h", "4H": "4h", "6H": "6h",
    "12H": "12h", "1D": "1d", "3D": "3d", "1W": "1w", "1M": "1M", "6Hutc": "6h", "12Hutc": "12h", "1Dutc": "1d",
    "3Dutc": "3d", "1Wutc": "1w", "1Mutc": "1M"}
_DEPTHS = {"1": 1, "5": 5, "15": 15, "50": 50, "max": 500}
DAY_MS = 86_400_000


class Market:
    """Handlers of market data."""

    def __init__(self, venue: PerpVenue) -> None:
        self.venue = venue

    def index(self, call: Call) -> int:
        """The contract that a call names. Raises Declined (40034)."""
        symbol = call.values.need("symbol")
        index = self.venue.by_symbol.get(symbol)
        if index is None or call.values.text("productType") not in (None, PRODUCT):
            raise declined("40034", symbol)
        return index

    def _some(self, call: Call) -> list[int]:
        """The contract named, or all of the product."""
        if call.symbol is not None:
            return [self.index(call)]
        return list(self.venue.by_symbol.values()) if call.values.text("productType") == PRODUCT else []

    async def time(self, call: Call) -> object:
        return {"serverTime": str(call.told_ms)}

    async def nothing(self, call: Call) -> object:
        """Lists of other markets, which clients ask for when they start: there are none here."""
        return []

    async def contracts(self, call: Call) -> object:
        return [self._contract(self.venue.specs[index]) for index in self._some(call)]

    def _contract(self, spec: Spec) -> dict[str, Any]:
        closed = spec.symbol in self.venue.desk.closed
        places = spec.price_precision
        return {
            "symbol": spec.symbol, "baseCoin": spec.base, "quoteCoin": spec.quote,
            "buyLimitPriceRatio": fmt.plain(spec.band), "sellLimitPriceRatio": fmt.plain(spec.band),
            "feeRateUpRatio": "0.005", "makerFeeRate": fmt.plain(spec.maker_fee),
            "takerFeeRate": fmt.plain(spec.taker_fee), "openCostUpRatio": "0.01", "supportMarginCoins": [spec.quote],
            "minTradeNum": fmt.plain(spec.qty(spec.min_qty)), "priceEndStep": fmt.plain(spec.tick.scaleb(places)),
            "volumePlace": str(spec.qty_precision), "pricePlace": str(places),
            "sizeMultiplier": fmt.plain(spec.step), "symbolType": "perpetual",
            "minTradeUSDT": fmt.plain(MIN_USDT), "maxSymbolOrderNum": str(spec.max_orders),
            "maxProductOrderNum": "1000", "maxPositionNum": "150",
            "symbolStatus": "maintain" if closed else "normal", "offTime": str(spec.delist_ms or -1),
            "limitOpenTime": "-1", "deliveryTime": "", "deliveryStartTime": "", "deliveryPeriod": "",
            "launchTime": str(spec.onboard_ms), "fundInterval": str(spec.funding_hours), "minLever": "1",
            "maxLever": str(spec.brackets[0].leverage), "posLimit": "0.1", "maintainTime": "",
            "openTime": str(spec.onboard_ms), "maxMarketOrderQty": fmt.plain(spec.qty(spec.max_market_qty)),
            "maxOrderQty": fmt.plain(spec.qty(spec.max_qty)), "isRwa": "NO"}

    async def tiers(self, call: Call) -> object:
        spec = self.venue.specs[self.index(call)]
        return [
            {"symbol": spec.symbol, "level": str(one.number), "startUnit": str(one.floor), "endUnit": str(one.cap),
             "leverage": str(one.leverage), "keepMarginRate": fmt.plain(one.rate)} for one in spec.brackets]

    async def fee_levels(self, call: Call) -> object:
        spec = self.venue.specs[0]
        return [{"level": "0", "dealAmount": "0", "assetAmount": "0", "takerFeeRate": fmt.plain(spec.taker_fee),
                 "makerFeeRate": fmt.plain(spec.maker_fee), "btcWithdrawAmount": "0", "usdtWithdrawAmount": "0"}]

    async def trade_rate(self, call: Call) -> object:
        spec = self.venue.specs[self.index(call)]
        return {"makerFeeRate": fmt.plain(spec.maker_fee), "takerFeeRate": fmt.plain(spec.taker_fee)}

    # -- book and trades -----------------------------------------------------------------------------------------

    async def depth(self, call: Call) -> object:
        index = self.index(call)
        wanted = call.values.text("limit") or "100"
        limit = _DEPTHS.get(wanted) or (int(wanted) if wanted.isdigit() else 0)
        if not 1 <= limit <= 500:
            raise declined("40020", "limit")
        precision = call.values.text("precision") or "scale0"
        scale = 10 ** int(precision[-1])
        _, bids, asks = self.venue.depth(index, limit * scale)
        spec = self.venue.specs[index]
        unit = spec.tick * scale
        sides = {}
        for name, levels, rounding in (("asks", asks, ROUND_CEILING), ("bids", bids, ROUND_FLOOR)):
            merged: dict[int, int] = {}
            for tick, steps in levels:
                key = int((tick * spec.tick / unit).to_integral_value(rounding)) * scale
                merged[key] = merged.get(key, 0) + steps
            sides[name] = [[float(tick * spec.tick), float(steps * spec.step)]
                           for tick, steps in list(merged.items())[:limit]]
        return {**sides, "ts": str(call.told_ms), "scale": fmt.plain(unit), "precision": precision,
                "isMaxPrecision": "YES" if scale == 1 else "NO"}

    async def fills(self, call: Call) -> object:
        index = self.index(call)
        limit = call.values.limit(100, 1000)
        start, end = call.values.span()
        before = call.values.whole("idLessThan")
        spec, rows = self.venue.specs[index], []
        for one in reversed(self.venue.market.tape.recent(index, 1 << 30)):
            if start is not None and one.ms < start:
                break
            if (end is not None and one.ms > end) or (before is not None and one.last >= before):
                continue
            rows.append({
                "tradeId": str(one.last), "price": fmt.price(one.tick, spec.tick),
                "size": fmt.qty(one.steps, spec.step),
                "side": "Sell" if one.buyer_is_maker else "Buy", "ts": str(one.ms), "symbol": spec.symbol})
            if len(rows) == limit:
                break
        return rows

    # -- candles -------------------------------------------------------------------------------------------------

    def klines(self, index: int, granularity: str, start: int | None, end: int | None, limit: int) -> list[Candle]:
        """Candles, oldest first; with an end the newest before it, with a beginning alone those from it on."""
        candles = self.venue.market.candles
        interval = GRANULARITIES[granularity]
        if interval == "1m":
            return self._minutes(index, start, end, limit)
        if start is not None and end is None:
            return candles.klines(index, interval, begin_of(start // MINUTE_MS, interval) * MINUTE_MS, None, limit)
        found = candles.klines(index, interval, None, end, limit)
        return [row for row in found if start is None or row.close_ms >= start]

    def _minutes(self, index: int, start: int | None, end: int | None, limit: int) -> list[Candle]:
        candles = self.venue.market.candles
        last = candles.minute if end is None else min(candles.minute, end // MINUTE_MS)
        first = max(candles.past.first, 0 if start is None else start // MINUTE_MS)
        if start is not None and end is None:
            last = min(last, first + limit - 1)
        first = max(first, last - limit + 1)
        if last < first:
            return []
        return [
            Candle((first + place) * MINUTE_MS, (first + place + 1) * MINUTE_MS - 1, int(row[0]), int(row[1]),
                   int(row[2]), int(row[3]), int(row[4]), row[5], int(row[6]), int(row[7]), row[8])
            for place, row in enumerate(candles.rows(index, first, last + 1).tolist())]

    def _asked(self, call: Call, most: int) -> list[Candle]:
        granularity = call.values.need("granularity")
        if granularity not in GRANULARITIES:
            raise declined("400172", f"granularity {granularity}")
        start, end = call.values.span()
        return self.klines(self.index(call), granularity, start, end, call.values.limit(100, most))

    def candle_row(self, spec: Spec, row: Candle) -> list[str]:
        """time, open, high, low, close, volume, turnover."""
        prices = (fmt.price(tick, spec.tick) for tick in (row.open, row.high, row.low, row.close))
        return [str(row.open_ms), *prices, fmt.qty(row.volume, spec.step), f"{row.quote:.4f}"]

    async def candles(self, call: Call) -> object:
        kind = call.values.text("kLineType")
        if kind in ("mark", "index"):
            return self._derived(call, 0.1 if kind == "mark" else 1.0, 1000)
        spec = self.venue.specs[self.index(call)]
        return [self.candle_row(spec, row) for row in self._asked(call, 1000)]

    async def past_candles(self, call: Call) -> object:
        spec = self.venue.specs[self.index(call)]
        return [self.candle_row(spec, row) for row in self._asked(call, 200)]

    async def mark_candles(self, call: Call) -> object:
        return self._derived(call, 0.1)

    async def index_candles(self, call: Call) -> object:
        return self._derived(call, 1.0)

    def _derived(self, call: Call, share: float, most: int = 200) -> object:
        """Candles of mark (0.1) and index (1) prices: the traded ones less that share of the premium."""
        index = self.index(call)
        spec, marks = self.venue.specs[index], self.venue.market.marks
        tick, rows = float(spec.tick), []
        for row in self._asked(call, most):
            begin, end = (1.0 - share * (marks.ratio(index, "premium", ms, 60_000) - 0.5) * 0.004
                          for ms in (row.open_ms, row.close_ms + 1))
            prices = (row.open * begin, row.high * max(begin, end), row.low * min(begin, end), row.close * end)
            rows.append([str(row.open_ms), *(f"{value * tick:.{spec.price_precision + 1}f}" for value in prices),
                         "0", "0"])
        return rows

    # -- prices and funding --------------------------------------------------------------------------------------

    async def ticker(self, call: Call) -> object:
        return [self.ticker_row(self.index(call), call.told_ms)]

    async def tickers(self, call: Call) -> object:
        return [self.ticker_row(index, call.told_ms) for index in self._some(call)]

    def ticker_row(self, index: int, ms: int) -> dict[str, Any]:
        """The last 24 hours, the touch, mark, index, funding, open interest."""
        spec, day, marks = self.venue.specs[index], self.venue.day(index), self.venue.market.marks
        bid, bid_qty, ask, ask_qty = self.venue.touch(index)
        today = self.venue.market.candles.current(index, "1d")
        quote = f"{day.quote:.4f}"
        return {
            "symbol": spec.symbol, "lastPr": fmt.price(day.last, spec.tick), "askPr": fmt.price(ask, spec.tick),
            "bidPr": fmt.price(bid, spec.tick), "bidSz": fmt.qty(bid_qty, spec.step),
            "askSz": fmt.qty(ask_qty, spec.step), "high24h": fmt.price(day.high, spec.tick),
            "low24h": fmt.price(day.low, spec.tick), "ts": str(ms),
            "change24h": f"{(day.last - day.open) / day.open if day.open else 0.0:.5f}",
            "baseVolume": fmt.qty(day.volume, spec.step), "quoteVolume": quote, "usdtVolume": quote,
            "openUtc": fmt.price(today.open, spec.tick),
            "changeUtc24h": f"{(day.last - today.open) / today.open if today.open else 0.0:.5f}",
            "indexPrice": fmt.plain(marks.index[index]), "fundingRate": fmt.plain(marks.rate[index]),
            "holdingAmount": fmt.qty(marks.open_interest(index), spec.step), "deliveryStartTime": None,
            "deliveryTime": None, "deliveryStatus": "", "open24h": fmt.price(day.open, spec.tick),
            "markPrice": fmt.plain(marks.mark[index])}

    async def symbol_price(self, call: Call) -> object:
        index = self.index(call)
        spec, marks = self.venue.specs[index], self.venue.market.marks
        return [{"symbol": spec.symbol, "price": fmt.price(self.venue.market.candles.last(index), spec.tick),
                 "indexPrice": fmt.plain(marks.index[index]), "markPrice": fmt.plain(marks.mark[index]),
                 "ts": str(call.told_ms)}]

    async def open_interest(self, call: Call) -> object:
        index = self.index(call)
        spec = self.venue.specs[index]
        size = fmt.qty(self.venue.market.marks.open_interest(index), spec.step)
        return {"openInterestList": [{"symbol": spec.symbol, "size": size}], "ts": str(call.told_ms)}

    async def funding_time(self, call: Call) -> object:
        index = self.index(call)
        spec = self.venue.specs[index]
        return [{"symbol": spec.symbol, "nextFundingTime": str(self.venue.market.marks.next_funding(index)),
                 "ratePeriod": str(spec.funding_hours)}]

    async def funding(self, call: Call) -> object:
        marks, rows = self.venue.market.marks, []
        for index in self._some(call):
            spec = self.venue.specs[index]
            rows.append({
                "symbol": spec.symbol, "fundingRate": fmt.plain(marks.rate[index]),
                "fundingRateInterval": str(spec.funding_hours), "nextUpdate": str(marks.next_funding(index)),
                "minFundingRate": fmt.plain(-spec.funding_cap), "maxFundingRate": fmt.plain(spec.funding_cap)})
        return rows

    async def funding_history(self, call: Call) -> object:
        index = self.index(call)
        size, page = call.values.limit(20, 100, "pageSize"), call.values.limit(1, 1 << 20, "pageNo")
        found = self.venue.market.marks.funding_history(index, None, None, size * page)[::-1]
        symbol = self.venue.specs[index].symbol
        return [{"symbol": symbol, "fundingRate": fmt.plain(rate), "fundingTime": str(ms)}
                for ms, rate, _ in found[size * (page - 1):]]
