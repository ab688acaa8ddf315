"""Bybit's private topics: orders, executions, positions and the wallet of an account, told once they are durable."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from modules.simulator.dialects import bybit_format as fmt
from modules.simulator.dialects.bybit_account import Accounts
from modules.simulator.dialects.bybit_format import Told
from modules.simulator.dialects.bybit_orders import Orders
from modules.simulator.perp.api import Account, Algo, Cause, Execution, Fill, Leg, Listener, Order
from modules.simulator.sockets.bybit_hub import BybitHub

if TYPE_CHECKING:
    from modules.simulator.perp.venue import PerpVenue


class BybitPrivate(Listener):
    """Follows the accounts that somebody listens to. Rows are made after the commit, of what is true then."""

    def __init__(self, venue: PerpVenue, hub: BybitHub, orders: Orders, accounts: Accounts) -> None:
        self._venue, self._hub, self._orders, self._accounts = venue, hub, orders, accounts
        self._changed: dict[str, dict[int, None]] = {}  # account → its orders, by the ids that are told
        self._filled: list[Fill] = []
        self._moved: dict[str, set[str]] = {}  # account → contracts whose positions changed
        venue.listeners.append(self)
        venue.after_commit.append(self.send)

    def order_update(self, account: Account, order: Order, execution: Execution, fill: Fill | None) -> None:
        """An order changed."""
        if not self._hub.listens(account.name):
            return
        self._changed.setdefault(account.name, {})[order.id] = None
        self._moved.setdefault(account.name, set()).add(order.symbol)
        if fill is not None:
            self._filled.append(fill)

    def algo_update(self, account: Account, algo: Algo) -> None:
        """A conditional order changed."""
        if self._hub.listens(account.name):
            self._changed.setdefault(account.name, {})[algo.id] = None

    def account_update(
        self, account: Account, cause: Cause, change: Decimal, symbols: Sequence[tuple[str, Leg]]
    ) -> None:
        """Money or positions changed."""
        if self._hub.listens(account.name):
            self._moved.setdefault(account.name, set()).update(symbol for symbol, _ in symbols)

    def send(self) -> None:
        """What is durable now."""
        changed, self._changed = self._changed, {}
        filled, self._filled = self._filled, []
        moved, self._moved = self._moved, {}
        for name, ids in changed.items():
            told = {one.id: one for one in map(self._told, ids) if one is not None}
            if told:
                self._hub.to_account(name, "order", [{"category": "linear", "feeCurrency": fmt.COIN, **self._orders.row(
                    one)} for one in told.values()])
        for fill in filled:
            self._hub.to_account(fill.account, "execution", [{"category": "linear", **self._accounts.execution(fill)}])
        for name, symbols in moved.items():
            account = self._venue.accounts[name]
            rows = [{"category": "linear", **fmt.position_row(view, self._venue.now())} for symbol in sorted(symbols)
                    for view in self._accounts.views(account, symbol)]
            for row in rows:
                row["entryPrice"] = row.pop("avgPrice")
            if rows:
                self._hub.to_account(name, "position", rows)
            self._hub.to_account(name, "wallet", [self._accounts.wallet_of(account)])
        self._hub.flush()

    def _told(self, number: int) -> Told | None:
        ledger = self._venue.ledger
        return self._orders.of(number) if number in ledger.orders or number in ledger.algos else None
