"""Parameters of a Binance request: what can be read, and what is said of bad ones."""

from __future__ import annotations

import re
from collections.abc import Mapping

from modules.simulator.dialects.binance_errors import declined, illegal, malformed, missing, not_required
from modules.simulator.dialects.declined import Declined
from modules.simulator.dialects.params import Param, pairs
from modules.simulator.dialects.params import Values as AnyValues

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


def check(param: Param, value: str) -> None:
    """Judge a value that was sent. Raises Declined."""
    name = param.name
    if param.values is not None and value not in param.values:
        raise declined(_OWN_CODES[name]) if name in _OWN_CODES else malformed(name)
    if param.kind == "int" and _INT.fullmatch(value) is None:
        raise illegal(name, "^[0-9]{1,20}$")
    if param.kind == "dec" and _DEC.fullmatch(value) is None:
        raise illegal(name, r"^([0-9]{1,20})(\.[0-9]{1,20})?$")
    if param.kind == "bool" and value.lower() not in ("true", "false"):
        raise malformed(name)
    if param.kind == "id" and _CLIENT_ID.fullmatch(value) is None:
        if len(value) > 36:
            raise declined(-4015)
        raise illegal(name, r"^[\.A-Z\:/a-z0-9_-]{1,36}$")
    if param.kind == "symbol" and _SYMBOL.fullmatch(value) is None:
        raise illegal(name, "^[A-Z0-9-_.]{1,20}$")


def parse(query: str) -> dict[str, str]:
    """Parameters of a query string. Raises Declined."""
    return pairs(query, lambda name: Declined(-1101, f"Duplicate values for parameter '{name}'."))


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
        check(param, value)


class Values(AnyValues):
    """The parameters of one request, read."""

    missing = staticmethod(missing)
    unreadable = staticmethod(malformed)

    def truth(self, name: str, default: bool = False) -> bool:
        """A truth value."""
        value = self.raw.get(name)
        return default if value is None else value.lower() == "true"

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
