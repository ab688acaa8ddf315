"""One request over an unmodified ccxt class, and what became of it.

ccxt signs and sends; nothing else of it is used here. Its documented hook ``on_rest_response`` hands us status,
headers and body before ccxt reads them, and gets an empty text back: so ccxt neither parses the body (2,500 tickers
cost it 70 ms, our typed decoder 1.1 ms) nor decides by its exception classes what a refusal means (WIRE trap 5).
Whether the request ever left is told by aiohttp's trace, before the first byte is written.

No order is ever repeated here (X4): ccxt is made without retries, and this file sends once.
"""

import logging
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from modules.exchange.breaker import Breakers
from modules.exchange.ccxt_lite import error_class
from modules.exchange.classify import Answer, classify, header
from modules.exchange.clock import Sample, VenueClock
from modules.exchange.codes import CodeTable, Kind
from modules.exchange.lanes import Lane
from modules.exchange.limiter import Limiter, Shed
from modules.exchange.types import Failed, NotSent, Refused, Unavailable, Unknown
from utils.redact import redact

log = logging.getLogger(__name__)

Reply = Answer | Refused | Failed | Unknown
BIGGEST_BODY = 32 * 2**20  # the longest honest answer, every pair of MEXC, is about 3 MB


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One call of ccxt's implicit API, with the venue's weight. `path` is what people read.

    `bucket`: the URL that the weight is counted for, where other methods use it too.
    """

    method: str
    path: str
    weight: int
    signed: bool = False
    bucket: str = ""
    places: bool = False

    @property
    def counted_as(self) -> str:
        return self.bucket or self.path


@dataclass(frozen=True, slots=True)
class Shared:
    """What all requests to one venue have in common."""

    clock: VenueClock
    limiter: Limiter
    breakers: Breakers
    codes: CodeTable
    lease_s: float  # longest life of a request


class BoundedResponse(aiohttp.ClientResponse):
    """A body over `BIGGEST_BODY` is no answer, whatever it says: reading stops there."""

    async def read(self) -> bytes:
        """The whole body. Raises ClientPayloadError for one that is too long."""
        if self._body is None:
            chunks: list[bytes] = []
            size = 0
            try:
                async for chunk in self.content.iter_any():
                    size += len(chunk)
                    if size > BIGGEST_BODY:
                        raise aiohttp.ClientPayloadError("the answer is longer than any honest one")
                    chunks.append(chunk)
            except BaseException:
                self.close()
                raise
            self._body = b"".join(chunks)
        return await super().read()


@dataclass(slots=True)
class _Seen:
    """What one request showed of itself on its way."""

    sent_at: float | None = None
    received_at: float = 0.0
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    unsigned: bool = False


_current: ContextVar[_Seen] = ContextVar("request")


def trace() -> aiohttp.TraceConfig:
    """Notes the instant before a request's first byte is written."""

    async def leaving(session: Any, context: Any, params: Any) -> None:
        seen = _current.get(None)
        if seen is not None and seen.sent_at is None:
            seen.sent_at = time.monotonic()

    config = aiohttp.TraceConfig()
    config.on_request_headers_sent.append(leaving)
    return config


def _arrived(code: int, reason: str, url: str, method: str, headers: Mapping[str, str], body: str,
             request_headers: Any, request_body: Any) -> str:
    """ccxt's hook: keep the answer, let ccxt see nothing of it."""
    seen = _current.get()
    seen.status, seen.headers, seen.body, seen.received_at = code, headers, body, time.monotonic()
    return ""


