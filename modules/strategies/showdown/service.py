"""System C as a service: guards first, then decides and trades (docs/SHOWDOWN.md).

1. The order of the start: the venue, positions under guard, then the database and the deciding half (their modules are
   loaded only then: a position waits for neither).
2. A person's words come through the inbox: `close` {symbol, by}. Each is acted on once.
3. The database gone means flat decisions; what is held is guarded and followed to its exits.
"""

import asyncio
import importlib
import logging
from typing import TYPE_CHECKING, Any

from modules.exchange.types import Unavailable
from modules.strategies.showdown.execution import Execution
from modules.strategies.showdown.shelf import Shelf
from modules.strategies.showdown.trade_words import Voice
from modules.supervision.service import ServiceRun

if TYPE_CHECKING:
    from config.settings import Settings

log = logging.getLogger(__name__)
RETRY_S = 2.0
WORDS_S = 0.3
GUARD_FIRST_S = 10.0


async def main(run: ServiceRun, settings: "Settings") -> None:
    """Entry of the service (config/crew.py)."""
    run.ready()
    market = await _open(run, settings)
    if market is None:
        return
    shelf = Shelf()
    voice = Voice(run.outbox, shelf.put_quietly, market.clock.now_ms)
    execution = Execution(run.paths, settings, market, voice, shelf.put) if settings.showdown.trade else None
    parts: list[asyncio.Task[Any]] = []
    try:
        if execution is not None:
            await execution.open()
            parts += [asyncio.create_task(execution.run(), name="execution"),
                      asyncio.create_task(_words(run, execution), name="words")]
            await _guarded(run, execution)
        deciding = await asyncio.to_thread(importlib.import_module, "modules.strategies.showdown.deciding")
        parts.append(asyncio.create_task(deciding.decide(run, settings, market, shelf, execution), name="decisions"))
        parts.append(asyncio.create_task(run.stop.wait(), name="stop"))
        done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in parts:
            task.cancel()
        if execution is not None:
            await execution.close()
        await asyncio.gather(*parts, return_exceptions=True)
        await asyncio.to_thread(shelf.close)
        await market.close()


async def _guarded(run: ServiceRun, execution: Execution) -> None:
    """Until every account is under guard, or for a while: rule 1 is an order, no condition."""
    waits = [trader.keeper.guarded.wait() for trader in execution.traders.values()]
    if waits:
        try:
            async with asyncio.timeout(GUARD_FIRST_S):
                await asyncio.gather(*waits)
        except TimeoutError:
            log.warning("positions are not under guard yet; the rest begins beside")


async def _words(run: ServiceRun, execution: Execution) -> None:
    """Rule 2, and facts for /status."""
    while True:
        for path, message in run.inbox.take():
            try:
                if message.kind == "close":
                    symbol = str(message.body.get("symbol", ""))
                    said = await execution.close_trade(symbol, f"closed by {message.body.get('by', 'a person')}")
                    log.info("%s", said)
                else:
                    log.warning("a message %s is not understood", message.kind)
                run.inbox.done(path, message)
            except OSError as problem:
                log.error("a message could not be carried out: %s", problem)
                break
        run.tell(**execution.told())
        await asyncio.sleep(WORDS_S)


async def _open(run: ServiceRun, settings: "Settings") -> Any:
    """The futures market, as soon as it can be reached; None when stopped before."""
    from modules.exchange.futures_gateway import open_futures
    said = ""
    while not run.stop.is_set():
        try:
            return await open_futures(settings.futures, run.paths)
        except Unavailable as problem:
            if said != str(problem):
                said = str(problem)
                log.warning("the futures venue cannot be reached: %s", problem)
            run.tell(error=said)
        await run.sleep(RETRY_S)
    return None
