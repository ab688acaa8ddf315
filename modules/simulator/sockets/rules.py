"""What may go wrong on sockets: the grammar of a fault plan's `streams`. Nothing here acts.

    {"streams": [{"kind": "lose", "stream": "btcusdt@depth", "probability": 0.01, "max_times": 3},
                 {"kind": "duplicate", "user": true, "stream": "ORDER_TRADE_UPDATE"}]}
"""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

StreamKind = Literal[
    "lose", "duplicate", "reorder", "late", "truncate", "garbage", "gap", "cross", "silence", "cut", "reset",
    "old_snapshot", "refuse"]
#: the numbers that mean something to a kind; every other one is refused
NUMBERS: dict[str, tuple[str, ...]] = {
    "late": ("ms",), "gap": ("frames",), "silence": ("for_ms",), "old_snapshot": ("ms",), "refuse": ("for_ms",)}
#: kinds that make no sense of account events
MARKET_ONLY = frozenset({"gap", "cross", "old_snapshot", "refuse"})


class StreamRule(BaseModel):
    """One fault, and the streams it may happen to. Times are of the wall clock."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: StreamKind
    stream: str = Field(".*", max_length=200, description="regular expression: stream, event (user) or path (refuse)")
    user: bool = Field(False, description="of user streams; `stream` is then about the event's name")
    probability: float = Field(1.0, ge=0, le=1)
    max_times: int | None = Field(None, ge=1)
    ms: float | None = Field(None, ge=0, le=600_000, description="how late a frame is; how old a snapshot is")
    for_ms: float | None = Field(None, ge=0, le=600_000, description="how long a silence or a refusal lasts")
    frames: int | None = Field(None, ge=1, le=10_000, description="how many frames in a row a gap takes")

    @field_validator("stream")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as problem:
            raise ValueError(f"not a regular expression: {problem}") from None
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        takes = NUMBERS.get(self.kind, ())
        for name in ("ms", "for_ms", "frames"):
            if getattr(self, name) is not None and name not in takes:
                raise ValueError(f"{name} means nothing to '{self.kind}' (it takes: {', '.join(takes) or 'none'})")
        if self.user and self.kind in MARKET_ONLY:
            raise ValueError(f"'{self.kind}' is about market streams, not about user streams")
        return self

    @property
    def delay_s(self) -> float:
        """How late, or how old; half a second unless told."""
        return (self.ms if self.ms is not None else 500.0) / 1000.0

    @property
    def lasts_s(self) -> float:
        """How long; five seconds unless told."""
        return (self.for_ms if self.for_ms is not None else 5000.0) / 1000.0
