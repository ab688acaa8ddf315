"""Bring a backup back into an empty or an existing home (P17).

1. Nothing is touched before the whole archive was read and compared, and before it is known that nothing runs there.
2. Everything is unpacked beside its place; then what exists is moved aside to ``before-restore-STAMP`` (never
   overwritten), and the new is moved in. If one of these moves fails, all are undone.
3. Nothing is wanted after a restore: no service starts by itself, no old command is waiting.
"""

import os
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from modules.storage.archive import CONFIG_FILES, BackupError, Manifest, checked, open_archive, read_manifest, verify
from utils.files import sync_folder
from utils.paths import Paths
from utils.version import version
from utils.wall import stamp

_FOLDERS = ("data", "models")
_STAYS = "README.md"  # belongs to the program, not to its state


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done; `aside` is where the former state lies, None if there was none."""

    manifest: Manifest
    home: Path
    aside: Path | None

    def lines(self) -> list[str]:
        """For a person."""
        out = [f"Restored {len(self.manifest.files)} files ({self.manifest.size / 1e6:.1f} MB) "
               f"of {self.manifest.created} into {self.home}"]
        out += [f"Note from the backup: {note}" for note in self.manifest.notes]
        if self.aside:
            out.append(f"What was there before is kept in {self.aside}")
        out.append("Keys are not part of a backup: see that .env is in place")
        out.append("After the start compare with the exchange: /reconcile shows what happened since the backup")
        return out


def check_backup(path: Path) -> Manifest:
    """Read all of a backup without unpacking it. Raises BackupError."""
    with open_archive(path) as archive:
        manifest = read_manifest(archive, version())
        verify(archive, manifest)
        return manifest


def restore(path: Path, paths: Paths) -> Restored:
    """Bring `path` back below `paths.home`. Raises BackupError, OSError; the former state then still stands."""
    manifest = check_backup(path)
    running = running_in(paths)
    if running:
        raise BackupError(f"The program runs on {paths.home} ({', '.join(running)}). Stop it first: bot.py stop")
    mark = stamp()
    staging = paths.home / f".restore-{mark}"
    try:
        with open_archive(path) as archive:
            _unpack(archive, manifest, staging)
        aside = _swap(paths.home, staging, paths.home / f"before-restore-{mark}")
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    sync_folder(paths.home)
    return Restored(manifest, paths.home, aside)


def running_in(paths: Paths) -> list[str]:
    """Processes that hold a lock of this home now."""
    found = []
    for lock in sorted(paths.run.glob("*.lock")):
        try:
            with FileLock(str(lock), timeout=0):
                pass
        except Timeout:
            found.append(lock.stem)
    return found


def _unpack(archive: zipfile.ZipFile, manifest: Manifest, staging: Path) -> None:
    for name, item in manifest.files.items():
        place = staging.joinpath(*name.split("/"))
        place.parent.mkdir(parents=True, exist_ok=True)
        with open(place, "wb") as out:
            for piece in checked(archive, name, item):
                out.write(piece)
            out.flush()
            os.fsync(out.fileno())


def _swap(home: Path, staging: Path, aside: Path) -> Path | None:
    """Rule 2; returns where the former state lies."""
    done: list[tuple[Path, Path]] = []

    def move(source: Path, place: Path) -> None:
        place.parent.mkdir(parents=True, exist_ok=True)
        os.rename(source, place)  # never replaces a folder that has something in it
        done.append((source, place))

    try:
        for name in (*_FOLDERS, *CONFIG_FILES):
            if (home / name).exists():
                move(home / name, aside / name)
            if (staging / name).exists():
                move(staging / name, home / name)
    except OSError:
        for source, place in reversed(done):
            os.rename(place, source)
        if aside.exists():
            shutil.rmtree(aside)  # only folders that this made and that are empty again
        raise
    for folder in _FOLDERS:
        if (aside / folder / _STAYS).exists() and not (home / folder / _STAYS).exists():
            (home / folder).mkdir(parents=True, exist_ok=True)
            shutil.copy2(aside / folder / _STAYS, home / folder / _STAYS)
    return aside if aside.exists() else None
