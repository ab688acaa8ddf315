"""Refusals on their way to the database: single ones at once, those of every look summed up (D13)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from modules.strategies.signals.reasons import Refusal

Add = Callable[[str, list[dict[str, Any]]], None]


@dataclass(slots=True)
class _Sum:
    """Looks of one symbol with one code. `sample`: what was seen at the look nearest to a signal."""

    count: int = 0
    first_ms: int = 0
    nearest: float = -1.0
    sample: dict[str, Any] = field(default_factory=dict)


class Refusals:
    """Counts and stores. `add(table, rows)` is the writer's."""

    def __init__(self, add: Add, every_ms: int) -> None:
        self.totals: dict[str, int] = {}
        self._add, self._every_ms = add, every_ms
        self._sums: dict[tuple[str, Refusal], _Sum] = {}
        self._flushed_ms: int | None = None

    def look(self, symbol: str, code: Refusal, now_ms: int, lean: float, **seen: Any) -> None:
        """A look refused; `lean` (its size) says how near it was."""
        key = (symbol, code)
        one = self._sums.get(key)
        if one is None:
            one = self._sums[key] = _Sum(first_ms=now_ms)
        one.count += 1
        if abs(lean) > one.nearest:
            one.nearest = abs(lean)
            one.sample = {"imbalance": round(lean, 4), **seen}
        self.totals[code] = self.totals.get(code, 0) + 1

    def single(self, symbol: str, code: Refusal, now_ms: int, **seen: Any) -> None:
        """A decision refused: stored by itself."""
        self.totals[code] = self.totals.get(code, 0) + 1
        self._add("signal_refusals", [{"symbol": symbol, "ms": now_ms, "code": code.value, "body": seen}])

    def flush(self, now_ms: int, force: bool = False) -> int:
        """Store the sums when their time has come; how many rows."""
        if self._flushed_ms is None:
            self._flushed_ms = now_ms
        if not self._sums or (now_ms - self._flushed_ms < self._every_ms and not force):
            return 0
        rows = [{"symbol": symbol, "ms": one.first_ms, "code": code.value,
                 "body": {"looks": one.count, "until_ms": now_ms, "nearest": one.sample}}
                for (symbol, code), one in self._sums.items()]
        self._sums, self._flushed_ms = {}, now_ms
        self._add("signal_refusals", rows)
        return len(rows)


