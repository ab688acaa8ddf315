"""Binance USD-M: placing, changing and cancelling ordinary orders."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from modules.simulator.dialects import binance_format as fmt
from modules.simulator.dialects.binance import Call
from modules.simulator.dialects.binance_errors import (
    Declined,
    content,
    declined,
    malformed,
    missing,
    not_required,
    one_of,
)
from modules.simulator.dialects.binance_params import Values, judge
from modules.simulator.dialects.binance_reasons import as_declined
from modules.simulator.dialects.params import Param, params_line
from modules.simulator.perp.api import Kind, NewOrder, Order, Refused, Side, Tif, Why

if TYPE_CHECKING:
    from modules.simulator.perp.venue import PerpVenue

DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS
SIDES = "BUY|SELL"
LEGS = "BOTH|LONG|SHORT"
STP_MODES = "EXPIRE_MAKER"  # what the matching does; any other wish is refused (−5039) rather than passed over
MATCHES = ("NONE|OPPONENT|OPPONENT_5|OPPONENT_10|OPPONENT_20|QUEUE|QUEUE_5|QUEUE_10|QUEUE_20")
ORDER_LINE = (
    f"symbol!:symbol side!={SIDES} positionSide={LEGS} type! timeInForce=GTC|IOC|FOK|GTX|GTD quantity:dec "
    f"reduceOnly:bool price:dec newClientOrderId:id newOrderRespType=ACK|RESULT priceMatch={MATCHES} "
    f"selfTradePreventionMode={STP_MODES} goodTillDate:int stopPrice:dec closePosition:bool activationPrice:dec "
    "callbackRate:dec workingType=MARK_PRICE|CONTRACT_PRICE priceProtect:bool")
MODIFY_LINE = (
    f"symbol!:symbol side!={SIDES} quantity!:dec price:dec orderId:int origClientOrderId:id priceMatch={MATCHES} "
    "modifyId:int reduceOnly:bool")
_ORDER_PARAMS, _MODIFY_PARAMS = params_line(ORDER_LINE), params_line(MODIFY_LINE)
_ORDER_IDS = params_line("symbol!:symbol orderId:int origClientOrderId:id")
_ALGO_KINDS = frozenset(Kind) - {Kind.LIMIT, Kind.MARKET}
_ALGO_ONLY = ("stopPrice", "closePosition", "activationPrice", "callbackRate", "workingType", "priceProtect")
_MATCH = re.compile(r"(OPPONENT|QUEUE)(?:_(\d+))?")
GTD_AHEAD_MS = 600_000
GTD_LAST_MS = 253_402_300_799_000
MAX_BATCH = 5


class Orders:
    """Handlers of the ordinary orders' endpoints."""

    def __init__(self, venue: PerpVenue) -> None:
        self._venue = venue

    # -- placing -------------------------------------------------------------------------------------------------

    async def place(self, call: Call) -> object:
        return self._place(call, call.values)

    async def test(self, call: Call) -> object:
        """Judge an order without placing it."""
        self._venue.test(call.user, self._wanted(call, call.values))
        return {}

    def _place(self, call: Call, values: Values) -> dict[str, Any]:
        order = self._venue.place(call.user, self._wanted(call, values))
        return fmt.order_row(order, timed=False, acknowledged=values.text("newOrderRespType") != "RESULT")

    def _wanted(self, call: Call, values: Values) -> NewOrder:
        """A new order's parameters. Raises Declined."""
        kind = _kind(values)
        values.refuse(*_ALGO_ONLY)
        limit = kind is Kind.LIMIT
        matched = values.text("priceMatch") not in (None, fmt.NO_MATCH)
        if limit:
            values.need("timeInForce")
            if matched:
                values.refuse("price")
            else:
                values.need("price")
        elif "timeInForce" in values:
            raise declined(-1114)
        else:
            values.refuse("price", "goodTillDate")
            if matched:
                raise Declined(-5038, "Price match only supports order type: LIMIT, STOP AND TAKE_PROFIT")
        values.need("quantity")
        tif = Tif(values.text("timeInForce") or Tif.GTC)
        side, symbol = Side(values.need("side")), values.need("symbol")
        quantity = values.need_money("quantity")
        if quantity <= 0:
            raise declined(-4003)
        price = values.money("price") if not matched else self._matched(values.need("priceMatch"), symbol, side)
        if limit and price is not None and price <= 0:
            raise declined(-4001)
        if call.user.hedge and "reduceOnly" in values:
            raise not_required("reduceonly")
        return NewOrder(
            symbol, side, kind, quantity, price, tif, fmt.wanted_leg(values.text("positionSide")),
            values.truth("reduceOnly"), values.text("newClientOrderId"), good_till(call, values, tif))

    def _matched(self, match: str, symbol: str, side: Side) -> Decimal:
        """The price that `priceMatch` stands for: the n-th level of one's own side (QUEUE) or of the other."""
        index = self.index(symbol)
        found = _MATCH.fullmatch(match)
        assert found is not None
        level = int(found[2] or 1)
        _, bids, asks = self._venue.depth(index, level)
        own, other = (bids, asks) if side is Side.BUY else (asks, bids)
        ladder = own if found[1] == "QUEUE" else other
        if len(ladder) < level:
            raise Declined(-5041, "No depth matches this BBO order.")
        return self._venue.specs[index].price(ladder[level - 1][0])

    def index(self, symbol: str) -> int:
        """A symbol's place. Raises Declined (−1121)."""
        index = self._venue.by_symbol.get(symbol)
        if index is None:
            raise declined(-1121)
        return index

    async def place_batch(self, call: Call) -> object:
        """Several orders; each one's answer stands in its place, refusals too."""
        return [self._in_batch(call, row, _ORDER_PARAMS, self._place) for row in _batch(call.values)]

    async def modify_batch(self, call: Call) -> object:
        return [self._in_batch(call, row, _MODIFY_PARAMS, self._modify) for row in _batch(call.values)]

    def _in_batch(self, call: Call, row: Any, known: dict[str, Param], do: Any) -> dict[str, Any]:
        try:
            if not isinstance(row, dict):
                raise malformed("batchOrders")
            params = {str(name): _text(value) for name, value in row.items()}
            odd = sorted(params.keys() - known.keys())
            if odd:
                raise Declined(-1104, f"Not all sent parameters were read: {', '.join(odd)}.")
            judge(params, known)
            answer: dict[str, Any] = do(call, Values(params))
        except Declined as refusal:
            return content(refusal)
        except Refused as refused:
            return content(as_declined(refused))
        return answer

    # -- changing and cancelling ---------------------------------------------------------------------------------

    async def modify(self, call: Call) -> object:
        return self._modify(call, call.values)

    def _modify(self, call: Call, values: Values) -> dict[str, Any]:
        order = self.find(call, values)
        if order.status.final:
            raise declined(-2013)
        side = Side(values.need("side"))
        if order.kind is not Kind.LIMIT:
            raise declined(-5025)
        if values.text("priceMatch") not in (None, fmt.NO_MATCH):
            values.refuse("price")
            price = self._matched(values.need("priceMatch"), order.symbol, side)
        else:
            price = values.need_money("price")
        self._venue.modify(call.user, order, side, values.need_money("quantity"), price)
        row = fmt.order_row(order, timed=False)
        return {"orderId": row.pop("orderId"), "symbol": row.pop("symbol"), "pair": order.symbol, **row}

    async def cancel(self, call: Call) -> object:
        return self._cancel(call, self.find(call, call.values, missing_code=-2011))

    def _cancel(self, call: Call, order: Order) -> dict[str, Any]:
        if order.status.final:
            raise declined(-2011)
        self._venue.cancel(call.user, order)
        return fmt.order_row(order, timed=False)

    async def cancel_batch(self, call: Call) -> object:
        values = call.values
        ids = _list(values, "orderIdList", "orderidlist")
        client_ids = _list(values, "origClientOrderIdList", "origclientorderidlist")
        if not ids and not client_ids:
            raise one_of("orderIdList", "origClientOrderIdList")
        if len(ids or client_ids) > 10:
            raise Declined(-4032, "Exceed maximum cancel order size.")
        symbol = values.need("symbol")
        rows: list[dict[str, Any]] = []
        for one in ids or client_ids:
            name = "orderId" if ids else "origClientOrderId"
            try:
                params = {"symbol": symbol, name: str(one)}
                judge(params, _ORDER_IDS)
                rows.append(self._cancel(call, self.find(call, Values(params), missing_code=-2011)))
            except Declined as refusal:
                rows.append(content(refusal))
        return rows

    async def cancel_all(self, call: Call) -> object:
        self.index(call.values.need("symbol"))
        self._venue.cancel_all(call.user, call.values.need("symbol"))
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    async def countdown(self, call: Call) -> object:
        symbol, ms = call.values.need("symbol"), call.values.whole("countdownTime") or 0
        self.index(symbol)
        if ms < 0:
            raise malformed("countdownTime")
        self._venue.countdown(call.user, symbol, ms)
        return {"symbol": symbol, "countdownTime": str(ms)}

    # -- looking up ----------------------------------------------------------------------------------------------

    def find(self, call: Call, values: Values, missing_code: int = -2013) -> Order:
        """An order by either of its ids. Raises Declined."""
        symbol, order_id = values.need("symbol"), values.whole("orderId")
        client_id = values.text("origClientOrderId")
        self.index(symbol)
        if order_id is None and client_id is None:
            raise one_of("origClientOrderId", "orderId")
        try:
            found = self._venue.find(call.user, symbol, order_id=order_id, client_id=client_id)
        except Refused as refused:
            if refused.why is Why.ORDER_NOT_FOUND:
                raise declined(missing_code) from None
            raise
        if forgotten(found, call.ms):
            raise declined(missing_code)
        return found

    def aimed_at(self, call_user: Any, params: Mapping[str, Any]) -> Order | None:
        """The order that a request is about (of all orders of a symbol the oldest open one); for the faults."""
        symbol, order_id = params.get("symbol"), params.get("orderId", "")
        if symbol not in self._venue.by_symbol:
            return None
        client_id = params.get("origClientOrderId")
        if order_id.isdigit() or client_id:
            try:
                return self._venue.find(
                    call_user, symbol, order_id=int(order_id) if order_id.isdigit() else None, client_id=client_id)
            except Refused:
                return None
        return next(iter(self._venue.open_orders(call_user, symbol)), None)


