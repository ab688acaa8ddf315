"""One Bybit account (unified, linear perpetuals, v5). Ordinary and conditional orders share one endpoint and one list.

An order is built from named fields and nothing else, so that nothing can travel that the venue passes over. Its answer
only says that the request was taken: what became of the order is asked by its client id (`orderLinkId`), in the list of
the newest orders and then in the history.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from modules.apikeys.api_manager import ApiManager
from modules.exchange import bybit_parse as parse
from modules.exchange import bybit_shapes as shape
from modules.exchange.bybit_codes import ALREADY_SO, CALLS_A_SECOND
from modules.exchange.futures_types import (
    Bracket,
    Income,
    MarginMode,
    Position,
    PriceSource,
    Setup,
    TriggerLookup,
    TriggerRequest,
    TriggerState,
    Wallet,
)
from modules.exchange.keyed import wire_of
from modules.exchange.lanes import Lane
from modules.exchange.link import Link
from modules.exchange.parsing import unique as unique_rows
from modules.exchange.types import (
    Absent,
    Accepted,
    Fill,
    Lookup,
    Mode,
    OrderRequest,
    OrderState,
    Outcome,
    Refused,
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
from modules.exchange.venue_bybit import ADDRESS, LINEAR, BybitMarket
from modules.exchange.wire import Endpoint

T = TypeVar("T")
# An account may place ten orders a second and cancel ten: nine are used, so that what hurries is never refused.
TEN_A_SECOND = int(CALLS_A_SECOND / 9)


def _get(method: str, path: str) -> Endpoint:
    return Endpoint("privateGetV5" + method, f"v5/{path}", 1, signed=True, bucket=ADDRESS)


def _post(method: str, path: str, *, places: bool = False) -> Endpoint:
    return Endpoint("privatePostV5" + method, f"v5/{path}", TEN_A_SECOND, signed=True, places=places)


PLACE = _post("OrderCreate", "order/create", places=True)
AMEND = _post("OrderAmend", "order/amend")
CANCEL = _post("OrderCancel", "order/cancel")
ORDERS = _get("OrderRealtime", "order/realtime")
PAST_ORDERS = _get("OrderHistory", "order/history")
EXECUTIONS = _get("ExecutionList", "execution/list")
POSITIONS = _get("PositionList", "position/list")
WALLET = _get("AccountWalletBalance", "account/wallet-balance")
INFO = _get("AccountInfo", "account/info")
LOG = _get("AccountTransactionLog", "account/transaction-log")
SET_LEVERAGE = _post("PositionSetLeverage", "position/set-leverage")
SET_MODE = _post("PositionSwitchMode", "position/switch-mode")
SET_MARGIN = _post("AccountSetMarginMode", "account/set-margin-mode")

ORDINARY, CONDITIONAL = "Order", "StopOrder"
PAGE, PAGE_OF_EXECUTIONS, PAGE_OF_POSITIONS = 50, 100, 200
MOST_PAGES = 400
_SOURCES = {PriceSource.MARK: "MarkPrice", PriceSource.LAST: "LastPrice"}


def _of(symbol: str | None) -> dict[str, str | int]:
    """One contract, or all that settle in the coin: without either the venue refuses."""
    return {**LINEAR, "settleCoin": parse.ASSET} if symbol is None else {**LINEAR, "symbol": symbol}


def order_params(request: OrderRequest) -> dict[str, str | int]:
    """The parameters of an order: these and no others. Raises ValueError for a senseless order."""
    kind, until = parse.TYPES[request.type]
    quantity = quantity_of(request)
    if quantity <= 0:
        raise ValueError("an order has a quantity above 0; 0 would close the whole position there")
    params: dict[str, str | int] = {
        **_of(request.symbol), "side": parse.SIDE_WORDS[request.side], "orderType": kind,
        "qty": plain(quantity), "timeInForce": until, "positionIdx": parse.INDEX[request.position_side],
        "orderLinkId": request.client_id}
    if request.price is not None:
        params["price"] = plain(request.price)
    if closes(request):
        params["reduceOnly"] = True
    return params


def trigger_params(request: TriggerRequest) -> dict[str, str | int]:
    """The parameters of a conditional order that closes: these and no others. Raises ValueError for one that opens.

    Quantity 0 with `reduceOnly` and `closeOnTrigger` closes the whole position, whatever it is then.
    """
    closing_only(request)
    params: dict[str, str | int] = {
        **_of(request.symbol), "side": parse.SIDE_WORDS[request.side], "orderType": "Market",
        "qty": "0" if request.quantity is None else plain(request.quantity),
        "positionIdx": parse.INDEX[request.position_side], "triggerPrice": plain(request.trigger),
        "triggerDirection": parse.direction(request.kind, request.side), "triggerBy": _SOURCES[request.source],
        "reduceOnly": True, "orderLinkId": request.client_id}
    if request.quantity is None:
        params["closeOnTrigger"] = True
    return params


class BybitAccount(VenueAccount):
    """The venue's own account. Implements ``futures_api.FuturesAccount``.

    `symbols` are the contracts that are traded: Bybit keeps position mode and leverage for each and tells neither of
    all in one call. `hedge` is the mode that is required of them.
    """

    mode = Mode.LIVE
    already_so = ALREADY_SO

    def __init__(self, market: BybitMarket, api_key: str, secret: str, symbols: Sequence[str], hedge: bool = True,
                 keys: ApiManager | None = None) -> None:
        self.link: Link = market.link
        self.symbols = tuple(symbols)
        self.key = (api_key, secret)
        self._market = market
        self._required = hedge
        self._hedged: dict[str, bool] = {}
        self._isolated = False
        self._wire = wire_of(self.link, "bybit", api_key, secret, keys)

    def __repr__(self) -> str:
        return "BybitAccount(…)"

    async def _pages(self, endpoint: Endpoint, params: Params, size: int,
                     read: Callable[[str], tuple[list[T], str]], lane: Lane, *, soon: bool = False) -> list[T]:
        """All pages. Raises Unavailable; a cursor that comes again is no page."""
        found: list[T] = []
        cursor, seen = "", set[str]()
        for _ in range(MOST_PAGES):
            rows, cursor = await self._read(
                endpoint, {**params, "limit": size, **({"cursor": cursor} if cursor else {})}, read, lane, soon=soon)
            found += rows
            if not cursor:
                return found
            if cursor in seen:
                raise Unavailable(f"The exchange's list {endpoint.path} comes back to a page of before.")
            seen.add(cursor)
        raise Unavailable(f"The exchange has more rows of {endpoint.path} than {MOST_PAGES * size}.")

    # -- orders ----------------------------------------------------------------------------------------------

    async def place(self, request: OrderRequest) -> Outcome:
        """Send an order, once. What opens goes in the lane of entries, what closes in that of exits (X31)."""
        return await self._send(PLACE, order_params(request), lane_of(request),
                                lambda body: Accepted(parse.placed(body, request.client_id)))

    async def amend(self, symbol: str, client_id: str, *, quantity: Any = None, price: Any = None,
                    trigger: Any = None) -> Outcome:
        """Other figures of an open order, in place. Its answer only says that the request was taken."""
        figures = {"qty": quantity, "price": price, "triggerPrice": trigger}
        params = {**_of(symbol), "orderLinkId": client_id,
                  **{name: plain(value) for name, value in figures.items() if value is not None}}
        return await self._send(AMEND, params, Lane.EXIT, lambda body: Accepted(parse.placed(body, client_id)))

    async def cancel(self, symbol: str, client_id: str) -> Outcome:
        return await self._send(CANCEL, {**_of(symbol), "orderLinkId": client_id}, Lane.PROTECT,
                                lambda body: Accepted(parse.placed(body, client_id)))

    async def _found(self, symbol: str, client_id: str) -> shape.OrderRow | Absent | Unknown:
        """An order by its client id: among open and newest ones, then in the history (X4: absent only by both)."""
        params = {**_of(symbol), "orderLinkId": client_id}
        try:
            for endpoint in (ORDERS, PAST_ORDERS):
                row = await self._read(endpoint, params, lambda body: parse.named(
                    parse.order_rows(body)[0], symbol, client_id), Lane.LOOKUP)
                if row is not None:
                    return row
        except Unavailable as problem:
            return Unknown(str(problem))
        return Absent(client_id)

    async def order(self, symbol: str, client_id: str) -> Lookup:
        found = await self._found(symbol, client_id)
        return self._as(found, parse.order)

    async def trigger(self, symbol: str, client_id: str) -> TriggerLookup:
        found = await self._found(symbol, client_id)
        return self._as(found, parse.trigger)

    def _as(self, found: shape.OrderRow | Absent | Unknown,
            read: Callable[[shape.OrderRow], T]) -> T | Absent | Unknown:
        if isinstance(found, Absent | Unknown):
            return found
        try:
            return self.link.readable(lambda: read(found), ORDERS)
        except Unavailable as problem:
            return Unknown(str(problem))

    async def _listed(self, symbol: str | None, family: str) -> list[shape.OrderRow]:
        rows = await self._pages(ORDERS, {**_of(symbol), "openOnly": 0, "orderFilter": family}, PAGE, parse.order_rows,
                                 Lane.EXIT, soon=family == CONDITIONAL)
        found = self.link.readable(lambda: unique_rows(rows, lambda row: row.orderId, "order"), ORDERS)
        return list(found.values())

    async def open_orders(self, symbol: str | None = None) -> Sequence[OrderState]:
        """Ordinary ones alone: the venue would list both families together."""
        rows = await self._listed(symbol, ORDINARY)
        return self.link.readable(lambda: [parse.order(row) for row in rows], ORDERS)

    async def fills(self, symbol: str, since_ms: int) -> Sequence[Fill]:
        hedge = await self._mode(symbol)
        until = self._until_ms()
        found: list[Fill] = []
        for start, end in weeks(max(since_ms, 0) or until - SPAN_MS, until):
            found += await self._pages(EXECUTIONS, {**_of(symbol), "startTime": start, "endTime": end},
                                       PAGE_OF_EXECUTIONS, partial(parse.fills, symbol=symbol, hedge=hedge),
                                       Lane.EXIT)
        unique = self.link.readable(lambda: unique_rows(found, lambda fill: fill.id, "fill"), EXECUTIONS)
        return sorted(unique.values(), key=lambda fill: (fill.market_ms, len(fill.id), fill.id))

    # -- conditional orders ----------------------------------------------------------------------------------

    async def place_trigger(self, request: TriggerRequest) -> Outcome:
        return await self._send(PLACE, trigger_params(request), Lane.PROTECT,
                                lambda body: Accepted(parse.placed(body, request.client_id)))

    async def cancel_trigger(self, symbol: str, client_id: str) -> Outcome:
        return await self.cancel(symbol, client_id)

    async def open_triggers(self, symbol: str | None = None) -> Sequence[TriggerState]:
        rows = await self._listed(symbol, CONDITIONAL)
        return self.link.readable(lambda: [parse.trigger(row) for row in rows], ORDERS)

    # -- the account -----------------------------------------------------------------------------------------

    async def wallet(self) -> Wallet:
        return await self._read(WALLET, {"accountType": "UNIFIED", "coin": parse.ASSET}, parse.wallet, Lane.EXIT)

    async def positions(self) -> Sequence[Position]:
        rows = await self._pages(POSITIONS, _of(None), PAGE_OF_POSITIONS, parse.position_rows, Lane.EXIT, soon=True)
        return self.link.readable(lambda: parse.positions(rows, self._isolated), POSITIONS)

    async def _rows_of(self, symbol: str) -> list[shape.PositionRow]:
        return (await self._read(POSITIONS, _of(symbol), parse.position_rows, Lane.EXIT))[0]

    async def _mode(self, symbol: str) -> bool:
        """A contract's position mode, as it was read last; asked anew while it is not the one that is required, for it
        may have been set since: executions name no leg, and one read in the wrong mode is booked in the wrong leg.
        """
        if self._hedged.get(symbol) is not self._required:
            rows = await self._rows_of(symbol)
            self._hedged[symbol] = self.link.readable(lambda: parse.hedged(rows, symbol), POSITIONS)
        return self._hedged[symbol]

    async def hedge(self) -> bool:
        """Whether every traded contract keeps positions per side. A mixture is never what is required (X22)."""
        self._hedged.clear()
        modes = {await self._mode(symbol) for symbol in self.symbols}
        return modes.pop() if len(modes) == 1 else not self._required

    async def _margin(self) -> MarginMode | None:
        found = await self._read(INFO, {}, parse.margin, Lane.EXIT)
        self._isolated = found is MarginMode.ISOLATED
        return found

    async def setups(self) -> Mapping[str, Setup]:
        """Of the traded contracts. With portfolio margin none is told: nothing is traded then."""
        mode, found = await self._margin(), dict[str, Setup]()
        if mode is None:
            return found
        for symbol in self.symbols:
            rows = await self._rows_of(symbol)
            one = self.link.readable(partial(parse.setup, rows, symbol, mode), POSITIONS)
            if one is not None:
                found[symbol] = one
        return found

    async def brackets(self, symbol: str) -> Sequence[Bracket]:
        return await self._market.brackets(symbol)

    async def incomes(self, since_ms: int) -> Sequence[Income]:
        found: list[Income] = []
        for start, end in weeks(since_ms, self._until_ms()):
            found += await self._pages(
                LOG, {"accountType": "UNIFIED", "currency": parse.ASSET, "startTime": start, "endTime": end}, PAGE,
                parse.incomes, Lane.EXIT)
        unique = self.link.readable(
            lambda: unique_rows(found, lambda row: f"{row.kind} {row.id} {row.symbol}", "row of the log"), LOG)
        return sorted(unique.values(), key=lambda row: row.market_ms)

    async def set_hedge(self, on: bool) -> Outcome:
        self._hedged.clear()
        return await self._set(SET_MODE, {**LINEAR, "coin": parse.ASSET, "mode": 3 if on else 0})

    async def set_leverage(self, symbol: str, leverage: int) -> Outcome:
        return await self._set(SET_LEVERAGE, {**_of(symbol), "buyLeverage": str(leverage),
                                              "sellLeverage": str(leverage)})

    async def set_margin(self, symbol: str, mode: MarginMode) -> Outcome:
        """The margin mode is the whole account's at Bybit: refused here while anything is held or open (X22)."""
        try:
            if await self._margin() is mode:
                return Accepted("")
            if await self.positions() or await self.open_orders() or await self.open_triggers():
                return Refused("3400045", "Bybit's margin mode is the whole account's; positions or orders are open")
        except Unavailable as problem:
            return Unknown(str(problem))
        return await self._set(SET_MARGIN, {"setMarginMode": parse.MARGIN_WORDS[mode]})
