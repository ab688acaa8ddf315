"""The connection to one venue, shared by market data and account: HTTP session, clock, limiter, address.

`ask` is for queries, which are safe to repeat: with jittered back-off, within a deadline, and after a failed
connection at the address where the venue is now (a simulator that was started again has another port).
"""

import asyncio
import logging
import random
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

import aiohttp
import certifi
import msgspec

from modules.exchange.address import Address, Reached, Resolve
from modules.exchange.breaker import Breakers, Episode
from modules.exchange.budget import PAGE_SIZE, Budget
from modules.exchange.ccxt_lite import load_class
from modules.exchange.classify import UNREADABLE, Answer
from modules.exchange.clock import VenueClock
from modules.exchange.codes import CodeTable, Kind
from modules.exchange.episodes import Episodes
from modules.exchange.lanes import Lane, task_lane
from modules.exchange.limiter import Limiter
from modules.exchange.mexc_codes import LIMIT, MEXC, WINDOW_S
from modules.exchange.page import Page
from modules.exchange.parsing import FIRST_MS, LAST_MS, Unreadable
from modules.exchange.prompt import promptly
from modules.exchange.types import Denied, Failed, NotSent, Refused, Unavailable, Unknown
from modules.exchange.wire import BoundedResponse, Endpoint, Reply, Shared, Wire, describe, trace

log = logging.getLogger(__name__)
T = TypeVar("T")

TIME = Endpoint("spotPublicGetTime", "time", 1)
FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 3.0
RESYNC_EVERY_S = 60.0
RESYNC_SOON_S = 2.0  # while the time is unknown or the venue fails
LISTEN_EVERY_S = 1.0
DATA_PATIENCE_S = 3.0


@dataclass(frozen=True, slots=True)
class Venue:
    """What differs between venues: ccxt's class, codes, clock, request budget, and where an address is put into ccxt's
    `urls`. `site` and `settings` (the prefix of its settings' variables) are for sentences.
    """

    ccxt: str
    codes: CodeTable
    time: Endpoint
    limit: float
    window_s: float
    site: str
    settings: str
    point: Callable[[dict[str, Any], str], None]
    options: Mapping[str, Any] = field(default_factory=dict)
    # Server milliseconds in a body, where they do not stand at its top. Raises Unreadable.
    read_time: Callable[[str], int] | None = None


def _point_mexc(api: dict[str, Any], url: str) -> None:
    api["spot"] = {"public": url, "private": url}


MEXC_SPOT = Venue("mexc", MEXC, TIME, LIMIT, WINDOW_S, "mexc.com", "EXCHANGE", _point_mexc)


class _Time(msgspec.Struct):
    serverTime: int


def _top(body: str) -> int:
    return msgspec.json.decode(body, type=_Time, strict=False).serverTime


def _server_ms(body: str, read: Callable[[str], int]) -> int:
    try:
        found = read(body)
    except (*UNREADABLE, Unreadable) as problem:
        raise Unavailable(f"The exchange's time could not be read ({problem}).") from problem
    if not FIRST_MS < found < LAST_MS:
        raise Unavailable(f"The exchange tells a time that cannot be: {str(found)[:30]} ms.")
    return found


