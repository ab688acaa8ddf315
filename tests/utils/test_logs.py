"""Logs: one file a process, masked, rotated, read back for people."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from modules.storage.damage import StateError
from utils import logs
from utils.logs import last_error, log_path, out_path, prepare_out, setup_logging, sizes, tail
from utils.paths import Paths
from utils.redact import register_secrets


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[None]:
    """Put the root logger back as it was."""
    root = logging.getLogger()
    before, level, raising = list(root.handlers), root.level, logging.raiseExceptions
    for handler in before:
        root.removeHandler(handler)
    yield
    for handler in list(root.handlers):
        root.removeHandler(handler)
        handler.close()
    for handler in before:
        root.addHandler(handler)
    root.setLevel(level)
    logging.raiseExceptions = raising


def test_secrets_are_masked_in_messages_and_tracebacks(tmp_path: Path) -> None:
    register_secrets(["hidden-value-1"])
    paths = Paths(tmp_path)
    setup_logging(paths.logs, "tracker")
    try:
        raise ValueError("https://api.example.org/x?signature=abcdef&apiKey=k123 hidden-value-1")
    except ValueError:
        logging.getLogger("a").exception("with hidden-value-1 and /bot123456789:AAbbCCddEEffGGhhIIjjKKllMMnnOOpp/getMe")
    text = log_path(paths, "tracker").read_text(encoding="utf-8")
    for secret in ("hidden-value-1", "abcdef", "k123", "AAbbCC"):
        assert secret not in text
    assert "ValueError: https://api.example.org/x?signature=***&apiKey=***" in text


def test_tail_goes_over_the_edge_of_a_rotation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MAX_BYTES", 700)
    paths = Paths(tmp_path)
    setup_logging(paths.logs, "scanner")
    for number in range(20):
        logging.getLogger("a").info("line %d", number)
    found = tail(paths, "scanner", 8)
    assert [line.rsplit(" ", 1)[1] for line in found] == [str(number) for number in range(12, 20)]
    assert tail(paths, "scanner", 0) == [] and tail(paths, "nobody", 5) == []
    assert len(list(paths.logs.glob("scanner.log*"))) <= 1 + logs.KEEP


def test_last_error_is_the_words_and_the_end_of_the_traceback(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    setup_logging(paths.logs, "tracker")
    log = logging.getLogger("a.b")
    assert last_error(paths, "tracker") == ""
    log.error("first")
    try:
        raise KeyError("PEPEUSDT")
    except KeyError:
        log.exception("tracker failed")
    log.info("afterwards\nValueError: not this one")
    assert last_error(paths, "tracker") == "tracker failed | KeyError: 'PEPEUSDT'"
    since = sizes(paths, "tracker")
    assert last_error(paths, "tracker", since) == ""
    out_path(paths, "tracker").write_text("Traceback\nSyntaxError: invalid\n\n", encoding="utf-8")
    assert last_error(paths, "tracker", since) == "SyntaxError: invalid"


def test_words_of_the_programs_own_exceptions_stand_alone(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    setup_logging(paths.logs, "scanner")
    try:
        raise StateError("market.json is damaged: restore it.")
    except StateError:
        logging.getLogger("a.b").exception("scanner failed")
    assert last_error(paths, "scanner") == "market.json is damaged: restore it."


def test_large_raw_output_is_put_aside_before_a_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MAX_BYTES", 10)
    paths = Paths(tmp_path)
    prepare_out(paths, "tracker")
    out_path(paths, "tracker").write_text("x" * 11, encoding="utf-8")
    prepare_out(paths, "tracker")
    assert not out_path(paths, "tracker").exists()
    assert (paths.logs / "tracker.out.1").read_text(encoding="utf-8") == "x" * 11


def test_a_log_that_cannot_be_written_never_ends_the_process(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    setup_logging(paths.logs, "tracker")
    (paths.logs / "tracker.log").mkdir()  # no file can be opened there
    logging.getLogger("a").error("said into the void")
