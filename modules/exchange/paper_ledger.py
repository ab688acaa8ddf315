"""The paper account's books: balances, orders, fills. Pure: time, market and book are passed in.

1. An order is judged as MEXC judges it, and refused with MEXC's codes.
2. Fees are taken in the quote coin on both sides, as MEXC does (ccxt issue 22320 shows a buy's fee in USDT), rounded
   up to 1e-12.
3. A buy may cost at most what is free, fee included; a sell gives only what is held. Nothing becomes negative.
4. A resting order fills at its own price, at most by what crossed it: what the book shows at its price or better, or
   what was traded strictly through it since the last look, whichever is more. Trades at its price count for those
   who stood before it.
Money is conserved: only a fill and its fee change the sum of free and locked.
"""

from collections.abc import Sequence
from decimal import ROUND_UP, Decimal, localcontext

from msgspec.structs import replace

from modules.exchange.mexc_codes import MEXC
from modules.exchange.paper_depth import Depth, Leg, walk
from modules.exchange.paper_state import KEEP_FILLS, KEEP_ORDERS, Money, PaperOrder, PaperState
from modules.exchange.types import (
    Accepted,
    Book,
    Fill,
    Market,
    OrderRequest,
    OrderStatus,
    OrderType,
    Print,
    Refused,
    Side,
)

ZERO = Decimal(0)
FEE_STEP = Decimal("1e-12")
PRECISION = 60  # digits: 1e15 coins at 1e-12 with their products stay exact (X12)


def refused(code: str, detail: str = "") -> Refused:
    """A refusal with the venue's code."""
    return Refused(code, f"{MEXC.meaning(code)}{f': {detail}' if detail else ''}")


