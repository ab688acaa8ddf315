"""What any process wants to say to a person (X39): written durably with its cause, delivered by the command process.

1. A notice is one file in ``data/outbox/``; it stays until every channel in use has delivered it.
2. Its id is stable: posting the same id twice says it once.
3. Delivery is at least once; a notice that a channel refuses for good goes to ``dead/`` and is counted.
"""

import itertools
import logging
import os
import uuid
from pathlib import Path
from typing import Literal

import msgspec

from utils.files import write_atomic
from utils.redact import redact
from utils.wall import now_ms, stamp

log = logging.getLogger(__name__)
_counter = itertools.count()

Level = Literal["info", "trade", "warning", "alert"]


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One message to a person: mode, what happened, why, and what to do.

    `mode` is "TEST", "LIVE" or "" where neither applies. `image` names a PNG below data/. `dead_man` notices
    also go to the second channel.
    """

    id: str
    level: Level
    mode: str
    what: str
    why: str = ""
    todo: str = ""
    source: str
    image: str = ""
    created_ms: int
    delivered: tuple[str, ...] = ()

    def text(self) -> str:
        """The message as plain text."""
        head = f"[{self.mode}] {self.what}" if self.mode else self.what
        return "\n".join(part for part in (head, self.why, self.todo and f"→ {self.todo}") if part)


class Outbox:
    """Notices on their way to people."""

    def __init__(self, folder: Path, source: str) -> None:
        self.folder = folder
        self.source = source
        folder.mkdir(parents=True, exist_ok=True)

    def say(self, what: str, *, mode: str = "", why: str = "", todo: str = "", level: Level = "info",
            image: str = "", key: str = "") -> str:
        """Leave a notice; returns its id. `key` makes the id stable (rule 2). Secrets are masked."""
        notice = Notice(id=key or uuid.uuid4().hex, level=level, mode=mode, what=redact(what), why=redact(why),
                        todo=redact(todo), source=self.source, image=image, created_ms=now_ms())
        if key and any(self.folder.glob(f"*-{_safe(key)}.json")):
            return notice.id
        name = f"{stamp()}-{os.getpid():07d}-{next(_counter):09d}-{_safe(notice.id)}.json"
        write_atomic(self.folder / name, msgspec.json.encode(notice))
        return notice.id

    def pending(self, channel: str) -> list[tuple[Path, Notice]]:
        """Notices that `channel` has not delivered, oldest first."""
        found: list[tuple[Path, Notice]] = []
        for path in sorted(self.folder.glob("[0-9]*.json")):
            try:
                notice = msgspec.json.decode(path.read_bytes(), type=Notice)
            except FileNotFoundError:
                continue
            except msgspec.MsgspecError as problem:
                log.error("notice %s cannot be read (%s); set aside", path.name, problem)
                self._bury(path)
                continue
            if channel not in notice.delivered:
                found.append((path, notice))
        return found

    def delivered(self, path: Path, notice: Notice, channel: str, channels: tuple[str, ...]) -> None:
        """`channel` has delivered it; once all of `channels` have, the file goes."""
        done = (*notice.delivered, channel)
        if all(name in done for name in channels):
            path.unlink(missing_ok=True)
        else:
            write_atomic(path, msgspec.json.encode(msgspec.structs.replace(notice, delivered=done)))

    def refuse(self, path: Path) -> None:
        """A channel refused it for good (rule 3)."""
        self._bury(path)

    def dead(self) -> int:
        """How many notices could not be delivered for good."""
        return sum(1 for _ in (self.folder / "dead").glob("*.json"))

    def _bury(self, path: Path) -> None:
        (self.folder / "dead").mkdir(exist_ok=True)
        os.replace(path, self.folder / "dead" / path.name)


def _safe(key: str) -> str:
    return "".join(char if char.isalnum() else "_" for char in key)[:80]
