"""A perpetual venue with a clock of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from modules.simulator.perp.api import (
    Account,
    Algo,
    Cause,
    Execution,
    Fill,
    ForceOrder,
    Kind,
    Leg,
    Listener,
    NewAlgo,
    NewOrder,
    Order,
    Print,
    Refused,
    Side,
    Tif,
    Why,
    Working,
)
from modules.simulator.perp.venue import PerpVenue

D = Decimal
START = 1_760_000_000_000


class Mirror(Listener):
    """Keeps books from differences, exactly as a client would, and all that was told."""

    def __init__(self, venue: PerpVenue) -> None:
        self.venue = venue
        self.books: dict[int, tuple[dict[int, int], dict[int, int]]] = {}
        self.ids: dict[int, int] = {}
        for index in range(len(venue.specs)):
            self.snapshot(index)
        self.touches: dict[int, tuple[int, int, int, int]] = {}
        self.prints: list[tuple[int, Print]] = []
        self.orders: list[tuple[Execution, Order, Fill | None]] = []
        self.accounts: list[tuple[Cause, Decimal]] = []
        self.algos: list[tuple[str, int]] = []
        self.forced: list[ForceOrder] = []
        self.calls = self.minutes = 0

    def snapshot(self, index: int) -> None:
        last, bids, asks = self.venue.depth(index, 10**6)
        self.books[index], self.ids[index] = (dict(bids), dict(asks)), last

    def depth(self, index: int, ms: int, bids: Any, asks: Any, first_id: int, last_id: int, prev_last_id: int) -> None:
        assert first_id == prev_last_id + 1 and last_id >= first_id
        assert prev_last_id <= self.ids[index] <= last_id, "an id was left out"
        self.ids[index] = last_id
        for book, levels in zip(self.books[index], (bids, asks), strict=True):
            for tick, steps in levels:
                if steps:
                    book[tick] = steps
                else:
                    book.pop(tick, None)

    def book_ticker(self, index: int, ms: int, update_id: int, bid: int, bid_qty: int, ask: int, ask_qty: int) -> None:
        self.touches[index] = (bid, bid_qty, ask, ask_qty)

    def trade(self, index: int, one: Print) -> None:
        self.prints.append((index, one))

    def candle_closed(self, ms: int) -> None:
        self.minutes += 1

    def order_update(self, account: Account, order: Order, execution: Execution, fill: Fill | None) -> None:
        self.orders.append((execution, order, fill))

    def account_update(self, account: Account, cause: Cause, change: Decimal, symbols: Any) -> None:
        self.accounts.append((cause, change))

    def algo_update(self, account: Account, algo: Algo) -> None:
        self.algos.append((algo.status.value, algo.id))

    def force_order(self, one: ForceOrder) -> None:
        self.forced.append(one)

    def margin_call(self, account: Account, legs: Any) -> None:
        self.calls += 1


class World:
    """A venue, its two accounts, and shorthands."""

    def __init__(self, count: int = 3, state: Path | None = None, start: int = START, **options: Any) -> None:
        self.ms = start
        self.trader = Account("trader", "key", "secret")
        self.other = Account("other", "key2", "secret2")
        self.venue = PerpVenue(
            count, options.pop("seed", 1), lambda: self.ms, [self.trader, self.other], state=state, **options)
        self.mirror = Mirror(self.venue)
        self.venue.listeners.append(self.mirror)

    def go(self, slices: int = 1) -> None:
        for _ in range(slices):
            self.ms += self.venue.slice_ms
            self.venue.step()

    def until(self, done: Callable[[], bool], slices: int = 3000) -> None:
        for _ in range(slices):
            if done():
                return
            self.go()
        raise AssertionError("it did not happen")

    def order(
        self, side: str, qty: str, price: int | None = None, *, account: Account | None = None, index: int = 0,
        tif: Tif = Tif.GTC, leg: Leg | None = None, reduce: bool = False, client: str | None = None,
        good_till: int | None = None,
    ) -> Order:
        """A market order, or a limit order at `price` ticks."""
        spec = self.venue.specs[index]
        kind = Kind.MARKET if price is None else Kind.LIMIT
        return self.venue.place(account or self.trader, NewOrder(
            spec.symbol, Side(side), kind, D(qty), spec.price(price) if price is not None else None, tif, leg, reduce,
            client, good_till))

    def algo(self, side: str, kind: Kind, trigger: int | None, qty: str | None = None, **more: Any) -> Algo:
        spec = self.venue.specs[0]
        price = more.pop("price", None)
        return self.venue.place_algo(more.pop("account", self.trader), NewAlgo(
            spec.symbol, Side(side), kind, D(qty) if qty else None,
            spec.price(trigger) if trigger is not None else None, spec.price(price) if price else None,
            working=more.pop("working", Working.CONTRACT_PRICE), **more))

    @property
    def bid(self) -> int:
        return self.venue.touch(0)[0]

    @property
    def ask(self) -> int:
        return self.venue.touch(0)[2]

    def jump(self, factor: float, index: int = 0) -> None:
        """Move the price and let it arrive in the book."""
        self.venue.market.jump(index, factor)
        self.go()

    def identity(self) -> None:
        """The wallet is the sum of its income; nothing else changes it."""
        for account in self.venue.accounts.values():
            assert account.wallet == sum(row.amount for row in self.venue.ledger.income if row.account == account.name)

    def books_agree(self) -> None:
        """Snapshot at the start + differences = the book, exactly; and it is not crossed."""
        for index in range(len(self.venue.specs)):
            last, bids, asks = self.venue.depth(index, 10**6)
            mine = self.mirror.books[index]
            assert (dict(bids), dict(asks)) == mine and last == self.mirror.ids[index]
            assert bids[0][0] < asks[0][0]
            if index in self.mirror.touches:
                assert self.mirror.touches[index] == (*bids[0], *asks[0])


def refused(why: Why, act: Callable[[], Any]) -> None:
    """`act` is refused, for this reason."""
    with pytest.raises(Refused) as problem:
        act()
    assert problem.value.why is why, problem.value


@pytest.fixture
def world() -> Iterator[World]:
    yield World()