class Link:
    """Everything between us and one venue.

    `page` is shared with other processes; without one, this process counts for itself. `listen` hears of breakers
    that open and close, once an episode among all processes. `lane` is that of market data asked for here.
    """

    connections = 32  # at once to the venue

    def __init__(self, settings: Reached, resolve: Resolve, *, page: Page | None = None,
                 listen: Callable[[Episode], None] | None = None, lane: Lane = Lane.DATA,
                 venue: Venue = MEXC_SPOT) -> None:
        self.settings = settings
        self.venue = venue
        self.clock = VenueClock()
        self.codes = venue.codes
        self.unsound = Episodes(log)
        self._page = page or Page(PAGE_SIZE)
        self.limiter = Limiter(Budget(self._page, venue.limit, venue.window_s, lambda: self.clock.speed))
        self.breakers = Breakers(self._page)
        self._shared = Shared(self.clock, self.limiter, self.breakers, self.codes, settings.timeout_s + 1.0)
        self._listen = listen
        self._lane = lane
        self._tasks: list[asyncio.Task[None]] = []
        self._resolve = resolve
        self._address = Address("", 1.0)
        self._session: aiohttp.ClientSession | None = None
        self._exchanges: list[Any] = []
        self._finding = asyncio.Lock()
        self._syncing = asyncio.Lock()
        self._public: Wire | None = None

    # -- life ----------------------------------------------------------------------------------------------

    async def open(self) -> Self:
        """Find the venue and its time. Raises Unavailable; nothing is left open then."""
        context = tls_context(self.settings.ca_file)
        connector = aiohttp.TCPConnector(ssl=context, keepalive_timeout=10.0, limit=self.connections)
        self._session = aiohttp.ClientSession(connector=connector, trace_configs=[trace()],
                                              response_class=BoundedResponse)
        try:
            self._address = await self._resolve(self._session)
            self.clock.restart(self._address.speed)
            self._public = self.wire("", "")
            await self.sync()
        except BaseException:
            await self.close()
            raise
        self._tasks.append(asyncio.create_task(self._keep_time(), name="exchange clock"))
        if self._listen is not None:
            self._tasks.append(asyncio.create_task(self._keep_listening(self._listen), name="exchange breakers"))
        return self

    async def close(self) -> None:
        """Release connections. May be called twice."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        for exchange in self._exchanges:
            await exchange.close()
        self._exchanges.clear()
        if self._session is not None:
            await self._session.close()
            self._session = None
        self._page.close()

    @property
    def url(self) -> str:
        """The venue's address without path; empty for its own."""
        return self._address.url

    @property
    def session(self) -> aiohttp.ClientSession:
        """The HTTP session, for streams. Raises Unavailable once closed."""
        if self._session is None:
            raise Unavailable("The connection to the exchange is closed.")
        return self._session

    def wire(self, api_key: str, secret: str) -> Wire:
        """Requests with this key; without one, public requests."""
        settings = self.settings
        config: dict[str, Any] = {
            "apiKey": api_key,
            "secret": secret,
            "session": self._session,
            "enableRateLimit": False,  # the limiter is ours
            "timeout": int(settings.timeout_s * 1000),
            "options": {"recvWindow": settings.recv_window_ms, "maxRetriesOnFailure": 0,  # X4
                        **self.venue.options},
        }
        if settings.proxy and (settings.base_url or settings.name != "simulated"):  # not to our own loopback
            secure = not self._address.url.startswith("http://")
            config["httpsProxy" if secure else "httpProxy"] = settings.proxy
        exchange = load_class(self.venue.ccxt)(config)
        exchange.timeout_on_exit = 0
        exchange.ssl_context = False  # the session has its own; ccxt would load the certificates once more
        self._exchanges.append(exchange)
        self._point(exchange)
        return Wire(exchange, self._shared)

    def _point(self, exchange: Any) -> None:
        url = self._address.url
        if url:
            self.venue.point(exchange.urls["api"], url)

    # -- queries -------------------------------------------------------------------------------------------

    async def ask_public(self, endpoint: Endpoint, params: Mapping[str, str | int]) -> str:
        """A public query's body (see `ask`)."""
        if self._public is None:
            raise Unavailable("The connection to the exchange is closed.")
        return await self.ask(self._public, endpoint, params, min(self._lane, task_lane()))

    async def ask(self, wire: Wire, endpoint: Endpoint, params: Mapping[str, str | int], lane: Lane) -> str:
        """A query's body. Raises Denied when the venue refuses it, Unavailable when no answer came in time."""
        deadline = time.monotonic() + 2 * self.settings.timeout_s
        wait_s, resynced = FIRST_WAIT_S, False
        while True:
            left = deadline - time.monotonic()
            reply = await wire.send(endpoint, params, lane, DATA_PATIENCE_S if lane is Lane.DATA else max(left, 0.1))
            if isinstance(reply, Answer):
                self.unsound.good(f"{endpoint.path} without an answer")
                return reply.body
            if isinstance(reply, Unknown):
                self.unsound.bad(f"{endpoint.path} without an answer", f"{endpoint.path}: {reply.reason}")
            if isinstance(reply, Refused):
                kind = self.codes.kind_of(reply.code)
                if kind is Kind.CLOCK and not resynced:
                    resynced = True  # X32: one resync
                elif kind is not Kind.LIMITED:
                    raise Denied(self.unavailable(endpoint, reply), reply.code)
            pause_s = wait_s * random.uniform(0.5, 1.5)
            if time.monotonic() + pause_s >= deadline:
                raise Unavailable(self.unavailable(endpoint, reply))
            await asyncio.sleep(pause_s)
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)
            await self.recover(reply)

    def readable(self, read: Callable[[], T], endpoint: Endpoint) -> T:
        """A parsed body. Raises Unavailable where it is not what the venue documents (X15); logged once an episode."""
        try:
            found = read()
        except Unreadable as problem:
            text = f"The exchange's answer to {endpoint.path} cannot be trusted: {problem}."
            self.unsound.bad(endpoint.path, text)
            raise Unavailable(f"{text} It is asked again by itself.") from problem
        self.unsound.good(endpoint.path)
        return found

    async def recover(self, reply: Reply) -> None:
        """After a failure: find the venue again, learn its time again. A failure here waits for the next try."""
        try:
            if isinstance(reply, Failed) and reply.code is NotSent.CONNECTION:
                await self._find_again()
            if not self.clock.known:
                await self.sync()
        except Unavailable as problem:
            log.info("%s", problem)

    async def sync(self) -> None:
        """Learn the venue's time now. Raises Unavailable."""
        async with self._syncing:
            wire = self._public
            if wire is None:
                raise Unavailable("The connection to the exchange is closed.")
            read = self.venue.read_time or _top
            await self.clock.sync(lambda: promptly(
                lambda: wire.time(self.venue.time, lambda body: _server_ms(body, read))))

    def unavailable(self, endpoint: Endpoint, reply: Reply) -> str:
        """What a person reads when a query got no answer."""
        where, prefix = self._address.url or self.venue.site, self.venue.settings
        todo = f"Check the internet connection, {prefix}_BASE_URL and {prefix}_PROXY; it is tried again by itself."
        if self.settings.name == "simulated":
            todo = "Check with /status that the simulator runs; it is tried again by itself."
        if isinstance(reply, Refused):
            todo = (f"Look at the code in {self.codes.venue}'s list of errors; "
                    "`python bot.py doctor` checks key and settings.")
        return f"No {endpoint.path} from the exchange at {where}: {describe(reply)}. {todo}"

    # -- address and time ----------------------------------------------------------------------------------

    async def _find_again(self) -> None:
        async with self._finding:
            if self._session is None:
                return
            found = await self._resolve(self._session)
            if found == self._address:
                return
            log.warning("the exchange moved from %s to %s", self._address.url, found.url)
            self._address = found
            self.clock.restart(found.speed)
            for exchange in self._exchanges:
                self._point(exchange)

    async def _keep_time(self) -> None:
        """Resync now and then, soon while something is wrong; a failure is reported once an episode."""
        synced = time.monotonic()
        while True:
            await asyncio.sleep(RESYNC_SOON_S)
            well = self.clock.known and not self.breakers.venue.open
            if well and time.monotonic() - synced < RESYNC_EVERY_S:
                continue
            synced = time.monotonic()
            try:
                await self.sync()
                self.unsound.good("clock")
            except Unavailable as problem:
                self.unsound.bad("clock", str(problem))
                await self.recover(Failed(str(problem)))

    async def _keep_listening(self, listen: Callable[[Episode], None]) -> None:
        """Hear of breakers (rule 5 there)."""
        while True:
            for episode in self.breakers.untold():
                listen(episode)
            await asyncio.sleep(LISTEN_EVERY_S)


def tls_context(ca_file: str) -> ssl.SSLContext:
    """Trust the usual authorities and, where named, those in `ca_file`. Raises Unavailable if it cannot be read."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.load_default_certs()
    if ca_file:
        try:
            context.load_verify_locations(cafile=ca_file)
        except OSError as problem:
            text = f"The certificate file {ca_file} cannot be used ({problem}). Mend EXCHANGE_CA_FILE."
            raise Unavailable(text) from problem
    return context
