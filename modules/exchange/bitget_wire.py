"""Signed requests to Bitget for many users over one connection pool, one clock and one address.

ccxt's class costs a megabyte and ten milliseconds a user; here a user costs a key and a few counters. What `Wire` does
for every venue (lanes, limits, breakers, classification, once and never again) stays: `BitgetCaller` is what it sends
with. Signature: base64(HMAC-SHA256(secret, timestamp + METHOD + path + ?query + body)), Bitget's API introduction.

What users share is the address: `calls_a_second` of it, counted for all processes of this machine. What they do not
share: rates of the account, rests after a refusal, and circuit breakers. So a user whose key is revoked, whose calls
hang or who is told to slow down makes nobody else wait.
"""

import asyncio
import base64
import hashlib
import hmac
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp
import msgspec
from yarl import URL

from modules.exchange.breaker import Breakers
from modules.exchange.budget import Ticket
from modules.exchange.lanes import Lane
from modules.exchange.limiter import Limiter, Shed
from modules.exchange.link import Link
from modules.exchange.page import Page
from modules.exchange.wire import Endpoint, Shared, Wire

SITE = "https://api.bitget.com"
#: cells of a page for one user's breakers (`breaker.Circuit` names the places)
BREAKER_CELLS = 32
#: what all calls of this address are counted for
ADDRESS = "address"
#: so many users refused within two seconds: it is the address that is too fast, not one of them
CROWD, CROWD_S = 3, 2.0
DEFAULT_REST_S = 2.0
#: calls a second of one account where the venue's table says less or more than 10
RATES = {"order/fills": 10, "position/all-position": 5, "account/set-leverage": 5, "account/set-margin-mode": 5,
         "account/set-position-mode": 5}
RATE = 10


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


class Crowd:
    """Who of this address was told to slow down lately."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._told: dict[int, float] = {}

    def told(self, user: int) -> bool:
        """One more refusal; True where so many users were refused that it must be the address."""
        now = self._monotonic()
        self._told = {one: at for one, at in self._told.items() if now - at < CROWD_S} | {user: now}
        return len(self._told) >= CROWD


class UserTurns(Limiter):
    """One user's turns: his account's rates for each endpoint, then the address's in the lanes of all."""

    def __init__(self, address: Limiter, crowd: Crowd, speed: Callable[[], float],
                 monotonic: Callable[[], float] = time.monotonic) -> None:
        self._address, self._crowd, self._speed, self._now = address, crowd, speed, monotonic
        self._sent: dict[str, deque[float]] = {}
        self._rest_until = 0.0

    async def take(self, key: str, weight: int, lane: Lane, patience_s: float, lease_s: float) -> Ticket | None:
        """Wait for the turn. Raises Shed where it comes too late."""
        deadline = self._now() + patience_s
        while (wait_s := self._wait_s(key, lane)) > 0:
            if self._now() + wait_s > deadline:
                raise Shed(lane, wait_s)
            await asyncio.sleep(wait_s)
        self._sent[key].append(self._now())
        return await self._address.take(ADDRESS, 1, lane, max(deadline - self._now(), 0.0), lease_s)

    def _wait_s(self, key: str, lane: Lane) -> float:
        now, second = self._now(), 1.02 / self._speed()
        sent = self._sent.setdefault(key, deque())
        while sent and now - sent[0] >= second:
            sent.popleft()
        # Entries and data leave a tenth of the rate to what gets out.
        rate = RATES.get(key, RATE) - (1 if lane >= Lane.ENTRY else 0)
        wait_s = second - (now - sent[-rate]) if len(sent) >= rate else 0.0
        return max(wait_s, self._rest_until - now if lane >= Lane.ENTRY else 0.0)

    def done(self, ticket: Ticket | None) -> None:
        """The answer to this request came, or none will."""
        self._address.done(ticket)

    def refused(self, key: str, retry_after_s: float | None, *, banned: bool) -> None:
        """This user was told to slow down: he rests. Where many are, the address rests."""
        seconds = min(max(retry_after_s or DEFAULT_REST_S, 0.1), 300.0)
        self._rest_until = max(self._rest_until, self._now() + seconds)
        if self._crowd.told(id(self)):
            self._address.refused(ADDRESS, retry_after_s, banned=banned)

    @property
    def paused_s(self) -> float:
        """Seconds that entries and data have to rest still."""
        return max(self._rest_until - self._now(), self._address.paused_s)


class BitgetLink(Link):
    """`Link` for Bitget: public calls counted for the address, and wires for users."""

    connections = 1024
    _crowd: Crowd | None = None

    def wire(self, api_key: str, secret: str) -> Wire:
        """Public requests; users' wires come from `user_wire`. Raises ValueError for a key."""
        if api_key or secret:
            raise ValueError("a key of Bitget has a passphrase: use user_wire")
        return Wire(self._caller(None), self._shared)

    def user_wire(self, key: BitgetKey) -> Wire:
        """Requests of one user, with breakers and rates of his own."""
        self._crowd = self._crowd or Crowd()
        shared = self._shared
        turns = UserTurns(self.limiter, self._crowd, lambda: self.clock.speed)
        return Wire(self._caller(key), Shared(shared.clock, turns, Breakers(Page(BREAKER_CELLS)), shared.codes,
                                              shared.lease_s))

    def _caller(self, key: BitgetKey | None) -> BitgetCaller:
        settings = self.settings
        proxied = settings.proxy and (settings.base_url or settings.name != "simulated")
        return BitgetCaller(self.session, lambda: self.url or SITE, key, settings.timeout_s,
                            settings.proxy if proxied else "")


def endpoint(method: str, path: str, *, signed: bool = True, places: bool = False) -> Endpoint:
    """An endpoint below ``/api/v2/mix/``. Each call weighs 1 of its account's rate and of the address's."""
    return Endpoint(f"{method} /api/v2/mix/{path}", path, 1, signed=signed, bucket=path if signed else ADDRESS,
                    places=places)
