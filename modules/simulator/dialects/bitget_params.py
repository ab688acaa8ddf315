"""Parameters of a Bitget request: what can be read, and what is said of bad ones.

Chosen words (``side!=buy|sell``) count in any case of letters. Bodies are JSON.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from modules.simulator.dialects.bitget_errors import declined
from modules.simulator.dialects.declined import Declined
from modules.simulator.dialects.params import DAY_MS, Param, judge, members, pairs
from modules.simulator.dialects.params import Values as AnyValues

_PATTERNS = {
    "int": re.compile(r"[0-9]{1,19}"), "dec": re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?"),
    "symbol": re.compile(r"[A-Za-z0-9_]{1,40}")}
_CLIENT_ID = re.compile(r"[!-~]{1,64}")
PRODUCTS = ("USDT-FUTURES", "COIN-FUTURES", "USDC-FUTURES", "SUSDT-FUTURES", "SCOIN-FUTURES", "SUSDC-FUTURES")


def read(param: Param, value: Any) -> Any:
    """A value that was sent, as handlers get it: contracts in capitals, chosen words in small letters.

    Raises Declined.
    """
    if param.kind == "rows":
        if not isinstance(value, list):
            raise unreadable(param.name)
        return value
    if not isinstance(value, str):
        raise unreadable(param.name)
    if param.values is not None:
        if value.lower() not in {one.lower() for one in param.values}:
            raise unreadable(param.name)
        value = value.lower()
    if param.kind == "id" and _CLIENT_ID.fullmatch(value) is None:
        raise declined("40305")
    if param.kind == "product" and value.upper() not in PRODUCTS:
        raise unreadable(param.name)
    pattern = _PATTERNS.get(param.kind)
    if pattern is not None and pattern.fullmatch(value) is None:
        raise unreadable(param.name)
    return value.upper() if param.kind in ("product", "symbol") else value


def missing(name: str) -> Declined:
    """A mandatory parameter is not there."""
    return declined("40019", name)


def unreadable(name: str) -> Declined:
    """A value cannot be."""
    return declined("40020", name)


def _unknown(names: str) -> Declined:
    return declined("400172", f"unknown parameter {names}")


def from_query(query: str) -> dict[str, Any]:
    """Parameters of a query string. Raises Declined."""
    return dict(pairs(query, unreadable))


def from_body(body: str) -> dict[str, Any]:
    """Parameters of a JSON body. Raises Declined."""
    return members(body, lambda what: declined("400172", what)) if body.strip() else {}


def judged(params: Mapping[str, Any], known: Mapping[str, Param]) -> Values:
    """Every parameter is known, there where it has to be, and can be read. Raises Declined."""
    return Values(judge(params, known, read, _unknown, missing))


class Values(AnyValues):
    """The parameters of one request, read."""

    missing = staticmethod(missing)
    unreadable = staticmethod(unreadable)

    def yes(self, name: str) -> bool:
        """A YES/NO parameter."""
        return (self.text(name) or "no").lower() == "yes"

    def rows(self, name: str, most: int) -> list[Any]:
        """A list of objects. Raises Declined where it is too long."""
        found: list[Any] = self.raw.get(name) or []
        if len(found) > most:
            raise declined("40306", most)
        return found

    def span(self, longest_days: int | None = None) -> tuple[int | None, int | None]:
        """`startTime` and `endTime`. Raises Declined where they contradict each other or span too much."""
        start, end = self.whole("startTime"), self.whole("endTime")
        if start is not None and end is not None:
            if start > end:
                raise declined("40707")
            if longest_days is not None and end - start > longest_days * DAY_MS:
                raise declined("40705")
        return start, end
