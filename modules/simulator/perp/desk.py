"""The trading desk: takes, changes and cancels orders, books their fills, tells everyone. The books' `Makers`."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from modules.simulator.perp import rules
from modules.simulator.perp.api import Listener
from modules.simulator.perp.book import Chunk
from modules.simulator.perp.ledger import Ledger
from modules.simulator.perp.margin import Book, account_view, notional_cap, order_margin
from modules.simulator.perp.market import Market
from modules.simulator.perp.records import ZERO, Account, Fill, NewOrder, Order, Spec
from modules.simulator.perp.words import Cause, Execution, Kind, Refused, Side, Status, Tif, Why

ASSUMED = Decimal("1.0005")  # a market buy is reserved for at the ask × this


class Desk:
    """Orders of all users. `market` is set before the first call."""

    market: Market

    def __init__(self, ledger: Ledger, by_symbol: dict[str, int], listeners: list[Listener]) -> None:
        self.ledger, self.by_symbol, self.listeners = ledger, by_symbol, listeners
        self._named: dict[str, Spec] | None = None
        self.closed: set[str] = set()  # symbols that take no new orders

    # -- helpers -----------------------------------------------------------------------------------------

    def spec(self, symbol: str) -> Spec:
        """A contract. Raises Refused."""
        index = self.by_symbol.get(symbol)
        if index is None:
            raise Refused(Why.UNKNOWN_SYMBOL, symbol)
        return self.market.specs[index]

    def figures(self, account: Account) -> Book:
        """What margin calculations of an account need, at this instant."""
        orders = self.ledger.open_by_symbol(account)
        needed = {leg.symbol for leg in account.legs()} | set(orders)
        marks = self.market.marks.mark
        return Book(self.by_name, {s: marks[self.by_symbol[s]] for s in needed}, orders)

    @property
    def by_name(self) -> dict[str, Spec]:
        """Contracts by symbol; made anew when one changed."""
        if self._named is None:
            self._named = {symbol: self.market.specs[index] for symbol, index in self.by_symbol.items()}
        return self._named

    def respec(self) -> None:
        """A contract changed."""
        self._named = None

    def tell(self, order: Order, execution: Execution, fill: Fill | None = None) -> None:
        """Note an order's change and tell the listeners."""
        self.ledger.note(order)
        account = self.ledger.accounts[order.account]
        for listener in self.listeners:
            listener.order_update(account, order, execution, fill)
            if fill is not None:
                listener.account_update(account, Cause.ORDER, ZERO, ((order.symbol, order.leg),))

    # -- placing -----------------------------------------------------------------------------------------

    def check(self, account: Account, new: NewOrder) -> Order:
        """The order that `new` asks for, checked in all but what matching decides. Raises Refused."""
        rules.shape(new)
        index = self.by_symbol.get(new.symbol)
        spec = self.spec(new.symbol)
        assert index is not None
        if new.symbol in self.closed:
            raise Refused(Why.SYMBOL_CLOSED, new.symbol)
        if not account.can_trade:
            raise Refused(Why.ACCOUNT_CLOSED)
        leg = rules.leg_of(account, new.side, new.leg, new.reduce_only)
        closing = self.ledger.closable(account, new.symbol, leg, new.side.sign)
        reducing = new.reduce_only or rules.closes(leg, new.side) or new.close_position
        mark = self.market.marks.mark[index]
        price = rules.limit_price(spec, new.price, new.side, mark) if new.price is not None else 0
        market = new.kind is Kind.MARKET
        if new.close_position:
            steps = closing
        else:
            assert new.qty is not None
            steps = rules.quantity(spec, new.qty, market)
        rules.min_notional(account, spec, steps, spec.price(price) if price else mark, reducing)
        if reducing and (not closing or (rules.closes(leg, new.side) and steps > closing)):
            raise Refused(Why.REDUCE_ONLY, f"{closing * spec.step} to close")
        number = self.ledger.take_id()
        client = new.client_id or f"sim{number}"
        known = self.ledger.by_client(account, new.symbol, client)
        if known is not None and not known.status.final:
            raise Refused(Why.DUPLICATE_CLIENT_ID, client)
        if not market and len(self.ledger.open_orders(account, new.symbol)) >= spec.max_orders:
            raise Refused(Why.MAX_ORDERS, str(spec.max_orders))
        order = Order(
            number, client, account.name, new.symbol, index, new.side, leg, new.kind,
            Tif.GTC if market else new.tif, price, steps, spec.tick, spec.step, self.market.stamp, self.market.stamp,
            reduce_only=reducing, close_position=new.close_position, good_till_ms=new.good_till_ms or 0,
            tag=new.tag)
        self._funds(account, spec, order, mark)
        return order

    def _funds(self, account: Account, spec: Spec, order: Order, mark: Decimal) -> None:
        """Raises Refused where margin or the leverage's cap is not enough. Reducing orders need neither."""
        if order.reduce_only:
            return
        now = self.ledger.open_orders(account, order.symbol)
        others = [o for o in now if o.id != order.id]  # a modified order frees what it holds
        price = spec.price(order.price) if order.price else self._assumed(order)
        notional = price * spec.qty(order.remaining)
        extra = (order.side, order.leg, notional, False)
        held, before, _, _ = order_margin(spec, account, now, mark)
        _, after, _, _ = order_margin(spec, account, others, mark, extra)
        leverage = account.setup(spec.symbol).leverage
        if (held + after) * leverage > notional_cap(spec, leverage) and after > before:
            raise Refused(Why.LEVERAGE_CAP, f"{leverage}x holds {notional_cap(spec, leverage)} at most")
        loss = max(ZERO, (price - mark) * order.side.sign) * spec.qty(order.remaining)
        needed = after - before
        if needed > 0:
            available = account_view(account, self.figures(account)).available
            if needed + loss > available:
                raise Refused(Why.INSUFFICIENT_MARGIN, f"{needed + loss:.8f} needed, {available:.8f} available")

    def _assumed(self, order: Order) -> Decimal:
        books = self.market.books
        touch = books.ask(order.index) if order.side is Side.BUY else books.bid(order.index)
        price = touch * order.tick
        return price * ASSUMED if order.side is Side.BUY else price

    def place(self, account: Account, new: NewOrder, algo_id: int = 0, orig: Kind | None = None) -> Order:
        """Take an order; what it matches is filled when this returns. Raises Refused."""
        order = self.check(account, new)
        order.algo_id, order.orig_kind = algo_id, orig
        limit = order.price or self._market_limit(order)
        sign = order.side.sign
        most = self._may_take(account, order)
        if order.tif in (Tif.FOK, Tif.GTX) or order.kind is Kind.MARKET:
            wanted = most if order.tif is Tif.FOK else 1
            found = self.market.books.available(order.index, sign, wanted, limit, account.name)
            if order.tif is Tif.FOK and found < order.qty:
                raise Refused(Why.FOK, new.symbol)
            if order.tif is Tif.GTX and self._would_take(order):
                raise Refused(Why.POST_ONLY, new.symbol)
            if order.kind is Kind.MARKET and not found:
                raise Refused(Why.NO_COUNTERPARTY, new.symbol)
        self.tell(order, Execution.NEW)
        self.match(account, order, limit, most)
        self._settle_rest(account, order)
        return order

    def _would_take(self, order: Order) -> bool:
        books = self.market.books
        best = books.ask(order.index) if order.side is Side.BUY else books.bid(order.index)
        return bool(best) and (order.price - best) * order.side.sign >= 0

    def _market_limit(self, order: Order) -> int:
        """Furthest tick that a market order takes: the mark price's market band."""
        spec, mark = self.market.specs[order.index], self.market.mark_ticks(order.index)
        if order.side is Side.BUY:
            return int((mark * (1 + spec.market_band)).to_integral_value(ROUND_FLOOR))
        return int((mark * (1 - spec.market_band)).to_integral_value(ROUND_CEILING))

    def _may_take(self, account: Account, order: Order) -> int:
        if not order.reduce_only:
            return order.remaining
        return min(order.remaining, self.ledger.closable(account, order.symbol, order.leg, order.side.sign))

    def match(self, account: Account, order: Order, limit: int, most: int) -> None:
        """Let an order take what the book has within `limit`, `most` steps."""
        spec = self.market.specs[order.index]

        def fill(tick: int, chunks: Sequence[Chunk], first: int) -> None:
            for place, (_, steps) in enumerate(chunks):
                one = self.ledger.settle(
                    account, spec, order, tick, steps, first + place, maker=False, ms=self.market.stamp)
                order.status = Status.PARTIALLY_FILLED if order.remaining else Status.FILLED
                self.tell(order, Execution.CALCULATED if order.liquidation else Execution.TRADE, one)

        before = order.filled_quote
        self.market.take(order.index, order.side.sign, most, limit, account.name, fill)
        taken = order.filled_quote - before
        if taken:
            self.market.push(order.index, order.side.sign, float(taken))
            self.review(account, order.symbol)

    def _settle_rest(self, account: Account, order: Order) -> None:
        """What did not match rests, or expires."""
        if order.status.final:
            return
        rests = order.kind is Kind.LIMIT and order.tif in (Tif.GTC, Tif.GTX, Tif.GTD)
        if rests and self.may_fill(order):
            self.market.books.rest(order)
        else:
            self.expire(order, "" if rests else "no counterparty")

    # -- Makers ------------------------------------------------------------------------------------------

    def may_fill(self, order: Order) -> int:
        """Steps of a resting order that may fill now."""
        return self._may_take(self.ledger.accounts[order.account], order)

    def filled(self, order: Order, tick: int, steps: int, place: int) -> None:
        """A user's maker traded."""
        account = self.ledger.accounts[order.account]
        trade_id = self.market.tape.next_trade[order.index] + place
        fill = self.ledger.settle(
            account, self.market.specs[order.index], order, tick, steps, trade_id, maker=True, ms=self.market.stamp)
        order.status = Status.PARTIALLY_FILLED if order.remaining else Status.FILLED
        self.tell(order, Execution.TRADE, fill)
        self.review(account, order.symbol)

    def own_met(self, order: Order) -> None:
        """A maker was taken out: its own account's taker came, or it can reduce no more."""
        order.status = Status.EXPIRED_IN_MATCH
        order.updated_ms = self.market.stamp
        self.tell(order, Execution.EXPIRED)

    def review(self, account: Account, symbol: str) -> None:
        """Reduce-only orders whose position is gone expire."""
        for order in self.ledger.open_orders(account, symbol):
            if not order.reduce_only or not order.remaining or self.may_fill(order):
                continue
            if order in self.market.books.resting(order.index):  # not the taker that is matching right now
                self.market.books.remove(order)
                self.expire(order, "nothing to reduce")

    def expire(self, order: Order, why: str) -> None:
        """End an order that may not stand. It has to be out of the book."""
        order.status, order.expiry, order.updated_ms = Status.EXPIRED, why, self.market.stamp
        self.tell(order, Execution.EXPIRED)

    # -- changing ----------------------------------------------------------------------------------------

    def find(
        self, account: Account, symbol: str, order_id: int | None = None, client_id: str | None = None
    ) -> Order:
        """An order by its id or its client id (the newest one). Raises Refused."""
        self.spec(symbol)
        found = self.ledger.orders.get(order_id) if order_id is not None else (
            self.ledger.by_client(account, symbol, client_id or ""))
        if found is None or found.account != account.name or found.symbol != symbol:
            raise Refused(Why.ORDER_NOT_FOUND, str(order_id if order_id is not None else client_id))
        return found

    def cancel(self, account: Account, order: Order) -> Order:
        """Cancel an open order. Raises Refused(CANCEL_REJECTED)."""
        if order.status.final or order.account != account.name:
            raise Refused(Why.CANCEL_REJECTED, str(order.id))
        self.market.books.remove(order)
        order.status, order.updated_ms = Status.CANCELED, self.market.stamp
        self.tell(order, Execution.CANCELED)
        return order

    def cancel_all(self, account: Account, symbol: str | None) -> list[Order]:
        """Cancel all open orders of a symbol (None: all symbols)."""
        if symbol is not None:
            self.spec(symbol)
        return [self.cancel(account, order) for order in self.ledger.open_orders(account, symbol)]

    def modify(self, account: Account, order: Order, side: Side, qty: Decimal, price: Decimal) -> Order:
        """Another price or quantity. Less at the same price keeps its place; all else queues anew and may match.

        A quantity not above what was filled cancels the order. Raises Refused.
        """
        if order.status.final or order.kind is not Kind.LIMIT or order.account != account.name:
            raise Refused(Why.ORDER_NOT_FOUND, str(order.id))
        if side is not order.side:
            raise Refused(Why.BAD_COMBINATION, "side")
        spec, mark = self.market.specs[order.index], self.market.marks.mark[order.index]
        ticks = rules.limit_price(spec, price, side, mark)
        steps = rules.quantity(spec, qty, False)
        if (ticks, steps) == (order.price, order.qty):
            raise Refused(Why.NO_CHANGE_NEEDED)
        if steps <= order.filled:
            return self.cancel(account, order)
        rules.min_notional(account, spec, steps, spec.price(ticks), order.reduce_only)
        asked = Order(
            order.id, order.client_id, account.name, order.symbol, order.index, side, order.leg, order.kind, order.tif,
            ticks, steps, spec.tick, spec.step, 0, 0, reduce_only=order.reduce_only, filled=order.filled)
        if order.tif is Tif.GTX and self._would_take(asked):
            raise Refused(Why.POST_ONLY, order.symbol)
        self._funds(account, spec, asked, mark)
        if ticks == order.price and steps < order.qty:
            self.market.books.reduce(order, steps)
        else:
            self.market.books.remove(order)
            order.price, order.qty = ticks, steps
        order.updated_ms = self.market.stamp
        self.tell(order, Execution.AMENDMENT)
        if order not in self.market.books.resting(order.index):
            self.match(account, order, ticks, self._may_take(account, order))
            self._settle_rest(account, order)
        return order

    def due(self) -> None:
        """Orders good till a date expire."""
        for account in self.ledger.accounts.values():
            for order in self.ledger.open_orders(account):
                if order.good_till_ms and order.good_till_ms <= self.market.stamp:
                    self.market.books.remove(order)
                    self.expire(order, "good till date")

    def fill_share(self, order: Order, share: Decimal) -> bool:
        """The market takes a share of a resting order at its price; False where nothing may fill of it."""
        may = self.may_fill(order)
        steps = min(may, max(1, int(order.remaining * share)))
        if order.status.final or not steps:
            return False
        if steps == order.remaining:
            self.market.books.remove(order)
        else:
            self.market.books.touch(order.index, order.price)
        self.filled(order, order.price, steps, 0)
        self.market.print(order.index, -order.side.sign, order.price, [(order, steps)])
        return True
