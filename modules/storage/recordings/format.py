"""The file of raw frames: blocks that each stand for themselves, appended, so that a crash costs the last one at most.

::

    file  = block*                                      NAME.cxr
    block = magic "CXR1" | u32 packed | u32 unpacked | u32 frames | i64 first ns | i64 last ns | u32 crc | packed bytes
    packed bytes = zstd( sources | frame* )
    sources = u16 count, then each: u16 number | u16 length | its name in UTF-8
    frame   = i64 local ns | u16 source | u8 kind | u32 length | payload, as it came from the wire

All numbers are little-endian. The crc (zlib's) is of the packed bytes. A damaged block is passed over and counted;
a torn last block is told as such. The index is the chain of block headers itself: reading it touches 36 bytes a block.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import zstandard

MAGIC = b"CXR1"
HEADER = struct.Struct("<4sIIIqqI")
_FRAME = struct.Struct("<qHBI")
_SOURCE = struct.Struct("<HH")
_COUNT = struct.Struct("<H")
_MOST_PACKED = 1 << 30


class Kind(IntEnum):
    """What a frame is."""

    MESSAGE = 0  # one message of a socket
    ANSWER = 1  # the body of a REST answer; the source is its path
    NOTE = 2  # JSON of the recorder's own: connected, lost, dropped


class Frame(NamedTuple):
    """One recorded thing: when it came here (ns since 1970, this machine's clock), from where, and its bytes."""

    ns: int
    source: str
    kind: Kind
    payload: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """A block's head: where its packed bytes lie and what they hold."""

    offset: int  # of the packed bytes in the file
    packed: int
    unpacked: int
    frames: int
    first_ns: int
    last_ns: int
    crc: int


def pack(frames: Iterable[tuple[int, int, int, bytes]], sources: Mapping[int, str], level: int = 3) -> bytes:
    """A block of (ns, source number, kind, payload); `sources` names every number in use."""
    parts = [_COUNT.pack(len(sources))]
    for number, name in sources.items():
        encoded = name.encode()
        parts += (_SOURCE.pack(number, len(encoded)), encoded)
    count, first, last = 0, 0, 0
    for ns, source, kind, payload in frames:
        first, last, count = (ns if not count else min(first, ns)), max(last, ns), count + 1
        parts += (_FRAME.pack(ns, source, kind, len(payload)), payload)
    content = b"".join(parts)
    packed = zstandard.ZstdCompressor(level=level).compress(content)
    return HEADER.pack(MAGIC, len(packed), len(content), count, first, last, zlib.crc32(packed)) + packed


def read_header(content: bytes, offset: int) -> Header | None:
    """The head that begins `content`, read at `offset` of its file; None where there is none."""
    if len(content) < HEADER.size:
        return None
    magic, packed, unpacked, frames, first, last, crc = HEADER.unpack_from(content)
    if magic != MAGIC or packed > _MOST_PACKED or unpacked > _MOST_PACKED:
        return None
    return Header(offset + HEADER.size, packed, unpacked, frames, first, last, crc)


def unpack(header: Header, packed: bytes) -> Iterator[Frame]:
    """The frames of a block. Raises ValueError where its bytes are not those that were written."""
    if zlib.crc32(packed) != header.crc or len(packed) != header.packed:
        raise ValueError("its checksum is wrong")
    try:
        content = zstandard.ZstdDecompressor().decompress(packed, max_output_size=header.unpacked)
    except zstandard.ZstdError as problem:
        raise ValueError(str(problem)) from None
    names: dict[int, str] = {}
    (count,) = _COUNT.unpack_from(content)
    at = _COUNT.size
    for _ in range(count):
        number, length = _SOURCE.unpack_from(content, at)
        at += _SOURCE.size
        names[number] = content[at:at + length].decode()
        at += length
    while at < len(content):
        ns, source, kind, length = _FRAME.unpack_from(content, at)
        at += _FRAME.size
        yield Frame(ns, names[source], Kind(kind), content[at:at + length])
        at += length
