"""The exchange behind the server: one market connection for all users, an account only for as long as a question lasts.

The exchange being away at the start is no reason not to serve: it is tried again with the next question.
"""

import asyncio
import contextlib
from decimal import Decimal
from typing import TYPE_CHECKING

from modules.exchange.address import resolver
from modules.exchange.bitget_wire import BitgetLink
from modules.exchange.futures_types import MarginMode
from modules.exchange.lanes import Lane
from modules.exchange.types import Denied, Unavailable
from modules.exchange.venue_bitget import BitgetMarket, venue
from modules.gridserver.venue import AccountRefused, KeyRefused, NoContract, SharedPrices, VenueAway
from modules.strategies.grid.live.accounts import key_gone, open_account
from modules.strategies.grid.live.market import contract_of
from modules.strategies.grid.settings import GridSettings
from modules.strategies.grid.store.records import Credentials
from modules.strategies.grid.units import Contract
from utils.paths import Paths

if TYPE_CHECKING:
    from config.settings import Settings

CONTRACTS_KEPT_S = 3600.0


class BitgetVenue:
    """Implements `venue.Venue` over `BitgetMarket`."""

    def __init__(self, settings: "Settings", paths: Paths) -> None:
        self._settings, self._paths = settings.bitget, paths
        self._market: BitgetMarket | None = None
        self._opening = asyncio.Lock()
        self._contracts: dict[str, tuple[float, Contract]] = {}
        self._prices = SharedPrices(self._price, settings.gridserver.price_s)

    async def _open(self) -> BitgetMarket:
        """The market connection. Raises VenueAway."""
        async with self._opening:
            if self._market is None:
                try:
                    self._market = BitgetMarket(await BitgetLink(
                        self._settings, resolver(self._settings, self._paths), lane=Lane.DATA,
                        venue=venue(self._settings)).open())
                except Unavailable as problem:
                    raise VenueAway(str(problem)) from None
            return self._market

    async def symbols(self) -> list[str]:
        market = await self._open()
        try:
            return sorted(await market.contracts())
        except Unavailable as problem:
            raise VenueAway(str(problem)) from None

    async def contract(self, symbol: str) -> Contract:
        now = asyncio.get_running_loop().time()
        at, known = self._contracts.get(symbol, (0.0, None))
        if known is not None and now - at < CONTRACTS_KEPT_S:
            return known
        market = await self._open()
        try:
            found = await contract_of(market, symbol)
        except Unavailable as problem:
            raise VenueAway(str(problem)) from None
        except KeyError:
            raise NoContract(f"Bitget has no USDT contract {symbol}; GET /info lists those there are.") from None
        self._contracts[symbol] = (now, found)
        return found

    async def price(self, symbol: str) -> Decimal:
        return await self._prices.price(symbol)

    async def _price(self, symbol: str) -> Decimal:
        market = await self._open()
        try:
            touch = (await market.touches(frozenset({symbol}))).get(symbol)
        except Unavailable as problem:
            raise VenueAway(str(problem)) from None
        if touch is None:
            raise VenueAway(f"{symbol} has no price now.")
        return (touch.bid + touch.ask) / 2

    async def balance(self, user_id: str, keys: Credentials, settings: GridSettings) -> tuple[Decimal, tuple[str, ...]]:
        """The account's USDT: the less of balance and equity, so that an open loss counts, an open gain does not."""
        market = await self._open()
        account = await open_account(market, keys, user_id, settings, MarginMode(self._settings.margin), self._paths)
        try:
            standing = await account.standing(settings.trading_symbol)
        except Denied as problem:
            raise (KeyRefused if key_gone(problem) else AccountRefused)(str(problem)) from None
        except Unavailable as problem:
            raise VenueAway(str(problem)) from None
        finally:
            with contextlib.suppress(Unavailable):
                await account.close()
        return min(standing.wallet.balance, standing.wallet.equity), ()

    async def close(self) -> None:
        if self._market is not None:
            await self._market.close()
