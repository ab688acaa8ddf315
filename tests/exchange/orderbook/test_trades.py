"""Trades into the ring: both writers alike, duplicates, holes, overruns, the window."""

from typing import Any

import numpy as np
import pytest

from modules.exchange.orderbook import layout as at
from modules.exchange.orderbook import ring, trades
from tests.exchange.orderbook.wire import compact


@pytest.fixture(params=(True, False), ids=("compiled", "plain"))
def on_trade(request: Any) -> trades.OnTrade:
    return trades.writer(compiled=request.param)


def empty(size: int = 8) -> Any:
    return trades.prepare(np.zeros(ring.words(size), np.int64), 1, 3)


def raw(number: int, ms: int = 1000, price: str = "10.5", qty: str = "2.000", maker: bool = False,
        combined: bool = True) -> bytes:
    data = {"e": "aggTrade", "E": ms + 1, "s": "BTCUSDT", "a": number, "p": price, "q": qty, "f": 1, "l": 2, "T": ms,
            "m": maker}
    return compact({"stream": "btcusdt@aggTrade", "data": data} if combined else data)


def start(message: bytes) -> int:
    return message.find(b'"data":') + 7 if b'"data":' in message else 0


def test_a_trade_is_read_whole(on_trade: trades.OnTrade) -> None:
    for combined in (True, False):
        words = empty()
        message = raw(7, maker=True, combined=combined)
        assert on_trade(message, start(message), words, 9) == at.APPLIED_OK
        assert trades.since(words, 0).trades.tolist() == [[7, 1000, 105, 2000, 1, 9]]
        assert trades.as_floats(words, trades.since(words, 0).trades).tolist() == [[1000, 10.5, 2.0, 1]]


def test_duplicates_are_dropped_and_holes_counted(on_trade: trades.OnTrade) -> None:
    words = empty()
    for number in (5, 6, 6, 5, 9):
        message = raw(number)
        on_trade(message, start(message), words, 1)
    assert trades.since(words, 0).trades[:, 0].tolist() == [5, 6, 9]
    assert words[ring.MISSED] == 2 and words[ring.OLD_TRADES] == 2


@pytest.mark.parametrize("damage", [
    lambda m: m[:-1], lambda m: m[:60], lambda m: m.replace(b'"p":"', b'"p":"x'), lambda m: m.replace(b'"m":', b'"n":'),
    lambda m: m + b"}", lambda m: m.replace(b'"T":', b'"T":-'),
])
def test_a_damaged_one_is_not_taken_in(on_trade: trades.OnTrade, damage: Any) -> None:
    words, message = empty(), raw(3)
    assert on_trade(damage(message), start(message), words, 1) == at.BAD_FRAME
    assert words[ring.BAD_TRADES] == 1 and not len(trades.since(words, 0).trades)


def test_a_finer_price_says_so(on_trade: trades.OnTrade) -> None:
    message = raw(3, price="10.55")
    assert on_trade(message, start(message), empty(), 1) == at.OFF_GRID


def test_a_reader_follows_every_trade_and_learns_of_an_overrun(on_trade: trades.OnTrade) -> None:
    words, seen, number = empty(8), 0, 0
    got = []
    for number in range(1, 6):
        message = raw(number)
        on_trade(message, start(message), words, 1)
        rows = trades.since(words, seen)
        seen = rows.next_number
        got += rows.trades[:, 0].tolist()
    assert got == [1, 2, 3, 4, 5]
    for number in range(6, 30):
        message = raw(number)
        on_trade(message, start(message), words, 1)
    rows = trades.since(words, seen)
    assert rows.overrun + len(rows.trades) == 24 and rows.trades[-1, 0] == 29


def test_window_counts_the_takers_side(on_trade: trades.OnTrade) -> None:
    words = empty(16)
    for number, (ms, qty, maker) in enumerate([(900, "9.000", False), (1000, "1.000", False), (1100, "5.000", True)]):
        message = raw(number + 1, ms=ms, qty=qty, maker=maker)
        on_trade(message, start(message), words, 1)
    found = trades.window(words, 1000, 50.0)
    assert found == trades.Window(1, 1, 0, 1, 10.5, 52.5, True)
    assert not trades.window(words, 800, 50.0).whole
