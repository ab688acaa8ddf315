"""The table of MEXC endpoints and their handlers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from modules.simulator.accounts import Order
from modules.simulator.book import BUY, SELL
from modules.simulator.dialects import mexc_format as fmt
from modules.simulator.dialects.mexc import Call, Ready, Route, new_order
from modules.simulator.errors import Reason, Refused
from modules.simulator.history import INTERVALS
from modules.simulator.market import Board
from modules.simulator.pairs import PairState
from modules.simulator.prints import Print, tape
from modules.simulator.universe import QUOTE, Token
from modules.simulator.venue import Venue

_SPOT = "/api/v3/"
_ORDER_PARAMS = ("symbol", "side", "type", "quantity", "quoteOrderQty", "price", "newClientOrderId", "stpMode")


def routes(venue: Venue) -> dict[tuple[str, str], Route]:
    """Every endpoint, by method and path."""
    public, private = _Public(venue), _Private(venue)
    one_or_all = _weigh(1, 40)
    table: list[tuple[str, str, Any, tuple[str, ...], Callable[[Call], int], bool]] = [
        ("GET", "ping", public.ping, (), _flat(1), False),
        ("GET", "time", public.time, (), _flat(1), False),
        ("GET", "defaultSymbols", public.default_symbols, (), _flat(1), False),
        ("GET", "symbol/offline", public.offline, (), _flat(1), False),
        ("GET", "exchangeInfo", public.exchange_info, ("symbol", "symbols"), _flat(10), False),
        ("GET", "depth", public.depth, ("symbol", "limit"), _flat(1), False),
        ("GET", "trades", public.trades, ("symbol", "limit"), _flat(5), False),
        ("GET", "historicalTrades", public.trades, ("symbol", "limit"), _flat(5), False),
        ("GET", "aggTrades", public.agg_trades, ("symbol", "startTime", "endTime", "limit", "until"), _flat(1), False),
        ("GET", "klines", public.klines, ("symbol", "interval", "startTime", "endTime", "limit", "until"), _flat(1),
         False),
        ("GET", "avgPrice", public.avg_price, ("symbol",), _flat(1), False),
        ("GET", "ticker/24hr", public.ticker, ("symbol",), one_or_all, False),
        ("GET", "ticker/price", public.ticker_price, ("symbol",), _weigh(1, 2), False),
        ("GET", "ticker/bookTicker", public.book_ticker, ("symbol",), _flat(1), False),
        ("GET", "account", private.account, (), _flat(10), True),
        ("GET", "tradeFee", private.trade_fee, ("symbol",), _flat(20), True),
        ("GET", "selfSymbols", private.self_symbols, (), _flat(1), True),
        ("GET", "uid", private.uid, (), _flat(1), True),
        ("GET", "capital/config/getall", private.coins, ("coin",), _flat(10), True),
        ("GET", "capital/withdraw/history", private.withdrawals,
         ("coin", "status", "limit", "startTime", "endTime"), _flat(1), True),
        ("POST", "order", private.place, _ORDER_PARAMS, _flat(1), True),
        ("POST", "order/test", private.test, _ORDER_PARAMS, _flat(1), True),
        ("GET", "order", private.order, ("symbol", "orderId", "origClientOrderId"), _flat(2), True),
        ("DELETE", "order", private.cancel, ("symbol", "orderId", "origClientOrderId", "clientOrderId"), _flat(1),
         True),
        ("GET", "openOrders", private.open_orders, ("symbol",), _flat(3), True),
        ("DELETE", "openOrders", private.cancel_all, ("symbol",), _flat(1), True),
        ("GET", "allOrders", private.all_orders, ("symbol", "startTime", "endTime", "limit", "states"), _flat(10),
         True),
        ("GET", "myTrades", private.my_trades, ("symbol", "orderId", "startTime", "endTime", "limit"), _flat(10),
         True),
    ]
    found = {
        (method, _SPOT + path): Route(handler, frozenset(params), weight, signed)
        for method, path, handler, params, weight, signed in table
    }
    found[("GET", "/api/v1/contract/detail")] = Route(public.contracts, frozenset(), _flat(1))
    return found


def _flat(weight: int) -> Callable[[Call], int]:
    return lambda call: weight


def _weigh(one: int, every: int) -> Callable[[Call], int]:
    return lambda call: one if "symbol" in call.params else every


class _Public:
    """Market data."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    async def ping(self, call: Call) -> object:
        return {}

    async def time(self, call: Call) -> object:
        return {"serverTime": call.told_ms}

    async def contracts(self, call: Call) -> object:
        """Futures are not simulated; ccxt asks for their list on every load."""
        return {"success": True, "code": 0, "data": []}

    async def default_symbols(self, call: Call) -> object:
        symbols = [token.symbol for token, _ in self._venue.pairs.listed(call.ms) if token.in_defaults]
        return {"code": 200, "data": symbols, "msg": None}

    async def offline(self, call: Call) -> object:
        gone = [
            {"symbol": token.symbol, "state": 3, "offlineTime": token.delist_ms}
            for token, state in self._venue.pairs.listed(call.ms) if state is PairState.OFFLINE
        ]
        return {"code": 0, "msg": "success", "data": gone}

    async def exchange_info(self, call: Call) -> object:
        wanted = call.params.get("symbols", call.params.get("symbol"))
        names = set(wanted.split(",")) if wanted else None
        rows = [
            fmt.symbol_info(token, state) for token, state in self._venue.pairs.listed(call.ms)
            if names is None or token.symbol in names
        ]
        if names is not None and len(rows) < len(names):
            raise Refused(Reason.BAD_SYMBOL)
        return {"timezone": "CST", "serverTime": call.told_ms, "rateLimits": [], "exchangeFilters": [], "symbols": rows}

    def _token(self, call: Call) -> Token:
        return self._venue.token(call.need("symbol"), call.ms)

    async def depth(self, call: Call) -> object:
        token, limit = self._token(call), call.limit(100, 5000)
        self._venue.advance(call.ms)

        def rows(side: str) -> list[list[str]]:
            levels = self._venue.depth(token, call.ms, side, limit)
            return [[fmt.units(t, token.price_scale), fmt.units(q, token.base_scale)] for t, q in levels]

        return {"lastUpdateId": call.ms, "bids": rows(BUY), "asks": rows(SELL), "timestamp": call.ms}

    def _tape(self, call: Call) -> tuple[Token, list[Print]]:
        token = self._token(call)
        start, end = call.number("startTime"), call.number("endTime")
        if (start is None) != (end is None):
            raise Refused(Reason.MISSING, "endTime" if end is None else "startTime")
        return token, tape(self._venue, token, call.ms, start, end, call.limit(500, 1000))

    async def trades(self, call: Call) -> object:
        token, prints = self._tape(call)
        return [
            {"id": None, "price": fmt.units(p.price, token.price_scale), "qty": fmt.units(p.steps, token.base_scale),
             "quoteQty": fmt.units(p.price * p.steps, token.price_scale + token.base_scale), "time": p.ms,
             "isBuyerMaker": p.buyer_maker, "isBestMatch": True, "tradeType": "ASK" if p.buyer_maker else "BID"}
            for p in prints
        ]

    async def agg_trades(self, call: Call) -> object:
        token, prints = self._tape(call)
        return [
            {"a": None, "f": None, "l": None, "p": fmt.units(p.price, token.price_scale),
             "q": fmt.units(p.steps, token.base_scale), "T": p.ms, "m": p.buyer_maker, "M": True}
            for p in prints
        ]

    async def klines(self, call: Call) -> object:
        token, interval = self._token(call), call.need("interval")
        if interval not in INTERVALS:
            raise Refused(Reason.BAD_PARAMETER, f"interval {interval}")
        found = self._venue.history.candles(
            token, interval, call.ms, call.number("startTime"), call.number("endTime"), call.limit(500, 1000))
        return Ready("[" + ",".join(fmt.kline_text(token, row) for row in found.rows.tolist()) + "]")

    async def avg_price(self, call: Call) -> object:
        token = self._token(call)
        rows = self._venue.history.candles(token, "1m", call.ms, None, None, 5).rows
        volume = int(rows[:, 5].sum())
        last = Decimal(int(rows[-1, 4])).scaleb(-token.price_scale)
        if volume:
            last = Decimal(int(rows[:, 6].sum())).scaleb(-4) / Decimal(volume).scaleb(-token.base_scale)
        return {"mins": 5, "price": fmt.plain(round(last, token.price_scale))}

    def _best(self, token: Token, board_bid: int, board_ask: int) -> tuple[int, int]:
        """Best prices with the users' own resting orders counted in."""
        if not self._venue.rests(token.slot):
            return board_bid, board_ask
        bids = [o.limit for o in self._venue.resting(token.slot, BUY)]
        asks = [o.limit for o in self._venue.resting(token.slot, SELL)]
        return max([board_bid, *bids]), min([board_ask, *asks])

    def _on_grid(self, token: Token, bid: int, ask: int) -> tuple[int, int]:
        """Best prices of the model's makers where an act has made the tick coarser."""
        grid = self._venue.model_book.grids.get(token.symbol, 1)
        return bid // grid * grid, -(-ask // grid) * grid

    def _tops(self, token: Token, ms: int) -> list[tuple[str, str]]:
        """(price, amount) of the best bid and the best ask; empty text where nothing stands."""
        tops = []
        for side in (BUY, SELL):
            levels = self._venue.depth(token, ms, side, 1)
            tops.append((fmt.units(levels[0][0], token.price_scale), fmt.units(levels[0][1], token.base_scale))
                        if levels else ("", ""))
        return tops

    async def ticker(self, call: Call) -> object:
        board = self._venue.market.board(call.ms)
        if "symbol" in call.params:
            token = self._token(call)
            return Ready(self._ticker_row(board, token, self._tops(token, call.ms)))
        rows = [
            self._ticker_row(board, token, None) for token, state in self._venue.pairs.listed(call.ms)
            if state is not PairState.OFFLINE
        ]
        return Ready("[" + ",".join(rows) + "]")

    def _ticker_row(self, board: Board, token: Token, tops: list[tuple[str, str]] | None) -> str:
        slot = token.slot
        if board.ms - token.list_ms < 86_400_000:
            board = self._since_listing(board, token)
        bid, ask = self._best(token, *self._on_grid(token, int(board.bid[slot]), int(board.ask[slot])))
        return fmt.ticker_text(board, token, tops[0][1] if tops else "", tops[1][1] if tops else "", bid, ask)

    def _since_listing(self, board: Board, token: Token) -> Board:
        """The board with one pair's statistics counted from its listing."""
        rows = self._venue.history.candles(token, "1m", board.ms, token.list_ms, None, 1500).rows
        values = {
            "open24": rows[0, 1], "high24": rows[:, 2].max(), "low24": rows[:, 3].min(),
            "volume24": rows[:, 5].sum(), "quote24": rows[:, 6].sum(),
        }
        for name, value in values.items():
            getattr(board, name)[token.slot] = value
        return board

    async def ticker_price(self, call: Call) -> object:
        board = self._venue.market.board(call.ms)

        def row(token: Token) -> dict[str, str]:
            return {"symbol": token.symbol, "price": fmt.units(int(board.last[token.slot]), token.price_scale)}

        if "symbol" in call.params:
            return row(self._token(call))
        return [row(t) for t, s in self._venue.pairs.listed(call.ms) if s is not PairState.OFFLINE]

    async def book_ticker(self, call: Call) -> object:
        def row(token: Token) -> dict[str, str]:
            (bid, bid_qty), (ask, ask_qty) = self._tops(token, call.ms)
            return {"symbol": token.symbol, "bidPrice": bid, "bidQty": bid_qty, "askPrice": ask, "askQty": ask_qty}

        if "symbol" in call.params:
            return row(self._token(call))
        rows = []
        for number, (token, state) in enumerate(self._venue.pairs.listed(call.ms)):
            if state is not PairState.OFFLINE:
                rows.append(row(token))
            if number % 100 == 99:
                await asyncio.sleep(0)
        return rows