def forgotten(order: Order, ms: int) -> bool:
    """The venue answers for ended orders 90 days, for those without any fill three."""
    age = ms - order.created_ms
    return order.status.final and age > (90 if order.filled else 3) * DAY_MS


def good_till(call: Call, values: Values, tif: Tif) -> int | None:
    """`goodTillDate`, needed with GTD alone. Raises Declined."""
    until = values.whole("goodTillDate")
    if tif is not Tif.GTD:
        if until:
            raise not_required("goodTillDate")
        return None
    if until is None:
        raise missing("goodTillDate")
    if not call.told_ms + GTD_AHEAD_MS < until < GTD_LAST_MS:
        raise declined(-5040)
    return until // 1000 * 1000  # the venue keeps whole seconds


def _kind(values: Values) -> Kind:
    text = values.need("type")
    if text in _ALGO_KINDS:
        raise declined(-4120)  # X26
    if text not in (Kind.LIMIT, Kind.MARKET):
        raise declined(-1116)
    return Kind(text)


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _batch(values: Values) -> list[Any]:
    rows = _json_list(values.need("batchOrders"), "batchOrders")
    if not 0 < len(rows) <= MAX_BATCH:
        raise declined(-4082)
    return rows


def batch_size(values: Values) -> int:
    """How many orders a batch counts for."""
    try:
        return max(1, len(_json_list(values.text("batchOrders") or "[]", "batchOrders")))
    except Declined:
        return 1


def _list(values: Values, *names: str) -> list[Any]:
    text = next((values.text(name) for name in names if name in values), None)
    return [] if text is None else _json_list(text, names[0])


def _json_list(text: str, name: str) -> list[Any]:
    try:
        rows = json.loads(text)
    except ValueError:
        raise malformed(name) from None
    if not isinstance(rows, list):
        raise malformed(name)
    return rows
