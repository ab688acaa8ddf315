"""Reads that guarding waits for: one that is silent is asked a second time, and the first answer counts (X18, X31).

A venue answers within a tenth of a second, or a request hangs until its timeout: a position may stand without a stop
meanwhile. Asking twice changes nothing at the venue and costs the weight once more, but only where the first was slow.
Orders are never sent so (X4).
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

PROMPT_S = 0.7


async def promptly(ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The first answer of one request, or of a second one that goes where the first is silent for `PROMPT_S`.

    Raises what the last of them raised where both failed.
    """
    asked = {asyncio.create_task(ask())}
    try:
        done, _ = await asyncio.wait(asked, timeout=PROMPT_S)
        if not done:
            asked.add(asyncio.create_task(ask()))
        waiting = set(asked)
        while True:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            good = next((task for task in done if task.exception() is None), None)
            if good is not None:
                return good.result()
            if not waiting:
                return done.pop().result()
    finally:
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
