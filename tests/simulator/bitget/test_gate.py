"""Signatures, keys, demo header, limits, parameters: who and what gets in on Bitget's wire."""

from __future__ import annotations

import json

import pytest

from modules.simulator.dialects.bitget_limits import Limits
from tests.simulator.bitget.conftest import MIX, Bitget, Opener
from tests.simulator.conftest import Starter

ACCOUNTS = MIX + "account/accounts?productType=USDT-FUTURES"


@pytest.mark.parametrize(("changes", "code"), [
    ({"ACCESS-KEY": ""}, "40001"), ({"ACCESS-SIGN": ""}, "40003"), ({"ACCESS-TIMESTAMP": "soon"}, "40005"),
    ({"ACCESS-PASSPHRASE": ""}, "40011"), ({"ACCESS-KEY": "nobody"}, "40037"),
    ({"ACCESS-PASSPHRASE": "wrong"}, "40012"), ({"secret": "wrong"}, "40009"), ({"stamp": "1769999960000"}, "40008"),
    ({"PAPTRADING": "1"}, "40099"), ({"ACCESS-KEY": "sim-demo-key", "secret": "sim-demo-secret"}, "40099"),
])
async def test_who_is_turned_away(bitget: Bitget, changes: dict[str, str], code: str) -> None:
    status, content = await bitget.ask("GET", ACCOUNTS, None, bitget.headers("GET", ACCOUNTS, "", **changes))
    assert (status, content["code"]) == (400, code)
    assert "sim-secret" not in json.dumps(content)


async def test_demo_keys_with_the_header_have_an_account_of_their_own(bitget: Bitget) -> None:
    await bitget.good("POST", "order/place-order", bitget.taking())
    demo = bitget.headers(
        "GET", ACCOUNTS, "", **{"ACCESS-KEY": "sim-demo-key", "secret": "sim-demo-secret", "paptrading": "1"})
    _, content = await bitget.ask("GET", ACCOUNTS, None, demo)
    assert content["data"][0]["accountEquity"] == "10000.00000000"


@pytest.mark.parametrize(("params", "code"), [
    ({"colour": "red"}, "400172"), ({"positionSide": "LONG"}, "400172"), ({"closePosition": True}, "400172"),
    ({"symbol": "NOPEUSDT"}, "40034"), ({"symbol": "../x"}, "40020"), ({"productType": "MOON"}, "40020"),
    ({"productType": "COIN-FUTURES"}, "40034"), ({"marginCoin": "BTC"}, "40778"), ({"side": "long"}, "40020"),
    ({"orderType": "STOP_MARKET"}, "40020"), ({"force": "GTD"}, "40020"), ({"size": "NaN"}, "40020"),
    ({"size": "1e3"}, "40020"), ({"size": "0"}, "40808"), ({"size": "-1"}, "40808"), ({"size": "0.00011"}, "40808"),
    ({"size": ["1"]}, "40020"), ({"size": None}, "40019"), ({"price": None}, "40019"), ({"price": "0.123456"}, "40808"),
    ({"size": "9"}, "40762"), ({"price": "100000"}, "40815"),
    ({"clientOid": "ä"}, "40305"), ({"clientOid": "x" * 65}, "40305"), ({"tradeSide": "open"}, "40774"),
    ({"reduceOnly": "YES", "side": "sell"}, "22002"),
    ({"marginMode": "both"}, "40020"), ({"stpMode": "cancel_taker"}, "40020"),
    ({"presetStopLossPrice": "99999"}, "40834"), ({"presetStopSurplusPrice": "1000"}, "40830"),
])
async def test_orders_that_cannot_be(bitget: Bitget, params: dict[str, object], code: str) -> None:
    assert await bitget.code("POST", "order/place-order", bitget.order(**params)) == code
    assert bitget.venue.open_orders(bitget.trader) == []
    assert not bitget.trader.legs()


async def test_the_least_order_is_worth_five_usdt_in_every_contract(bitget: Bitget) -> None:
    told = await bitget.good("GET", "market/contracts", {"productType": "USDT-FUTURES"})
    assert {row["minTradeUSDT"] for row in told} == {"5"}
    await bitget.good("POST", "order/place-order", bitget.order(size="0.001"))  # 60 USDT
    cheap = bitget.taking(symbol="ETHUSDT", size="0.001")
    assert await bitget.code("POST", "order/place-order", cheap) == "45110"


@pytest.mark.parametrize("body", ["[]", "{", '"x"', "[" * 5000, "null"])
async def test_bodies_that_are_no_object(bitget: Bitget, body: str) -> None:
    path = MIX + "order/place-order"
    async with bitget.session.post(
            bitget.base + path, data=body, headers=bitget.headers("POST", path, body)) as answer:
        assert answer.status == 400
        assert (await answer.json())["code"] == "400172"


async def test_paths_and_methods_that_are_none(bitget: Bitget) -> None:
    assert (await bitget.ask("GET", "market/nothing"))[0] == 404
    assert (await bitget.ask("GET", "order/place-order"))[0] == 405


async def test_calls_a_second_are_counted_by_endpoint(open_bitget: Opener) -> None:
    bitget = await open_bitget(Limits())
    codes = [(await bitget.ask("POST", "order/place-order", bitget.order(clientOid=f"n{number}")))[0]
             for number in range(11)]
    assert codes == [200] * 10 + [429]
    assert (await bitget.ask("GET", "order/orders-pending", {"productType": "USDT-FUTURES"}))[0] == 200
    bitget.pass_ms(1_000)
    assert (await bitget.ask("POST", "order/place-order", bitget.order()))[0] == 200


async def test_an_address_has_a_limit_too(open_bitget: Opener) -> None:
    bitget = await open_bitget(Limits(times=1000, address_1m=5))
    codes = [(await bitget.ask("GET", "/api/v2/public/time"))[0] for _ in range(6)]
    assert codes == [200] * 5 + [429]


async def test_the_limit_of_an_address_is_an_option_of_the_simulated_exchange(start: Starter) -> None:
    exchange = await start(futures=1, bitget_calls=60)
    codes = []
    for number in range(61):
        exchange.clock.seconds = number / 10  # ten a second are within the endpoint's own limit
        codes.append((await exchange.get("/api/v2/public/time"))[0])
    assert codes == [200] * 60 + [429]
