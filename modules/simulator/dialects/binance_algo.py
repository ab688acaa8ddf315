"""Binance USD-M: conditional orders (stop, take profit, trailing) behind their own endpoints, with ids of their own.

Plain open-order and cancel-all calls do not see them until they trigger (X26).
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from modules.simulator.dialects import binance_format as fmt
from modules.simulator.dialects.binance import Call
from modules.simulator.dialects.binance_errors import declined, malformed, missing, not_required, one_of
from modules.simulator.dialects.binance_orders import LEGS, MATCHES, SIDES, STP_MODES, WEEK_MS, Orders, good_till
from modules.simulator.dialects.binance_params import Values
from modules.simulator.perp.api import Algo, AlgoStatus, Kind, NewAlgo, Refused, Side, Tif, Why, Working

if TYPE_CHECKING:
    from modules.simulator.perp.venue import PerpVenue

ALGO_LINE = (
    f"algoType!=CONDITIONAL symbol!:symbol side!={SIDES} positionSide={LEGS} type! timeInForce=GTC|IOC|FOK|GTX|GTD "
    f"quantity:dec price:dec triggerPrice:dec workingType=MARK_PRICE|CONTRACT_PRICE priceMatch={MATCHES} "
    "closePosition:bool priceProtect:bool reduceOnly:bool activatePrice:dec activationPrice:dec callbackRate:dec "
    f"clientAlgoId:id newOrderRespType=ACK|RESULT selfTradePreventionMode={STP_MODES} goodTillDate:int")
_LIMITS = (Kind.STOP, Kind.TAKE_PROFIT)
_MARKETS = (Kind.STOP_MARKET, Kind.TAKE_PROFIT_MARKET)


class Algos:
    """Handlers of the conditional orders' endpoints."""

    def __init__(self, venue: PerpVenue, orders: Orders) -> None:
        self._venue, self._orders = venue, orders

    async def place(self, call: Call) -> object:
        algo = self._venue.place_algo(call.user, self._wanted(call, call.values))
        return fmt.algo_row(algo, None, placed=True)

    def _wanted(self, call: Call, values: Values) -> NewAlgo:
        """A conditional order's parameters. Raises Declined."""
        text = values.need("type")
        if text not in set(Kind) - {Kind.LIMIT, Kind.MARKET}:
            raise declined(-1116)
        kind = Kind(text)
        self._check_prices(kind, values)
        closes = values.truth("closePosition")
        quantity = self._quantity(kind, values, closes)
        if call.user.hedge and "reduceOnly" in values:
            raise not_required("reduceonly")
        tif = Tif(values.text("timeInForce") or Tif.GTC)
        activation = values.money("activatePrice")
        return NewAlgo(
            symbol=values.need("symbol"), side=Side(values.need("side")), kind=kind, qty=quantity,
            trigger=values.money("triggerPrice"), price=values.money("price"), tif=tif,
            leg=fmt.wanted_leg(values.text("positionSide")), reduce_only=values.truth("reduceOnly"),
            close_position=closes, working=Working(values.text("workingType") or Working.CONTRACT_PRICE),
            client_id=values.text("clientAlgoId"), callback=values.money("callbackRate"),
            activation=activation if activation is not None else values.money("activationPrice"),
            price_protect=values.truth("priceProtect"), good_till_ms=good_till(call, values, tif))

    @staticmethod
    def _check_prices(kind: Kind, values: Values) -> None:
        if values.text("priceMatch") not in (None, fmt.NO_MATCH):
            raise declined(-5037)  # a price that is matched at the time of the trigger is not simulated
        if kind is Kind.TRAILING_STOP_MARKET:
            values.need("callbackRate")
            values.refuse("triggerPrice", "price")
            return
        values.refuse("callbackRate", "activatePrice", "activationPrice")
        values.need("triggerPrice")
        if values.need_money("triggerPrice") <= 0:
            raise declined(-4006)
        if kind in _LIMITS:
            values.need("price")
        else:
            values.refuse("price")

    @staticmethod
    def _quantity(kind: Kind, values: Values, closes: bool) -> Decimal | None:
        if closes:
            if kind not in _MARKETS:
                raise declined(-4136, str(kind))
            if values.money("quantity"):
                raise declined(-4137)
            values.refuse("reduceOnly")
            return None
        if "quantity" not in values:
            raise missing("quantity")
        quantity = values.need_money("quantity")
        if quantity <= 0:
            raise declined(-4003)
        return quantity

    # -- cancelling and looking up -------------------------------------------------------------------------------

    async def cancel(self, call: Call) -> object:
        algo = self._find(call, missing_code=-2011)
        if algo.status is not AlgoStatus.NEW:
            raise declined(-2011)
        self._venue.cancel_algo(call.user, algo)
        return {"algoId": algo.id, "clientAlgoId": algo.client_id, "code": "200", "msg": "success"}

    async def cancel_all(self, call: Call) -> object:
        symbol = call.values.need("symbol")
        self._orders.index(symbol)
        self._venue.cancel_all_algo(call.user, symbol)
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    def _find(self, call: Call, missing_code: int = -2013) -> Algo:
        algo_id, client_id = call.values.whole("algoId"), call.values.text("clientAlgoId")
        if algo_id is None and client_id is None:
            raise one_of("algoId", "clientAlgoId")
        try:
            return self._venue.find_algo(call.user, algo_id=algo_id, client_id=client_id)
        except Refused as refused:
            if refused.why is Why.ORDER_NOT_FOUND:
                raise declined(missing_code) from None
            raise

    async def one(self, call: Call) -> object:
        algo = self._find(call)
        known = algo if call.seen is None else call.seen.algo(algo)
        if known is None:
            raise declined(-2013)
        return self._row(call, known)

    def _row(self, call: Call, algo: Algo) -> dict[str, Any]:
        order = None
        if algo.order_id:
            order = self._venue.find(call.user, algo.symbol, order_id=algo.order_id, client_id=None)
        return fmt.algo_row(algo, order)

    async def open(self, call: Call) -> object:
        if call.symbol is not None:
            self._orders.index(call.symbol)
        wanted = call.values.whole("algoId")
        found = self._venue.open_algos(call.user, call.symbol)
        if call.seen is not None:
            found = call.seen.open_algos(call.user, call.symbol, found)
        return [self._row(call, algo) for algo in found if wanted in (None, algo.id)]

    async def all(self, call: Call) -> object:
        symbol, values = call.values.need("symbol"), call.values
        self._orders.index(symbol)
        if (values.whole("page") or 1) < 1:
            raise malformed("page")
        start, end = values.span(WEEK_MS)
        first, limit, page = values.whole("algoId"), values.limit(500, 1000), values.whole("page")
        found = [
            algo for known in self._venue.algos_of(call.user, symbol)
            if (algo := known if call.seen is None else call.seen.algo(known)) is not None
            and (first is None or algo.id >= first) and (start is None or algo.created_ms >= start)
            and (end is None or algo.created_ms <= end)]
        if page is not None:
            found = found[(page - 1) * limit : page * limit]
        elif start is None and first is None:
            found = found[-limit:]
        return [self._row(call, algo) for algo in found[:limit]]
