"""A house for the dashboard's tests."""

from pathlib import Path

import pytest

from tests.telegram.house import House


@pytest.fixture
def house(tmp_path: Path) -> House:
    """State of one's own, with a router."""
    return House(tmp_path)
