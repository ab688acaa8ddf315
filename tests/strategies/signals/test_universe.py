"""The funnel: who falls where, what it costs, exclusions at once, one list for the feed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modules.exchange.feed.engine import Units
from modules.exchange.feed.rest import Listed
from modules.exchange.types import Unavailable
from modules.strategies.signals import universe
from modules.strategies.signals.rest import Day
from modules.strategies.signals.selector import HOUR_MS, Selector
from modules.strategies.signals.settings import SignalSettings
from modules.strategies.signals.universe import Known
from modules.supervision.messages import Inbox
from tests.strategies.signals.market import Rowkeeper
from tests.strategies.signals.test_context import rows_of
from utils.paths import Paths

SETTINGS = SignalSettings(universe_size=2)
NOW = 1_800_000_000_000


class Venue:
    """REST with settable figures, and a count of the weight that it was really asked."""

    def __init__(self) -> None:
        names = ("BIG", "GOOD", "NEXT", "THIN", "WIDE", "EMPTY", "GONE")
        self.volume = dict.fromkeys(names, 80e6) | {"BIG": 2e9, "THIN": 49e6, "NEXT": 60e6}
        self.spread = dict.fromkeys(names, 0.01) | {"WIDE": 0.021}
        self.interest = dict.fromkeys(names, 20e6) | {"EMPTY": 9e6}
        self.trading = {name: name != "GONE" for name in names}
        self.weight, self.depths, self.away = 0, 0, False

    async def listed(self) -> dict[str, Listed]:
        if self.away:
            raise Unavailable("away")
        self.weight += 1
        return {name: Listed(on, Units(2, 1), 0.05) for name, on in self.trading.items()}

    async def days(self) -> dict[str, Day]:
        self.weight += 40
        return {name: Day(volume, 864_000) for name, volume in self.volume.items()}

    async def spreads(self) -> dict[str, float]:
        self.weight += 5
        return self.spread

    async def marks(self) -> dict[str, float]:
        self.weight += 10
        return dict.fromkeys(self.volume, 2.0)

    async def open_interest(self, symbol: str) -> float:
        self.weight += 1
        return self.interest[symbol] / 2.0

    async def depth_usdt(self, symbol: str, levels: int, pct: float) -> tuple[float, bool]:
        self.weight += 10
        self.depths += 1
        return (1e6, False)

    async def candles(self, symbol: str, interval: str, limit: int) -> np.ndarray[Any, Any]:
        self.weight += 1
        return rows_of([100.0] * 99, spread=2.5, last_open=False)

    def depth_weight(self, levels: int) -> int:
        return 10


def test_score_by_the_stated_weights_each_capped() -> None:
    assert universe.score(100e6, 2e6, 0.1, 10) == pytest.approx(100) == universe.score(1e9, 9e9, 5, 99)
    assert universe.score(50e6, 0, 0, 0) == pytest.approx(17.5) and universe.score(0, 1e6, 0, 5) == pytest.approx(22.5)


async def test_everyone_falls_at_the_first_minimum_and_the_weight_is_as_stated() -> None:
    venue = Venue()
    found = await universe.scan(venue, SETTINGS, NOW, lambda symbol: Known(), 2)
    fell = {one.symbol: one.reason for one in found.places}
    assert fell == {"BIG": "CHOSEN", "GOOD": "CHOSEN", "NEXT": "RANK", "THIN": "VOLUME", "WIDE": "SPREAD",
                    "EMPTY": "OPEN_INTEREST", "GONE": "NOT_TRADING"}
    assert found.chosen == ["BIG", "GOOD"] and venue.depths == 3, "snapshots only for those that passed all minimums"
    assert found.weight == venue.weight == 56 + 4 + 3 * 11
    big = found.places[0]
    assert not big.depth_whole and big.atr_ratio is not None
    assert big.score == pytest.approx(35 + 12.5 + 20 * big.atr_ratio / 0.1 + 20)
    assert all(row["reason"] for row in universe.rows_of(found)) and len(universe.rows_of(found)) == 7


async def test_what_the_feed_knows_costs_nothing() -> None:
    venue = Venue()
    rows = rows_of([100.0] * 99)
    found = await universe.scan(venue, SETTINGS, NOW, lambda symbol: Known(3e6, True, rows), 2)
    assert venue.depths == 0 and found.weight == venue.weight == 60


def selector(folder: Path, venue: Venue, rows: Rowkeeper) -> Selector:
    return Selector(Paths(folder).prepare(), SETTINGS, venue, rows.add, lambda symbol: Known())


def asked(folder: Path) -> list[list[str]]:
    return [sorted(message.body["symbols"]) for _, message in Inbox(Paths(folder).inbox, "feed").take()]


async def test_rescan_check_exclusion_and_one_list_for_the_feed(tmp_path: Path) -> None:
    venue, rows = Venue(), Rowkeeper()
    found = selector(tmp_path, venue, rows)
    assert await found.turn(NOW) and found.symbols() == ["BIG", "GOOD"]
    assert not await found.turn(NOW + HOUR_MS - 1) and found.ask_feed({"OPEN"}) and not found.ask_feed({"OPEN"})
    venue.volume["BIG"] = 1.0
    assert await found.turn(NOW + HOUR_MS) and found.symbols() == ["GOOD"] and found.kept.excluded == {"BIG": "VOLUME"}
    found.exclude("GOOD", "spread 0.5% > 0.02%", NOW)
    assert found.tick("GOOD") == 0.05 and found.tick("UNKNOWN") == 0.0
    assert found.symbols() == [] and {row["reason"] for row in rows.of("universe")} >= {"VOLUME", "SPREAD"}
    again = selector(tmp_path, venue, rows)
    assert again.symbols() == [], "an exclusion survives a restart"
    assert found.ask_feed({"OPEN"}), "what is followed stays heard"
    assert asked(tmp_path) == [["BIG", "GOOD", "OPEN"], ["OPEN"]]
    assert await found.turn(NOW + 6 * HOUR_MS) and found.symbols() == ["GOOD", "NEXT"], "a scan begins anew"


async def test_a_venue_that_is_away_changes_nothing(tmp_path: Path) -> None:
    venue = Venue()
    found = selector(tmp_path, venue, Rowkeeper())
    await found.turn(NOW)
    venue.away = True
    assert not await found.turn(NOW + 7 * HOUR_MS)
    assert found.symbols() == ["BIG", "GOOD"] and found.problem == "away"
    venue.away = False
    assert not await found.turn(NOW + 7 * HOUR_MS + 1), "asked again a minute later"
    assert await found.turn(NOW + 7 * HOUR_MS + 60_000) and not found.problem


async def test_a_smaller_universe_keeps_the_best(tmp_path: Path) -> None:
    settings = SignalSettings(universe_size=6)
    found = Selector(Paths(tmp_path).prepare(), settings, Venue(), Rowkeeper().add, lambda symbol: Known())
    await found.turn(NOW)
    found.resize(1)
    assert found.size == 5, "never below a floor"
    found.size = 1
    assert found.symbols() == ["BIG"]
    found.resize(500)
    assert found.size == 6 and len(found.symbols()) == 3
