"""Parameters of a Bybit request: what can be read, and what is said of bad ones. Bodies are JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from modules.simulator.dialects.bybit_errors import declined
from modules.simulator.dialects.declined import Declined
from modules.simulator.dialects.params import DAY_MS, Param, judge, members, pairs
from modules.simulator.dialects.params import Values as AnyValues

_PATTERNS = {
    "int": re.compile(r"-?[0-9]{1,19}"), "dec": re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?"),
    "symbol": re.compile(r"[A-Z0-9-]{1,40}"), "id": re.compile(r"[A-Za-z0-9_-]{1,36}"),
    "flag": re.compile(r"true|false")}
LINEAR = "linear"
CATEGORIES = "category!=linear|inverse|spot|option"


def wrong(what: str) -> Declined:
    """A request cannot be read."""
    return declined(10001, what)


def missing(name: str) -> Declined:
    """A mandatory parameter is not there."""
    return wrong(f"params error: {name} is empty")


def unreadable(name: str) -> Declined:
    """A value cannot be."""
    return wrong(f"params error: {name}")


def _unknown(names: str) -> Declined:
    return wrong(f"unknown parameter {names}")


def read(param: Param, value: Any) -> Any:
    """A value that was sent. Raises Declined."""
    if param.kind == "rows":
        if not isinstance(value, list):
            raise unreadable(param.name)
        return value
    pattern = _PATTERNS.get(param.kind)
    if not isinstance(value, str) or (param.values is not None and value not in param.values) or (
            pattern is not None and pattern.fullmatch(value) is None):
        raise unreadable(param.name)
    return value


def from_query(query: str) -> dict[str, Any]:
    """Parameters of a query string. Raises Declined."""
    return dict(pairs(query, unreadable))


def from_body(body: str) -> dict[str, Any]:
    """Parameters of a JSON body. Raises Declined."""
    return members(body, wrong)


def judged(params: Mapping[str, Any], known: Mapping[str, Param]) -> Values:
    """Every parameter is known, there where it has to be, and can be read. Raises Declined."""
    return Values(judge(params, known, read, _unknown, missing))


class Values(AnyValues):
    """The parameters of one request, read."""

    missing = staticmethod(missing)
    unreadable = staticmethod(unreadable)

    @property
    def linear(self) -> bool:
        """Whether the request is about what there is here; other categories are empty."""
        return self.raw.get("category", LINEAR) == LINEAR

    def flag(self, name: str) -> bool:
        """A truth value, False where it was not sent."""
        return self.text(name) == "true"

    def rows(self, name: str) -> list[Any]:
        """A list."""
        found: list[Any] = self.raw.get(name) or []
        return found

    def span(self, now_ms: int, days: int) -> tuple[int, int]:
        """``startTime`` and ``endTime``: at most so many days, the last ones where none is given. Raises Declined."""
        start, end = self.whole("startTime"), self.whole("endTime")
        longest = days * DAY_MS
        if start is None:
            start = (end if end is not None else now_ms) - longest
        if end is None:
            end = start + longest
        if start > end:
            raise declined(10001, "startTime is after endTime")
        if end - start > longest:
            raise declined(10001, f"the time span is longer than {days} days")
        return start, end
