"""Logging in: by password, slowed when it is wrong, or by a one-time link."""

import asyncio
from dataclasses import dataclass, field

from fastapi.responses import Response

from modules.dashboard.actions import Actions
from modules.dashboard.passwords import matches
from modules.dashboard.sessions import OWNER, VIEWER, Session, Sessions, digest
from modules.dashboard.throttle import Throttle


@dataclass
class LoginRefused(Exception):
    """Not logged in. `wait_s`: how long the next try waits."""

    status: int
    words: str
    wait_s: float = 0.0

    def answer(self) -> Response:
        """For the browser."""
        headers = {"retry-after": str(max(1, round(self.wait_s)))} if self.wait_s else {}
        return Response(self.words, self.status, headers)


@dataclass
class Login:
    """Who may come in. `hashes`: role → scrypt hash, by strength."""

    sessions: Sessions
    actions: Actions
    throttle: Throttle
    hashes: dict[str, str]
    cookie_s: int
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def by_password(self, password: str, address: str) -> tuple[str, Session]:
        """A new session. Raises LoginRefused. One password is computed at a time: it costs 16 MB and 50 ms."""
        async with self._turn:
            wait = self.throttle.wait_s(address)
            if wait > 0:
                raise LoginRefused(429, f"Too many wrong passwords. Try again in {wait:.0f} s, or use a one-time link: "
                                        "/dashboard in Telegram.", wait)
            role = await asyncio.to_thread(self._role, password)
            if role is None:
                wait = self.throttle.wrong(address)
                await self.actions.note("wrong", "?", "", address)
                raise LoginRefused(401, f"This password is wrong. The next try waits {wait:.0f} s.", wait)
            self.throttle.right(address)
        await self.actions.note("login", "password", role, address)
        return self.sessions.open(role, "password", digest(self.hashes[role]))

    async def by_link(self, token: str, address: str) -> tuple[str, Session]:
        """A new session. Raises LoginRefused."""
        link = self.sessions.use(token)
        if link is None:
            await self.actions.note("wrong", "?", "", address, "one-time link")
            raise LoginRefused(401, "This link was used already, or is too old. /dashboard gives a new one.")
        await self.actions.note("login", link.who, link.role, address, "one-time link")
        return self.sessions.open(link.role, link.who)

    def change(self, role: str, stored: str) -> None:
        """Another password: what the old one opened ends."""
        self.hashes[role] = stored
        self.sessions.keep_only({digest(one) for one in self.hashes.values()})

    def _role(self, password: str) -> str | None:
        """In a thread."""
        found = [role for role in (OWNER, VIEWER) if role in self.hashes and matches(password, self.hashes[role])]
        return found[0] if found else None
