"""The form of a backup: one zip with ``manifest.json``, which names every file with size and SHA-256 (P17).

1. A manifest of another form, a later form, or a later program is refused with a clear text; nothing is guessed.
2. Every name must lie below data/, models/ or be config/state.json; no absolute path, no ``..``, no link.
3. The archive holds exactly the files of the manifest, byte for byte. ``verify`` reads all of them.
"""

import hashlib
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import msgspec

FORM = "coxswain-backup"
FORM_VERSION = 1
MANIFEST = "manifest.json"
CONFIG_FILES = ("config/state.json", "config/state.json.bak")
_MOST_MANIFEST = 100_000_000
_CHUNK = 1 << 20


class BackupError(Exception):
    """A backup cannot be made or used; the text says why and what to do."""


class Item(msgspec.Struct, frozen=True):
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What an archive holds. `created_ms` by the wall clock; `held_ms` is how long the writers of money waited;
    `notes` names what was found damaged and is kept as it was; `left_out` what a backup never holds.
    """

    form: str
    form_version: int
    program: str
    created: str
    created_ms: int
    held_ms: int
    files: dict[str, Item]
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all files, unpacked."""
        return sum(item.size for item in self.files.values())


def read_manifest(archive: zipfile.ZipFile, program: str) -> Manifest:
    """The manifest, checked (rules 1, 2). `program` is this program's version. Raises BackupError."""
    try:
        info = archive.getinfo(MANIFEST)
    except KeyError:
        raise BackupError("This is not a backup of Coxswain: it has no manifest.json.") from None
    if info.file_size > _MOST_MANIFEST:
        raise BackupError("The backup is damaged: its manifest is too large to be one.")
    raw = b"".join(_chunks(archive, MANIFEST))
    try:
        head = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        form = msgspec.json.decode(head.get("form", b'""'), type=str)
        version = msgspec.json.decode(head.get("form_version", b"0"), type=int)
    except msgspec.MsgspecError:
        raise BackupError("The backup is damaged: its manifest cannot be read.") from None
    if form != FORM:
        raise BackupError("This is not a backup of Coxswain: its manifest is of another program.")
    if version > FORM_VERSION:
        raise BackupError(f"The backup is of a later form ({version}; this program knows {FORM_VERSION}). "
                          "Update the program first.")
    try:
        manifest = msgspec.json.decode(raw, type=Manifest)
        later = _number(manifest.program) > _number(program)
    except (msgspec.MsgspecError, ValueError) as problem:
        raise BackupError(f"The backup is damaged: its manifest cannot be read ({problem}).") from None
    if later:
        raise BackupError(f"The backup was made by version {manifest.program}; this is {program}. "
                          "Update the program first.")
    for name in manifest.files:
        if not allowed(name):
            raise BackupError(f"The backup holds {name!r}, which no backup of this program does. It is not used.")
    return manifest


def verify(archive: zipfile.ZipFile, manifest: Manifest) -> None:
    """Read everything and compare (rule 3). Raises BackupError."""
    there = archive.namelist()
    wanted = {*manifest.files, MANIFEST}
    if len(there) != len(set(there)) or set(there) != wanted:
        odd = sorted(set(there) ^ wanted) or [name for name in there if there.count(name) > 1]
        raise BackupError(f"The backup is damaged: {len(odd)} file(s) missing or too many, e.g. {odd[0]}.")
    for name, item in manifest.files.items():
        for _ in checked(archive, name, item):
            pass


def checked(archive: zipfile.ZipFile, name: str, item: Item) -> Iterator[bytes]:
    """The content of one file in pieces; raises BackupError at the end at the latest if it is not what it was."""
    digest, size = hashlib.sha256(), 0
    for piece in _chunks(archive, name):
        size += len(piece)
        if size > item.size:
            break
        digest.update(piece)
        yield piece
    if size != item.size or digest.hexdigest() != item.sha256:
        raise BackupError(f"The backup is damaged: {name} is not as it was written.")


def item_of(content: bytes) -> Item:
    """Size and hash of a content."""
    return Item(len(content), hashlib.sha256(content).hexdigest())


def allowed(name: str) -> bool:
    """Rule 2."""
    parts = PurePosixPath(name).parts
    if not parts or "\\" in name or ":" in name or "\x00" in name or name != "/".join(parts):
        return False
    if any(part in ("..", ".", "/") for part in parts):
        return False
    return name in CONFIG_FILES or (parts[0] in ("data", "models") and len(parts) > 1)


def open_archive(path: Path) -> zipfile.ZipFile:
    """The archive at `path`. Raises BackupError."""
    try:
        return zipfile.ZipFile(path)
    except FileNotFoundError:
        raise BackupError(f"There is no file {path}.") from None
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError, struct.error) as problem:  # a flipped byte
        raise BackupError(f"{path.name} is not a backup, or is damaged: {problem}.") from None


def _chunks(archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    try:
        with archive.open(name) as content:
            while piece := content.read(_CHUNK):
                yield piece
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as problem:
        raise BackupError(f"The backup is damaged: {name} cannot be read ({problem}).") from None


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
