"""A backup of a running program's state, as consistent as the disk after a power cut (P17).

1. What money depends on (every ``data/*.json`` and ``*.jsonl``, ``config/state.json``) is read in one go with all of
   its locks held: the copy is what a crash at that instant would have left, and every start can cope with that. The
   writers wait for some milliseconds; the time is noted in the manifest.
2. Full segments of histories do not change any more: which there are is noted in that instant, they are read after it.
3. Then the rest, file by file, each under its own lock: tables, models (a model's files together), and last the
   simulated exchange, which may be ahead of the books, as a real one would be.
4. A history or table with a torn end (a crash before the backup) is cut at the last whole record, and noted.
5. Secrets are never included: neither ``.env`` nor any YAML. Nor logs, candles, recordings, pictures, heartbeats,
   messages. A SQLite database is read as one moment of it, with what its log holds; servers have tools of their own.
6. The archive is written aside, flushed, renamed, and then read back and compared.
"""

import os
import re
import sqlite3
import time
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from filelock import Timeout

from modules.storage.archive import (
    CONFIG_FILES,
    FORM,
    FORM_VERSION,
    MANIFEST,
    BackupError,
    Item,
    Manifest,
    item_of,
    open_archive,
    read_manifest,
    verify,
)
from utils.files import locked, patiently, read_whole, sync_folder
from utils.paths import Paths
from utils.version import version
from utils.wall import iso, now_ms, stamp

LEFT_OUT = (".env and YAML settings (they may hold keys)", "data/logs", "data/run", "data/inbox", "data/outbox",
            "data/market_data", "data/candles", "data/recordings", "data/pictures", "data/decisions",
            "databases on servers (pg_dump, mariadb-dump)")
_SKIPPED = frozenset({"logs", "run", "inbox", "outbox", "market_data", "candles", "recordings", "pictures",
                      "decisions"})
_BESIDE_SQLITE = ("-wal", "-shm", "-journal")
_KEPT_OF_RUN = ("telegram_updates.jsonl",)  # so that no command acts twice (X40)
_SIMULATOR = "simulator"
_LOCKED = (".csv", ".json", ".jsonl")
_SEGMENT = re.compile(r"\.\d{5,}\.jsonl$")
_FULL = re.compile(r"\.\d{5,}\.full$")
_TRIES = 100
_LOCK_S = 0.2  # for so long one writer may wait because another holds its lock


@dataclass
class _Found:
    """What has been read so far."""

    contents: dict[str, bytes] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def default_target(paths: Paths) -> Path:
    """``backups/coxswain-STAMP.zip`` beside data/."""
    return paths.home / "backups" / f"coxswain-{stamp()}.zip"


def make_backup(paths: Paths, target: Path) -> Manifest:
    """Back up the state below `paths.home` into `target`. Raises BackupError, OSError (disk full)."""
    target = target.resolve()
    if any(target.is_relative_to(folder.resolve()) for folder in (paths.data, paths.models)):
        raise BackupError(f"{target} lies within the state itself. Give a place beside data/ and models/.")
    if target.exists():
        raise BackupError(f"{target} exists already; nothing is overwritten.")
    began_ms = now_ms()
    money, segments, held_ms = _read_money(paths)
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        manifest = _write(paths, aside, money, segments, began_ms, held_ms)
        patiently(lambda: os.replace(aside, target))
    finally:
        aside.unlink(missing_ok=True)
    sync_folder(target.parent)
    with open_archive(target) as archive:  # rule 6
        verify(archive, read_manifest(archive, version()))
    return manifest


def _write(paths: Paths, aside: Path, money: _Found, segments: list[Path], began_ms: int, held_ms: int) -> Manifest:
    files: dict[str, Item] = {}
    with open(aside, "wb") as out:
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for found in (money, *_rest(paths, segments)):
                for name, content in found.contents.items():
                    files[name] = item_of(content)
                    archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
                if found is not money:
                    money.notes += found.notes
            manifest = Manifest(form=FORM, form_version=FORM_VERSION, program=version(), created=iso(began_ms),
                                created_ms=began_ms, held_ms=held_ms, files=files, notes=tuple(money.notes),
                                left_out=LEFT_OUT)
            archive.writestr(zipfile.ZipInfo(MANIFEST), msgspec.json.format(msgspec.json.encode(manifest), indent=1),
                             zipfile.ZIP_DEFLATED)
        out.flush()
        os.fsync(out.fileno())
    return manifest


def _rest(paths: Paths, segments: list[Path]) -> Iterator[_Found]:
    """Rules 2 and 3: what is read after the money, a few files at a time."""
    for path in segments:
        yield _read(paths, [path])
    for path in _tables(paths):
        if path.suffix == ".db":
            yield _Found({path.relative_to(paths.home).as_posix(): _sqlite(path)})
        elif path.suffix in _LOCKED:
            with locked(path):
                found = _read(paths, [path])
            yield found
        else:
            yield _read(paths, [path])
    for name in _models(paths):
        with locked(paths.models / name):  # its writer holds it while the files of a model change
            found = _read(paths, _models(paths).get(name, []))
        yield found
    for path in _simulator(paths):
        yield _read(paths, [path])


