"""The dashboard as a front of the router: its wishes come by the inbox, with their confirmations, and answers go back.

1. Messages ``dashboard line`` and ``dashboard press`` {line or press, user, name, answer_to, question}: the same gate,
   the same confirmations, the same words as in Telegram. `user` begins with the role that logged in.
2. Each is a task of its own: a long one keeps no other waiting.
3. A wish that moves money and comes too late (the command process was away) is told, not carried out (X40).
4. What people are told is kept for the dashboard as well (``data/notices.json``), but for passwords and
   one-time links.
"""

import asyncio
import logging
import re
from pathlib import Path
from typing import Any

from modules.storage.damage import StateError
from modules.storage.history import History
from modules.supervision.messages import Inbox, Message
from modules.telegram.command import Answer, Sender
from modules.telegram.markup import plain
from modules.telegram.router import Router
from utils.paths import Paths
from utils.wall import now_ms

log = logging.getLogger(__name__)
LINE, PRESS = "dashboard line", "dashboard press"
_SENDER = "command"
_LOGIN = re.compile(r"(Log in with |#once=)\S+")  # a viewer may read what is kept


class DashboardFront:
    """Answers what the dashboard asks."""

    def __init__(self, paths: Paths, router: Router) -> None:
        self._paths = paths
        self._router = router
        self._tasks: set[asyncio.Task[None]] = set()

    @staticmethod
    def knows(message: Message) -> bool:
        """Whether a message is the dashboard's."""
        return message.kind in (LINE, PRESS)

    def take(self, message: Message) -> None:
        """Begin to answer (rule 2)."""
        task = asyncio.create_task(self._answer(message), name=f"dashboard {message.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, message: Message) -> None:
        body = message.body
        sender = Sender(str(body.get("user", "")), "dashboard", str(body.get("name", "")))
        try:
            if message.kind == PRESS:
                answer = await self._router.press(sender, str(body.get("press", "")))
            else:
                age_s = max(0.0, (now_ms() - message.created_ms) / 1000)
                answer = await self._router.line(sender, str(body.get("line", "")), age_s=age_s)
            told = answer or Answer("This login may do nothing here.")
            buttons = [[{"label": one.label, "data": one.data} for one in row] for row in told.buttons]
            reply: dict[str, Any] = {"question": body.get("question"), "text": told.text, "buttons": buttons}
            await asyncio.to_thread(self._post, str(body.get("answer_to", "")), reply)
        except OSError as problem:
            log.error("the dashboard's answer cannot be written: %s", problem)
        except Exception:  # border of one wish's task
            log.exception("the dashboard's wish failed")

    def _post(self, service: str, reply: dict[str, Any]) -> None:
        if service.isidentifier():  # a name, never a path
            Inbox(self._paths.inbox, service).post("answer", reply, _SENDER)


class NoticeRecord:
    """A channel of delivery: what people are told, kept for pages (rule 4)."""

    name = "record"
    gather_s = 0.0

    def __init__(self, paths: Paths) -> None:
        self._history: History[dict[str, Any]] = History(paths.data / "notices.json", dict[str, Any])

    async def deliver(self, text: str, picture: Path | None, loud: bool) -> None:
        """Keep it. A disk that refuses costs the record a line, and people nothing: other channels told them."""
        line = {"ms": now_ms(), "text": _LOGIN.sub(r"\1***", plain(text)), "loud": loud}
        try:
            await asyncio.to_thread(self._history.append, line)
        except (OSError, StateError) as problem:
            log.error("a notice is not kept for the dashboard: %s", problem)
