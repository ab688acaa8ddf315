"""Where candles of an interval begin and end: multiples of it, weeks on Monday, months of the calendar (UTC)."""

from __future__ import annotations

from datetime import UTC, datetime

from modules.simulator.sockets.names import INTERVALS

_MONDAY_MS = 4 * 86_400_000  # the epoch was a Thursday; the first Monday came four days later


def candle_open(interval: str, ms: int) -> int:
    """Open time of the candle that holds `ms`."""
    if interval == "1M":
        moment = datetime.fromtimestamp(ms / 1000.0, UTC)
        return int(datetime(moment.year, moment.month, 1, tzinfo=UTC).timestamp() * 1000)
    size = INTERVALS[interval]
    shift = _MONDAY_MS if interval == "1w" else 0
    return (ms - shift) // size * size + shift


def candle_end(interval: str, open_ms: int) -> int:
    """Last millisecond of a candle."""
    if interval == "1M":
        moment = datetime.fromtimestamp(open_ms / 1000.0, UTC)
        year, month = divmod(moment.year * 12 + moment.month, 12)
        return int(datetime(year, month + 1, 1, tzinfo=UTC).timestamp() * 1000) - 1
    return open_ms + INTERVALS[interval] - 1
