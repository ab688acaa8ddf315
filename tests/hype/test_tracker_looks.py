"""The tracker's looks: one that hangs holds up no other, and what it tells of the token that waits longest."""

import asyncio
from decimal import Decimal

import pytest

from modules.exchange.types import Book
from modules.strategies.hype.tracker_looks import Looks
from tests.execution.venue import START_MS, MarketStub


async def test_the_oldest_last_look_of_all_that_is_held_is_told():
    venue = MarketStub()
    for symbol in ("AAAUSDT", "BBBUSDT"):
        venue.add(symbol)
    looks = Looks(venue)
    assert looks.figures()["seen_ms"] == 0
    await looks.look(["AAAUSDT", "BBBUSDT"])
    assert looks.figures()["seen_ms"] == START_MS
    venue.clock.pass_s(5)
    del venue.bids["BBBUSDT"]  # no price, no look
    assert list(await looks.look(["AAAUSDT", "BBBUSDT"])) == ["AAAUSDT"]
    assert looks.figures()["seen_ms"] == START_MS
    venue.bids["BBBUSDT"] = Decimal("1")
    await looks.look(["AAAUSDT", "BBBUSDT"])
    assert looks.figures()["seen_ms"] == START_MS + 5000


async def test_what_was_never_seen_is_not_told_as_seen():
    venue = MarketStub()
    venue.add("AAAUSDT")
    venue.add("BBBUSDT")
    del venue.bids["BBBUSDT"]  # no price, no look
    looks = Looks(venue)
    await looks.look(["AAAUSDT", "BBBUSDT"])
    assert looks.figures()["seen_ms"] == 0
    await looks.look([])
    assert looks.figures()["seen_ms"] == 0


class Hanging(MarketStub):
    """Never answers about one symbol, nor for the list of all tickers."""

    async def book(self, symbol: str, limit: int = 50) -> Book:
        if symbol == "AAAUSDT":
            await asyncio.Event().wait()
        return await super().book(symbol, limit)

    async def tickers(self):
        await asyncio.Event().wait()


@pytest.mark.parametrize("count", [2, 12])
async def test_an_answer_that_does_not_come_holds_up_no_other_look(count):
    venue = Hanging()
    symbols = [f"{letter * 3}USDT" for letter in "ABCDEFGHIJKLMN"[:count]]
    for symbol in symbols:
        venue.add(symbol)
    looks = Looks(venue)
    looks.within_s = 0.3
    async with asyncio.timeout(60):
        found = await looks.look(symbols)
    assert list(found) == (["BBBUSDT"] if count == 2 else []) and looks.failed == 1
