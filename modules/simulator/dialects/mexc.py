"""MEXC spot v3 REST: every endpoint that ccxt and pymexc use for trading a spot account.

One table of routes; each says its parameters, its weight and whether it must be signed. What is not in the
table, and any parameter that is not in a route's list, is refused.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from modules.simulator.accounts import Account, Order, OrderType
from modules.simulator.dialects.mexc_auth import AUTH_PARAMS, Gate, parse, signed_text
from modules.simulator.dialects.mexc_errors import answer
from modules.simulator.dialects.reply import Ready, Reply
from modules.simulator.errors import Reason, Refused
from modules.simulator.past import Lagged
from modules.simulator.rules import NewOrder
from modules.simulator.venue import Venue
from modules.simulator.weights import Weights


@dataclass(frozen=True, slots=True)
class Call:
    """A request on its way to a handler: its parameters without those of the signature."""

    params: dict[str, str]
    ms: int
    account: Account | None = None
    told_ms: int = 0  # what the venue says the time is
    seen: Lagged | None = None  # a replica that lags behind answers, where not None

    @property
    def user(self) -> Account:
        """The account of a signed call."""
        assert self.account is not None
        return self.account

    def need(self, name: str) -> str:
        """A mandatory parameter. Raises Refused(MISSING)."""
        value = self.params.get(name, "")
        if not value:
            raise Refused(Reason.MISSING, name)
        return value

    def number(self, name: str) -> int | None:
        """An integer parameter, None where it was not sent. Raises Refused."""
        text = self.params.get(name)
        if text is None:
            return None
        try:
            return int(text)
        except ValueError:
            raise Refused(Reason.BAD_PARAMETER, name) from None

    def limit(self, default: int, maximum: int) -> int:
        """The `limit` parameter, cut to the maximum."""
        value = self.number("limit")
        if value is None:
            return default
        if value < 1:
            raise Refused(Reason.BAD_PARAMETER, "limit")
        return min(value, maximum)

    def money(self, name: str) -> Decimal | None:
        """A decimal parameter, None where it was not sent. Raises Refused."""
        text = self.params.get(name)
        if text is None:
            return None
        try:
            value = Decimal(text)
        except InvalidOperation:
            raise Refused(Reason.BAD_PARAMETER, name) from None
        if not value.is_finite() or len(text) > 40 or abs(value.adjusted()) > 20:
            raise Refused(Reason.BAD_PARAMETER, name)
        return value


Handler = Callable[[Call], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint. `weight` may depend on the call; `signed` endpoints count per account too."""

    handler: Handler
    params: frozenset[str]
    weight: Callable[[Call], int]
    signed: bool = False


class MexcDialect:
    """Takes a request apart, admits it, calls its handler, forms the answer."""

    def __init__(
        self, venue: Venue, gate: Gate, weights: Weights, routes: Mapping[tuple[str, str], Route],
        shift_ms: Callable[[], int] = lambda: 0,
    ) -> None:
        self._venue = venue
        self._gate = gate
        self._weights = weights
        self._routes = routes
        self._shift_ms = shift_ms

    async def handle(
        self, method: str, path: str, query: str, body: str, key: str | None, remote: str,
        seen: Lagged | None = None, data_lag_ms: int = 0,
    ) -> Reply:
        """Answer one request; reads of the account as `seen`, market data as it was `data_lag_ms` ago."""
        headers: dict[str, str] = {}
        try:
            result = await self._answer(method, path, query, body, key, remote, headers, seen, data_lag_ms)
        except Refused as refused:
            status, content = answer(refused)
            return Reply(status, json.dumps(content), headers)
        return Reply(200, result if isinstance(result, Ready) else json.dumps(result), headers)

    async def _answer(
        self, method: str, path: str, query: str, body: str, key: str | None, remote: str,
        headers: dict[str, str], seen: Lagged | None, data_lag_ms: int,
    ) -> object:
        ms = self._venue.now()
        told_ms = ms + self._shift_ms()
        banned_s = self._weights.banned(f"ip {remote}", ms)
        if banned_s is not None:
            headers["Retry-After"] = str(banned_s)
            raise Refused(Reason.BANNED)
        route = self._routes.get((method, path))
        if route is None:
            raise Refused(Reason.NO_ROUTE, f"{method} {path}")
        params = _merged(parse(query), body)
        plain = {name: value for name, value in params.items() if name not in AUTH_PARAMS}
        unknown = sorted(set(plain) - route.params)
        call = Call(plain, ms if route.signed else ms - data_lag_ms, None, told_ms)
        self._spend(f"ip {remote}", path, route.weight(call), ms, headers)
        if unknown:
            raise Refused(Reason.UNKNOWN_PARAMETER, ", ".join(unknown))
        if route.signed:
            account = self._gate.admit(key, params, signed_text(query, _form(body)), told_ms)
            self._spend(f"uid {account.name}", path, route.weight(call), ms, headers)
            call = Call(plain, ms, account, told_ms, seen)
        return await route.handler(call)

    def params_of(self, query: str, body: str) -> dict[str, str]:
        """A request's parameters as far as they can be read; never refuses."""
        try:
            return _merged(parse(query), body)
        except Refused:
            return {}

    def aimed_at(self, query: str, body: str, key: str | None) -> Order | None:
        """The order that a request is about (of all orders of a symbol the oldest open one)."""
        params = self.params_of(query, body)
        account = self._venue.by_key.get(key or "")
        symbol = params.get("symbol")
        if account is None or symbol is None:
            return None
        order_id = params.get("orderId")
        client_id = params.get("origClientOrderId", params.get("clientOrderId"))
        if order_id or client_id:
            return self._venue.find_order(account, symbol, order_id or None, client_id or None)
        return next(iter(self._venue.open_orders(account, symbol)), None)

    def _spend(self, owner: str, path: str, weight: int, ms: int, headers: dict[str, str]) -> None:
        wait_s = self._weights.spend(owner, path, weight, ms)
        if wait_s is not None:
            headers["Retry-After"] = str(wait_s)
            raise Refused(Reason.TOO_MANY_REQUESTS)


def _form(body: str) -> str:
    """The body where it is a form; JSON bodies are not signed text of ours."""
    return "" if body.lstrip().startswith("{") else body


def _merged(params: dict[str, str], body: str) -> dict[str, str]:
    """Query over body: where both send a parameter the query counts."""
    if not body.strip():
        return params
    if body.lstrip().startswith("{"):
        try:
            content: Any = json.loads(body)
        except ValueError:
            raise Refused(Reason.BAD_PARAMETER, "body") from None
        if not isinstance(content, dict):
            raise Refused(Reason.BAD_PARAMETER, "body")
        return {**{str(k): str(v) for k, v in content.items()}, **params}
    return {**parse(body), **params}


def new_order(call: Call) -> NewOrder:
    """A new order's parameters. Raises Refused."""
    side, kind = call.need("side"), call.need("type")
    if side not in ("BUY", "SELL"):
        raise Refused(Reason.BAD_PARAMETER, f"side {side}")
    try:
        order_type = OrderType(kind)
    except ValueError:
        raise Refused(Reason.BAD_PARAMETER, f"type {kind}") from None
    client_id = call.params.get("newClientOrderId")
    if client_id is not None and not (0 < len(client_id) <= 32 and client_id.isascii()):
        raise Refused(Reason.BAD_PARAMETER, "newClientOrderId")
    return NewOrder(call.need("symbol"), side, order_type, call.money("quantity"), call.money("quoteOrderQty"),
                    call.money("price"), client_id)


