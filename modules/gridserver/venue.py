"""What the server asks the exchange before a start: contract, price, and the user's money. Public data is shared."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Protocol

import msgspec

from modules.strategies.grid.settings import GridSettings
from modules.strategies.grid.store.records import Credentials
from modules.strategies.grid.units import Contract


class VenueAway(Exception):
    """No trustworthy answer (X15): nothing is started on a guess. The text is fit for a person."""


class KeyRefused(Exception):
    """The exchange refuses the user's key. The text is fit for a person, and for the record."""


class AccountRefused(Exception):
    """The exchange refuses what was asked of the account, not the key itself. The text is fit for a person."""


class NoContract(Exception):
    """The exchange has no such contract."""


class Look(msgspec.Struct, frozen=True):
    """What a start needs to know. `problems`: what the account is not (one-way mode …), with the mend."""

    contract: Contract
    price: Decimal
    balance: Decimal
    problems: tuple[str, ...] = ()


class Venue(Protocol):
    """The exchange as the server sees it."""

    async def symbols(self) -> list[str]:
        """Contracts that there are. Raises VenueAway."""

    async def contract(self, symbol: str) -> Contract:
        """A contract. Raises VenueAway, NoContract."""

    async def price(self, symbol: str) -> Decimal:
        """Its price now. Raises VenueAway, NoContract."""

    async def balance(self, user_id: str, keys: Credentials, settings: GridSettings) -> tuple[Decimal, tuple[str, ...]]:
        """(USDT of the account, what is not as it has to be). Raises VenueAway, KeyRefused, AccountRefused."""

    async def close(self) -> None:
        """Let go."""


class SharedPrices:
    """A price asked for once serves all who ask within `keep_s`."""

    def __init__(self, ask: Callable[[str], Awaitable[Decimal]], keep_s: float,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._ask, self._keep_s, self._clock = ask, keep_s, clock
        self._known: dict[str, tuple[float, Decimal]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def price(self, symbol: str) -> Decimal:
        """The price, at most `keep_s` old. Raises what `ask` raises."""
        async with self._locks.setdefault(symbol, asyncio.Lock()):
            at, known = self._known.get(symbol, (0.0, None))
            if known is not None and self._clock() - at < self._keep_s:
                return known
            found = await self._ask(symbol)
            self._known[symbol] = (self._clock(), found)
            return found


async def look(venue: Venue, user_id: str, keys: Credentials, settings: GridSettings, limit_s: float,
               paper: Decimal | None = None) -> Look:
    """All that a start needs, asked at once. `paper`: the balance, where the account is a paper one.

    Raises VenueAway (a slow one too), KeyRefused, AccountRefused, NoContract.
    """
    try:
        async with asyncio.timeout(limit_s):
            contract = await venue.contract(settings.trading_symbol)
            if paper is not None:
                return Look(contract, await venue.price(settings.trading_symbol), paper)
            price, (balance, wrong) = await asyncio.gather(
                venue.price(settings.trading_symbol), venue.balance(user_id, keys, settings))
    except TimeoutError:
        raise VenueAway(f"The exchange did not answer within {limit_s:g} s.") from None
    return Look(contract, price, balance, wrong)
