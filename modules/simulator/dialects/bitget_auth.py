"""Bitget's signatures: base64 of HMAC-SHA256 over timestamp, method, path with query, body; passphrase; demo keys.

Source: Bitget's API introduction, "Signature": timestamp + method.toUpperCase() + requestPath + "?" + queryString +
body; the window is 30 seconds. The query is signed as it is sent or as it reads (clients do either).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import unquote

from modules.simulator.dialects.bitget_errors import declined
from modules.simulator.dialects.call import Request
from modules.simulator.perp.api import Account

KEY_HEADER = "ACCESS-KEY"
WINDOW_MS = 30_000
#: what every simulated Bitget account has as its passphrase
PASSPHRASE = "sim-passphrase"
#: before a key in the venue's table: the same key can be one of another exchange's too
PREFIX = "bitget:"
DEMO = "demo"
#: the venue takes no opening order worth less, whatever the contract (its `minTradeUSDT`)
MIN_USDT = Decimal(5)


def signature(secret: str, text: str) -> str:
    """The signature of a text."""
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()).decode()


def bitget_accounts(users: int = 0) -> list[Account]:
    """The accounts behind Bitget's wire: apart from those of the other dialects, so that positions never mix."""
    rows = [("bitget", "sim-key", "sim-secret"), ("bitget-demo", "sim-demo-key", "sim-demo-secret")]
    rows += [(f"bitget-{number}", f"sim-key-{number}", f"sim-secret-{number}") for number in range(1, users + 1)]
    return [Account(name, PREFIX + key, secret, least_notional=MIN_USDT) for name, key, secret in rows]


@dataclass(frozen=True, slots=True)
class BitgetGate:
    """Who may come in, and how old a request may be. At a speed above 1 the window scales with it."""

    by_key: Callable[[str], Account | None]
    speed: float
    wall_ms: Callable[[], int] | None = None  # also accept timestamps of this clock

    def owner(self, key: str | None) -> Account | None:
        """The account of a key; None where there is none."""
        return self.by_key(PREFIX + key) if key and key.isascii() else None

    def admit(self, asked: Request, now_ms: int) -> Account:
        """The account that signed a request. Raises Declined."""
        headers = asked.headers or {}
        key, sign = headers.get(KEY_HEADER), headers.get("ACCESS-SIGN")
        stamp, phrase = headers.get("ACCESS-TIMESTAMP"), headers.get("ACCESS-PASSPHRASE")
        if not key:
            raise declined("40001")
        if not sign:
            raise declined("40003")
        if not stamp or not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 16):
            raise declined("40005")
        if not phrase:
            raise declined("40011")
        account = self.owner(key)
        if account is None:
            raise declined("40037")
        if phrase != PASSPHRASE:
            raise declined("40012")
        self._in_time(int(stamp), now_ms)
        head = stamp + asked.method.upper() + asked.path
        texts = {head + (f"?{part}" if part else "") + asked.body for part in (asked.query, unquote(asked.query))}
        if not any(hmac.compare_digest(signature(account.secret, text), sign) for text in texts):
            raise declined("40009")
        self.environment(account, headers)
        return account

    @staticmethod
    def environment(account: Account, headers: Mapping[str, str]) -> None:
        """Demo keys need the demo header, live ones must not have it. Raises Declined (40099)."""
        if (headers.get("PAPTRADING") == "1") != account.name.endswith(DEMO):
            raise declined("40099")

    def login(self, args: Mapping[str, str], now_ms: int) -> Account | None:
        """The account of a socket's login, None where its stamp, key, passphrase or signature is wrong."""
        account = self.owner(args.get("apiKey"))
        stamp = args.get("timestamp", "")
        if account is None or args.get("passphrase") != PASSPHRASE or not stamp.isdigit():
            return None
        number = int(stamp) * (1 if len(stamp) > 11 else 1000)  # clients send seconds; the documents show both
        if not self._near(number, now_ms):
            return None
        expected = signature(account.secret, stamp + "GET/user/verify")
        return account if hmac.compare_digest(expected, args.get("sign", "")) else None

    def _in_time(self, stamp: int, now_ms: int) -> None:
        if not self._near(stamp, now_ms):
            raise declined("40008")

    def _near(self, stamp: int, now_ms: int) -> bool:
        if abs(now_ms - stamp) <= WINDOW_MS * max(1.0, self.speed):
            return True
        return self.wall_ms is not None and abs(self.wall_ms() - stamp) <= WINDOW_MS
