"""The dead-man ping (P16): a URL of the user's is called while all is well; its silence tells that something died."""

import asyncio
import logging
from collections.abc import Callable

from utils.web import NoAnswer, call

log = logging.getLogger(__name__)


async def ping_loop(url: str, every_s: float, healthy: Callable[[], bool]) -> None:
    """Ping `url` every `every_s` seconds while `healthy()`. Runs until cancelled; returns at once without a URL.

    A ping that fails is logged once per episode and tried again next time: the far side raises the alarm.
    """
    if not url:
        return
    problem = ""
    while True:
        found = "" if not healthy() else await _ping(url)
        if found != problem:
            if found:
                log.warning("dead-man ping fails: %s", found)
            else:
                log.info("dead-man ping works again")
            problem = found
        await asyncio.sleep(every_s)


async def _ping(url: str) -> str:
    """"" when it was taken, else what is wrong."""
    try:
        status, _ = await asyncio.to_thread(call, url)
    except (NoAnswer, ValueError) as problem:
        return str(problem)
    return "" if status < 400 else f"HTTP status {status}"
