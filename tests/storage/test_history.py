"""The endless history: one valid array, cost without length, and every way a crash can tear it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from modules.storage.damage import Damage, StateError
from modules.storage.history import History
from tests.storage.conftest import Sale
from utils.paths import PROJECT


def history(folder: Path, segment_bytes: int = 1_000_000) -> History[Sale]:
    return History(folder / "trade_history.json", Sale, segment_bytes)


def ids(log: History[Sale]) -> list[int]:
    return [sale.id for sale in log.records()]


def test_the_current_file_is_a_valid_array_after_every_append(tmp_path: Path) -> None:
    log = history(tmp_path)
    assert ids(log) == [] and log.newest(3) == []
    for number in range(5):
        log.append(Sale(number))
        assert [one["id"] for one in json.loads(log.path.read_text(encoding="utf-8"))] == list(range(number + 1))
    log.extend([Sale(5), Sale(6)])
    log.extend([])
    assert ids(log) == list(range(7))
    assert [sale.id for sale in log.newest(2)] == [5, 6]
    assert log.newest(0) == []


def test_readers_see_one_history_over_many_segments(tmp_path: Path) -> None:
    log = history(tmp_path, segment_bytes=200)
    for number in range(60):
        log.append(Sale(number))
    assert len(log.segments()) > 5
    assert ids(log) == list(range(60))
    assert [sale.id for sale in log.newest(25)] == list(range(35, 60))
    for segment in log.segments():
        for line in segment.read_text(encoding="utf-8").splitlines():
            json.loads(line)
    assert log.clear() == len(log.segments()) + 1 or ids(log) == []
    assert ids(log) == [] and log.segments() == []


def test_a_removed_old_segment_never_has_its_number_given_again(tmp_path: Path) -> None:
    log = history(tmp_path, segment_bytes=100)
    for number in range(12):
        log.append(Sale(number))
    log.segments()[0].unlink()
    kept = set(ids(log))
    for number in range(12, 24):
        log.append(Sale(number))
    assert set(ids(log)) == kept | set(range(12, 24))


def test_torn_at_every_byte_of_the_last_append_loses_only_that_record(tmp_path: Path, damages: list[Damage]) -> None:
    log = history(tmp_path)
    log.append(Sale(0))
    log.append(Sale(1))
    before = log.path.read_bytes()
    log.append(Sale(2))
    after = log.path.read_bytes()
    start = len(before) - len(b"\n]\n")
    for cut in range(start, len(after)):  # the bytes of the append reached the disk up to here
        for tail in (b"", b"\0" * 5):
            log.path.write_bytes(after[:cut] + tail)
            log.append(Sale(3))
            found = ids(log)
            assert found in ([0, 1, 3], [0, 1, 2, 3]), (cut, tail, found)
            json.loads(log.path.read_text(encoding="utf-8"))
    assert damages and all(damage.set_aside and damage.set_aside.exists() for damage in damages)


def test_torn_file_is_mended_by_the_reader_too(tmp_path: Path, damages: list[Damage]) -> None:
    log = history(tmp_path)
    log.extend([Sale(0), Sale(1)])
    log.path.write_bytes(log.path.read_bytes()[:-20])
    assert log.problem()
    assert ids(log) == [0]
    assert log.problem() == ""
    assert len(damages) == 1 and "1 whole records were kept" in damages[0].sentence()


def test_an_array_laid_out_by_an_editor_keeps_every_record(tmp_path: Path, damages: list[Damage]) -> None:
    log = history(tmp_path)
    log.extend([Sale(0), Sale(1)])
    log.path.write_text(json.dumps(json.loads(log.path.read_text(encoding="utf-8")), indent=4), encoding="utf-8")
    log.append(Sale(2))
    assert ids(log) == [0, 1, 2]
    log.path.write_text("[]", encoding="utf-8")
    log.append(Sale(3))
    assert ids(log) == [3]


@pytest.mark.parametrize("stage", ["renamed", "written", "both"])
def test_a_crash_between_any_two_steps_of_a_rotation_neither_loses_nor_doubles(
        tmp_path: Path, stage: str) -> None:
    for number in range(4):
        history(tmp_path).append(Sale(number))
    log = history(tmp_path, segment_bytes=150)
    current = log.path.read_bytes()
    full = tmp_path / "trade_history.00001.full"
    lines = tmp_path / "trade_history.00001.jsonl"
    log.path.rename(full)
    if stage != "renamed":
        lines.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in msgspec.json.decode(current)))
    if stage == "written":
        full.unlink()
    assert ids(log) == [0, 1, 2, 3]
    assert [sale.id for sale in log.newest(2)] == [2, 3]
    for number in range(4, 12):
        log.append(Sale(number))
    assert ids(log) == list(range(12))
    assert not list(tmp_path.glob("*.full"))


@pytest.mark.parametrize("room", [0, 1, 7, 30])
def test_a_full_disk_leaves_the_history_as_it_was(tmp_path: Path, room: int, full_disk: Callable[[int], Any]) -> None:
    log = history(tmp_path)
    log.extend([Sale(0), Sale(1)])
    before = log.path.read_bytes()
    with full_disk(room), pytest.raises(OSError):
        log.append(Sale(2))
    assert log.path.read_bytes() == before
    log.append(Sale(3))
    assert ids(log) == [0, 1, 3]


def test_records_of_another_form_are_an_error_not_an_empty_history(tmp_path: Path) -> None:
    log = history(tmp_path)
    log.path.write_text('[\n{"id":"x"}\n]\n', encoding="utf-8")
    with pytest.raises(StateError, match="another form"):
        list(log.records())
    assert "another form" in log.problem()
    assert log.path.read_text(encoding="utf-8") == '[\n{"id":"x"}\n]\n'


def test_a_damaged_line_in_an_old_segment_costs_that_line_only(tmp_path: Path, damages: list[Damage]) -> None:
    log = history(tmp_path, segment_bytes=150)
    for number in range(8):
        log.append(Sale(number))
    first = log.segments()[0]
    content = first.read_bytes().splitlines()
    content[1] = b'{"id":1,"symb'
    first.write_bytes(b"\n".join(content) + b"\n")
    assert ids(log) == [0, *range(2, 8)]
    assert ids(log) == [0, *range(2, 8)]
    assert len(damages) == 1, "told once"
    assert "record 2" in log.problem()


WRITER = """
import sys
from pathlib import Path
from modules.storage.history import History
from tests.storage.conftest import Sale
log = History(Path(sys.argv[1]), Sale, 3000)
for number in range(150):
    log.append(Sale(int(sys.argv[2]) * 1000 + number))
"""


def test_two_processes_append_while_a_third_reads(tmp_path: Path) -> None:
    log = History(tmp_path / "trade_history.json", Sale, 3000)
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(log.path), str(number)], cwd=PROJECT)
               for number in (1, 2)]
    seen = 0
    while any(writer.poll() is None for writer in writers):
        found = ids(log)
        assert len(found) == len(set(found)) >= seen
        seen = len(found)
    assert [writer.wait() for writer in writers] == [0, 0]
    found = ids(log)
    for number in (1, 2):
        assert [one for one in found if one // 1000 == number] == [number * 1000 + n for n in range(150)]
    assert not list(tmp_path.glob("*.damaged-*"))


def test_an_append_touches_only_the_end_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = history(tmp_path, segment_bytes=10_000_000)
    log.extend([Sale(number) for number in range(20_000)])
    written: list[int] = []
    real = os.write

    def write(handle: int, content: bytes) -> int:
        written.append(len(content))
        return real(handle, content)

    monkeypatch.setattr(os, "write", write)
    log.append(Sale(20_000))
    assert 0 < sum(written) < 200
