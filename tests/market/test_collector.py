"""The collector continues where a file ends, page by page, and one bad symbol does not stop the others."""

import numpy as np

from modules.exchange.types import Candles, Unavailable
from modules.market import candles, collector
from modules.market.candles import INTERVAL_MS
from tests.quiet_market import QuietMarket

NOW = 1_750_000_000_000 // INTERVAL_MS * INTERVAL_MS + 60_000


class Venue(QuietMarket):
    """Candles since a listing; answers at most 500 from `since_ms` on."""

    def __init__(self, listed_slots_ago: int = 10**6, hole: range = range(0)) -> None:
        super().__init__(NOW)
        self.first = NOW // INTERVAL_MS - listed_slots_ago
        self.hole = hole
        self.asked: list[int] = []
        self.broken_after = 10**9

    async def candles(self, symbol: str, interval: str, limit: int, since_ms: int | None = None) -> Candles:
        if symbol == "BADUSDT" or len(self.asked) >= self.broken_after:
            raise Unavailable("broken by the test")
        assert since_ms is not None
        self.asked.append(since_ms)
        start = max(self.first, -(-since_ms // INTERVAL_MS))
        slots = [s for s in range(start, min(start + limit, self.hand.ms // INTERVAL_MS + 1))
                 if NOW // INTERVAL_MS - s not in self.hole]
        return np.array([[s * INTERVAL_MS, 1, 1, 1, 1, s % 7] for s in slots], dtype=float).reshape(-1, 6)


async def test_a_first_collection_fetches_pages_of_closed_candles(tmp_path):
    venue = Venue()
    found = await collector.collect(venue, "AUSDT", tmp_path, 1200)
    assert (found.added, found.total, found.gaps, found.problem) == (1200, 1200, 0, "")
    assert len(venue.asked) == 3
    stored = candles.read(candles.candle_path(tmp_path, "AUSDT"))
    assert stored[-1, 0] == (NOW // INTERVAL_MS - 1) * INTERVAL_MS


async def test_it_resumes_after_being_cut_off_and_later_fetches_only_what_is_new(tmp_path):
    venue = Venue()
    venue.broken_after = 1
    [step] = [s async for s in collector.collect_all(venue, ["AUSDT"], tmp_path, 1200, (Unavailable,))]
    assert "broken" in step.last.problem
    venue.broken_after = 10**9
    found = await collector.collect(venue, "AUSDT", tmp_path, 1200)
    assert (found.added, found.total, found.gaps) == (700, 1200, 0)
    venue.hand.ms += 3 * INTERVAL_MS
    venue.asked.clear()
    await collector.collect(venue, "AUSDT", tmp_path, 1200)
    assert venue.asked == [(NOW // INTERVAL_MS) * INTERVAL_MS]


async def test_a_young_token_gives_what_it_has(tmp_path):
    found = await collector.collect(Venue(listed_slots_ago=300), "AUSDT", tmp_path, 1200)
    assert found.total == 300


async def test_a_hole_at_the_venue_is_reported_not_filled(tmp_path):
    found = await collector.collect(Venue(hole=range(50, 60)), "AUSDT", tmp_path, 200)
    assert (found.total, found.gaps) == (190, 1)


async def test_one_bad_symbol_fails_alone_and_progress_is_told(tmp_path):
    steps = [s async for s in collector.collect_all(Venue(), ["AUSDT", "BADUSDT", "CUSDT", "DUSDT"], tmp_path, 10,
                                                    (Unavailable,))]
    assert [s.done for s in steps] == [1, 2, 3, 4]
    assert {s.last.symbol for s in steps if s.last.problem} == {"BADUSDT"}
    assert steps[-1].eta_s == 0.0
    assert steps[0].eta_s is None
