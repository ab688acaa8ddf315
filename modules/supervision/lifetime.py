"""How long the command process lives, and how it ends: Ctrl-C, a signal, ``bot.py stop``, or /restartloop.

The process awaits `ended()`; whoever wants its end calls `stop` or `request_restart`, or leaves the stop file.
"""

import asyncio
import logging
import signal
from pathlib import Path
from types import FrameType
from typing import Any

log = logging.getLogger(__name__)

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_SETTINGS = 2
EXIT_RESTART = 85  # bot.py executes itself anew; the services live on
_SIGNALS = ("SIGINT", "SIGTERM", "SIGBREAK", "SIGHUP")


def stop_file(run_folder: Path) -> Path:
    """Its existence asks the command process to stop (``bot.py stop``); works alike on Linux and Windows."""
    return run_folder / "bot.stop"


class Lifetime:
    """The wish to end, from wherever it comes. Use as a context manager: it owns the signal handlers within."""

    def __init__(self, run_folder: Path) -> None:
        self._file = stop_file(run_folder)
        self._wish = asyncio.Event()
        self._code = EXIT_OK
        self.why = ""
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Lifetime":
        self._file.unlink(missing_ok=True)
        loop = asyncio.get_running_loop()

        def ask(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(self.stop, signal.Signals(number).name)

        for name in _SIGNALS:
            number = getattr(signal, name, None)
            if number is not None and not (name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN):  # nohup
                self._before[number] = signal.signal(number, ask)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._file.unlink(missing_ok=True)

    @property
    def ending(self) -> bool:
        """Whether the end has been asked for."""
        return self._wish.is_set()

    def stop(self, why: str) -> None:
        """End the command process in good order."""
        log.info("the end was asked for: %s", why)
        self.why = self.why or why
        self._wish.set()

    def request_restart(self) -> None:
        """End so that bot.py executes itself anew, the services living on (/restartloop)."""
        if not self._wish.is_set():
            self._code = EXIT_RESTART
        self.stop("restart")

    async def ended(self) -> int:
        """Wait for the wish; returns the exit code for bot.py (EXIT_OK or EXIT_RESTART)."""
        while not self._wish.is_set():
            if self._file.exists():
                self.stop("bot.py stop")
                break
            try:
                async with asyncio.timeout(0.25):
                    await self._wish.wait()
            except TimeoutError:
                continue
        return self._code
