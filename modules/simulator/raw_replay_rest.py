"""The REST side of a replay, in Binance USD-M's words: what a client of its streams needs beside them.

Served: ping, time, exchangeInfo, depth (of the very instant, so that its lastUpdateId lies in the differences that
follow), trades of the tape, candles, tickers. A recording has no accounts, marks or funding: their paths answer 404
with code −5000, as an endpoint that does not exist does.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

from modules.simulator.raw_replay import RawReplay
from modules.simulator.raw_replay_market import ReplaySymbol
from modules.simulator.sockets.faults import StreamFaults
from modules.simulator.sockets.frames import Candle
from modules.simulator.sockets.names import INTERVALS
from modules.simulator.sockets.times import candle_end, candle_open

_FOREVER_MS = 4_133_404_800_000  # delivery date of a perpetual
_QUOTES = ("USDT", "USDC", "BUSD", "FDUSD", "BTC")
_LIMITS = (5, 10, 20, 50, 100, 500, 1000)


class Wrong(Exception):
    """The request is refused with a code of the venue."""

    def __init__(self, code: int, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.code, self.text, self.status = code, text, status


class ReplayRest:
    """Answers for one replay."""

    def __init__(self, replay: RawReplay, now: Callable[[], int], faults: StreamFaults) -> None:
        self._replay, self._now, self._faults = replay, now, faults
        self._paths: dict[str, Callable[[dict[str, str]], Any]] = {
            "ping": lambda asked: {}, "time": lambda asked: {"serverTime": now()}, "exchangeInfo": self.info,
            "depth": self.depth, "trades": self.trades, "aggTrades": self.agg_trades, "klines": self.klines,
            "ticker/price": self.price, "ticker/bookTicker": self.touch, "ticker/24hr": self.day,
            "premiumIndex": self.premium}

    def add_to(self, app: web.Application) -> None:
        """Put the paths into an application."""
        app.router.add_route("*", "/{version:fapi/v[123]}/{path:.*}", self.serve)

    async def serve(self, request: web.Request) -> web.Response:
        """Answer one request."""
        handler = self._paths.get(request.match_info["path"])
        try:
            if handler is None or request.method != "GET":
                raise Wrong(-5000, f"Path {request.path}, Method {request.method} is invalid in a replay", 404)
            content = handler(dict(request.query))
        except Wrong as wrong:
            return web.json_response({"code": wrong.code, "msg": wrong.text}, status=wrong.status)
        if isinstance(content, bytes):
            return web.Response(body=content, content_type="application/json")
        return web.Response(text=json.dumps(content, separators=(",", ":")), content_type="application/json")

    # -- the market ----------------------------------------------------------------------------------------

    def info(self, asked: dict[str, str]) -> dict[str, Any]:
        """exchangeInfo with the recorded symbols; steps are the decimals the recording shows."""
        assets = sorted({_coins(name)[1] for name in self._replay.symbols})
        return {
            "timezone": "UTC", "serverTime": self._now(), "futuresType": "U_MARGINED",
            "rateLimits": [
                {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400}],
            "exchangeFilters": [],
            "assets": [{"asset": name, "marginAvailable": True, "autoAssetExchange": "0"} for name in assets],
            "symbols": [_contract(name, one, self._replay.start_ms) for name, one in self._replay.symbols.items()]}

    def depth(self, asked: dict[str, str]) -> bytes:
        """The book at this instant."""
        name = self._symbol(asked).writer.symbol
        limit = _number(asked, "limit", 500)
        if limit not in _LIMITS:
            raise Wrong(-4021, f"Orderbook depth limit must be one of {', '.join(map(str, _LIMITS))}.")
        old = self._faults.old_snapshot(name, limit)
        body = old if old is not None else self.snapshot(name, limit)
        if body is None:
            raise Wrong(-1000, f"the recording holds no book of {name}")
        return body

    def snapshot(self, symbol: str, limit: int) -> bytes | None:
        """The body of a depth answer; None where the recording has no book (yet)."""
        one = self._replay.symbols.get(symbol)
        if one is None or not one.book.whole:
            return None
        bids, asks = one.book.top(limit)
        return json.dumps({
            "lastUpdateId": one.book.last_id, "E": self._now(), "T": one.book.ms, "bids": _texts(one, bids),
            "asks": _texts(one, asks)}, separators=(",", ":")).encode()

    def agg_trades(self, asked: dict[str, str]) -> list[dict[str, Any]]:
        """The tape's newest aggregates."""
        one = self._symbol(asked)
        rows = [agg for agg in one.trades
                if agg.id >= _number(asked, "fromId", 0) and agg.ms >= _number(asked, "startTime", 0)
                and agg.ms <= _number(asked, "endTime", agg.ms)]
        limit = _number(asked, "limit", 500)
        first = "fromId" in asked or "startTime" in asked
        return [{"a": agg.id, "p": one.writer.price.text(agg.tick), "q": one.writer.qty.text(agg.steps),
                 "f": agg.first, "l": agg.last, "T": agg.ms, "m": agg.maker}
                for agg in (rows[:limit] if first else rows[-limit:])]

    def trades(self, asked: dict[str, str]) -> list[dict[str, Any]]:
        """The tape's newest trades, one row for each aggregate."""
        one = self._symbol(asked)
        return [{"id": agg.last, "price": one.writer.price.text(agg.tick), "qty": one.writer.qty.text(agg.steps),
                 "quoteQty": one.writer.quote.text(agg.tick * agg.steps), "time": agg.ms, "isBuyerMaker": agg.maker}
                for agg in list(one.trades)[-_number(asked, "limit", 500):]]

    def klines(self, asked: dict[str, str]) -> list[list[Any]]:
        """Candles of what was played so far."""
        one, interval = self._symbol(asked), asked.get("interval", "")
        if interval not in INTERVALS:
            raise Wrong(-1120, "Invalid interval.")
        since, until = _number(asked, "startTime", 0), _number(asked, "endTime", self._now())
        opens = sorted({candle_open(interval, candle.open_ms) for candle in one.minutes})
        limit = _number(asked, "limit", 500)
        wanted = [open_ms for open_ms in opens if since <= open_ms <= until]
        wanted = wanted[:limit] if "startTime" in asked else wanted[-limit:]
        candles = [one.candle(interval, open_ms) for open_ms in wanted]
        return [_row(one, interval, candle) for candle in candles if candle is not None]

    # -- tickers -------------------------------------------------------------------------------------------

    def price(self, asked: dict[str, str]) -> Any:
        """Latest prices."""
        return self._each(asked, self._price)

    def touch(self, asked: dict[str, str]) -> Any:
        """Best bids and asks."""
        return self._each(asked, self._touch)

    def day(self, asked: dict[str, str]) -> Any:
        """24 h statistics of what was played."""
        return self._each(asked, self._day)

    def premium(self, asked: dict[str, str]) -> Any:
        """Mark prices, where they were recorded."""
        return self._each(asked, self._premium)

    def _premium(self, one: ReplaySymbol) -> dict[str, Any] | None:
        mark = one.mark
        if mark is None:
            return None
        return {
            "symbol": one.writer.symbol, "markPrice": mark.mark, "indexPrice": mark.index,
            "estimatedSettlePrice": mark.settle, "lastFundingRate": mark.rate, "interestRate": "0.00010000",
            "nextFundingTime": mark.next_ms, "time": self._now()}

    def _each(self, asked: dict[str, str], one: Callable[[ReplaySymbol], dict[str, Any] | None]) -> Any:
        if "symbol" in asked:
            found = one(self._symbol(asked))
            if found is None:
                raise Wrong(-1000, f"the recording says nothing of that about {asked['symbol']} yet")
            return found
        return [row for row in map(one, self._replay.symbols.values()) if row is not None]

    def _price(self, one: ReplaySymbol) -> dict[str, Any] | None:
        if not one.minutes:
            return None
        price = one.writer.price.text(one.minutes[-1].close)
        return {"symbol": one.writer.symbol, "price": price, "time": self._now()}

    def _touch(self, one: ReplaySymbol) -> dict[str, Any] | None:
        touch = one.touch
        if touch is None and one.book.whole:
            bids, asks = one.book.top(1)
            if bids and asks:
                touch = (one.book.ms, one.book.last_id, *bids[0], *asks[0])
        if touch is None:
            return None
        price, qty = one.writer.price.text, one.writer.qty.text
        ms, update_id, bid, bid_qty, ask, ask_qty = touch
        return {"symbol": one.writer.symbol, "bidPrice": price(bid), "bidQty": qty(bid_qty), "askPrice": price(ask),
                "askQty": qty(ask_qty), "time": ms, "lastUpdateId": update_id}

    def _day(self, one: ReplaySymbol) -> dict[str, Any] | None:
        day = one.day(self._replay.now_ms)
        if day is None:
            return None
        candle, price, qty = day.candle, one.writer.price.text, one.writer.qty.text
        change = candle.close - candle.open
        average = round(candle.quote / candle.volume) if candle.volume else candle.close
        return {
            "symbol": one.writer.symbol, "priceChange": price(change),
            "priceChangePercent": f"{100.0 * change / candle.open:.3f}", "weightedAvgPrice": price(average),
            "lastPrice": price(candle.close), "lastQty": qty(day.last_qty), "openPrice": price(candle.open),
            "highPrice": price(candle.high), "lowPrice": price(candle.low), "volume": qty(candle.volume),
            "quoteVolume": one.writer.quote.text(candle.quote), "openTime": candle.open_ms,
            "closeTime": day.close_ms, "firstId": candle.first, "lastId": candle.last, "count": candle.count}

    def _symbol(self, asked: dict[str, str]) -> ReplaySymbol:
        if "symbol" not in asked:
            raise Wrong(-1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.")
        one = self._replay.symbols.get(asked["symbol"])
        if one is None:
            raise Wrong(-1121, "Invalid symbol.")
        return one


def _contract(name: str, one: ReplaySymbol, onboard_ms: int) -> dict[str, Any]:
    base, quote = _coins(name)
    tick, step = f"{one.tick:f}", f"{one.step:f}"
    most, widest = f"{one.step * 10**7:f}", f"{one.tick * 10**9:f}"
    return {
        "symbol": name, "pair": name, "contractType": "PERPETUAL", "deliveryDate": _FOREVER_MS,
        "onboardDate": onboard_ms, "status": "TRADING", "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000", "baseAsset": base, "quoteAsset": quote, "marginAsset": quote,
        "pricePrecision": one.writer.price.decimals, "quantityPrecision": one.writer.qty.decimals,
        "baseAssetPrecision": 8, "quotePrecision": 8, "underlyingType": "COIN", "underlyingSubType": [],
        "triggerProtect": "0.0500", "liquidationFee": "0.012500", "marketTakeBound": "0.05",
        "maxMoveOrderLimit": 10000,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": widest, "tickSize": tick},
            {"filterType": "LOT_SIZE", "minQty": step, "maxQty": most, "stepSize": step},
            {"filterType": "MARKET_LOT_SIZE", "minQty": step, "maxQty": most, "stepSize": step},
            {"filterType": "MAX_NUM_ORDERS", "limit": 200}, {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": 10},
            {"filterType": "MIN_NOTIONAL", "notional": "5"},
            {"filterType": "PERCENT_PRICE", "multiplierUp": "1.0500", "multiplierDown": "0.9500",
             "multiplierDecimal": "4"}],
        "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET",
                       "TRAILING_STOP_MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"]}


def _row(one: ReplaySymbol, interval: str, candle: Candle) -> list[Any]:
    price, qty, quote = one.writer.price.text, one.writer.qty.text, one.writer.quote.text
    return [candle.open_ms, price(candle.open), price(candle.high), price(candle.low), price(candle.close),
            qty(candle.volume), candle_end(interval, candle.open_ms), quote(candle.quote), candle.count,
            qty(candle.taker), quote(candle.taker_quote), "0"]


def _coins(symbol: str) -> tuple[str, str]:
    quote = next((name for name in _QUOTES if symbol.endswith(name) and symbol != name), symbol[-3:])
    return symbol.removesuffix(quote), quote


def _texts(one: ReplaySymbol, pairs: list[tuple[int, int]]) -> list[list[str]]:
    return [[one.writer.price.text(tick), one.writer.qty.text(steps)] for tick, steps in pairs]


def _number(asked: dict[str, str], name: str, default: int) -> int:
    text = asked.get(name)
    if text is None:
        return default
    if not text.isdigit():
        raise Wrong(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
    return int(text)


