"""One write: positions and trades of the same instant, whatever happens while the disk is busy."""

import asyncio
from decimal import Decimal

import msgspec
import pytest

from modules.strategies.hype.positions import write_off
from tests.hype.tracker_house import House

D = Decimal


@pytest.fixture
def house(tmp_path) -> House:
    made = House(tmp_path)
    made.venue.add("AAAUSDT")
    made.venue.add("BBBUSDT")
    return made


async def test_a_position_that_ends_while_trades_are_written_is_not_saved_as_gone_before_its_trade(house):
    held = await house.bought()
    desk, record = house.test, house.test.trades.record
    writing, go_on = asyncio.Event(), asyncio.Event()

    async def slow(trade):
        writing.set()
        await go_on.wait()
        return await record(trade)

    desk.trades.record = slow
    ended = write_off(held, "dust", house.venue.clock.ms)
    desk.change("AAAUSDT", last_price=D(1))
    desk.stage(msgspec.structs.replace(ended, id="another"))
    first = asyncio.create_task(desk.flush())
    await writing.wait()
    desk.stage(ended)
    desk.drop("AAAUSDT")
    go_on.set()
    assert await first
    assert list(house.on_disk()) == ["AAAUSDT"]  # its trade is not in the history: a crash now must not lose it
    assert ended.id not in {trade.id for trade in house.trades()} and desk.unwritten
    assert await desk.flush()
    assert house.on_disk() == {} and ended.id in {trade.id for trade in house.trades()}


async def test_positions_that_could_not_be_saved_are_saved_by_the_next_write(house, monkeypatch):
    await house.bought()
    desk = house.test

    def refuses(value):
        raise OSError("disk full")

    with monkeypatch.context() as broken:
        broken.setattr(type(desk.files.tracked), "save", lambda self, value: refuses(value))
        desk.change("AAAUSDT", owed=D(3))
        assert not await desk.flush()
        assert desk.unwritten and desk.entries_closed
    assert await desk.flush()
    assert house.on_disk()["AAAUSDT"].owed == 3 and not desk.unwritten

