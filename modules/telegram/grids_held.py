"""Grids that hold positions, for /stopall, /stopbot, /summary, /why and for what must run (A17)."""

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from modules.exchange.types import Mode
from modules.storage.sql.address import AddressError
from modules.storage.sql.database import Database, DatabaseAway
from modules.strategies.grid.live.standing import Standing, grids, needs_worker
from modules.telegram.markup import b, esc
from utils.figures import money, plural
from utils.paths import Paths

if TYPE_CHECKING:
    from config.settings import Settings

log = logging.getLogger(__name__)
EVERY_S = 15.0
AWAY = "⚠️ Grids cannot be seen: {}. What they hold LIVE stays on the exchange with its stops."


class GridsHeld:
    """What the grids' database says of open positions. A database that is away leaves the last answer (X15)."""

    def __init__(self, settings: "Settings", paths: Paths, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._paths, self._clock = settings, paths, clock
        self._known: list[Standing] = []
        self._asked = float("-inf")
        self._busy = threading.Lock()
        self._away = ""

    def read(self) -> list[Standing]:
        """Every grid that is wanted or holds something; blocks. Raises DatabaseAway, AddressError."""
        database = Database.of(self._settings.db, self._paths)
        try:
            self._known = grids(database)
        finally:
            database.close()
        return self._known

    def must_run(self, running: bool) -> bool:
        """Whether the service `grid` has to run, by what was read last; asked anew in the background. Never blocks."""
        if self._clock() - self._asked >= EVERY_S and self._busy.acquire(blocking=False):
            self._asked = self._clock()
            threading.Thread(target=self._refresh, daemon=True, name="grids held").start()
        return needs_worker(self._known, running)

    def _refresh(self) -> None:
        try:
            self.read()
            self._away = ""
        except (DatabaseAway, AddressError) as problem:
            if not self._away:
                log.error("cannot tell whether grids hold positions: %s", problem)
            self._away = str(problem)
        finally:
            self._busy.release()

    def seen(self) -> tuple[list[Standing], str]:
        """(grids, "") or (those known last, why they cannot be read now); blocks."""
        try:
            return self.read(), ""
        except (DatabaseAway, AddressError) as problem:
            return self._known, str(problem)


def exposure_lines(found: list[Standing], own: str) -> list[str]:
    """What grids hold: the standalone one by itself, the server's users in one line."""
    told = [f"{b('Grid')} {esc(one.symbol)}{_word(one)}: {_held(one)}" for one in found
            if one.user_id == own and one.positions]
    others = [one for one in found if one.user_id != own and one.positions]
    if others:
        bare = sum(len(one.bare) for one in others)
        told.append(f"{b('Grids of ' + plural(len(others), 'user'))}: "
                    f"{plural(sum(one.positions for one in others), 'position')}, "
                    f"{money(sum(one.notional for one in others))} USDT, "
                    + (f"⚠️ {plural(bare, 'side')} without a stop" if bare else "each side with its stop"))
    told += [f"⚠️ Grid of {esc(one.user_id)}: {esc(one.damaged)}" for one in found if one.damaged]
    return told


def _word(one: Standing) -> str:
    return f" [{one.seen.word}]" if one.seen is not None and one.seen.word else ""


def _held(one: Standing) -> str:
    stops = f"⚠️ {' and '.join(one.bare)} without a stop" if one.bare else "each side with its stop"
    return (f"{plural(one.positions, 'position')}, {money(one.notional)} USDT, open "
            f"{money(one.result, signed=True)}, {stops}")


def on_paper(word: str, settings: "Settings") -> bool:
    """Whether a standalone grid with this word of its mode trades on paper: its stops are in a file here then."""
    return word == Mode.TEST.value and not settings.bitget.demo


def left_lines(found: list[Standing], settings: "Settings") -> list[str]:
    """What becomes of what grids hold once nobody trades them, by where their stops are."""
    own = settings.gridlive.user
    paper = [one for one in found if one.user_id == own and one.seen is not None and one.positions
             and on_paper(one.seen.word, settings)]
    told = []
    if any(one.positions or one.damaged for one in found if one not in paper):
        told.append("Positions of grids stay on the exchange with their stops; until the next start nobody takes their "
                    "profits, adds levels or keeps their daily limits.")
    if paper:
        told.append("The TEST grid is on paper, its stops too: nobody looks at them until the next start, and a stop "
                    "that was passed fills at the price of then.")
    return told


def holding(found: list[Standing]) -> bool:
    """Whether any grid holds something, or may hold it."""
    return any(one.positions or one.damaged for one in found)


def marks(found: list[Standing]) -> list[str]:
    """What a preview stands on: whoever holds how much now."""
    return [f"{one.user_id} {one.positions}" for one in found if one.positions or one.damaged]
