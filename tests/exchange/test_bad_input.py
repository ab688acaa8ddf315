"""Garbage from the venue: the right value or a typed refusal, never another exception, never a wrong number (X15)."""

import copy
import dataclasses
import json
import logging
import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from enum import Enum
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.exchange import mexc_parse as parse
from modules.exchange import wire
from modules.exchange.parsing import Unreadable
from modules.exchange.types import OrderRequest, OrderType, Side, Unavailable, Unknown
from modules.exchange.venue_mexc import MexcAccount, MexcMarket
from tests.exchange.fake_venue import FakeVenue, linked
from tests.exchange.test_parse import API, CANDLE, FILL, ORDER, SYMBOL, TICKER

NOW = 1_707_671_871_000
BALANCES = {"canTrade": True, "canWithdraw": False, "balances": [{"asset": "USDT", "free": "1.10", "locked": "0.5"}]}
DEPTH = {"bids": [["1.5", "2"], ["1.4", "3"]], "asks": [["1.6", "2"], ["1.7", "3"]], "timestamp": NOW}
PRINT = {"a": None, "p": "1.5", "q": "3", "T": NOW, "m": True}

# name: (parser, a valid answer, fields that must not take any rubbish)
PARSERS: dict[str, tuple[Callable[[str], Any], Any, frozenset[str]]] = {
    "markets": (lambda body: parse.markets(body, API), {"symbols": [SYMBOL]},
                frozenset({"baseAssetPrecision", "quoteAssetPrecision", "baseSizePrecision", "quoteAmountPrecision",
                           "takerCommission", "makerCommission"})),
    "api symbols": (lambda body: parse.markets(json.dumps({"symbols": [SYMBOL]}), body), json.loads(API),
                    frozenset()),
    "tickers": (parse.tickers, [TICKER], frozenset({"lastPrice", "bidPrice", "askPrice", "quoteVolume"})),
    "candles": (parse.candles, [CANDLE], frozenset({"0", "1", "2", "3", "4", "5"})),
    "book": (lambda body: parse.book("X", body, NOW), DEPTH, frozenset({"0", "1"})),
    "trades": (parse.prints, [PRINT], frozenset({"p", "q", "T"})),
    "balances": (parse.balances, BALANCES, frozenset({"free", "locked"})),
    "rights": (parse.rights, BALANCES, frozenset()),
    "placed": (lambda body: parse.placed(body, "X"), {"symbol": "X", "orderId": "C02__1"}, frozenset({"symbol"})),
    "order": (lambda body: parse.order(body, "ATLASUSDT", "cx-1"), ORDER,
              frozenset({"symbol", "origQty", "executedQty", "cummulativeQuoteQty", "status", "type", "side", "time"})),
    "orders": (parse.orders, [ORDER],
               frozenset({"origQty", "executedQty", "cummulativeQuoteQty", "status", "type", "side", "time"})),
    "fills": (lambda body: parse.fills(body, "ATLASUSDT"), [FILL],
              frozenset({"symbol", "price", "qty", "commission", "time"})),
}
GONE = object()
RUBBISH: list[Any] = [
    GONE, None, "", " ", "NaN", "nan", "Infinity", "-Infinity", math.nan, math.inf, "-1", -1, -0.5, "1e999999", 10**400,
    "9e35", "1_000", "٣", "0x10", "1,5", "1.2.3", "--1", "<html>", "9" * 60, True, False, [], {}, [1], {"a": 1},
    "\x00", "💥",
]
DEEP = "[" * 200_000


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to everything inside a JSON value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inside:
        yield (*path, key)
        yield from leaves(one, (*path, key))


def changed(value: Any, path: tuple[Any, ...], to: Any) -> Any:
    """A copy with something else at `path`."""
    found = copy.deepcopy(value)
    holder = found
    for key in path[:-1]:
        holder = holder[key]
    if to is GONE:
        del holder[path[-1]]
    else:
        holder[path[-1]] = to
    return found


def assert_sane(value: Any) -> None:
    """Nothing that comes out of a parser is a number that no market knows."""
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            assert_sane(getattr(value, field.name))
    elif isinstance(value, dict | list | tuple):
        for one in value.values() if isinstance(value, dict) else value:
            assert_sane(one)
    elif isinstance(value, np.ndarray):
        assert np.isfinite(value).all() and (value >= 0).all()
    elif isinstance(value, Decimal):
        assert value.is_finite() and -Decimal("1e30") < value < Decimal("1e30")
    elif isinstance(value, float):
        assert math.isfinite(value) and value >= -100
    else:
        assert value is None or isinstance(value, bool | int | str | Enum)


def read(name: str, body: str) -> Any:
    """What the parser makes of it; None for a refusal. Any other exception fails the test."""
    try:
        found = PARSERS[name][0](body)
    except Unreadable as refusal:
        assert len(str(refusal)) < 400  # fit for a log
        return None
    assert_sane(found)
    return found


@pytest.mark.parametrize("name", PARSERS)
def test_every_rubbish_in_every_place(name: str) -> None:
    _, valid, guarded = PARSERS[name]
    right = read(name, json.dumps(valid))
    assert right is not None
    for path in leaves(valid):
        for rubbish in RUBBISH:
            found = read(name, json.dumps(changed(valid, path, rubbish)))
            if str(path[-1]) in guarded and not isinstance(path[-1], int):
                assert found is None, (path, rubbish)
            elif len(path) >= 2 and str(path[-1]) in guarded and rubbish is not GONE:
                assert found is None or np.array_equal(found, right), (path, rubbish)


