"""Bitget v2 mix REST: admits a request, counts it, calls its handler, forms the answer."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from modules.simulator.dialects.bitget_auth import BitgetGate
from modules.simulator.dialects.bitget_errors import as_declined, declined
from modules.simulator.dialects.bitget_limits import BitgetLimits
from modules.simulator.dialects.bitget_params import Values, from_body, from_query, judged
from modules.simulator.dialects.call import Call as AnyCall
from modules.simulator.dialects.call import Request
from modules.simulator.dialects.declined import Declined
from modules.simulator.dialects.dialect import Dialect, Turn
from modules.simulator.dialects.params import Param
from modules.simulator.perp.api import Account, Refused

OK = "00000"
Call = AnyCall[Values]
Handler = Callable[[Call], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint; `rate` calls a second, of an account where it is private, else of an address."""

    handler: Handler
    params: Mapping[str, Param]
    rate: int
    private: bool = False


class BitgetDialect(Dialect):
    """The wire of one simulated venue."""

    def __init__(
        self, gate: BitgetGate, limits: BitgetLimits, routes: Mapping[tuple[str, str], Route],
        now: Callable[[], int], shift_ms: Callable[[], int] = lambda: 0,
    ) -> None:
        super().__init__(now, shift_ms)
        self._gate, self._limits, self._routes = gate, limits, routes
        self._paths = frozenset(path for _, path in routes)

    async def _answer(self, turn: Turn) -> object:
        asked = turn.request
        self._limits.address(asked.remote, turn.ms, turn.out)
        route = self._routes.get((asked.method, asked.path))
        if route is None:
            if asked.path in self._paths:
                raise Declined("40020", f"Request method '{asked.method}' not supported", 405)
            raise declined("40404", status=404)
        account = self._gate.admit(asked, turn.told_ms) if route.private else None
        owner = account.name if account is not None else asked.remote
        self._limits.spend(owner, asked.path, route.rate, turn.ms, turn.out)
        values = judged(_sent(asked), route.params)
        return await route.handler(Call(values, turn.ms, turn.told_ms, account, turn.seen))

    def _translated(self, refused: Refused) -> Declined:
        return as_declined(refused)

    def _refusal(self, problem: Declined, told_ms: int) -> str:
        return _json(problem.code, problem.message, told_ms, None)

    def _success(self, result: object, told_ms: int) -> str:
        return _json(OK, "success", told_ms, result)

    def params_of(self, request: Request) -> dict[str, Any]:
        """A request's parameters as far as they can be read; never refuses."""
        try:
            return _sent(request)
        except Declined:
            return {}

    def owner(self, key: str | None) -> Account | None:
        """The account of a key, None where there is none."""
        return self._gate.owner(key)


def _sent(request: Request) -> dict[str, Any]:
    if request.method == "GET":
        return from_query(request.query)
    return {**from_query(request.query), **from_body(request.body)}


def _json(code: int | str, message: str, ms: int, data: object) -> str:
    return json.dumps({"code": code, "msg": message, "requestTime": ms, "data": data}, separators=(",", ":"))
