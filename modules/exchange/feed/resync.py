"""Brings snapshots to the books that want one: a few at a time, spread, within the weight budget (X28, X31)."""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from modules.exchange.feed.engine import FeedEngine, SymbolState
from modules.exchange.feed.rest import FuturesRest
from modules.exchange.orderbook.synchroniser import Wants
from modules.exchange.streams.backoff import Backoff
from modules.exchange.types import Unavailable

log = logging.getLogger(__name__)

AT_ONCE = 4
LOOK_EVERY_S = 0.05
FIRST_JITTER_S = 0.5  # a cut touches all books of a socket in one instant; their questions do not
_TELL_AGAIN_S = 30.0


@dataclass(slots=True)
class _Errand:
    """What is under way for one symbol."""

    backoff: Backoff
    task: asyncio.Task[None] | None = None
    not_before: float = 0.0


class Resync:
    """Serves an engine's wishes: snapshots, units, rows of candles. `on_gone(symbol)`: not listed any more."""

    def __init__(self, engine: FeedEngine, rest: FuturesRest, *, levels: int, on_gone: Callable[[str], None],
                 jitter: Callable[[], float] = random.random, first_jitter_s: float = FIRST_JITTER_S) -> None:
        self._engine, self._rest, self._levels, self._on_gone = engine, rest, levels, on_gone
        self._jitter, self.first_jitter_s = jitter, first_jitter_s
        self._errands: dict[str, _Errand] = {}
        self._gate = asyncio.Semaphore(AT_ONCE)
        self.snapshots = self.failures = 0
        self._told_at = -_TELL_AGAIN_S

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                self._look()
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            tasks = [errand.task for errand in self._errands.values() if errand.task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _look(self) -> None:
        now = time.monotonic()
        for symbol in [s for s in self._errands if s not in self._engine.states]:
            errand = self._errands.pop(symbol)
            if errand.task is not None:
                errand.task.cancel()
        for symbol, state in self._engine.states.items():
            errand = self._errands.setdefault(symbol, _Errand(Backoff(0.2, 15.0)))
            if (errand.task is not None and not errand.task.done()) or now < errand.not_before:
                continue
            if state.sync.wants is not Wants.NOTHING or any(t.wants_rows for t in state.candles.values()):
                errand.task = asyncio.create_task(self._serve(state, errand), name=f"snapshot of {symbol}")

    async def _serve(self, state: SymbolState, errand: _Errand) -> None:
        await asyncio.sleep(self._jitter() * self.first_jitter_s)
        async with self._gate:
            try:
                if state.sync.wants is Wants.UNITS:
                    await self._units(state)
                elif state.sync.wants is Wants.SNAPSHOT:
                    snapshot = await self._rest.snapshot(state.symbol, self._levels)
                    if self._engine.states.get(state.symbol) is not state:
                        return  # its place may be another symbol's by now
                    state.sync.on_snapshot(snapshot, self._levels)
                    self.snapshots += 1
                else:
                    await self._rows(state)
            except Unavailable as problem:
                self.failures += 1
                self._tell(state.symbol, problem)
                errand.not_before = time.monotonic() + errand.backoff.next_s()
                return
        if state.sync.wants is Wants.SNAPSHOT:  # too old: the next one is not asked for in the same breath
            errand.not_before = time.monotonic() + errand.backoff.next_s()
        else:
            errand.backoff.real_frame()

    async def _units(self, state: SymbolState) -> None:
        """New tick and step sizes, or the end of the symbol."""
        listed = (await self._rest.listed()).get(state.symbol)
        if self._engine.states.get(state.symbol) is not state:
            return
        if listed is None or not listed.trading:
            self._on_gone(state.symbol)
        elif listed.units == state.units:  # a damaged message, or the venue's list is behind
            state.sync.wants = Wants.SNAPSHOT
        else:
            log.warning("%s: tick or step size changed to %s and %s decimals", state.symbol,
                        listed.units.price_scale, listed.units.qty_scale)
            self._engine.rescale(state.symbol, listed.units)

    async def _rows(self, state: SymbolState) -> None:
        for interval, table in state.candles.items():
            if table.wants_rows:
                shape = self._engine.page.shape
                rows = await self._rest.candles(state.symbol, interval, shape.candles)
                if self._engine.states.get(state.symbol) is not state:
                    return
                table.load(rows, time.monotonic_ns())

    def _tell(self, symbol: str, problem: Unavailable) -> None:
        now = time.monotonic()
        if now - self._told_at >= _TELL_AGAIN_S:
            self._told_at = now
            log.warning("%s: no snapshot: %s (%d failures so far)", symbol, problem, self.failures)
