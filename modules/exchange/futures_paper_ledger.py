"""The futures paper account's books. Pure: time, contract, book and mark are passed in.

1. An order is judged as Binance judges it, and refused with its codes; margin, reduce-only, one-way and hedge mode.
2. Orders walk the book; a remainder rests or ends. Resting ones fill at their price by what crossed them.
3. Conditional orders become market orders when their price is reached, whatever the book then gives.
"""

from collections.abc import Sequence
from decimal import Decimal, localcontext

from msgspec.structs import replace

from modules.exchange.binance_codes import BINANCE
from modules.exchange.futures_paper_money import PerpMoney
from modules.exchange.futures_paper_state import ZERO, PaperPerpOrder
from modules.exchange.futures_paper_state import PaperTrigger as Trigger
from modules.exchange.futures_types import (
    FuturesMarket,
    PriceSource,
    TriggerKind,
    TriggerRequest,
    TriggerStatus,
    opens,
)
from modules.exchange.paper_depth import Leg, walk
from modules.exchange.types import (
    Accepted,
    Book,
    OrderRequest,
    OrderStatus,
    OrderType,
    PositionSide,
    Print,
    Refused,
    Side,
)


def refused(code: str, detail: str = "") -> Refused:
    """A refusal with the venue's code."""
    return Refused(code, f"{BINANCE.meaning(code)}{f': {detail}' if detail else ''}")


