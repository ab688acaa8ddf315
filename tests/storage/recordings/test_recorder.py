"""Recordings: every frame comes back as it was; what a crash, a full disk or a damaged byte costs is counted."""

import errno
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.storage.recordings.format import HEADER, Frame, Header, Kind, pack, read_header, unpack
from modules.storage.recordings.reader import Damage, files_of, index, read_recording
from modules.storage.recordings.recorder import Recorder, RecorderLimits, tidy
from tests.surroundings import wait_until

T0 = 1_723_161_255_000_000_000
HOUR = 3_600_000_000_000


def recorder(folder, listen=None, **limits) -> Recorder:
    made = Recorder(folder, lambda: T0, RecorderLimits(**{"block_s": 0.01, **limits}), listen)
    made.start()
    return made


def everything(folder, damage=None) -> list[Frame]:
    return [frame for path in files_of(folder) for frame in read_recording(path, damage)]


@given(st.lists(st.tuples(st.integers(0, 1 << 60), st.integers(0, 3), st.sampled_from(Kind), st.binary(max_size=80))))
def test_a_block_gives_back_what_was_put_in(rows) -> None:
    names = {number: f"source {number} ü" for number in range(4)}
    block = pack(rows, names)
    header = read_header(block, 0)
    assert header is not None and header.offset + header.packed == len(block) and header.frames == len(rows)
    got = list(unpack(header, block[header.offset:]))
    assert got == [Frame(ns, names[source], kind, payload) for ns, source, kind, payload in rows]


def test_frames_of_two_hours_come_back_in_order_from_two_files(tmp_path) -> None:
    made = recorder(tmp_path)
    public = made.source("/public/stream")
    for number in range(100):
        made.tap(b"%d" % number, T0 + number, public)
    wait_until(lambda: made.state().frames == 100)
    made.tap(b'{"lastUpdateId":1}', T0 + HOUR, made.source("/fapi/v1/depth"), Kind.ANSWER)
    made.note({"lost": True, "source": "/public/stream"})
    made.close()
    got = everything(tmp_path)
    assert [frame.payload for frame in got[:100]] == [b"%d" % number for number in range(100)]
    assert got[100] == Frame(T0 + HOUR, "/fapi/v1/depth", Kind.ANSWER, b'{"lastUpdateId":1}')
    assert got[101].kind is Kind.NOTE and len(files_of(tmp_path)) == 2
    assert made.state().frames == 102 and made.state().problem == ""


def test_a_kill_costs_only_what_was_not_written_yet(tmp_path) -> None:
    script = f"""
import os, signal, time
from pathlib import Path
from modules.storage.recordings.recorder import Recorder, RecorderLimits
made = Recorder(Path({str(tmp_path)!r}), lambda: 0, RecorderLimits(block_s=0.01))
made.start()
for number in range(50):
    made.tap(b"x" * 100, {T0} + number, made.source("s"))
while made.state().frames < 50:
    time.sleep(0.005)
os.kill(os.getpid(), signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
"""
    subprocess.run([sys.executable, "-c", script], check=False, timeout=60)
    assert len(everything(tmp_path)) == 50


def three_blocks(tmp_path):
    path = tmp_path / "20240808T235415Z-000000001.cxr"
    blocks = [pack([(T0 + n, 0, Kind.MESSAGE, b"frame %d" % n)], {0: "s"}) for n in range(3)]
    path.write_bytes(b"".join(blocks))
    return path, blocks


def test_a_torn_end_is_told_and_the_rest_read(tmp_path) -> None:
    path, blocks = three_blocks(tmp_path)
    for cut in range(1, len(blocks[2])):
        path.write_bytes(b"".join(blocks)[:-cut])
        damage = Damage()
        assert len(list(read_recording(path, damage))) == 2
        assert damage.torn_bytes == len(blocks[2]) - cut and damage.blocks == 0
    path.write_bytes(b"".join(blocks[:2]))
    assert len(index(path)) == 2


@pytest.mark.parametrize("place", range(0, 60, 7))
def test_a_flipped_byte_costs_one_block_and_is_told(tmp_path, place) -> None:
    path, blocks = three_blocks(tmp_path)
    spoilt = bytearray(b"".join(blocks))
    spoilt[len(blocks[0]) + place] ^= 0xFF
    path.write_bytes(spoilt)
    damage = Damage()
    got = [frame.payload for frame in read_recording(path, damage)]
    if HEADER.size - 20 <= place < HEADER.size - 4 or 8 <= place < 16:  # times and counts in the head: not the frames
        assert {b"frame 0", b"frame 2"} <= set(got)
    else:
        assert got == [b"frame 0", b"frame 2"] and damage.blocks + damage.lost_bytes > 0 and damage.places


def test_a_disk_that_refuses_is_told_and_the_gap_is_in_the_file(tmp_path, monkeypatch) -> None:
    told: list[str] = []
    full = [True]
    real = os.open

    def refusing(path, *rest, **more):
        if full[0] and str(path).endswith(".cxr"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, *rest, **more)

    monkeypatch.setattr("modules.storage.recordings.recorder._AGAIN_S", 0.01)
    monkeypatch.setattr("modules.storage.recordings.recorder.os.open", refusing)
    made = recorder(tmp_path, told.append)
    for number in range(10):
        made.tap(b"%d" % number, T0 + number, made.source("s"))
    wait_until(lambda: told)
    full[0] = False
    made.tap(b"after", T0 + 11, made.source("s"))
    wait_until(lambda: made.state().problem == "" and made.state().frames)
    made.close()
    got = everything(tmp_path)
    assert b"after" in [frame.payload for frame in got]
    assert b'"dropped":10' in [f for f in got if f.kind is Kind.NOTE][0].payload
    assert "No space left" in told[0] and told[-1] == ""


def test_what_cannot_be_held_is_counted_where_it_is_missing(tmp_path) -> None:
    made = Recorder(tmp_path, lambda: T0, RecorderLimits(held_bytes=10, block_s=0.01))
    for _ in range(5):
        made.tap(b"eleven bytes", T0, made.source("s"))  # the writer has not begun
    made.start()
    wait_until(lambda: made.state().frames)
    made.close()
    got = everything(tmp_path)
    assert [frame.kind for frame in got] == [Kind.MESSAGE, Kind.NOTE] and b'"dropped":4' in got[1].payload
    assert made.state().dropped == 4


def test_old_and_too_many_recordings_go_and_the_open_one_stays(tmp_path) -> None:
    names = ["20240101T000000Z-000000000", "20240807T000000Z-000000000", "20240808T000000Z-000000000",
             "20240808T230000Z-000000000"]
    paths = []
    for name in names:
        folder = tmp_path / f"{name[:4]}-{name[4:6]}-{name[6:8]}"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.cxr").write_bytes(b"x" * 600_000)
        paths.append(folder / f"{name}.cxr")
    removed = tidy(tmp_path, RecorderLimits(most_mb=1, keep_days=14), T0 // 1_000_000, keep=paths[3])
    assert removed == paths[:3] and files_of(tmp_path) == [paths[3]] and not paths[0].parent.exists()


def test_no_head_in_foreign_bytes() -> None:
    assert read_header(b"CXR1" + b"\xff" * 40, 0) is None and read_header(b"", 0) is None
    assert isinstance(read_header(pack([], {}), 0), Header)
