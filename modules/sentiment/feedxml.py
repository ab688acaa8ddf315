"""RSS 2.0, RSS 1.0 and Atom read from bytes of strangers. Pure.

1. Nothing is ever resolved or loaded: a document that declares entities is read up to that place and no further.
2. Bytes, depth, items and lengths are bounded. Expat reads; no tree is built.
3. Broken XML gives the items before the break, and the reason.

Source: RSS 2.0 (rssboard.org), RFC 4287 (Atom), RSS 1.0 with Dublin Core dates.
"""

import codecs
import html
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from xml.parsers import expat

MOST_BYTES = 4 << 20
MOST_ITEMS = 300
MOST_DEPTH = 40
MOST_FIELD = 20_000
_DECLARED = re.compile(rb"^\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
_PROLOG = re.compile(r"^\s*<\?xml[^>]*\?>")
_NAMED = re.compile(r"&(?!amp;|lt;|gt;|quot;|apos;|#)([A-Za-z][A-Za-z0-9]{1,30});")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_FIELDS = {"title": "title", "description": "body", "summary": "body", "content": "body", "encoded": "body",
           "pubdate": "date", "published": "date", "updated": "changed", "date": "date"}
_TYPES = {"rss", "rdf", "feed"}


class FeedItem(NamedTuple):
    """One entry. `published_ms`: calendar time, None where it tells none that can be read."""

    title: str
    body: str
    published_ms: int | None


class Parsed(NamedTuple):
    """The items in their order, and what was wrong with the document ("" for nothing)."""

    items: list[FeedItem]
    problem: str


class _Stop(Exception):
    """Not one byte further; the text says why."""


class _Reader:
    """Expat's handlers."""

    def __init__(self) -> None:
        self.items: list[FeedItem] = []
        self._path: list[str] = []
        self._item: dict[str, list[str]] | None = None
        self._sizes: dict[str, int] = {}
        self._item_depth = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        local = name.rsplit(":", 1)[-1].lower()
        if not self._path and local not in _TYPES:
            raise _Stop("it is no feed: neither RSS nor Atom")
        self._path.append(local)
        if len(self._path) > MOST_DEPTH:
            raise _Stop(f"elements lie more than {MOST_DEPTH} deep")
        if local in ("item", "entry") and self._item is None:
            self._item, self._sizes, self._item_depth = {}, {}, len(self._path)

    def end(self, name: str) -> None:
        """An element ends."""
        if self._item is not None and len(self._path) == self._item_depth:
            found = {field: "".join(parts) for field, parts in self._item.items()}
            self.items.append(FeedItem(found.get("title", "").strip(), found.get("body", "").strip(),
                                       when(found.get("date", "")) or when(found.get("changed", ""))))
            self._item = None
            if len(self.items) >= MOST_ITEMS:
                raise _Stop("")
        self._path.pop()

    def text(self, data: str) -> None:
        """Characters."""
        if self._item is None or len(self._path) != self._item_depth + 1:
            if self._item is None or len(self._path) <= self._item_depth or "content" not in self._path:
                return
            field: str | None = "body"  # Atom's XHTML content
        else:
            field = _FIELDS.get(self._path[-1])
        if field is not None and self._sizes.get(field, 0) < MOST_FIELD:
            self._sizes[field] = self._sizes.get(field, 0) + len(data)
            self._item.setdefault(field, []).append(data[:MOST_FIELD])


def parse(content: bytes, charset: str = "") -> Parsed:
    """The entries of a feed. `charset`: as the HTTP header told it. Never raises for what the bytes are."""
    problem = f"longer than {MOST_BYTES} bytes; the rest is left out" if len(content) > MOST_BYTES else ""
    reader = _Reader()
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.CharacterDataHandler = reader.text
    parser.EntityDeclHandler = _refuse
    parser.ExternalEntityRefHandler = _refuse
    try:
        parser.Parse(_text(content[:MOST_BYTES], charset).encode("utf-8"), not problem)
    except _Stop as stop:
        problem = str(stop)
    except expat.ExpatError as broken:
        problem = f"broken XML in line {broken.lineno}: {expat.ErrorString(broken.code)}"
    return Parsed(reader.items, problem)


def _refuse(*_: object) -> int:
    raise _Stop("it declares entities, which are never read")


def _text(content: bytes, charset: str) -> str:
    """The document as text: encoding by mark, prolog, header, UTF-8; its own declaration and odd characters gone."""
    declared = _DECLARED.match(content)
    names = [declared[1].decode("ascii") if declared else "", charset, "utf-8"]
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        names.insert(0, "utf-16")
    elif content[:3] == b"\xef\xbb\xbf":
        names.insert(0, "utf-8-sig")
    text = content.decode(next(name for name in names if _known(name)), "replace")
    text = _CONTROL.sub("", _PROLOG.sub("", text.lstrip("\ufeff")))
    return _NAMED.sub(lambda match: _numbered(match[0]), text)


def _known(name: str) -> bool:
    try:
        return bool(name) and codecs.lookup(name)._is_text_encoding
    except (LookupError, ValueError):
        return False


def _numbered(named: str) -> str:
    """``&nbsp;`` as a number, which XML knows; a name that HTML does not know as plain text."""
    found = html.unescape(named)
    return "".join(f"&#{ord(each)};" for each in found) if found != named else "&amp;" + named[1:]


def when(text: str) -> int | None:
    """Milliseconds since the epoch of an RFC 822 or ISO 8601 date; None for anything else."""
    text = text.strip()[:64]
    if not text:
        return None
    try:
        found = parsedate_to_datetime(text) if not text[:4].isdigit() else datetime.fromisoformat(text)
        if found.tzinfo is None:
            found = found.replace(tzinfo=UTC)
        ms = int(found.timestamp() * 1000)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return ms if 0 < ms < 4_000_000_000_000 else None
