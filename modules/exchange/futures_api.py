"""What the rest of the program may ask of a futures venue, beside `api`: contracts, marks, positions, triggers."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from modules.exchange.api import Account, MarketData
from modules.exchange.futures_types import (
    Bracket,
    FuturesMarket,
    Income,
    MarginMode,
    Mark,
    Position,
    Setup,
    TriggerLookup,
    TriggerRequest,
    TriggerState,
    Wallet,
)
from modules.exchange.types import Outcome


class FuturesMarketData(MarketData, Protocol):
    """Public data of perpetual contracts. Every call raises Unavailable when no trustworthy answer came."""

    async def contracts(self, refresh: bool = False) -> Mapping[str, FuturesMarket]:
        """All contracts by symbol; kept until asked to refresh."""

    async def marks(self) -> Mapping[str, Mark]:
        """Mark price and funding of every contract, in one call."""


class FuturesAccount(Account, Protocol):
    """One futures account: the venue's (LIVE) or paper (TEST). Queries raise Unavailable (X15)."""

    async def hedge(self) -> bool:
        """Whether positions are kept per side (hedge mode)."""

    async def setups(self) -> Mapping[str, Setup]:
        """Leverage and margin mode by symbol."""

    async def brackets(self, symbol: str) -> Sequence[Bracket]:
        """Leverage brackets of a contract, smallest notional first."""

    async def set_hedge(self, on: bool) -> Outcome:
        """Switch the position mode. The venue refuses with positions or orders; callers ask only when flat (X22)."""

    async def set_leverage(self, symbol: str, leverage: int) -> Outcome:
        """Set a symbol's leverage."""

    async def set_margin(self, symbol: str, mode: MarginMode) -> Outcome:
        """Set a symbol's margin mode."""

    async def wallet(self) -> Wallet:
        """The account's USDT."""

    async def positions(self) -> Sequence[Position]:
        """Every leg that holds something."""

    async def place_trigger(self, request: TriggerRequest) -> Outcome:
        """Send a conditional order, once."""

    async def cancel_trigger(self, symbol: str, client_id: str) -> Outcome:
        """Cancel a conditional order by its client id."""

    async def trigger(self, symbol: str, client_id: str) -> TriggerLookup:
        """What became of a conditional order."""

    async def open_triggers(self, symbol: str | None = None) -> Sequence[TriggerState]:
        """Conditional orders that wait. They are not among `open_orders` (X26): always ask both (X16)."""

    async def incomes(self, since_ms: int) -> Sequence[Income]:
        """Every change of the wallet from `since_ms` (market time) on, oldest first."""


