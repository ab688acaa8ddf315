"""Backup of a running program, restore elsewhere, and everything that must not be believed (P17)."""

import json
import os
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from filelock import FileLock, Timeout

from modules.storage import archive as archives
from modules.storage import backup as backups
from modules.storage.archive import BackupError, allowed
from modules.storage.backup import make_backup, whole_records
from modules.storage.restore import check_backup, restore
from tests.storage.backup_writer import Count, rows, state, trades
from tests.surroundings import environment, wait_until
from utils.files import lock_path
from utils.locks import ProcessLock
from utils.paths import PROJECT, Paths


@pytest.fixture
def home(tmp_path: Path) -> Paths:
    """A home with something of everything."""
    paths = Paths(tmp_path / "home").prepare()
    for n in range(1, 61):
        trades(paths).append(Count(n))
    state(paths).save(Count(60))
    rows(paths).append({"n": n, "text": "x"} for n in range(60))
    (paths.config / "state.json").write_text('{"test_mode":false}', encoding="utf-8")
    (paths.data / "intents.jsonl").write_text('{"a":1}\n{"b":2}\n', encoding="utf-8")
    for name in ("PEPEUSDT_model.pkl", "PEPEUSDT_manifest.json", ".DOGEUSDT_model.pkl.abc.new"):
        (paths.models / name).write_text(f'{{"name": "{name}"}}', encoding="utf-8")
    (paths.data / "simulator").mkdir()
    (paths.data / "simulator" / "journal.jsonl").write_bytes(b"one\ntwo\ntor")
    (paths.run / "telegram_updates.jsonl").write_bytes(b"17\n")
    for left_out in (paths.logs / "bot.log", paths.run / "desired.json", paths.inbox / "tracker" / "1.json",
                     paths.market_data / "PEPEUSDT.csv", paths.home / ".env", paths.config / ".env",
                     paths.config / "config.local.yaml", paths.data / ".tracked_tokens.json.lock"):
        left_out.parent.mkdir(parents=True, exist_ok=True)
        left_out.write_text("SECRET=1234567890", encoding="utf-8")
    return paths


def test_a_restored_home_says_the_same(home: Paths, tmp_path: Path) -> None:
    made = make_backup(home, tmp_path / "b.zip")
    done = restore(tmp_path / "b.zip", Paths(tmp_path / "elsewhere"))
    other = Paths(tmp_path / "elsewhere")
    assert done.aside is None and made.notes == ("data/simulator/journal.jsonl: a torn end of 3 bytes was cut off",)
    assert state(other).load() == Count(60)
    assert [one.n for one in trades(other).records()] == list(range(1, 61))
    assert len(trades(other).segments()) == 1
    assert len(rows(other).read()) == 60
    for name in ("config/state.json", "data/intents.jsonl", "models/PEPEUSDT_model.pkl",
                 "models/.DOGEUSDT_model.pkl.abc.new", "data/run/telegram_updates.jsonl"):
        assert (other.home / name).read_bytes() == (home.home / name).read_bytes(), name
    assert not list(other.home.glob(".restore-*"))


def test_secrets_logs_caches_and_messages_are_not_in_it(home: Paths, tmp_path: Path) -> None:
    made = make_backup(home, tmp_path / "b.zip")
    with zipfile.ZipFile(tmp_path / "b.zip") as content:
        assert not [name for name in content.namelist() if b"1234567890" in content.read(name)]
    assert not [name for name in made.files if ".env" in name or name.endswith((".yaml", ".lock", ".log"))]
    assert any(".env" in one for one in made.left_out)


