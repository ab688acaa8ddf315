"""The service ``grid``: one worker in this process, or several beside it; standalone user and server users alike.

Standalone: the one user `GRIDLIVE_USER` lives in the same store, with the key of ``.env`` (LIVE), a demo key, or on
paper (TEST); `/startgrid` writes him, a worker trades him. So there is one way of trading, however many users.
"""

import asyncio
import logging
import os
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from modules.exchange.address import Address, Resolve, resolver
from modules.exchange.bitget_settings import BitgetSettings
from modules.exchange.bitget_wire import BitgetLink
from modules.exchange.budget import PAGE_SIZE
from modules.exchange.futures_types import MarginMode
from modules.exchange.lanes import Lane
from modules.exchange.types import Unavailable
from modules.exchange.venue_bitget import BitgetMarket, venue
from modules.execution.mode import mode_word
from modules.storage.sql.database import DatabaseAway
from modules.strategies.grid import events as ev
from modules.strategies.grid.live.crew import Crew, Line, LocalCrew, Target, beat, keep_alive, watch_line
from modules.strategies.grid.live.host import Host
from modules.strategies.grid.live.worker import Worker
from modules.strategies.grid.store.store import GridStore
from modules.supervision.outbox import Outbox
from modules.supervision.service import ServiceRun
from utils.page import Page, SharedPage
from utils.paths import Paths

if TYPE_CHECKING:
    from config.settings import Settings

log = logging.getLogger(__name__)

AGAIN_S = 3.0
FACTS_S = 2.0


async def open_bitget(settings: BitgetSettings, paths: Paths, *, lane: Lane = Lane.DATA) -> BitgetMarket:
    """Bitget's market data, its clock set; calls are counted with all processes of this machine. Raises Unavailable."""
    try:
        page: Page = SharedPage(paths.run / f"bitget-{settings.name}.budget1", PAGE_SIZE)
    except OSError as problem:
        log.error("requests to Bitget cannot be counted together with other processes: %s", problem)
        page = Page(PAGE_SIZE)
    try:
        return BitgetMarket(await BitgetLink(settings, _resolver(settings, paths), page=page, lane=lane,
                                             venue=venue(settings)).open())
    except BaseException:
        page.close()
        raise


def _resolver(settings: BitgetSettings, paths: Paths) -> Resolve:
    found = resolver(settings, paths)
    if settings.name == "simulated":
        return found

    async def real(session: object) -> Address:
        return Address(settings.base_url.rstrip("/"), 1.0)

    return real


async def serve(run: ServiceRun, settings: "Settings", target: Target) -> None:
    """Until asked to stop."""
    live = settings.gridlive
    if live.workers == 1 and live.backend == "local":
        await _work(settings, run.paths, "grid-1", run.stop, run.ready, run.outbox)
        return
    names = [f"grid-{number + 1}" for number in range(live.workers)]
    run.ready(workers=len(names))
    home = str(run.paths.home)

    def made() -> Crew:
        if live.backend == "local":
            return LocalCrew(target, home, names, live.lease_s)
        from modules.strategies.grid.live.ray_crew import RayCrew  # Ray is loaded where it is wanted only
        return RayCrew(target, home, names, settings.compute.backend)

    while not run.stop.is_set():
        try:
            crew = await asyncio.to_thread(made)
            await keep_alive(crew, run.stop, lambda facts: run.tell(waiting="", **facts))
        except Unavailable as problem:
            log.error("the grid waits: %s", problem)
            run.tell(waiting=str(problem)[:200], workers={})
            await _pause(run.stop, AGAIN_S)


def run_worker(settings: "Settings", paths: Paths, name: str, line: Line | None) -> None:
    """A worker in a process of its own: until its line to the parent ends."""
    async def main() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        beating = None
        if line is not None:
            watch_line(line, lambda: loop.call_soon_threadsafe(stop.set))
            beating = asyncio.create_task(beat(line), name="beat")
        await _work(settings, paths, name, stop, lambda **facts: None, Outbox(paths.outbox, name))
        if beating is not None:
            beating.cancel()

    asyncio.run(main())


async def _work(settings: "Settings", paths: Paths, name: str, stop: asyncio.Event, tell: Callable[..., None],
                outbox: Outbox) -> None:
    """One worker; waits for the database and the venue."""
    while not stop.is_set():
        try:
            store = await asyncio.to_thread(GridStore.open, settings, paths)
            try:
                market = await open_bitget(settings.bitget, paths)
            except BaseException:
                store.close()
                raise
        except (Unavailable, DatabaseAway) as problem:
            log.error("the grid waits: %s", problem)
            tell(waiting=str(problem)[:200])
            await _pause(stop, AGAIN_S)
            continue
        try:
            worker = Worker(store, market, settings.gridlive, f"{name}:{os.getpid()}:{uuid.uuid4().hex[:8]}", paths,
                            sayer(settings, outbox), margin=MarginMode(settings.bitget.margin),
                            status_s=settings.gridserver.status_s, stuck=stuck(settings, paths, outbox))
            facts = asyncio.create_task(_tell(worker, tell))
            try:
                await worker.run(stop)
            finally:
                facts.cancel()
        finally:
            await market.close()
            store.close()


async def _tell(worker: Worker, tell: Callable[..., None]) -> None:
    while True:
        tell(waiting="", **worker.facts())
        await asyncio.sleep(FACTS_S)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


def sayer(settings: "Settings", outbox: Outbox) -> Callable[[Host, ev.Notice], None]:
    """Notices of the standalone user go to Telegram; those of server users into the log (they have webhooks)."""
    def say(host: Host, notice: ev.Notice) -> None:
        user_id = host.session.user_id
        log.warning("%s: %s: %s", user_id, notice.what, notice.why)
        if user_id == settings.gridlive.user:
            outbox.say(f"Grid: {notice.what}", mode=host.mode_word, why=notice.why, todo=notice.todo, level="warning",
                       key=f"grid-{user_id}-{host.memory.started_ms}-{notice.key}")

    return say


def stuck(settings: "Settings", paths: Paths, outbox: Outbox) -> Callable[[str, str], None]:
    """That a grid cannot begin: to Telegram for the standalone user; of server users the log and /status tell."""
    def say(user_id: str, why: str) -> None:
        if user_id == settings.gridlive.user:
            outbox.say("The grid does not begin", mode=mode_word(paths), why=why, level="alert",
                       todo="Positions keep their stops, nothing else looks after them. Mend it; it is tried again by "
                            "itself. /logs grid has more")

    return say
