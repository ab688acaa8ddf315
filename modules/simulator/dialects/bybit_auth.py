"""Bybit v5's signatures: hex of HMAC-SHA256 over timestamp, key, receive window and the query or the body.

Source: Bybit's "Integration Guidance": a request is taken when
``server time − recv_window <= timestamp < server time + 1000``. At a speed above 1 both scale with it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

from modules.simulator.dialects.bybit_errors import declined
from modules.simulator.dialects.call import Request
from modules.simulator.perp.api import Account

#: before a key in the venue's table: the same key can be one of another exchange's too
PREFIX = "bybit:"
KEY_HEADER = "X-BAPI-API-KEY"
WINDOW_MS, MOST_WINDOW_MS, AHEAD_MS = 5_000, 60_000, 1_000


def signature(secret: str, text: str) -> str:
    """The signature of a text."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def bybit_accounts() -> list[Account]:
    """The account behind Bybit's wire, apart from those of the other dialects: positions never mix."""
    return [Account("bybit", PREFIX + "sim-key", "sim-secret")]


@dataclass(frozen=True, slots=True)
class BybitGate:
    """Who may come in, and how old a request may be."""

    by_key: Callable[[str], Account | None]
    speed: float
    wall_ms: Callable[[], int] | None = None  # also accept timestamps of this clock

    def owner(self, key: str | None) -> Account | None:
        """The account of a key; None where there is none."""
        return self.by_key(PREFIX + key) if key and key.isascii() else None

    def admit(self, asked: Request, now_ms: int) -> Account:
        """The account that signed a request: the query as sent, or the body. Raises Declined."""
        headers, payload = asked.headers or {}, asked.query if asked.method == "GET" else asked.body
        key, sign = headers.get(KEY_HEADER), headers.get("X-BAPI-SIGN", "")
        stamp, window = headers.get("X-BAPI-TIMESTAMP", ""), headers.get("X-BAPI-RECV-WINDOW", str(WINDOW_MS))
        if not key or not sign:
            raise declined(10001, "empty value: apiTimestamp[] apiKey[] apiSignature[]")
        account = self.owner(key)
        if account is None:
            raise declined(10003)
        if not _number(stamp) or not _number(window):
            raise declined(10002)
        if not self._in_time(int(stamp), min(int(window), MOST_WINDOW_MS), now_ms):
            raise declined(10002, f"req_timestamp[{stamp}],server_timestamp[{now_ms}],recv_window[{window}]")
        texts = {stamp + key + window + text for text in (payload, unquote(payload))}  # clients sign either form
        if not any(hmac.compare_digest(signature(account.secret, text), sign) for text in texts):
            raise declined(10004)
        return account

    def login(self, args: list[object], now_ms: int) -> Account | None:
        """The account of a socket's ``auth`` [key, expires, signature]; None where something is wrong."""
        if len(args) != 3:
            return None
        key, expires, sign = (str(arg) for arg in args)
        account = self.owner(key)
        if account is None or not _number(expires):
            return None
        late = int(expires) <= now_ms and not (self.wall_ms is not None and int(expires) > self.wall_ms())
        if late or not hmac.compare_digest(signature(account.secret, f"GET/realtime{expires}"), sign):
            return None
        return account

    def _in_time(self, stamp: int, window: int, now_ms: int) -> bool:
        pace = max(1.0, self.speed)
        if now_ms - window * pace <= stamp < now_ms + AHEAD_MS * pace:
            return True
        if self.wall_ms is None:
            return False
        wall = self.wall_ms()
        return wall - window <= stamp < wall + AHEAD_MS


def _number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 16
