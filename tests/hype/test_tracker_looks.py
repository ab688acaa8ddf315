"""What the tracker tells of its looks: when the token that waits longest was last seen."""

from decimal import Decimal

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
