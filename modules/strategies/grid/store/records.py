"""What passes between the grid's server, its workers and SQL. Nothing here shows a secret in its repr."""

from enum import StrEnum
from typing import Any

import msgspec

#: how the name of a key begins that is none: a paper account at the market's own prices, nobody's money
PAPER = "paper"


class Wanted(StrEnum):
    """What people want of a grid (X36): trade; no entries; no entries until flat; nothing (positions keep their stops).
    """

    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    DRAINING = "DRAINING"
    STOPPED = "STOPPED"


class Order(StrEnum):
    """What is said to a grid once, beside what is wanted of it: body of ACKNOWLEDGE {side: 1 | −1, answer}."""

    FLATTEN = "FLATTEN"
    ACKNOWLEDGE = "ACKNOWLEDGE"


class StoreError(Exception):
    """The store refuses: the text names the thing and the mend."""


class Taken(StoreError):
    """The user's id is in use."""


class KeyInUse(StoreError):
    """Another user has the same exchange key: two grids on one account would confuse their legs."""


class NoUser(StoreError):
    """There is no such user."""


class Fenced(StoreError):
    """The session belongs to another worker by now: stop at once, write nothing."""


class Credentials(msgspec.Struct, frozen=True):
    """One user's key of the exchange, opened. `version` grows with each replacement."""

    api_key: str
    api_secret: str
    passphrase: str
    demo: bool
    version: int = 1

    def __repr__(self) -> str:
        return f"Credentials(…, demo={self.demo}, version={self.version})"

    def __rich_repr__(self) -> Any:
        yield "demo", self.demo


class Webhook(msgspec.Struct, frozen=True):
    """Where a user's events go; `url` empty: nowhere. `secret` signs them."""

    url: str
    secret: str

    def __repr__(self) -> str:
        return "Webhook(…)"


class NewUser(msgspec.Struct, frozen=True):
    """A user to be: everything checked already. `settings` complete, `custom` as it was given. `token`: its SHA-256."""

    user_id: str
    bot_id: str
    token: str
    credentials: Credentials
    webhook: Webhook
    symbol: str
    custom: dict[str, Any]
    settings: dict[str, Any]

    def __repr__(self) -> str:
        return f"NewUser({self.user_id!r}, …)"


class Session(msgspec.Struct, frozen=True):
    """A user's grid as it stands in SQL. `key_refused`: why the venue refuses the key, empty: it does not."""

    user_id: str
    bot_id: str
    symbol: str
    custom: dict[str, Any]
    settings: dict[str, Any]
    version: int
    wanted: Wanted
    accepted: dict[str, Any] | None
    figures: dict[str, Any] | None
    started_ms: int
    lease_holder: str
    lease_until_ms: int
    fence: int
    demo: bool
    key_version: int
    key_refused: str
    webhook: bool


class Lease(msgspec.Struct, frozen=True):
    """The right to trade a session. `fence` goes with every write; a later holder has a higher one."""

    user_id: str
    holder: str
    fence: int


class Held(msgspec.Struct, frozen=True):
    """A claimed session: its lease, what is wanted, and the state that was last saved (None: never)."""

    lease: Lease
    session: Session
    state: bytes | None
    facts: dict[str, Any]


class Wish(msgspec.Struct, frozen=True):
    """What a worker has to know of a session at each renewal. A changed version: load it anew."""

    lease: Lease
    wanted: Wanted
    version: int
    key_version: int
    commands: int


class Renewal(msgspec.Struct, frozen=True):
    """Leases still held. Good until `until_s` (`time.monotonic`, reckoned from before the question): act only before.
    """

    until_s: float
    wishes: tuple[Wish, ...]


class Command(msgspec.Struct, frozen=True):
    """Something said once to a session."""

    number: int
    user_id: str
    word: Order
    body: dict[str, Any]
    by_whom: str


class Event(msgspec.Struct, frozen=True):
    """A webhook event to be: `uid` is stable, an event told twice is queued once. `limit` events are never dropped."""

    uid: str
    kind: str
    body: dict[str, Any]

    @property
    def limit(self) -> bool:
        """Whether it must never be dropped."""
        return self.kind != "status_update"


class Save(msgspec.Struct, frozen=True):
    """One session's state to keep, what its worker tells beside it, and the events of the same moment (X39)."""

    lease: Lease
    state: bytes
    facts: dict[str, Any] = {}
    events: tuple[Event, ...] = ()
