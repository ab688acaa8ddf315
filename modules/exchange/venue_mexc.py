"""MEXC spot over ccxt: market data, and the account that LIVE trades on.

mexc has no stop orders: a stop price in an order would be passed through and sell at once (WIRE trap 1). So an order
is built here from five fields and nothing else; stops are the bot's own.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np

from modules.apikeys.api_manager import ApiManager
from modules.exchange import mexc_parse as parse
from modules.exchange.api import MarketClock
from modules.exchange.classify import Answer
from modules.exchange.codes import Kind
from modules.exchange.keyed import wire_of
from modules.exchange.lanes import Lane
from modules.exchange.link import Link
from modules.exchange.own_trades import once
from modules.exchange.types import (
    Absent,
    Accepted,
    Balance,
    Book,
    Candles,
    Denied,
    Fill,
    Lookup,
    Market,
    Mode,
    OrderRequest,
    OrderState,
    Outcome,
    Print,
    Side,
    Ticker,
    Unavailable,
    Unknown,
)
from modules.exchange.wire import Endpoint

INFO = Endpoint("spotPublicGetExchangeInfo", "exchangeInfo", 10)
API_SYMBOLS = Endpoint("spotPublicGetDefaultSymbols", "defaultSymbols", 1)
TICKERS = Endpoint("spotPublicGetTicker24hr", "ticker/24hr", 40)
KLINES = Endpoint("spotPublicGetKlines", "klines", 1)
DEPTH = Endpoint("spotPublicGetDepth", "depth", 1)
TRADES = Endpoint("spotPublicGetAggTrades", "aggTrades", 1)
ACCOUNT = Endpoint("spotPrivateGetAccount", "account", 10, signed=True)
PLACE = Endpoint("spotPrivatePostOrder", "order (new)", 1, signed=True, bucket="order", places=True)
CANCEL = Endpoint("spotPrivateDeleteOrder", "order (cancel)", 1, signed=True, bucket="order")
ORDER = Endpoint("spotPrivateGetOrder", "order", 2, signed=True)
OPEN_ORDERS = Endpoint("spotPrivateGetOpenOrders", "openOrders", 3, signed=True)
MY_TRADES = Endpoint("spotPrivateGetMyTrades", "myTrades", 10, signed=True)
WITHDRAWALS = Endpoint("spotPrivateGetCapitalWithdrawHistory", "capital/withdraw/history", 1, signed=True)

INTERVALS = {"1m": ("1m", 60_000), "5m": ("5m", 300_000), "15m": ("15m", 900_000), "1h": ("60m", 3_600_000),
             "4h": ("4h", 14_400_000), "1d": ("1d", 86_400_000)}
KLINES_A_CALL = 500  # MEXC documents 1000 and gives 500
FILLS_A_CALL = 100
FILLS_AHEAD_MS = 60_000  # our clock may be behind; the newest fill must not be missed


def _plain(value: Decimal) -> str:
    """Without exponent or trailing zeros, as the venue wants it."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


