"""Messages between processes: one file each, written aside and renamed in, so that no crash loses or tears one.

1. A command to a running service is a file in its inbox ``data/inbox/SERVICE/``.
2. The service handles messages in the order of their names, then calls ``done``: the id goes into a durable
   list of handled ids *before* the file goes, so that a message is not acted on twice by a service that
   crashed between the two. What spends money must also carry ``Message.id`` as the cause of its intent (X1).
3. A file that cannot be read is moved to ``damaged/`` and logged; it never blocks the ones behind it.
"""

import itertools
import logging
import os
import uuid
from pathlib import Path
from typing import Any

import msgspec

from utils.files import append_synced, read_whole, write_atomic
from utils.wall import now_ms, stamp

log = logging.getLogger(__name__)
_counter = itertools.count()
REMEMBERED = 2000


class Message(msgspec.Struct, frozen=True):
    """One command to a service. `kind` names the command, `body` its arguments."""

    id: str
    kind: str
    body: dict[str, Any]
    sender: str
    created_ms: int


class Inbox:
    """The inbox of one service; any process may post, only the service takes."""

    def __init__(self, root: Path, service: str) -> None:
        self.folder = root / service
        self.folder.mkdir(parents=True, exist_ok=True)
        self._handled_path = self.folder / "handled.ids"
        self._handled: dict[str, None] | None = None

    def post(self, kind: str, body: dict[str, Any], sender: str, message_id: str | None = None) -> str:
        """Leave a message; returns its id. Raises OSError when the disk refuses."""
        message = Message(message_id or uuid.uuid4().hex, kind, body, sender, now_ms())
        name = f"{stamp()}-{os.getpid():07d}-{next(_counter):09d}.json"
        write_atomic(self.folder / name, msgspec.json.encode(message))
        return message.id

    def take(self) -> list[tuple[Path, Message]]:
        """Messages not yet handled, oldest first, each with the path to give to `done`."""
        found: list[tuple[Path, Message]] = []
        seen: set[str] = set()  # the same id posted twice and both waiting: once is enough
        for path in sorted(self.folder.glob("[0-9]*.json")):
            try:
                message = msgspec.json.decode(read_whole(path), type=Message)
            except FileNotFoundError:
                continue
            except msgspec.MsgspecError as problem:
                log.error("inbox message %s cannot be read (%s); set aside", path.name, problem)
                (self.folder / "damaged").mkdir(exist_ok=True)
                os.replace(path, self.folder / "damaged" / path.name)
                continue
            if message.id in self._ids() or message.id in seen:
                path.unlink(missing_ok=True)
                continue
            seen.add(message.id)
            found.append((path, message))
        return found

    def done(self, path: Path, message: Message) -> None:
        """Mark a message as handled (rule 2). Raises OSError when the disk refuses: it may then come again."""
        ids = self._ids()
        append_synced(self._handled_path, message.id.encode() + b"\n")
        ids[message.id] = None
        if len(ids) > 2 * REMEMBERED:
            self._handled = dict.fromkeys(list(ids)[-REMEMBERED:])
            self._rewrite(self._handled)
        path.unlink(missing_ok=True)

    def waiting(self) -> int:
        """How many messages wait."""
        return sum(1 for _ in self.folder.glob("[0-9]*.json"))

    def _ids(self) -> dict[str, None]:
        """Handled ids, oldest first."""
        if self._handled is None:
            try:
                content = read_whole(self._handled_path).decode("ascii", errors="replace")
            except FileNotFoundError:
                content = ""
            self._handled = dict.fromkeys(content.split())
            if content and not content.endswith("\n"):  # torn by a crash: the next id must not be glued to it
                self._handled.popitem()
                self._rewrite(self._handled)
        return self._handled

    def _rewrite(self, ids: dict[str, None]) -> None:
        write_atomic(self._handled_path, b"".join(item.encode() + b"\n" for item in ids))
