"""Bybit v5's sockets: books whose deltas follow, fields that changed, private topics after a login, refusals."""

from typing import Any

import pytest

from tests.simulator.bybit.conftest import Bybit


@pytest.mark.parametrize("changes", [{"secret": "wrong"}, {"expires": "1000"}], ids=["secret", "late"])
async def test_a_login_that_is_wrong(bybit: Bybit, changes: dict[str, str]) -> None:
    socket = await bybit.socket("private", **changes)
    assert (await socket.hear())["success"] is False
    await socket.say("subscribe", "order")
    told = await socket.hear()
    assert (told["success"], told["ret_msg"]) == (False, "Request not authorized")


async def test_topics_that_are_none(bybit: Bybit) -> None:
    socket = await bybit.socket()
    for topic in ("orderbook.7.BTCUSDT", "tickers.NOUSDT", "kline.2.BTCUSDT", "order"):
        await socket.say("subscribe", "tickers.BTCUSDT", topic)
        told = await socket.hear()
        assert told["success"] is False and topic in told["ret_msg"], "all or nothing"
    await socket.say("ping")
    assert (await socket.hear())["ret_msg"] == "pong"


def _apply(book: dict[str, dict[str, str]], data: dict[str, Any]) -> None:
    for side in ("b", "a"):
        for price, size in data[side]:
            if size == "0":
                del book[side][price]
            else:
                book[side][price] = size


async def test_deltas_follow_on_the_snapshot_and_give_the_venues_book(bybit: Bybit) -> None:
    socket = await bybit.socket()
    await socket.say("subscribe", "orderbook.50.BTCUSDT")
    assert (await socket.hear())["success"] is True
    first = await socket.hear()
    assert first["type"] == "snapshot"
    book: dict[str, dict[str, str]] = {"b": {}, "a": {}}
    _apply(book, first["data"])
    last = first["data"]["u"]
    for _ in range(30):
        bybit.pass_ms(100)
        told = await socket.hear()
        assert (told["type"], told["data"]["u"]) == ("delta", last + 1)
        last = told["data"]["u"]
        _apply(book, told["data"])
    true = await bybit.good("GET", "market/orderbook", {"category": "linear", "symbol": "BTCUSDT", "limit": 50})
    assert {side: dict(true[side]) for side in ("b", "a")} == book


async def test_a_ticker_tells_what_changed(bybit: Bybit) -> None:
    socket = await bybit.socket()
    await socket.say("subscribe", "tickers.BTCUSDT")
    await socket.hear()
    whole = (await socket.hear())["data"]
    bybit.pass_ms(1_000)
    told = await socket.hear_of("tickers.BTCUSDT")
    assert told["type"] == "delta" and set(told["data"]) < set(whole)


async def test_private_topics_tell_orders_executions_positions_and_money(bybit: Bybit) -> None:
    socket = await bybit.socket("private")
    assert (await socket.hear())["success"] is True
    await socket.say("subscribe", "order", "execution", "position", "wallet")
    assert (await socket.hear())["success"] is True
    await bybit.create(bybit.taking(orderLinkId="in"))
    order = (await socket.hear_of("order"))["data"][-1]
    assert (order["orderLinkId"], order["orderStatus"]) == ("in", "Filled")
    execution = (await socket.hear_of("execution"))["data"][0]
    position = (await socket.hear_of("position"))["data"][0]
    assert (execution["execQty"], position["size"], position["positionIdx"]) == ("0.01", "0.01", 0)
    assert (await socket.hear_of("wallet"))["data"][0]["coin"][0]["coin"] == "USDT"
    number = await bybit.create(bybit.stop(orderLinkId="stop"))
    told = (await socket.hear_of("order"))["data"][0]
    assert (told["orderId"], told["orderStatus"]) == (number, "Untriggered")


async def test_who_says_nothing_is_cut_off(bybit: Bybit) -> None:
    socket = await bybit.socket()
    await socket.say("ping")
    await socket.hear()
    bybit.clock[0] += 599_000
    bybit.side.hub.check()
    await socket.say("ping")
    assert (await socket.hear())["success"] is True
    bybit.clock[0] += 601_000
    bybit.side.hub.check()
    message = await socket.raw.receive(60)
    assert message.data is None or not isinstance(message.data, str)
