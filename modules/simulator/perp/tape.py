"""Prints of every contract: ids, the newest ones kept, and the last price."""

from __future__ import annotations

from collections import deque

from modules.simulator.perp.records import Print

KEPT = 20_000


class Tape:
    """Aggregate trades. Ids count up without a hole for each contract, also across restarts."""

    def __init__(self, count: int, birth_ids: list[int]) -> None:
        self.next_agg = list(birth_ids)
        self.next_trade = [i * 3 for i in birth_ids]
        self._kept: list[deque[Print]] = [deque(maxlen=KEPT) for _ in range(count)]

    def add(self, index: int, tick: int, steps: int, buy: bool, trades: int, ms: int) -> Print:
        """One taker at one price against `trades` makers."""
        first = self.next_trade[index]
        one = Print(self.next_agg[index], first, first + trades - 1, tick, steps, not buy, ms)
        self.next_agg[index] += 1
        self.next_trade[index] = first + trades
        self._kept[index].append(one)
        return one

    def recent(self, index: int, limit: int) -> list[Print]:
        """The newest, oldest first."""
        kept = self._kept[index]
        return [kept[k] for k in range(max(0, len(kept) - limit), len(kept))]

    def since(
        self, index: int, limit: int, from_id: int | None = None, first_ms: int | None = None,
        last_ms: int | None = None,
    ) -> list[Print]:
        """Prints from an id or in a span of time, oldest first."""
        found: list[Print] = []
        for one in self._kept[index]:
            if (from_id is not None and one.id < from_id) or (first_ms is not None and one.ms < first_ms):
                continue
            if last_ms is not None and one.ms > last_ms:
                break
            found.append(one)
            if len(found) == limit:
                break
        return found
