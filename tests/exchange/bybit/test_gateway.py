"""Which venue stands behind the settings, with which key, and what is said where it cannot be."""

from pathlib import Path
from typing import Any

import pytest

from modules.exchange import futures_gateway as gateway
from modules.exchange.bybit_account import BybitAccount
from modules.exchange.futures_settings import FuturesSettings
from modules.exchange.types import Mode, Unavailable
from modules.exchange.venue_bybit import BybitMarket
from tests.simulator.bybit.conftest import Bybit, bybit, open_bybit  # noqa: F401 - fixtures
from utils.paths import Paths


@pytest.mark.parametrize("given, speaks", [
    ({}, "binance"), ({"dialect": "bybit"}, "bybit"), ({"name": "bybit"}, "bybit"),
    ({"name": "binance", "dialect": "bybit"}, "binance")], ids=lambda value: str(value))
def test_whose_protocol_is_spoken(given: dict[str, Any], speaks: str) -> None:
    assert FuturesSettings(**given).speaks == speaks


async def test_the_gateway_opens_bybit(bybit: Bybit, tmp_path: Path) -> None:  # noqa: F811
    settings = FuturesSettings(name="bybit", base_url=bybit.base, hedge=False)
    paths = Paths(tmp_path).prepare()
    market = await gateway.open_venue(settings, paths)
    try:
        assert isinstance(market, BybitMarket) and len(await market.contracts()) == 3
        assert gateway.streams(settings, market).base == "wss://stream.bybit.com"
        tested = FuturesSettings(name="bybit", bybit_testnet=True)
        assert gateway.streams(tested, market).base == "wss://stream-testnet.bybit.com"
        with pytest.raises(Unavailable, match="BYBIT_API_KEY"):
            await gateway.open_futures_account(Mode.LIVE, settings, paths, market, "b", symbols=("BTCUSDT",))
        with pytest.raises(Unavailable, match="name those that are traded"):
            await gateway.open_futures_account(Mode.LIVE, settings, paths, market, "b")
        keyed: dict[str, Any] = {"bybit_api_key": "sim-key", "bybit_api_secret": "sim-secret"}
        account = await gateway.open_futures_account(
            Mode.LIVE, settings.model_copy(update=FuturesSettings(**keyed).model_dump(include=set(keyed))), paths,
            market, "b", symbols=("BTCUSDT",))
        assert isinstance(account, BybitAccount) and await account.hedge() is False
        assert (await account.wallet()).balance == 10_000
        paper = await gateway.open_futures_account(Mode.TEST, settings, paths, market, "b")
        assert paper.mode is Mode.TEST and (await paper.wallet()).balance == 10_000
        await paper.close()
    finally:
        await market.close()


async def test_a_system_that_needs_binances_data_says_so(bybit: Bybit, tmp_path: Path) -> None:  # noqa: F811
    settings = FuturesSettings(name="bybit", base_url=bybit.base)
    with pytest.raises(Unavailable, match="FUTURES_NAME=binance"):
        await gateway.open_futures(settings, Paths(tmp_path).prepare())
