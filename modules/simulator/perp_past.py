"""What readers of the futures saw a while ago: replicas of a venue lag behind what it has just accepted.

An undo log of the last two minutes, fed by what the venue tells its listeners: for each change, what was there before.
Orders, conditional orders, fills, wallet and positions lag; market data does not.
"""

from __future__ import annotations

import copy
import dataclasses
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from modules.simulator.past import MAX_LAG_S
from modules.simulator.perp.api import Account, Algo, AlgoStatus, Cause, Execution, Fill, Leg, Listener, Order
from modules.simulator.perp.venue import PerpVenue


@dataclass(slots=True)
class PerpSeen:
    """How things stood some time ago, where that differs from now. None: was not there yet."""

    ms: int  # fills after it are not seen
    orders: dict[int, Order | None] = field(default_factory=dict)
    algos: dict[int, Algo | None] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)

    def order(self, order: Order) -> Order | None:
        """An order of today as it was."""
        return self.orders.get(order.id, order)

    def algo(self, algo: Algo) -> Algo | None:
        """A conditional order of today as it was."""
        return self.algos.get(algo.id, algo)

    def open_orders(self, account: Account, symbol: str | None, now: Iterable[Order]) -> list[Order]:
        """Orders that were open, given those that are."""
        found = [order for order in now if order.id not in self.orders]
        found += [order for order in self.orders.values() if order is not None and not order.status.final
                  and order.account == account.name and symbol in (None, order.symbol)]
        return sorted(found, key=lambda order: order.id)

    def open_algos(self, account: Account, symbol: str | None, now: Iterable[Algo]) -> list[Algo]:
        """Conditional orders that waited, given those that do."""
        found = [algo for algo in now if algo.id not in self.algos]
        found += [algo for algo in self.algos.values() if algo is not None and algo.status is AlgoStatus.NEW
                  and algo.account == account.name and symbol in (None, algo.symbol)]
        return sorted(found, key=lambda algo: algo.id)

    def account(self, account: Account) -> Account:
        """An account with the wallet and the positions it had."""
        return self.accounts.get(account.name, account)


_Before = Order | Algo | Account | None


class PerpPast(Listener):
    """Keeps the undo log. `clock` gives seconds that never go back."""

    def __init__(self, venue: PerpVenue, clock: Callable[[], float], speed: float) -> None:
        self._venue, self._clock, self._speed = venue, clock, speed
        self._log: deque[tuple[float, str, int | str, _Before]] = deque()
        self._orders: dict[int, Order] = {}
        self._algos: dict[int, Algo] = {}
        self._accounts: dict[str, Account] = {}
        for account in venue.accounts.values():
            self._accounts[account.name] = _copied(account)
            self._orders |= {order.id: copy.copy(order) for order in venue.ledger.open_orders(account)}
            self._algos |= {algo.id: copy.copy(algo) for algo in venue.ledger.open_algos(account)}

    # -- told by the venue -----------------------------------------------------------------------------------

    def order_update(self, account: Account, order: Order, execution: Execution, fill: Fill | None) -> None:
        """Remember the order as it was before this update."""
        self._note("order", order.id, self._orders.get(order.id))
        self._orders[order.id] = copy.copy(order)
        if fill is not None:
            self._money(account)

    def algo_update(self, account: Account, algo: Algo) -> None:
        """The same for a conditional order."""
        self._note("algo", algo.id, self._algos.get(algo.id))
        self._algos[algo.id] = copy.copy(algo)

    def account_update(
        self, account: Account, cause: Cause, change: Decimal, symbols: Sequence[tuple[str, Leg]]
    ) -> None:
        """The same for wallet and positions."""
        self._money(account)

    def _money(self, account: Account) -> None:
        self._note("account", account.name, self._accounts[account.name])
        self._accounts[account.name] = _copied(account)

    def _note(self, what: str, key: int | str, before: _Before) -> None:
        now = self._clock()
        self._log.append((now, what, key, before))
        while self._log[0][0] < now - MAX_LAG_S:
            _, kind, name, _ = self._log.popleft()
            order = self._orders.get(name) if kind == "order" and isinstance(name, int) else None
            if order is not None and order.status.final:
                del self._orders[order.id]

    # -- asked by readers ------------------------------------------------------------------------------------

    def view(self, lag_s: float) -> PerpSeen:
        """How things stood `lag_s` seconds ago."""
        seen = PerpSeen(self._venue.now() - round(lag_s * 1000.0 * self._speed))
        instant = self._clock() - lag_s
        for at, what, key, before in reversed(self._log):
            if at <= instant:
                break
            if what == "order" and isinstance(key, int):
                assert before is None or isinstance(before, Order)
                seen.orders[key] = before
            elif what == "algo" and isinstance(key, int):
                assert before is None or isinstance(before, Algo)
                seen.algos[key] = before
            elif isinstance(before, Account):
                seen.accounts[before.name] = before
        return seen


def _copied(account: Account) -> Account:
    return dataclasses.replace(
        account, positions={key: copy.copy(held) for key, held in account.positions.items()}, setups=account.setups)
