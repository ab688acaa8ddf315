"""Secrets never reach a log, an exception text or a message: everything that leaves is passed through here."""

import re
from collections.abc import Iterable

MASK = "***"

# ccxt exceptions carry the signed URL; every Bot API URL carries the token.
_PATTERNS = (
    re.compile(r"(?i)((?:signature|apikey|api_key|api-key|secret|password|token|passphrase|listenkey)[\"']?\s*[=:]\s*[\"']?)([^\s&\"',;}]+)"),
    re.compile(r"(/bot)(\d{3,}:[A-Za-z0-9_-]{3,})"),
    re.compile(r"(\b)(\d{6,12}:[A-Za-z0-9_-]{30,})"),
    re.compile(r"(://[^/\s:@]+:)([^/\s@]+)(?=@)"),
)
_known: set[str] = set()


def register_secrets(values: Iterable[str]) -> None:
    """Remember secret values so that they are masked wherever they turn up. Short ones (< 6) are ignored."""
    _known.update(value for value in values if len(value) >= 6)


def redact(text: str) -> str:
    """`text` with every known secret, and all that looks like one, masked."""
    for value in sorted(_known, key=len, reverse=True):
        if value in text:
            text = text.replace(value, MASK)
    for pattern in _PATTERNS:
        text = pattern.sub(lambda match: match.group(1) + MASK, text)
    return text


def masked(value: str) -> str:
    """A key as people may see it: the first and last characters of a long one, nothing of a short one."""
    return f"{value[:3]}…{value[-3:]}" if len(value) >= 12 else MASK
