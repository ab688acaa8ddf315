"""Bitget v2 mix: placing, changing and cancelling ordinary orders; flash closing of positions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from modules.simulator.dialects import bitget_words as words
from modules.simulator.dialects.bitget import Call
from modules.simulator.dialects.bitget_errors import Declined, as_declined, declined
from modules.simulator.dialects.bitget_market import PRODUCT
from modules.simulator.dialects.bitget_params import Values, judged
from modules.simulator.dialects.params import params_line, plain
from modules.simulator.dialects.taking import take
from modules.simulator.perp.api import (
    Account,
    Execution,
    Kind,
    Leg,
    NewOrder,
    Order,
    Refused,
    Side,
    Spec,
    Tif,
    Why,
)

if TYPE_CHECKING:
    from modules.simulator.perp.venue import PerpVenue

PRESETS = (
    "presetStopSurplusPrice:dec presetStopLossPrice:dec presetStopSurplusExecutePrice:dec "
    "presetStopLossExecutePrice:dec")
_ONE_LINE = (
    "size!:dec price:dec side!=buy|sell tradeSide=open|close orderType!=limit|market "
    f"force=gtc|ioc|fok|post_only clientOid:id reduceOnly=yes|no stpMode=none {PRESETS}")
_HEAD = "symbol!:symbol productType!:product marginMode!=isolated|crossed marginCoin!:symbol"
ORDER_LINE = f"{_HEAD} {_ONE_LINE}"
BATCH_LINE = f"{_HEAD} orderList!:rows"
#: clients repeat the batch's head in its rows; it has to say the same there
_ROW = params_line(f"{_HEAD.replace('!', '')} {_ONE_LINE}")
_IDS = params_line("orderId:int clientOid:id")
MAX_BATCH = 50
#: what the venue takes and then cancels, where the book has nothing for it
_CANCELLED_AT_ONCE = {Why.POST_ONLY: "post only", Why.FOK: "fill or kill", Why.NO_COUNTERPARTY: "no counterparty"}


class Orders:
    """Handlers of the ordinary orders' endpoints."""

    def __init__(self, venue: PerpVenue) -> None:
        self.venue = venue

    def spec(self, values: Values) -> Spec:
        """The contract that the parameters name. Raises Declined (40034, 40778)."""
        symbol = values.need("symbol")
        index = self.venue.by_symbol.get(symbol)
        if index is None or values.text("productType") != PRODUCT:
            raise declined("40034", symbol)
        spec = self.venue.specs[index]
        if "marginCoin" in values and values.need("marginCoin") != spec.quote:
            raise declined("40778", symbol, values.need("marginCoin"))
        return spec

    # -- placing -------------------------------------------------------------------------------------------------

    async def place(self, call: Call) -> object:
        spec = self.spec(call.values)
        new = self.wanted(call.user, spec, call.values)
        self.margin_mode(call.user, spec.symbol, call.values.need("marginMode"))
        return self.row(self.take(call.user, new))

    async def place_batch(self, call: Call) -> object:
        """Several orders of a symbol; each refusal stands in the list of failures."""
        spec = self.spec(call.values)
        rows = call.values.rows("orderList", MAX_BATCH)
        self.margin_mode(call.user, spec.symbol, call.values.need("marginMode"))

        def one(values: Values) -> dict[str, Any]:
            for name in ("symbol", "productType", "marginMode", "marginCoin"):
                if values.text(name) not in (None, call.values.text(name)):
                    raise declined("40020", name)
            return self.row(self.take(call.user, self.wanted(call.user, spec, values)))
        return each(rows, _ROW, one)

    def wanted(self, account: Account, spec: Spec, values: Values) -> NewOrder:
        """A new order's parameters. Raises Declined."""
        kind = Kind(values.need("orderType").upper())
        size = scaled(spec, "size", values.need_money("size"))
        price = None
        if kind is Kind.LIMIT:
            price = scaled(spec, "price", values.need_money("price"))
        side, leg = words.wanted(account.hedge, values.need("side"), values.text("tradeSide"))
        if account.hedge and values.yes("reduceOnly") and values.text("tradeSide") == "open":
            raise declined("400172", "reduceOnly belongs to one-way mode; tradeSide says open")
        client_id = values.text("clientOid")
        self.unused(account, client_id)
        if size <= 0:
            raise declined("40808", f"size {size} > 0")
        if account.hedge and values.text("tradeSide") == "close":
            self.closable(account, spec, side, leg, size)
        tag = words.tag(
            tp=values.text("presetStopSurplusPrice"), sl=values.text("presetStopLossPrice"),
            tpx=values.text("presetStopSurplusExecutePrice"), slx=values.text("presetStopLossExecutePrice"))
        self._presets(spec, values, side, price)
        tif = words.FORCES[values.text("force") or "gtc"] if kind is Kind.LIMIT else Tif.GTC
        return NewOrder(
            spec.symbol, side, kind, size, price, tif, None if leg is Leg.BOTH else leg,
            values.yes("reduceOnly") and not account.hedge, client_id, tag=tag)

    def _presets(self, spec: Spec, values: Values, side: Side, price: Decimal | None) -> None:
        """Preset stop and profit prices have to lie on their sides of the price. Raises Declined."""
        index = self.venue.by_symbol[spec.symbol]
        now = price if price is not None else self.venue.market.marks.mark[index]
        long = side is Side.BUY
        for name in ("presetStopSurplusExecutePrice", "presetStopLossExecutePrice"):
            if name in values:
                scaled(spec, name, values.need_money(name))
        profit, loss = values.money("presetStopSurplusPrice"), values.money("presetStopLossPrice")
        if profit is not None and (scaled(spec, "presetStopSurplusPrice", profit) > now) is not long:
            raise declined("40830" if long else "40832")
        if loss is not None and (scaled(spec, "presetStopLossPrice", loss) < now) is not long:
            raise declined("40834" if long else "40836")

    def unused(self, account: Account, client_id: str | None) -> None:
        """A client id can be used once, ended orders count. Raises Declined (40786)."""
        ledger = self.venue.ledger
        if client_id is not None and any(ledger.by_client(account, symbol, client_id) is not None
                                         for symbol in self.venue.by_symbol):
            raise declined("40786")

    def closable(self, account: Account, spec: Spec, side: Side, leg: Leg, size: Decimal) -> None:
        """A closing order needs so much of the position that no other closing order holds. Raises Declined."""
        self.venue.step()
        there = self.venue.ledger.closable(account, spec.symbol, leg, side.sign)
        if not there:
            raise declined("22002")
        held = sum(order.remaining for order in self.venue.ledger.open_orders(account, spec.symbol)
                   if order.leg is leg and order.side is side)
        if size > (there - held) * spec.step:
            raise declined("40755")

    def margin_mode(self, account: Account, symbol: str, mode: str) -> None:
        """An order's margin mode becomes the symbol's where nothing is held or open; else 45117."""
        if account.setup(symbol).isolated != (mode == words.ISOLATED):
            self.venue.set_isolated(account, symbol, mode == words.ISOLATED)

    def take(self, account: Account, new: NewOrder) -> Order:
        """Place an order. Raises Refused."""
        return take(self.venue, account, new, _CANCELLED_AT_ONCE)

    @staticmethod
    def row(order: Order) -> dict[str, Any]:
        """What the endpoints of orders answer."""
        return {"clientOid": order.client_id, "orderId": str(order.id)}

    # -- changing ------------------------------------------------------------------------------------------------

    async def modify(self, call: Call) -> object:
        """Size and price together, under a new client id: the old order ends and another one takes its place.

        Presets alone change in place.
        """
        values, account = call.values, call.user
        spec, order = self.spec(values), self.find(call)
        if order.status.final:
            raise declined("40768")
        size, price = values.money("newSize"), values.money("newPrice")
        if (size is None) != (price is None):
            raise declined("40925")
        kept = words.tagged(order.tag)
        for name, key in (("newPresetStopSurplusPrice", "tp"), ("newPresetStopLossPrice", "sl")):
            if name in values:
                kept[key] = values.need(name)
        tag = words.tag(**kept)
        if size is None or price is None:
            if not tag or tag == order.tag:
                raise declined("40923")
            with self.venue.doing():
                order.tag = tag
                self.venue.desk.tell(order, Execution.AMENDMENT)
            return self.row(order)
        client_id = values.need("newClientOid")
        self.unused(account, client_id)
        left = scaled(spec, "newSize", size) - order.filled * spec.step
        leg = None if order.leg is Leg.BOTH else order.leg
        new = NewOrder(
            spec.symbol, order.side, order.kind, left, scaled(spec, "newPrice", price), order.tif, leg,
            order.reduce_only and leg is None, client_id, tag=tag)
        if left <= 0:
            raise declined("40808", f"newSize {size} > {order.filled * spec.step} filled")
        self.venue.test(account, new)
        self.venue.cancel(account, order)
        return self.row(self.take(account, new))

    async def cancel(self, call: Call) -> object:
        self.spec(call.values)
        return self.row(self.venue.cancel(call.user, self.find(call)))

    async def cancel_batch(self, call: Call) -> object:
        """Those named, or all of a symbol (of the product) where none is."""
        symbol = self.spec(call.values).symbol if call.symbol is not None else None
        if "orderIdList" not in call.values:
            return await self.cancel_all(call)

        def one(values: Values) -> dict[str, Any]:
            return self.row(self.venue.cancel(call.user, self.lookup(call.user, symbol, values)))
        return each(call.values.rows("orderIdList", MAX_BATCH), _IDS, one)

    async def cancel_all(self, call: Call) -> object:
        symbol = self.spec(call.values).symbol if call.symbol is not None else None
        if call.values.text("productType") != PRODUCT:
            return {"successList": [], "failureList": []}
        return {"successList": [self.row(order) for order in self.venue.cancel_all(call.user, symbol)],
                "failureList": []}

    async def close_positions(self, call: Call) -> object:
        """Closes positions at the market; with `holdSide` in hedge mode one side alone."""
        values, account = call.values, call.user
        symbol = self.spec(values).symbol if call.symbol is not None else None
        held = values.text("holdSide")
        self.venue.step()
        legs = [leg for leg in account.legs(symbol)
                if not account.hedge or held in (None, words.hold_side(leg.leg, leg.steps))]
        if not legs or values.text("productType") != PRODUCT:
            raise declined("22002")
        done: dict[str, list[Any]] = {"successList": [], "failureList": []}
        for leg in legs:
            side = Side.SELL if leg.steps > 0 else Side.BUY
            hedge = None if leg.leg is Leg.BOTH else leg.leg
            spec = self.venue.specs[self.venue.by_symbol[leg.symbol]]
            new = NewOrder(leg.symbol, side, Kind.MARKET, abs(leg.steps) * spec.step, leg=hedge,
                           reduce_only=hedge is None)
            try:
                done["successList"].append({**self.row(self.take(account, new)), "symbol": leg.symbol})
            except Refused as refused:
                told = as_declined(refused)
                done["failureList"].append({"orderId": "", "clientOid": "", "symbol": leg.symbol,
                                            "errorMsg": told.message, "errorCode": told.code})
        return done

    # -- looking up ----------------------------------------------------------------------------------------------

    def find(self, call: Call, code: str = "40768") -> Order:
        """The order that a call names. Raises Declined."""
        return self.lookup(call.user, call.values.need("symbol"), call.values, code)

    def lookup(self, account: Account, symbol: str | None, values: Values, code: str = "40768") -> Order:
        """An order by either of its ids. Raises Declined."""
        number, client_id = values.whole("orderId"), values.text("clientOid")
        if number is None and client_id is None:
            raise declined("40924")
        self.venue.step()
        ledger = self.venue.ledger
        if number is not None:
            found = ledger.orders.get(number)
        else:
            symbols = [symbol] if symbol is not None else list(self.venue.by_symbol)
            rows = (ledger.by_client(account, name, client_id or "") for name in symbols)
            found = next((order for order in rows if order is not None), None)
        if found is None or found.account != account.name or symbol not in (None, found.symbol):
            raise declined(code)
        return found

    def aimed_at(self, account: Account, params: Mapping[str, Any]) -> Order | None:
        """The order that a request is about (of all orders of a symbol the oldest open one); for the faults."""
        symbol = params.get("symbol")
        symbol = symbol.upper() if isinstance(symbol, str) else None
        if symbol not in self.venue.by_symbol:
            return None
        try:
            return self.lookup(account, symbol, judged(
                {name: params[name] for name in ("orderId", "clientOid") if name in params}, _IDS))
        except Declined:
            return next(iter(self.venue.open_orders(account, symbol)), None)


def scaled(spec: Spec, name: str, value: Decimal) -> Decimal:
    """A price or size with no more decimals than its contract has. Raises Declined (40808)."""
    places = spec.qty_precision if name in ("size", "newSize") else spec.price_precision
    exponent = int(value.normalize().as_tuple().exponent)
    if -exponent > places:
        raise declined("40808", f"{name} checkBDScale error value={value} checkScale={places}")
    return value


def each(rows: list[Any], known: Any, do: Callable[[Values], dict[str, Any]]) -> dict[str, Any]:
    """Do something for every row of a batch: lists of what was done and of what was refused."""
    done: dict[str, list[Any]] = {"successList": [], "failureList": []}
    for row in rows:
        try:
            if not isinstance(row, dict):
                raise declined("400172", "a row has to be an object")
            values = judged({name: plain(value) for name, value in row.items() if value is not None}, known)
            done["successList"].append(do(values))
        except (Refused, Declined) as problem:
            told = as_declined(problem) if isinstance(problem, Refused) else problem
            ids = row if isinstance(row, dict) else {}
            done["failureList"].append({
                "orderId": str(ids.get("orderId") or ""), "clientOid": str(ids.get("clientOid") or ""),
                "errorMsg": told.message, "errorCode": told.code})
    return done
