"""Houses for tests: quick, and closed afterwards."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from modules.exchange import futures_paper
from modules.execution.futures import desk, exits
from tests.execution.futures.house import House, Venue

Make = Callable[..., Awaitable[House]]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(futures_paper, "AGAIN_S", -1.0)
    monkeypatch.setattr(desk, "FLAT_FOR_S", 0.0)
    monkeypatch.setattr(exits, "PAUSE_S", 0.001)


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    houses: list[House] = []

    async def build(**terms: object) -> House:
        house = await House(tmp_path / str(len(houses)), Venue(), **terms).open()  # type: ignore[arg-type]
        houses.append(house)
        await house.start()
        return house

    yield build
    for house in houses:
        await house.close()
