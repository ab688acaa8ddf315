"""Listen keys: the names of user streams. One for an account at a time, gone 60 market minutes after its last renewal.

Rules of the venue: POST gives the valid key again and renews it; PUT renews, refused (−1125) where there is none;
DELETE ends it and closes its sockets; an expired key tells its listeners `listenKeyExpired` and stays silent.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass

LIFE_MS = 60 * 60_000
_LETTERS = string.ascii_letters + string.digits


@dataclass(slots=True)
class ListenKey:
    """A key of an account, valid until a market time."""

    key: str
    account: str
    until_ms: int


class ListenKeys:
    """The valid keys. `ended` is told of a key that expired (True) or was closed (False)."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._by_account: dict[str, ListenKey] = {}
        self._by_key: dict[str, ListenKey] = {}
        self.ended: Callable[[ListenKey, bool], None] = lambda key, expired: None

    def open(self, account: str) -> str:
        """The key of an account, renewed; a new one where it has none."""
        self.expire()
        held = self._by_account.get(account)
        if held is None:
            held = ListenKey("".join(secrets.choice(_LETTERS) for _ in range(64)), account, 0)
            self._by_account[account] = self._by_key[held.key] = held
        held.until_ms = self._now() + LIFE_MS
        return held.key

    def renew(self, account: str) -> str | None:
        """The key, renewed; None where the account has none (−1125)."""
        self.expire()
        return self.open(account) if account in self._by_account else None

    def close(self, account: str) -> bool:
        """End the key; False where the account has none."""
        self.expire()
        held = self._by_account.get(account)
        if held is None:
            return False
        self._drop(held, expired=False)
        return True

    def account(self, key: str) -> str | None:
        """Whose key this is, None where it is not valid."""
        self.expire()
        held = self._by_key.get(key)
        return held.account if held is not None else None

    def expire_now(self, account: str) -> bool:
        """Let an account's key expire at once (an act); False where there is none."""
        held = self._by_account.get(account)
        if held is not None:
            self._drop(held, expired=True)
        return held is not None

    def expire(self) -> None:
        """Let go of the keys whose time is over."""
        now = self._now()
        for held in [held for held in self._by_key.values() if held.until_ms <= now]:
            self._drop(held, expired=True)

    def _drop(self, held: ListenKey, *, expired: bool) -> None:
        del self._by_account[held.account], self._by_key[held.key]
        self.ended(held, expired)
