"""What a venue's own codes mean for a request (WIRE trap 5: never ccxt's exception class). One table for each venue.

A code that a table does not list is UNKNOWN (X3): asking once more is cheap, ordering twice is not.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What a code says of the request that it answers."""

    REFUSED = "refused"  # the venue said no, nothing happened
    ABSENT = "absent"  # it has no such order; for an order that is sent, or cancelled, that is a refusal
    CLOCK = "clock"  # refused for its time stamp: set the clock before anything else is signed (X32)
    LIMITED = "limited"  # refused for too many requests; nothing happened
    UNKNOWN = "unknown"  # the venue itself failed; nobody knows whether the order stands (X4)


@dataclass(frozen=True)
class CodeTable:
    """The codes of one venue, each with plain words, and where its answers carry code and text.

    Raises ValueError for a code that is listed twice.
    """

    venue: str
    refused: Mapping[str, str]
    absent: Mapping[str, str]
    clock: Mapping[str, str]
    limited: Mapping[str, str]
    unknown: Mapping[str, str]
    success: frozenset[str]
    code_names: tuple[str, ...] = ("code",)
    text_names: tuple[str, ...] = ("msg", "message")
    # Codes, out of `refused`, that speak of the key and not of the request: another key of the account may do.
    key_refused: frozenset[str] = frozenset()
    # HTTP status of a ban of this address, and of too many requests.
    banned_status: int = 418
    limited_status: int = 429
    # What the body of a ban says, where its HTTP status is also that of a gateway's refusal (403); small letters.
    ban_says: str = ""
    # Header with the weight used in the present window, where the venue sends one, and what it is counted for here
    # (empty: the endpoint itself).
    used_header: str = ""
    used_bucket: str = ""
    # Headers with the orders of the present window, each with what one order weighs in `orders_bucket`.
    orders_headers: Mapping[str, float] = field(default_factory=dict)
    orders_bucket: str = ""
    _all: dict[str, tuple[Kind, str]] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        tables = ((Kind.REFUSED, self.refused), (Kind.ABSENT, self.absent), (Kind.CLOCK, self.clock),
                  (Kind.LIMITED, self.limited), (Kind.UNKNOWN, self.unknown))
        for kind, table in tables:
            for code, text in table.items():
                if code in self._all or code in self.success:
                    raise ValueError(f"{self.venue}: code {code} is listed twice")
                self._all[code] = (kind, text)

    def kind_of(self, code: str) -> Kind:
        """What `code` means; UNKNOWN for a code that nobody listed (X3)."""
        return self._all[code][0] if code in self._all else Kind.UNKNOWN

    def meaning(self, code: str) -> str:
        """The code in plain words; empty for a code that nobody listed."""
        return self._all[code][1] if code in self._all else ""

    @property
    def codes(self) -> dict[str, Kind]:
        """Every listed code."""
        return {code: kind for code, (kind, _) in self._all.items()}
