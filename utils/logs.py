"""Logging of one process: a file of its own, secrets masked, rotated by size."""

import logging
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

from utils.redact import redact
from utils.wall import iso

MAX_BYTES = 2_000_000
KEEP = 3


class RedactingFormatter(logging.Formatter):
    """One line a record in UTC; masks secrets in message *and* traceback."""

    def format(self, record: logging.LogRecord) -> str:
        record.asctime = iso(int(record.created * 1000))
        return redact(super().format(record))

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
    for noisy in ("aiogram.event", "aiohttp.access", "filelock", "matplotlib", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    return path
