"""Binance USD-M REST: admits a request, counts its weight, calls its handler, forms the answer."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from modules.simulator.dialects.binance_auth import AUTH_PARAMS, BinanceGate
from modules.simulator.dialects.binance_errors import content, unread
from modules.simulator.dialects.binance_params import Values, judge, merged
from modules.simulator.dialects.binance_reasons import as_declined
from modules.simulator.dialects.binance_weights import BinanceWeights
from modules.simulator.dialects.call import Call as AnyCall
from modules.simulator.dialects.call import Request
from modules.simulator.dialects.declined import Declined
from modules.simulator.dialects.dialect import Dialect, Turn
from modules.simulator.dialects.params import Param
from modules.simulator.perp.api import Account, Refused

KEY_HEADER = "X-MBX-APIKEY"


class Access(Enum):
    """What a route asks of its caller."""

    OPEN = "open"
    KEY = "key"  # the key alone: listen keys, old trades
    SIGNED = "signed"


@dataclass(slots=True)
class Call(AnyCall[Values]):
    """A request on its way to a handler, with the address it came from and the headers of its answer."""

    address: str = "?"
    headers: dict[str, str] = field(default_factory=dict)


Handler = Callable[[Call], Awaitable[object]]
Weight = Callable[[Values], int]


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint. `orders` says how many new orders a call counts for; `slow` ones have a count of their own."""

    handler: Handler
    params: Mapping[str, Param]
    weight: Weight
    access: Access = Access.OPEN
    orders: Callable[[Values], int] | None = None
    slow: bool = False


class BinanceDialect(Dialect):
    """The wire of one simulated venue."""

    def __init__(
        self, gate: BinanceGate, weights: BinanceWeights, routes: Mapping[tuple[str, str], Route],
        now: Callable[[], int], shift_ms: Callable[[], int] = lambda: 0,
    ) -> None:
        super().__init__(now, shift_ms)
        self._gate, self._weights, self._routes = gate, weights, routes
        self._paths = frozenset(path for _, path in routes)

    async def _answer(self, turn: Turn) -> object:
        asked, ms = turn.request, turn.ms
        route = self._routes.get((asked.method, asked.path))
        if route is None:
            self._weights.spend(asked.remote, 1, ms, turn.out)
            if asked.path in self._paths:
                raise Declined(-1000, f"Request method '{asked.method}' not supported", 405)
            raise Declined(-5000, f"Path {asked.path}, Method {asked.method} is invalid", 404)
        sent = merged(asked.query, asked.body)
        plain = {name: value for name, value in sent.items() if name not in AUTH_PARAMS}
        values = Values(plain)
        self._weights.spend(asked.remote, _weight(route, values), ms, turn.out, slow=route.slow)
        account, key = None, asked.header(KEY_HEADER)
        if route.access is Access.SIGNED:
            account = self._gate.admit(key, sent, asked.query, asked.body, turn.told_ms)
        elif route.access is Access.KEY:
            account = self._gate.owner(key)
        odd = sorted(plain.keys() - route.params.keys())
        if odd:
            raise unread(len(plain) - len(odd), len(plain), ", ".join(odd))
        judge(plain, route.params)
        if account is not None and route.orders is not None:
            self._weights.order(account.name, route.orders(values), ms, turn.out)
        return await route.handler(Call(values, ms, turn.told_ms, account, turn.seen, asked.remote, turn.out))

    def _translated(self, refused: Refused) -> Declined:
        return as_declined(refused)

    def _refusal(self, problem: Declined, told_ms: int) -> str:
        return _json(content(problem))

    def _success(self, result: object, told_ms: int) -> str:
        return _json(result)

    def params_of(self, request: Request) -> dict[str, Any]:
        """A request's parameters as far as they can be read; never refuses."""
        try:
            return dict(merged(request.query, request.body))
        except Declined:
            return {}

    def owner(self, key: str | None) -> Account | None:
        """The account of a key, None where there is none; never refuses."""
        try:
            return self._gate.owner(key)
        except Declined:
            return None


def _weight(route: Route, values: Values) -> int:
    try:
        return route.weight(values)
    except ValueError:  # a limit that is no number: refused in a moment, by the check of its parameters
        return 1


def _json(answer: object) -> str:
    return json.dumps(answer, separators=(",", ":"))


def flat(weight: int) -> Weight:
    """The same weight whatever is asked."""
    return lambda values: weight


def by_symbol(one: int, every: int) -> Weight:
    """More where no symbol is named."""
    return lambda values: one if "symbol" in values else every


def by_limit(default: int, *steps: tuple[int, int]) -> Weight:
    """The weight of the first step (limit, weight) that the asked number of rows fits in."""
    def weigh(values: Values) -> int:
        limit = int(values.text("limit") or default)
        return next((weight for most, weight in steps if limit <= most), steps[-1][1])
    return weigh

