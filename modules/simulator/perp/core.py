"""The body of the perpetual venue: its parts put together, its steps in time, its memory."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from modules.simulator.perp.algos import Algos
from modules.simulator.perp.api import Listener
from modules.simulator.perp.day import Days
from modules.simulator.perp.deeds import kept_acts, reshape
from modules.simulator.perp.desk import Desk
from modules.simulator.perp.guard import Guard
from modules.simulator.perp.journal import Memory
from modules.simulator.perp.ledger import Dirty, Ledger
from modules.simulator.perp.market import SLICE_MS, Market, slice_ms
from modules.simulator.perp.model import EDGE
from modules.simulator.perp.past import Floats
from modules.simulator.perp.records import (
    Account,
)
from modules.simulator.perp.setup import Setup
from modules.simulator.perp.specs import make_specs
from modules.simulator.perp.words import IncomeKind, Refused

CATCH_UP_SLICES = 100  # further behind than this (a long stall) slices grow instead
KEEP_WALL_MS = 2_000


class Core:
    """Parts, time and memory. `now` gives market ms and never goes back."""

    def __init__(
        self, count: int, seed: int, now: Callable[[], int], accounts: list[Account], *, speed: float = 1.0,
        start_usdt: Decimal = Decimal(10_000), state: Path | None = None, edge: float = EDGE,
    ) -> None:
        self.now, self.seed, self.speed = now, seed, speed
        specs, characters = make_specs(count, seed)
        self.slice_ms = slice_ms(speed)
        self.listeners: list[Listener] = []
        self.revoked: set[str] = set()
        self.after_commit: list[Callable[[], None]] = []  # what was told may leave now
        ms = now()
        self._acts = kept_acts(state / "acts.json" if state is not None else None)
        reshape(specs, self._acts)
        self.by_symbol = {spec.symbol: index for index, spec in enumerate(specs)}
        self._memory = Memory(state, f"perp seed={seed} contracts={count}") if state is not None else None
        self.ledger = Ledger(accounts, ms)
        kept = self._memory.load_market() if self._memory is not None else None
        known = self._memory.load(self.ledger) if self._memory is not None else 0
        if kept is not None and self._memory is not None and known > kept["ms"] and self._memory.log_prices:
            kept["model"]["log_price"] = self._memory.log_prices  # newer than the market's own file
        self.desk = Desk(self.ledger, self.by_symbol, self.listeners)
        birth = kept["birth_ms"] if kept is not None else ms
        self.market = Market(
            specs, characters, seed, max(ms, known), self.desk, self.listeners, birth_ms=birth, edge=edge,
            kept=kept["model"] if kept is not None else None)
        self.desk.market = self.market
        self.specs = self.market.specs
        self.candles, self.marks, self.tape = self.market.candles, self.market.marks, self.market.tape
        self.algos = Algos(self.desk)
        self.guard = Guard(self.desk, self.algos)
        self.setup = Setup(self.desk)
        self._birth_ms, self._kept_at = birth, ms
        self.days = Days(self.market.candles, self.market.tape)
        self.broken: OSError | None = None
        self._busy = False  # a listener that asks while something is done gets the present state
        self._countdowns: dict[tuple[str, str], int] = {}
        self._begin(kept, start_usdt)

    def _begin(self, kept: dict[str, Any] | None, start_usdt: Decimal) -> None:
        market, memory = self.market, self._memory
        if memory is not None:
            rows, minute = self._units(memory.load_candles(len(self.specs))), market.ms // 60_000
            opened = None
            if kept is not None and kept["minute"] == market.candles.past.birth + len(rows):
                opened = self._units([np.array(kept["open"])])[0]
            market.candles.restore(rows, minute, opened)
            market.closed_rows = self._keep_rows
        if kept is not None:
            market.marks.restore(kept["marks"])
        for account in self.ledger.accounts.values():
            if not any(row.account == account.name for row in self.ledger.income):
                self.ledger.pay(account, IncomeKind.TRANSFER, start_usdt, market.stamp, info="start")
            for order in self.ledger.open_orders(account):
                market.books.rest(order)
            for algo in self.ledger.open_algos(account):
                market.extremes.setdefault(algo.index, [0, 0])
        market.cross(market.levels.bid, market.levels.ask)  # orders that the price passed before the end
        self._keep_market()
        self._commit()

    def _worth(self) -> Floats:
        """What a unit of each column of a candle is worth, by contract; kept candles hold worths, not units."""
        rows = [[float(spec.tick)] * 4 + [float(spec.step), 1.0, 1.0, float(spec.step), 1.0] for spec in self.specs]
        return np.array(rows)

    def _units(self, worths: list[Floats]) -> list[Floats]:
        whole = [0, 1, 2, 3, 4, 6, 7]
        worth = self._worth()
        rows = [one / worth for one in worths]
        for one in rows:
            one[:, whole] = np.round(one[:, whole])
        return rows

    def _keep_rows(self, rows: list[Floats]) -> None:
        assert self._memory is not None
        worth = self._worth()
        self._memory.add_candles([one * worth for one in rows])

    # -- contracts and time ------------------------------------------------------------------------------

    @property
    def accounts(self) -> dict[str, Account]:
        """All accounts, by name."""
        return self.ledger.accounts

    @functools.cached_property
    def _keys(self) -> dict[str, Account]:
        return {account.api_key: account for account in self.ledger.accounts.values()}

    def by_key(self, key: str) -> Account | None:
        """The account of an API key; None for an unknown or revoked one."""
        return None if key in self.revoked else self._keys.get(key)

    def index(self, symbol: str) -> int:
        """Place of a symbol. Raises Refused(UNKNOWN_SYMBOL)."""
        self.desk.spec(symbol)
        return self.by_symbol[symbol]

    def step(self, ms: int | None = None) -> None:
        """Advance the market to `ms` (now) in whole slices, and commit what that did to users."""
        if self._busy:
            return
        self._busy = True
        try:
            self._advance(ms)
            self._commit()
        finally:
            self._busy = False
        if self.market.ms - self._kept_at > KEEP_WALL_MS * self.speed:
            self._keep_market()

    def _advance(self, ms: int | None) -> None:
        target = self.now() if ms is None else ms
        market = self.market
        behind = (target - market.ms) // self.slice_ms
        size = self.slice_ms
        if behind > CATCH_UP_SLICES:  # the process slept: fewer, longer slices
            size = (target - market.ms) // CATCH_UP_SLICES // SLICE_MS * SLICE_MS
        while market.ms + size <= target:
            market.advance(market.ms + size)
            self.guard.funding()
            self.guard.watch()
            self.algos.check()
            self.desk.due()
            self._count_down()
        self._commit()

    def _count_down(self) -> None:
        for (name, symbol), at in list(self._countdowns.items()):
            if self.market.ms >= at:
                del self._countdowns[name, symbol]
                self.desk.cancel_all(self.accounts[name], symbol)

    @contextmanager
    def doing(self) -> Iterator[None]:
        """Up to now before, durable afterwards."""
        self.step()
        self.market.stamp = max(self.market.stamp, self.now())
        self._busy = True
        try:
            yield
            self._commit()
        except Refused:
            self._commit()
            raise
        finally:
            self._busy = False

    def _commit(self) -> None:
        self.algos.follow_orders()
        if self.ledger.dirty:
            if self._memory is not None:
                with self._disk():
                    self._memory.commit(self.ledger, self.market.stamp, self.market.model.log_price.tolist())
            self.ledger.dirty = Dirty()
        for hook in self.after_commit:
            hook()

    def _keep_market(self) -> None:
        self._kept_at = self.market.ms
        if self._memory is not None:
            with self._disk():
                self._memory.save_market({
                    "birth_ms": self._birth_ms, "ms": self.market.ms, "model": self.market.model.state(),
                    "marks": self.market.marks.state(), "minute": self.candles.minute,
                    "open": (self.candles.opened() * self._worth()).tolist()})

    @contextmanager
    def _disk(self) -> Iterator[None]:
        """Where the disk fails, memory and disk differ: the server answers nobody any more and ends."""
        try:
            yield
        except OSError as problem:
            self.broken = problem
            raise

    def close(self) -> None:
        """Keep the market and close the files."""
        if self._memory is not None:
            self._keep_market()
            self._memory.close()
