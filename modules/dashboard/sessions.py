"""Who is logged in: sessions and one-time links. Only hashes are kept; a stolen file opens nothing.

1. A session is a random cookie; its hash, role and CSRF token lie in ``data/run/dashboard_sessions.json``.
2. It ends by logging out, by age, or when the password that opened it changes.
3. A one-time link is used up by its first use, right or wrong session or not, and dies by age.

Ages run on the wall clock: they outlive the process, and no trade depends on them.
"""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from modules.storage.json_state import JsonFile
from utils.paths import Paths

OWNER, VIEWER = "owner", "viewer"
MOST = 200


class Session(msgspec.Struct, frozen=True):
    """One login. `seal` marks the password (or link) that opened it (rule 2)."""

    id: str
    role: str
    who: str
    csrf: str
    created_ms: int
    seal: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """One link that waits for its use."""

    role: str
    who: str
    until_ms: int


def digest(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


class Sessions:
    """All sessions of this installation. `now_ms`: wall clock. Raises OSError where the disk refuses a new one."""

    def __init__(self, paths: Paths, days: float, now_ms: Callable[[], int]) -> None:
        self._file = JsonFile(paths.run / "dashboard_sessions.json", dict[str, Session], dict)
        self._life_ms = int(days * 86_400_000)
        self._now_ms = now_ms
        self._known = {id_: one for id_, one in self._file.load().items() if self._fresh(one)}
        self._links: dict[str, Link] = {}

    def open(self, role: str, who: str, seal: str = "") -> tuple[str, Session]:
        """A new session: the cookie's value, and what is kept."""
        token = secrets.token_urlsafe(32)
        session = Session(digest(token), role, who, secrets.token_urlsafe(24), self._now_ms(), seal)
        self._known[session.id] = session
        self._known = {id_: one for id_, one in list(self._known.items())[-MOST:] if self._fresh(one)}
        self._file.save(self._known)
        return token, session

    def find(self, token: str) -> Session | None:
        """The session of a cookie, None where there is none or it is over."""
        session = self._known.get(digest(token)) if token else None
        return session if session is not None and self._fresh(session) else None

    def still(self, session: Session) -> bool:
        """Whether a session found earlier is good still (an open socket asks)."""
        return session.id in self._known and self._fresh(session)

    def close(self, session: Session) -> None:
        """Log out."""
        if self._known.pop(session.id, None) is not None:
            self._file.save(self._known)

    def keep_only(self, seals: set[str]) -> None:
        """End what another password opened (rule 2); links' sessions have no seal and stay."""
        left = {id_: one for id_, one in self._known.items() if not one.seal or one.seal in seals}
        if len(left) != len(self._known):
            self._known = left
            self._file.save(self._known)

    def close_all(self) -> None:
        """Everybody has to log in again."""
        self._known = {}
        self._links = {}
        self._file.save(self._known)

    def expect(self, link: str, role: str, who: str, until_ms: int) -> None:
        """A link was made elsewhere: `link` is its token's hash."""
        now = self._now_ms()
        self._links = {key: one for key, one in list(self._links.items())[-MOST:] if one.until_ms > now}
        if until_ms > now:
            self._links[link] = Link(role, who, until_ms)

    def use(self, token: str) -> Link | None:
        """Use a link up (rule 3)."""
        link = self._links.pop(digest(token), None)
        return link if link is not None and link.until_ms > self._now_ms() else None

    def _fresh(self, session: Session) -> bool:
        return 0 <= self._now_ms() - session.created_ms < self._life_ms
