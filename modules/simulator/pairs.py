"""State of the pairs on the venue's calendar: which there are, and what may be done with each."""

from __future__ import annotations

from enum import StrEnum

from modules.simulator.source import Source
from modules.simulator.universe import DAY_MS, MINUTE_MS, Calendar, Token

ANNOUNCED_MS = 24 * 3_600_000  # before a delisting only selling is allowed for so long
SHOWN_MS = 12 * 3_600_000  # a delisted pair is still shown as offline, at most until midnight


class PairState(StrEnum):
    """What may be done with a pair."""

    ONLINE = "online"
    SELL_ONLY = "sell only"
    HALTED = "halted"
    OFFLINE = "offline"
    ABSENT = "absent"


class Pairs:
    """Look-ups by symbol and instant."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._by_symbol: dict[int, tuple[Calendar, dict[str, Token]]] = {}

    def find(self, symbol: str, ms: int) -> Token | None:
        """The token of a symbol that is shown at an instant."""
        calendar = self._source.calendar(ms // DAY_MS)
        cached = self._by_symbol.get(id(calendar))
        if cached is None or cached[0] is not calendar:
            if len(self._by_symbol) > 8:
                self._by_symbol.clear()
            cached = (calendar, {token.symbol: token for token in calendar.tokens})
            self._by_symbol[id(calendar)] = cached
        token = cached[1].get(symbol)
        if token is None or self.state(token, ms) is PairState.ABSENT:
            return None
        return token

    def state(self, token: Token, ms: int) -> PairState:
        """What may be done with a token's pair at an instant."""
        if ms < token.list_ms:
            return PairState.ABSENT
        if token.delist_ms is not None and ms >= token.delist_ms:
            return PairState.OFFLINE if ms < token.delist_ms + SHOWN_MS else PairState.ABSENT
        end = self._source.last_ms()
        if end is not None and ms >= end:
            return PairState.HALTED
        day = ms // DAY_MS
        halt = self._source.halt(token.slot, day)
        if halt is not None and halt[0] <= ms // MINUTE_MS - day * 1440 < halt[1]:
            return PairState.HALTED
        if token.delist_ms is not None and ms >= token.delist_ms - ANNOUNCED_MS:
            return PairState.SELL_ONLY
        return PairState.ONLINE

    def listed(self, ms: int) -> list[tuple[Token, PairState]]:
        """Every pair shown at an instant, with its state."""
        found: list[tuple[Token, PairState]] = []
        for token in self._source.calendar(ms // DAY_MS).tokens:
            state = self.state(token, ms)
            if state is not PairState.ABSENT:
                found.append((token, state))
        return found
