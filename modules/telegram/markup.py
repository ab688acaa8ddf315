"""Text for people: the few HTML tags of Telegram's, made safe, turned plain, and split without breaking a tag.

1. Answers are written once, as HTML with ``b i u s code pre`` only; each front turns them into what it can show.
2. A message is split at line ends; tags open at the cut are closed there and opened again in the next part.
3. Lengths are counted in UTF-16 units of the HTML itself: never less than what Telegram counts after parsing.
"""

import html
import re
from collections.abc import Iterable

TAGS = frozenset({"b", "i", "u", "s", "code", "pre"})
MESSAGE_LIMIT = 4096
CAPTION_LIMIT = 1024
_TOKEN = re.compile(r"<(/?)([a-z]+)>|&(?:[a-z]+|#\d+);|[^<&]|[<&]", re.DOTALL)
_TAG = re.compile(r"<(/?)([a-z]+)>")


def esc(value: object) -> str:
    """`value` as text that holds no markup."""
    return html.escape(str(value), quote=False)


def b(value: object) -> str:
    """Bold."""
    return f"<b>{esc(value)}</b>"


def code(value: object) -> str:
    """Fixed width, copied by a touch."""
    return f"<code>{esc(value)}</code>"


def pre(lines: Iterable[str]) -> str:
    """A narrow table: keep its lines under 34 characters, or a phone wraps them."""
    return f"<pre>{esc(chr(10).join(lines))}</pre>"


def lines(*parts: str | None) -> str:
    """The parts that say something, each on a line of its own; an empty string is a blank line, None is left out."""
    return "\n".join(part for part in parts if part is not None).strip("\n")


def plain(text: str) -> str:
    """Markup taken away."""
    return html.unescape(_TAG.sub("", text))


def ansi(text: str) -> str:
    """Bold for a terminal, everything else plain."""
    marked = text.replace("<b>", "\x00").replace("</b>", "\x01")
    return plain(marked).replace("\x00", "\x1b[1m").replace("\x01", "\x1b[0m")


def length(text: str) -> int:
    """UTF-16 units (rule 3)."""
    return len(text.encode("utf-16-le")) // 2


def split(text: str, limit: int = MESSAGE_LIMIT) -> list[str]:
    """`text` in parts of at most `limit` (rule 2); a line longer than that is cut between characters."""
    if length(text) <= limit:
        return [text]
    parts: list[str] = []
    opened: list[str] = []
    current = ""
    room = limit
    for line in text.split("\n"):
        for piece in _pieces(line, limit - 64):
            after = _open_after(opened, piece)
            tail = _closing(after)
            if current and length(current) + 1 + length(piece) + length(tail) > room:
                parts.append(current + _closing(opened))
                current = _opening(opened) + piece
            else:
                current = f"{current}\n{piece}" if current else piece
            opened = after
    parts.append(current + _closing(opened))
    return [part for part in parts if plain(part).strip()]


def _pieces(line: str, limit: int) -> list[str]:
    """A line cut so that each piece fits; never within a tag or an entity."""
    if length(line) <= limit:
        return [line]
    pieces: list[str] = []
    current = ""
    size = 0
    for token in _TOKEN.finditer(line):
        step = length(token.group(0))
        if size + step > limit:
            pieces.append(current)
            current, size = "", 0
        current += token.group(0)
        size += step
    pieces.append(current)
    return pieces


def _open_after(opened: list[str], piece: str) -> list[str]:
    """Tags open after `piece`, given those open before it."""
    stack = list(opened)
    for closing, name in _TAG.findall(piece):
        if not closing:
            stack.append(name)
        elif stack and stack[-1] == name:
            stack.pop()
    return stack


def _opening(stack: list[str]) -> str:
    return "".join(f"<{name}>" for name in stack)


def _closing(stack: list[str]) -> str:
    return "".join(f"</{name}>" for name in reversed(stack))