def test_while_a_process_writes_every_backup_is_what_a_crash_would_have_left(tmp_path: Path) -> None:
    home = Paths(tmp_path / "home").prepare()
    writer = subprocess.Popen([sys.executable, "-m", "tests.storage.backup_writer", str(home.home)], cwd=PROJECT)
    try:
        counts: list[int] = []
        for number in range(4):
            wait_until(lambda: state(home).load().n > (counts[-1] if counts else 0) + 15)
            make_backup(home, tmp_path / f"{number}.zip")
            other = Paths(tmp_path / f"there{number}")
            restore(tmp_path / f"{number}.zip", other)
            counts.append(state(other).load().n)
            told = [one.n for one in trades(other).records()]
            assert told == list(range(1, len(told) + 1))  # no record twice, none torn, none missing
            assert counts[-1] - len(told) in (0, 1)  # one instant: the position is saved, the trade follows
            assert [row["n"] for row in rows(other).read()] == [str(n + 1) for n in range(len(rows(other).read()))]
            assert len({path.read_bytes() for path in other.models.glob("PEPEUSDT_*")}) == 1  # one model, whole
            assert not list(other.data.glob("*.damaged*"))
    finally:
        writer.kill()
        writer.wait(30)
    assert counts == sorted(set(counts))


def test_all_locks_of_money_are_held_while_it_is_read(home: Paths, tmp_path: Path,
                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    guarded = [home.data / "tracked_tokens.json", home.data / "trade_history.json", home.data / "intents.jsonl",
               home.config / "state.json"]
    free: list[Path] = []
    seen: list[str] = []

    def watching(path: Path) -> bytes:
        if path in guarded:
            seen.append(path.name)
            for other in guarded:
                try:
                    with FileLock(str(lock_path(other)), timeout=0):
                        free.append(other)
                except Timeout:
                    pass
        return path.read_bytes()

    monkeypatch.setattr(backups, "read_whole", watching)
    make_backup(home, tmp_path / "b.zip")
    assert len(seen) == len(guarded) and free == []


def test_a_writer_that_holds_a_lock_for_long_is_waited_for_then_told(home: Paths, tmp_path: Path,
                                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backups, "_LOCK_S", 0.01)
    with FileLock(str(lock_path(home.data / "intents.jsonl"))), pytest.raises(BackupError, match="locks could not"):
        make_backup(home, tmp_path / "b.zip")
    assert not list(tmp_path.glob("*b.zip*"))


@pytest.mark.parametrize(("name", "content", "expected"), [
    ("a.jsonl", b'{"n":1}\n{"n":2', b'{"n":1}\n'),
    ("a.csv", b"n,text\n1,x\n2,", b"n,text\n1,x\n"),
    ("a.json", b'[\n{"n":1},\n{"n":2},\n{"n"', b'[\n{"n":1},\n{"n":2}\n]\n'),
    ("a.json", b"[\n", b"[\n\n]\n"),
    ("a.json", b'{"n":1}', b'{"n":1}'),
    ("a.json", b'{"n":', None),
    ("a.json", b"\x00\xff", None),
    ("a.pkl", b"anything", b"anything"),
])
def test_a_torn_end_is_cut_at_a_whole_record(name: str, content: bytes, expected: bytes | None) -> None:
    assert whole_records(name, content) == expected


def test_a_damaged_state_file_is_kept_as_it_is_with_its_copy_and_noted(home: Paths, tmp_path: Path) -> None:
    (home.data / "tracked_tokens.json").write_bytes(b"{brok")
    made = make_backup(home, tmp_path / "b.zip")
    assert "data/tracked_tokens.json is damaged and was kept as it is" in made.notes
    restore(tmp_path / "b.zip", Paths(tmp_path / "there"))
    assert state(Paths(tmp_path / "there")).load() == Count(60)  # from its copy


def test_what_was_there_is_moved_aside_never_overwritten(home: Paths, tmp_path: Path) -> None:
    make_backup(home, tmp_path / "b.zip")
    state(home).save(Count(99))
    (home.data / "README.md").write_text("of the program", encoding="utf-8")
    done = restore(tmp_path / "b.zip", home)
    assert state(home).load() == Count(60)
    assert done.aside is not None and state(Paths(done.aside)).load() == Count(99)
    assert (done.aside / "config" / "state.json").exists() and (done.aside / "data" / "logs" / "bot.log").exists()
    assert (home.home / ".env").exists() and (home.config / "config.local.yaml").exists()
    assert (home.data / "README.md").read_text(encoding="utf-8") == "of the program"
    assert any(str(done.aside) in line for line in done.lines())


def test_nothing_is_restored_under_a_running_program(home: Paths, tmp_path: Path) -> None:
    make_backup(home, tmp_path / "b.zip")
    lock = ProcessLock(home.run, "tracker")
    lock.acquire()
    try:
        with pytest.raises(BackupError, match=r"runs on .*tracker"):
            restore(tmp_path / "b.zip", home)
    finally:
        lock.release()
    assert state(home).load() == Count(60) and not list(home.home.glob("before-restore-*"))


def test_a_move_that_fails_undoes_the_others(home: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_backup(home, tmp_path / "b.zip")
    state(home).save(Count(99))
    real = os.rename

    def refuses(source: Path, place: Path) -> None:
        if Path(source).name == "models" and ".restore-" in str(source):
            raise OSError("disk error")
        real(source, place)

    monkeypatch.setattr(os, "rename", refuses)
    with pytest.raises(OSError, match="disk error"):
        restore(tmp_path / "b.zip", home)
    assert state(home).load() == Count(99) and (home.models / "PEPEUSDT_model.pkl").exists()
    assert not list(home.home.glob("before-restore-*")) and not list(home.home.glob(".restore-*"))


def rewrite(path: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    with zipfile.ZipFile(path) as old:
        content = {name: old.read(name) for name in old.namelist()}
    change(content)
    with zipfile.ZipFile(path, "w") as new:
        for name, body in content.items():
            new.writestr(name, body)


def manifest_with(**fields: object) -> Callable[[dict[str, bytes]], None]:
    def change(content: dict[str, bytes]) -> None:
        told = json.loads(content["manifest.json"])
        told.update(fields)
        content["manifest.json"] = json.dumps(told).encode()
    return change


def smuggle(content: dict[str, bytes]) -> None:
    told = json.loads(content["manifest.json"])
    told["files"]["data/../../evil"] = msgspec.to_builtins(archives.item_of(b"x"))
    content["manifest.json"], content["data/../../evil"] = json.dumps(told).encode(), b"x"


@pytest.mark.parametrize(("change", "text"), [
    (lambda c: c.pop("manifest.json"), "not a backup of Coxswain"),
    (manifest_with(form="other"), "not a backup of Coxswain"),
    (manifest_with(form_version=2), "later form"),
    (manifest_with(program="99.0.0"), "Update the program first"),
    (manifest_with(program="new"), "damaged"),
    (manifest_with(files=3), "damaged"),
    (lambda c: c.update({"manifest.json": b"{"}), "damaged"),
    (lambda c: c.update({"data/tracked_tokens.json": b'{"n":61}'}), "not as it was written"),
    (lambda c: c.pop("data/tracked_tokens.json"), "missing or too many"),
    (lambda c: c.update({"data/more.json": b"1"}), "missing or too many"),
    (smuggle, "which no backup of this program does"),
])
def test_what_is_foreign_damaged_or_from_the_future_is_refused(home: Paths, tmp_path: Path, text: str,
                                                              change: Callable[[dict[str, bytes]], None]) -> None:
    path = tmp_path / "b.zip"
    make_backup(home, path)
    rewrite(path, change)
    with pytest.raises(BackupError, match=text):
        restore(path, Paths(tmp_path / "there"))
    assert not (tmp_path / "there").exists()


def test_every_flipped_byte_is_found_or_harmless(home: Paths, tmp_path: Path) -> None:
    path = tmp_path / "b.zip"
    made = make_backup(home, path)
    whole = path.read_bytes()
    for position in range(0, len(whole), max(1, len(whole) // 60)):
        broken = bytearray(whole)
        broken[position] ^= 0xFF
        path.write_bytes(bytes(broken))
        try:
            assert check_backup(path).files == made.files  # e.g. a time stamp in the zip, which nobody reads
        except BackupError:
            pass
    for size in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(BackupError):
            check_backup(path)


@pytest.mark.parametrize(("offset", "value"), [(6, 235), (8, 0xFF), (28, 0xFF), (30, 0xFF), (46, 0xFF)])
def test_a_damaged_table_of_contents_is_a_damaged_backup(home: Paths, tmp_path: Path, offset: int, value: int) -> None:
    """Version, flags, lengths and name in the zip's own table: zipfile answers with errors of several kinds."""
    path = tmp_path / "b.zip"
    make_backup(home, path)
    whole = bytearray(path.read_bytes())
    whole[whole.index(b"PK\x01\x02") + offset] = value
    path.write_bytes(bytes(whole))
    with pytest.raises(BackupError):
        check_backup(path)


def test_a_missing_file_is_told_plainly(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="There is no file"):
        check_backup(tmp_path / "none.zip")


def test_a_backup_never_overwrites_nor_holds_itself(home: Paths, tmp_path: Path) -> None:
    make_backup(home, tmp_path / "b.zip")
    with pytest.raises(BackupError, match="exists already"):
        make_backup(home, tmp_path / "b.zip")
    with pytest.raises(BackupError, match="within the state itself"):
        make_backup(home, home.data / "b.zip")


def test_a_full_disk_leaves_nothing_behind(home: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        make_backup(home, tmp_path / "b.zip")
    assert not [path for path in tmp_path.iterdir() if "b.zip" in path.name]


@pytest.mark.parametrize(("name", "fine"), [
    ("data/a.json", True), ("models/.a.new", True), ("config/state.json", True), ("data", False), ("data/", False),
    ("/data/a", False), ("data/../a", False), ("data/./a", False), ("data\\a", False), ("C:data/a", False),
    ("config/.env", False), (".env", False), ("", False), ("other/a", False), ("data//a", False),
])
def test_names_that_may_be_in_an_archive(name: str, fine: bool) -> None:
    assert allowed(name) is fine


def test_the_scripts_back_up_and_restore(home: Paths, tmp_path: Path) -> None:
    def script(name: str, *arguments: str, code: int = 0) -> str:
        done = subprocess.run([sys.executable, str(PROJECT / "scripts" / name), *arguments], text=True, timeout=60,
                              env=environment(home.home), capture_output=True,
                              encoding="utf-8", stdin=subprocess.DEVNULL)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    told = json.loads(script("backup.py", "--json"))
    assert told["ok"] and Path(told["file"]).parent == home.home / "backups"
    assert "sound" in script("restore.py", told["file"], "--check")
    unanswered = script("restore.py", told["file"], "--home", str(tmp_path / "there"), code=1)
    assert "Nothing was changed." in unanswered and "Traceback" not in unanswered
    assert not (tmp_path / "there").exists()
    out = script("restore.py", told["file"], "--home", str(tmp_path / "there"), "--yes")
    assert ".env" in out and state(Paths(tmp_path / "there")).load() == Count(60)
    assert "There is no file" in script("restore.py", str(tmp_path / "none.zip"), code=1)



def test_a_database_under_writing_is_one_moment_of_it_and_comes_back_whole(tmp_path: Path) -> None:
    """Copied file by file, the database would lack what its log holds, or be torn between both."""
    paths = Paths(tmp_path / "home").prepare()
    (paths.data / "recordings").mkdir()
    (paths.data / "recordings" / "huge.cxr").write_bytes(b"x")
    writer = sqlite3.connect(paths.data / "coxswain.db", isolation_level=None)
    writer.execute("PRAGMA journal_mode=WAL")
    writer.execute("CREATE TABLE t (n INTEGER)")
    writer.executemany("INSERT INTO t VALUES (?)", [(n,) for n in range(500)])
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("INSERT INTO t VALUES (-1)")  # under way while the backup is made
    made = make_backup(paths, tmp_path / "b.zip")
    writer.execute("COMMIT")
    writer.close()
    names = list(made.files)
    assert "data/coxswain.db" in names and not [name for name in names if name.endswith(("-wal", "-shm", ".cxr"))]
    with zipfile.ZipFile(tmp_path / "b.zip") as packed:
        packed.extract("data/coxswain.db", tmp_path / "back")
    copy = sqlite3.connect(tmp_path / "back" / "data" / "coxswain.db")
    assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert copy.execute("SELECT count(*), min(n) FROM t").fetchone() == (500, 0)
    copy.close()
