"""trades.log and errors.log (B9): for people and, line by line the same, for programs; rotated; no secret in either."""

import json
import logging
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from modules.strategies.scalper import trade_log
from modules.strategies.scalper.records import Trade
from modules.strategies.scalper.trade_log import TradeLog
from utils.redact import register_secrets

SECRET = "Zq8-not-for-a-log-3fKpL0vW"
ONE = Trade(id="b1-1", symbol="ETHUSDT", side=-1, position_side="SHORT", asked_ms=1, score=-0.41,
            quantity=Decimal("0.25"), price=Decimal("2000"), stop=Decimal("2006.00"), take=Decimal("1991.00"),
            parts={"order flow": -0.41}, opened_ms=1_770_000_000_000, entry=Decimal("2000"), filled=Decimal("0.25"))
DONE = msgspec.structs.replace(ONE, exit=Decimal("1991"), pnl=Decimal("2.05"), fees=Decimal("0.2"), why="target",
                               closed_ms=1_770_000_060_000)


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[TradeLog]:
    made = TradeLog(tmp_path)
    yield made
    made.close()


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_open_and_close_stand_in_both_logs(lines: TradeLog, tmp_path: Path) -> None:
    lines.opened(ONE, "TEST")
    lines.closed(DONE, "LIVE")
    opened, closed = (tmp_path / "trades.log").read_text("utf-8").splitlines()
    for part in ("TEST OPEN SELL ETHUSDT", "size=0.25", "price=2,000", "sl=2006.00", "tp=1991.00", "id=b1-1"):
        assert part in opened, part
    for part in ("LIVE CLOSE SELL ETHUSDT", "size=0.25", "price=1,991", "pnl=+2.0500", "fees=0.2000", "why=target"):
        assert part in closed, part
    first, second = rows(tmp_path / "trades.jsonl")
    assert (first["event"], first["mode"], first["size"], first["exit"], first["stop"]) == (
        "open", "TEST", "0.25", None, "2006.00")
    assert (second["event"], second["mode"], second["exit"], second["pnl"], second["why"]) == (
        "close", "LIVE", "1991", "2.05", "target")
    assert first["parts"] == {"order flow": -0.41} and first["at"] == opened.split()[0]


def test_trades_turn_when_full_and_no_line_is_cut(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(trade_log, "MAX_BYTES", 4000)
    lines = TradeLog(tmp_path)
    try:
        for number in range(160):
            lines.closed(msgspec.structs.replace(DONE, id=f"b{number}"), "TEST")
    finally:
        lines.close()
    for name, kept in (("trades.log", lambda line: line.rpartition("id=")[2]),
                       ("trades.jsonl", lambda line: json.loads(line)["id"])):
        files = sorted(tmp_path.glob(f"{name}*"))
        assert [path.name for path in files] == [name, f"{name}.1", f"{name}.2", f"{name}.3"]
        assert all(path.stat().st_size <= 4000 for path in files)
        newest_first = [files[0], *files[1:]]
        told = [kept(line) for path in reversed(newest_first) for line in path.read_text("utf-8").splitlines()]
        assert told == [f"b{number}" for number in range(160 - len(told), 160)]  # the newest, in order, each once


def test_errors_of_any_room_stand_in_both_logs_without_secrets(lines: TradeLog, tmp_path: Path) -> None:
    register_secrets([SECRET])
    log = logging.getLogger("modules.execution.somewhere")
    log.warning("this is no error")
    try:
        raise ValueError(f"key {SECRET} is wrong")
    except ValueError:
        log.exception("asked with %s,\na second line: %s", SECRET, "2026-01-01T00:00:00.000Z ERROR x: forged")
    text = (tmp_path / "errors.log").read_text("utf-8")
    assert "asked with" in text and "ValueError: key" in text and "no error" not in text
    assert not [line for line in text.splitlines() if line.startswith("2026-01-01T00:00:00")]  # nobody forges a record
    [row] = rows(tmp_path / "errors.jsonl")
    assert (row["level"], row["from"]) == ("ERROR", "modules.execution.somewhere")
    assert "asked with" in row["text"] and "ValueError" in row["trace"]
    assert SECRET not in text and SECRET not in json.dumps(row)


def test_errors_turn_when_full(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(trade_log, "MAX_BYTES", 1500)
    lines = TradeLog(tmp_path)
    try:
        for number in range(160):
            logging.getLogger("here").error("problem %d", number)
    finally:
        lines.close()
    for name in ("errors.log", "errors.jsonl"):
        files = sorted(tmp_path.glob(f"{name}*"))
        assert [path.name for path in files] == [name, f"{name}.1", f"{name}.2", f"{name}.3"]
        assert "problem 159" in files[0].read_text("utf-8")
        assert all(json.loads(line) for path in files if "jsonl" in path.name
                   for line in path.read_text("utf-8").splitlines())
    logging.getLogger("here").error("after the end")
    assert "after the end" not in (tmp_path / "errors.log").read_text("utf-8")


def test_a_disk_that_refuses_costs_lines_and_nothing_else(lines: TradeLog, tmp_path: Path,
                                                         capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "trades.log").mkdir()  # cannot be opened as a file
    lines.opened(ONE, "TEST")
    assert [row["event"] for row in rows(tmp_path / "trades.jsonl")] == ["open"]
    assert capsys.readouterr().err  # what was lost is told
