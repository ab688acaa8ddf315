"""Bybit v5: placing, changing, cancelling and finding orders, ordinary and conditional: one endpoint serves both."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from modules.simulator.dialects import bybit_format as fmt
from modules.simulator.dialects.bybit import Call
from modules.simulator.dialects.bybit_errors import Declined, declined
from modules.simulator.dialects.bybit_format import Told
from modules.simulator.dialects.bybit_params import CATEGORIES, Values
from modules.simulator.dialects.taking import take
from modules.simulator.perp.api import (
    ZERO,
    Account,
    Algo,
    AlgoStatus,
    Kind,
    Leg,
    NewAlgo,
    NewOrder,
    Order,
    Refused,
    Side,
    Spec,
    Tif,
    Why,
)

if TYPE_CHECKING:
    from modules.simulator.dialects.bitget_rounds import Rounds
    from modules.simulator.perp.venue import PerpVenue

IDS = "orderId orderLinkId:id"
CREATE_LINE = (
    f"{CATEGORIES} symbol!:symbol side!=Buy|Sell orderType!=Market|Limit qty!:dec price:dec positionIdx=0|1|2 "
    "timeInForce=GTC|IOC|FOK|PostOnly orderLinkId:id reduceOnly:flag closeOnTrigger:flag triggerPrice:dec "
    "triggerDirection=1|2 triggerBy=LastPrice|MarkPrice orderFilter=Order|StopOrder smpType=None isLeverage=0")
AMEND_LINE = f"{CATEGORIES} symbol!:symbol {IDS} qty:dec price:dec triggerPrice:dec triggerBy=LastPrice|MarkPrice"
CANCEL_LINE = f"{CATEGORIES} symbol!:symbol {IDS} orderFilter=Order|StopOrder"
CANCEL_ALL_LINE = f"{CATEGORIES} symbol:symbol baseCoin:symbol settleCoin:symbol orderFilter=Order|StopOrder"
LISTED_LINE = (f"{CATEGORIES} symbol:symbol baseCoin:symbol settleCoin:symbol {IDS} orderFilter=Order|StopOrder "
               "limit:int cursor")
REALTIME_LINE = f"{LISTED_LINE} openOnly=0|1|2"
_STATES = "New|PartiallyFilled|Filled|Cancelled|Rejected|Untriggered|Triggered|Deactivated"
HISTORY_LINE = f"{LISTED_LINE} orderStatus={_STATES} startTime:int endTime:int"
#: what the venue takes and then cancels, where the book has nothing for it
_CANCELLED_AT_ONCE = {Why.POST_ONLY: "post only", Why.FOK: "fill or kill", Why.NO_COUNTERPARTY: "no counterparty"}
_RECENT = 500
_CURSOR = re.compile(r"[0-9]{1,19}")


class Orders:
    """Handlers of the orders' endpoints."""

    def __init__(self, venue: PerpVenue, rounds: Rounds) -> None:
        self.venue, self._rounds = venue, rounds

    def spec(self, values: Values) -> Spec:
        """The contract that the parameters name. Raises Declined."""
        index = self.venue.by_symbol.get(values.need("symbol")) if values.linear else None
        if index is None:
            raise declined(10001, "symbol invalid")
        return self.venue.specs[index]

    # -- placing -----------------------------------------------------------------------------------------------

    async def create(self, call: Call) -> object:
        """An order, or with `triggerPrice` a conditional one."""
        values, account = call.values, call.user
        spec, link = self.spec(values), values.text("orderLinkId")
        if link is not None and self.by_link(account, link) is not None:
            raise declined(110072)
        side = Side.BUY if values.need("side") == "Buy" else Side.SELL
        leg = self._leg(account, values)
        size = self._size(account, spec, side, leg, values)
        limit = values.need("orderType") == "Limit"
        price = values.money("price") if limit else None
        if limit and not price:
            raise declined(10001, "price is empty")
        tif = fmt.TIFS[values.text("timeInForce") or "GTC"] if limit else Tif.GTC
        if values.money("triggerPrice"):
            made: Order | Algo = self._conditional(account, spec, values, side, leg, size, price, tif)
        else:
            if size is None:
                raise declined(10001, "qty is zero")
            made = take(self.venue, account, NewOrder(
                spec.symbol, side, Kind.LIMIT if limit else Kind.MARKET, size, price, tif,
                None if leg is Leg.BOTH else leg, values.flag("reduceOnly") and leg is Leg.BOTH, link),
                        _CANCELLED_AT_ONCE)
        return self.named(Told(made) if isinstance(made, Order) else Told(None, made))

    @staticmethod
    def _leg(account: Account, values: Values) -> Leg:
        """The leg that `positionIdx` names. Raises Declined where it belongs to the other position mode."""
        leg = fmt.LEGS[values.text("positionIdx") or "0"]
        if (leg is Leg.BOTH) == account.hedge:
            raise Declined(10001, "position idx not match position mode", 200)
        return leg

    def _size(self, account: Account, spec: Spec, side: Side, leg: Leg, values: Values) -> Decimal | None:
        """The quantity; a reducing order is cut to what is held. None closes all of it (qty 0). Raises Declined."""
        size = values.money("qty") or ZERO
        reduce_only = values.flag("reduceOnly")
        if size < 0 or (not size and not (reduce_only and values.flag("closeOnTrigger"))):
            raise declined(10001, "qty is zero")
        if not reduce_only or values.money("triggerPrice"):
            return size or None
        self.venue.step()
        held = self.venue.ledger.closable(account, spec.symbol, leg, side.sign) * spec.step
        if not held:
            raise declined(110017)
        return min(size, held) if size else held

    def _conditional(
        self, account: Account, spec: Spec, values: Values, side: Side, leg: Leg, size: Decimal | None,
        price: Decimal | None, tif: Tif,
    ) -> Algo:
        """A waiting order. Raises Declined where its trigger lies on the wrong side of the price."""
        direction, trigger = values.text("triggerDirection"), values.money("triggerPrice")
        if direction is None:
            raise declined(10001, "triggerDirection is empty")
        rising = direction == "1"
        if (side is Side.BUY) == rising:
            kind = Kind.STOP if price is not None else Kind.STOP_MARKET
        else:
            kind = Kind.TAKE_PROFIT if price is not None else Kind.TAKE_PROFIT_MARKET
        reduce_only = values.flag("reduceOnly")
        if leg is not Leg.BOTH and reduce_only and (side is Side.BUY) == (leg is Leg.LONG):
            raise declined(110017, "the order would open")
        new = NewAlgo(
            spec.symbol, side, kind, size, trigger, price, tif, None if leg is Leg.BOTH else leg,
            reduce_only and leg is Leg.BOTH and size is not None, size is None,
            fmt.WORKING[values.text("triggerBy") or "LastPrice"], values.text("orderLinkId"), several=True)
        try:
            return self.venue.place_algo(account, new)
        except Refused as refused:
            if refused.why is Why.WOULD_TRIGGER:
                raise declined(110092 if rising else 110093) from None
            raise

    @staticmethod
    def named(told: Told) -> dict[str, str]:
        """What the endpoints of orders answer."""
        link = told.head.client_id
        return {"orderId": str(told.id), "orderLinkId": "" if link.startswith("sim") else link}

    # -- changing ----------------------------------------------------------------------------------------------

    async def amend(self, call: Call) -> object:
        """Other figures in place, under the same ids."""
        values, account = call.values, call.user
        spec, told = self.spec(values), self.find(call)
        if not told.open:
            raise declined(110001)
        qty, price, trigger = values.money("qty"), values.money("price"), values.money("triggerPrice")
        if qty is None and price is None and trigger is None:
            raise declined(10001, "nothing to amend")
        if told.order is not None:
            order = told.order
            self.venue.modify(account, order, order.side, qty if qty is not None else spec.qty(order.qty),
                              price if price is not None else spec.price(order.price))
        elif told.algo is not None:
            self._amend_algo(account, spec, told.algo, values)
        return self.named(told)

    def _amend_algo(self, account: Account, spec: Spec, algo: Algo, values: Values) -> None:
        qty, price, trigger = values.money("qty"), values.money("price"), values.money("triggerPrice")
        limit, hedge = algo.kind in (Kind.STOP, Kind.TAKE_PROFIT), algo.leg is not Leg.BOTH
        working = values.text("triggerBy")
        new = NewAlgo(
            algo.symbol, algo.side, algo.kind, None if algo.close_position else qty or spec.qty(algo.qty),
            trigger or spec.price(algo.trigger), (price or spec.price(algo.price)) if limit else None, algo.tif,
            algo.leg if hedge else None, algo.reduce_only and not hedge and not algo.close_position,
            algo.close_position, fmt.WORKING[working] if working is not None else algo.working, algo.client_id,
            several=True)
        try:
            with self.venue.doing():
                self.venue.algos.amend(account, algo, new)
        except Refused as refused:
            if refused.why is Why.WOULD_TRIGGER:
                raise declined(110092 if algo.above else 110093) from None
            raise

    async def cancel(self, call: Call) -> object:
        """Either kind, by either id."""
        self.spec(call.values)
        told = self.find(call)
        self._end(call.user, told)
        return self.named(told)

    def _end(self, account: Account, told: Told) -> None:
        if told.order is not None:
            self.venue.cancel(account, told.order)
        elif told.algo is not None:
            self.venue.cancel_algo(account, told.algo)

    async def cancel_all(self, call: Call) -> object:
        """Ordinary orders, or with ``orderFilter=StopOrder`` conditional ones; neither is named: both."""
        symbol, account = self._scope(call), call.user
        kind = call.values.text("orderFilter")
        found = [one for one in self.told(account, symbol) if one.open and _is(kind, one)] if call.values.linear else []
        for one in found:
            self._end(account, one)
        return {"list": [self.named(one) for one in found], "success": "1"}

    # -- looking up ----------------------------------------------------------------------------------------------

    def _scope(self, call: Call) -> str | None:
        """The symbol, or None for all that settle in the coin. Raises Declined where the call names none of them."""
        if call.symbol is not None and call.values.linear:
            return self.spec(call.values).symbol
        if not any(name in call.values for name in ("settleCoin", "baseCoin", "orderId", "orderLinkId")):
            raise declined(10001, "Missing some parameters that must be filled in, symbol or settleCoin or baseCoin")
        return None

    def told(self, account: Account, symbol: str | None) -> list[Told]:
        """Every order of an account as it is told, oldest first."""
        orders = {order.id: order for order in self.venue.orders_of(account, symbol)}
        found = [Told(order) for order in orders.values() if not order.algo_id]
        found += [Told(orders.get(algo.order_id), algo) for algo in self.venue.algos_of(account, symbol)]
        return sorted(found, key=lambda one: one.id)

    def of(self, order_id: int) -> Told:
        """The order behind an id of the venue's own."""
        order = self.venue.ledger.orders.get(order_id)
        if order is not None and order.algo_id:
            return Told(order, self.venue.ledger.algos.get(order.algo_id))
        if order is not None:
            return Told(order)
        algo = self.venue.ledger.algos[order_id]
        return Told(self.venue.ledger.orders.get(algo.order_id), algo)

    def by_link(self, account: Account, link: str) -> Told | None:
        """The order with a client id, whatever became of it; a waiting one first."""
        for algo in reversed(self.venue.ledger.algos.values()):
            if algo.account == account.name and algo.client_id == link:
                return Told(self.venue.ledger.orders.get(algo.order_id), algo)
        rows = (self.venue.ledger.by_client(account, symbol, link) for symbol in self.venue.by_symbol)
        return next((Told(order) for order in rows if order is not None), None)

    def find(self, call: Call) -> Told:
        """The order that a call names, by the venue's id first. Raises Declined."""
        number, link = call.values.text("orderId"), call.values.text("orderLinkId")
        if number is None and link is None:
            raise declined(10001, "orderId or orderLinkId is required")
        self.venue.step()
        found = None
        if number is not None:
            known = _CURSOR.fullmatch(number) and (
                int(number) in self.venue.ledger.orders or int(number) in self.venue.ledger.algos)
            found = self.of(int(number)) if known else None
        elif link is not None:
            found = self.by_link(call.user, link)
        if found is None or found.head.account != call.user.name or call.symbol not in (None, found.head.symbol):
            raise declined(110001)
        return found

    async def realtime(self, call: Call) -> object:
        """Open orders; an order named by its id, and with ``openOnly=1`` the newest ended ones, whatever they are."""
        named = "orderId" in call.values or "orderLinkId" in call.values
        closed = call.values.text("openOnly") == "1"
        found = self._found(call)
        if not named:
            found = [one for one in found if one.open is not closed][-_RECENT:]
        return self.listed(call, found)

    async def history(self, call: Call) -> object:
        """Ended orders, of seven days where no times are named."""
        state = call.values.text("orderStatus")
        start, end = call.values.span(call.ms, 7)
        named = "orderId" in call.values or "orderLinkId" in call.values
        found = [one for one in self._found(call) if not one.open
                 and (named or "startTime" not in call.values or start <= one.head.created_ms <= end)]
        if state is not None:
            found = [one for one in found if self.row(one)["orderStatus"] == state]
        return self.listed(call, found)

    def _found(self, call: Call) -> list[Told]:
        """The orders that a list's parameters choose, as the answering replica knows them."""
        if not call.values.linear:
            return []
        symbol, kind = self._scope(call), call.values.text("orderFilter")
        found = [one for one in self.told(call.user, symbol) if _is(kind, one)]
        if call.seen is not None:
            found = [now for one in found if (now := _seen(call, one)) is not None]
        number, link = call.values.text("orderId"), call.values.text("orderLinkId")
        if number is not None:
            return [one for one in found if str(one.id) == number]
        return [one for one in found if link is None or one.head.client_id == link]

    def row(self, told: Told) -> dict[str, Any]:
        """An order's row."""
        fee = self._rounds.order(told.order.id).fee if told.order is not None else ZERO
        return fmt.order_row(told, fee)

    def listed(self, call: Call, found: list[Told]) -> object:
        """A page, newest first."""
        return paged(call, found, lambda one: one.id, self.row, 20, 50)

    def aimed_at(self, account: Account, params: Mapping[str, Any]) -> Order | None:
        """The order that a request is about (of all orders of a symbol the oldest open one); for the faults."""
        link, number = params.get("orderLinkId"), params.get("orderId")
        if isinstance(link, str) and link:
            found = self.by_link(account, link)
            return found.order if found is not None else None
        if isinstance(number, str) and _CURSOR.fullmatch(number):
            return self.venue.ledger.orders.get(int(number))
        symbol = params.get("symbol")
        if symbol not in self.venue.by_symbol:
            return None
        return next(iter(self.venue.open_orders(account, symbol)), None)


def _seen(call: Call, told: Told) -> Told | None:
    assert call.seen is not None
    algo = call.seen.algo(told.algo) if told.algo is not None else None
    order = call.seen.order(told.order) if told.order is not None else None
    if algo is not None and algo.status is AlgoStatus.NEW:
        order = None
    return None if algo is None and order is None else Told(order, algo)


def _is(kind: str | None, told: Told) -> bool:
    return kind is None or (kind == "StopOrder") == (told.algo is not None and (
        told.algo.status is not AlgoStatus.TRIGGERED and told.order is None))


def paged(call: Call, found: list[Any], key: Callable[[Any], int], row: Callable[[Any], dict[str, Any]], default: int,
          most: int) -> object:
    """Newest first from before `cursor` on, and where to go on."""
    limit, cursor = call.values.limit(default, most), call.values.text("cursor")
    if cursor is not None and _CURSOR.fullmatch(cursor) is None:
        raise declined(10001, "cursor")
    rest = [one for one in reversed(found) if cursor is None or key(one) < int(cursor)]
    page = rest[:limit]
    return {"list": [row(one) for one in page], "nextPageCursor": str(key(page[-1])) if len(rest) > limit else "",
            "category": call.values.text("category") or "linear"}