class MexcMarket:
    """Public data. Implements ``api.MarketData``."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.clock: MarketClock = link.clock
        self._markets: dict[str, Market] = {}

    async def markets(self, refresh: bool = False) -> dict[str, Market]:
        if refresh or not self._markets:
            info = await self.link.ask_public(INFO, {})
            allowed = await self.link.ask_public(API_SYMBOLS, {})
            self._markets = self.link.readable(lambda: parse.markets(info, allowed), INFO)
        return self._markets

    async def tickers(self) -> dict[str, Ticker]:
        body = await self.link.ask_public(TICKERS, {})
        found, dropped = self.link.readable(lambda: parse.tickers(body), TICKERS)
        if dropped:
            self.link.unsound.bad("rows of ticker/24hr", f"{len(dropped)} tickers dropped, first: {dropped[0]}")
        else:
            self.link.unsound.good("rows of ticker/24hr")
        return found

    async def candles(self, symbol: str, interval: str, limit: int, since_ms: int | None = None) -> Candles:
        name, step_ms = INTERVALS[interval]
        if limit <= 0:
            return np.empty((0, 6), dtype=np.float64)
        if since_ms is None and limit <= KLINES_A_CALL:
            return (await self._klines(symbol, name, limit))[-limit:]
        if since_ms is None:
            return await self._candles_back(symbol, name, step_ms, limit)
        return await self._candles_from(symbol, name, step_ms, limit, since_ms)

    async def _candles_back(self, symbol: str, name: str, step_ms: int, limit: int) -> Candles:
        """The newest `limit` candles, page by page into the past until a page brings nothing older."""
        pages = [await self._klines(symbol, name, KLINES_A_CALL)]
        count = len(pages[0])
        while 0 < count < limit:
            oldest = int(pages[-1][0, 0])
            start = oldest - KLINES_A_CALL * step_ms
            page = await self._klines(symbol, name, KLINES_A_CALL, start, oldest - 1)
            page = page[page[:, 0] < oldest]
            if len(page) == 0:
                break
            pages.append(page)
            count += len(page)
        return np.concatenate(pages[::-1])[-limit:]

    async def _candles_from(self, symbol: str, name: str, step_ms: int, limit: int, since_ms: int) -> Candles:
        """`limit` candles from `since_ms` on; a page without candles is a gap, and the next page is asked."""
        pages: list[Candles] = []
        count, start, now_ms = 0, since_ms, self.clock.now_ms()
        while count < limit and start <= now_ms:
            end = start + KLINES_A_CALL * step_ms
            page = await self._klines(symbol, name, KLINES_A_CALL, start, end - 1)
            page = page[(page[:, 0] >= start) & (page[:, 0] < end)]
            pages.append(page)
            count += len(page)
            start = end
        return np.concatenate(pages)[:limit] if pages else np.empty((0, 6), dtype=np.float64)

    async def _klines(self, symbol: str, name: str, limit: int, start: int | None = None,
                      end: int | None = None) -> Candles:
        params: dict[str, str | int] = {"symbol": symbol, "interval": name, "limit": limit}
        if start is not None and end is not None:
            params |= {"startTime": start, "endTime": end}
        body = await self.link.ask_public(KLINES, params)
        return self.link.readable(lambda: parse.candles(body), KLINES)

    async def book(self, symbol: str, limit: int = 50) -> Book:
        body = await self.link.ask_public(DEPTH, {"symbol": symbol, "limit": limit})
        return self.link.readable(lambda: parse.book(symbol, body, self.clock.now_ms()), DEPTH)

    async def trades(self, symbol: str, limit: int = 500) -> Sequence[Print]:
        body = await self.link.ask_public(TRADES, {"symbol": symbol, "limit": limit})
        return self.link.readable(lambda: parse.prints(body), TRADES)

    async def close(self) -> None:
        await self.link.close()


class MexcAccount:
    """The venue's own account. Implements ``api.Account``."""

    mode = Mode.LIVE

    def __init__(self, link: Link, api_key: str, secret: str, keys: ApiManager | None = None) -> None:
        self._link = link
        self._wire = wire_of(link, "mexc", api_key, secret, keys)

    async def _ask(self, endpoint: Endpoint, params: Mapping[str, str | int], lane: Lane) -> str:
        return await self._link.ask(self._wire, endpoint, params, lane)

    async def balances(self) -> dict[str, Balance]:
        body = await self._ask(ACCOUNT, {}, Lane.EXIT)
        return self._link.readable(lambda: parse.balances(body), ACCOUNT)

    async def place(self, request: OrderRequest) -> Outcome:
        """Send an order, once (X4). A buy goes in the lane of entries, a sell in that of exits (X31)."""
        entry = request.side is Side.BUY
        patience_s = self._link.settings.timeout_s * (0.5 if entry else 3.0)
        lane = Lane.ENTRY if entry else Lane.EXIT
        return await self._send(PLACE, order_params(request), lane, patience_s, request.symbol)

    async def cancel(self, symbol: str, client_id: str) -> Outcome:
        params = {"symbol": symbol, "origClientOrderId": client_id}
        return await self._send(CANCEL, params, Lane.PROTECT, self._link.settings.timeout_s * 3.0, symbol)

    async def _send(self, endpoint: Endpoint, params: Mapping[str, str | int], lane: Lane, patience_s: float,
                    symbol: str) -> Outcome:
        reply = await self._wire.send(endpoint, params, lane, patience_s)
        if isinstance(reply, Answer):
            try:
                return Accepted(self._link.readable(lambda: parse.placed(reply.body, symbol), endpoint))
            except Unavailable as problem:
                return Unknown(str(problem))
        await self._link.recover(reply)  # for whoever comes next; this order is not sent again
        return reply

    async def order(self, symbol: str, client_id: str) -> Lookup:
        return await self._lookup(symbol, client_id)

    async def _lookup(self, symbol: str, client_id: str) -> Lookup:
        try:
            body = await self._ask(ORDER, {"symbol": symbol, "origClientOrderId": client_id}, Lane.LOOKUP)
            return self._link.readable(lambda: parse.order(body, symbol, client_id), ORDER)
        except Denied as denied:
            absent = self._link.codes.kind_of(denied.code) is Kind.ABSENT
            return Absent(client_id) if absent else Unknown(str(denied))
        except Unavailable as problem:
            return Unknown(str(problem))

    async def open_orders(self, symbol: str | None = None) -> Sequence[OrderState]:
        params = {} if symbol is None else {"symbol": symbol}
        body = await self._ask(OPEN_ORDERS, params, Lane.EXIT)
        return self._link.readable(lambda: parse.orders(body), OPEN_ORDERS)

    async def fills(self, symbol: str, since_ms: int) -> Sequence[Fill]:
        end_ms = self._link.clock.now_ms() + FILLS_AHEAD_MS
        found = await self._fills_between(symbol, max(since_ms, 0), max(end_ms, since_ms + 1))
        return self._link.readable(lambda: once(found), MY_TRADES)

    async def _fills_between(self, symbol: str, start: int, end: int) -> list[Fill]:
        """A full page may lack some on either side: such a window is halved until its pages are not full."""
        params: dict[str, str | int] = {"symbol": symbol, "startTime": start, "endTime": end, "limit": FILLS_A_CALL}
        body = await self._ask(MY_TRADES, params, Lane.EXIT)
        found = self._link.readable(lambda: parse.fills(body, symbol), MY_TRADES)
        if len(found) < FILLS_A_CALL:
            return found
        if end - start < 2:
            raise Unavailable(f"{symbol} has more fills in one millisecond than the exchange shows.")
        middle = (start + end) // 2
        return await self._fills_between(symbol, start, middle) + await self._fills_between(symbol, middle + 1, end)

    async def rights(self) -> tuple[bool, bool]:
        """(may trade, account may withdraw) as the venue tells them. Raises Unavailable."""
        body = await self._ask(ACCOUNT, {}, Lane.DATA)
        return self._link.readable(lambda: parse.rights(body), ACCOUNT)

    async def sees_withdrawals(self) -> bool:
        """Whether the key may ask for withdrawals. Raises Unavailable."""
        try:
            await self._ask(WITHDRAWALS, {}, Lane.DATA)
        except Denied as denied:
            if denied.code in NO_PERMISSION:
                return False
            raise
        return True

    async def close(self) -> None:
        """The link is the market data's; nothing of this account's own is left to release."""


NO_PERMISSION = frozenset({"700007", "401", "403", "511", "701", "702", "703", "704"})


def order_params(request: OrderRequest) -> dict[str, str | int]:
    """MEXC's parameters of an order: these and no others (WIRE trap 1). Raises ValueError for a senseless order."""
    params: dict[str, str | int] = {
        "symbol": request.symbol,
        "side": str(request.side),
        "type": parse.TYPE_NAMES[request.type],
        "newClientOrderId": request.client_id,
    }
    market = parse.TYPE_NAMES[request.type] == "MARKET"
    if (request.quantity is None) == (request.quote_quantity is None):
        raise ValueError("an order has either a quantity or a quote quantity")
    if market == (request.price is not None):
        raise ValueError("a market order has no price, every other order has one")
    if request.quantity is not None:
        params["quantity"] = _plain(request.quantity)
    if request.quote_quantity is not None:
        if not market or request.side is not Side.BUY:
            raise ValueError("only a market buy is given by what to spend")
        params["quoteOrderQty"] = _plain(request.quote_quantity)
    if request.price is not None:
        params["price"] = _plain(request.price)
    return params


