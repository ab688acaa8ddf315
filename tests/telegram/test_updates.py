"""Updates are recorded before they act, and act once (X40), whatever a crash leaves behind."""

from pathlib import Path

import pytest

from modules.telegram import updates
from modules.telegram.updates import UpdateLog


async def test_new_once(tmp_path: Path) -> None:
    log = UpdateLog(tmp_path / "u.jsonl")
    assert log.load() == []
    assert await log.take([(5, "/a"), (6, "/b")]) == {5, 6}
    assert await log.take([(6, "/b"), (7, "/c")]) == {7}


async def test_after_a_restart_too_and_unfinished_ones_are_named(tmp_path: Path) -> None:
    log = UpdateLog(tmp_path / "u.jsonl")
    log.load()
    await log.take([(5, "/sellall"), (6, "/ping")])
    log.done(6)
    again = UpdateLog(tmp_path / "u.jsonl")
    assert again.load() == ["/sellall"]
    assert await again.take([(5, "/sellall"), (6, "/ping")]) == set()
    assert UpdateLog(tmp_path / "u.jsonl").load() == []  # told once


async def test_a_lower_number_after_a_quiet_week_is_new(tmp_path: Path) -> None:
    log = UpdateLog(tmp_path / "u.jsonl")
    log.load()
    await log.take([(900, "/a")])
    assert await log.take([(3, "/b")]) == {3}


async def test_cut_at_every_byte_never_acts_twice(tmp_path: Path) -> None:
    path = tmp_path / "u.jsonl"
    log = UpdateLog(path)
    log.load()
    await log.take([(5, "/a")])
    whole = len(path.read_bytes())
    await log.take([(6, "/b")])
    content = path.read_bytes()
    for cut in range(whole, len(content)):
        path.write_bytes(content[:cut])
        torn = UpdateLog(path)
        torn.load()
        new = await torn.take([(5, "/a"), (6, "/b")])
        assert 5 not in new and (6 in new or cut == len(content) - 1)  # only its line end was missing


async def test_a_disk_that_refuses_makes_nothing_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = UpdateLog(tmp_path / "u.jsonl")
    log.load()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(updates, "append_synced", full)
        with pytest.raises(OSError):
            await log.take([(5, "/a")])
    assert await log.take([(5, "/a")]) == {5}


async def test_the_file_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(updates, "append_synced", lambda path, rows: path.open("ab").write(rows))
    log = UpdateLog(tmp_path / "u.jsonl")
    log.load()
    for number in range(5000):
        await log.take([(number, "/ping")])
        log.done(number)
    assert (tmp_path / "u.jsonl").stat().st_size < 400_000
    again = UpdateLog(tmp_path / "u.jsonl")
    assert again.load() == [] and await again.take([(4999, "/ping")]) == set()
