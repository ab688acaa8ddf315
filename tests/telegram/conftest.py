"""Fixtures of the Telegram room."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.telegram.bot_api import BotApiServer
from tests.telegram.house import House


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A router with its surroundings."""
    return House(tmp_path)


@pytest.fixture
def api() -> Iterator[BotApiServer]:
    """A Bot API on a free port."""
    with BotApiServer() as server:
        yield server
