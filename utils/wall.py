"""The wall clock, for log stamps and file names only.

Trading decisions take market time from ``modules.exchange.clock``; timeouts take ``time.monotonic``.
"""

import time
from datetime import UTC, datetime


def now_ms() -> int:
    """Wall-clock milliseconds since the Unix epoch."""
    return time.time_ns() // 1_000_000


def now_ns() -> int:
    """Wall-clock nanoseconds since the Unix epoch."""
    return time.time_ns()


def stamp() -> str:
    """A sortable UTC stamp that is legal in file names on every system: ``20250401T093000123Z``."""
    now = datetime.now(UTC)
    return now.strftime("%Y%m%dT%H%M%S") + f"{now.microsecond // 1000:03d}Z"


def iso(ms: int) -> str:
    """Milliseconds since the epoch as ISO 8601 UTC with milliseconds: ``2025-04-01T09:30:00.123Z``."""
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + f".{ms % 1000:03d}Z"
