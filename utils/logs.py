"""Logging of one process: a file of its own, secrets masked, rotated by size; and reading it back for people.

``NAME.log`` is what the process logs; ``NAME.out`` is its raw output, where an interpreter's last words go.
"""

import logging
import os
import re
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

from utils.paths import Paths
from utils.redact import redact
from utils.wall import iso

MAX_BYTES = 2_000_000
KEEP = 3
_TAIL_BYTES = 256_000
_OWN_EXCEPTION = re.compile(r"(?:modules|utils|config)\.[\w.]+: (.+)")
_STACK = re.compile(r"\s*File \"|(?:Current t|T)hread 0x|Timeout \(\d")  # of a process that hung, not what it told
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")  # terminal codes, and all that ends a line
_RECORD = re.compile(r"^\d{4}-\d\d-\d\dT\S+ ([A-Z]+) [\w.]+: (.*)")


class RedactingFormatter(logging.Formatter):
    """One line a record in UTC; masks secrets in message *and* traceback.

    Words from outside (headlines, commands, answers) stand in messages: none of them can forge a record or a code for
    the terminal.
    """

    def format(self, record: logging.LogRecord) -> str:
        record.asctime = iso(int(record.created * 1000))
        first, *more = redact(super().format(record)).split("\n")
        lines = [first, *(f"  {line}" if _RECORD.match(line) else line for line in more)]
        return "\n".join(_CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", line) for line in lines)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        return iso(int(record.created * 1000))


def _handler(path: Path, level: int) -> logging.Handler:
    handler = RotatingFileHandler(path, maxBytes=MAX_BYTES, backupCount=KEEP, encoding="utf-8", delay=True)
    handler.setLevel(level)
    handler.setFormatter(RedactingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    return handler


def setup_logging(folder: Path, name: str, *, level: int = logging.INFO, to_stderr: bool = False) -> Path:
    """Log this process into ``folder/name.log``; returns that path. Calling it twice replaces the first set-up.

    A handler that cannot write (disk full) reports once on standard error and never ends the process.
    """
    folder.mkdir(parents=True, exist_ok=True)
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        old.close()
    root.setLevel(level)
    logging.raiseExceptions = False
    path = folder / f"{name}.log"
    root.addHandler(_handler(path, level))
    if to_stderr:
        console = logging.StreamHandler(sys.stderr)
        console.setFormatter(RedactingFormatter("%(levelname)s %(name)s: %(message)s"))
        console.setLevel(logging.WARNING)
        root.addHandler(console)
    for noisy in ("aiogram.event", "aiohttp.access", "filelock", "matplotlib", "asyncio", "httpx",
                  "httpcore"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    return path


def log_path(paths: Paths, name: str) -> Path:
    """The log of a process."""
    return paths.logs / f"{name}.log"


def out_path(paths: Paths, name: str) -> Path:
    """The raw output of a process."""
    return paths.logs / f"{name}.out"


def prepare_out(paths: Paths, name: str) -> None:
    """Before a start: a raw output that has grown large becomes ``NAME.out.1``."""
    paths.logs.mkdir(parents=True, exist_ok=True)
    path = out_path(paths, name)
    try:
        if path.stat().st_size > MAX_BYTES:
            os.replace(path, path.with_name(f"{path.name}.1"))
    except OSError:  # not there yet, or (Windows) still open elsewhere: it then simply grows on
        return


def tail(paths: Paths, name: str, lines: int) -> list[str]:
    """The last `lines` lines of a process's log, over the rotation's edge, secrets masked. Empty if it has none."""
    current = _last_lines(log_path(paths, name))
    if len(current) < lines:
        current = _last_lines(log_path(paths, name).with_name(f"{name}.log.1")) + current
    return [redact(line) for line in current[-lines:]] if lines > 0 else []


def last_error(paths: Paths, name: str, since: tuple[int, int] = (0, 0)) -> str:
    """The newest error a process told, as one line: the record's words and, of a traceback, its last line.

    An exception of the program's own has words for a person: they stand alone, without its name and the record's.
    `since` is what `sizes` said before the process started: older words are left out. Empty if there is none.
    """
    head = detail = ""
    within = False
    for line in _last_lines(log_path(paths, name), since[0]):
        record = _RECORD.match(line)
        if record:
            within = record.group(1) in ("ERROR", "CRITICAL")
            if within:
                head, detail = record.group(2), ""
        elif within and line.strip() and not line.startswith(" "):
            detail = line.strip()
    own = _OWN_EXCEPTION.match(detail)
    found = own.group(1) if own else f"{head} | {detail}" if detail else head
    if not found:
        words = [line.strip() for line in _last_lines(out_path(paths, name), since[1])
                 if line.strip() and not _STACK.match(line)]
        found = words[-1] if words else ""
    return redact(found)[:400]


def sizes(paths: Paths, name: str) -> tuple[int, int]:
    """How long log and raw output are now, for `last_error`."""
    return _size(log_path(paths, name)), _size(out_path(paths, name))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _last_lines(path: Path, since: int = 0) -> list[str]:
    try:
        with open(path, "rb") as content:
            end = content.seek(0, os.SEEK_END)
            start = max(since if since <= end else 0, end - _TAIL_BYTES)
            content.seek(start)
            text = content.read().decode("utf-8", errors="replace")
    except OSError:
        return []
    found = text.splitlines()
    return found[1:] if start and start == end - _TAIL_BYTES else found