class Wire:
    """Requests of one identity (public, or one key) to one venue."""

    def __init__(self, exchange: Any, shared: Shared) -> None:
        exchange.on_rest_response = _arrived
        exchange.nonce = shared.clock.venue_ms  # ccxt signs with our clock, at any speed (X32)
        self._exchange = exchange
        self._ccxt_error = error_class()
        self._shared = shared

    @property
    def failing(self) -> bool:
        """Whether a breaker is open: entries wait."""
        return self._shared.breakers.venue.open or self._shared.breakers.orders.open

    async def send(self, endpoint: Endpoint, params: Mapping[str, str | int], lane: Lane, patience_s: float) -> Reply:
        """Send once, when the lane's turn comes; never raises for what the venue or the network does."""
        shared, key = self._shared, endpoint.counted_as
        held_s = shared.breakers.admit(lane)
        if held_s > 0:
            return Failed(f"the exchange fails at present; tried again in {held_s:.1f} s", NotSent.BREAKER)
        if endpoint.signed and not shared.clock.known:  # X32, before any weight is spent
            return Failed("the exchange's time is not known; it is asked again", NotSent.CLOCK)
        try:
            ticket = await shared.limiter.take(key, endpoint.weight, lane, patience_s, shared.lease_s)
        except Shed as shed:
            return Failed(str(shed), NotSent.LIMITED)
        try:
            seen, problem = await self._exchanged(endpoint, params)
        finally:
            shared.limiter.done(ticket)
        reply = self._outcome(seen, problem)
        self._learn(endpoint, seen, reply)
        if not (isinstance(reply, Failed) and reply.code is NotSent.CLOCK):  # that says nothing of the venue
            shared.breakers.note(good=isinstance(reply, Answer | Refused), placing=endpoint.places)
        return reply

    def _outcome(self, seen: "_Seen", problem: str) -> Reply:
        if seen.status is not None:
            return classify(seen.status, seen.headers, seen.body, self._shared.codes)
        return _lost(seen, problem)

    def _learn(self, endpoint: Endpoint, seen: "_Seen", reply: Reply) -> None:
        """What an answer teaches clock and limiter."""
        shared, codes = self._shared, self._shared.codes
        limited = seen.status in (codes.banned_status, codes.limited_status)
        if isinstance(reply, Refused):
            if codes.kind_of(reply.code) is Kind.CLOCK:
                shared.clock.distrust()
            if limited or codes.kind_of(reply.code) is Kind.LIMITED:
                shared.limiter.refused(endpoint.counted_as, reply.retry_after_s,
                                       banned=seen.status == codes.banned_status)
        if codes.used_header:
            used = header(seen.headers, codes.used_header)
            if used is not None:
                shared.limiter.told(codes.used_bucket or endpoint.counted_as, used)
        for name, weight in codes.orders_headers.items():
            placed = header(seen.headers, name)
            if placed is not None:
                shared.limiter.told(codes.orders_bucket, placed * weight)

    async def time(self, endpoint: Endpoint, read: Callable[[str], int]) -> Sample:
        """One sample for the clock. `read` turns the body into server milliseconds. Raises Unavailable."""
        seen, problem = await self._exchanged(endpoint, {})
        reply = self._outcome(seen, problem)
        self._learn(endpoint, seen, reply)
        self._shared.breakers.heard(good=isinstance(reply, Answer | Refused))
        if not isinstance(reply, Answer) or seen.sent_at is None:
            raise Unavailable(f"The exchange's time could not be read: {describe(reply)}.")
        return Sample(seen.sent_at, seen.received_at, read(reply.body))

    async def _exchanged(self, endpoint: Endpoint, params: Mapping[str, str | int]) -> tuple[_Seen, str]:
        """Send; what was seen, and the problem's text where nothing came back."""
        seen = _Seen()
        token = _current.set(seen)
        try:
            await getattr(self._exchange, endpoint.method)(dict(params))
        except self._ccxt_error as problem:
            # ccxt puts the signed URL into its texts: of its own exceptions only the class is told.
            cause = problem.__cause__
            return seen, type(problem).__name__ if cause is None else redact(f"{type(cause).__name__}: {cause}")
        except Unavailable as unknown_time:  # X32: ccxt asked our clock for a signature's time
            seen.unsigned = True
            return seen, str(unknown_time)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as problem:
            return seen, redact(f"{type(problem).__name__}: {problem}")
        finally:
            _current.reset(token)
        return seen, "no answer"


def _lost(seen: _Seen, problem: str) -> Failed | Unknown:
    """No answer came: did the request leave? (X3; what may have left is unknown.)"""
    if seen.unsigned:
        return Failed(problem, NotSent.CLOCK)
    if seen.sent_at is None:
        return Failed(f"nothing could be sent to the exchange ({problem})")
    return Unknown(f"the exchange did not answer ({problem})")


def describe(reply: Reply) -> str:
    """A reply in words, for a sentence."""
    if isinstance(reply, Refused):
        return f"the exchange refused: {reply.text} (code {reply.code})"
    if isinstance(reply, Answer):
        return "the answer could not be understood"
    return reply.reason
