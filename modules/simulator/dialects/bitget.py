"""Bitget v2 mix REST: takes a request apart, admits it, counts it, calls its handler, forms the answer."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modules.simulator.dialects.bitget_auth import BitgetGate
from modules.simulator.dialects.bitget_errors import Declined, as_declined, declined
from modules.simulator.dialects.bitget_limits import BitgetLimits
from modules.simulator.dialects.bitget_params import Param, Values, from_body, from_query, judge
from modules.simulator.dialects.mexc import Reply
from modules.simulator.perp.api import Account, Refused

if TYPE_CHECKING:
    from modules.simulator.perp_past import PerpSeen

OK = "00000"


@dataclass(slots=True)
class Call:
    """A request on its way to a handler."""

    values: Values
    ms: int
    told_ms: int  # what the venue says the time is
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


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint; `rate` calls a second, of an account where it is private, else of an address."""

    handler: Handler
    params: Mapping[str, Param]
    rate: int
    private: bool = False


class BitgetDialect:
    """The wire of one simulated venue. `now` is the market's clock, `shift_ms` how wrong the told one is."""

    def __init__(
        self, gate: BitgetGate, limits: BitgetLimits, routes: Mapping[tuple[str, str], Route],
        now: Callable[[], int], shift_ms: Callable[[], int] = lambda: 0,
    ) -> None:
        self.gate, self._limits, self._routes = gate, limits, routes
        self._now, self._shift_ms = now, shift_ms
        self._paths = frozenset(path for _, path in routes)

    async def handle(
        self, method: str, path: str, query: str, body: str, headers: Mapping[str, str], remote: str,
        seen: PerpSeen | None = None,
    ) -> Reply:
        """Answer one request; reads of the account as `seen`."""
        out: dict[str, str] = {}
        ms = self._now()
        told_ms = ms + self._shift_ms()
        try:
            data = await self._answer(method, path, query, body, headers, remote, out, (ms, told_ms), seen)
        except (Refused, Declined) as problem:
            refusal = as_declined(problem) if isinstance(problem, Refused) else problem
            return Reply(refusal.status, _json(refusal.code, refusal.message, told_ms, None), out)
        return Reply(200, _json(OK, "success", told_ms, data), out)

    async def _answer(
        self, method: str, path: str, query: str, body: str, headers: Mapping[str, str], remote: str,
        out: dict[str, str], times: tuple[int, int], seen: PerpSeen | None,
    ) -> object:
        ms, told_ms = times
        self._limits.address(remote, ms, out)
        route = self._routes.get((method, path))
        if route is None:
            if path in self._paths:
                raise Declined("40020", f"Request method '{method}' not supported", 405)
            raise declined("40404", status=404)
        account = None
        if route.private:
            account = self.gate.admit(headers, method, path, query, body, told_ms)
        self._limits.spend(account.name if account is not None else remote, path, route.rate, ms, out)
        sent = from_query(query) if method == "GET" else {**from_query(query), **from_body(body)}
        values = judge(sent, route.params)
        return await route.handler(Call(values, ms, told_ms, account, seen))

    @staticmethod
    def params_of(method: str, query: str, body: str) -> dict[str, Any]:
        """A request's parameters as far as they can be read; never refuses."""
        try:
            return from_query(query) if method == "GET" else {**from_query(query), **from_body(body)}
        except Declined:
            return {}


def _json(code: str, message: str, ms: int, data: object) -> str:
    return json.dumps({"code": code, "msg": message, "requestTime": ms, "data": data}, separators=(",", ":"))
