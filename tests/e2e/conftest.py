"""Programs of the end-to-end tests: each with a home of its own, none left running."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.harness import Program

# A market that is quick to start and to move, the same in every run, and bars at which a token is bought every few
# seconds: the tests need trades, not good ones.
QUICK = {"SIMULATOR_SPEED": "60", "SIMULATOR_TOKENS": "200", "SIMULATOR_START": "2026-03-03T12:00:00Z",
         "HYPE_MAX_OPEN_TRADES": "8", "HYPE_GROWTH_5M_PCT": "2", "HYPE_GROWTH_1H_PCT": "3",
         "HYPE_GROWTH_24H_PCT": "8", "HYPE_VOLUME_SURGE": "1.5"}

StartProgram = Callable[..., Program]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here starts the whole program: allow it minutes, and mark it."""
    for item in items:
        if "e2e" in item.path.parts:
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture
def program(tmp_path: Path) -> Iterator[StartProgram]:
    """Start a program: ``program(HYPE_TRADE_USDT="20")``; everything of it is killed at the end of the test."""
    made: list[Program] = []

    def start(arguments: tuple[str, ...] = ("--console",), home: str = "home", **environment: str) -> Program:
        one = Program(tmp_path / home, arguments, **{**QUICK, **environment})
        made.append(one)
        return one.start()

    yield start
    for one in made:
        print(f"--- printed by {one.home.name}:\n{one.output[-5000:]}\n{one.logs()}")  # shown when the test fails
        one.kill_all()
