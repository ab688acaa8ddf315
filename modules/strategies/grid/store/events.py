"""The webhook queue (E11, X39): durable, in order per user, bounded; status updates may be dropped, others never.

1. At most `MOST` events of a user wait. A new status update pushes out the oldest status update; where none is left to
   push out it is dropped itself. Any other event is taken whatever waits.
2. After a failure everything of that user waits together, so that the order stays and one dead address costs one try.
3. Events are claimed for a while: two senders do not send the same one, and one that dies loses none.
4. A few events of each user at a time: a full queue of one stands before no other's.
"""

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, case, delete, func, insert, select, update

from modules.storage.sql.grid_tables import grid_events, grid_users
from modules.strategies.grid.store.base import Part, clock_ms, note
from modules.strategies.grid.store.records import Event

MOST = 1000  # M10
EACH = 20
MOST_DEAD = 100  # dead status updates kept of a user; other dead events are kept until somebody removes them
STATUS = "status_update"
_E = grid_events.c


class Outgoing(msgspec.Struct, frozen=True):
    """An event claimed for sending."""

    number: int
    uid: str
    user_id: str
    kind: str
    body: dict[str, Any]
    created_ms: int
    tries: int
    url: str
    sealed_secret: str

    def __repr__(self) -> str:
        return f"Outgoing({self.number}, {self.user_id!r}, {self.kind!r})"


class Dead(msgspec.Struct, frozen=True):
    """An event that was given up, and why."""

    number: int
    uid: str
    user_id: str
    kind: str
    body: dict[str, Any]
    created_ms: int
    tries: int
    error: str


def queue(connection: Connection, told: Sequence[tuple[str, Event]], now_ms: int) -> int:
    """Queue events, each with its user, within a transaction; how many were taken (rule 1). Told twice, an event is
    queued once. A user without a webhook has no queue.

    A few statements for all of them, however many users: on SQLite everybody who writes waits meanwhile.
    """
    if not told:
        return 0
    names = {user_id for user_id, _ in told}
    hooked = set(connection.execute(select(grid_users.c.user_id).where(
        grid_users.c.user_id.in_(names), grid_users.c.webhook_url != "")).scalars())
    known = set(connection.execute(select(_E.uid).where(_E.uid.in_({event.uid for _, event in told}))).scalars())
    waiting: dict[str, tuple[int, int]] = {user_id: (count, due) for user_id, count, due in connection.execute(
        select(_E.user_id, func.count(), func.max(_E.due_ms))
        .where(_E.user_id.in_(hooked), _E.state == "queued").group_by(_E.user_id))}
    rows: list[dict[str, Any]] = []
    for user_id, event in told:
        count, due = waiting.get(user_id, (0, 0))
        if user_id not in hooked or event.uid in known:
            continue
        known.add(event.uid)
        if count >= MOST and not event.limit:
            if not _pushed_out(connection, user_id, now_ms):
                continue
            count -= 1
        waiting[user_id] = count + 1, due
        rows.append({"uid": event.uid, "user_id": user_id, "kind": event.kind, "body": event.body,
                     "created_ms": now_ms, "due_ms": max(now_ms, due), "tries": 0, "state": "queued",
                     "error": "", "claimed_until_ms": 0})
    if rows:
        connection.execute(insert(grid_events), rows)
    return len(rows)


def _pushed_out(connection: Connection, user_id: str, now_ms: int) -> bool:
    """The oldest status update of a full queue is dropped; whether there was one."""
    oldest = connection.execute(select(func.min(_E.number)).where(
        _E.user_id == user_id, _E.state == "queued", _E.kind == STATUS, _E.claimed_until_ms <= now_ms)).scalar()
    if oldest is not None:
        connection.execute(delete(grid_events).where(_E.number == oldest))
    return oldest is not None


