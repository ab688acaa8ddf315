"""``bot.py stop``: end the running program in good order, from another terminal or a launcher."""

import asyncio
import sys
import time

from config.crew import CREW
from config.settings import SettingsError, load_settings
from modules.supervision.lifetime import EXIT_FAILED, EXIT_OK, stop_file
from modules.supervision.settings import SupervisionSettings
from modules.supervision.supervisor import Supervisor
from utils.locks import AlreadyRunning, ProcessLock
from utils.paths import Paths

_POLL_S = 0.1


def stop_program(paths: Paths) -> int:
    """Ask the command process to stop and wait for it; where only services are left, stop these."""
    lock = ProcessLock(paths.run, "bot")
    try:
        lock.acquire(timeout_s=0.2)
    except AlreadyRunning as other:
        return _stop_command_process(paths, lock, other)
    try:
        crew = Supervisor(paths, _limits(paths), CREW)
        left = crew.adopted
        asyncio.run(crew.shutdown())
    finally:
        lock.release()
    return _say(f"Stopped: {', '.join(left)}." if left else "Nothing was running.")


def _stop_command_process(paths: Paths, lock: ProcessLock, other: AlreadyRunning) -> int:
    limit = (_limits(paths).stop_within_s + 5) * (len(CREW) + 1)
    _say(f"Coxswain ({other.who()}) is asked to stop …")
    deadline = time.monotonic() + limit
    while lock.held():
        if not stop_file(paths.run).exists():  # also again: one that is just starting clears an old wish away
            stop_file(paths.run).write_text("stop", encoding="utf-8")
        if time.monotonic() > deadline:
            sys.stderr.write(f"It still runs after {limit:.0f} s. /logs or data/logs/bot.log tell why.\n")
            return EXIT_FAILED
        time.sleep(_POLL_S)
    stop_file(paths.run).unlink(missing_ok=True)
    return _say("Stopped.")


def _limits(paths: Paths) -> SupervisionSettings:
    try:
        return load_settings(paths).supervision
    except SettingsError:  # a broken setting must not keep anybody from stopping
        return SupervisionSettings()


def _say(text: str) -> int:
    sys.stdout.write(text + "\n")
    return EXIT_OK
