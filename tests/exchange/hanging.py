"""A read whose first request hangs for minutes, as on a connection that died unseen."""

import asyncio
from collections.abc import Awaitable, Callable

from modules.simulator.fault_plan import FaultPlan
from modules.simulator.faults import Faults

HANGS = {"class": "any", "kind": "timeout_before", "params": {"ms": 600_000}, "max_times": 1}


async def answered_though_one_hangs(faults: Faults, read: Callable[[], Awaitable[object]]) -> None:
    """Let the next request hang; `read` has to come back all the same."""
    faults.replace(FaultPlan.parse({"seed": 1, "rules": [HANGS]}, "test"))
    async with asyncio.timeout(60):
        await read()
    assert set(faults.injected) == {"timeout_before"}
