"""Bitget v2 mix: orders, fills and bills of an account; as a lagging replica knows them where the faults say so."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from modules.simulator.dialects import bitget_format as fmt
from modules.simulator.dialects.bitget import Call
from modules.simulator.dialects.bitget_errors import declined
from modules.simulator.dialects.bitget_market import PRODUCT
from modules.simulator.dialects.bitget_orders import Orders
from modules.simulator.dialects.bitget_rounds import Rounds
from modules.simulator.dialects.params import DAY_MS
from modules.simulator.perp.api import Order

if TYPE_CHECKING:
    from modules.simulator.perp.venue import PerpVenue

_T = TypeVar("_T")
KEPT_MS = 90 * DAY_MS  # ended orders, fills and positions are answered so long


class Lookups:
    """Handlers that read what became of things."""

    def __init__(self, venue: PerpVenue, orders: Orders, rounds: Rounds) -> None:
        self._venue, self._orders, self._rounds = venue, orders, rounds

    def _row(self, call: Call, order: Order, *, one: bool = False) -> dict[str, Any]:
        sums = self._rounds.order(order.id)
        return fmt.order_row(call.user, order, sums.fee, sums.result, one=one)

    async def detail(self, call: Call) -> object:
        self._orders.spec(call.values)
        order = self._orders.find(call, "40109")
        known = order if call.seen is None else call.seen.order(order)
        if known is None or (known.status.final and known.updated_ms < call.ms - KEPT_MS):
            raise declined("40109")
        return self._row(call, known, one=True)

    async def pending(self, call: Call) -> object:
        symbol = self._symbol(call)
        found = self._venue.open_orders(call.user, symbol)
        if call.seen is not None:
            found = call.seen.open_orders(call.user, symbol, found)
        return self._listed(call, found)

    async def history(self, call: Call) -> object:
        symbol = self._symbol(call)
        found = self._venue.orders_of(call.user, symbol)
        if call.seen is not None:
            found = [one for order in found if (one := call.seen.order(order)) is not None]
        return self._listed(call, [
            order for order in found if order.status.final and order.updated_ms >= call.ms - KEPT_MS])

    def _symbol(self, call: Call) -> str | None:
        return self._orders.spec(call.values).symbol if call.symbol is not None else None

    def _listed(self, call: Call, found: list[Order]) -> object:
        number, client_id = call.values.whole("orderId"), call.values.text("clientOid")
        state = call.values.text("status")
        found = [order for order in found if number in (None, order.id) and client_id in (None, order.client_id)]
        rows = paged(call, found, lambda order: (order.id, order.created_ms), lambda order: self._row(call, order))
        if state is not None:
            rows = [row for row in rows if row["status"] == state]
        return {"entrustedList": rows or None, "endId": rows[-1]["orderId"] if rows else None}

    async def fills(self, call: Call) -> object:
        symbol, number = self._symbol(call), call.values.whole("orderId")
        found = [fill for fill in self._venue.fills_of(call.user, symbol)
                 if number in (None, fill.order_id) and fill.ms >= call.ms - KEPT_MS
                 and (call.seen is None or fill.ms <= call.seen.ms)]
        rows = paged(call, found, lambda fill: (fill.trade_id, fill.ms), fmt.fill_row)
        return {"fillList": rows or None, "endId": rows[-1]["tradeId"] if rows else None}

    async def bills(self, call: Call) -> object:
        balance, rows = Decimal(0), []
        fills = {(fill.symbol, fill.trade_id): fill for fill in self._venue.fills_of(call.user)}
        for row in self._venue.income_of(call.user):
            balance += row.amount
            if call.seen is None or row.ms <= call.seen.ms:
                rows.append(fmt.Bill(row, balance, fills.get((row.symbol, row.trade_id))))
        coin, kind = call.values.text("coin") or call.values.text("marginCoin"), call.values.text("businessType")
        symbol = self._symbol(call)
        rows = [bill for bill in rows
                if kind in (None, bill.business) and coin in (None, bill.row.asset)
                and symbol in (None, bill.row.symbol) and bill.row.ms >= call.ms - KEPT_MS]
        told = paged(call, rows, lambda bill: (bill.row.id, bill.row.ms), fmt.bill_row)
        return {"bills": told, "endId": told[-1]["billId"] if told else None}


def paged(
    call: Call, found: list[_T], key: Callable[[_T], tuple[int, int]], row: Callable[[_T], dict[str, Any]]
) -> list[dict[str, Any]]:
    """Newest first, within `startTime`, `endTime` and `idLessThan`, `limit` rows (100 at most)."""
    if call.values.text("productType") != PRODUCT:
        return []
    start, end = call.values.span(90)
    before, limit = call.values.whole("idLessThan"), call.values.limit(100, 100)
    rows: list[dict[str, Any]] = []
    for one in reversed(found):
        number, ms = key(one)
        if (start is None or ms >= start) and (end is None or ms <= end) and (before is None or number < before):
            rows.append(row(one))
            if len(rows) == limit:
                break
    return rows
