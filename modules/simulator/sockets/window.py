"""A book's best levels as the listeners of a topic know them, and what changed in them."""

from __future__ import annotations

from collections.abc import Mapping

Levels = dict[int, int]  # tick → steps


def changes(known: Mapping[int, int], now: Mapping[int, int]) -> Levels:
    """Levels that are new or other, and (0) those that are gone from the window."""
    changed = {tick: steps for tick, steps in now.items() if known.get(tick) != steps}
    return changed | {tick: 0 for tick in known if tick not in now}