class Events(Part):
    """The queue for its sender, and the dead letters for people."""

    def put(self, user_id: str, event: Event) -> bool:
        """Queue one event on its own; whether it was taken."""
        with self.database.begin(alone=True) as connection:
            return bool(queue(connection, [(user_id, event)], clock_ms(connection)))

    def due(self, users: int, claim_s: float, each: int = EACH, without: Collection[str] = ()) -> list[Outgoing]:
        """Events to send now, claimed for `claim_s`: of the `users` that wait longest (none of `without`), of each at
        most `each` (rule 4), oldest first."""
        with self.database.begin() as connection:
            now = clock_ms(connection)
            if not connection.execute(select(_E.number).where(
                    _E.state == "queued", _E.due_ms <= now, _E.claimed_until_ms <= now).limit(1)).first():
                return []  # nobody waits for this look
        with self.database.begin(alone=True) as connection:
            now = clock_ms(connection)
            due = (_E.state == "queued") & (_E.due_ms <= now) & (_E.claimed_until_ms <= now)
            names = connection.execute(select(_E.user_id).where(due, _E.user_id.not_in(without)).group_by(_E.user_id)
                                       .order_by(func.min(_E.number)).limit(users)).scalars().all()
            if not names:
                return []
            place = func.row_number().over(partition_by=_E.user_id, order_by=_E.number).label("place")
            ranked = select(_E.number, place).where(due, _E.user_id.in_(names)).subquery()
            numbers = connection.execute(select(ranked.c.number).where(ranked.c.place <= each)).scalars().all()
            rows = connection.execute(
                select(grid_events, grid_users.c.webhook_url, grid_users.c.webhook_secret)
                .join(grid_users, grid_users.c.user_id == _E.user_id).where(due, _E.number.in_(numbers))
                .order_by(_E.number).with_for_update(skip_locked=True)).all()
            if rows:
                connection.execute(update(grid_events).where(_E.number.in_([row.number for row in rows])).values(
                    claimed_until_ms=now + round(claim_s * 1000)))
        return [Outgoing(row.number, row.uid, row.user_id, row.kind, row.body, row.created_ms, row.tries,
                         row.webhook_url, row.webhook_secret) for row in rows]

    def sent(self, numbers: list[int]) -> None:
        """They arrived."""
        with self.database.begin(alone=True) as connection:
            connection.execute(delete(grid_events).where(_E.number.in_(numbers)))

    def failed(self, event: Outgoing, error: str, wait_s: float) -> None:
        """A try failed: this one counts it, and all of this user wait (rule 2)."""
        with self.database.begin(alone=True) as connection:
            later = clock_ms(connection) + round(wait_s * 1000)
            mine = (_E.user_id == event.user_id) & (_E.state == "queued")
            this = _E.number == event.number  # a dead letter by now is not counted again: it is no longer queued
            connection.execute(update(grid_events).where(mine).values(
                due_ms=case((_E.due_ms < later, later), else_=_E.due_ms), claimed_until_ms=0,
                tries=case((this, _E.tries + 1), else_=_E.tries), error=case((this, error[:500]), else_=_E.error)))

    def give_up(self, event: Outgoing, error: str) -> None:
        """A dead letter: kept, shown, and sent again only when somebody asks. Old dead status updates go."""
        with self.database.begin(alone=True) as connection:
            connection.execute(update(grid_events).where(_E.number == event.number).values(
                state="dead", tries=_E.tries + 1, error=error[:500], claimed_until_ms=0))
            dead = (_E.user_id == event.user_id) & (_E.state == "dead") & (_E.kind == STATUS)
            edge = connection.execute(select(_E.number).where(dead).order_by(_E.number.desc())
                                      .offset(MOST_DEAD).limit(1)).scalar()
            if edge is not None:
                connection.execute(delete(grid_events).where(dead, _E.number <= edge))
            note(connection, "webhooks", "event given up", event.user_id, outcome="dead",
                 body={"uid": event.uid, "kind": event.kind, "error": error[:500]})

    def dead(self, user_id: str = "", most: int = 100) -> list[Dead]:
        """Dead letters, oldest first; of one user or of all."""
        with self.database.begin() as connection:
            rows = connection.execute(
                select(grid_events).where(_E.state == "dead", *([_E.user_id == user_id] if user_id else []))
                .order_by(_E.number).limit(most)).all()
        return [Dead(row.number, row.uid, row.user_id, row.kind, row.body, row.created_ms, row.tries, row.error)
                for row in rows]

    def again(self, user_id: str, who: str, address: str = "") -> int:
        """Queue a user's dead letters anew; how many."""
        with self.database.begin(alone=True) as connection:
            now = clock_ms(connection)
            done = connection.execute(update(grid_events).where(_E.user_id == user_id, _E.state == "dead").values(
                state="queued", tries=0, due_ms=now, claimed_until_ms=0))
            note(connection, who, "dead letters again", user_id, address, body={"count": done.rowcount})
        return int(done.rowcount)

    def waiting(self) -> dict[str, int]:
        """How many events are queued, and how many dead."""
        with self.database.begin() as connection:
            rows = connection.execute(select(_E.state, func.count()).group_by(_E.state)).all()
        return {"queued": 0, "dead": 0} | {str(state): int(count) for state, count in rows}
