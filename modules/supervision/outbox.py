"""What any process wants to say to a person (X39): written durably with its cause, delivered by the command process.

1. A notice is one file in ``data/outbox/``; it stays until every channel in use has delivered it.
2. Its id is stable: posting the same key twice says it once, also after it was delivered (the last some thousand
   delivered ids are remembered), so that a process that died after its cause may simply say it again.
3. Delivery is at least once; a notice that a channel refuses for good goes to ``dead/`` and is counted.
4. Saying never raises and never stops a trade: what a full disk refuses is kept in memory, is delivered from there
   where the same process delivers, and is written as soon as the disk takes it.
"""

import hashlib
import itertools
import logging
import os
import threading
import uuid
from pathlib import Path
from typing import Literal

import msgspec

from utils.files import append_synced, read_whole, write_atomic
from utils.redact import redact
from utils.wall import now_ms, stamp

log = logging.getLogger(__name__)
_counter = itertools.count()
_unwritten: dict[Path, "Notice"] = {}  # of this process, by the file it should be
_guard = threading.RLock()  # notices are also left by threads
REMEMBERED = 2000
UNWRITTEN = 500

Level = Literal["info", "trade", "warning", "alert"]


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One message to a person: mode, what happened, why, and what to do.

    `mode` is "TEST", "LIVE" or "" where neither applies. `image` names a PNG below data/.
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
        self._delivered = folder / "delivered.ids"
        self._done: set[tuple[str, str]] = set()
        folder.mkdir(parents=True, exist_ok=True)

    def say(self, what: str, *, mode: str = "", why: str = "", todo: str = "", level: Level = "info",
            image: str = "", key: str = "") -> str:
        """Leave a notice; returns its id. `key` makes the id stable (rule 2). Secrets are masked. Never raises for
        what the disk does (rule 4)."""
        notice = Notice(id=key or uuid.uuid4().hex, level=level, mode=mode, what=redact(what), why=redact(why),
                        todo=redact(todo), source=self.source, image=image, created_ms=now_ms())
        if key and self._said(key):
            return notice.id
        name = f"{stamp()}-{os.getpid():07d}-{next(_counter):09d}-{_safe(notice.id)}.json"
        with _guard:
            _unwritten[self.folder / name] = notice
            waiting = self.flush()
        if waiting:
            log.error("kept in memory, the disk refuses it: %s", notice.text())
        return notice.id

    def flush(self) -> int:
        """Write what a full disk refused earlier; returns how many still wait in memory."""
        with _guard:
            mine = [path for path in _unwritten if path.parent == self.folder]
            for path in mine:
                try:
                    write_atomic(path, msgspec.json.encode(_unwritten[path]))
                except OSError:
                    for oldest in mine[:-UNWRITTEN]:
                        _unwritten.pop(oldest, None)
                    break
                del _unwritten[path]
            return sum(1 for path in mine if path in _unwritten)

    def pending(self, channel: str) -> list[tuple[Path, Notice]]:
        """Notices that `channel` has not delivered, oldest first."""
        with _guard:
            self.flush()
            found = [(path, notice) for path, notice in _unwritten.items()
                     if path.parent == self.folder and channel not in notice.delivered]
        for path in self.folder.glob("[0-9]*.json"):
            try:
                notice = msgspec.json.decode(read_whole(path), type=Notice)
            except FileNotFoundError:
                continue
            except msgspec.MsgspecError as problem:
                log.error("notice %s cannot be read (%s); set aside", path.name, problem)
                self._bury(path)
                continue
            if channel not in notice.delivered and (path.name, channel) not in self._done:
                found.append((path, notice))
        return sorted(found, key=lambda one: one[0].name)

    def delivered(self, path: Path, notice: Notice, channel: str, channels: tuple[str, ...]) -> None:
        """`channel` has delivered it; once all of `channels` have, the file goes. Never raises: what the disk refuses
        to note is known in memory, or a full disk would have the same notice delivered without end."""
        if path in _unwritten:
            self._delivered_from_memory(path, channel, channels)
            return
        self._done.add((path.name, channel))
        try:  # another channel may have delivered it since it was read
            notice = msgspec.json.decode(read_whole(path), type=Notice)
            done = (*notice.delivered, channel)
            if not all(name in done for name in channels):
                write_atomic(path, msgspec.json.encode(msgspec.structs.replace(notice, delivered=done)))
                return
        except FileNotFoundError:
            return
        except OSError as problem:
            log.error("that %s was delivered cannot be noted: %s", path.name, problem)
            if not all((path.name, name) in self._done for name in channels):
                return
        self._remember(notice.id)
        path.unlink(missing_ok=True)
        self._done -= {(path.name, name) for name in channels}

    def _delivered_from_memory(self, path: Path, channel: str, channels: tuple[str, ...]) -> None:
        with _guard:
            notice = _unwritten[path]
            done = (*notice.delivered, channel)
            _unwritten[path] = msgspec.structs.replace(notice, delivered=done)
            if all(name in done for name in channels):
                del _unwritten[path]
            self._remember(notice.id)

    def refuse(self, path: Path) -> None:
        """A channel refused it for good (rule 3)."""
        self._bury(path)

    def dead(self) -> int:
        """How many notices could not be delivered for good."""
        return sum(1 for _ in (self.folder / "dead").glob("*.json"))

    def _said(self, key: str) -> bool:
        safe = _safe(key)
        return (any(notice.id == key for path, notice in _unwritten.items() if path.parent == self.folder)
                or any(self.folder.glob(f"*-{safe}.json")) or safe in self._remembered())

    def _remembered(self) -> list[str]:
        try:
            return read_whole(self._delivered).decode("ascii", errors="ignore").split()
        except FileNotFoundError:
            return []

    def _remember(self, notice_id: str) -> None:
        try:
            append_synced(self._delivered, _safe(notice_id).encode("ascii") + b"\n")
            if self._delivered.stat().st_size > 2 * REMEMBERED * 34:
                kept = self._remembered()[-REMEMBERED:]
                write_atomic(self._delivered, "".join(f"{item}\n" for item in kept).encode("ascii"))
        except OSError as problem:
            log.error("delivered ids cannot be noted: %s", problem)

    def _bury(self, path: Path) -> None:
        _unwritten.pop(path, None)
        if not path.exists():
            return
        (self.folder / "dead").mkdir(exist_ok=True)
        os.replace(path, self.folder / "dead" / path.name)


def _safe(key: str) -> str:
    """A key as part of a file name; a long or unusual one by its hash, so that no two keys become one."""
    if len(key) <= 60 and key.isascii() and key.replace("_", "").isalnum():
        return key
    plain = "".join(char if char.isascii() and char.isalnum() else "_" for char in key[:40])
    return f"{plain}_{hashlib.blake2b(key.encode('utf-8'), digest_size=8).hexdigest()}"
