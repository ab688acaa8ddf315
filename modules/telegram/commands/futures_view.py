"""The futures accounts of this installation as commands see them: those whose keeper has left a state on disk."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from modules.exchange.types import Mode, PositionSide
from modules.execution.findings import plain
from modules.execution.futures.plan import FuturesState, LegKey
from modules.execution.futures.risk_inbox import inbox_of
from modules.execution.ledger import Ledger
from modules.execution.risk_state import Command as Word
from modules.execution.risk_state import RiskState, Unreadable, futures_risk_file, futures_scope, load_risk
from modules.storage.damage import StateError
from modules.storage.json_state import JsonFile
from modules.supervision.messages import Inbox
from modules.telegram.context import SCALPER, SHOWDOWN, Context
from modules.telegram.markup import esc
from utils.figures import money

_SUFFIX = "_risk.json"
TRADERS = (SCALPER, SHOWDOWN)  # services with futures accounts of this installation's own


@dataclass(frozen=True, slots=True)
class Leg:
    """What our fills hold of one leg, signed, at its average price."""

    key: LegKey
    quantity: Decimal
    average: Decimal
    closing: str = ""


@dataclass(frozen=True, slots=True)
class FuturesScope:
    """One system's futures account in one mode. `problem`: its books cannot be read, which is not "nothing held"."""

    system: str
    mode: Mode
    state: RiskState | Unreadable
    legs: tuple[Leg, ...]
    blocked: dict[str, str]
    words: int
    problem: str = ""

    @property
    def name(self) -> str:
        return f"{self.mode} futures {self.system}"

    @property
    def inbox(self) -> str:
        return inbox_of(self.system, self.mode)

    @property
    def mark(self) -> str:
        """What must not have changed between the preview and the confirmation."""
        told = "unreadable" if isinstance(self.state, Unreadable) else \
            f"{self.state.trading} {self.state.killed} {sorted(self.state.latched)}"
        return f"{self.name} {told} " + ",".join(f"{leg.key}:{leg.quantity}" for leg in self.legs)

    def lines(self, word: Word, refused: str) -> list[str]:
        """What a word would do here, for a person, on a phone."""
        if refused:
            return [f"[{self.name}] {word} is not possible: {refused}"]
        told = {Word.PAUSE: "PAUSE: nothing is opened; stops and targets stay on the exchange",
                Word.DRAIN: "DRAIN: nothing is opened; ends when the last position has left by its exits",
                Word.RESUME: "RESUME: new entries are allowed again",
                Word.FLATTEN: "FLATTEN cancels waiting entries and closes everything of this system",
                Word.SHUTDOWN: "SHUTDOWN ends the process; stops and targets stay on the exchange"}
        return [f"[{self.name}] {told[word]}", *self.exposure(word is Word.FLATTEN)]

    def exposure(self, closes: bool = False) -> list[str]:
        """Every leg, and what they tie up."""
        if self.problem:
            return [f"Its books cannot be read: {self.problem}"]
        verb = "Closes" if closes else "Open:"
        rows = [f"{verb} {leg.key} {plain(abs(leg.quantity))}, average {plain(round(leg.average, 8))}"
                for leg in self.legs]
        state = self.state
        if rows and isinstance(state, RiskState) and state.equity is not None and state.exposure:
            rows.append(f"Margin in positions {money(state.exposure)} of {money(state.equity)} USDT")
        return rows or ["No position of this system is open"]


def futures_scopes(context: Context, modes: Sequence[Mode], unopened: bool = False) -> list[FuturesScope]:
    """Reads files; call it off the loop. In the order of names, TEST before LIVE.

    `unopened`: also accounts of the crew that nobody has opened yet; without it only those for which a word waits.
    """
    found = []
    for mode in modes:
        prefix = "test_futures_" if mode is Mode.TEST else "futures_"
        opened = {path.name.removeprefix(prefix).removesuffix(_SUFFIX)
                  for path in context.paths.data.glob(f"{prefix}*{_SUFFIX}")}
        others = {name for name in TRADERS if context.service(name) is not None
                  and (unopened or Inbox(context.paths.inbox, inbox_of(name, mode)).waiting())}
        found += [_scope(context, system, mode) for system in sorted(opened | others)]
    return found


def _scope(context: Context, system: str, mode: Mode) -> FuturesScope:
    data = context.paths.data
    state = load_risk(futures_risk_file(data, system, mode), futures_scope(system, mode))
    name = f"{'test_' if mode is Mode.TEST else ''}futures_{system}.json"
    words = Inbox(context.paths.inbox, inbox_of(system, mode)).waiting()
    try:
        books = JsonFile(data / name, FuturesState, FuturesState).load()
        legs = tuple(_legs(books))
    except (StateError, OSError) as problem:
        return FuturesScope(system, mode, state, (), {}, words, str(problem))
    return FuturesScope(system, mode, state, legs, dict(books.blocked), words)


def _legs(books: FuturesState) -> list[Leg]:
    legs = []
    for side, pages in books.ledgers.items():
        for symbol, held in Ledger.restore(pages, signed=True).holdings().items():
            if held.quantity and held.average is not None:
                key = LegKey(symbol, PositionSide(side))
                plan = books.plans.get(str(key))
                legs.append(Leg(key, held.quantity, held.average, plan.closing if plan else ""))
    return legs


@dataclass(frozen=True, slots=True)
class Left:
    """What futures accounts hold, for who stops everything: lines, what becomes of it, marks of the preview."""

    told: list[str]
    after: list[str]
    marks: list[str]


def futures_left(context: Context) -> Left:
    """Reads files; call it off the loop. Books that cannot be read are told, never taken for flat (X15)."""
    found = [scope for scope in futures_scopes(context, list(Mode)) if scope.legs or scope.problem]
    after = []
    if any(scope.mode is Mode.LIVE for scope in found):
        after.append("LIVE futures: stops and targets stay on the exchange.")
    if any(scope.mode is Mode.TEST for scope in found):
        after.append("TEST futures: their stops are on paper, nobody looks at them until the next start.")
    return Left([f"{esc(f'[{scope.name}]')} {esc(row)}" for scope in found for row in scope.exposure()], after,
                [scope.mark for scope in found])
