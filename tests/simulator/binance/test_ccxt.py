"""ccxt.binanceusdm, unmodified, is content: the calls of the conformance programs, here in one process."""

from __future__ import annotations

import importlib
from functools import partial

import pytest

from benchmarks.conformance import ccxt_own_tests, ccxt_rest
from benchmarks.conformance.tally import Tally
from tests.simulator.binance.conftest import PERP, Market


async def test_market_data(market: Market) -> None:
    tally = Tally("ccxt")
    await ccxt_rest.public(tally, market.client())
    assert tally.failed == [] and tally.passed > 25


async def test_settings_orders_positions_and_hedge_mode(market: Market) -> None:
    tally, client = Tally("ccxt"), market.client()
    await client.load_markets()
    await ccxt_rest.settings(tally, client)
    await ccxt_rest.trading(tally, client)
    await ccxt_rest.hedge(tally, client)
    assert tally.failed == [] and tally.passed > 60


async def test_its_own_tests(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    tally, client = Tally("ccxt's own tests"), market.client()
    client.milliseconds = lambda: market.clock[0]  # its checks ask that nothing is of the future
    client.has["future"] = None
    await client.load_markets()
    await client.create_order(PERP, "market", "buy", market.size())
    await client.create_order(PERP, "limit", "buy", market.size(), market.price(0.97))
    for name, arguments in ccxt_own_tests.TESTS:
        test = getattr(importlib.import_module(f"ccxt.test.exchange.async.test_{name}"), f"test_{name}")
        await tally.atry(name, partial(test, client, ccxt_own_tests.KNOWN.get(name, {}), *arguments))
    assert tally.failed == [] and tally.passed == len(ccxt_own_tests.TESTS)
