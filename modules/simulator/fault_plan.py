"""The grammar of a fault plan: what may go wrong, for which requests, how often. Nothing here acts.

A plan is a JSON object, or a list of rules alone:

    {"seed": 7, "rate": 0.1, "rules": [{"class": "order", "kind": "drop_after", "probability": 0.1, "max_times": 3}],
     "events": [{"after": {"orders": 10}, "act": {"action": "halt", "symbol": "@held"}}]}

docs/SIMULATOR.md explains every kind and parameter.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Literal, Self, cast, get_args

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from modules.simulator.acts import Act, told
from modules.simulator.past import MAX_LAG_S
from modules.simulator.sockets.rules import StreamRule

Class = Literal["order", "cancel", "query_order", "open_orders", "fills", "balance", "data", "other"]
CLASSES: tuple[Class, ...] = get_args(Class)
READS: tuple[Class, ...] = ("query_order", "open_orders", "fills", "balance", "data")
#: names for several classes at once
GROUPS: dict[str, tuple[Class, ...]] = {
    "any": CLASSES, "trade": ("order", "cancel"), "market": ("data",),
    "account": ("query_order", "open_orders", "fills", "balance", "other"),
    **{name: (name,) for name in CLASSES},
}
Kind = Literal[
    "latency", "timeout_before", "timeout_after", "drop_before", "drop_after", "reset_before", "reset_after",
    "cut_body", "http_status", "status_after", "rate_limit", "ban", "waf", "html", "empty", "garbage", "html_after",
    "empty_after", "truncated", "bad_field", "duplicate_rows", "shuffle_rows", "empty_list", "stale", "partial_fill",
    "cancel_unknown", "act"]
#: parameters that mean something to a kind; every other one is refused
PARAMS: dict[str, tuple[str, ...]] = {
    "latency": ("ms", "sigma", "max_ms", "when"), "timeout_before": ("ms",), "timeout_after": ("ms",),
    "http_status": ("status", "body", "retry_after_s"), "status_after": ("status", "body", "retry_after_s"),
    "rate_limit": ("retry_after_s", "for_ms"), "ban": ("retry_after_s", "for_ms"), "waf": ("for_ms",),
    "bad_field": ("how", "field"), "duplicate_rows": ("how",), "stale": ("ms",), "partial_fill": ("share",),
}
_DEFAULT_MS = {"latency": 200.0, "timeout_before": 30_000.0, "timeout_after": 30_000.0, "stale": 1_000.0}
_HOW = {"bad_field": ("garbage", "nan", "negative", "absent", "null", "huge"), "duplicate_rows": ("row", "id")}


class PlanError(Exception):
    """A fault plan cannot be used; the message names the file, the place and what is wrong."""


class Match(BaseModel):
    """A finer choice of requests than their class; what is left out matches all."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    method: str | None = None
    path: str | None = None
    group: str | None = Field(None, alias="class")

    @field_validator("path")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                re.compile(value)
            except re.error as problem:
                raise ValueError(f"not a regular expression: {problem}") from None
        return value

    @field_validator("group")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        return value if value is None else _group(value)


def _group(value: str) -> str:
    if value not in GROUPS:
        raise ValueError(f"no such class; there are {', '.join(GROUPS)}")
    return value


