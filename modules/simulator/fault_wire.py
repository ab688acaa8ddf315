"""Faults on the wire: what a drawn fault does to one HTTP request and its answer."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Container
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from aiohttp import web

from modules.simulator.dialects.reply import Reply
from modules.simulator.fault_bodies import spoil, truncate
from modules.simulator.fault_plan import READS, Rule
from modules.simulator.fault_words import MAINTENANCE_HTML, WAF_HTML, Words
from modules.simulator.faults import Asked, Drawn, Faults

_HTML = "text/html"
_JSON = "application/json"
_LOOK_S = 0.25  # how often a hanging request looks whether its client is still there
# A zero linger time makes close() send a reset; the struct's shape differs on Windows.
_RESET = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)


class Execute(Protocol):
    """Executes a request; `lag_s` makes a read see how things stood so long ago."""

    def __call__(self, lag_s: float = 0.0) -> Awaitable[Reply]:
        """The reply."""


@dataclass(frozen=True, slots=True)
class Aim:
    """An order as the faults see it."""

    fill: Callable[[Decimal], bool]  # a share of what is open of it
    final: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Hands:
    """What the faults may do to the venue itself."""

    aim: Callable[[], Aim | None]  # the order that the request is about
    outage: Callable[[], bool]  # whether every connection is reset now
    words: Words
    lagging: Container[str] = READS  # classes of requests that a replica can answer which lags behind


class Wire:
    """Answers requests, with what the plan does to them."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._closing = asyncio.Event()

    def close(self) -> None:
        """Let nothing hang any longer."""
        self._closing.set()

    async def answer(self, request: web.Request, asked: Asked, hands: Hands, execute: Execute) -> web.StreamResponse:
        """Answer a request."""
        faults = self._faults
        faults.check_events()
        if hands.outage():
            faults.in_bursts += 1
            return _cut(request, reset=True)
        burst = faults.burst()
        if burst is not None:
            faults.in_bursts += 1
            return _said(burst, hands.words)
        drawn = faults.draw(asked)
        await self._wait(drawn.before_s)
        if drawn.rule is None:
            response: web.StreamResponse = _plain(await execute())
        else:
            response = await self._befall(request, asked, drawn, drawn.rule, hands, execute)
        faults.check_events()
        await self._wait(drawn.after_s)
        return response

    async def _befall(
        self, request: web.Request, asked: Asked, drawn: Drawn, rule: Rule, hands: Hands, execute: Execute
    ) -> web.StreamResponse:
        kind = rule.kind
        if kind in ("partial_fill", "cancel_unknown", "stale", "act"):
            return await self._strange(asked, drawn, rule, hands, execute)
        if kind in ("cut_body", "truncated", "bad_field", "duplicate_rows", "shuffle_rows", "empty_list"):
            return await self._spoilt(request, asked, drawn, rule, execute)
        self._faults.count(kind, asked, drawn.nth)
        if kind.endswith("_after"):
            await execute()
        if kind in ("timeout_before", "timeout_after"):
            await self._hang(request, rule.ms / 1000.0)
            return _cut(request, reset=False)
        if kind in ("drop_before", "drop_after", "reset_before", "reset_after"):
            return _cut(request, reset=kind.startswith("reset"))
        self._faults.begin_burst(rule)
        return _said(rule, hands.words)

    async def _strange(
        self, asked: Asked, drawn: Drawn, rule: Rule, hands: Hands, execute: Execute
    ) -> web.StreamResponse:
        """Faults that keep to the protocol: races, lags, a wrong word, something done by somebody else."""
        done, lag_s = True, 0.0
        order = hands.aim()
        if rule.kind == "partial_fill":
            done = order is not None and order.fill(Decimal(str(rule.params.share)))
        elif rule.kind == "stale":
            done = asked.group in hands.lagging
            lag_s = rule.ms / 1000.0 if done else 0.0
        elif rule.kind == "act" and rule.act is not None:
            done = self._faults.try_act(rule.act)
        reply = await execute(lag_s)
        if rule.kind == "cancel_unknown":
            done = asked.group == "cancel" and order is not None and order.final()
            if done:
                status, text = hands.words.unknown_order
                reply = Reply(status, text, reply.headers)
        self._settle(done, asked, drawn, rule)
        return _plain(reply)

    async def _spoilt(
        self, request: web.Request, asked: Asked, drawn: Drawn, rule: Rule, execute: Execute
    ) -> web.StreamResponse:
        """Faults of the answer's content; refusals are left as they are."""
        reply = await execute()
        text: str | None = None
        if reply.status == 200 and rule.kind in ("truncated", "cut_body"):
            text = truncate(reply.text, drawn.rng)
        elif reply.status == 200:
            text = spoil(reply.text, rule.kind, rule.params.how, rule.params.field, drawn.rng)
        self._settle(text is not None, asked, drawn, rule)
        if text is None:
            return _plain(reply)
        if rule.kind == "cut_body":
            return await _broken_off(request, reply, text)
        return _plain(Reply(reply.status, text, reply.headers))

    def _settle(self, done: bool, asked: Asked, drawn: Drawn, rule: Rule) -> None:
        if done:
            self._faults.count(rule.kind, asked, drawn.nth)
        else:
            self._faults.take_back(drawn)

    async def _wait(self, seconds: float) -> None:
        """Wait, also where the client gives up meanwhile: what is executed afterwards is executed all the same."""
        if seconds > 0:
            try:
                await asyncio.wait_for(self._closing.wait(), seconds)
            except TimeoutError:
                return

    async def _hang(self, request: web.Request, seconds: float) -> None:
        """Hold the connection open until the client gives up, but not longer than told."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._closing.is_set():
            if request.transport is None or request.transport.is_closing():
                return
            await self._wait(min(left, _LOOK_S))


def _cut(request: web.Request, *, reset: bool) -> web.Response:
    """Cut the connection without an answer."""
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        if reset and connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        transport.abort()
    return web.Response(status=500)


async def _broken_off(request: web.Request, reply: Reply, part: str) -> web.StreamResponse:
    """Promise the whole body, send a part of it, close."""
    headers = {**reply.headers, "Content-Length": str(len(reply.text.encode("utf-8"))), "Content-Type": _JSON}
    response = web.StreamResponse(status=reply.status, headers=headers)
    await response.prepare(request)
    await response.write(part.encode("utf-8"))
    if request.transport is not None:
        request.transport.close()
    return response


def _said(rule: Rule, words: Words) -> web.Response:
    """What is said in place of an answer."""
    kind, params = rule.kind.removesuffix("_after"), rule.params
    headers = {"Retry-After": str(params.retry_after_s)} if params.retry_after_s is not None else {}
    if kind in ("rate_limit", "ban"):
        status, text = words.too_many if kind == "rate_limit" else words.banned
        headers.setdefault("Retry-After", str(max(1, round(params.for_ms / 1000.0))))
        return web.Response(text=text, status=status, headers=headers, content_type=_JSON)
    if kind == "waf":
        return web.Response(text=WAF_HTML, status=403, content_type=_HTML)
    if kind == "html":
        return web.Response(text=MAINTENANCE_HTML, content_type=_HTML)
    if kind == "empty":
        return web.Response(text="", content_type=_JSON)
    if kind == "garbage":
        return web.Response(text='{"symbol":"BTCUSDT","ord\x00\ufffd', content_type=_JSON)
    body = params.body if params.body is not None else words.said(params.status, rule.kind.endswith("_after"))
    content_type = _HTML if body.lstrip().startswith("<") else _JSON
    return web.Response(text=body, status=params.status, headers=headers, content_type=content_type)


def _plain(reply: Reply) -> web.Response:
    return web.Response(text=reply.text, status=reply.status, headers=reply.headers, content_type=_JSON)
