"""What the tests of the backtest share: one folder of compiled code, so that it is compiled once."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def compiled_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where numba keeps what this session has compiled."""
    return tmp_path_factory.mktemp("compiled")
