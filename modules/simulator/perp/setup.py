"""Settings of an account: leverage, margin type, position mode, margin moved by hand, transfers."""

from __future__ import annotations

from decimal import Decimal

from modules.simulator.perp.desk import Desk
from modules.simulator.perp.margin import CENT, account_view, notional_cap, quantity
from modules.simulator.perp.records import ZERO, Account, Position
from modules.simulator.perp.words import Cause, IncomeKind, Leg, Refused, Why


class Setup:
    """Changes settings as the venue allows them; never silently."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._ledger = desk, desk.ledger

    def leverage(self, account: Account, symbol: str, leverage: int) -> int:
        """Notional cap of the new leverage. Raises Refused."""
        spec = self._desk.spec(symbol)
        if not 1 <= leverage <= spec.brackets[0].leverage:
            raise Refused(Why.BAD_LEVERAGE, f"{leverage} is not 1 … {spec.brackets[0].leverage}")
        setup = account.setup(symbol)
        mark = self._desk.market.marks.mark[self._desk.by_symbol[symbol]]
        held = sum((abs(quantity(spec, leg)) * mark for leg in account.legs(symbol)), ZERO)
        cap = notional_cap(spec, leverage)
        if held > cap:
            raise Refused(Why.LEVERAGE_CAP, f"{leverage}x holds {cap} at most")
        if setup.isolated and held and leverage < setup.leverage:
            raise Refused(Why.LEVERAGE_REDUCTION, symbol)
        before = setup.leverage
        setup.leverage = leverage
        if leverage < before:
            view = account_view(account, self._desk.figures(account))
            if view.cross_wallet + view.cross_unrealized < view.initial_margin:
                setup.leverage = before
                raise Refused(Why.INSUFFICIENT_MARGIN, symbol)
        self._changed(account, symbol)
        return cap

    def margin_type(self, account: Account, symbol: str, isolated: bool) -> None:
        """Raises Refused: SAME_MARGIN_TYPE, MARGIN_TYPE_OPEN_ORDERS, MARGIN_TYPE_OPEN_POSITION."""
        self._desk.spec(symbol)
        setup = account.setup(symbol)
        if setup.isolated == isolated:
            raise Refused(Why.SAME_MARGIN_TYPE, symbol)
        if self._ledger.open_orders(account, symbol):
            raise Refused(Why.MARGIN_TYPE_OPEN_ORDERS, symbol)
        if account.legs(symbol):
            raise Refused(Why.MARGIN_TYPE_OPEN_POSITION, symbol)
        setup.isolated = isolated
        self._ledger.dirty.accounts.add(account.name)
        for listener in self._desk.listeners:
            listener.account_update(account, Cause.MARGIN_TYPE_CHANGE, ZERO, ((symbol, Leg.BOTH),))

    def hedge(self, account: Account, hedge: bool) -> None:
        """Raises Refused: SAME_MODE, MODE_OPEN_ORDERS, MODE_OPEN_POSITIONS."""
        if account.hedge == hedge:
            raise Refused(Why.SAME_MODE)
        if self._ledger.open_orders(account) or self._ledger.open_algos(account):
            raise Refused(Why.MODE_OPEN_ORDERS)
        if account.legs():
            raise Refused(Why.MODE_OPEN_POSITIONS)
        account.hedge = hedge
        self._changed(account, None)

    def _changed(self, account: Account, symbol: str | None) -> None:
        self._ledger.dirty.accounts.add(account.name)
        for listener in self._desk.listeners:
            listener.config_update(account, symbol)

    def move_margin(self, account: Account, symbol: str, leg: Leg | None, amount: Decimal) -> None:
        """Into an isolated position, or (below 0) out of it down to its initial margin. Raises Refused."""
        spec = self._desk.spec(symbol)
        if not amount or not amount.is_finite() or amount != amount.quantize(CENT):
            raise Refused(Why.BAD_AMOUNT, str(amount))
        if not account.setup(symbol).isolated:
            raise Refused(Why.NOT_ISOLATED, symbol)
        side = leg or Leg.BOTH
        if (side is Leg.BOTH) == account.hedge:
            raise Refused(Why.LEG_MISMATCH, side)
        held = account.positions.get((symbol, side))
        if held is None or not held.steps:
            raise Refused(Why.NO_POSITION, symbol)
        if amount > account_view(account, self._desk.figures(account)).available:
            raise Refused(Why.INSUFFICIENT_MARGIN, str(amount))
        if amount < 0 and held.isolated_wallet + amount < self._least(account, held):
            raise Refused(Why.MARGIN_NOT_THERE, f"{held.isolated_wallet} {spec.quote} there")
        held.isolated_wallet += amount
        held.updated_ms = self._desk.market.stamp
        self._ledger.dirty.accounts.add(account.name)
        for listener in self._desk.listeners:
            listener.account_update(account, Cause.MARGIN_TRANSFER, ZERO, ((symbol, side),))

    def _least(self, account: Account, held: Position) -> Decimal:
        spec = self._desk.spec(held.symbol)
        mark = self._desk.market.marks.mark[self._desk.by_symbol[held.symbol]]
        result = quantity(spec, held) * mark - held.cost
        return abs(quantity(spec, held)) * mark / account.setup(held.symbol).leverage - min(ZERO, result)

    def transfer(self, account: Account, amount: Decimal) -> None:
        """Raises Refused where more is taken out than is free."""
        if not amount or not amount.is_finite():
            raise Refused(Why.BAD_AMOUNT, str(amount))
        if -amount > account_view(account, self._desk.figures(account)).max_withdraw:
            raise Refused(Why.INSUFFICIENT_MARGIN, str(amount))
        paid = self._ledger.pay(
            account, IncomeKind.TRANSFER, amount, self._desk.market.stamp, trade_id=self._ledger.take_id())
        cause = Cause.DEPOSIT if paid > 0 else Cause.WITHDRAW
        for listener in self._desk.listeners:
            listener.account_update(account, cause, paid, ())
