"""What readers saw a while ago: replicas of a venue lag behind what it has just accepted.

An undo log of the last two minutes: for each change, what was there before it. A lagged view walks it backwards.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from modules.simulator.accounts import Account, Balance, Order
from modules.simulator.venue import Change

MAX_LAG_S = 120.0


@dataclass(slots=True)
class Lagged:
    """How things stood some time ago, where that differs from now.

    orders: id → the order as it was, None where it did not exist; fills: how many existed, None for all.
    """

    orders: dict[str, Order | None] = field(default_factory=dict)
    fills: int | None = None
    balances: dict[tuple[str, str], Balance] = field(default_factory=dict)

    def order(self, order: Order) -> Order | None:
        """An order of today as it was, None where it was not there yet."""
        return self.orders.get(order.id, order)

    def opened(self, account: Account, symbol: str | None, now: Iterable[Order]) -> list[Order]:
        """Orders of an account that were open, given those that are."""
        found = [order for order in now if order.id not in self.orders]
        found += [
            order for order in self.orders.values()
            if order is not None and not order.status.final and order.account == account.name
            and symbol in (None, order.symbol)
        ]
        return sorted(found, key=lambda order: order.seq)

    def account(self, account: Account) -> Account:
        """An account with the balances it had."""
        old = {asset: balance for (name, asset), balance in self.balances.items() if name == account.name}
        return Account(account.name, account.api_key, account.secret, account.can_withdraw,
                       {**account.balances, **old})


_Entry = tuple[float, str, str, object]  # instant, what (order, balance, fills), its key, what was before


class Past:
    """Keeps the undo log. `clock` gives seconds that never go back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._log: deque[_Entry] = deque()
        self._orders: dict[str, Order] = {}
        self._balances: dict[tuple[str, str], Balance] = {}
        self._fills = 0

    def begin(self, orders: Iterable[Order], accounts: Iterable[Account], fills: int) -> None:
        """Take over what there is at the start."""
        self._orders = {order.id: copy.copy(order) for order in orders if not order.status.final}
        self._balances = {
            (account.name, asset): copy.copy(balance)
            for account in accounts for asset, balance in account.balances.items()
        }
        self._fills = fills

    def note(self, change: Change) -> None:
        """Remember what was before a change."""
        now = self._clock()
        for order in change.orders:
            self._log.append((now, "order", order.id, self._orders.get(order.id)))
            self._orders[order.id] = copy.copy(order)
        assets = {order.base for order in change.orders} | {"USDT"}
        for account in change.accounts:
            for asset in account.balances if change.whole else assets & account.balances.keys():
                key, balance = (account.name, asset), account.balances[asset]
                before = self._balances.get(key, Balance())
                if before != balance:
                    self._log.append((now, "balance", "\n".join(key), before))
                    self._balances[key] = copy.copy(balance)
        if change.fills:
            self._log.append((now, "fills", "", self._fills))
            self._fills += len(change.fills)
        self._forget(now)

    def _forget(self, now: float) -> None:
        while self._log and self._log[0][0] < now - MAX_LAG_S:
            _, what, key, _ = self._log.popleft()
            known = self._orders.get(key) if what == "order" else None
            if known is not None and known.status.final:
                del self._orders[key]

    def view(self, lag_s: float) -> Lagged:
        """How things stood `lag_s` seconds ago."""
        seen = Lagged()
        instant = self._clock() - lag_s
        for at, what, key, before in reversed(self._log):
            if at <= instant:
                break
            if what == "order":
                assert before is None or isinstance(before, Order)
                seen.orders[key] = before
            elif what == "fills":
                assert isinstance(before, int)
                seen.fills = before
            else:
                assert isinstance(before, Balance)
                name, asset = key.split("\n")
                seen.balances[(name, asset)] = before
        return seen
