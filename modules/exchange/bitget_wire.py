"""Signed requests to Bitget for many users over one connection pool, one clock and one address.

ccxt's class costs a megabyte and ten milliseconds a user; here a user costs a key and a few counters. What `Wire` does
for every venue (lanes, limits, breakers, classification, once and never again) stays: `BitgetCaller` is what it sends
with. Signature: base64(HMAC-SHA256(secret, timestamp + METHOD + path + ?query + body)), Bitget's API introduction.

What users share is the address: `calls_a_second` of it, counted for all processes of this machine. What they do not
share: rates of the account, rests after a refusal, and circuit breakers. So a user whose key is revoked, whose calls
hang or who is told to slow down makes nobody else wait.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp
import msgspec
from yarl import URL

from modules.exchange.bitget_turns import ADDRESS, AddressLine, Crowd, UserTurns
from modules.exchange.breaker import Breakers
from modules.exchange.link import Link
from modules.exchange.page import Page
from modules.exchange.wire import Endpoint, Shared, Wire

SITE = "https://api.bitget.com"
#: cells of a page for one user's breakers (`breaker.Circuit` names the places)
BREAKER_CELLS = 32

@dataclass(frozen=True, slots=True, repr=False)
class BitgetKey:
    """A user's key. Its repr says nothing of it."""

    key: str
    secret: str
    passphrase: str
    demo: bool = False

    def __repr__(self) -> str:
        return "BitgetKey(…)"


class BitgetCaller:
    """Sends one signed (or public) request; what comes back goes to `Wire`'s hook, unread."""

    def __init__(self, session: aiohttp.ClientSession, base: Callable[[], str], key: BitgetKey | None,
                 timeout_s: float, proxy: str = "") -> None:
        self._session, self._base, self._key = session, base, key
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._proxy = proxy or None
        # `Wire` puts its own in.
        self.on_rest_response: Callable[..., str] = lambda *_: ""
        self.nonce: Callable[[], int] = lambda: 0

    def __getattr__(self, name: str) -> Any:
        method, _, path = name.partition(" ")
        if method not in ("GET", "POST") or not path:
            raise AttributeError(name)

        async def call(params: dict[str, Any]) -> None:
            await self._send(method, path, params)

        return call

    def __repr__(self) -> str:
        return "BitgetCaller(…)"

    async def _send(self, method: str, path: str, params: dict[str, Any]) -> None:
        target, body = path, ""
        if method == "GET" and params:
            target += "?" + urlencode(params)
        elif method == "POST":
            body = _body(params)
        headers = {"Content-Type": "application/json", "locale": "en-US"}
        if self._key is not None:
            headers |= self._signed(self._key, method, target, body)
        async with self._session.request(
                method, URL(self._base() + target, encoded=True), data=body or None, headers=headers,
                timeout=self._timeout, proxy=self._proxy, allow_redirects=False) as answer:
            text = await answer.text()
            self.on_rest_response(answer.status, answer.reason, target, method, dict(answer.headers), text, None, None)

    def _signed(self, key: BitgetKey, method: str, target: str, body: str) -> dict[str, str]:
        stamp = str(self.nonce())
        text = stamp + method + target + body
        sign = base64.b64encode(hmac.new(key.secret.encode(), text.encode(), hashlib.sha256).digest()).decode()
        headers = {"ACCESS-KEY": key.key, "ACCESS-SIGN": sign, "ACCESS-TIMESTAMP": stamp,
                   "ACCESS-PASSPHRASE": key.passphrase}
        return headers | {"paptrading": "1"} if key.demo else headers


def _body(params: dict[str, Any]) -> str:
    """A JSON object; lists travel in their parameter as JSON already."""
    return msgspec.json.encode({name: msgspec.Raw(value.encode()) if name.endswith("List") else str(value)
                                for name, value in params.items()}).decode()


class BitgetLink(Link):
    """`Link` for Bitget: public calls counted for the address, and wires for users."""

    connections = 1024
    _crowd: Crowd | None = None
    _line: AddressLine | None = None

    def wire(self, api_key: str, secret: str) -> Wire:
        """Public requests; users' wires come from `user_wire`. Raises ValueError for a key."""
        if api_key or secret:
            raise ValueError("a key of Bitget has a passphrase: use user_wire")
        return Wire(self._caller(None), self._shared)

    def user_wire(self, key: BitgetKey) -> Wire:
        """Requests of one user, with breakers and rates of his own."""
        self._crowd = self._crowd or Crowd()
        self._line = self._line or AddressLine(self.limiter)
        shared = self._shared
        turns = UserTurns(self.limiter, self._line, self._crowd, lambda: self.clock.speed)
        return Wire(self._caller(key), Shared(shared.clock, turns, Breakers(Page(BREAKER_CELLS)), shared.codes,
                                              shared.lease_s))

    async def close(self) -> None:
        """Release connections. May be called twice."""
        if self._line is not None:
            self._line.close()
        await super().close()

    def _caller(self, key: BitgetKey | None) -> BitgetCaller:
        settings = self.settings
        proxied = settings.proxy and (settings.base_url or settings.name != "simulated")
        return BitgetCaller(self.session, lambda: self.url or SITE, key, settings.timeout_s,
                            settings.proxy if proxied else "")


def endpoint(method: str, path: str, *, signed: bool = True, places: bool = False) -> Endpoint:
    """An endpoint below ``/api/v2/mix/``. Each call weighs 1 of its account's rate and of the address's."""
    return Endpoint(f"{method} /api/v2/mix/{path}", path, 1, signed=signed, bucket=path if signed else ADDRESS,
                    places=places)
