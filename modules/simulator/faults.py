"""Faults on demand: latency, errors, cut connections, garbage, and answers lost after the deed was done.

A plan is a JSON list of rules, tried in order; the first that matches a request and whose die falls acts:

    [{"match": {"method": "POST", "path": "/api/v3/order$", "class": "trade"},
      "probability": 0.1, "kind": "drop_after", "params": {}, "times": 3}]

Kinds: latency {ms}, http_status {status, body}, status_after {status, body} (executed, then an error),
drop_before, drop_after (executed, then the connection is cut), garbage, empty, html (instead of an answer).
Latency is added and the search goes on. Dice are seeded: same plan, same requests, same faults.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from modules.simulator.dialects.mexc import Reply

CLASSES = {
    "trade": re.compile(r"^(POST|DELETE) /api/v3/(order|openOrders)"),
    "account": re.compile(r"^GET /api/v3/(account|order|openOrders|allOrders|myTrades|tradeFee)"),
    "market": re.compile(r"^GET /api/v3/(ticker|klines|depth|trades|aggTrades|avgPrice|exchangeInfo|time|ping)"),
}
_HTML = "<html><head><title>Maintenance</title></head><body>We will be back soon.</body></html>"


class PlanError(Exception):
    """A fault plan cannot be used; the message names the file, the place and what is wrong."""


class Match(BaseModel):
    """Which requests a rule is about; what is left out matches all."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    method: str | None = None
    path: str | None = None
    kind: Literal["trade", "account", "market"] | None = Field(None, alias="class")

    @field_validator("path")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                re.compile(value)
            except re.error as problem:
                raise ValueError(f"not a regular expression: {problem}") from None
        return value


class Params(BaseModel):
    """Numbers of a fault."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ms: float = Field(0, ge=0, le=600_000, description="latency, wall-clock milliseconds")
    status: int = Field(503, ge=400, le=599)
    body: str = '{"code":503,"msg":"service not available, please try again"}'
    retry_after_s: int | None = Field(None, ge=0)


Kind = Literal[
    "latency", "http_status", "status_after", "drop_before", "drop_after", "garbage", "empty", "html"
]


class Rule(BaseModel):
    """One fault."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    match: Match = Match()
    probability: float = Field(1.0, ge=0, le=1)
    kind: Kind
    params: Params = Params()
    times: int | None = Field(None, ge=1, description="act at most so often")

    def fits(self, method: str, path: str) -> bool:
        """Whether the rule is about a request."""
        if self.match.method is not None and self.match.method.upper() != method:
            return False
        if self.match.path is not None and re.search(self.match.path, path) is None:
            return False
        return self.match.kind is None or CLASSES[self.match.kind].search(f"{method} {path}") is not None


_RULES = TypeAdapter(tuple[Rule, ...])


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Rules and the seed of their dice."""

    rules: tuple[Rule, ...]
    seed: int = 0

    @classmethod
    def empty(cls) -> FaultPlan:
        """No faults."""
        return cls(())

    @classmethod
    def parse(cls, data: Any, where: str) -> FaultPlan:
        """A list of rules, or {"seed": n, "rules": [...]}. Raises PlanError."""
        seed = 0
        if isinstance(data, dict) and set(data) <= {"seed", "rules"} and isinstance(data.get("seed", 0), int):
            seed, data = data.get("seed", 0), data.get("rules", [])
        try:
            return cls(_RULES.validate_python(data), seed)
        except ValidationError as problem:
            first = problem.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "plan"
            raise PlanError(f"fault plan {where}: {place}: {first['msg']}") from problem

    @classmethod
    def load(cls, path: Path) -> FaultPlan:
        """A plan from a JSON file. Raises PlanError."""
        try:
            return cls.parse(json.loads(path.read_text(encoding="utf-8")), str(path))
        except OSError as problem:
            raise PlanError(
                f"fault plan {path}: cannot be read ({problem.strerror}). Give another --faults.") from problem
        except ValueError as problem:
            raise PlanError(f"fault plan {path}: not JSON ({problem}). Mend the file.") from problem


@dataclass(slots=True)
class Faults:
    """The plan at work."""

    plan: FaultPlan
    done: list[int] = field(default_factory=list)
    _dice: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        self.replace(self.plan)

    def replace(self, plan: FaultPlan) -> None:
        """Take another plan; counters and dice begin anew."""
        self.plan = plan
        self.done = [0] * len(plan.rules)
        self._dice = random.Random(plan.seed)

    def describe(self) -> dict[str, Any]:
        """The plan and how often each rule acted."""
        rules = [rule.model_dump(by_alias=True, exclude_none=True) for rule in self.plan.rules]
        return {"seed": self.plan.seed, "rules": rules, "done": self.done}

    def draw(self, method: str, path: str) -> tuple[float, Rule | None]:
        """(seconds of latency, the fault that acts or None) for a request."""
        wait = 0.0
        for number, rule in enumerate(self.plan.rules):
            if rule.times is not None and self.done[number] >= rule.times:
                continue
            if not rule.fits(method, path) or self._dice.random() >= rule.probability:
                continue
            self.done[number] += 1
            if rule.kind != "latency":
                return wait, rule
            wait += rule.params.ms / 1000.0
        return wait, None

    async def apply(
        self, request: web.Request, path: str, execute: Callable[[], Awaitable[Reply]]
    ) -> web.StreamResponse:
        """Answer a request, with what the plan does to it."""
        if not self.plan.rules:
            return _respond(await execute())
        wait, rule = self.draw(request.method, path)
        if wait:
            await asyncio.sleep(wait)
        if rule is None:
            return _respond(await execute())
        if rule.kind in ("drop_after", "status_after"):
            await execute()
        if rule.kind in ("drop_before", "drop_after"):
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)
        return _spoiled(rule)


def _spoiled(rule: Rule) -> web.Response:
    if rule.kind == "html":
        return web.Response(text=_HTML, content_type="text/html")
    if rule.kind == "empty":
        return web.Response(text="", content_type="application/json")
    if rule.kind == "garbage":
        return web.Response(text='{"symbol":"BTCUSDT","ord\x00\ufffd', content_type="application/json")
    headers = {"Retry-After": str(rule.params.retry_after_s)} if rule.params.retry_after_s is not None else {}
    kind = "text/html" if rule.params.body.lstrip().startswith("<") else "application/json"
    return web.Response(text=rule.params.body, status=rule.params.status, headers=headers, content_type=kind)


def _respond(reply: Reply) -> web.Response:
    return web.Response(text=reply.text, status=reply.status, headers=reply.headers, content_type="application/json")
