"""One request over an unmodified ccxt class, and what became of it.

ccxt signs and sends; nothing else of it is used here. Its documented hook ``on_rest_response`` hands us status,
headers and body before ccxt reads them, and gets an empty text back: so ccxt neither parses the body (2,500 tickers
cost it 70 ms, our typed decoder 1.1 ms) nor decides by its exception classes what a refusal means (WIRE trap 5).
Whether the request ever left is told by aiohttp's trace, before the first byte is written.

No order is ever repeated here (X4): ccxt is made without retries, and this file sends once.
"""

import logging
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from modules.exchange.ccxt_lite import error_class
from modules.exchange.classify import Answer, classify
from modules.exchange.clock import Sample, VenueClock
from modules.exchange.limiter import Lane, Limiter, Shed
from modules.exchange.mexc_codes import CLOCK
from modules.exchange.types import Failed, Refused, Unavailable, Unknown
from utils.redact import redact

log = logging.getLogger(__name__)

Reply = Answer | Refused | Failed | Unknown


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One call of ccxt's implicit API, with the venue's weight and the bucket that it is counted in."""

    method: str
    path: str
    weight: int
    signed: bool = False

    @property
    def bucket(self) -> str:
        return f"{'uid' if self.signed else 'ip'} {self.method} {self.path}"


@dataclass(slots=True)
class _Seen:
    """What one request showed of itself on its way."""

    sent_at: float | None = None
    received_at: float = 0.0
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


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
    """Requests of one identity (public, or one key) to one venue. Clock and limiter are shared with others."""

    def __init__(self, exchange: Any, clock: VenueClock, limiter: Limiter) -> None:
        exchange.on_rest_response = _arrived
        exchange.nonce = clock.venue_ms  # ccxt signs with our clock, at any speed (X32)
        self._exchange = exchange
        self._ccxt_error = error_class()
        self._clock = clock
        self._limiter = limiter

    async def send(self, endpoint: Endpoint, params: Mapping[str, str | int], lane: Lane, patience_s: float) -> Reply:
        """Send once, when the lane's turn comes; never raises for what the venue or the network does."""
        try:
            await self._limiter.take(endpoint.bucket, endpoint.weight, lane, patience_s)
        except Shed as shed:
            return Failed(str(shed))
        seen, problem = await self._exchanged(endpoint, params)
        if seen.status is None:
            return _lost(seen, problem)
        reply = classify(seen.status, seen.headers, seen.body)
        if isinstance(reply, Refused):
            if reply.code in CLOCK:
                self._clock.distrust()
            if seen.status in (418, 429) or reply.retry_after_s is not None:
                self._limiter.pause(endpoint.bucket, reply.retry_after_s)
        return reply

    async def time(self, endpoint: Endpoint, read: Any) -> Sample:
        """One sample for the clock. `read` turns the body into server milliseconds. Raises Unavailable."""
        seen, problem = await self._exchanged(endpoint, {})
        reply = _lost(seen, problem) if seen.status is None else classify(seen.status, seen.headers, seen.body)
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
            return seen, str(unknown_time)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as problem:
            return seen, redact(f"{type(problem).__name__}: {problem}")
        finally:
            _current.reset(token)
        return seen, "no answer"


def _lost(seen: _Seen, problem: str) -> Failed | Unknown:
    """No answer came: did the request leave? (X3; what may have left is unknown.)"""
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
