"""The tracker's voice: notices are written one after the other on a thread of their own, never on the event loop.

A flush to disk takes milliseconds, on a busy disk many; with twenty stops at once the next look must not wait for it.
"""

import asyncio
import logging
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from modules.supervision.outbox import Outbox

log = logging.getLogger(__name__)


class Teller:
    """Writes to the outbox in the order of the calls."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="notices")
        self._closed = False

    def say(self, what: str, **parts: Any) -> None:
        """Have a person told; returns at once."""
        if self._closed:
            log.warning("said after the end: %s", what)
            return
        self._thread.submit(self._outbox.say, what, **parts).add_done_callback(_log_failure)

    async def write(self, notices: list[dict[str, Any]]) -> None:
        """Have persons told, and wait until that is on disk. Raises OSError."""
        if notices:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._write, notices)

    def wait(self) -> None:
        """Until everything said so far is written."""
        if not self._closed:
            self._thread.submit(lambda: None).result()

    def close(self) -> None:
        """Write what is left and end the thread."""
        self._closed = True
        self._thread.shutdown(wait=True)

    def _write(self, notices: list[dict[str, Any]]) -> None:
        for words in notices:
            self._outbox.say(**words)


def _log_failure(done: Future[str]) -> None:
    """Border of a thread: what failed there is logged; trading goes on."""
    if not done.cancelled() and done.exception() is not None:
        log.error("a notice could not be written", exc_info=done.exception())
