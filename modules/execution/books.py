"""The ledger of one account on disk: fills appended one by one, the rest in a small file beside them.

1. A fill counts in memory at once and is on disk before the intent that it belongs to is closed: a crash in between has
   the intent booked again, and the fill counted once (X11).
2. ``NAME_fills.json`` grows by appending; when it is long, all goes into ``NAME_ledger.json`` and it begins anew. A
   crash between the two leaves fills twice, which changes nothing.
3. `external` says what of an asset is not ours: a person's coins, noted at the first look and whenever a person
   confirms a change. Below zero: ours that left by another door.
4. An order that was executed but whose fills were not told in time is `pending` until reconciliation has found them.
"""

import asyncio
import logging
from collections.abc import Iterable
from decimal import Decimal

import msgspec

from modules.exchange.types import Fill, Market, Side
from modules.execution.crashpoints import crash_point, declare
from modules.execution.holding import ZERO
from modules.execution.ledger import Ledger, Pages, Taken
from modules.execution.reconcile import name_of
from modules.storage.history import History
from modules.storage.json_state import JsonFile

log = logging.getLogger(__name__)

declare(__name__, "fills.written", "ledger.written")

FILLS_AT_MOST = 3_000
FILLS_KEPT = 1_000
EXPLAINED_KEPT = 5_000
YOUNG_MS = 3_600_000


class BooksState(msgspec.Struct, frozen=True, kw_only=True):
    """``[test_]ledger.json``; see the rules above. `explained`: (symbol, name) of others' fills, accounted for."""

    pages: Pages
    external: dict[str, Decimal] = {}
    explained: tuple[tuple[str, str], ...] = ()
    pending: dict[str, str] = {}


class Books:
    """What we hold by our own fills, and what we know of the rest. One writer: the tracker, on its loop's thread."""

    def __init__(self, file: JsonFile[BooksState], fills: History[Fill], venue: str, account: str) -> None:
        self._file = file
        self._history = fills
        self.ledger = Ledger(venue, account)
        self.external: dict[str, Decimal] = {}
        self.explained: dict[tuple[str, str], None] = {}
        self.pending: dict[str, str] = {}
        self.conflicts: list[Fill] = []
        self._new: list[Fill] = []
        self._dirty = False
        self._kept = 0

    def load(self) -> None:
        """Read what lies on disk. Raises StateError where it is damaged beyond its copies."""
        state = self._file.load()
        self.ledger = Ledger.restore(state.pages)
        self.external, self.pending = dict(state.external), dict(state.pending)
        self.explained = dict.fromkeys(name for one in state.explained for name in _both(one))
        fills = list(self._history.records())
        for fill in fills:  # their symbols are in the pages: a symbol's first fill has the file written (rule 2)
            self.ledger.take(fill, None)
        self._kept = len(fills)
        self.conflicts, self._new, self._dirty = [], [], False

    def take(self, fills: Iterable[Fill], market: Market | None) -> list[Fill]:
        """Count fills of our own orders (rule 1); returns those that were new."""
        new = []
        for fill in fills:
            first = self.ledger.holding(fill.symbol) is None
            taken = self.ledger.take(fill, market)
            if taken is Taken.NEW:
                new.append(fill)
                self._dirty |= first
            elif taken is Taken.CONFLICT and fill not in self.conflicts:
                self.conflicts.append(fill)
                log.error("%s: trade %s is told differently than before", fill.symbol, fill.id)
            elif taken is not Taken.DUPLICATE:
                log.warning("%s: trade %s was not counted: %s", fill.symbol, fill.id, taken)
        self._new += new
        return new

    def owe(self, client_id: str, symbol: str) -> None:
        """Rule 4."""
        self.pending[client_id] = symbol
        self._dirty = True

    def paid(self, client_ids: Iterable[str]) -> None:
        """The fills of these orders are counted."""
        for client_id in client_ids:
            if self.pending.pop(client_id, None) is not None:
                self._dirty = True

    def note(self, asset: str, external: Decimal) -> None:
        """What of an asset is not ours from now on (rule 3)."""
        if self.external.get(asset) != external:
            self.external[asset] = external
            self._dirty = True

    def explain(self, fills: Iterable[Fill]) -> None:
        """Others' fills that are accounted for: they explain no later difference."""
        for fill in fills:
            self.explained[name_of(fill)] = None
            self._dirty = True
        for old in list(self.explained)[:-EXPLAINED_KEPT]:
            del self.explained[old]

    def complete(self, symbol: str) -> bool:
        """Whether every fill of ours of a symbol is counted, as far as we know."""
        return self.ledger.holding(symbol) is not None and symbol not in self.pending.values()

    def held(self, symbol: str) -> Decimal | None:
        """Coins of ours that an exit may sell (X25); None while that is not known for sure."""
        holding = self.ledger.holding(symbol)
        if holding is None or not self.complete(symbol):
            return None
        return max(ZERO, holding.quantity + min(ZERO, self.external.get(holding.base, ZERO)))

    def known(self) -> frozenset[tuple[str, str]]:
        """Every fill that needs no explanation."""
        own = {name_of(fill) for symbol in self.ledger.holdings() for fill in self.ledger.fills(symbol)}
        return frozenset(own | self.explained.keys())

    @property
    def unwritten(self) -> bool:
        """Whether something waits for the disk."""
        return self._dirty or bool(self._new)

    async def flush(self, now_ms: int) -> None:
        """Write what is new. Raises OSError: it stays, and goes with the next write."""
        new, dirty = list(self._new), self._dirty
        state = self._state() if dirty else None
        try:
            self._dirty = False
            if state is not None:  # first: it names the symbols that the fills belong to
                await asyncio.to_thread(self._file.save, state)
                state = None
                crash_point("ledger.written")
        finally:
            self._dirty |= state is not None
        if new:
            await asyncio.to_thread(self._history.extend, new)
            crash_point("fills.written")
            del self._new[:len(new)]
            self._kept += len(new)
        if self._kept > FILLS_AT_MOST:
            await self._begin_anew(now_ms)

    async def _begin_anew(self, now_ms: int) -> None:
        """Rule 2. Fills that the venue may still be asked about stay single."""
        times = sorted(fill.market_ms for symbol in self.ledger.holdings() for fill in self.ledger.fills(symbol))
        if len(times) > FILLS_KEPT:
            self.ledger.shorten(min(times[-FILLS_KEPT], now_ms - YOUNG_MS))
        await asyncio.to_thread(self._file.save, self._state())
        await asyncio.to_thread(self._history.clear)
        self._kept = 0

    def _state(self) -> BooksState:
        return BooksState(pages=self.ledger.pages(), external=dict(self.external), explained=tuple(self.explained),
                          pending=dict(self.pending))


def _both(name: tuple[str, str]) -> list[tuple[str, str]]:
    """A name as older files have it, without a side, stands for both sides."""
    symbol, fill_id = name
    return [name] if " " in fill_id else [(symbol, f"{fill_id} {side}") for side in Side]