class _Private:
    """What needs a key."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    async def account(self, call: Call) -> object:
        self._venue.advance(call.ms)
        return fmt.account_row(call.user if call.seen is None else call.seen.account(call.user))

    async def uid(self, call: Call) -> object:
        return {"uid": call.user.name}

    async def self_symbols(self, call: Call) -> object:
        symbols = [token.symbol for token, _ in self._venue.pairs.listed(call.ms) if token.in_defaults]
        return {"code": 200, "data": symbols, "msg": None}

    async def coins(self, call: Call) -> object:
        bases = [QUOTE, *(token.base for token, _ in self._venue.pairs.listed(call.ms))]
        wanted = call.params.get("coin")
        return [fmt.coin_row(base) for base in bases if wanted is None or base == wanted]

    async def withdrawals(self, call: Call) -> object:
        """Only a key that may withdraw gets an answer (an empty one: nothing was ever withdrawn)."""
        if not call.user.can_withdraw:
            raise Refused(Reason.NO_PERMISSION)
        return []

    async def trade_fee(self, call: Call) -> object:
        token = self._venue.token(call.need("symbol"), call.ms)
        rates = {"makerCommission": float(token.maker), "takerCommission": float(token.taker)}
        return {"data": rates, "code": 0, "msg": "success", "timestamp": call.ms}

    async def place(self, call: Call) -> object:
        return fmt.placed(self._venue.place(call.user, new_order(call)))

    async def test(self, call: Call) -> object:
        self._venue.check(call.user, new_order(call), call.ms)
        return {}

    def _find(self, call: Call, reason: Reason) -> Order:
        symbol = call.need("symbol")
        order_id, client_id = call.params.get("orderId"), call.params.get("origClientOrderId")
        client_id = client_id or call.params.get("clientOrderId")
        if not order_id and not client_id:
            raise Refused(Reason.MISSING, "origClientOrderId' or 'orderId")
        order = self._venue.find_order(call.user, symbol, order_id or None, client_id or None)
        if order is None:
            raise Refused(reason)
        return order

    async def order(self, call: Call) -> object:
        self._venue.advance(call.ms)
        order: Order | None = self._find(call, Reason.NO_ORDER)
        if order is not None and call.seen is not None:
            order = call.seen.order(order)
        if order is None:
            raise Refused(Reason.NO_ORDER)
        return fmt.order_row(order)

    async def cancel(self, call: Call) -> object:
        order = self._find(call, Reason.NOT_CANCELABLE)
        self._venue.cancel(order)
        return fmt.canceled_row(order)

    async def open_orders(self, call: Call) -> object:
        self._venue.advance(call.ms)
        symbol = call.params.get("symbol")
        found = self._venue.open_orders(call.user, symbol)
        if call.seen is not None:
            found = call.seen.opened(call.user, symbol, found)
        return [fmt.order_row(order) for order in found]

    async def cancel_all(self, call: Call) -> object:
        canceled = []
        for symbol in call.need("symbol").split(","):
            for order in self._venue.open_orders(call.user, symbol):
                if not order.status.final:
                    self._venue.cancel(order)
                    canceled.append(fmt.canceled_row(order))
        return canceled

    async def all_orders(self, call: Call) -> object:
        self._venue.advance(call.ms)
        symbol, limit = call.need("symbol"), call.limit(500, 1000)
        start, end = call.number("startTime"), call.number("endTime")
        found = [
            order for known in self._venue.orders.values()
            if (order := known if call.seen is None else call.seen.order(known)) is not None
            and order.account == call.user.name and order.symbol == symbol
            and (start is None or order.created_ms >= start) and (end is None or order.created_ms <= end)
        ]
        return [fmt.order_row(order) for order in reversed(found[-limit:])]

    async def my_trades(self, call: Call) -> object:
        self._venue.advance(call.ms)
        symbol, limit = call.need("symbol"), call.limit(100, 1000)
        start, end, order_id = call.number("startTime"), call.number("endTime"), call.params.get("orderId")
        found = [
            fill for fill in self._venue.fills[: call.seen.fills if call.seen is not None else None]
            if fill.account == call.user.name and fill.symbol == symbol and (order_id in (None, fill.order))
            and (start is None or fill.ms >= start) and (end is None or fill.ms <= end)
        ]
        return [fmt.fill_row(fill) for fill in reversed(found[-limit:])]


