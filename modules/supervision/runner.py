"""One service in this process, as ``bot.py run SERVICE`` starts it, in the foreground or under the supervisor.

1. Never two of one service: the service's lock is taken first; a second one ends with exit code 1 and says who runs.
2. The heartbeat is a task of the service's own event loop, so a stuck loop is seen as stuck.
3. A stop (stop file, Ctrl-C, signal) sets ``run.stop``; a body that does not return in time is cancelled.
4. Exit code 0 after a stop that was asked for, 1 otherwise: a service never ends by itself in health.
"""

import asyncio
import faulthandler
import importlib
import logging
import signal
import sys
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

from modules.supervision.alarms import tell_damages
from modules.supervision.lifetime import EXIT_FAILED, EXIT_OK
from modules.supervision.registry import Service
from modules.supervision.service import ServiceRun
from modules.supervision.settings import SupervisionSettings
from utils.locks import AlreadyRunning, ProcessLock
from utils.logs import setup_logging
from utils.memory import few_arenas
from utils.paths import Paths
from utils.priority import set_priority

if TYPE_CHECKING:
    from config.settings import Settings

log = logging.getLogger(__name__)
Entry = Callable[[ServiceRun, Any], Awaitable[None]]
_SIGNALS = ("SIGINT", "SIGTERM", "SIGBREAK")


def run_service(service: Service, settings: "Settings", paths: Paths, supervised: bool = False) -> int:
    """Run one service to its end; returns the exit code (rule 4). `supervised`: the supervisor spawned it."""
    few_arenas()
    paths.prepare()
    lock = ProcessLock(paths.run, service.name)
    try:
        lock.acquire(timeout_s=2.0)
    except AlreadyRunning as other:
        print(f"{other}. Stop it first; there is never more than one {service.title}.", file=sys.stderr)  # noqa: T201
        return EXIT_FAILED
    except OSError as problem:  # a full disk, mostly
        lock.release()
        print(f"{service.title} cannot note that it runs: {problem}. Is the disk full?", file=sys.stderr)  # noqa: T201
        return EXIT_FAILED
    try:
        setup_logging(paths.logs, service.name, to_stderr=not supervised)
        _be_nice(service.nice)
        if not supervised:  # the supervisor removed an old one, and may have written a new one since
            (paths.run / f"{service.name}.stop").unlink(missing_ok=True)
        return asyncio.run(_live(service, settings, paths))
    except Exception:  # border of the process: logged with its stack, told by the exit code
        log.exception("%s failed", service.name)
        return EXIT_FAILED
    finally:
        lock.release()


async def _live(service: Service, settings: "Settings", paths: Paths) -> int:
    limits: SupervisionSettings = settings.supervision
    run = ServiceRun(service.name, paths, limits.beat_every_s)
    tell_damages(run.outbox)
    run.beat()
    _obey_signals(run)
    _arm_watchdog(limits.stuck_after_s)
    entry = load_entry(service.entry)
    watchdog = asyncio.create_task(_beat(run, limits.stuck_after_s), name="heartbeat")
    body = asyncio.ensure_future(entry(run, settings))
    stopped = asyncio.create_task(run.stop.wait(), name="stop")
    try:
        await asyncio.wait({body, watchdog, stopped}, return_when=asyncio.FIRST_COMPLETED)
        asked = run.stop.is_set()
        if not body.done() and not asked:
            raise RuntimeError("the heartbeat ended by itself")
        await _finish(body, limits.stop_within_s)
    finally:
        faulthandler.cancel_dump_traceback_later()
        run.stop.set()
        for task in (watchdog, stopped):
            task.cancel()
        await asyncio.gather(watchdog, stopped, return_exceptions=True)
    if not asked:
        log.error("%s ended without being asked to", service.name)
    return EXIT_OK if asked else EXIT_FAILED


async def _finish(body: "asyncio.Future[None]", within_s: float) -> None:
    """Let the body end; cancel it when it takes too long. Raises what the body raised."""
    done, _ = await asyncio.wait({body}, timeout=within_s * 0.8)
    if not done:
        log.error("the stop takes too long; its work is cancelled")
        body.cancel()
        done, _ = await asyncio.wait({body}, timeout=within_s * 0.15)
    if done and not body.cancelled():
        body.result()


async def _beat(run: ServiceRun, stuck_after_s: float) -> None:
    """Beats, and keeps the watchdog from barking."""
    async def rearm() -> None:
        while not run.stop.is_set():
            _arm_watchdog(stuck_after_s)
            await run.sleep(min(1.0, stuck_after_s * 0.2))

    await asyncio.gather(run.keep_beating(), rearm())


def _arm_watchdog(stuck_after_s: float) -> None:
    """A hanging loop writes where it hangs into the raw output, before the supervisor kills it."""
    if sys.stderr is not None:  # pythonw on Windows has nothing to write to
        faulthandler.dump_traceback_later(stuck_after_s * 0.7, exit=False)


def load_entry(name: str) -> Entry:
    """The function of ``module:function``. Raises ImportError or AttributeError."""
    module, _, function = name.partition(":")
    found: Entry = getattr(importlib.import_module(module), function)
    return found


def _obey_signals(run: ServiceRun) -> None:
    loop = asyncio.get_running_loop()

    def stop(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(run.stop.set)

    for name in _SIGNALS:
        number = getattr(signal, name, None)
        if number is not None:
            signal.signal(number, stop)


def _be_nice(nice: int) -> None:
    if nice and (problem := set_priority(nice)):
        log.log(logging.WARNING if nice > 0 else logging.DEBUG, "priority stays as it is: %s", problem)
