"""What a person asks for goes to the command process, by the same router and the same confirmations as Telegram.

1. A command line, or a pressed button, becomes a message in the inbox ``bot``; its answer comes back as a message in
   the inbox ``dashboard``. Nothing is done here.
2. Each is audited before it is sent, with who asked from where (``data/dashboard_audit.json``).
3. An answer that comes late is kept for its asker; nobody else can read it.
"""

import asyncio
import logging
import uuid
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import msgspec

from modules.dashboard.sessions import OWNER, Session
from modules.storage.history import History
from modules.supervision.messages import Inbox
from utils.paths import Paths
from utils.redact import redact

log = logging.getLogger(__name__)
BOT = "bot"
KEPT = 500
LONGEST = 400


class Audit(msgspec.Struct, frozen=True):
    """One line of the audit. `act`: login, wrong, logout, ask, press. `ms`: wall clock."""

    ms: int
    act: str
    who: str
    role: str
    address: str
    text: str = ""


class Actions:
    """Questions under way. `now_ms`: wall clock, for the audit."""

    def __init__(self, paths: Paths, service: str, now_ms: Callable[[], int]) -> None:
        self._bot = Inbox(paths.inbox, BOT)
        self._audit = History(paths.data / "dashboard_audit.json", Audit)
        self._service = service
        self._now_ms = now_ms
        self._waiting: OrderedDict[str, tuple[str, asyncio.Future[dict[str, Any]]]] = OrderedDict()

    async def ask(self, session: Session, address: str, kind: str, text: str) -> str:
        """Send a ``line`` or a ``press``; returns the question's id. Raises OSError where the disk refuses."""
        text = text.strip()[:LONGEST]
        await self.note("ask" if kind == "line" else "press", session.who, session.role, address, text)  # rule 2
        question = uuid.uuid4().hex
        self._waiting[question] = (session.id, asyncio.get_running_loop().create_future())
        while len(self._waiting) > KEPT:
            self._waiting.popitem(last=False)[1][1].cancel()
        body = {kind: text, "user": f"{session.role}:{session.id[:12]}", "name": session.who,
                "owner": session.role == OWNER, "answer_to": self._service, "question": question}
        await asyncio.to_thread(self._bot.post, f"dashboard {kind}", body, self._service, question)
        return question

    async def answer(self, session: Session, question: str, within_s: float) -> dict[str, Any] | None:
        """The answer, None where it has not come yet. Raises KeyError for a question that is not this session's."""
        owner, future = self._waiting[question]
        if owner != session.id:
            raise KeyError(question)
        done, _ = await asyncio.wait({future}, timeout=within_s)
        if not done or future.cancelled():
            return None
        self._waiting.pop(question, None)
        return future.result()

    def answered(self, body: dict[str, Any]) -> None:
        """An answer came in."""
        waiting = self._waiting.get(str(body.get("question", "")))
        if waiting is not None and not waiting[1].done():
            waiting[1].set_result(body)

    async def note(self, act: str, who: str, role: str, address: str, text: str = "") -> None:
        """One line for the audit. Raises OSError: what cannot be noted is not done."""
        line = Audit(self._now_ms(), act, who, role, address, redact(text))
        log.info("%s by %s (%s) from %s %s", act, who, role, address, line.text)
        await asyncio.to_thread(self._audit.append, line)