class PerpLedger(PerpMoney):
    """One account: what may be ordered, and what the market does to it."""

    # -- placing -------------------------------------------------------------------------------------------

    def submit(self, request: OrderRequest, market: FuturesMarket, book: Book, now_ms: int) -> Accepted | Refused:
        """Judge an order, execute what executes at once, rest or end the remainder."""
        with localcontext(prec=60):
            return self._judge(request, market) or self._execute(request, market, book, now_ms)

    def _judge(self, request: OrderRequest, market: FuturesMarket) -> Refused | None:
        quantity, price = request.quantity, request.price
        known = self.orders.get(request.client_id)
        if known is not None and not known.status.terminal:
            return refused("-4116", request.client_id)
        if not market.trading:
            return refused("-4140", market.symbol)
        if (request.position_side is PositionSide.BOTH) == self.hedge:
            return refused("-4061")
        if quantity is None or quantity <= 0:
            return refused("-4003")
        if quantity % market.step:
            return refused("-4023", f"{quantity:f}")
        if quantity > (market.market_max if request.type is OrderType.MARKET else market.limit_max):
            return refused("-4005", f"{quantity:f}")
        if price is not None and (price <= 0 or price % market.tick):
            return refused("-4014", f"{price:f}")
        mark = self.marks.get(market.symbol)
        if price is not None and mark is not None:
            if request.side is Side.BUY and price > mark * market.band_up:
                return refused("-4016", f"{price:f}")
            if request.side is Side.SELL and price < mark * market.band_down:
                return refused("-4024", f"{price:f}")
        return None

    def closes(self, symbol: str, side: Side, position_side: PositionSide) -> Decimal:
        """How much of the leg an order of this side may close."""
        leg = self.legs.get((symbol, position_side))
        if leg is None or (leg.quantity > 0) == (side is Side.BUY):
            return ZERO
        return abs(leg.quantity)

    def _execute(self, request: OrderRequest, market: FuturesMarket, book: Book, now_ms: int) -> Accepted | Refused:
        quantity = request.quantity or ZERO
        closable = self.closes(request.symbol, request.side, request.position_side)
        closing = request.reduce_only or (self.hedge and not opens(request.side, request.position_side))
        if closing and closable <= 0:
            return refused("-2022")
        if closing:
            quantity = min(quantity, closable)
        standing = self.depth.standing(book, request.side, now_ms)
        legs = walk(standing, request.side, market.step, quantity=quantity, limit=request.price)
        if request.type is OrderType.POST_ONLY and legs:
            return refused("-5022")
        if request.type is OrderType.MARKET and not legs:
            return refused("-4131")
        worst = request.price or (legs[-1].price if legs else self.marks.get(request.symbol, ZERO))
        if not closing and quantity * worst < market.min_notional:
            return refused("-4164", f"{quantity * worst:.2f} of {market.min_notional:f}")
        opened = max(ZERO, quantity - closable)
        if opened * worst * (1 / Decimal(self.setup(request.symbol)[0]) + market.taker_fee) > self.view().available:
            return refused("-2019")
        order = PaperPerpOrder(
            client_id=request.client_id, order_id=f"F{self._number():010d}", symbol=request.symbol, side=request.side,
            position_side=request.position_side, type=request.type, status=OrderStatus.NEW, price=request.price,
            quantity=quantity, reduce_only=closing, created_ms=now_ms, updated_ms=now_ms, seen_ms=now_ms)
        self.depth.take(request.symbol, request.side, legs, now_ms)
        for part in legs:
            order = self._fill(order, part, market.taker_fee, now_ms, maker=False)
        rests = order.type in (OrderType.LIMIT, OrderType.POST_ONLY)
        ended = OrderStatus.FILLED if not order.remaining else OrderStatus.CANCELED
        live = OrderStatus.PARTIAL if order.filled else OrderStatus.NEW
        self.orders[order.client_id] = replace(order, status=live if rests and order.remaining else ended)
        self._trim()
        return Accepted(order.order_id)

    def cancel(self, symbol: str, client_id: str, now_ms: int) -> Accepted | Refused:
        """End a live order."""
        order = self.orders.get(client_id)
        if order is None or order.symbol != symbol or order.status.terminal:
            return refused("-2011", client_id)
        self.orders[client_id] = replace(order, status=OrderStatus.CANCELED, updated_ms=now_ms)
        return Accepted(order.order_id)

    def submit_trigger(self, request: TriggerRequest, market: FuturesMarket, last: Decimal,
                       now_ms: int) -> Accepted | Refused:
        """Take a conditional order (rule 4), judged as the venue does."""
        same = [one for one in self.waiting(request.symbol) if one.position_side is request.position_side
                and one.side is request.side and one.kind is request.kind]
        if request.client_id in {one.client_id for one in self.waiting()}:
            return refused("-4116", request.client_id)
        if (request.position_side is PositionSide.BOTH) == self.hedge:
            return refused("-4061")
        if request.trigger <= 0 or request.trigger % market.tick:
            return refused("-4014", f"{request.trigger:f}")
        if request.quantity is None and any(one.quantity is None for one in same):
            return refused("-4130")
        above = (request.side is Side.BUY) == (request.kind is TriggerKind.STOP)
        price = self._price(request.source, request.symbol, last)
        if price >= request.trigger if above else price <= request.trigger:
            return refused("-2021", f"the price is {price:f}")
        number = f"T{self._number():010d}"
        self.triggers[request.client_id] = Trigger(
            client_id=request.client_id, trigger_id=number, symbol=request.symbol, side=request.side,
            position_side=request.position_side, kind=request.kind, trigger=request.trigger, quantity=request.quantity,
            source=request.source, above=above, status=TriggerStatus.WAITING, created_ms=now_ms, updated_ms=now_ms)
        return Accepted(number)

    def cancel_trigger(self, client_id: str, now_ms: int) -> Accepted | Refused:
        """End a waiting one."""
        one = self.triggers.get(client_id)
        if one is None or one.status is not TriggerStatus.WAITING:
            return refused("-2011", client_id)
        self.triggers[client_id] = replace(one, status=TriggerStatus.CANCELED, updated_ms=now_ms)
        return Accepted(one.trigger_id)

    def _price(self, source: PriceSource, symbol: str, last: Decimal) -> Decimal:
        return self.marks.get(symbol, last) if source is PriceSource.MARK else last

    # -- living on -----------------------------------------------------------------------------------------

    def reach(self, market: FuturesMarket, book: Book, prints: Sequence[Print], now_ms: int) -> bool:
        """Let the market reach what rests and waits on one symbol; True where something changed."""
        with localcontext(prec=60):
            before = self._next, len(self.fills)
            for order in self.resting(market.symbol):
                self._reach_one(order, market, book, prints, now_ms)
            last = prints[-1].price if prints else (book.bids[0][0] if book.bids else ZERO)
            for one in self.waiting(market.symbol):
                price = self._price(one.source, one.symbol, last)
                if price > 0 and (price >= one.trigger if one.above else price <= one.trigger):
                    self._go(one, market, book, now_ms)
            return before != (self._next, len(self.fills))

    def _go(self, one: Trigger, market: FuturesMarket, book: Book, now_ms: int) -> None:
        closable = self.closes(one.symbol, one.side, one.position_side)
        outcome: Accepted | Refused = refused("-2022")
        quantity = min(closable, one.quantity or closable)
        if quantity > 0:
            request = OrderRequest(one.client_id, one.symbol, one.side, OrderType.MARKET, quantity,
                                   position_side=one.position_side, reduce_only=True)
            outcome = self._execute(request, market, book, now_ms)
        done = isinstance(outcome, Accepted)
        self.triggers[one.client_id] = replace(
            one, status=TriggerStatus.TRIGGERED if done else TriggerStatus.REJECTED, updated_ms=now_ms,
            order_id=outcome.order_id if isinstance(outcome, Accepted) else "")

    def _reach_one(self, order: PaperPerpOrder, market: FuturesMarket, book: Book, prints: Sequence[Print],
                   now_ms: int) -> None:
        price = order.price
        assert price is not None
        if order.reduce_only and not self.closes(order.symbol, order.side, order.position_side):
            self.orders[order.client_id] = replace(order, status=OrderStatus.CANCELED, updated_ms=now_ms)
            return
        legs = walk(self.depth.standing(book, order.side, now_ms), order.side, market.step, quantity=order.remaining,
                    limit=order.price)
        crossed = sum((leg.quantity for leg in legs), ZERO)
        fresh = [one for one in prints if one.market_ms > order.seen_ms]
        through = sum((one.quantity for one in fresh if
                       (one.price < price if order.side is Side.BUY else one.price > price)), ZERO)
        order = replace(order, seen_ms=max((one.market_ms for one in fresh), default=order.seen_ms))
        quantity = min(order.remaining, max(crossed, through)) // market.step * market.step
        if quantity > 0:
            self.depth.take(order.symbol, order.side, legs, now_ms)
            order = self._fill(order, Leg(price, quantity), market.maker_fee, now_ms, maker=True)
            order = replace(order, status=OrderStatus.PARTIAL if order.remaining else OrderStatus.FILLED)
        self.orders[order.client_id] = order
