"""Binance USD-M REST: takes a request apart, admits it, counts its weight, calls its handler, forms the answer."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from modules.simulator.dialects.binance_auth import AUTH_PARAMS, BinanceGate
from modules.simulator.dialects.binance_errors import Declined, unread
from modules.simulator.dialects.binance_params import Param, Values, judge, merged
from modules.simulator.dialects.binance_reasons import as_declined
from modules.simulator.dialects.binance_weights import BinanceWeights
from modules.simulator.dialects.mexc import Ready, Reply
from modules.simulator.perp.api import Account, Refused

if TYPE_CHECKING:
    from modules.simulator.perp_past import PerpSeen


class Access(Enum):
    """What a route asks of its caller."""

    OPEN = "open"
    KEY = "key"  # the key alone: listen keys, old trades
    SIGNED = "signed"


@dataclass(slots=True)
class Call:
    """A request on its way to a handler."""

    values: Values
    ms: int
    told_ms: int  # what the venue says the time is
    address: str
    headers: dict[str, str] = field(default_factory=dict)
    account: Account | None = None
    seen: PerpSeen | None = None  # a replica that lags behind answers, where not None

    @property
    def user(self) -> Account:
        """The account of a call that needs one."""
        assert self.account is not None
        return self.account

    @property
    def user_seen(self) -> Account:
        """The account as the answering replica knows it."""
        return self.user if self.seen is None else self.seen.account(self.user)

    @property
    def symbol(self) -> str | None:
        """The `symbol` parameter."""
        return self.values.text("symbol")


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


class BinanceDialect:
    """The wire of one simulated venue. `now` is the market's clock, `shift_ms` how wrong the told one is."""

    def __init__(
        self, gate: BinanceGate, weights: BinanceWeights, routes: Mapping[tuple[str, str], Route],
        now: Callable[[], int], shift_ms: Callable[[], int] = lambda: 0,
    ) -> None:
        self._gate, self._weights, self._routes = gate, weights, routes
        self._now, self._shift_ms = now, shift_ms
        self._paths = frozenset(path for _, path in routes)

    async def handle(
        self, method: str, path: str, query: str, body: str, key: str | None, remote: str,
        seen: PerpSeen | None = None,
    ) -> Reply:
        """Answer one request; reads of the account as `seen`."""
        headers: dict[str, str] = {}
        try:
            result = await self._answer(method, path, query, body, key, remote, headers, seen)
        except Refused as refused:
            refusal = as_declined(refused)
            return Reply(refusal.status, _json(refusal.body()), headers)
        except Declined as refusal:
            return Reply(refusal.status, _json(refusal.body()), headers)
        return Reply(200, result if isinstance(result, Ready) else _json(result), headers)

    async def _answer(
        self, method: str, path: str, query: str, body: str, key: str | None, remote: str, headers: dict[str, str],
        seen: PerpSeen | None,
    ) -> object:
        ms = self._now()
        told_ms = ms + self._shift_ms()
        route = self._routes.get((method, path))
        if route is None:
            self._weights.spend(remote, 1, ms, headers)
            if path in self._paths:
                raise Declined(-1000, f"Request method '{method}' not supported", 405)
            raise Declined(-5000, f"Path {path}, Method {method} is invalid", 404)
        sent = merged(query, body)
        plain = {name: value for name, value in sent.items() if name not in AUTH_PARAMS}
        values = Values(plain)
        self._weights.spend(remote, _weight(route, values), ms, headers, slow=route.slow)
        account = None
        if route.access is Access.SIGNED:
            account = self._gate.admit(key, sent, query, body, told_ms)
        elif route.access is Access.KEY:
            account = self._gate.owner(key)
        odd = sorted(plain.keys() - route.params.keys())
        if odd:
            raise unread(len(plain) - len(odd), len(plain), ", ".join(odd))
        judge(plain, route.params)
        if account is not None and route.orders is not None:
            self._weights.order(account.name, route.orders(values), ms, headers)
        return await route.handler(Call(values, ms, told_ms, remote, headers, account, seen))

    def params_of(self, query: str, body: str) -> dict[str, str]:
        """A request's parameters as far as they can be read; never refuses."""
        try:
            return merged(query, body)
        except Declined:
            return {}

    def holder(self, key: str | None) -> Account | None:
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


def _json(content: object) -> str:
    return json.dumps(content, separators=(",", ":"))


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

