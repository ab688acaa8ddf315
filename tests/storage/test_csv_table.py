"""CSV tables: fixed header, durable rows, torn rows set aside."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modules.storage.csv_table import CsvTable
from modules.storage.damage import Damage, StateError
from utils.paths import PROJECT

COLUMNS = ("symbol", "price", "features")


def table(folder: Path) -> CsvTable:
    return CsvTable(folder / "candidate_tokens.csv", COLUMNS)


def row(number: int) -> dict[str, object]:
    return {"symbol": f"T{number}USDT", "price": number / 7, "features": '{"rsi": 70.5, "note": "a, \\"b\\""}'}


def symbols(found: list[dict[str, str]]) -> list[str]:
    return [one["symbol"] for one in found]


def test_rows_come_back_as_text(tmp_path: Path) -> None:
    rows = table(tmp_path)
    assert rows.read() == [] and rows.problem() == ""
    rows.append([row(1)])
    rows.append([row(2), {"symbol": "X", "price": None, "features": "two\nlines"}])
    rows.append([])
    found = rows.read()
    assert found[0] == {key: str(value) for key, value in row(1).items()}
    assert found[2] == {"symbol": "X", "price": "", "features": "two lines"}
    rows.replace([row(9)])
    assert symbols(rows.read()) == ["T9USDT"]


def test_a_missing_column_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    rows = table(tmp_path)
    with pytest.raises(KeyError):
        rows.append([row(1), {"symbol": "X"}])
    assert rows.read() == []


def test_a_file_with_other_columns_is_refused_never_mixed(tmp_path: Path) -> None:
    rows = table(tmp_path)
    rows.path.write_text("symbol,price\nA,1\n", encoding="utf-8")
    for attempt in (rows.read, lambda: rows.append([row(1)])):
        with pytest.raises(StateError, match="has the columns symbol,price; expected symbol,price,features"):
            attempt()
    assert rows.path.read_text(encoding="utf-8") == "symbol,price\nA,1\n"
    assert "columns" in rows.problem()


@pytest.mark.parametrize("header", [b"\xf5\xb9Yo:/,\x00\xff\n", b"sym,pr\x00ce,features\n", b'[1,"x",null]\n', b"\n"])
def test_a_header_that_nobody_wrote_is_set_aside_and_whole_rows_are_kept(tmp_path: Path, header: bytes) -> None:
    rows = table(tmp_path)
    rows.append([row(1), row(2)])
    body = rows.path.read_bytes().partition(b"\n")[2]
    rows.path.write_bytes(header + body)
    assert "columns is damaged" in rows.problem()
    assert symbols(rows.read()) == ["T1USDT", "T2USDT"]
    assert rows.problem() == ""
    assert len(list(tmp_path.glob("*.damaged-*"))) == 1


@pytest.mark.parametrize("content", [b"symb", b"symbol,price,feat", b'[1,"x",null]', bytes(range(1, 256)) * 2])
def test_a_torn_or_ruined_table_begins_anew(tmp_path: Path, content: bytes) -> None:
    rows = table(tmp_path)
    rows.path.write_bytes(content)
    rows.append([row(3)])
    assert symbols(rows.read()) == ["T3USDT"]
    assert len(list(tmp_path.glob("*.damaged-*"))) == 1


def test_an_empty_file_is_an_empty_table(tmp_path: Path) -> None:
    rows = table(tmp_path)
    rows.path.touch()
    assert rows.read() == []
    rows.append([row(1)])
    assert symbols(rows.read()) == ["T1USDT"]


def test_torn_at_every_byte_of_the_last_row_loses_only_that_row(tmp_path: Path, damages: list[Damage]) -> None:
    rows = table(tmp_path)
    rows.append([row(1)])
    before = rows.path.stat().st_size
    rows.append([row(2)])
    whole = rows.path.read_bytes()
    for cut in range(before + 1, len(whole)):
        for tail in (b"", b"\0\0\0"):
            rows.path.write_bytes(whole[:cut] + tail)
            rows.append([row(3)])
            assert symbols(rows.read()) == ["T1USDT", "T3USDT"], (cut, tail)
    assert len(damages) == 2 * (len(whole) - before - 1)
    assert damages[0].set_aside is not None and damages[0].set_aside.exists()


def test_the_reader_mends_too_and_keeps_what_stands_after_a_damaged_row(tmp_path: Path, damages: list[Damage]) -> None:
    rows = table(tmp_path)
    rows.append([row(number) for number in range(1, 6)])
    lines = rows.path.read_bytes().split(b"\n")
    lines[2] = b'T2USDT,"0.3,{""rsi'  # an open quote swallows nothing behind it
    lines[4] = b"\xff\xfe,1,2"
    rows.path.write_bytes(b"\n".join(lines))
    assert rows.problem() == "2 torn row(s); the next reading sets them aside"
    assert symbols(rows.read()) == ["T1USDT", "T3USDT", "T5USDT"]
    assert rows.problem() == "" and len(damages) == 1


@pytest.mark.parametrize("room", [0, 5])
def test_a_full_disk_leaves_the_table_as_it_was(tmp_path: Path, room: int, full_disk: Callable[[int], Any]) -> None:
    rows = table(tmp_path)
    rows.append([row(1)])
    before = rows.path.read_bytes()
    with full_disk(room), pytest.raises(OSError):
        rows.append([row(2)])
    assert rows.path.read_bytes() == before


WRITER = """
import sys
from pathlib import Path
from modules.storage.csv_table import CsvTable
rows = CsvTable(Path(sys.argv[1]), ("who", "n"))
for number in range(150):
    rows.append([{"who": sys.argv[2], "n": number}])
"""


def test_two_processes_append_while_a_third_reads(tmp_path: Path) -> None:
    rows = CsvTable(tmp_path / "labels.csv", ("who", "n"))
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(rows.path), who], cwd=PROJECT) for who in "ab"]
    while any(writer.poll() is None for writer in writers):
        rows.read()
    assert [writer.wait() for writer in writers] == [0, 0]
    found = rows.read()
    for who in "ab":
        assert [int(one["n"]) for one in found if one["who"] == who] == list(range(150))
    assert not list(tmp_path.glob("*.damaged-*"))
