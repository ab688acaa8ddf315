"""The logs of B9: ``trades.log`` and ``errors.log`` for people, each with a twin of JSON lines; rotated."""

import json
import logging
from decimal import Decimal
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from modules.strategies.scalper.records import Trade
from utils.figures import price
from utils.logs import KEEP, MAX_BYTES, RedactingFormatter
from utils.redact import redact
from utils.wall import iso, now_ms

LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class _Json(logging.Formatter):
    """One JSON object a record."""

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, Any] = {"at": iso(int(record.created * 1000)), "level": record.levelname, "from": record.name,
                                "text": record.getMessage()}
        if record.exc_info:
            told["trace"] = self.formatException(record.exc_info)
        return redact(json.dumps(told, ensure_ascii=False))


class TradeLog:
    """Writes a line of each kind; a disk that refuses costs lines, never a trade."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._text = _file(folder / "trades.log", logging.Formatter("%(message)s"))
        self._lines = _file(folder / "trades.jsonl", logging.Formatter("%(message)s"))
        errors = (_file(folder / "errors.log", RedactingFormatter(LINE)), _file(folder / "errors.jsonl", _Json()))
        self._errors = errors
        for handler in errors:
            handler.setLevel(logging.ERROR)
            logging.getLogger().addHandler(handler)

    def opened(self, trade: Trade, mode: str) -> None:
        """A position stands."""
        text = (f"{mode} OPEN {trade.word} {trade.symbol} size={trade.filled:f} price={price(trade.entry)} "
                f"sl={trade.stop:f} tp={trade.take:f} score={trade.score:+.2f} id={trade.id}")
        self._write("open", trade, mode, text)

    def closed(self, trade: Trade, mode: str) -> None:
        """A position is gone."""
        text = (f"{mode} CLOSE {trade.word} {trade.symbol} size={trade.filled:f} price={price(trade.exit)} "
                f"entry={price(trade.entry)} pnl={trade.pnl:+.4f} fees={trade.fees:.4f} why={trade.why} id={trade.id}")
        self._write("close", trade, mode, text)

    def _write(self, event: str, trade: Trade, mode: str, text: str) -> None:
        at = iso(now_ms())
        _emit(self._text, f"{at} {text}")
        told = {"at": at, "event": event, "mode": mode, "id": trade.id, "symbol": trade.symbol, "side": trade.word,
                "market_ms": trade.closed_ms or trade.opened_ms, "size": trade.filled, "entry": trade.entry,
                "exit": trade.exit if trade.closed_ms else None, "stop": trade.stop, "take": trade.take,
                "pnl": trade.pnl, "fees": trade.fees, "funding": trade.funding, "why": trade.why,
                "score": trade.score, "parts": trade.parts, "mood": trade.mood, "maker": trade.maker}
        _emit(self._lines, json.dumps(told, ensure_ascii=False, default=_plain))

    def close(self) -> None:
        """Let the files go."""
        for handler in self._errors:
            logging.getLogger().removeHandler(handler)
        for handler in (self._text, self._lines, *self._errors):
            handler.close()


def _plain(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    raise TypeError(f"{type(value).__name__} has no place in a log line")


def _file(path: Path, form: logging.Formatter) -> RotatingFileHandler:
    handler = RotatingFileHandler(path, maxBytes=MAX_BYTES, backupCount=KEEP, encoding="utf-8", delay=True)
    handler.setFormatter(form)
    return handler


def _emit(handler: logging.Handler, text: str) -> None:
    handler.handle(logging.LogRecord("scalper", logging.INFO, "", 0, text, None, None))
