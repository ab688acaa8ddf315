"""From what came over the wire to one of four outcomes (X3), by HTTP status and the venue's own code.

1. HTTP 5xx: unknown, whatever the body says (X4; MEXC's documentation says the same).
2. HTTP 429 and 418, or a code for too many requests: refused, nothing happened. Bybit's and Bitget's status of a ban is
   403, which a gateway before them sends as well: one that does not say that it is a ban rests everything for a short
   while only, for protection must not wait for minutes, and one question in that time makes no ban worse.
3. A body that is not a JSON object or array (HTML, empty, cut off): unknown (WIRE trap 4).
4. A JSON object with a code other than success: what the venue's table says of that code.
5. HTTP 2xx with anything else: an answer. Other statuses without a known code: unknown.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from modules.exchange.codes import CodeTable, Kind
from modules.exchange.types import Refused, Unknown
from utils.redact import redact

MAX_TEXT = 200
UNNAMED_BAN_S = 5.0
LONGEST_RETRY_S = 86_400 * 3 + 1


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON object or array, still as text."""

    body: str


# What decoding raises for bytes of strangers: no JSON, another type, broken surrogates, brackets without end.
UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)

_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_anything = msgspec.json.Decoder(msgspec.Raw)
_code = msgspec.json.Decoder(int | str | None)
_text = msgspec.json.Decoder(str | None)


def classify(status: int, headers: Mapping[str, str], body: str, table: CodeTable) -> Answer | Refused | Unknown:
    """The outcome of a request that was answered."""
    head = _read_head(body, table)
    code, text = ("", "") if head is None else head
    if status >= 500:
        return Unknown(f"the exchange answered HTTP {status}{_quote(code, text)}")
    kind = table.kind_of(code) if code and code not in table.success else None
    if status in (table.banned_status, table.limited_status) or kind is Kind.LIMITED:
        found = code or str(status)
        rest = _retry_after(headers)
        named = kind is Kind.LIMITED or table.ban_says in body.lower()
        if rest is None and status == table.banned_status and not named:
            rest = UNNAMED_BAN_S  # rule 2
        return Refused(found, _sentence(found, text, table), rest)
    if kind is Kind.UNKNOWN:
        return Unknown(f"the exchange answered HTTP {status}{_quote(code, text)}")
    if kind is not None:
        return Refused(code, _sentence(code, text, table))
    if not 200 <= status < 300:
        return Unknown(f"the exchange answered HTTP {status} without a code")
    if head is None and not _is_json_array(body):
        return Unknown(f"the exchange answered HTTP {status} with something that is not JSON")
    return Answer(body)


def _read_head(body: str, table: CodeTable) -> tuple[str, str] | None:
    """The code and text of a JSON object; None where the body is not a whole JSON object of that form."""
    if not body.lstrip().startswith("{"):
        return None
    try:
        fields = _object.decode(body)
        codes = [_code.decode(fields[name]) for name in table.code_names if name in fields]
        texts = [_text.decode(fields[name]) for name in table.text_names if name in fields]
    except UNREADABLE:
        return None
    code = next((str(code) for code in codes if code is not None), "")
    return code, next((text for text in texts if text), "")


def _is_json_array(body: str) -> bool:
    if not body.lstrip().startswith("["):
        return False
    try:
        _anything.decode(body)
    except UNREADABLE:
        return False
    return True


def header(headers: Mapping[str, str], wanted: str) -> float | None:
    """A number of seconds or weight in a header; None where it is absent or not such a number."""
    for name, value in headers.items():
        if name.lower() == wanted:
            try:
                found = float(value)
            except ValueError:
                return None  # a date; nobody here sends one, the limiter's own rest applies
            return found if math.isfinite(found) and found >= 0 else None
    return None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    seconds = header(headers, "retry-after")
    return seconds if seconds is not None and seconds < LONGEST_RETRY_S else None


def _quote(code: str, text: str) -> str:
    said = " ".join(part for part in (code, redact(text)[:MAX_TEXT]) if part)
    return f" ({said})" if said else ""


def _sentence(code: str, text: str, table: CodeTable) -> str:
    plain, said = table.meaning(code), redact(text)[:MAX_TEXT]
    if plain and said:
        return f"{plain} ({said})"
    return plain or said or f"code {code}"
