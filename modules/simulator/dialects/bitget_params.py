"""Parameters of a Bitget request: which a route takes, how they are read, what is said of bad ones.

A route's parameters are written in a line: ``symbol!:symbol size:dec side!=buy|sell orderList:rows``; ``!`` marks a
mandatory one, ``:`` its type, ``=`` the values it can have (in any case of letters). Bodies are JSON: numbers are read
as they were written, never as floats.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from modules.simulator.dialects.bitget_errors import declined

_INT = re.compile(r"[0-9]{1,19}")
_DEC = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?")
_CLIENT_ID = re.compile(r"[!-~]{1,64}")
_SYMBOL = re.compile(r"[A-Za-z0-9_]{1,40}")
PRODUCTS = ("USDT-FUTURES", "COIN-FUTURES", "USDC-FUTURES", "SUSDT-FUTURES", "SCOIN-FUTURES", "SUSDC-FUTURES")
DAY_MS = 86_400_000


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
        values = frozenset(listed.lower().split("|")) if listed else None
        return cls(name.rstrip("!"), kind or "text", name.endswith("!"), values)

    def check(self, value: Any) -> None:
        """Judge a value that was sent. Raises Declined."""
        if self.kind == "rows":
            if not isinstance(value, list):
                raise declined("40020", self.name)
            return
        if not isinstance(value, str):
            raise declined("40020", self.name)
        if self.values is not None and value.lower() not in self.values:
            raise declined("40020", self.name)
        if self.kind == "id" and _CLIENT_ID.fullmatch(value) is None:
            raise declined("40305")
        if self.kind == "product" and value.upper() not in PRODUCTS:
            raise declined("40020", self.name)
        pattern = {"int": _INT, "dec": _DEC, "symbol": _SYMBOL}.get(self.kind)
        if pattern is not None and pattern.fullmatch(value) is None:
            raise declined("40020", self.name)


def params_line(line: str) -> dict[str, Param]:
    """A route's parameters by name."""
    found = (Param.parse(word) for word in line.split())
    return {param.name: param for param in found}


def from_query(query: str) -> dict[str, Any]:
    """Parameters of a query string. Raises Declined where one is sent twice with different values."""
    found: dict[str, Any] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if found.setdefault(name, value) != value:
            raise declined("40020", name)
    return found


def from_body(body: str) -> dict[str, Any]:
    """Parameters of a JSON body. Raises Declined."""
    if not body.strip():
        return {}
    try:
        content = json.loads(body, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError):
        raise declined("400172", "the body has to be JSON") from None
    if not isinstance(content, dict):
        raise declined("400172", "the body has to be an object")
    return {name: plain(value) for name, value in content.items() if value is not None}


def plain(value: Any) -> Any:
    """A JSON value as the text it stands for; lists and objects as they are."""
    return ("true" if value else "false") if isinstance(value, bool) else value


def judge(params: Mapping[str, Any], known: Mapping[str, Param]) -> Values:
    """Every parameter is known, there where it has to be, and can be read. Raises Declined.

    The real venue passes over what it does not know, which has cost people their stop orders; this one refuses, and
    names it.
    """
    odd = sorted(params.keys() - known.keys())
    if odd:
        raise declined("400172", f"unknown parameter {', '.join(odd)}")
    kept: dict[str, Any] = {}
    for param in known.values():
        value = params.get(param.name)
        if value is None or value == "":
            if param.needed:
                raise declined("40019", param.name)
            continue
        param.check(value)
        if param.kind in ("product", "symbol"):
            value = value.upper()
        elif param.values is not None:
            value = value.lower()
        kept[param.name] = value
    return Values(kept)


class Values:
    """The parameters of one request, read."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.raw = params

    def __contains__(self, name: str) -> bool:
        return name in self.raw

    def text(self, name: str) -> str | None:
        """As sent, None where it was not."""
        value: str | None = self.raw.get(name)
        return value

    def need(self, name: str) -> str:
        """As sent. Raises Declined (40019)."""
        value = self.text(name)
        if not value:
            raise declined("40019", name)
        return value

    def whole(self, name: str) -> int | None:
        """An integer."""
        value = self.text(name)
        return None if value is None else int(value)

    def money(self, name: str) -> Decimal | None:
        """A decimal."""
        value = self.text(name)
        return None if value is None else Decimal(value)

    def need_money(self, name: str) -> Decimal:
        """A mandatory decimal. Raises Declined (40019)."""
        return Decimal(self.need(name))

    def yes(self, name: str) -> bool:
        """A YES/NO parameter."""
        return (self.text(name) or "no").lower() == "yes"

    def rows(self, name: str, most: int) -> list[Any]:
        """A list of objects. Raises Declined where it is too long."""
        found: list[Any] = self.raw.get(name) or []
        if len(found) > most:
            raise declined("40306", most)
        return found

    def limit(self, default: int, maximum: int, name: str = "limit") -> int:
        """The number of rows. Raises Declined where it cannot be."""
        value = self.whole(name)
        if value is None:
            return default
        if value < 1:
            raise declined("40020", name)
        return min(value, maximum)

    def span(self, longest_days: int | None = None) -> tuple[int | None, int | None]:
        """`startTime` and `endTime`. Raises Declined where they contradict each other or span too much."""
        start, end = self.whole("startTime"), self.whole("endTime")
        if start is not None and end is not None:
            if start > end:
                raise declined("40707")
            if longest_days is not None and end - start > longest_days * DAY_MS:
                raise declined("40705")
        return start, end