class Ledger:
    """One account."""

    def __init__(self, state: PaperState) -> None:
        self._balances = dict(state.balances)
        self._orders = {order.client_id: order for order in state.orders}
        self._fills = list(state.fills)
        self._next_id = state.next_id
        self.dropped_ms = state.dropped_ms
        self.depth = Depth()

    # -- reading -------------------------------------------------------------------------------------------

    def snapshot(self) -> PaperState:
        """Everything, as it goes to disk; immutable."""
        return PaperState(dict(self._balances), list(self._orders.values()), list(self._fills), self._next_id,
                          self.dropped_ms)

    def order(self, symbol: str, client_id: str) -> PaperOrder | None:
        """An order by client id."""
        found = self._orders.get(client_id)
        return found if found is not None and found.symbol == symbol else None

    def resting(self, symbol: str | None = None) -> list[PaperOrder]:
        """Live orders, oldest first."""
        return [o for o in self._orders.values() if not o.status.terminal and symbol in (None, o.symbol)]

    def fills(self, symbol: str, since_ms: int) -> list[Fill]:
        """Fills from `since_ms` on, oldest first."""
        return [fill for fill in self._fills if fill.symbol == symbol and fill.market_ms >= since_ms]

    def money(self, asset: str) -> Money:
        """Free and locked amount of a coin."""
        return self._balances.get(asset, Money())

    # -- placing -------------------------------------------------------------------------------------------

    def submit(self, request: OrderRequest, market: Market, book: Book, now_ms: int) -> Accepted | Refused:
        """Judge an order, execute what executes at once, rest or end the remainder."""
        with localcontext(prec=PRECISION):
            return self._judge(request, market) or self._execute(request, market, book, now_ms)

    def _judge(self, request: OrderRequest, market: Market) -> Refused | None:
        """The venue's filters (rule 1)."""
        if request.client_id in self._orders:
            return refused("30026", request.client_id)
        if not market.api_allowed:
            return refused("10007", market.symbol)
        if not market.trading:
            return refused("30016", market.symbol)
        if not (market.buys if request.side is Side.BUY else market.sells):
            return refused("30001", market.symbol)
        if request.type is OrderType.MARKET and not market.market_orders:
            return refused("30051", market.symbol)
        return _judge_numbers(request, market)

    def _execute(self, request: OrderRequest, market: Market, book: Book, now_ms: int) -> Accepted | Refused:
        standing = self.depth.standing(book, request.side, now_ms)
        legs = walk(standing, request.side, market.step, quantity=request.quantity, budget=request.quote_quantity,
                    limit=request.price)
        worth = _worth(request, standing)
        if worth is not None and worth < market.min_notional:
            return refused("30002", f"{worth:f} of {market.min_notional:f} {market.quote}")
        if request.type is OrderType.MARKET and not legs:
            return refused("30025", market.symbol)
        short = self._short_of(request, market, legs)
        if short is not None:
            return short
        order = self._new_order(request, market, now_ms)
        if request.type is OrderType.POST_ONLY and legs:  # MEXC takes it and cancels it
            self._orders[order.client_id] = replace(order, status=OrderStatus.CANCELED)
            self._trim()
            return Accepted(order.order_id)
        self.depth.take(market.symbol, request.side, legs, now_ms)
        for leg in legs:
            order = self._fill(order, leg, market.taker_fee, now_ms, maker=False)
        self._rest_or_end(order, request, market)
        self._trim()
        return Accepted(order.order_id)

    def _short_of(self, request: OrderRequest, market: Market, legs: Sequence[Leg]) -> Refused | None:
        """Rule 3, as the venue holds money before it executes."""
        if request.side is Side.SELL:
            needed = request.quantity or ZERO
            free = self.money(market.base).free
            return refused("30005", f"{free:f} of {needed:f} {market.base}") if needed > free else None
        if request.price is not None:
            cost = request.price * (request.quantity or ZERO)
        else:
            cost = request.quote_quantity or sum((leg.price * leg.quantity for leg in legs), ZERO)
        needed = cost * (1 + market.taker_fee)
        free = self.money(market.quote).free
        return refused("30004", f"{free:f} of {needed:f} {market.quote}") if needed > free else None

    def _new_order(self, request: OrderRequest, market: Market, now_ms: int) -> PaperOrder:
        number, self._next_id = self._next_id, self._next_id + 1
        return PaperOrder(
            client_id=request.client_id, order_id=f"P{number:010d}", symbol=market.symbol, base=market.base,
            quote=market.quote, side=request.side, type=request.type, status=OrderStatus.NEW, price=request.price,
            quantity=request.quantity or ZERO, filled=ZERO, filled_quote=ZERO, hold=ZERO, fee_rate=market.taker_fee,
            created_ms=now_ms, updated_ms=now_ms, seen_ms=now_ms,
        )

    def _rest_or_end(self, order: PaperOrder, request: OrderRequest, market: Market) -> None:
        if request.quote_quantity is not None:
            last = self._fills[-1].price
            done = request.quote_quantity - order.filled_quote < last * market.step
            order = replace(order, quantity=order.filled)
        else:
            done = order.remaining == 0
        if done:
            order = replace(order, status=OrderStatus.FILLED)
        elif order.type in (OrderType.LIMIT, OrderType.POST_ONLY):
            order = self._set_hold(replace(order, status=OrderStatus.PARTIAL if order.filled else OrderStatus.NEW))
        else:
            order = replace(order, status=OrderStatus.CANCELED)
        self._orders[order.client_id] = order

    # -- living on -----------------------------------------------------------------------------------------

    def cancel(self, symbol: str, client_id: str, now_ms: int) -> Accepted | Refused:
        """End a live order and free what it holds."""
        order = self.order(symbol, client_id)
        if order is None or order.status.terminal:
            return refused("-2011", client_id)
        with localcontext(prec=PRECISION):
            self._end(order, OrderStatus.CANCELED, now_ms)
        self._trim()
        return Accepted(order.order_id)

    def reach(self, market: Market, book: Book, prints: Sequence[Print], now_ms: int) -> bool:
        """Let the market reach resting orders of one symbol (rule 4); true when something changed."""
        before = len(self._fills)
        used: dict[Side, Decimal] = {Side.BUY: ZERO, Side.SELL: ZERO}
        with localcontext(prec=PRECISION):
            for order in sorted(self.resting(market.symbol), key=_priority):
                self._reach_one(order, market, book, prints, used, now_ms)
        return len(self._fills) > before

    def _reach_one(self, order: PaperOrder, market: Market, book: Book, prints: Sequence[Print],
                   used: dict[Side, Decimal], now_ms: int) -> None:
        price = order.price
        assert price is not None
        legs = walk(self.depth.standing(book, order.side, now_ms), order.side, market.step,
                    quantity=order.remaining, limit=price)
        crossed = sum((leg.quantity for leg in legs), ZERO)
        fresh = [p for p in prints if p.market_ms > order.seen_ms]
        through = sum((p.quantity for p in fresh if _through(p, order)), ZERO) - used[order.side]
        steps = min(order.remaining, max(crossed, through)) // market.step
        seen = max((p.market_ms for p in fresh), default=order.seen_ms)
        self._orders[order.client_id] = order = replace(order, seen_ms=seen)
        if steps <= 0:
            return
        quantity = steps * market.step
        self.depth.take(market.symbol, order.side, legs, now_ms)
        used[order.side] += quantity
        order = self._fill(order, Leg(price, quantity), market.maker_fee, now_ms, maker=True)
        if order.remaining == 0:
            self._end(order, OrderStatus.FILLED, now_ms)
        else:
            self._orders[order.client_id] = self._set_hold(replace(order, status=OrderStatus.PARTIAL))

    def _end(self, order: PaperOrder, status: OrderStatus, now_ms: int) -> None:
        self._move(order.hold_asset, free=order.hold, locked=-order.hold)
        self._orders[order.client_id] = replace(order, status=status, hold=ZERO, updated_ms=now_ms)

    def _set_hold(self, order: PaperOrder) -> PaperOrder:
        """Lock what the remainder may still cost, no less and no more."""
        if order.side is Side.SELL:
            needed = order.remaining
        else:
            assert order.price is not None
            needed = order.price * order.remaining * (1 + order.fee_rate)
        needed = min(needed, self.money(order.hold_asset).free + order.hold)
        self._move(order.hold_asset, free=order.hold - needed, locked=needed - order.hold)
        return replace(order, hold=needed)

    # -- money ---------------------------------------------------------------------------------------------

    def _fill(self, order: PaperOrder, leg: Leg, rate: Decimal, now_ms: int, *, maker: bool) -> PaperOrder:
        """Book one execution; the order's hold pays first."""
        if order.hold:
            self._move(order.hold_asset, free=order.hold, locked=-order.hold)
            order = replace(order, hold=ZERO)
        worth = leg.price * leg.quantity
        fee = (worth * rate).quantize(FEE_STEP, ROUND_UP)
        if order.side is Side.BUY:
            fee = max(ZERO, min(fee, self.money(order.quote).free - worth))  # the last 1e-12 of a rounded fee
            self._move(order.quote, free=-(worth + fee))
            self._move(order.base, free=leg.quantity)
        else:
            self._move(order.base, free=-leg.quantity)
            self._move(order.quote, free=worth - fee)
        number = sum(1 for fill in self._fills if fill.order_id == order.order_id) + 1
        self._fills.append(Fill(
            id=f"{order.order_id}-{number}", symbol=order.symbol, order_id=order.order_id, client_id=order.client_id,
            side=order.side, price=leg.price, quantity=leg.quantity, fee=fee, fee_asset=order.quote,
            market_ms=now_ms, maker=maker))
        return replace(order, filled=order.filled + leg.quantity, filled_quote=order.filled_quote + worth,
                       updated_ms=now_ms)

    def _move(self, asset: str, *, free: Decimal = ZERO, locked: Decimal = ZERO) -> None:
        money = self.money(asset)
        after = Money(money.free + free, money.locked + locked)
        if after.free < 0 or after.locked < 0:
            raise ArithmeticError(f"{asset} of the paper account would become negative")  # a bug, never a refusal
        self._balances[asset] = after

    def _trim(self) -> None:
        """Keep the file bounded: the oldest ended orders and fills go."""
        ended = [order for order in self._orders.values() if order.status.terminal]
        for order in ended[: max(0, len(ended) - KEEP_ORDERS)]:
            del self._orders[order.client_id]
        surplus = len(self._fills) - KEEP_FILLS
        if surplus > 0:
            self.dropped_ms = max(self.dropped_ms, *(fill.market_ms for fill in self._fills[:surplus]))
            del self._fills[:surplus]


