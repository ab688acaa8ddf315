"""The simulated perpetual-futures venue: market, users' orders and positions behind one interface.

Whatever changes something brings the market up to now first, and is durable when it returns.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from modules.simulator.perp import margin
from modules.simulator.perp.core import Core
from modules.simulator.perp.day import Day
from modules.simulator.perp.deeds import PerpDeeds
from modules.simulator.perp.journal import KeptError
from modules.simulator.perp.model import EDGE
from modules.simulator.perp.records import (
    Account,
    AccountView,
    Algo,
    Fill,
    Income,
    NewAlgo,
    NewOrder,
    Order,
    Position,
    PositionView,
)
from modules.simulator.perp.truth import truth
from modules.simulator.perp.words import Leg, Side

__all__ = ["KeptError", "PerpVenue"]


class PerpVenue(Core):
    """One venue of `count` contracts. Every method may raise Refused and then has changed nothing.

    `state` keeps users' things across restarts; raises KeptError or ActError where the folder cannot be used.
    """

    def __init__(
        self, count: int, seed: int, now: Callable[[], int], accounts: list[Account], *, speed: float = 1.0,
        start_usdt: Decimal = Decimal(10_000), state: Path | None = None, edge: float = EDGE,
    ) -> None:
        super().__init__(count, seed, now, accounts, speed=speed, start_usdt=start_usdt, state=state, edge=edge)
        self.deeds = PerpDeeds(self, state / "acts.json" if state is not None else None)
        self.deeds.again(self._acts)

    # -- market data -------------------------------------------------------------------------------------

    def depth(self, index: int, limit: int) -> tuple[int, list[tuple[int, int]], list[tuple[int, int]]]:
        """(last id, bids, asks) at this instant, best first."""
        return self.market.books.snapshot(index, limit)

    def touch(self, index: int) -> tuple[int, int, int, int]:
        """(bid, its quantity, ask, its quantity); 0 where there is none."""
        books = self.market.books
        bid, ask = books.bid(index), books.ask(index)
        return bid, books.at(index, bid) if bid else 0, ask, books.at(index, ask) if ask else 0

    def day(self, index: int) -> Day:
        """24 h figures."""
        return self.days.of(index)

    # -- orders ------------------------------------------------------------------------------------------

    def place(self, account: Account, new: NewOrder) -> Order:
        """Take an order; what it matches at once is filled when this returns. Raises Refused."""
        with self.doing():
            return self.desk.place(account, new)

    def test(self, account: Account, new: NewOrder) -> None:
        """Check an order as `place` would, and change nothing. Raises Refused."""
        self.step()
        self.desk.check(account, new)

    def modify(self, account: Account, order: Order, side: Side, qty: Decimal, price: Decimal) -> Order:
        """Another price or quantity of an open limit order. Raises Refused."""
        with self.doing():
            return self.desk.modify(account, order, side, qty, price)

    def cancel(self, account: Account, order: Order) -> Order:
        """Raises Refused(CANCEL_REJECTED) where it is no longer open."""
        with self.doing():
            return self.desk.cancel(account, order)

    def cancel_all(self, account: Account, symbol: str | None) -> list[Order]:
        """All open orders of a symbol (None: of all symbols)."""
        with self.doing():
            return self.desk.cancel_all(account, symbol)

    def countdown(self, account: Account, symbol: str, ms: int) -> None:
        """Cancel all orders of a symbol in `ms` unless asked again; 0 stops the count. Kept in memory only."""
        self.desk.spec(symbol)
        if ms:
            self._countdowns[account.name, symbol] = self.now() + ms
        else:
            self._countdowns.pop((account.name, symbol), None)

    def fill_share(self, order: Order, share: Decimal) -> bool:
        """Let the market take a share of an open order at its price; False where nothing is open of it."""
        if order.status.final:
            return False
        with self.doing():
            return self.desk.fill_share(order, share)

    def find(
        self, account: Account, symbol: str, order_id: int | None = None, client_id: str | None = None
    ) -> Order:
        """An order by id or client id. Raises Refused(ORDER_NOT_FOUND)."""
        self.step()
        return self.desk.find(account, symbol, order_id, client_id)

    def open_orders(self, account: Account, symbol: str | None = None) -> list[Order]:
        """Open orders, oldest first."""
        self.step()
        return self.ledger.open_orders(account, symbol)

    def orders_of(self, account: Account, symbol: str | None = None) -> list[Order]:
        """All orders, oldest first."""
        self.step()
        return [o for o in self.ledger.orders.values() if o.account == account.name and symbol in (None, o.symbol)]

    def place_algo(self, account: Account, new: NewAlgo) -> Algo:
        """Take a conditional order. Raises Refused."""
        with self.doing():
            return self.algos.place(account, new)

    def cancel_algo(self, account: Account, algo: Algo) -> Algo:
        """Raises Refused(CANCEL_REJECTED) where it waits no more."""
        with self.doing():
            return self.algos.cancel(account, algo)

    def cancel_all_algo(self, account: Account, symbol: str | None) -> list[Algo]:
        """All waiting conditional orders of a symbol (None: of all)."""
        with self.doing():
            return self.algos.cancel_all(account, symbol)

    def find_algo(self, account: Account, algo_id: int | None = None, client_id: str | None = None) -> Algo:
        """Raises Refused(ORDER_NOT_FOUND)."""
        self.step()
        return self.algos.find(account, algo_id, client_id)

    def open_algos(self, account: Account, symbol: str | None = None) -> list[Algo]:
        """Waiting conditional orders, oldest first."""
        self.step()
        return self.ledger.open_algos(account, symbol)

    def algos_of(self, account: Account, symbol: str | None = None) -> list[Algo]:
        """All conditional orders, oldest first."""
        self.step()
        return [a for a in self.ledger.algos.values() if a.account == account.name and symbol in (None, a.symbol)]

    # -- the account -------------------------------------------------------------------------------------

    def set_leverage(self, account: Account, symbol: str, leverage: int) -> int:
        """Notional that the leverage may hold at most. Raises Refused."""
        with self.doing():
            return self.setup.leverage(account, symbol, leverage)

    def set_isolated(self, account: Account, symbol: str, isolated: bool) -> None:
        """Margin type of a symbol. Raises Refused."""
        with self.doing():
            self.setup.margin_type(account, symbol, isolated)

    def set_hedge(self, account: Account, hedge: bool) -> None:
        """Position mode. Raises Refused."""
        with self.doing():
            self.setup.hedge(account, hedge)

    def move_margin(self, account: Account, symbol: str, leg: Leg | None, amount: Decimal) -> None:
        """Into (or, below 0, out of) an isolated position. Raises Refused."""
        with self.doing():
            self.setup.move_margin(account, symbol, leg, amount)

    def transfer(self, account: Account, amount: Decimal) -> None:
        """The owner moves money into (or, below 0, out of) the account. Raises Refused."""
        with self.doing():
            self.setup.transfer(account, amount)

    def view(self, account: Account) -> AccountView:
        """Money at the present mark prices."""
        self.step()
        return margin.account_view(account, self.desk.figures(account))

    def position_views(self, account: Account, symbol: str | None = None) -> list[PositionView]:
        """Legs that are open, and those of symbols with open orders."""
        self.step()
        figures = self.desk.figures(account)
        wanted = {leg.symbol for leg in account.legs()} | set(figures.orders)
        legs = (Leg.LONG, Leg.SHORT) if account.hedge else (Leg.BOTH,)
        return [
            margin.position_view(account, account.positions.get((one, leg)) or Position(one, leg), figures)
            for one in sorted(wanted) if symbol in (None, one) for leg in legs]

    def position_view(self, account: Account, symbol: str, leg: Leg) -> PositionView:
        """One leg, open or not. Raises Refused(UNKNOWN_SYMBOL)."""
        index = self.index(symbol)
        held = account.positions.get((symbol, leg)) or Position(symbol, leg)
        figures = self.desk.figures(account)
        figures.mark[symbol] = self.market.marks.mark[index]
        return margin.position_view(account, held, figures)

    def fills_of(self, account: Account, symbol: str | None = None) -> list[Fill]:
        """All fills, oldest first."""
        self.step()
        return [f for f in self.ledger.fills if f.account == account.name and symbol in (None, f.symbol)]

    def income_of(self, account: Account, symbol: str | None = None) -> list[Income]:
        """All changes of the wallet, oldest first."""
        self.step()
        return [row for row in self.ledger.income if row.account == account.name and symbol in (None, row.symbol)]

    def truth(self) -> dict[str, Any]:
        """What the venue holds to be true about its users."""
        self.step()
        return truth(self)
