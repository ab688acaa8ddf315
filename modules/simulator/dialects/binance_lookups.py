"""Binance USD-M: looking up ordinary orders, one's own trades and liquidations."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from modules.simulator.dialects import binance_format as fmt
from modules.simulator.dialects.binance import Call
from modules.simulator.dialects.binance_errors import declined
from modules.simulator.dialects.binance_orders import WEEK_MS, Orders, forgotten
from modules.simulator.perp.api import Order

if TYPE_CHECKING:
    from modules.simulator.perp.venue import PerpVenue

_T = TypeVar("_T")


class Lookups:
    """Handlers of the questions about orders and trades."""

    def __init__(self, venue: PerpVenue, orders: Orders) -> None:
        self._venue, self._orders = venue, orders

    def _seen(self, call: Call) -> Order:
        """The wanted order as the answering replica knows it. Raises Declined (−2013)."""
        order = self._orders.find(call, call.values)
        known = order if call.seen is None else call.seen.order(order)
        if known is None:
            raise declined(-2013)
        return known

    async def order(self, call: Call) -> object:
        return fmt.order_row(self._seen(call))

    async def open_order(self, call: Call) -> object:
        order = self._seen(call)
        if order.status.final:
            raise declined(-2013)
        return fmt.order_row(order)

    async def open_orders(self, call: Call) -> object:
        if call.symbol is not None:
            self._orders.index(call.symbol)
        found = self._venue.open_orders(call.user, call.symbol)
        if call.seen is not None:
            found = call.seen.open_orders(call.user, call.symbol, found)
        return [fmt.order_row(order) for order in found]

    async def all_orders(self, call: Call) -> object:
        symbol, values = call.values.need("symbol"), call.values
        self._orders.index(symbol)
        limit, first = values.limit(500, 1000), values.whole("orderId")
        start, end = _week(call) if first is None else values.span(WEEK_MS)
        found = [
            order for known in self._venue.orders_of(call.user, symbol)
            if (order := known if call.seen is None else call.seen.order(known)) is not None
            and not forgotten(order, call.ms) and (first is None or order.id >= first)
            and _within(order.created_ms, start, end)]
        return [fmt.order_row(order) for order in _page(found, limit, "startTime" in values or first is not None)]

    async def force_orders(self, call: Call) -> object:
        start, end = call.values.span(WEEK_MS)
        symbols = [call.symbol] if call.symbol is not None else list(self._venue.by_symbol)
        found = [
            order for symbol in symbols if symbol in self._venue.by_symbol
            for order in self._venue.orders_of(call.user, symbol)
            if order.liquidation and _within(order.created_ms, start, end)]
        if call.values.text("autoCloseType") == "ADL":
            found = []  # nobody is deleveraged here: the insurance fund bears it
        return [fmt.force_row(order) for order in _page(found, call.values.limit(50, 100), start is not None)]

    async def user_trades(self, call: Call) -> object:
        symbol, values = call.values.need("symbol"), call.values
        self._orders.index(symbol)
        if "fromId" in values:
            values.refuse("startTime", "endTime")
        first, order_id = values.whole("fromId"), values.whole("orderId")
        start, end = _week(call) if first is None and order_id is None else values.span(WEEK_MS)
        found = [
            fill for fill in self._venue.fills_of(call.user, symbol)
            if (first is None or fill.trade_id >= first) and order_id in (None, fill.order_id)
            and (call.seen is None or fill.ms <= call.seen.ms)
            and _within(fill.ms, start, end)]
        rows = _page(found, values.limit(500, 1000), "startTime" in values or first is not None)
        return [fmt.fill_row(fill) for fill in rows]


def _week(call: Call) -> tuple[int, int]:
    """The asked span: seven days at most from the one end that was named, the last seven where none was."""
    start, end = call.values.span(WEEK_MS)
    if start is not None:
        return start, end if end is not None else start + WEEK_MS
    end = end if end is not None else call.ms
    return end - WEEK_MS, end


def _within(ms: int, start: int | None, end: int | None) -> bool:
    return (start is None or ms >= start) and (end is None or ms <= end)


def _page(rows: list[_T], limit: int, from_start: bool) -> list[_T]:
    """The first rows where a beginning was named, otherwise the latest."""
    return rows[:limit] if from_start else rows[-limit:]
