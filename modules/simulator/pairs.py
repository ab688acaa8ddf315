"""State of the pairs on the venue's calendar: which there are, and what may be done with each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from modules.simulator.errors import Reason, Refused
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


@dataclass(slots=True)
class Override:
    """What an act has made of a pair. `…_told` says whether exchangeInfo shows it."""

    state: PairState | None = None
    api_closed: bool = False
    api_told: bool = True
    market_refused: bool = False
    market_told: bool = False
    tick_scale: int | None = None  # decimals of prices that are still taken
    step_scale: int | None = None  # decimals of amounts that are still taken


class Pairs:
    """Look-ups by symbol and instant. `overrides` are the acts' (by symbol)."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.overrides: dict[str, Override] = {}
        self._by_symbol: dict[int, tuple[Calendar, dict[str, Token]]] = {}

    def find(self, symbol: str, ms: int) -> Token | None:
        """The token of a symbol that is shown at an instant."""
        token = self.known(symbol, ms)
        return None if token is None or self.state(token, ms) is PairState.ABSENT else token

    def known(self, symbol: str, ms: int) -> Token | None:
        """The token of a symbol that lives at an instant, also where an act has taken it from sight."""
        calendar = self._source.calendar(ms // DAY_MS)
        cached = self._by_symbol.get(id(calendar))
        if cached is None or cached[0] is not calendar:
            if len(self._by_symbol) > 8:
                self._by_symbol.clear()
            cached = (calendar, {token.symbol: token for token in calendar.tokens})
            self._by_symbol[id(calendar)] = cached
        token = cached[1].get(symbol)
        if token is None or self._planned(token, ms) is PairState.ABSENT:
            return None
        return self._overridden(token)

    def _overridden(self, token: Token) -> Token:
        """The token as it is told."""
        override = self.overrides.get(token.symbol)
        if override is None:
            return token
        api_open = not (override.api_closed and override.api_told)
        return replace(
            token, api_open=token.api_open and api_open, in_defaults=token.in_defaults and api_open,
            market_orders=token.market_orders and not (override.market_refused and override.market_told),
            tick_scale=override.tick_scale, step_scale=override.step_scale)

    def check_untold(self, symbol: str, market: bool) -> None:
        """Refuse what an act refuses without telling it beforehand. Raises Refused."""
        override = self.overrides.get(symbol)
        if override is not None and override.api_closed:
            raise Refused(Reason.CLOSED_TO_API, symbol)
        if override is not None and override.market_refused and market:
            raise Refused(Reason.NO_MARKET_ORDERS, symbol)

    def halted_by_act(self, symbol: str) -> bool:
        """Whether an act has halted a pair: the market's flow does not reach its orders."""
        override = self.overrides.get(symbol)
        return override is not None and override.state is PairState.HALTED

    def state(self, token: Token, ms: int) -> PairState:
        """What may be done with a token's pair at an instant."""
        planned = self._planned(token, ms)
        override = self.overrides.get(token.symbol)
        if override is None or override.state is None or planned in (PairState.ABSENT, PairState.OFFLINE):
            return planned
        return override.state

    def _planned(self, token: Token, ms: int) -> PairState:
        """The state by the market's own calendar."""
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
                found.append((self._overridden(token) if self.overrides else token, state))
        return found