def _judge_numbers(request: OrderRequest, market: Market) -> Refused | None:
    if request.price is not None and (request.price <= 0 or request.price % market.tick != 0):
        return refused("33333", f"price {request.price:f} is not a multiple of {market.tick:f}")
    amount = request.quantity if request.quantity is not None else request.quote_quantity
    if amount is None or not amount.is_finite() or amount <= 0:
        return refused("10102")
    if request.quantity is not None and request.quantity % market.step != 0:
        return refused("10096", f"{request.quantity:f} is not a multiple of {market.step:f}")
    return None


def _worth(request: OrderRequest, standing: Sequence[Leg]) -> Decimal | None:
    """What the order is worth in quote, for the minimum; None where neither order nor book has a price."""
    if request.quote_quantity is not None:
        return request.quote_quantity
    price = request.price if request.price is not None else standing[0].price if standing else None
    return None if price is None or request.quantity is None else request.quantity * price


def _priority(order: PaperOrder) -> tuple[Decimal, str]:
    """Better prices first, then who came first."""
    price = order.price or ZERO
    return (-price if order.side is Side.BUY else price, order.order_id)


def _through(print_: Print, order: PaperOrder) -> bool:
    assert order.price is not None
    return print_.price < order.price if order.side is Side.BUY else print_.price > order.price
