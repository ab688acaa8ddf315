"""Binance USD-M's own account over ccxt's implicit methods; conditional orders have endpoints of their own (X26).

An order is built from named fields and nothing else, so that nothing can travel that the venue passes over (trap 2).
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from modules.apikeys.api_manager import ApiManager
from modules.exchange import binance_parse as parse
from modules.exchange.binance_codes import ORDER_WEIGHT, ORDERS, USED_WEIGHT
from modules.exchange.codes import Kind
from modules.exchange.futures_types import (
    Bracket,
    Income,
    MarginMode,
    Position,
    Setup,
    TriggerLookup,
    TriggerRequest,
    TriggerState,
    Wallet,
)
from modules.exchange.keyed import wire_of
from modules.exchange.lanes import Lane
from modules.exchange.link import Link
from modules.exchange.own_trades import once
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
    Unavailable,
    Unknown,
)
from modules.exchange.venue_account import (
    SPAN_MS,
    Params,
    VenueAccount,
    closes,
    closing_only,
    lane_of,
    plain,
    quantity_of,
    weeks,
)
from modules.exchange.wire import Endpoint


def _signed(method: str, path: str, weight: int) -> Endpoint:
    return Endpoint(method, path, weight, signed=True, bucket=USED_WEIGHT)


def _order(method: str, path: str, *, places: bool = False) -> Endpoint:
    return Endpoint(method, path, ORDER_WEIGHT, signed=True, bucket=ORDERS, places=places)


PLACE = _order("fapiPrivatePostOrder", "fapi/v1/order (new)", places=True)
PLACE_TRIGGER = _order("fapiPrivatePostAlgoOrder", "fapi/v1/algoOrder (new)", places=True)
CANCEL = _signed("fapiPrivateDeleteOrder", "fapi/v1/order (cancel)", 1)
CANCEL_TRIGGER = _signed("fapiPrivateDeleteAlgoOrder", "fapi/v1/algoOrder (cancel)", 1)
ORDER = _signed("fapiPrivateGetOrder", "fapi/v1/order", 1)
TRIGGER = _signed("fapiPrivateGetAlgoOrder", "fapi/v1/algoOrder", 1)
OPEN_ORDERS = {True: _signed("fapiPrivateGetOpenOrders", "fapi/v1/openOrders", 40),
               False: _signed("fapiPrivateGetOpenOrders", "fapi/v1/openOrders", 1)}
OPEN_TRIGGERS = {True: _signed("fapiPrivateGetOpenAlgoOrders", "fapi/v1/openAlgoOrders", 40),
                 False: _signed("fapiPrivateGetOpenAlgoOrders", "fapi/v1/openAlgoOrders", 1)}
MY_TRADES = _signed("fapiPrivateGetUserTrades", "fapi/v1/userTrades", 5)
POSITIONS = _signed("fapiPrivateV3GetPositionRisk", "fapi/v3/positionRisk", 5)
ACCOUNT = _signed("fapiPrivateV3GetAccount", "fapi/v3/account", 5)
MODE = _signed("fapiPrivateGetPositionSideDual", "fapi/v1/positionSide/dual", 30)
SETUPS = _signed("fapiPrivateGetSymbolConfig", "fapi/v1/symbolConfig", 5)
BRACKETS = _signed("fapiPrivateGetLeverageBracket", "fapi/v1/leverageBracket", 1)
INCOME = _signed("fapiPrivateGetIncome", "fapi/v1/income", 30)
SET_MODE = _signed("fapiPrivatePostPositionSideDual", "fapi/v1/positionSide/dual (set)", 1)
SET_LEVERAGE = _signed("fapiPrivatePostLeverage", "fapi/v1/leverage (set)", 1)
SET_MARGIN = _signed("fapiPrivatePostMarginType", "fapi/v1/marginType (set)", 1)
KEY_NEW = Endpoint("fapiPrivatePostListenKey", "fapi/v1/listenKey (new)", 1, bucket=USED_WEIGHT)
KEY_KEEP = Endpoint("fapiPrivatePutListenKey", "fapi/v1/listenKey (keep)", 1, bucket=USED_WEIGHT)

PAGE = 1000
ALREADY_SO = frozenset({"-4046", "-4059"})


def order_params(request: OrderRequest) -> dict[str, str | int]:
    """The parameters of an order: these and no others. Raises ValueError for a senseless order."""
    kind, until = parse.TYPES[request.type]
    params: dict[str, str | int] = {
        "symbol": request.symbol, "side": str(request.side), "positionSide": str(request.position_side), "type": kind,
        "quantity": plain(quantity_of(request)), "newClientOrderId": request.client_id, "newOrderRespType": "ACK"}
    if until:
        params["timeInForce"] = until
    if request.price is not None:
        params["price"] = plain(request.price)
    if closes(request) and request.position_side is PositionSide.BOTH:  # in hedge mode the side says it all
        params["reduceOnly"] = "true"
    return params


def trigger_params(request: TriggerRequest) -> dict[str, str | int]:
    """The parameters of a conditional order that closes: these and no others. Raises ValueError for one that opens."""
    closing_only(request)
    params: dict[str, str | int] = {
        "algoType": "CONDITIONAL", "symbol": request.symbol, "side": str(request.side),
        "positionSide": str(request.position_side), "type": str(request.kind), "triggerPrice": plain(request.trigger),
        "workingType": str(request.source), "clientAlgoId": request.client_id}
    if request.quantity is None:
        params["closePosition"] = "true"
    else:
        params["quantity"] = plain(request.quantity)
        if request.position_side is PositionSide.BOTH:
            params["reduceOnly"] = "true"
    return params


class BinanceAccount(VenueAccount):
    """The venue's own account. Implements ``futures_api.FuturesAccount`` and ``streams.private.ListenKeys``."""

    mode = Mode.LIVE
    already_so = ALREADY_SO

    def __init__(self, link: Link, api_key: str, secret: str, keys: ApiManager | None = None) -> None:
        self.link = link
        self._wire = wire_of(link, "binance", api_key, secret, keys)

    # -- orders ----------------------------------------------------------------------------------------------

    async def place(self, request: OrderRequest) -> Outcome:
        """Send an order, once. What opens goes in the lane of entries, what closes in that of exits (X31)."""
        return await self._send(PLACE, order_params(request), lane_of(request),
                                lambda body: Accepted(parse.placed(body, request.symbol)))

    async def cancel(self, symbol: str, client_id: str) -> Outcome:
        return await self._send(CANCEL, {"symbol": symbol, "origClientOrderId": client_id}, Lane.PROTECT,
                                lambda body: Accepted(parse.placed(body, symbol)))

    async def order(self, symbol: str, client_id: str) -> Lookup:
        try:
            body = await self._ask(ORDER, {"symbol": symbol, "origClientOrderId": client_id}, Lane.LOOKUP)
            return self.link.readable(lambda: parse.order(body, symbol, client_id), ORDER)
        except Unavailable as problem:
            return self._missing(problem, client_id)

    def _missing(self, problem: Unavailable, client_id: str) -> Absent | Unknown:
        denied = isinstance(problem, Denied) and self.link.codes.kind_of(problem.code) is Kind.ABSENT
        return Absent(client_id) if denied else Unknown(str(problem))

    async def open_orders(self, symbol: str | None = None) -> Sequence[OrderState]:
        endpoint = OPEN_ORDERS[symbol is None]
        body = await self._ask(endpoint, {} if symbol is None else {"symbol": symbol}, Lane.EXIT)
        return self.link.readable(lambda: parse.orders(body), endpoint)

    async def fills(self, symbol: str, since_ms: int) -> Sequence[Fill]:
        until = self._until_ms()
        found: list[Fill] = []
        for start, end in weeks(max(since_ms, 0) or until - SPAN_MS, until):
            found += await self._fills_between(symbol, start, end)
        return self.link.readable(lambda: once(found), MY_TRADES)

    async def _fills_between(self, symbol: str, start: int, end: int) -> list[Fill]:
        """A full page may lack some: such a window is halved until its pages are not full."""
        body = await self._ask(MY_TRADES, {"symbol": symbol, "startTime": start, "endTime": end, "limit": PAGE},
                               Lane.EXIT)
        found = self.link.readable(lambda: parse.fills(body, symbol), MY_TRADES)
        if len(found) < PAGE:
            return found
        if end - start < 2:
            raise Unavailable(f"{symbol} has more fills in one millisecond than the exchange shows.")
        middle = (start + end) // 2
        return await self._fills_between(symbol, start, middle) + await self._fills_between(symbol, middle + 1, end)

    # -- conditional orders ----------------------------------------------------------------------------------

    async def place_trigger(self, request: TriggerRequest) -> Outcome:
        return await self._send(PLACE_TRIGGER, trigger_params(request), Lane.PROTECT,
                                lambda body: Accepted(parse.trigger_placed(body, request.symbol)))

    async def cancel_trigger(self, symbol: str, client_id: str) -> Outcome:
        return await self._send(CANCEL_TRIGGER, {"clientAlgoId": client_id}, Lane.PROTECT,
                                lambda body: Accepted(parse.trigger_gone(body, client_id)))

    async def trigger(self, symbol: str, client_id: str) -> TriggerLookup:
        try:
            body = await self._ask(TRIGGER, {"clientAlgoId": client_id}, Lane.LOOKUP)
            return self.link.readable(lambda: parse.trigger(body, client_id), TRIGGER)
        except Unavailable as problem:
            return self._missing(problem, client_id)

    async def open_triggers(self, symbol: str | None = None) -> Sequence[TriggerState]:
        endpoint = OPEN_TRIGGERS[symbol is None]
        body = await self._ask(endpoint, {} if symbol is None else {"symbol": symbol}, Lane.EXIT, soon=True)
        return self.link.readable(lambda: parse.triggers(body), endpoint)

    # -- the account -----------------------------------------------------------------------------------------

    async def wallet(self) -> Wallet:
        body = await self._ask(ACCOUNT, {}, Lane.EXIT)
        return self.link.readable(lambda: parse.wallet(body), ACCOUNT)

    async def positions(self) -> Sequence[Position]:
        body = await self._ask(POSITIONS, {}, Lane.EXIT, soon=True)
        return self.link.readable(lambda: parse.positions(body), POSITIONS)

    async def hedge(self) -> bool:
        body = await self._ask(MODE, {}, Lane.EXIT)
        return self.link.readable(lambda: parse.hedge(body), MODE)

    async def setups(self) -> Mapping[str, Setup]:
        body = await self._ask(SETUPS, {}, Lane.EXIT)
        return self.link.readable(lambda: parse.setups(body), SETUPS)

    async def brackets(self, symbol: str) -> Sequence[Bracket]:
        body = await self._ask(BRACKETS, {"symbol": symbol}, Lane.DATA)
        return self.link.readable(lambda: parse.brackets(body, symbol), BRACKETS)

    async def incomes(self, since_ms: int) -> Sequence[Income]:
        """Pages of the venue overlap by one millisecond; each row counts once."""
        end, start = self._until_ms(), since_ms
        found: dict[tuple[str, str, int, Decimal], Income] = {}
        while True:
            body = await self._ask(INCOME, {"startTime": start, "endTime": end, "limit": PAGE}, Lane.EXIT)
            rows = self._incomes(body)
            found.update({(row.kind, row.id, row.market_ms, row.amount): row for row in rows})
            newest = max((row.market_ms for row in rows), default=start)
            if len(rows) < PAGE:
                return sorted(found.values(), key=lambda row: row.market_ms)
            if newest <= start:
                raise Unavailable("The account has more income in one millisecond than the exchange shows.")
            start = newest

    def _incomes(self, body: str) -> list[Income]:
        return self.link.readable(lambda: parse.incomes(body), INCOME)

    async def _change(self, endpoint: Endpoint, params: Params) -> Outcome:
        return await self._set(endpoint, params, lambda body: Accepted(str(len(parse.raw(body)))))

    async def set_hedge(self, on: bool) -> Outcome:
        return await self._change(SET_MODE, {"dualSidePosition": "true" if on else "false"})

    async def set_leverage(self, symbol: str, leverage: int) -> Outcome:
        return await self._change(SET_LEVERAGE, {"symbol": symbol, "leverage": leverage})

    async def set_margin(self, symbol: str, mode: MarginMode) -> Outcome:
        return await self._change(SET_MARGIN, {"symbol": symbol, "marginType": str(mode)})

    # -- the account's stream ----------------------------------------------------------------------------------

    async def create(self) -> str:
        """A listen key. Raises OSError where none came (see ``ListenKeys``)."""
        try:
            body = await self._ask(KEY_NEW, {}, Lane.LOOKUP)
            return self.link.readable(lambda: parse.listen_key(body), KEY_NEW)
        except Unavailable as problem:
            raise OSError(str(problem)) from problem

    async def keep(self, key: str) -> None:
        """Another hour for the key. Raises OSError where it is not valid any more."""
        try:
            await self._ask(KEY_KEEP, {}, Lane.LOOKUP)
        except Unavailable as problem:
            raise OSError(str(problem)) from problem
