"""Our Bitget account over the simulated one, on a clock that tests move by hand."""

from collections.abc import AsyncIterator
from decimal import Decimal

import aiohttp
import pytest

from modules.exchange.address import Address
from modules.exchange.bitget_account import BitgetAccount
from modules.exchange.bitget_settings import BitgetSettings
from modules.exchange.bitget_wire import BitgetKey, BitgetLink
from modules.exchange.types import OrderRequest, OrderType, PositionSide, Side
from modules.exchange.venue_bitget import BitgetMarket, venue
from tests.simulator.bitget.conftest import Bitget, bitget, open_bitget

__all__ = ["House", "bitget", "open_bitget", "order"]
KEY = BitgetKey("sim-key", "sim-secret", "sim-passphrase")


class House:
    """Market and account over a simulated venue."""

    def __init__(self, world: Bitget, market: BitgetMarket) -> None:
        self.world, self.market = world, market
        self.account = BitgetAccount(market, KEY)

    def user(self, key: BitgetKey) -> BitgetAccount:
        """Another user's account."""
        return BitgetAccount(self.market, key)


async def opened(world: Bitget, **changes: object) -> BitgetMarket:
    """Market data of a simulated venue."""
    given = {"base_url": world.base, "timeout_s": 10, "calls_a_second": 5000}
    settings = BitgetSettings.model_validate(given | changes)

    async def resolve(session: aiohttp.ClientSession) -> Address:
        return Address(world.base, 1.0)

    return BitgetMarket(await BitgetLink(settings, resolve, venue=venue(settings)).open())


@pytest.fixture
async def house(bitget: Bitget) -> AsyncIterator[House]:
    """An account in hedge mode."""
    market = await opened(bitget)
    try:
        found = House(bitget, market)
        await found.account.set_hedge(True)
        yield found
    finally:
        await market.close()


def order(client_id: str, side: Side, leg: PositionSide, quantity: str = "0.01", price: str | None = None,
          kind: OrderType = OrderType.MARKET) -> OrderRequest:
    """An order of BTCUSDT."""
    return OrderRequest(client_id, "BTCUSDT", side, kind if price is None else OrderType.LIMIT, Decimal(quantity),
                        price=None if price is None else Decimal(price), position_side=leg)