@pytest.mark.parametrize("name", PARSERS)
def test_numbers_of_thousands_of_digits(name: str) -> None:
    valid = PARSERS[name][1]
    for path in leaves(valid):
        body = json.dumps(changed(valid, path, "HERE"))
        for number in ("9" * 5000, "0." + "9" * 5000, "-" + "9" * 5000):
            read(name, body.replace('"HERE"', number))
            read(name, body.replace("HERE", number))


@pytest.mark.parametrize("name", PARSERS)
def test_an_answer_cut_off_anywhere_is_refused(name: str) -> None:
    body = json.dumps(PARSERS[name][1])
    for length in range(len(body)):
        assert read(name, body[:length]) is None


@pytest.mark.parametrize("name", PARSERS)
@pytest.mark.parametrize("body", [
    "", "null", "true", "1", '"text"', "<html>maintenance</html>", "NaN", "\ud800", "{}",
    pytest.param(DEEP, id="deep list"), pytest.param('{"a":' * 100_000, id="deep object"),
])
def test_something_else_altogether_is_refused(name: str, body: str) -> None:
    assert read(name, body) is None


mutations = st.lists(st.tuples(st.integers(0, 10_000), st.sampled_from(RUBBISH)), min_size=1, max_size=4)


@given(st.sampled_from(sorted(PARSERS)), mutations)
@settings(max_examples=400, deadline=None)
def test_several_things_wrong_at_once(name: str, wrong: list[tuple[int, Any]]) -> None:
    value = copy.deepcopy(PARSERS[name][1])
    for place, rubbish in wrong:
        paths = list(leaves(value))
        if paths:
            value = changed(value, paths[place % len(paths)], rubbish)
    read(name, json.dumps(value))


@given(st.sampled_from(sorted(PARSERS)), st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=5))
@settings(max_examples=400, deadline=None)
def test_bytes_that_fell_over(name: str, flips: list[tuple[int, int]]) -> None:
    raw = bytearray(json.dumps(PARSERS[name][1]).encode())
    for place, byte in flips:
        raw[place % len(raw)] = byte
    read(name, raw.decode("utf-8", "replace"))


@given(st.sampled_from(sorted(PARSERS)), st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_text_at_all(name: str, body: str) -> None:
    read(name, body)


# -- on the wire -----------------------------------------------------------------------------------------------------

BODIES = ["<html>maintenance</html>", "", "null", "[[[[", DEEP, '{"bids":[["NaN","1"]],"asks":[]}', '{"balances":1}',
          '[{"symbol":"PEPEUSDT","orderId":1}]']


async def test_a_trouble_is_logged_once_an_episode_and_never_answered(
    venue: FakeVenue, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    link = await linked(venue, timeout_s=0.15)
    market, account = MexcMarket(link), MexcAccount(link, "key-of-tests", "secret-of-tests")
    asked = {"depth": lambda: market.book("PEPEUSDT"), "account": account.balances,
             "openOrders": account.open_orders, "myTrades": lambda: account.fills("PEPEUSDT", 0)}
    try:
        for path, ask in asked.items():
            for body in ("<html>maintenance</html>", '{"bids":[["NaN","1"]],"asks":[]}', '{"balances":1}'):
                venue.set("GET", path, body)
                for _ in range(2):
                    with pytest.raises(Unavailable):
                        await ask()
            lines = [record for record in caplog.records if path in record.getMessage()]
            assert 1 <= len(lines) <= 2  # one for no answer, one for an answer that cannot be trusted
    finally:
        await market.close()


async def test_no_rubbish_makes_an_order_sent_or_not_sent(venue: FakeVenue) -> None:
    link = await linked(venue)
    account = MexcAccount(link, "key-of-tests", "secret-of-tests")
    order = OrderRequest("cx-1", "PEPEUSDT", Side.SELL, OrderType.MARKET, quantity=Decimal(5))
    try:
        for body in BODIES:
            venue.set("POST", "order", body)
            assert isinstance(await account.place(order), Unknown)
            venue.set("DELETE", "order", body)
            assert isinstance(await account.cancel("PEPEUSDT", "cx-1"), Unknown)
        assert venue.count("POST", "order") == len(BODIES)
    finally:
        await link.close()


async def test_a_body_without_end_is_cut_off(venue: FakeVenue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "BIGGEST_BODY", 1000)
    link = await linked(venue, timeout_s=0.3)
    market, account = MexcMarket(link), MexcAccount(link, "key-of-tests", "secret-of-tests")
    long = json.dumps(DEPTH | {"padding": "x" * 2000})
    try:
        venue.set("GET", "depth", long)
        with pytest.raises(Unavailable):
            await market.book("PEPEUSDT")
        venue.set("POST", "order", long)
        order = OrderRequest("cx-1", "PEPEUSDT", Side.SELL, OrderType.MARKET, quantity=Decimal(5))
        outcome = await account.place(order)
        assert isinstance(outcome, Unknown) and "longer than any honest one" in outcome.reason
        venue.set("GET", "depth", DEPTH | {"timestamp": None})
        assert (await market.book("PEPEUSDT")).bids
    finally:
        await market.close()
