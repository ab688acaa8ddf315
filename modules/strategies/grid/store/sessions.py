"""Sessions under leases: one holder at a time, judged by the database's clock; each write carries the holder's fence.

1. A session is free when its lease has run out. Taking it raises the fence: whoever held it can write nothing more.
2. A worker may act on a session only before `Renewal.until_s`, reckoned on its own monotonic clock from *before* it
   asked. A worker that was stopped and wakes up sees that it is too late before it sends anything.
3. What is wanted is a state (`wanted`), written by people and read at each renewal; what is said once is a command.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Row, Select, func, insert, select, tuple_, update

from modules.storage.sql.grid_tables import grid_commands, grid_keys, grid_sessions, grid_states, grid_users
from modules.storage.sql.insert import insert_rows
from modules.strategies.grid.store.base import Part, clock_ms, note
from modules.strategies.grid.store.events import queue
from modules.strategies.grid.store.records import (
    Command,
    Fenced,
    Held,
    Lease,
    NoUser,
    Order,
    Renewal,
    Save,
    Session,
    Wanted,
    Wish,
)

_S = grid_sessions.c
TOGETHER = 200  # leases given back by one statement


class Sessions(Part):
    """What is wanted of each grid, who trades it, and its saved state."""

    monotonic: Callable[[], float] = staticmethod(time.monotonic)

    def claim(self, holder: str, ttl_s: float, most: int) -> list[Held]:
        """Take up to `most` sessions that are wanted and free. `holder` is unique to one worker process."""
        with self.database.begin(alone=True) as connection:
            now = clock_ms(connection)
            free = (_S.wanted != Wanted.STOPPED.value) & (_S.lease_until_ms <= now)
            names = connection.execute(select(_S.user_id).where(free).order_by(_S.lease_until_ms).limit(most)
                                       .with_for_update(skip_locked=True)).scalars().all()
            if not names:
                return []
            until = now + round(ttl_s * 1000)
            connection.execute(update(grid_sessions).where(_S.user_id.in_(names), free).values(
                lease_holder=holder, lease_until_ms=until, fence=_S.fence + 1))
            rows = connection.execute(_whole().where(
                _S.user_id.in_(names), _S.lease_holder == holder, _S.lease_until_ms == until)).all()
            states = {row.user_id: row for row in connection.execute(
                select(grid_states).where(grid_states.c.user_id.in_(names)))}
        return [_held(row, states.get(row.user_id)) for row in rows]

    def renew(self, holder: str, ttl_s: float) -> Renewal:
        """Keep every lease of `holder` that has not been taken by another, and see what is wanted of each.

        A lease that ran out but was taken by nobody is kept too: the fence says that nobody wrote meanwhile.
        """
        before = self.monotonic()
        waiting = (select(func.count()).select_from(grid_commands).where(
            grid_commands.c.user_id == _S.user_id, grid_commands.c.done_ms.is_(None)).scalar_subquery())
        with self.database.begin(alone=True) as connection:
            now = clock_ms(connection)
            connection.execute(update(grid_sessions).where(_S.lease_holder == holder).values(
                lease_until_ms=now + round(ttl_s * 1000)))
            rows = connection.execute(
                select(_S.user_id, _S.fence, _S.wanted, _S.version, grid_keys.c.version.label("key_version"),
                       waiting.label("commands"))
                .join(grid_keys, grid_keys.c.user_id == _S.user_id).where(_S.lease_holder == holder)).all()
        return Renewal(before + ttl_s, tuple(
            Wish(Lease(row.user_id, holder, row.fence), Wanted(row.wanted), row.version, row.key_version, row.commands)
            for row in rows))

    def release(self, leases: Sequence[Lease]) -> None:
        """Give sessions back, so that another worker may take them at once. Leases lost already are passed over."""
        with self.database.begin(alone=True) as connection:
            for at in range(0, len(leases), TOGETHER):
                mine = tuple_(_S.user_id, _S.fence, _S.lease_holder).in_(
                    [(lease.user_id, lease.fence, lease.holder) for lease in leases[at:at + TOGETHER]])
                connection.execute(update(grid_sessions).where(mine).values(lease_holder="", lease_until_ms=0))

    def save(self, saves: Sequence[Save]) -> set[str]:
        """Keep states, with the events of the same moment; returns the users whose session is another's by now.

        Those are not written, and their worker must stop acting for them at once.
        """
        with self.database.begin(alone=True) as connection:
            now = clock_ms(connection)
            names = sorted({save.lease.user_id for save in saves})
            fences = {row.user_id: (row.fence, row.lease_holder) for row in connection.execute(
                select(_S.user_id, _S.fence, _S.lease_holder).where(_S.user_id.in_(names)).order_by(_S.user_id)
                .with_for_update(read=True))}
            good = [save for save in saves
                    if fences.get(save.lease.user_id) == (save.lease.fence, save.lease.holder)]
            if good:
                insert_rows(connection, grid_states, [
                    {"user_id": save.lease.user_id, "fence": save.lease.fence, "body": save.state.decode(),
                     "facts": save.facts, "saved_ms": now} for save in good])
            queue(connection, [(save.lease.user_id, event) for save in good for event in save.events], now)
        return {save.lease.user_id for save in saves} - {save.lease.user_id for save in good}

    def session(self, user_id: str) -> Session:
        """A session as it stands. Raises NoUser."""
        with self.database.begin() as connection:
            row = connection.execute(_whole().where(_S.user_id == user_id)).first()
        if row is None:
            raise NoUser(f"There is no user {user_id}.")
        return _session(row)

    def all(self, after: str = "", most: int = 500) -> list[Session]:
        """Sessions by user, those after `after`."""
        with self.database.begin() as connection:
            rows = connection.execute(_whole().where(_S.user_id > after).order_by(_S.user_id).limit(most)).all()
        return [_session(row) for row in rows]

    def counts(self) -> dict[str, int]:
        """How many sessions are wanted how."""
        with self.database.begin() as connection:
            rows = connection.execute(select(_S.wanted, func.count()).group_by(_S.wanted)).all()
        return {str(wanted): int(count) for wanted, count in rows}

    def state(self, user_id: str) -> tuple[bytes, dict[str, Any], int] | None:
        """(state, facts, when it was saved) of a session, None: it never ran."""
        with self.database.begin() as connection:
            row = connection.execute(select(grid_states).where(grid_states.c.user_id == user_id)).first()
        return None if row is None else (row.body.encode(), row.facts, row.saved_ms)

    def want(self, user_id: str, wanted: Wanted, who: str, address: str = "", *, order: Order | None = None,
             body: dict[str, Any] | None = None, figures: dict[str, Any] | None = None,
             accepted: dict[str, Any] | None = None) -> None:
        """Say what is wanted of a grid, and with it perhaps something once (`order`). Raises NoUser.

        `figures` come with a start: the worst case it starts with, and who accepted its risk (X38); recorded for ever.
        """
        with self.database.begin(alone=True) as connection:
            now = clock_ms(connection)
            values: dict[str, Any] = {"wanted": wanted.value, "updated_ms": now}
            if figures is not None:
                values |= {"figures": figures, "accepted": accepted, "started_ms": now}
            done = connection.execute(update(grid_sessions).where(_S.user_id == user_id).values(**values))
            if not done.rowcount:
                raise NoUser(f"There is no user {user_id}.")
            if order is not None:
                connection.execute(insert(grid_commands).values(
                    user_id=user_id, word=order.value, body=body or {}, by_whom=who[:80], created_ms=now))
            told = {"order": order.value if order else None, "body": body, "accepted": accepted, "figures": figures}
            note(connection, who, f"wanted {wanted.value}", user_id, address,
                 body={name: value for name, value in told.items() if value is not None})

    def say(self, user_id: str, order: Order, body: dict[str, Any], who: str, address: str = "") -> int:
        """Something said once to a session; its number. Raises NoUser."""
        with self.database.begin(alone=True) as connection:
            if not connection.execute(select(_S.user_id).where(_S.user_id == user_id)).first():
                raise NoUser(f"There is no user {user_id}.")
            made = connection.execute(insert(grid_commands).values(
                user_id=user_id, word=order.value, body=body, by_whom=who[:80], created_ms=clock_ms(connection)))
            note(connection, who, order.value, user_id, address, body=body)
            number: Any = made.inserted_primary_key
        return int(number[0])

    def commands(self, user_id: str) -> list[Command]:
        """What was said and is not done yet, oldest first."""
        c = grid_commands.c
        with self.database.begin() as connection:
            rows = connection.execute(select(grid_commands).where(c.user_id == user_id, c.done_ms.is_(None))
                                      .order_by(c.number)).all()
        return [Command(row.number, row.user_id, Order(row.word), row.body, row.by_whom) for row in rows]

    def command_done(self, lease: Lease, number: int, outcome: str) -> None:
        """A command was carried out, or why not. Raises Fenced."""
        with self.database.begin(alone=True) as connection:
            now = clock_ms(connection)
            row = connection.execute(select(_S.fence).where(_S.user_id == lease.user_id)
                                     .with_for_update(read=True)).first()
            if row is None or row.fence != lease.fence:
                raise Fenced(f"The session of {lease.user_id} belongs to another worker by now.")
            connection.execute(update(grid_commands).where(
                grid_commands.c.number == number, grid_commands.c.user_id == lease.user_id).values(
                    done_ms=now, outcome=outcome[:1000]))

    def change(self, user_id: str, symbol: str, custom: dict[str, Any], settings: dict[str, Any], who: str,
               address: str = "") -> int:
        """Other settings (checked already) for a grid; returns their version. Raises NoUser."""
        with self.database.begin(alone=True) as connection:
            done = connection.execute(update(grid_sessions).where(_S.user_id == user_id).values(
                symbol=symbol, custom=custom, settings=settings, version=_S.version + 1,
                updated_ms=clock_ms(connection)))
            if not done.rowcount:
                raise NoUser(f"There is no user {user_id}.")
            note(connection, who, "settings changed", user_id, address, body=custom)
            return int(connection.execute(select(_S.version).where(_S.user_id == user_id)).scalar_one())


def _whole() -> Select[Any]:
    return (select(grid_sessions, grid_users.c.bot_id, grid_users.c.webhook_url, grid_keys.c.demo,
                   grid_keys.c.version.label("key_version"), grid_keys.c.refused)
            .join(grid_users, grid_users.c.user_id == _S.user_id).join(grid_keys, grid_keys.c.user_id == _S.user_id))


def _session(row: Row[Any]) -> Session:
    return Session(
        row.user_id, row.bot_id, row.symbol, row.custom, row.settings, row.version, Wanted(row.wanted), row.accepted,
        row.figures, row.started_ms, row.lease_holder, row.lease_until_ms, row.fence, bool(row.demo), row.key_version,
        row.refused, bool(row.webhook_url))


def _held(row: Row[Any], state: Row[Any] | None) -> Held:
    return Held(Lease(row.user_id, row.lease_holder, row.fence), _session(row),
                None if state is None else state.body.encode(), {} if state is None else state.facts)
