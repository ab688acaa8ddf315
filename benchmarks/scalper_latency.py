"""From a message in the feed's memory to the order's request, while many contracts change (the load of step 5).

A process beside this one writes books and trades as the feed does, spread evenly over the interval. This one looks at
every contract as the scalper's loop does, and twice a second a look is taken for a signal: then the limits, the state
file, plan and intent on disk, and the desk's checklist, until the account is asked to place the order. The instant of
the message is the one that its writer noted. The venue's answers to the checklist's questions are immediate here.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import tempfile
import time
from multiprocessing import shared_memory
from pathlib import Path
from typing import Any

from benchmarks.scalper import SLOTS, Memory, percentile

SYMBOL = "ETHUSDT"
EVERY_S = 0.5
IDLE_S = 0.002  # as live.py


def words_of() -> tuple[int, int]:
    """Words of a contract's book and ring."""
    from modules.exchange.orderbook import layout as at
    from modules.exchange.orderbook import ring as rg
    return at.words(2048), rg.words(SLOTS)


def contracts_of(memory: shared_memory.SharedMemory, count: int) -> list[tuple[Any, Any]]:
    """(book, ring) of each contract in the shared memory."""
    import numpy as np
    book, ring = words_of()
    every = np.ndarray((count, book + ring), np.int64, memory.buf)
    return [(row[:book], row[book:]) for row in every]


def write(name: str, count: int, every_ms: float, ready: Any, end: Any) -> None:
    """The writer's process: each contract changes every `every_ms`, one after the other."""
    memory = shared_memory.SharedMemory(name)
    books = [Memory(seed, *words) for seed, words in enumerate(contracts_of(memory, count))]
    for one in books:
        one.message(1)
    ready.set()
    due, step_s = time.monotonic(), every_ms / 1000 / count
    while not end.is_set():
        for one in books:
            one.message(1)
            due += step_s
            if (wait := due - time.monotonic()) > 0.001:
                time.sleep(wait)
    books.clear()
    del one
    memory.close()


class Bench:
    """A trader over a paper house, and the eyes on all contracts."""

    def __init__(self, folder: Path, contracts: list[tuple[Any, Any]]) -> None:
        from modules.strategies.scalper.eye import Eye
        from modules.strategies.scalper.settings import ScalperSettings
        self.folder = folder
        self.settings = ScalperSettings(symbols=(SYMBOL,), cooldown_s=0, cooldown_loss_s=0, trades_a_day=10_000,
                                        risk_pct=5)
        self.eyes = [Eye(f"X{number}USDT", self.settings) for number in range(len(contracts))]
        for eye, words in zip(self.eyes, contracts, strict=True):
            eye._words = words
            eye._scales()
            eye.desk.context[:4] = (0.1, -0.2, 0.3, 12.0)
        self.took: list[float] = []
        self.looks = 0
        self._began = 0

    async def open(self) -> None:
        """The house, with an account that only notes when it is asked to place."""
        from modules.exchange.types import Failed, Mode
        from modules.execution.futures.keeper import Keeper, Rhythm
        from modules.storage.json_state import JsonFile
        from modules.strategies.scalper.eye import Eye
        from modules.strategies.scalper.records import State
        from modules.strategies.scalper.trade_log import TradeLog
        from modules.strategies.scalper.trader import Trader
        from tests.execution.futures.house import House, Venue

        self.house = await House(self.folder / "house", Venue()).open()
        await self.house.start()
        keeper = Keeper(self.house.desk, self.house.reconciler, (SYMBOL,), Rhythm(), lambda word: None)
        keeper.opened.set()
        keeper.guarded.set()
        self.lines = TradeLog(self.folder / "logs")
        self.trader = Trader(Mode.TEST, self.settings, keeper, JsonFile(self.folder / "state.json", State, State),
                             {SYMBOL: Eye(SYMBOL, self.settings)}, self.lines, lambda *said: None)

        async def place(request: Any) -> Failed:
            self.took.append((time.monotonic_ns() - self._began) / 1e6)
            return Failed("measured up to here")

        setattr(self.house.account, "place", place)  # noqa: B010

    def signal(self, written_ns: int) -> None:
        """A look that is taken for a signal."""
        from modules.strategies.scalper.eye import Signal
        self._began = written_ns
        now = self.house.venue.clock.now_ms()
        self.trader.state.free_ms.clear()
        self.trader.state.open.clear()
        told = self.trader.offer(Signal(SYMBOL, 1, 0.6, {}, 1999.99, 2000.0, 0.05, 12.0, now, written_ns, {}))
        assert told.name == "OK", told.name

    async def run(self, orders: int) -> None:
        """The scalper's loop until so many orders were asked for."""
        from modules.exchange.orderbook import layout as at
        due = time.monotonic() + 1.0
        while len(self.took) < orders:
            looked = False
            for eye in self.eyes:
                if not eye.news():
                    continue
                looked, self.looks = True, self.looks + 1
                eye.look()
                if time.monotonic() >= due and not self.trader._tasks:
                    assert eye._words is not None
                    due = time.monotonic() + EVERY_S
                    self.signal(int(eye._words[0][at.LOCAL_NS]))
            if not self.eyes and time.monotonic() >= due and not self.trader._tasks:
                due = time.monotonic() + EVERY_S / 10
                self.signal(time.monotonic_ns())
            await asyncio.sleep(0 if looked else IDLE_S)

    async def close(self) -> None:
        """Let files and tasks go."""
        await self.trader.shut()
        self.lines.close()
        await self.house.close()


async def _orders(orders: int, contracts: list[tuple[Any, Any]]) -> tuple[list[float], int]:
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), contracts)
        await bench.open()
        try:
            await bench.run(orders)
        finally:
            await bench.close()
            bench.eyes.clear()
        return bench.took, bench.looks


def measure(orders: int, symbols: int, every_ms: float) -> None:
    """Print the figures."""
    took, looks = list[float](), 0
    cpu = time.process_time()
    begun = time.monotonic()
    if not symbols:
        took, looks = asyncio.run(_orders(orders, []))
    else:
        context = multiprocessing.get_context("spawn")
        memory = shared_memory.SharedMemory(create=True, size=8 * sum(words_of()) * symbols)
        ready, end = context.Event(), context.Event()
        writer = context.Process(target=write, args=(memory.name, symbols, every_ms, ready, end))
        writer.start()
        try:
            ready.wait(60)
            cpu, begun = time.process_time(), time.monotonic()
            took, looks = asyncio.run(_orders(orders, contracts_of(memory, symbols)))
        finally:
            end.set()
            writer.join(20)
            memory.unlink()
    seconds = time.monotonic() - begun
    print(f"message → order sent, {symbols} contracts each {every_ms:g} ms ({looks / seconds:,.0f} looks/s, "
          f"{(time.process_time() - cpu) / seconds:.0%} of a core), {len(took)} orders: p50 "
          f"{percentile(took, 0.5):.1f} ms, p90 {percentile(took, 0.9):.1f} ms, p99 {percentile(took, 0.99):.1f} ms, "
          f"load {os.getloadavg()[0]:.1f}")
