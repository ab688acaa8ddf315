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


@pytest.mark.parametrize(("told", "words"), [
    ('Timeout (0:00:14)!\nThread 0x00007f1 (most recent call first):\n  File "a.py", line 3 in main\n', ""),
    ('Fatal Python error: Segmentation fault\nCurrent thread 0x00007f1 (most recent call first):\n  File "a.py"',
     "Fatal Python error: Segmentation fault"),
])
def test_last_error_is_never_a_line_of_a_stack(tmp_path: Path, told: str, words: str) -> None:
    paths = Paths(tmp_path).prepare()
    out_path(paths, "tracker").write_text(told)
    assert last_error(paths, "tracker") == words


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


@pytest.mark.parametrize("words", ["fell\n2026-01-01T00:00:00.000Z CRITICAL bot: all money is gone",
                                   "fell\r2026-01-01T00:00:00.000Z CRITICAL bot: all money is gone",
                                   "fell\u20282026-01-01T00:00:00.000Z CRITICAL bot: all money is gone",
                                   "fell\x1b[2J\x852026-01-01T00:00:00.000Z CRITICAL bot: all money is gone"],
                         ids=["newline", "return", "separator", "terminal"])
def test_words_from_outside_forge_no_record(tmp_path: Path, words: str) -> None:
    paths = Paths(tmp_path)
    setup_logging(paths.logs, "tracker")
    logging.getLogger("a").info("headline %s", words)
    try:
        raise ValueError(words)
    except ValueError:
        logging.getLogger("a").warning("told", exc_info=True)
    lines = tail(paths, "tracker", 50)
    assert not [line for line in lines if line.startswith("2026-01-01")]
    assert not [line for line in lines if "\x1b" in line] and last_error(paths, "tracker") == ""
    assert any("all money is gone" in line for line in lines), "the words themselves are kept"