def _read_money(paths: Paths) -> tuple[_Found, list[Path], int]:
    """Rules 1 and 2: contents, the segments that belong to them, and for how long the locks were held."""
    for _ in range(_TRIES):
        leaders = _leaders(paths)
        try:
            with ExitStack() as held:
                began = time.monotonic()
                for path in leaders:
                    held.enter_context(locked(path, timeout_s=_LOCK_S))
                if _leaders(paths) != leaders:
                    continue  # a file was born meanwhile, whose lock is not held
                found = _read(paths, [*leaders, *_companions(paths, leaders)])
                segments = sorted(path for path in paths.data.glob("*.jsonl") if _SEGMENT.search(path.name))
                return found, segments, round(1000 * (time.monotonic() - began))
        except Timeout:
            continue  # a writer holds one and waits for another: let it go on, then try again
    raise BackupError("The state is being written without a pause: its locks could not be had. Try again later.")


def _leaders(paths: Paths) -> list[Path]:
    """The files that writers lock, sorted: two that take several locks take them in the same order."""
    found = [path for ending in ("*.json", "*.jsonl") for path in paths.data.glob(ending)
             if path.name[0] != "." and not _SEGMENT.search(path.name)]
    found += [paths.data / "run" / name for name in _KEPT_OF_RUN]
    found += [paths.home / name for name in CONFIG_FILES if not name.endswith(".bak")]
    return sorted(path for path in found if path.is_file())


def _companions(paths: Paths, leaders: Iterable[Path]) -> list[Path]:
    """Copies and half-rotated segments, guarded by the same locks."""
    copies = [path.with_name(path.name + ".bak") for path in leaders]
    orphans = [path for path in paths.data.glob("*.json.bak") if path not in copies and path.name[0] != "."]
    full = [path for path in paths.data.glob("*.full") if _FULL.search(path.name)]
    return sorted(path for path in [*copies, *orphans, *full] if path.is_file())


def _tables(paths: Paths) -> list[Path]:
    """Everything else below data/ but what is left out (rule 5) and the simulated exchange."""
    taken = {*_leaders(paths), *_companions(paths, _leaders(paths))}
    found = []
    for path in sorted(paths.data.rglob("*")):
        inside = path.relative_to(paths.data).parts
        if inside[0] in _SKIPPED or inside[0] == _SIMULATOR or inside[-1][0] == "." or path in taken:
            continue
        own = len(inside) == 1 and (_SEGMENT.search(path.name) or path.suffix in (".json", ".jsonl", ".full"))
        beside = path.name.endswith(_BESIDE_SQLITE)
        if path.is_file() and not path.is_symlink() and not own and not beside and path.suffix != ".tmp":
            found.append(path)
    return found


def _simulator(paths: Paths) -> list[Path]:
    folder = paths.data / _SIMULATOR
    return sorted(path for path in folder.rglob("*")
                  if path.is_file() and path.name[0] != "." and path.suffix not in (".tmp", ".lock"))


def _models(paths: Paths) -> dict[str, list[Path]]:
    """Files of models/ by model; parts written aside (``.NAME_PART.pkl.GENERATION.new``) belong to theirs."""
    found: dict[str, list[Path]] = {}
    for path in sorted(paths.models.glob("*")):
        if path.is_file() and (path.name[0] != "." or path.name.endswith(".new")):
            found.setdefault(_model_of(path.name), []).append(path)
    return found


def _model_of(name: str) -> str:
    return name.lstrip(".").split(".")[0].rsplit("_", 1)[0]


def _sqlite(path: Path) -> bytes:
    """One moment of a database that others write to; they do not wait (rule 5). Raises BackupError."""
    try:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(":memory:")) as copy:
            source.backup(copy)
            return copy.serialize()
    except sqlite3.Error as problem:
        raise BackupError(f"{path.name} cannot be read: {problem}. Stop the program and try again.") from None


def _read(paths: Paths, files: Iterable[Path]) -> _Found:
    """Read files, each cut at its last whole record (rule 4). One that went away meanwhile is left out."""
    found = _Found()
    for path in files:
        try:
            content = read_whole(path)
        except FileNotFoundError:
            continue
        name = path.relative_to(paths.home).as_posix()
        whole = whole_records(path.name, content)
        if whole is None:
            found.notes.append(f"{name} is damaged and was kept as it is")
            whole = content
        elif whole != content:
            found.notes.append(f"{name}: a torn end of {len(content) - len(whole)} bytes was cut off")
        found.contents[name] = whole
    return found


def whole_records(name: str, content: bytes) -> bytes | None:
    """`content` without a torn end; None where it is a damaged file of which nothing can be cut."""
    if name.endswith((".jsonl", ".csv")):
        return content[:content.rfind(b"\n") + 1]
    if not name.endswith((".json", ".json.bak")):
        return content
    try:
        msgspec.json.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _whole_array(content)
    return content


def _whole_array(content: bytes) -> bytes | None:
    """A history's array with the records before its torn end; one record a line."""
    if not content.startswith(b"[\n"):
        return None
    good = []
    for line in content[2:].split(b"\n"):
        text = line.strip().rstrip(b",")
        if not text:
            continue
        try:
            msgspec.json.decode(text)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            break
        good.append(text)
    return b"[\n" + b",\n".join(good) + b"\n]\n"
