"""Where a desk's ledger and its reconciliation report lie; both are written by the tracker alone."""

import msgspec

from modules.exchange.types import Fill, Mode
from modules.execution.books import Books, BooksState
from modules.execution.invariants import Report
from modules.execution.ledger import Pages
from modules.storage.history import History
from modules.storage.json_state import JsonFile
from utils.paths import Paths

VENUE = "spot"


class Seen(msgspec.Struct, frozen=True):
    """Since when a disagreement stands (market ms), and whether it was confirmed: told once an episode."""

    first_ms: int
    confirmed: bool = False


class Reconciled(msgspec.Struct, frozen=True, kw_only=True):
    """``data/[test_]reconciliation.json``: the last pass, what it has told, and when each invariant last held."""

    report: Report | None = None
    seen: dict[str, Seen] = {}
    held_ms: dict[str, int] = {}


def _name(mode: Mode, name: str) -> str:
    return f"test_{name}" if mode is Mode.TEST else name


def books_of(paths: Paths, mode: Mode) -> Books:
    """The ledger of a mode: ``[test_]ledger.json`` and ``[test_]fills.json``."""
    file = JsonFile(paths.data / _name(mode, "ledger.json"), BooksState,
                    lambda: BooksState(pages=Pages(venue=VENUE, account=mode.value)))
    return Books(file, History(paths.data / _name(mode, "fills.json"), Fill), VENUE, mode.value)


def reconciled_file(paths: Paths, mode: Mode) -> JsonFile[Reconciled]:
    """What /reconcile shows."""
    return JsonFile(paths.data / _name(mode, "reconciliation.json"), Reconciled, Reconciled)
