"""Reading recordings: every whole block of a file, in order; damage is counted, never fatal and never silent."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from modules.storage.recordings.format import HEADER, MAGIC, Frame, Header, read_header, unpack

SUFFIX = ".cxr"
_SCAN_BYTES = 1 << 20


@dataclass(slots=True)
class Damage:
    """What of the files could not be read."""

    blocks: int = 0  # whole, but not as they were written
    torn_bytes: int = 0  # behind the last whole block: the recorder died while writing
    lost_bytes: int = 0  # between two blocks
    places: list[str] = field(default_factory=list)

    def note(self, place: str) -> None:
        """Keep the first few places for people."""
        if len(self.places) < 20:
            self.places.append(place)


def read_recording(path: Path, damage: Damage | None = None) -> Iterator[Frame]:
    """Every frame of a file, oldest block first. Raises OSError."""
    found = damage if damage is not None else Damage()
    with open(path, "rb") as held:
        for header in _headers(path, found):
            held.seek(header.offset)
            try:
                frames = list(unpack(header, held.read(header.packed)))
            except (ValueError, KeyError, IndexError) as problem:
                found.blocks += 1
                found.note(f"{path.name} at byte {header.offset}: a block of {header.frames} frames ({problem})")
                continue
            yield from frames


def index(path: Path, damage: Damage | None = None) -> list[Header]:
    """The blocks of a file, without reading what they hold."""
    return list(_headers(path, damage if damage is not None else Damage()))


def files_of(folder: Path) -> list[Path]:
    """The recordings below a folder, oldest first."""
    return sorted(folder.rglob(f"*{SUFFIX}"), key=lambda path: (path.name, str(path)))


def _headers(path: Path, damage: Damage) -> Iterator[Header]:
    size = path.stat().st_size
    at = 0
    with open(path, "rb") as held:
        while at < size:
            held.seek(at)
            header = read_header(held.read(HEADER.size), at)
            if header is not None and header.offset + header.packed <= size:
                yield header
                at = header.offset + header.packed
                continue
            following = _next_magic(path, at + 1)
            if following is None:
                damage.torn_bytes += size - at
                damage.note(f"{path.name} at byte {at}: the last {size - at:,} bytes are an unfinished block")
                return
            damage.lost_bytes += following - at
            damage.note(f"{path.name} at byte {at}: {following - at:,} bytes are no block")
            at = following


def _next_magic(path: Path, start: int) -> int | None:
    """Where the next block may begin."""
    with open(path, "rb") as held:
        held.seek(start)
        at, rest = start, b""
        while chunk := held.read(_SCAN_BYTES):
            place = (rest + chunk).find(MAGIC)
            if place >= 0:
                return at - len(rest) + place
            rest = chunk[-len(MAGIC) + 1:]
            at += len(chunk)
    return None
