"""Bybit v5 REST: admits a request, counts it, calls its handler, forms the answer."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from modules.simulator.dialects.bybit_auth import BybitGate
from modules.simulator.dialects.bybit_errors import as_declined
from modules.simulator.dialects.bybit_limits import BybitLimits
from modules.simulator.dialects.bybit_params import Values, from_body, from_query, judged
from modules.simulator.dialects.call import Call as AnyCall
from modules.simulator.dialects.call import Request
from modules.simulator.dialects.declined import Declined
from modules.simulator.dialects.dialect import Dialect, Turn
from modules.simulator.dialects.params import Param
from modules.simulator.dialects.reply import Reply
from modules.simulator.perp.api import Account, Refused

Call = AnyCall[Values]
Handler = Callable[[Call], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint; `rate` calls a second of an account, 0 for public ones (their address alone is counted)."""

    handler: Handler
    params: Mapping[str, Param]
    rate: int = 0


class BybitDialect(Dialect):
    """The wire of one simulated venue."""

    def __init__(
        self, gate: BybitGate, limits: BybitLimits, routes: Mapping[tuple[str, str], Route], now: Callable[[], int],
        shift_ms: Callable[[], int] = lambda: 0,
    ) -> None:
        super().__init__(now, shift_ms)
        self._gate, self._limits, self._routes = gate, limits, routes

    async def _answer(self, turn: Turn) -> object:
        asked = turn.request
        self._limits.address(asked.remote, turn.ms)
        route = self._routes.get((asked.method, asked.path))
        if route is None:
            return Reply(404, "", turn.out)
        account = None
        if route.rate:
            account = self._gate.admit(asked, turn.told_ms)
            self._limits.spend(account.name, asked.path, route.rate, turn.ms, turn.out)
        values = judged(_sent(asked), route.params)
        return await route.handler(Call(values, turn.ms, turn.told_ms, account, turn.seen))

    def _translated(self, refused: Refused) -> Declined:
        return as_declined(refused)

    def _refusal(self, problem: Declined, told_ms: int) -> str:
        return _json(problem.code, problem.message, told_ms, {})

    def _success(self, result: object, told_ms: int) -> str:
        return _json(0, "OK", told_ms, result)

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
    return from_query(request.query) if request.method == "GET" else from_body(request.body)


def _json(code: int | str, message: str, ms: int, result: object) -> str:
    return json.dumps({"retCode": code, "retMsg": message, "result": result, "retExtInfo": {}, "time": ms},
                      separators=(",", ":"))
