"""From what came over the wire to one of four outcomes (X3), by HTTP status and the venue's own code.

1. HTTP 5xx: unknown, whatever the body says (X4; MEXC's documentation says the same).
2. HTTP 429 and 418, or a code for too many requests: refused, nothing happened.
3. A body that is not a JSON object or array (HTML, empty, cut off): unknown (WIRE trap 4).
4. A JSON object with a code other than 0 or 200: what `mexc_codes` says of that code.
5. HTTP 2xx with anything else: an answer. Other statuses without a known code: unknown.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from modules.exchange import mexc_codes
from modules.exchange.mexc_codes import Kind
from modules.exchange.types import Refused, Unknown
from utils.redact import redact

MAX_TEXT = 200
SUCCESS = ("0", "200")


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON object or array, still as text."""

    body: str


class _Head(msgspec.Struct):
    """What refusals have in common; success answers rarely have any of it."""

    code: int | str | None = None
    msg: str | None = None
    message: str | None = None


_head = msgspec.json.Decoder(_Head)
_anything = msgspec.json.Decoder(msgspec.Raw)


def classify(status: int, headers: Mapping[str, str], body: str) -> Answer | Refused | Unknown:
    """The outcome of a request that was answered."""
    head = _read_head(body)
    code = "" if head is None or head.code is None else str(head.code)
    text = "" if head is None else (head.msg or head.message or "")
    if status >= 500:
        return Unknown(f"the exchange answered HTTP {status}{_quote(code, text)}")
    kind = mexc_codes.kind_of(code) if code and code not in SUCCESS else None
    if status in (418, 429) or kind is Kind.LIMITED:
        return Refused(code or str(status), _sentence(code or str(status), text), _retry_after(headers))
    if kind is Kind.UNKNOWN:
        return Unknown(f"the exchange answered HTTP {status}{_quote(code, text)}")
    if kind is not None:
        return Refused(code, _sentence(code, text))
    if not 200 <= status < 300:
        return Unknown(f"the exchange answered HTTP {status} without a code")
    if head is None and not _is_json_array(body):
        return Unknown(f"the exchange answered HTTP {status} with something that is not JSON")
    return Answer(body)


def _read_head(body: str) -> _Head | None:
    """The code and text of a JSON object; None where the body is not a whole JSON object of that form."""
    if not body.lstrip().startswith("{"):
        return None
    try:
        return _head.decode(body)
    except msgspec.MsgspecError:
        return None


def _is_json_array(body: str) -> bool:
    if not body.lstrip().startswith("["):
        return False
    try:
        _anything.decode(body)
    except msgspec.MsgspecError:
        return False
    return True


def _retry_after(headers: Mapping[str, str]) -> float | None:
    for name, value in headers.items():
        if name.lower() == "retry-after":
            try:
                seconds = float(value)
            except ValueError:
                return None  # a date; nobody here sends one, the limiter's own pause applies
            return seconds if 0 <= seconds < 86_400 * 3 else None
    return None


def _quote(code: str, text: str) -> str:
    said = " ".join(part for part in (code, redact(text)[:MAX_TEXT]) if part)
    return f" ({said})" if said else ""


def _sentence(code: str, text: str) -> str:
    plain, said = mexc_codes.meaning(code), redact(text)[:MAX_TEXT]
    if plain and said:
        return f"{plain} ({said})"
    return plain or said or f"code {code}"
