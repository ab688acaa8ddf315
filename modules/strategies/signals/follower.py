"""Every open signal and control trade, followed trade by trade without a hole (D10).

A tape is one symbol's trades in the order of their ids. A hole (restart, lost messages, a cut line) holds the tape:
what came after it waits until REST has told what lay between. Nothing is decided across a hole.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from modules.exchange.types import Unavailable
from modules.strategies.signals import follow
from modules.strategies.signals.follow import Rules
from modules.strategies.signals.records import Signal

log = logging.getLogger(__name__)

MOST_ASKED = 1000
MOST_PAGES = 200
TRIES = 5


@dataclass(frozen=True, slots=True)
class Tick:
    """One aggregate trade in plain numbers."""

    id: int
    ms: int
    price: float


Ask = Callable[[str, int, int], Awaitable[list[Tick]]]  # (symbol, from id, limit), oldest first; raises Unavailable
Ended = Callable[[Signal], None]


@dataclass(slots=True)
class Tape:
    """One symbol."""

    last_id: int = 0
    waiting: list[Tick] = field(default_factory=list)
    holed: bool = False
    tries: int = 0
    filling: bool = False


class Follower:
    """Takes in trades, ends what is to end. `ended` is called once for each."""

    def __init__(self, rules: Rules, ask: Ask, ended: Ended) -> None:
        self.rules = rules
        self.filled = self.unfillable = 0
        self._ask, self._ended = ask, ended
        self._by_symbol: dict[str, list[Signal]] = {}
        self._tapes: dict[str, Tape] = {}

    @property
    def symbols(self) -> set[str]:
        """Symbols with something open."""
        return set(self._by_symbol)

    def begin(self, signal: Signal, again: bool = False) -> None:
        """Follow it from its `last_id` on. `again`: from an earlier life; what happened since is asked for first."""
        symbol, last = signal.symbol, signal.follow.last_id
        self._by_symbol.setdefault(symbol, []).append(signal)
        tape = self._tapes.setdefault(symbol, Tape(last))
        tape.holed |= again
        if last < tape.last_id:  # the others ignore what they know
            tape.last_id, tape.holed = last, True

    def on_ticks(self, symbol: str, ticks: Iterable[Tick]) -> None:
        """New trades of the feed, in order."""
        tape = self._tapes.get(symbol)
        if tape is None:
            return
        for tick in ticks:
            if tick.id <= tape.last_id:
                continue
            if tape.holed or (tape.last_id and tick.id != tape.last_id + 1):
                tape.holed = True
                tape.waiting.append(tick)
            else:
                self._apply(symbol, tape, tick)

    def holes(self) -> list[str]:
        """Symbols whose tape waits to be filled."""
        return [symbol for symbol, tape in self._tapes.items() if tape.holed and not tape.filling]

    async def fill(self, symbol: str) -> bool:
        """Ask for what is missing; True when the tape runs again. A venue that does not answer is asked again later."""
        tape = self._tapes.get(symbol)
        if tape is None or tape.filling:
            return False
        tape.filling = True
        try:
            return await self._fill(symbol, tape)
        except Unavailable as problem:
            log.warning("trades of %s from id %d on are missing, and cannot be had now: %s", symbol, tape.last_id + 1,
                        problem)
            return False
        finally:
            tape.filling = False

    async def _fill(self, symbol: str, tape: Tape) -> bool:
        for _ in range(MOST_PAGES):
            found = await self._ask(symbol, tape.last_id + 1, MOST_ASKED)
            for tick in found:
                self._take_from_rest(symbol, tape, tick)
            if len(found) < MOST_ASKED:
                break
        tape.waiting = [one for one in tape.waiting if one.id > tape.last_id]
        tape.tries += 1
        if tape.waiting and tape.waiting[0].id != tape.last_id + 1:
            if tape.tries < TRIES:
                return False  # the venue's REST is behind its streams, mostly
            self._miss(symbol, tape.last_id + 1, tape.waiting[0].id - 1)
            tape.last_id = tape.waiting[0].id - 1
        waiting, tape.waiting, tape.holed, tape.tries = tape.waiting, [], False, 0
        self.on_ticks(symbol, waiting)
        return not tape.holed

    def _take_from_rest(self, symbol: str, tape: Tape, tick: Tick) -> None:
        if tick.id <= tape.last_id:
            return
        if tick.id != tape.last_id + 1:
            self._miss(symbol, tape.last_id + 1, tick.id - 1)
        self._apply(symbol, tape, tick)
        self.filled += 1

    def _miss(self, symbol: str, first: int, last: int) -> None:
        self.unfillable += 1
        log.error("%s: trades %d to %d are not to be had; what is open is followed without them", symbol, first, last)

    def ask_again(self, symbol: str) -> None:
        """The feed tells nothing now: have `holes` name the symbol, so that REST is asked."""
        tape = self._tapes.get(symbol)
        if tape is not None:
            tape.holed = True

    def sure(self, symbol: str) -> bool:
        """Every trade that was told is taken in."""
        tape = self._tapes.get(symbol)
        return tape is not None and not tape.holed

    def expire(self, symbol: str, now_ms: int) -> None:
        """Time alone ends what is over, where no trade was missed."""
        if self.sure(symbol):
            for one in list(self._by_symbol.get(symbol, ())):
                if now_ms > one.follow.expires_ms and follow.expire(one.follow, self.rules):
                    self._end(one)

    def gone(self, symbol: str, now_ms: int) -> None:
        """The symbol is not traded any more."""
        for one in list(self._by_symbol.get(symbol, ())):
            if follow.gone(one.follow, now_ms):
                self._end(one)

    def _apply(self, symbol: str, tape: Tape, tick: Tick) -> None:
        tape.last_id = tick.id
        for one in list(self._by_symbol.get(symbol, ())):
            if follow.on_trade(one.follow, tick.id, tick.ms, tick.price, self.rules):
                self._end(one)

    def _end(self, signal: Signal) -> None:
        rest = self._by_symbol[signal.symbol]
        rest.remove(signal)
        if not rest:
            del self._by_symbol[signal.symbol]
            self._tapes.pop(signal.symbol, None)
        self._ended(signal)