class Params(BaseModel):
    """Numbers of a fault. Times are of the wall clock."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ms: float | None = Field(None, ge=0, le=600_000, description="length of a delay, a hang, a lag")
    sigma: float = Field(0.0, ge=0, le=4, description="latency is lognormal around ms with this sigma")
    max_ms: float = Field(60_000.0, ge=0, le=600_000, description="no latency is longer")
    when: Literal["before", "after"] = Field("before", description="latency before or after the request is executed")
    status: int = Field(503, ge=400, le=599)
    body: str | None = Field(None, max_length=100_000)
    retry_after_s: int | None = Field(None, ge=0, le=86_400)
    for_ms: float = Field(0.0, ge=0, le=600_000, description="every request gets the same answer for so long")
    how: str | None = None
    field: str | None = Field(None, description="name of the field to spoil; without it any")
    share: float = Field(0.5, gt=0, le=1, description="part of what is open that is filled before the cancellation")


class Rule(BaseModel):
    """One fault and the requests it may happen to."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    kind: Kind
    group: str = Field("any", alias="class")
    match: Match = Match()
    symbols: tuple[str, ...] = ()
    probability: float = Field(1.0, ge=0, le=1)
    max_times: int | None = Field(None, ge=1, validation_alias=AliasChoices("max_times", "times"))
    params: Params = Params()
    act: Act | None = None

    @field_validator("group")
    @classmethod
    def _known(cls, value: str) -> str:
        return _group(value)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        allowed = PARAMS.get(self.kind, ())
        odd = sorted(self.params.model_fields_set - set(allowed))
        if odd:
            takes = ", ".join(allowed) or "none"
            raise ValueError(f"params.{odd[0]} means nothing to '{self.kind}' (it takes: {takes})")
        if self.kind == "stale" and self.ms > MAX_LAG_S * 1000:
            raise ValueError(f"params.ms: no replica lags more than {MAX_LAG_S * 1000:.0f} ms")
        if self.params.how is not None and self.params.how not in _HOW[self.kind]:
            raise ValueError(f"params.how '{self.params.how}': one of {', '.join(_HOW[self.kind])}")
        if (self.kind == "act") != (self.act is not None):
            raise ValueError("'act' is needed with the kind 'act', and with no other")
        return self

    @property
    def ms(self) -> float:
        """The length in ms, or the kind's default."""
        return self.params.ms if self.params.ms is not None else _DEFAULT_MS.get(self.kind, 0.0)

    def fits(self, method: str, path: str, name: str, symbol: str | None) -> bool:
        """Whether the rule is about a request of class `name` (for `symbol`, where it names one)."""
        if name not in GROUPS[self.group] or (self.symbols and symbol not in self.symbols):
            return False
        match = self.match
        if match.method is not None and match.method.upper() != method:
            return False
        if match.path is not None and re.search(match.path, path) is None:
            return False
        return match.group is None or name in GROUPS[match.group]


class Trigger(BaseModel):
    """When an event happens: exactly one of the three, counted from the moment the plan was taken."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    market_s: float | None = Field(None, ge=0)
    wall_s: float | None = Field(None, ge=0)
    orders: int | None = Field(None, ge=0, description="orders that the venue has accepted")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(value is not None for value in (self.market_s, self.wall_s, self.orders)) != 1:
            raise ValueError("give exactly one of market_s, wall_s, orders")
        return self


class Event(BaseModel):
    """Something that happens once, at its time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    after: Trigger
    act: Act


class FaultPlan(BaseModel):
    """Rules for requests and for sockets (`streams`), events, and the seed of the dice.

    `rate` adds the default mix with that probability in all, to requests only.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = 0
    rate: float = Field(0.0, ge=0, le=1)
    rules: tuple[Rule, ...] = ()
    streams: tuple[StreamRule, ...] = ()
    events: tuple[Event, ...] = ()

    @classmethod
    def empty(cls) -> FaultPlan:
        """No faults."""
        return cls()

    @classmethod
    def parse(cls, data: object, where: str) -> FaultPlan:
        """A plan, or a list of rules alone. Raises PlanError."""
        if isinstance(data, list):
            data = {"rules": data}
        if not isinstance(data, dict):
            raise PlanError(f"fault plan {where}: it has to be an object or a list of rules, not {_type(data)}")
        try:
            return cls.model_validate(cast(dict[str, Any], data))
        except ValidationError as problem:
            raise PlanError(f"fault plan {where}: {told(problem)}") from problem

    @classmethod
    def load(cls, path: Path) -> FaultPlan:
        """A plan from a JSON file. Raises PlanError."""
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as problem:
            raise PlanError(
                f"fault plan {path}: cannot be read ({problem.strerror}). Give another --faults.") from problem
        except UnicodeDecodeError as problem:
            raise PlanError(f"fault plan {path}: not UTF-8 text. Mend the file.") from problem
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as problem:
            raise PlanError(f"fault plan {path}: not JSON ({problem}). Mend the file.") from problem
        return cls.parse(data, str(path))


def _type(data: object) -> str:
    names = {str: "a text", bool: "a truth value", int: "a number", float: "a number", type(None): "nothing"}
    return names.get(type(data), type(data).__name__)
