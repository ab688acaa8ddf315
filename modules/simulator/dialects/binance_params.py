"""Parameters of a Binance request: which a route takes, how they are read, what is said of bad ones.

A route's parameters are written in a line: ``symbol! limit:int side!=BUY|SELL quantity:dec reduceOnly:bool``;
``!`` marks a mandatory one, ``:`` its type, ``=`` the values it can have.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import parse_qsl

from modules.simulator.dialects.binance_errors import Declined, declined, illegal, malformed, missing, not_required

_INT = re.compile(r"-?[0-9]{1,19}")
_DEC = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?")
_CLIENT_ID = re.compile(r"[\.A-Z\:/a-z0-9_-]{1,36}")
_SYMBOL = re.compile(r"[A-Z0-9_]{1,40}")
#: codes of their own for values that cannot be
_OWN_CODES = {
    "side": -1117, "type": -1116, "timeInForce": -1115, "positionSide": -4060, "newOrderRespType": -1136,
    "interval": -1120, "workingType": -4031, "selfTradePreventionMode": -5039, "priceMatch": -5037,
    "contractType": -4104, "period": -1120,
}


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter of a route."""

    name: str
    kind: str = "text"
    needed: bool = False
    values: frozenset[str] | None = None

    @classmethod
    def parse(cls, text: str) -> Param:
        """From a word of the route's line."""
        head, _, listed = text.partition("=")
        name, _, kind = head.partition(":")
        values = frozenset(listed.split("|")) if listed else None
        return cls(name.rstrip("!"), kind or "text", name.endswith("!"), values)

    def check(self, value: str) -> None:
        """Judge a value that was sent. Raises Declined."""
        name = self.name
        if self.values is not None and value not in self.values:
            raise declined(_OWN_CODES[name]) if name in _OWN_CODES else malformed(name)
        if self.kind == "int" and _INT.fullmatch(value) is None:
            raise illegal(name, "^[0-9]{1,20}$")
        if self.kind == "dec" and _DEC.fullmatch(value) is None:
            raise illegal(name, r"^([0-9]{1,20})(\.[0-9]{1,20})?$")
        if self.kind == "bool" and value.lower() not in ("true", "false"):
            raise malformed(name)
        if self.kind == "id" and _CLIENT_ID.fullmatch(value) is None:
            if len(value) > 36:
                raise declined(-4015)
            raise illegal(name, r"^[\.A-Z\:/a-z0-9_-]{1,36}$")
        if self.kind == "symbol" and _SYMBOL.fullmatch(value) is None:
            raise illegal(name, "^[A-Z0-9-_.]{1,20}$")


def params_line(line: str) -> dict[str, Param]:
    """A route's parameters by name."""
    found = (Param.parse(word) for word in line.split())
    return {param.name: param for param in found}


def parse(query: str) -> dict[str, str]:
    """Parameters of a query string. Raises Declined where one is sent twice with different values."""
    found: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if found.setdefault(name, value) != value:
            raise Declined(-1101, f"Duplicate values for parameter '{name}'.")
    return found


def merged(query: str, body: str) -> dict[str, str]:
    """Query over body: where both send a parameter the query's counts. Raises Declined."""
    if not body.strip():
        return parse(query)
    if body.lstrip().startswith(("{", "[")):
        raise Declined(-1100, "Illegal characters found in a parameter: the body has to be a form, not JSON.")
    return {**parse(body), **parse(query)}


def judge(params: Mapping[str, str], known: Mapping[str, Param]) -> None:
    """Every parameter is there that has to be, and each can be read. Raises Declined."""
    for param in known.values():
        value = params.get(param.name)
        if value is None or value == "":
            if param.needed:
                raise missing(param.name)
            if value == "":
                raise Declined(-1105, f"Parameter '{param.name}' was empty.")
            continue
        param.check(value)


class Values:
    """The parameters of one request, read."""

    def __init__(self, params: Mapping[str, str]) -> None:
        self.raw = params

    def __contains__(self, name: str) -> bool:
        return name in self.raw

    def text(self, name: str) -> str | None:
        """As sent, None where it was not."""
        return self.raw.get(name)

    def need(self, name: str) -> str:
        """As sent. Raises Declined (−1102)."""
        value = self.raw.get(name)
        if not value:
            raise missing(name)
        return value

    def whole(self, name: str) -> int | None:
        """An integer."""
        value = self.raw.get(name)
        return None if value is None else int(value)

    def money(self, name: str) -> Decimal | None:
        """A decimal."""
        value = self.raw.get(name)
        return None if value is None else Decimal(value)

    def need_money(self, name: str) -> Decimal:
        """A mandatory decimal. Raises Declined (−1102)."""
        self.need(name)
        return Decimal(self.raw[name])

    def truth(self, name: str, default: bool = False) -> bool:
        """A truth value."""
        value = self.raw.get(name)
        return default if value is None else value.lower() == "true"

    def limit(self, default: int, maximum: int) -> int:
        """The number of rows. Raises Declined where it cannot be."""
        value = self.whole("limit")
        if value is None:
            return default
        if value < 1:
            raise malformed("limit")
        return min(value, maximum)

    def span(self, longest_ms: int | None = None) -> tuple[int | None, int | None]:
        """`startTime` and `endTime`. Raises Declined where they contradict each other or span too much."""
        start, end = self.whole("startTime"), self.whole("endTime")
        if start is not None and end is not None:
            if start > end:
                raise declined(-1023)
            if longest_ms is not None and end - start > longest_ms:
                raise declined(-1127)
        return start, end

    def refuse(self, *names: str) -> None:
        """Parameters that are not wanted beside the others. Raises Declined (−1106)."""
        for name in names:
            if name in self.raw:
                raise not_required(name)
