"""Confirmations: a one-time token that works once, for the user who asked, until it expires.

1. Tokens live in memory only: after a restart none is valid.
2. Expiry runs on the monotonic clock.
3. Another user's press neither confirms nor burns a token.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

LONGEST_LIST = 200


class Verdict(StrEnum):
    """What a token was worth."""

    GOOD = "good"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class Pending:
    """A command that waits for its confirmation."""

    user: str
    line: str
    fingerprint: str
    expires: float


class Confirmations:
    """Every confirmation under way. `clock` is monotonic seconds."""

    def __init__(self, valid_s: float, clock: Callable[[], float]) -> None:
        self.valid_s = valid_s
        self._clock = clock
        self._pending: dict[str, Pending] = {}

    def ask(self, user: str, line: str, fingerprint: str) -> str:
        """A new token for `line`; asking the same again makes the earlier token worthless."""
        self._forget()
        for token, waiting in list(self._pending.items()):
            if (waiting.user, waiting.line) == (user, line):
                del self._pending[token]
        token = secrets.token_urlsafe(9)
        self._pending[token] = Pending(user, line, fingerprint, self._clock() + self.valid_s)
        return token

    def take(self, token: str, user: str) -> tuple[Verdict, Pending | None]:
        """Use a token up; its command comes back only with GOOD."""
        waiting = self._pending.get(token)
        if waiting is None:
            return Verdict.UNKNOWN, None
        if waiting.user != user:
            return Verdict.FOREIGN, None
        del self._pending[token]
        if self._clock() >= waiting.expires:
            return Verdict.EXPIRED, None
        return Verdict.GOOD, waiting

    def _forget(self) -> None:
        """Drop what expired long ago; a fresh expiry still gets its own answer."""
        cut = self._clock() - 3600
        for token, waiting in list(self._pending.items()):
            if waiting.expires < cut or len(self._pending) > LONGEST_LIST:
                del self._pending[token]
