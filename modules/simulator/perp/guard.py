"""What the venue does to positions by itself: funding, liquidation, margin calls.

Liquidation: when margin ≤ maintenance at the mark price, the open orders that use that margin are cancelled and an
immediate-or-cancel order closes each leg down to its bankruptcy price; what the book does not take the insurance fund
takes at that price. The fee is the contract's rate of the closed notional, at most what is left; a wallet (or an
isolated margin) below zero is made up by the fund.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from modules.simulator.perp.algos import Algos
from modules.simulator.perp.desk import Desk
from modules.simulator.perp.margin import cross_room, maintenance, quantity, unrealized
from modules.simulator.perp.marks import HOUR_MS
from modules.simulator.perp.records import ZERO, Account, ForceOrder, Order, Position
from modules.simulator.perp.words import Cause, Execution, IncomeKind, Kind, Side, Status, Tif

CALL_RATIO = Decimal("0.8")


class Guard:
    """Watches every account against the mark prices."""

    def __init__(self, desk: Desk, algos: Algos) -> None:
        self._desk, self._algos, self._ledger = desk, algos, desk.ledger
        self._called: set[str] = set()

    # -- funding -----------------------------------------------------------------------------------------

    def funding(self) -> None:
        """Settle funding where its time has come: payment = −quantity × mark × rate."""
        market = self._desk.market
        while market.ms >= market.marks.begun + 8 * HOUR_MS:
            due = market.marks.begun + 8 * HOUR_MS
            rates = market.marks.settle(due)
            for account in self._ledger.accounts.values():
                for leg in account.legs():
                    index = self._desk.by_symbol[leg.symbol]
                    self._fund(account, leg, rates[index], market.marks.mark[index])

    def _fund(self, account: Account, leg: Position, rate: Decimal, mark: Decimal) -> None:
        spec = self._desk.spec(leg.symbol)
        paid = self._ledger.pay(
            account, IncomeKind.FUNDING_FEE, -quantity(spec, leg) * mark * rate, self._desk.market.stamp, leg.symbol,
            self._ledger.take_id())
        if account.setup(leg.symbol).isolated:
            leg.isolated_wallet += paid
        for listener in self._desk.listeners:
            listener.account_update(account, Cause.FUNDING_FEE, paid, ((leg.symbol, leg.leg),))

    # -- liquidation -------------------------------------------------------------------------------------

    def watch(self) -> None:
        """Liquidate what the mark prices have used up; call for margin before that."""
        for account in self._ledger.accounts.values():
            legs = account.legs()
            if legs:
                self._isolated(account, legs)
                self._cross(account)

    def _isolated(self, account: Account, legs: list[Position]) -> None:
        marks = self._desk.market.marks.mark
        for leg in legs:
            if not account.setup(leg.symbol).isolated or not leg.steps:
                continue
            spec, mark = self._desk.spec(leg.symbol), marks[self._desk.by_symbol[leg.symbol]]
            needed = maintenance(spec, abs(quantity(spec, leg)) * mark)
            if leg.isolated_wallet + unrealized(spec, leg, mark) <= needed:
                self.liquidate_leg(account, leg, leg.isolated_wallet)

    def _cross(self, account: Account) -> None:
        legs = [leg for leg in account.legs() if not account.setup(leg.symbol).isolated]
        if not legs:
            return
        figures = self._desk.figures(account)
        room = cross_room(account, figures)
        if room <= 0:
            self.liquidate_cross(account)
            return
        needed = sum((maintenance(figures.specs[leg.symbol], abs(quantity(figures.specs[leg.symbol], leg))
                                  * figures.mark[leg.symbol]) for leg in legs), ZERO)
        if needed > (room + needed) * CALL_RATIO:
            if account.name not in self._called:
                self._called.add(account.name)
                for listener in self._desk.listeners:
                    listener.margin_call(account, [(leg.symbol, leg.leg) for leg in legs])
        else:
            self._called.discard(account.name)

    def liquidate_cross(self, account: Account) -> None:
        """Close every cross leg of an account."""
        legs = [leg for leg in account.legs() if not account.setup(leg.symbol).isolated]
        for leg in sorted(legs, key=lambda one: -abs(one.cost)):
            if not leg.steps:
                continue
            isolated = sum((p.isolated_wallet for p in account.legs()), ZERO)
            others = ZERO
            for other in account.legs():
                if other is not leg and not account.setup(other.symbol).isolated:
                    mark = self._desk.market.marks.mark[self._desk.by_symbol[other.symbol]]
                    others += unrealized(self._desk.spec(other.symbol), other, mark)
            self.liquidate_leg(account, leg, max(ZERO, account.wallet - isolated + others))

    def liquidate_leg(self, account: Account, leg: Position, margin: Decimal) -> None:
        """Close one leg; `margin` is what stands for it."""
        market, ledger = self._desk.market, self._ledger
        index, spec = self._desk.by_symbol[leg.symbol], self._desk.spec(leg.symbol)
        isolated = account.setup(leg.symbol).isolated
        for order in ledger.open_orders(account, leg.symbol if isolated else None):
            if isolated or not account.setup(order.symbol).isolated:
                self._desk.cancel(account, order)
        side = Side.SELL if leg.steps > 0 else Side.BUY
        bankrupt = (leg.cost - margin) / quantity(spec, leg)  # margin + result = 0
        ticks = int((bankrupt / spec.tick).to_integral_value(ROUND_CEILING if side is Side.SELL else ROUND_FLOOR))
        ticks = max(1, ticks)
        before, steps = account.wallet, abs(leg.steps)
        number = ledger.take_id()
        order = Order(
            number, f"autoclose-{number}", account.name, leg.symbol, index, side, leg.leg, Kind.LIMIT, Tif.IOC, ticks,
            steps, spec.tick, spec.step, market.stamp, market.stamp, reduce_only=True, liquidation=True)
        for listener in self._desk.listeners:
            listener.order_update(account, order, Execution.NEW, None)
        ledger.note(order)
        self._desk.match(account, order, ticks, steps)
        self._take_over(account, order, ticks)
        self._clear(account, leg, spec.liquidation_fee, order, before, margin if isolated else None)
        average = int(order.average / spec.tick)
        for listener in self._desk.listeners:
            listener.force_order(ForceOrder(leg.symbol, index, side, ticks, average, steps, market.stamp))

    def _take_over(self, account: Account, order: Order, ticks: int) -> None:
        """The insurance fund takes what the book did not, at the bankruptcy price."""
        market = self._desk.market
        rest = order.remaining
        if rest:
            number = market.tape.next_trade[order.index]
            market.tape.next_trade[order.index] += 1
            fill = self._ledger.settle(
                account, market.specs[order.index], order, ticks, rest, number, maker=False, ms=market.stamp)
            order.status = Status.FILLED
            self._ledger.note(order)
            for listener in self._desk.listeners:
                listener.order_update(account, order, Execution.CALCULATED, fill)
                listener.account_update(account, Cause.ORDER, ZERO, ((order.symbol, order.leg),))
        self._desk.review(account, order.symbol)

    def _clear(
        self, account: Account, leg: Position, rate: Decimal, order: Order, before: Decimal, margin: Decimal | None
    ) -> None:
        """Liquidation fee from what is left, or the fund's cover."""
        lost = before - account.wallet
        left = margin - lost if margin is not None else account.wallet - sum(
            (p.isolated_wallet for p in account.legs()), ZERO)
        change = -left if left < 0 else -min(left, order.filled_quote * rate)
        paid = self._ledger.pay(
            account, IncomeKind.INSURANCE_CLEAR, change, self._desk.market.stamp, leg.symbol, order.id)
        for listener in self._desk.listeners:
            listener.account_update(account, Cause.INSURANCE_CLEAR, paid, ((leg.symbol, leg.leg),))
