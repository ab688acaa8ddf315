"""MEXC's signatures: HMAC-SHA256 over the query string as sent (without `signature`), followed by the body."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from modules.simulator.accounts import Account
from modules.simulator.errors import Reason, Refused

DEFAULT_WINDOW_MS = 5_000
MAX_WINDOW_MS = 60_000
AHEAD_MS = 1_000  # how far a timestamp may lie in the venue's future
AUTH_PARAMS = frozenset({"timestamp", "recvWindow", "signature"})


def parse(query: str) -> dict[str, str]:
    """Parameters of a query string. Raises Refused where one is sent twice."""
    found: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name in found:
            raise Refused(Reason.BAD_PARAMETER, f"{name} sent twice")
        found[name] = value
    return found


def signed_text(query: str, body: str) -> str:
    """What the signature covers."""
    kept = [part for part in query.split("&") if part and not part.startswith("signature=")]
    inside = [part for part in body.split("&") if part and not part.startswith("signature=")]
    return "&".join(kept) + "&".join(inside)


@dataclass(frozen=True, slots=True)
class Gate:
    """Who may come in, and how old a request may be. At a speed above 1 the windows scale with it."""

    by_key: dict[str, Account]
    speed: float
    wall_ms: Callable[[], int] | None = None  # also accept timestamps of this clock
    revoked: dict[str, Reason] = field(default_factory=dict)  # keys that are refused, and why

    def admit(self, key: str | None, params: dict[str, str], text: str, now_ms: int) -> Account:
        """The account that signed the request. Raises Refused."""
        if not key:
            raise Refused(Reason.KEY_REQUIRED)
        account = self.by_key.get(key)
        if account is None:
            raise Refused(Reason.BAD_KEY)
        if key in self.revoked:
            raise Refused(self.revoked[key])
        if "signature" not in params:
            raise Refused(Reason.MISSING, "signature")
        if "timestamp" not in params:
            raise Refused(Reason.MISSING, "timestamp")
        expected = hmac.new(account.secret.encode(), text.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, params["signature"]):
            raise Refused(Reason.BAD_SIGNATURE)
        self._in_time(params, now_ms)
        return account

    def _in_time(self, params: dict[str, str], now_ms: int) -> None:
        try:
            stamp = int(params["timestamp"])
            window = int(params.get("recvWindow", str(DEFAULT_WINDOW_MS)))
        except ValueError:
            raise Refused(Reason.BAD_PARAMETER, "timestamp") from None
        if window > MAX_WINDOW_MS or window <= 0:
            raise Refused(Reason.BAD_WINDOW)
        pace = max(1.0, self.speed)
        if -AHEAD_MS * pace <= now_ms - stamp <= window * pace:
            return
        if self.wall_ms is not None and -AHEAD_MS <= self.wall_ms() - stamp <= window:
            return
        raise Refused(Reason.BAD_TIME)
