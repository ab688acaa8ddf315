"""Parameters of a request to a futures dialect: the line that a route writes them in, reading them, judging them.

A line: ``symbol! limit:int side!=BUY|SELL quantity:dec``; ``!`` marks a mandatory parameter, ``:`` its type, ``=`` the
values it can have. What a bad one is answered with is the dialect's own: its `Values` and its `read` raise it.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

DAY_MS = 86_400_000
Refusal = Callable[[str], Exception]  # a parameter's name, or what is wrong → what is raised


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


def params_line(line: str) -> dict[str, Param]:
    """A route's parameters by name."""
    found = (Param.parse(word) for word in line.split())
    return {param.name: param for param in found}


def pairs(query: str, twice: Refusal) -> dict[str, str]:
    """Parameters of a query string. Raises `twice` where one is sent twice with different values."""
    found: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if found.setdefault(name, value) != value:
            raise twice(name)
    return found


def members(body: str, wrong: Refusal) -> dict[str, Any]:
    """Parameters of a JSON body, numbers as they were written, never as floats. Raises `wrong`."""
    try:
        content = json.loads(body, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError):
        raise wrong("the body has to be JSON") from None
    if not isinstance(content, dict):
        raise wrong("the body has to be an object")
    return {name: plain(value) for name, value in content.items() if value is not None}


def plain(value: Any) -> Any:
    """A JSON value as the text it stands for; lists and objects as they are."""
    return ("true" if value else "false") if isinstance(value, bool) else value


def judge(
    params: Mapping[str, Any], known: Mapping[str, Param], read: Callable[[Param, Any], Any], unknown: Refusal,
    missing: Refusal,
) -> dict[str, Any]:
    """The parameters as `read` reads them: every one known, and there where it has to be. Raises what they raise.

    The real venues pass over what they do not know, which has cost people their stops; these refuse, and name it.
    """
    odd = sorted(params.keys() - known.keys())
    if odd:
        raise unknown(", ".join(odd))
    kept: dict[str, Any] = {}
    for param in known.values():
        value = params.get(param.name)
        if value is None or value == "":
            if param.needed:
                raise missing(param.name)
            continue
        kept[param.name] = read(param, value)
    return kept


class Values(ABC):
    """The parameters of one request, read."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.raw = params

    def __contains__(self, name: str) -> bool:
        return name in self.raw

    @staticmethod
    @abstractmethod
    def missing(name: str) -> Exception:
        """What is raised for a mandatory parameter that is not there."""

    @staticmethod
    @abstractmethod
    def unreadable(name: str) -> Exception:
        """What is raised for a value that cannot be."""

    def text(self, name: str) -> str | None:
        """As sent, None where it was not."""
        value: str | None = self.raw.get(name)
        return value

    def need(self, name: str) -> str:
        """As sent. Raises `missing`."""
        value = self.text(name)
        if not value:
            raise self.missing(name)
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
        """A mandatory decimal. Raises `missing`."""
        return Decimal(self.need(name))

    def limit(self, default: int, maximum: int, name: str = "limit") -> int:
        """The number of rows. Raises `unreadable` where it cannot be."""
        value = self.whole(name)
        if value is None:
            return default
        if value < 1:
            raise self.unreadable(name)
        return min(value, maximum)
