"""What tests of every room share: waiting for a condition, and an environment without the settings of who runs them."""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

OURS = ("APIKEYS_", "BACKTEST_", "COXSWAIN_", "DECISIONS_", "EXCHANGE", "HEARTBEAT_", "HYPE_", "LEARNING_", "REPORT_",
        "RISK_", "RSI_", "SENTIMENT_", "SIMULATOR_", "SUPERVISION_", "TELEGRAM_")
PATIENCE_S = 90.0  # long: the machine may be busy; a wait ends as soon as it may


def wait_until(condition: Callable[[], Any], what: str = "", patience_s: float = PATIENCE_S) -> Any:
    """The first true answer of `condition`; fails, naming `what`, when it takes too long."""
    end = time.monotonic() + patience_s
    while not (answer := condition()):
        assert time.monotonic() < end, f"not within {patience_s:.0f} s: {what or condition}"
        time.sleep(0.02)
    return answer


async def until(condition: Callable[[], Any], what: str = "", patience_s: float = 30.0) -> Any:
    """`wait_until` for tests with a loop; the condition is asked on it."""
    end = time.monotonic() + patience_s
    while not (answer := condition()):
        assert time.monotonic() < end, f"not within {patience_s:.0f} s: {what or condition}"
        await asyncio.sleep(0.01)
    return answer


def environment(home: Path, **more: str) -> dict[str, str]:
    """For a program of ours with its state in `home`: this environment, no setting of ours but `more`."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return {**clean, "COXSWAIN_HOME": str(home), **more}
