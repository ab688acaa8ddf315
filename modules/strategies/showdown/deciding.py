"""The deciding half, put together: database, record for replay, loop. Loaded once positions are under guard."""

import asyncio
from typing import TYPE_CHECKING

from modules.exchange.venue_binance import BinanceMarket
from modules.execution.mode import mode_word
from modules.storage.decisions import DecisionLog
from modules.storage.sql.address import AddressError
from modules.storage.sql.writer import Writer
from modules.strategies.showdown import replay
from modules.strategies.showdown.execution import Execution
from modules.strategies.showdown.files import RECORD
from modules.strategies.showdown.loop import ShowdownLoop
from modules.strategies.showdown.review_panel import Panel
from modules.strategies.showdown.shelf import Shelf
from modules.strategies.showdown.venue import BinanceSource
from modules.supervision.service import ServiceRun
from utils.version import describe

if TYPE_CHECKING:
    from config.settings import Settings


async def decide(run: ServiceRun, settings: "Settings", market: BinanceMarket, shelf: Shelf,
                 execution: Execution | None) -> None:
    """Until stopped. Raises AddressError where the database's address cannot be and nothing has to be guarded."""
    def listen(problem: str) -> None:
        run.outbox.say("ERROR · System C: the database is away; decisions are flat." if problem
                       else "System C: the database is back.", mode=mode_word(run.paths), why=problem,
                       todo="What is held stays guarded and is followed to its exits; rows wait on disk." if problem
                       else "", level="alert" if problem else "info")
    record = _record(run, settings)
    try:
        writer = await asyncio.to_thread(Writer.open, "showdown", settings.db, run.paths, listen)
        shelf.give(writer)
        own = execution.own if execution is not None else settings.showdown
        panel = Panel(settings.adviser, run.paths.models)
        await ShowdownLoop(run, own, BinanceSource(market), market.clock.speed, writer, record, execution, panel).work()
    except AddressError as problem:
        run.outbox.say("ERROR · System C cannot decide.", mode=mode_word(run.paths), why=str(problem), level="alert",
                       key="showdown-address",
                       todo="Mend DB_URL; what is held stays guarded as long as the service runs.")
        run.tell(error=str(problem))
        if execution is None:
            raise
        await run.stop.wait()  # guards go on
    finally:
        if record is not None:
            await record.close()


def _record(run: ServiceRun, settings: "Settings") -> DecisionLog | None:
    kept = settings.decisions
    if not kept.record:
        return None
    folder = run.paths.data / "decisions"
    folder.mkdir(parents=True, exist_ok=True)
    return DecisionLog(folder, RECORD, replay.head(describe()), disk_mb=kept.disk_mb, keep_days=kept.keep_days,
                       file_mb=kept.file_mb)
