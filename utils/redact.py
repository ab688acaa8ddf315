"""Secrets never reach a log, an exception text or a message: everything that leaves is passed through here."""

import re
import threading
from collections.abc import Iterable, Sequence

MASK = "***"

# ccxt exceptions carry the signed URL; every Bot API URL carries the token.
_PATTERNS = (
    re.compile(r"(?i)((?:signature|apikey|api_key|api-key|secret|password|token|passphrase|listenkey)[\"']?\s*[=:]\s*[\"']?)([^\s&\"',;}]+)"),
    re.compile(r"(/bot)(\d{3,}:[A-Za-z0-9_-]{3,})"),
    re.compile(r"(\b)(\d{6,12}:[A-Za-z0-9_-]{30,})"),
    re.compile(r"(://[^/\s:@]+:)([^/\s@]+)(?=@)"),
)
SHORTEST = 6
#: up to so many known secrets each is looked for; beyond, the text's own pieces are looked up (as dear at about 200)
FEW = 200
_lock = threading.Lock()
_few: tuple[str, ...] = ()  # while they are few: all, longest first
_many: dict[str, dict[int, set[str]]] = {}  # first SHORTEST characters → length → secrets


def register_secrets(values: Iterable[str]) -> None:
    """Remember secret values so that they are masked wherever they turn up. Short ones (< 6) are ignored."""
    global _few
    with _lock:
        fresh = set()
        for value in values:
            if len(value) >= SHORTEST and not _is_known(value):
                _many.setdefault(value[:SHORTEST], {}).setdefault(len(value), set()).add(value)
                fresh.add(value)
        if fresh and len(_few) <= FEW:  # beyond, `_few` is not looked at any more
            _few = tuple(sorted({*_few, *fresh}, key=_order))


def redact(text: str) -> str:
    """`text` with every known secret, and all that looks like one, masked."""
    for value in _suspects(text):
        if value in text:
            text = text.replace(value, MASK)
    for pattern in _PATTERNS:
        text = pattern.sub(lambda match: match.group(1) + MASK, text)
    return text


def _order(value: str) -> tuple[int, str]:
    return -len(value), value


def _is_known(value: str) -> bool:
    return value in _many.get(value[:SHORTEST], {}).get(len(value), ())


def _suspects(text: str) -> Sequence[str]:
    """Secrets that may be in a text, longest first, so that one that holds another is masked whole. With thousands of
    them (a grid server's users) the work grows with the text, not with their number."""
    if len(_few) <= FEW:
        return _few
    found: set[str] = set()
    for at in range(len(text) - SHORTEST + 1):
        lengths = _many.get(text[at:at + SHORTEST])
        if lengths is not None:
            found.update(piece for length in tuple(lengths) if _is_known(piece := text[at:at + length]))
    return sorted(found, key=_order)


def masked(value: str) -> str:
    """A key as people may see it: the first and last characters of a long one, nothing of a short one."""
    return f"{value[:3]}…{value[-3:]}" if len(value) >= 12 else MASK
