"""One Bitget account (USDT futures, v2 mix classic), one object a user; plans have endpoints of their own.

An order is built from named fields and nothing else, so that nothing can travel that the venue passes over.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import msgspec

from modules.exchange import bitget_parse as parse
from modules.exchange.bitget_codes import ABSENT, KEY_GONE
from modules.exchange.bitget_stream import BitgetStream
from modules.exchange.bitget_wire import BitgetKey, BitgetLink, endpoint
from modules.exchange.codes import Kind
from modules.exchange.futures_types import (
    Bracket,
    Income,
    MarginMode,
    Position,
    PriceSource,
    Setup,
    TriggerKind,
    TriggerLookup,
    TriggerRequest,
    TriggerState,
    Wallet,
)
from modules.exchange.lanes import Lane
from modules.exchange.own_trades import once
from modules.exchange.parsing import unique as unique_rows
from modules.exchange.types import (
    Absent,
    Accepted,
    Denied,
    Fill,
    Lookup,
    Mode,
    OrderRequest,
    OrderState,
    Outcome,
    PositionSide,
    Refused,
    Unavailable,
    Unknown,
)
from modules.exchange.venue_account import (
    SPAN_MS,
    VenueAccount,
    closes,
    closing_only,
    lane_of,
    plain,
    quantity_of,
    weeks,
)
from modules.exchange.venue_bitget import BitgetMarket
from modules.exchange.wire import Endpoint

Params = dict[str, str | int]
T = TypeVar("T")

PLACE = endpoint("POST", "order/place-order", places=True)
CANCEL = endpoint("POST", "order/cancel-order")
ORDER = endpoint("GET", "order/detail")
OPEN_ORDERS = endpoint("GET", "order/orders-pending")
FILLS = endpoint("GET", "order/fills")
PLACE_PLAN = endpoint("POST", "order/place-tpsl-order", places=True)
CANCEL_PLAN = endpoint("POST", "order/cancel-plan-order")
OPEN_PLANS = endpoint("GET", "order/orders-plan-pending")
PAST_PLANS = endpoint("GET", "order/orders-plan-history")
ACCOUNT = endpoint("GET", "account/account")
WALLET = endpoint("GET", "account/accounts")
BILLS = endpoint("GET", "account/bill")
POSITIONS = endpoint("GET", "position/all-position")
SET_LEVERAGE = endpoint("POST", "account/set-leverage")
SET_MARGIN = endpoint("POST", "account/set-margin-mode")
SET_MODE = endpoint("POST", "account/set-position-mode")

PAGE = 100
MOST_PAGES = 200
COIN = {"marginCoin": parse.ASSET}
_SOURCES = {PriceSource.MARK: "mark_price", PriceSource.LAST: "fill_price"}
_PLANS = {(TriggerKind.STOP, True): "pos_loss", (TriggerKind.STOP, False): "loss_plan",
          (TriggerKind.TAKE, True): "pos_profit", (TriggerKind.TAKE, False): "profit_plan"}


def of(symbol: str) -> Params:
    """What names a contract."""
    return {"symbol": symbol, "productType": parse.PRODUCT}


def order_params(request: OrderRequest, margin: MarginMode) -> Params:
    """The parameters of an order: these and no others. Raises ValueError for a senseless order."""
    kind, force = parse.TYPES[request.type]
    params: Params = {**of(request.symbol), **COIN, "marginMode": margin.lower(), "size": plain(quantity_of(request)),
                      **parse.side_words(request.side, request.position_side), "orderType": kind,
                      "clientOid": request.client_id}
    if force:
        params["force"] = force
    if request.price is not None:
        params["price"] = plain(request.price)
    if closes(request) and request.position_side is PositionSide.BOTH:
        params["reduceOnly"] = "YES"
    return params


def plan_params(request: TriggerRequest) -> Params:
    """The parameters of a plan that closes: these and no others. Raises ValueError for one that opens."""
    closing_only(request)
    params: Params = {**of(request.symbol), **COIN, "planType": _PLANS[request.kind, request.quantity is None],
                      "triggerPrice": plain(request.trigger), "triggerType": _SOURCES[request.source],
                      "holdSide": parse.hold_side(request.position_side, request.side),
                      "clientOid": request.client_id}
    if request.quantity is not None:
        params["size"] = plain(request.quantity)
    return params


class BitgetAccount(VenueAccount):
    """A user's own account. Implements ``futures_api.FuturesAccount``; `symbol` is the contract that he trades."""

    def __init__(self, market: BitgetMarket, key: BitgetKey, symbol: str = "BTCUSDT",
                 margin: MarginMode = MarginMode.CROSSED) -> None:
        self.link: BitgetLink = market.link
        self.mode = Mode.TEST if key.demo else Mode.LIVE
        self.symbol, self.margin = symbol, margin
        self._market, self._key = market, key
        self._wire = self.link.user_wire(key)

    def stream(self, on_order: Callable[[Mapping[str, object]], None],
               on_gap: Callable[[str], None]) -> BitgetStream:
        """The account's private socket, not yet running."""
        return BitgetStream(self.link, self._key, on_order, on_gap)

    # -- orders ----------------------------------------------------------------------------------------------

    async def place(self, request: OrderRequest) -> Outcome:
        """Send an order, once. What opens goes in the lane of entries, what closes in that of exits (X31)."""
        return await self._send(PLACE, order_params(request, self.margin), lane_of(request),
                                lambda body: Accepted(parse.placed(body, request.client_id)))

    async def cancel(self, symbol: str, client_id: str) -> Outcome:
        return await self._send(CANCEL, {**of(symbol), **COIN, "clientOid": client_id}, Lane.PROTECT,
                                lambda body: Accepted(parse.placed(body, client_id)))

    async def order(self, symbol: str, client_id: str) -> Lookup:
        try:
            body = await self._ask(ORDER, {**of(symbol), "clientOid": client_id}, Lane.LOOKUP)
            return self.link.readable(lambda: parse.order(body, symbol, client_id), ORDER)
        except Unavailable as problem:
            denied = isinstance(problem, Denied) and self.link.codes.kind_of(problem.code) is Kind.ABSENT
            return Absent(client_id) if denied else Unknown(str(problem))

    async def open_orders(self, symbol: str | None = None) -> Sequence[OrderState]:
        params: Params = {"productType": parse.PRODUCT} if symbol is None else of(symbol)
        rows = await self._pages(OPEN_ORDERS, params, parse.orders, Lane.EXIT)
        return self._unique(rows, lambda one: one.order_id, "order", OPEN_ORDERS)

    async def fills(self, symbol: str, since_ms: int) -> Sequence[Fill]:
        until = self._until_ms()
        found: list[Fill] = []
        for start, end in weeks(max(since_ms, 0) or until - SPAN_MS, until):
            found += await self._pages(FILLS, {**of(symbol), "startTime": start, "endTime": end},
                                       lambda body: parse.fills(body, symbol), Lane.EXIT)
        return self.link.readable(lambda: once(found), FILLS)

    async def fills_of(self, symbol: str, order_id: str) -> Sequence[Fill]:
        """The trades of one order, oldest first."""
        found = await self._pages(FILLS, {**of(symbol), "orderId": order_id},
                                  lambda body: parse.fills(body, symbol), Lane.LOOKUP)
        return self.link.readable(lambda: once(found), FILLS)

    def _unique(self, rows: Sequence[T], key: Callable[[T], str], what: str, endpoint: Endpoint) -> list[T]:
        """Each row once. Raises Unavailable where two with one id say different things."""
        return list(self.link.readable(lambda: unique_rows(rows, key, what), endpoint).values())

    async def _pages(self, endpoint: Endpoint, params: Params, read: Callable[[str], tuple[list[T], str]],
                     lane: Lane) -> list[T]:
        """All pages, each before the id that ended the one before. Raises Unavailable."""
        found: list[T] = []
        before = ""
        for _ in range(MOST_PAGES):
            asked = {**params, "limit": PAGE, **({"idLessThan": before} if before else {})}
            rows, end = await self._read(endpoint, asked, read, lane)
            found += rows
            if len(rows) < PAGE or not end or end == before:
                return found
            before = end
        raise Unavailable(f"The exchange has more rows of {endpoint.path} than {MOST_PAGES * PAGE}.")

    # -- plans -------------------------------------------------------------------------------------------------

    async def place_trigger(self, request: TriggerRequest) -> Outcome:
        return await self._send(PLACE_PLAN, plan_params(request), Lane.PROTECT,
                                lambda body: Accepted(parse.placed(body, request.client_id)))

    async def cancel_trigger(self, symbol: str, client_id: str) -> Outcome:
        rows = msgspec.json.encode([{"clientOid": client_id}]).decode()

        def read(body: str) -> Outcome:
            order_id, code, text = parse.cancelled(body, client_id)
            return Accepted(order_id) if not code else Refused(code, ABSENT.get(code, text))

        return await self._send(CANCEL_PLAN, {**of(symbol), **COIN, "orderIdList": rows}, Lane.PROTECT, read)

    async def trigger(self, symbol: str, client_id: str) -> TriggerLookup:
        try:
            for asked in (OPEN_PLANS, PAST_PLANS):
                rows, _ = await self._read(
                    asked, {**of(symbol), "planType": "profit_loss", "clientOid": client_id}, parse.plans, Lane.LOOKUP)
                for row in rows:
                    if row.client_id == client_id:
                        return row
        except Unavailable as problem:
            return Unknown(str(problem))
        return Absent(client_id)

    async def open_triggers(self, symbol: str | None = None) -> Sequence[TriggerState]:
        params: Params = {"productType": parse.PRODUCT} if symbol is None else of(symbol)
        rows = await self._pages(OPEN_PLANS, {**params, "planType": "profit_loss"}, parse.plans, Lane.EXIT)
        return self._unique(rows, lambda one: one.trigger_id, "plan", OPEN_PLANS)

    # -- the account -------------------------------------------------------------------------------------------

    async def standing(self, symbol: str, lane: Lane = Lane.EXIT) -> parse.Standing:
        """Money, modes and leverage of one contract in one call. Raises Unavailable, Denied for a key that is gone."""
        body = await self._ask(ACCOUNT, {**of(symbol), **COIN}, lane)
        return self.link.readable(lambda: parse.standing(body), ACCOUNT)

    async def wallet(self) -> Wallet:
        body = await self._ask(WALLET, {"productType": parse.PRODUCT}, Lane.EXIT)
        return self.link.readable(lambda: parse.wallet(body), WALLET)

    async def positions(self, lane: Lane = Lane.EXIT) -> Sequence[Position]:
        body = await self._ask(POSITIONS, {"productType": parse.PRODUCT, **COIN}, lane)
        return self.link.readable(lambda: parse.positions(body), POSITIONS)

    async def hedge(self) -> bool:
        return (await self.standing(self.symbol)).hedge

    async def setups(self) -> Mapping[str, Setup]:
        """Of the contract that this account trades; Bitget tells no others in one call."""
        found = await self.standing(self.symbol)
        return {self.symbol: Setup(self.symbol, found.leverage, found.margin)}

    async def brackets(self, symbol: str) -> Sequence[Bracket]:
        return await self._market.brackets(symbol)

    async def incomes(self, since_ms: int) -> Sequence[Income]:
        found: list[Income] = []
        for start, end in weeks(since_ms, self._until_ms()):
            found += await self._pages(BILLS, {"productType": parse.PRODUCT, "startTime": start, "endTime": end},
                                       parse.bills, Lane.EXIT)
        return sorted(self._unique(found, lambda row: row.id, "bill", BILLS), key=lambda row: row.market_ms)

    async def set_hedge(self, on: bool) -> Outcome:
        return await self._set(SET_MODE, {"productType": parse.PRODUCT,
                                          "posMode": parse.HEDGE if on else parse.ONE_WAY})

    async def set_leverage(self, symbol: str, leverage: int) -> Outcome:
        return await self._set(SET_LEVERAGE, {**of(symbol), **COIN, "leverage": leverage})

    async def set_margin(self, symbol: str, mode: MarginMode) -> Outcome:
        return await self._set(SET_MARGIN, {**of(symbol), **COIN, "marginMode": mode.lower()})

    @property
    def failing(self) -> bool:
        """Whether this user's breaker is open: his entries wait, exits go on (X35)."""
        return self._wire.failing

    @staticmethod
    def key_gone(problem: Exception) -> bool:
        """Whether a refused call says that this key can do nothing any more."""
        return isinstance(problem, Denied) and problem.code in KEY_GONE
