"""The record of decisions: whole lines or none, a budget of disk, and a disk that refuses holds up nobody."""

import asyncio
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.storage import decisions
from modules.storage.decisions import DecisionFileError, DecisionLog, cut_tail, files, line_of, read
from utils.files import write_all

HEAD = b'["head"]'


def log_in(folder, **more):
    return DecisionLog(folder, "x", HEAD, **{"disk_mb": 10.0, "keep_days": 30.0, "file_mb": 1.0, **more})


async def write(log, *records):
    for record in records:
        log.append(record)
    log.flush()
    await log.close()


async def test_what_was_appended_is_read_and_a_new_process_begins_a_new_file(tmp_path):
    await write(log_in(tmp_path), b"[1]", b"[2]")
    await write(log_in(tmp_path), b"[3]")
    assert [read(path) for path in files(tmp_path, "x")] == [([HEAD, b"[1]", b"[2]"], 0), ([HEAD, b"[3]"], 0)]


@given(cut=st.integers(min_value=0, max_value=60))
def test_a_file_cut_anywhere_loses_only_its_last_line(tmp_path_factory, cut):
    path = tmp_path_factory.mktemp("cut") / "x.000001.jsonl"
    whole = b"".join(line_of(b"[%d]" % number) for number in range(5))
    path.write_bytes(whole[:max(len(whole) - cut, 0)])
    left = whole[:max(len(whole) - cut, 0)].count(b"\n")
    assert read(path)[0] == [b"[%d]" % number for number in range(left)]
    cut_tail(path)
    assert path.read_bytes() == b"".join(line_of(b"[%d]" % number) for number in range(left))
    assert cut_tail(path) == 0


@pytest.mark.parametrize("tail", [b"\0" * 4096, b"1234", b"00000000 [1]\n\0\0\0"])
async def test_blocks_that_never_reached_the_disk_are_a_torn_tail(tmp_path, tail):
    await write(log_in(tmp_path), b"[1]")
    [path] = files(tmp_path)
    path.write_bytes(path.read_bytes() + tail)
    assert read(path) == ([HEAD, b"[1]"], len(tail))
    await write(log_in(tmp_path), b"[2]")
    assert read(path) == ([HEAD, b"[1]"], 0)


@given(place=st.integers(min_value=0, max_value=10**6), bit=st.integers(min_value=0, max_value=7))
def test_no_changed_byte_passes_unseen(tmp_path_factory, place, bit):
    path = tmp_path_factory.mktemp("edit") / "x.000001.jsonl"
    whole = bytearray(b"".join(line_of(b'["look",%d]' % number) for number in range(6)))
    place %= len(whole)
    whole[place] ^= 1 << bit
    path.write_bytes(whole)
    before = [b'["look",%d]' % number for number in range(6)]
    try:
        found, rest = read(path)
    except DecisionFileError as problem:
        assert "line" in str(problem)
    else:  # only what looks like a torn tail is left out, and never silently
        assert rest and found == before[:len(found)]


async def test_files_turn_over_and_the_oldest_go_with_the_budget(tmp_path):
    log = log_in(tmp_path, disk_mb=0.1, file_mb=0.01)
    for number in range(20_000):
        log.append(b"[%d]" % number)
        if number % 50 == 0:
            log.flush()
            await asyncio.sleep(0)
    await log.close()
    found = files(tmp_path, "x")
    assert sum(path.stat().st_size for path in found) <= 0.1e6 and len(found) > 5
    kept = [record for path in found for record in read(path)[0] if record != HEAD]
    assert kept == [b"[%d]" % number for number in range(20_000 - len(kept), 20_000)] and log.lost == 0
    assert all(read(path)[0][0] == HEAD for path in found)


async def test_old_files_go_and_those_of_other_records_stay(tmp_path):
    for number in (1, 2):
        old = tmp_path / f"x.00000{number}.jsonl"
        old.write_bytes(line_of(HEAD))
        os.utime(old, (1, 1))
    other = tmp_path / "y.000001.jsonl"
    other.write_bytes(line_of(HEAD))
    os.utime(other, (1, 1))
    await write(log_in(tmp_path), b"[1]")
    assert [path.name for path in files(tmp_path)] == ["x.000003.jsonl", "y.000001.jsonl"]


async def test_a_disk_that_refuses_costs_lines_and_is_tried_again(tmp_path, monkeypatch):
    log = log_in(tmp_path)
    log.append(b"[1]")
    log.flush()
    await log._task
    broken = True
    real = write_all

    def refuses(handle, content):
        if broken:
            os.write(handle, content[:5])
            raise OSError(28, "No space left on device")
        real(handle, content)

    monkeypatch.setattr(decisions, "write_all", refuses)
    log.append(b"[2]")
    log.flush()
    await log._task
    assert log.lost == 1 and "No space" in log.problem
    broken = False
    await write(log, b"[3]")
    assert not log.problem
    assert [read(path) for path in files(tmp_path)] == [([HEAD, b"[1]"], 0), ([HEAD, b"[3]"], 0)]


async def test_a_folder_that_cannot_be_made_is_no_failure(tmp_path):
    (tmp_path / "file").write_text("in the way")
    log = log_in(tmp_path / "file")
    await write(log, b"[1]")
    assert log.lost == 2 and log.problem


async def test_a_slow_disk_keeps_memory_bounded(tmp_path, monkeypatch):
    log = log_in(tmp_path)
    gate = asyncio.Event()

    async def slow(lines):
        await gate.wait()

    monkeypatch.setattr(log, "_hand_over", slow)
    monkeypatch.setattr(decisions, "WAITING_MOST", 1000)
    for _ in range(500):
        log.append(b"[%d]" % 10**9)
        log.flush()
        await asyncio.sleep(0)
    assert log.lost > 300 and log._waiting < 2000
    gate.set()
