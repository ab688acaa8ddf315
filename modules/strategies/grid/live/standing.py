"""Which grids there are, what they hold, and whether anybody looks after them: for those who stop services or ask why
nothing happens (A17, X36). Read from SQL alone, without its key; where nothing was ever written there is no grid.
"""

from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, inspect, select

from modules.storage.sql.database import Database
from modules.storage.sql.grid_tables import grid_sessions, grid_states
from modules.strategies.grid.live.memory import unpacked
from modules.strategies.grid.live.view import View, state_of, view
from modules.strategies.grid.settings import GridSettings
from modules.strategies.grid.store.base import clock_ms
from modules.strategies.grid.store.records import Wanted


class Standing(msgspec.Struct, frozen=True):
    """One grid as last saved. `held`: a worker has its lease now; `seen` None: it never ran, or cannot be read;
    `stops`: sides whose stop stands by the venue's word."""

    user_id: str
    symbol: str
    wanted: Wanted
    held: bool
    seen: View | None
    damaged: str = ""
    stops: frozenset[int] = frozenset()

    @property
    def positions(self) -> int:
        """How many are open, both sides."""
        return len(self.seen.buy.entries) + len(self.seen.sell.entries) if self.seen is not None else 0

    @property
    def notional(self) -> float:
        """What is open at the prices it was opened at, USDT."""
        sides = (self.seen.buy, self.seen.sell) if self.seen is not None else ()
        return sum(price * quantity for side in sides for price, quantity, _ in side.entries)

    @property
    def result(self) -> float:
        """What is open at the last price, USDT."""
        return self.seen.buy.result + self.seen.sell.result if self.seen is not None else 0.0

    @property
    def bare(self) -> tuple[str, ...]:
        """Sides that hold something without a stop that stands."""
        sides = (("BUY", self.seen.buy), ("SELL", self.seen.sell)) if self.seen is not None else ()
        return tuple(name for name, side in sides if side.entries and side.side not in self.stops)


def grids(database: Database) -> list[Standing]:
    """Every grid that is wanted or holds something. Raises DatabaseAway."""
    url = database.url
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        return []
    with database.begin() as connection:
        if not inspect(connection).has_table(grid_sessions.name):
            return []
        now, rows = clock_ms(connection), _rows(connection)
    found = [_standing(row, now) for row in rows]
    return [one for one in found if one.wanted is not Wanted.STOPPED or one.positions or one.damaged]


def _rows(connection: Connection) -> list[Any]:
    query = (select(grid_sessions.c.user_id, grid_sessions.c.symbol, grid_sessions.c.wanted, grid_sessions.c.settings,
                    grid_sessions.c.lease_until_ms, grid_states.c.body, grid_states.c.facts)
             .outerjoin(grid_states, grid_states.c.user_id == grid_sessions.c.user_id)
             .order_by(grid_sessions.c.user_id))
    return list(connection.execute(query))


def _standing(row: Any, now_ms: int) -> Standing:
    seen, damaged, stops = None, "", frozenset[int]()
    if row.body is not None:
        try:
            facts = row.facts or {}
            seen = view(state_of(row.body.encode()), facts, GridSettings.model_validate(row.settings))
            stops = frozenset(one.side for one in unpacked(facts.get("host")).stops if one.sure)
        except (msgspec.MsgspecError, ValueError) as problem:
            damaged = f"its state cannot be read: {str(problem).splitlines()[0][:120]}"
    return Standing(row.user_id, row.symbol, Wanted(row.wanted), row.lease_until_ms > now_ms, seen, damaged, stops)


def needs_worker(found: list[Standing], running_here: bool) -> bool:
    """Whether the service has to run (A17): a wanted grid holds positions, and nobody on another machine trades it."""
    return any(one.wanted is not Wanted.STOPPED and (one.positions or one.damaged) and (running_here or not one.held)
               for one in found)


def reasons(one: Standing) -> list[str]:
    """Why a grid opens nothing now, the cause first; empty where nothing stands in the way."""
    if one.wanted is Wanted.STOPPED:
        return ["it is stopped: /startgrid"]
    if not one.held:
        return ["no worker trades it: /startgrid"]
    if one.seen is None:
        return [one.damaged or "it begins"]
    seen = one.seen
    found = [seen.problem] if seen.problem else []
    if seen.mode != "RUNNING":
        found.append(f"it is {seen.mode.lower()}")
    found += [f"{name}: {side.blocked} (/gridack {name.lower()} leave, or adopt)"
              for name, side in (("BUY", seen.buy), ("SELL", seen.sell)) if side.blocked]
    found += [f"{name}: all {side.most} orders are open" for name, side in (("BUY", seen.buy), ("SELL", seen.sell))
              if side.most == len(side.entries)]
    if seen.refusal:
        found.append(seen.refusal)
    return found
