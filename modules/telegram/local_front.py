"""Commands from this machine without a terminal: a message ``line`` in the inbox ``bot`` is carried out as the owner's.

Whoever may write into data/inbox owns the files anyway. Answers become notices. A line with ``apart`` is carried out
beside the others: it may take hours. And the log as a channel, for a
process that has nobody to talk to.
"""

import asyncio
import logging
from pathlib import Path

from modules.supervision.messages import Inbox, Message
from modules.supervision.outbox import Outbox
from modules.telegram.command import Sender
from modules.telegram.dashboard_front import DashboardFront
from modules.telegram.markup import plain
from modules.telegram.router import Router
from utils.paths import Paths

log = logging.getLogger(__name__)
LOOK_S = 0.5
INBOX = "bot"


async def serve_inbox(paths: Paths, router: Router, outbox: Outbox) -> None:
    """Carry out commands left in the inbox, until cancelled. One that needs a confirmation is only told."""
    inbox = Inbox(paths.inbox, INBOX)
    dashboard = DashboardFront(paths, router)
    async with asyncio.TaskGroup() as apart:
        while True:
            for path, message in await asyncio.to_thread(inbox.take):
                inbox.done(path, message)  # recorded before it acts: never twice (X40)
                if dashboard.knows(message):
                    dashboard.take(message)
                elif message.kind != "line" or not isinstance(message.body.get("line"), str):
                    log.error("inbox: %s is not a command line", message.kind)
                elif message.body.get("apart"):
                    apart.create_task(_carry_out(message, router, outbox), name=message.body["line"])
                else:
                    await _carry_out(message, router, outbox)
            await asyncio.sleep(LOOK_S)


async def _carry_out(message: Message, router: Router, outbox: Outbox) -> None:
    line = message.body["line"]
    answer = await router.line(Sender("local", "local", message.sender), line)
    if answer is not None:
        head, _, rest = plain(answer.text).partition("\n")
        outbox.say(f"{line}: {head}", why=rest, key=f"answer {message.id}")


class LogChannel:
    """Notices into the log, where there is no console and no Telegram."""

    name = "log"
    gather_s = 0.0

    async def deliver(self, text: str, picture: Path | None, loud: bool) -> None:
        """Log it (delivery.Channel)."""
        log.info("notice: %s", plain(text).replace("\n", " | "))
