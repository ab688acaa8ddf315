"""A person's words to one futures account: messages in the inbox ``futures-SYSTEM-MODE``, taken by its keeper.

`risk` {command: PAUSE RESUME DRAIN FLATTEN KILL, by, reason, accept} · `release` {symbol, side, by} · `close` {symbol,
side, by}. Each acts once (the inbox), and is durable before it counts as done. A word that cannot be understood is
declined in words; one that the disk refuses comes again.
"""

import asyncio
import logging

from modules.exchange.types import Mode, PositionSide, Unavailable
from modules.execution.futures.plan import ZERO, LegKey, Word
from modules.execution.futures.risk import FuturesRisk
from modules.execution.risk_orders import follow
from modules.supervision.messages import Inbox, Message

log = logging.getLogger(__name__)


def inbox_of(system: str, mode: Mode | str) -> str:
    """The name of the inbox of a system's futures account."""
    return f"futures-{system}-{str(mode).lower()}"


class Orders:
    """The inbox of one account, carried out."""

    def __init__(self, risk: FuturesRisk, inbox: Inbox) -> None:
        self._risk, self._desk, self._inbox = risk, risk.desk, inbox

    async def obey(self) -> None:
        """Everything that waits, in order. A venue or disk that refuses leaves the message for the next time."""
        for path, message in await asyncio.to_thread(self._inbox.take):
            try:
                await self._follow(message)
            except (KeyError, ValueError) as problem:
                self._risk.decline(f"{message.kind} {message.body}: {problem!r}")
            except (Unavailable, OSError) as problem:
                log.warning("the word %s waits: %s", message.kind, problem)
                return
            await asyncio.to_thread(self._inbox.done, path, message)

    async def _follow(self, message: Message) -> None:
        body, by = message.body, str(message.body.get("by", "") or message.sender)
        if message.kind == "risk":
            await follow(self._risk, str(body["command"]), by, str(body.get("reason", "")), bool(body.get("accept")))
        elif message.kind == "release":
            await self._release(LegKey(str(body["symbol"]), PositionSide(str(body["side"]))), by)
        elif message.kind == "close":
            self._close(LegKey(str(body["symbol"]), PositionSide(str(body["side"]))), by)
        else:
            raise ValueError(f"nobody here knows the word {message.kind!r}")

    # -- legs --------------------------------------------------------------------------------------------------

    async def _release(self, leg: LegKey, by: str) -> None:
        """What the venue holds beyond our fills is that person's from now on. Raises Unavailable, OSError."""
        books = self._desk.books
        why = books.blocked.get(str(leg), "")
        if not why:
            self._risk.decline(f"{leg} takes entries; there is nothing to release")
            return
        await self._desk.look()
        held = self._desk.positions.get(leg)
        books.release(leg, held.quantity if held is not None else ZERO)
        await books.flush()
        log.warning("%s was released by %s (it was stopped: %s)", leg, by, why)
        theirs = books.external.get(str(leg), ZERO)
        note = f"{theirs.normalize():f} of it count as yours and are left alone" if theirs else \
            "Books and exchange agree on it"
        self._risk.say(Word(f"released {leg} {self._desk.market.clock.now_ms()}", f"{leg} takes entries again",
                            f"Released by {by}; it was stopped: {why}", note, urgent=False))

    def _close(self, leg: LegKey, by: str) -> None:
        if leg not in self._desk.books.plans:
            self._risk.decline(f"{leg}: no position of this system is open there")
            return
        self._desk.close_soon(leg, f"by {by}")
