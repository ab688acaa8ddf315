"""The gate, the weights and the answers of the Binance dialect, without a market behind them."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest

from modules.simulator.dialects.binance import Access, BinanceDialect, Call, Route, by_limit, flat
from modules.simulator.dialects.binance_auth import BinanceGate
from modules.simulator.dialects.binance_errors import WORDS
from modules.simulator.dialects.binance_params import Values
from modules.simulator.dialects.binance_reasons import CODES
from modules.simulator.dialects.binance_weights import BAN_MS, BinanceWeights, Limits
from modules.simulator.dialects.call import Request
from modules.simulator.dialects.params import params_line
from modules.simulator.perp.api import Account, Refused, Why

NOW = 1_770_000_000_000


async def echo(call: Call) -> object:
    return {"who": call.account.name if call.account else None, **call.values.raw}


async def refuse(call: Call) -> object:
    raise Refused(Why.INSUFFICIENT_MARGIN)


class World:
    """A dialect with three routes and a clock in the hand."""

    def __init__(self, limits: Limits | None = None, speed: float = 1.0) -> None:
        self.ms = NOW
        self.revoked: dict[str, object] = {}
        account = Account("trader", "key", "secret")
        gate = BinanceGate({"key": account}.get, speed, None, self.revoked)
        routes = {
            ("GET", "/fapi/v1/open"): Route(echo, params_line("a:int"), flat(10)),
            ("POST", "/fapi/v1/order"): Route(
                echo, params_line("a:int b"), flat(0), Access.SIGNED, lambda values: 1),
            ("POST", "/fapi/v1/refuse"): Route(refuse, {}, flat(0), Access.SIGNED),
            ("POST", "/fapi/v1/listenKey"): Route(echo, {}, flat(1), Access.KEY)}
        self.dialect = BinanceDialect(gate, BinanceWeights(limits or Limits(), speed), routes, lambda: self.ms)

    async def ask(self, method: str, path: str, query: str = "", body: str = "", key: str | None = "key") -> Any:
        reply = await self.dialect.handle(Request(
            method, path, query, body, {"X-MBX-APIKEY": key} if key is not None else {}, "127.0.0.1"))
        return reply.status, json.loads(reply.text), reply.headers

    def sign(self, text: str = "", ms: int | None = None, window: str = "") -> str:
        text = "&".join(part for part in (text, f"timestamp={self.ms if ms is None else ms}", window) if part)
        return text + "&signature=" + hmac.new(b"secret", text.encode(), hashlib.sha256).hexdigest()


async def test_signed_in_query_in_body_and_in_both() -> None:
    world = World()
    assert (await world.ask("POST", "/fapi/v1/order", world.sign("a=1")))[1] == {"who": "trader", "a": "1"}
    assert (await world.ask("POST", "/fapi/v1/order", "", world.sign("a=1")))[1] == {"who": "trader", "a": "1"}
    inside = f"b=2&timestamp={world.ms}"
    signature = hmac.new(b"secret", f"a=1{inside}".encode(), hashlib.sha256).hexdigest()
    got = await world.ask("POST", "/fapi/v1/order", "a=1", f"{inside}&signature={signature}")
    assert got[1] == {"who": "trader", "a": "1", "b": "2"}


@pytest.mark.parametrize(("query", "key", "status", "code"), [
    ("sign", None, 401, -2014),
    ("sign", "", 401, -2014),
    ("sign", "nobody", 401, -2015),
    ("a=1&timestamp=1770000000000", "key", 400, -1102),
    ("a=1&signature=00", "key", 400, -1102),
    ("a=1&timestamp=1770000000000&signature=00", "key", 400, -1022),
])
async def test_who_may_not_come_in(query: str, key: str | None, status: int, code: int) -> None:
    world = World()
    got = await world.ask("POST", "/fapi/v1/order", world.sign() if query == "sign" else query, key=key)
    assert (got[0], got[1]["code"]) == (status, code)


async def test_a_changed_parameter_breaks_the_signature() -> None:
    world = World()
    assert (await world.ask("POST", "/fapi/v1/order", world.sign("a=1").replace("a=1", "a=2")))[1]["code"] == -1022


async def test_a_revoked_key() -> None:
    world = World()
    world.revoked["key"] = "unknown"
    assert (await world.ask("POST", "/fapi/v1/order", world.sign()))[1]["code"] == -2015


@pytest.mark.parametrize(("off_ms", "window", "code"), [
    (0, "", None), (-5000, "", None), (-5001, "", -1021), (1000, "", None), (1001, "", -1021),
    (-9000, "recvWindow=10000", None), (-60_000, "recvWindow=60000", None), (0, "recvWindow=60001", -1131),
    (0, "recvWindow=x", -1100),
])
async def test_the_time_of_a_request(off_ms: int, window: str, code: int | None) -> None:
    world = World()
    got = (await world.ask("POST", "/fapi/v1/order", world.sign("", world.ms + off_ms, window)))[1]
    assert got.get("code") == code


async def test_unknown_parameters_are_named_and_refused() -> None:
    world = World()
    got = await world.ask("POST", "/fapi/v1/order", world.sign("a=1&stopLoss=5"))
    assert got[0] == 400 and got[1]["code"] == -1104 and "stopLoss" in got[1]["msg"]


async def test_no_such_path_and_no_such_method() -> None:
    world = World()
    assert (await world.ask("GET", "/fapi/v1/nothing"))[0] == 404
    assert (await world.ask("DELETE", "/fapi/v1/open"))[0] == 405


async def test_the_venues_refusals_come_with_binances_numbers() -> None:
    world = World()
    got = await world.ask("POST", "/fapi/v1/refuse", world.sign())
    assert got[:2] == (400, {"code": -2019, "msg": "Margin is insufficient."})


@pytest.mark.parametrize("why", list(Why))
def test_every_refusal_has_a_number_and_words(why: Why) -> None:
    assert WORDS[CODES[why]]


async def test_weight_is_counted_and_refused_until_the_minute_is_over() -> None:
    world = World(Limits(weight_1m=30, ban_after=0))
    used = [(await world.ask("GET", "/fapi/v1/open"))[2]["X-MBX-USED-WEIGHT-1M"] for _ in range(3)]
    assert used == ["10", "20", "30"]
    status, content, headers = await world.ask("GET", "/fapi/v1/open")
    assert (status, content["code"]) == (429, -1003)
    assert 1 <= int(headers["Retry-After"]) <= 60
    world.ms += 60_000
    assert (await world.ask("GET", "/fapi/v1/open"))[0] == 200


async def test_who_goes_on_after_429_is_banned_for_two_minutes() -> None:
    world = World(Limits(weight_1m=10, ban_after=3))
    statuses = [(await world.ask("GET", "/fapi/v1/open"))[0] for _ in range(5)]
    assert statuses == [200, 429, 429, 429, 418]
    world.ms += 60_000
    assert (await world.ask("GET", "/fapi/v1/open"))[0] == 418
    world.ms += BAN_MS
    assert (await world.ask("GET", "/fapi/v1/open"))[0] == 200


async def test_orders_are_counted_for_the_account() -> None:
    world = World(Limits(orders_10s=2, orders_1m=3))
    first = await world.ask("POST", "/fapi/v1/order", world.sign())
    assert (first[2]["X-MBX-ORDER-COUNT-10S"], first[2]["X-MBX-ORDER-COUNT-1M"]) == ("1", "1")
    await world.ask("POST", "/fapi/v1/order", world.sign())
    third = await world.ask("POST", "/fapi/v1/order", world.sign())
    assert (third[0], third[1]["code"]) == (429, -1015)
    world.ms += 10_000
    assert (await world.ask("POST", "/fapi/v1/order", world.sign()))[0] == 200
    world.ms += 10_000
    assert (await world.ask("POST", "/fapi/v1/order", world.sign()))[1]["code"] == -1015


async def test_a_faster_market_forgives_sooner() -> None:
    world = World(Limits(weight_1m=10), speed=60.0)
    await world.ask("GET", "/fapi/v1/open")
    assert (await world.ask("GET", "/fapi/v1/open"))[2]["Retry-After"] == "1"


@pytest.mark.parametrize(("limit", "weight"), [("", 10), ("5", 2), ("50", 2), ("100", 5), ("1000", 20), ("9999", 20)])
def test_weights_by_limit(limit: str, weight: int) -> None:
    weigh = by_limit(500, (50, 2), (100, 5), (500, 10), (1000, 20))
    assert weigh(Values({"limit": limit} if limit else {})) == weight


async def test_a_limit_that_is_no_number_is_refused_not_stumbled_over() -> None:
    world = World()
    world.dialect._routes[("GET", "/x")] = Route(  # type: ignore[index]
        echo, params_line("limit:int"), by_limit(500, (1000, 1)))
    assert (await world.ask("GET", "/x", "limit=many"))[1]["code"] == -1100
