"""Binance's signatures: HMAC-SHA256 over query and body as sent, without `signature`; time within `recvWindow`."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from modules.simulator.dialects.binance_errors import Declined, declined, missing
from modules.simulator.dialects.mexc_auth import signed_text
from modules.simulator.perp.api import Account

DEFAULT_WINDOW_MS = 5_000
MAX_WINDOW_MS = 60_000
AHEAD_MS = 1_000  # how far a timestamp may lie in the venue's future
AUTH_PARAMS = frozenset({"timestamp", "recvWindow", "signature"})


@dataclass(frozen=True, slots=True)
class BinanceGate:
    """Who may come in, and how old a request may be. At a speed above 1 the windows scale with it."""

    by_key: Callable[[str], Account | None]
    speed: float
    wall_ms: Callable[[], int] | None = None  # also accept timestamps of this clock
    revoked: Mapping[str, object] = field(default_factory=dict)  # keys that are refused

    def owner(self, key: str | None) -> Account:
        """The account of a key, unsigned (listen keys, old trades). Raises Declined."""
        if not key or not key.isascii() or not key.isprintable():
            raise declined(-2014, status=401)
        account = self.by_key(key)
        if account is None or key in self.revoked:
            raise declined(-2015, status=401)
        return account

    def admit(self, key: str | None, params: Mapping[str, str], query: str, body: str, now_ms: int) -> Account:
        """The account that signed a request. Raises Declined."""
        account = self.owner(key)
        for name in ("timestamp", "signature"):
            if not params.get(name):
                raise missing(name)
        text = signed_text(query, body)
        expected = hmac.new(account.secret.encode(), text.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, params["signature"].lower()):
            raise declined(-1022)
        self._in_time(params, now_ms)
        return account

    def _in_time(self, params: Mapping[str, str], now_ms: int) -> None:
        stamp, window = _whole(params, "timestamp"), _whole(params, "recvWindow")
        if not 0 < window <= MAX_WINDOW_MS:
            raise Declined(-1131, f"recvWindow must be less than {MAX_WINDOW_MS}")
        pace = max(1.0, self.speed)
        if -AHEAD_MS * pace <= now_ms - stamp <= window * pace:
            return
        if self.wall_ms is not None and -AHEAD_MS <= self.wall_ms() - stamp <= window:
            return
        if stamp > now_ms:
            raise Declined(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
        raise declined(-1021)


def _whole(params: Mapping[str, str], name: str) -> int:
    text = params.get(name, str(DEFAULT_WINDOW_MS))
    if not (text.isascii() and text.isdigit() and len(text) <= 16):
        raise Declined(-1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'.")
    return int(text)
