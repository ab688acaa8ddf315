"""The pages' own files, kept in memory and packed once: no thread, no disk, for a browser that loads them."""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

STATIC = Path(__file__).parent / "static"
_TYPES = {".mjs": "text/javascript", ".js": "text/javascript", ".svg": "image/svg+xml", ".html": "text/html",
          ".css": "text/css"}


@dataclass(frozen=True, slots=True)
class File:
    """One file: its bytes as gzip, type, ETag; `lasts`: its name changes with its content."""

    packed: bytes
    type: str
    etag: str
    lasts: bool

    def answer(self, headers: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers for a request's headers (names in lower case)."""
        told = {"etag": self.etag, "content-type": self.type, "vary": "accept-encoding",
                "cache-control": "private, max-age=31536000, immutable" if self.lasts else "no-cache"}
        if self.etag in headers.get("if-none-match", ""):
            return 304, b"", told
        if "gzip" in headers.get("accept-encoding", ""):
            return 200, self.packed, {**told, "content-encoding": "gzip"}
        return 200, gzip.decompress(self.packed), told


def read_all() -> dict[str, File]:
    """Every file below static/, by its path there."""
    found = {}
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            name = path.relative_to(STATIC).as_posix()
            kind = _TYPES.get(path.suffix) or mimetypes.guess_type(name)[0] or "text/plain"
            found[name] = File(gzip.compress(content, 9, mtime=0), f"{kind}; charset=utf-8",
                               f'"{hashlib.sha256(content).hexdigest()[:20]}"', name.startswith("vendor/"))
    return found
