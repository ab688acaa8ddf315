"""Who owns what: accounts, orders, fills, income, and the one way a wallet changes.

Identity: wallet = Σ income of the account, exactly; every change of a wallet books its income row here.
What changed since the last commit is collected for the journal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from modules.simulator.perp.margin import CENT
from modules.simulator.perp.records import ZERO, Account, Algo, Fill, Income, Order, Position, Spec
from modules.simulator.perp.words import IncomeKind, Leg


@dataclass(slots=True)
class Dirty:
    """What a commit has to write."""

    orders: dict[int, Order] = field(default_factory=dict)
    algos: dict[int, Algo] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    income: list[Income] = field(default_factory=list)
    accounts: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.orders or self.algos or self.fills or self.income or self.accounts)


class Ledger:
    """All that belongs to users."""

    def __init__(self, accounts: list[Account], first_id: int) -> None:
        self.accounts = {account.name: account for account in accounts}
        self.orders: dict[int, Order] = {}
        self.algos: dict[int, Algo] = {}
        self.fills: list[Fill] = []
        self.income: list[Income] = []
        self.next_id = first_id
        self.dirty = Dirty()
        self._open: dict[str, dict[str, dict[int, Order]]] = {name: {} for name in self.accounts}
        self._open_algos: dict[str, dict[int, Algo]] = {name: {} for name in self.accounts}
        self._by_client: dict[tuple[str, str, str], int] = {}

    def take_id(self) -> int:
        """The next id of an order, algo or income row."""
        self.next_id += 1
        return self.next_id

    # -- orders ------------------------------------------------------------------------------------------

    def note(self, order: Order) -> None:
        """An order is new or changed."""
        self.orders[order.id] = order
        self.dirty.orders[order.id] = order
        self._by_client[order.account, order.symbol, order.client_id] = order.id
        mine = self._open[order.account].setdefault(order.symbol, {})
        if order.status.final:
            mine.pop(order.id, None)
            if not mine:
                del self._open[order.account][order.symbol]
        else:
            mine[order.id] = order

    def note_algo(self, algo: Algo) -> None:
        """A conditional order is new or changed."""
        self.algos[algo.id] = algo
        self.dirty.algos[algo.id] = algo
        if algo.status.value == "NEW":
            self._open_algos[algo.account][algo.id] = algo
        else:
            self._open_algos[algo.account].pop(algo.id, None)

    def open_orders(self, account: Account, symbol: str | None = None) -> list[Order]:
        """Open orders, oldest first."""
        mine = self._open[account.name]
        if symbol is not None:
            return list(mine.get(symbol, {}).values())
        return sorted((order for found in mine.values() for order in found.values()), key=lambda order: order.id)

    def open_by_symbol(self, account: Account) -> dict[str, list[Order]]:
        """Open orders of each symbol that has some."""
        return {symbol: list(found.values()) for symbol, found in self._open[account.name].items()}

    def open_algos(self, account: Account, symbol: str | None = None) -> list[Algo]:
        """Waiting conditional orders, oldest first."""
        return [algo for algo in self._open_algos[account.name].values() if symbol in (None, algo.symbol)]

    def by_client(self, account: Account, symbol: str, client_id: str) -> Order | None:
        """The newest order with a client id."""
        found = self._by_client.get((account.name, symbol, client_id))
        return self.orders[found] if found is not None else None

    # -- money -------------------------------------------------------------------------------------------

    def pay(
        self, account: Account, kind: IncomeKind, amount: Decimal, ms: int, symbol: str = "", trade_id: int = 0,
        info: str = "",
    ) -> Decimal:
        """Change a wallet and book why. Returns the amount, rounded to 8 decimals."""
        amount = amount.quantize(CENT)
        if amount:
            account.wallet += amount
            row = Income(self.take_id(), account.name, kind, amount, "USDT", symbol, ms, trade_id, info)
            self.income.append(row)
            self.dirty.income.append(row)
            self.dirty.accounts.add(account.name)
        return amount

    def settle(
        self, account: Account, spec: Spec, order: Order, tick: int, steps: int, trade_id: int, maker: bool, ms: int
    ) -> Fill:
        """Book one trade of an order: position, realised result, commission, the order's own figures."""
        price, qty = spec.price(tick), spec.qty(steps)
        leg = account.position(order.symbol, order.leg)
        signed = steps * order.side.sign
        closing = min(steps, abs(leg.steps)) if leg.steps * signed < 0 else 0
        realized = self._close(leg, spec, price, closing) if closing else ZERO
        if steps > closing:
            self._open_more(account, leg, spec, price, (steps - closing) * order.side.sign)
        leg.updated_ms = ms
        realized = self.pay(account, IncomeKind.REALIZED_PNL, realized, ms, order.symbol, trade_id)
        leg.realized += realized
        rate = spec.maker_fee if maker else spec.taker_fee
        fee = -self.pay(account, IncomeKind.COMMISSION, -(price * qty * rate), ms, order.symbol, trade_id)
        order.filled += steps
        order.filled_quote += price * qty
        order.updated_ms = ms
        fill = Fill(
            trade_id, order.id, order.client_id, account.name, order.symbol, order.side, order.leg, price, qty,
            price * qty, fee, realized, maker, ms)
        self.fills.append(fill)
        self.dirty.fills.append(fill)
        self.dirty.accounts.add(account.name)
        return fill

    @staticmethod
    def _close(leg: Position, spec: Spec, price: Decimal, steps: int) -> Decimal:
        """Take steps off a leg; the realised result. Isolated margin comes free in proportion."""
        held = abs(leg.steps)
        side = 1 if leg.steps > 0 else -1
        whole = steps == held
        cost = leg.cost if whole else leg.cost * steps / held
        freed = leg.isolated_wallet if whole else (leg.isolated_wallet * steps / held).quantize(CENT)
        leg.isolated_wallet -= freed
        leg.cost -= cost
        leg.steps -= side * steps
        return side * price * spec.qty(steps) - cost

    @staticmethod
    def _open_more(account: Account, leg: Position, spec: Spec, price: Decimal, signed: int) -> None:
        if not leg.steps:
            leg.realized = ZERO
        added = price * spec.qty(signed)
        leg.steps += signed
        leg.cost += added
        setup = account.setup(spec.symbol)
        if setup.isolated:
            leg.isolated_wallet += (abs(added) / setup.leverage).quantize(CENT)

    def closable(self, account: Account, symbol: str, leg: Leg, sign: int) -> int:
        """Steps of a leg that an order of this sign (+1 buys) would close."""
        held = account.positions.get((symbol, leg))
        if held is None or held.steps * sign >= 0:
            return 0
        return abs(held.steps)
