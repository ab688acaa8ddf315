"""Bitget v2 mix: plan orders: triggers, trailing triggers, take profit and stop loss of a part or of a position.

A normal plan fires when the price reaches its trigger from either side. Plans of a position (pos_profit, pos_loss)
close all of it; `size` beside them says nothing. Trailing ones carry their callback in percent.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from modules.simulator.dialects import bitget_format as fmt
from modules.simulator.dialects import bitget_words as words
from modules.simulator.dialects.bitget import Call
from modules.simulator.dialects.bitget_errors import Declined, declined
from modules.simulator.dialects.bitget_lookups import KEPT_MS, paged
from modules.simulator.dialects.bitget_orders import Orders, each, scaled
from modules.simulator.dialects.bitget_params import Values
from modules.simulator.dialects.params import params_line
from modules.simulator.perp.api import (
    Account,
    Algo,
    AlgoStatus,
    Kind,
    Leg,
    NewAlgo,
    Order,
    Refused,
    Side,
    Spec,
    Tif,
    Why,
    Working,
)

if TYPE_CHECKING:
    from modules.simulator.perp.venue import PerpVenue

_TRIGGER = "triggerType=fill_price|mark_price"
PLAN_LINE = (
    "planType!=normal_plan|track_plan symbol!:symbol productType!:product marginMode!=isolated|crossed "
    f"marginCoin!:symbol size!:dec price:dec executePrice:dec callbackRatio:dec triggerPrice!:dec {_TRIGGER} "
    "side!=buy|sell tradeSide=open|close orderType!=limit|market force=gtc|ioc|fok|post_only clientOid:id "
    "reduceOnly=yes|no stopSurplusTriggerPrice:dec stopSurplusExecutePrice:dec "
    "stopSurplusTriggerType=fill_price|mark_price stopLossTriggerPrice:dec stopLossExecutePrice:dec "
    "stopLossTriggerType=fill_price|mark_price")
TPSL_LINE = (
    "marginCoin!:symbol productType!:product symbol!:symbol planType!=profit_plan|loss_plan|moving_plan|pos_profit|"
    f"pos_loss triggerPrice!:dec {_TRIGGER} executePrice:dec holdSide!=long|short|buy|sell size:dec rangeRate:dec "
    "clientOid:id orderType=market|limit force=gtc|ioc|fok|post_only stpMode=none")
POS_TPSL_LINE = (
    "marginCoin!:symbol productType!:product symbol!:symbol holdSide!=long|short|buy|sell "
    "stopSurplusTriggerPrice:dec stopSurplusTriggerType=fill_price|mark_price stopSurplusExecutePrice:dec "
    "stopLossTriggerPrice:dec stopLossTriggerType=fill_price|mark_price stopLossExecutePrice:dec "
    "stopSurplusClientOid:id stopLossClientOid:id stpMode=none")
MODIFY_PLAN_LINE = (
    "orderId:int clientOid:id symbol:symbol productType!:product newSize:dec newPrice:dec newTriggerPrice:dec "
    "newTriggerType=fill_price|mark_price newCallbackRatio:dec")
MODIFY_TPSL_LINE = (
    f"orderId:int clientOid:id marginCoin!:symbol productType!:product symbol!:symbol triggerPrice!:dec {_TRIGGER} "
    "executePrice:dec size:dec rangeRate:dec")
CANCEL_PLAN_LINE = (
    "orderIdList:rows symbol:symbol productType!:product marginCoin:symbol "
    f"planType={'|'.join((*words.PLAN_TYPES, 'profit_loss'))}")
_IDS = params_line("orderId:int clientOid:id")
_ALL = words.PLAN_TYPES
ASKED = {"normal_plan": ("normal_plan",), "track_plan": ("track_plan",), "profit_loss": words.PROFIT_LOSS}


class Plans:
    """Handlers of the plan orders' endpoints."""

    def __init__(self, venue: PerpVenue, orders: Orders) -> None:
        self._venue, self._orders = venue, orders

    # -- placing -------------------------------------------------------------------------------------------------

    async def place(self, call: Call) -> object:
        values, account = call.values, call.user
        spec, plan = self._orders.spec(values), values.need("planType")
        side, leg = words.wanted(account.hedge, values.need("side"), values.text("tradeSide"))
        size = scaled(spec, "size", values.need_money("size"))
        trigger = scaled(spec, "triggerPrice", values.need_money("triggerPrice"))
        working = words.TRIGGERS[values.text("triggerType") or "mark_price"]
        limit = values.need("orderType") == "limit"
        tag = words.tag(
            plan=plan, tp=values.text("stopSurplusTriggerPrice"), tpx=values.text("stopSurplusExecutePrice"),
            tpt=values.text("stopSurplusTriggerType"), sl=values.text("stopLossTriggerPrice"),
            slx=values.text("stopLossExecutePrice"), slt=values.text("stopLossTriggerType"))
        new = NewAlgo(
            spec.symbol, side, Kind.TRAILING_STOP_MARKET, size, None, leg=None if leg is Leg.BOTH else leg,
            reduce_only=values.yes("reduceOnly") and not account.hedge, working=working,
            client_id=values.text("clientOid"), tag=tag)
        if plan == "track_plan":
            if limit:
                raise declined("43011", "orderType of a track_plan is market")
            new.callback, new.activation = values.need_money("callbackRatio"), trigger
        else:
            price = values.money("price") or values.money("executePrice")
            if limit and not price:
                raise declined("43011", "executePrice <= 0")
            new.trigger, new.kind = trigger, self._reaching(spec, side, trigger, working, limit)
            new.price = scaled(spec, "price", price) if limit and price is not None else None
            new.tif = words.FORCES[values.text("force") or "gtc"] if limit else Tif.GTC
        self._orders.margin_mode(account, spec.symbol, values.need("marginMode"))
        return self.row(self.take(account, new))

    def _now(self, spec: Spec, working: Working) -> Decimal:
        self._venue.step()
        index = self._venue.by_symbol[spec.symbol]
        if working is Working.MARK_PRICE:
            return self._venue.market.marks.mark[index]
        return spec.price(self._venue.market.candles.last(index))

    def _reaching(self, spec: Spec, side: Side, trigger: Decimal, working: Working, limit: bool) -> Kind:
        """The order type that fires when the price, from where it is now, reaches `trigger`."""
        above = trigger > self._now(spec, working)
        if above is (side is Side.BUY):
            return Kind.STOP if limit else Kind.STOP_MARKET
        return Kind.TAKE_PROFIT if limit else Kind.TAKE_PROFIT_MARKET

    async def place_tpsl(self, call: Call) -> object:
        values = call.values
        spec, plan = self._orders.spec(values), values.need("planType")
        size = values.money("size") if plan in ("profit_plan", "loss_plan", "moving_plan") else None
        if size is None and plan in ("profit_plan", "loss_plan", "moving_plan"):
            raise declined("40019", "size")
        new = self.protection(
            call.user, spec, plan, values.need("holdSide"), values.need_money("triggerPrice"), size,
            values.text("triggerType") or "fill_price", values.money("executePrice"), values.text("clientOid"))
        if plan == "moving_plan":
            new.kind, new.callback, new.trigger = Kind.TRAILING_STOP_MARKET, values.need_money("rangeRate"), None
            new.activation, new.price = values.need_money("triggerPrice"), None
        return self.row(self.take(call.user, new))

    def protection(
        self, account: Account, spec: Spec, plan: str, held: str, trigger: Decimal, size: Decimal | None,
        trigger_type: str, execute: Decimal | None, client_id: str | None,
    ) -> NewAlgo:
        """A take profit or stop loss of a position; `size` None for all of it. Raises Declined."""
        side, leg = words.closing(account.hedge, held)
        self._venue.step()
        if not self._venue.ledger.closable(account, spec.symbol, leg, side.sign):
            raise declined("40891")
        limit = bool(execute)
        if limit and size is None:
            raise declined("40805", "executePrice of a plan for the whole position is not simulated; give none")
        kind = (Kind.TAKE_PROFIT if limit else Kind.TAKE_PROFIT_MARKET) if words.profits(plan) else (
            Kind.STOP if limit else Kind.STOP_MARKET)
        hedge = leg is not Leg.BOTH
        return NewAlgo(
            spec.symbol, side, kind, scaled(spec, "size", size) if size is not None else None,
            scaled(spec, "triggerPrice", trigger), scaled(spec, "executePrice", execute) if limit and execute else None,
            leg=leg if hedge else None, reduce_only=not hedge and size is not None, close_position=size is None,
            working=words.TRIGGERS[trigger_type], client_id=client_id, tag=words.tag(plan=plan))

    async def place_position(self, call: Call) -> object:
        """Take profit and stop loss of a whole position, either or both."""
        values, found = call.values, []
        spec = self._orders.spec(values)
        for plan, name in (("pos_profit", "stopSurplus"), ("pos_loss", "stopLoss")):
            trigger = values.money(f"{name}TriggerPrice")
            if trigger:
                found.append(self.protection(
                    call.user, spec, plan, values.need("holdSide"), trigger, None,
                    values.text(f"{name}TriggerType") or "fill_price", values.money(f"{name}ExecutePrice"),
                    values.text(f"{name}ClientOid")))
        if not found:
            raise declined("40019", "stopSurplusTriggerPrice")
        placed: list[Algo] = []
        try:
            for new in found:
                placed.append(self.take(call.user, new))
        except (Refused, Declined):
            for algo in placed:  # both or none
                self._venue.cancel_algo(call.user, algo)
            raise
        return [{"orderId": str(algo.id),
                 "stopSurplusClientOid": algo.client_id if words.profits(words.plan_type(algo)) else "",
                 "stopLossClientOid": "" if words.profits(words.plan_type(algo)) else algo.client_id}
                for algo in placed]

    def take(self, account: Account, new: NewAlgo) -> Algo:
        """Place a plan. Raises Refused, or Declined in the words that fit it."""
        if new.client_id is not None and any(
                algo.account == account.name and algo.client_id == new.client_id
                for algo in self._venue.ledger.algos.values()):
            raise declined("40786")
        plan = words.tagged(new.tag)["plan"]
        try:
            return self._venue.place_algo(account, new)
        except Refused as refused:
            long = new.side is Side.SELL
            if refused.why is Why.WOULD_TRIGGER and plan in words.PROFITS:
                raise declined("40830" if long else "40832") from None
            if refused.why is Why.WOULD_TRIGGER and plan in words.LOSSES:
                raise declined("40834" if long else "40836") from None
            if refused.why is Why.ACTIVATION_PRICE:
                raise declined("43035" if long else "43034") from None
            if refused.why is Why.CLOSE_POSITION_EXISTS:
                raise declined("43030" if words.profits(plan) else "43031") from None
            raise

    @staticmethod
    def row(algo: Algo) -> dict[str, Any]:
        """What the endpoints of plans answer."""
        return {"orderId": str(algo.id), "clientOid": algo.client_id}

    # -- changing ------------------------------------------------------------------------------------------------

    async def modify(self, call: Call) -> object:
        values = call.values
        algo = self._find(call.user, values, "43025")
        if words.plan_type(algo) not in ("normal_plan", "track_plan"):
            raise declined("43025")
        self._amend(call.user, algo, values.money("newTriggerPrice"), values.money("newSize"),
                    values.money("newPrice"), values.text("newTriggerType"), values.money("newCallbackRatio"))
        return self.row(algo)

    async def modify_tpsl(self, call: Call) -> object:
        values = call.values
        self._orders.spec(values)
        algo = self._find(call.user, values, "43020")
        if words.plan_type(algo) not in words.PROFIT_LOSS:
            raise declined("43020")
        size = None if algo.close_position else values.money("size")
        self._amend(call.user, algo, values.money("triggerPrice"), size, values.money("executePrice") or None,
                    values.text("triggerType"), values.money("rangeRate"))
        return self.row(algo)

    def _amend(
        self, account: Account, algo: Algo, trigger: Decimal | None, size: Decimal | None, price: Decimal | None,
        trigger_type: str | None, callback: Decimal | None,
    ) -> None:
        """Other figures of a waiting plan, in place. They are judged as a new plan's; refused, the old one stands."""
        spec = self._venue.specs[algo.index]
        limit = algo.kind in (Kind.STOP, Kind.TAKE_PROFIT)
        trailing = algo.kind is Kind.TRAILING_STOP_MARKET
        working = words.TRIGGERS[trigger_type] if trigger_type is not None else algo.working
        level = scaled(spec, "triggerPrice", trigger) if trigger is not None else spec.price(
            algo.activation if trailing else algo.trigger)
        amount = scaled(spec, "size", size) if size is not None else spec.qty(algo.qty)
        cost = scaled(spec, "price", price) if price is not None else spec.price(algo.price)
        kind = algo.kind
        if words.plan_type(algo) == "normal_plan":
            kind = self._reaching(spec, algo.side, level, working, limit)
        hedge = algo.leg is not Leg.BOTH
        new = NewAlgo(
            algo.symbol, algo.side, kind, None if algo.close_position else amount, None if trailing else level,
            cost if limit else None, algo.tif, algo.leg if hedge else None,
            algo.reduce_only and not hedge and not algo.close_position, algo.close_position,
            working=working, callback=(callback or algo.callback) if trailing else None,
            activation=level if trailing else None, tag=algo.tag)
        with self._venue.doing():
            self._venue.algos.amend(account, algo, new)

    async def cancel(self, call: Call) -> object:
        """Those named, or all of a kind, of a symbol or of the product."""
        account, values = call.user, call.values
        symbol = self._orders.spec(values).symbol if call.symbol is not None else None
        if "orderIdList" in values:
            def one(row: Values) -> dict[str, Any]:
                return self.row(self._venue.cancel_algo(account, self._find(account, row, "43025")))
            return each(values.rows("orderIdList", 50), _IDS, one)
        plans = self._plans(values.text("planType"))
        done = [self.row(self._venue.cancel_algo(account, algo))
                for algo in self._venue.open_algos(account, symbol) if words.plan_type(algo) in plans]
        return {"successList": done, "failureList": []}

    @staticmethod
    def _plans(asked: str | None) -> tuple[str, ...]:
        return _ALL if asked is None else ASKED.get(asked, (asked,))

    # -- looking up ----------------------------------------------------------------------------------------------

    def _find(self, account: Account, values: Values, code: str) -> Algo:
        number, client_id = values.whole("orderId"), values.text("clientOid")
        if number is None and client_id is None:
            raise declined("40924")
        try:
            found = self._venue.find_algo(account, number, client_id)
        except Refused:
            raise declined(code) from None
        if found.status is not AlgoStatus.NEW:
            raise declined(code)
        return found

    async def pending(self, call: Call) -> object:
        symbol = self._orders.spec(call.values).symbol if call.symbol is not None else None
        found = self._venue.open_algos(call.user, symbol)
        if call.seen is not None:
            found = call.seen.open_algos(call.user, symbol, found)
        return self._listed(call, found, ended=False)

    async def history(self, call: Call) -> object:
        symbol = self._orders.spec(call.values).symbol if call.symbol is not None else None
        found = self._venue.algos_of(call.user, symbol)
        if call.seen is not None:
            found = [one for algo in found if (one := call.seen.algo(algo)) is not None]
        state = call.values.text("planStatus")
        return self._listed(call, [
            algo for algo in found if algo.status is not AlgoStatus.NEW and algo.updated_ms >= call.ms - KEPT_MS
            and state in (None, words.plan_state(algo))], ended=True)

    def _listed(self, call: Call, found: list[Algo], *, ended: bool) -> object:
        values, plans = call.values, self._plans(call.values.text("planType"))
        number, client_id = values.whole("orderId"), values.text("clientOid")
        found = [algo for algo in found if words.plan_type(algo) in plans and number in (None, algo.id)
                 and client_id in (None, algo.client_id)]
        rows = paged(call, found, lambda algo: (algo.id, algo.created_ms),
                     lambda algo: fmt.plan_row(call.user, algo, self.order_of(algo), ended=ended))
        return {"entrustedList": rows or None, "endId": rows[-1]["orderId"] if rows else None}

    def order_of(self, algo: Algo) -> Order | None:
        """The order that a plan became."""
        return self._venue.ledger.orders.get(algo.order_id)

    async def children(self, call: Call) -> object:
        """plan-sub-order: what a trigger became."""
        try:
            algo = self._venue.find_algo(call.user, call.values.whole("planOrderId"))
        except Refused:
            raise declined("43025") from None
        order = self.order_of(algo)
        if order is None:
            return []
        row = fmt.order_row(call.user, order, Decimal(0), Decimal(0))
        return [{"orderId": row["orderId"], "price": row["priceAvg"] or row["price"], "type": row["orderType"],
                 "status": "success"}]
