"""Which frames of a wire tell of a book, and how one is spoilt so that its sides cross."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class BookFrames:
    """The depth frames of one wire: `mark` stands in them alone, `holder` finds what has both sides in it."""

    mark: bytes
    bids: str
    asks: str
    holder: Callable[[Any], Any]

    def tells(self, data: bytes) -> bool:
        """Whether a frame is of a book."""
        return self.mark in data

    def crossed(self, data: bytes) -> bytes | None:
        """A depth frame whose bids reach into its asks; None for any other frame, or one without an ask."""
        if not self.tells(data):
            return None
        frame = json.loads(data)
        book = self.holder(frame)
        asks = [level for level in book[self.asks] if float(level[1]) > 0]
        if not asks:
            return None
        book[self.bids].append([asks[-1][0], asks[-1][1]])
        return json.dumps(frame, separators=(",", ":")).encode()


BINANCE = BookFrames(b'"depthUpdate"', "b", "a", lambda frame: frame)
BITGET = BookFrames(b'"channel":"books', "bids", "asks", lambda frame: frame["data"][0])
BYBIT = BookFrames(b'"topic":"orderbook.', "b", "a", lambda frame: frame["data"])
