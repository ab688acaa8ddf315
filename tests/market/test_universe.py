"""What a person typed becomes a symbol, or a hint."""

from decimal import Decimal

import pytest

from modules.exchange.types import Market, Ticker
from modules.market import universe

KNOWN = {"PEPEUSDT", "PEOPLEUSDT", "DOGEUSDT", "USDCUSDT", "PEPE2USDT"}


@pytest.mark.parametrize("text", ["pepe", "PEPE", "PEPE/USDT", "pepeusdt", "pepe-usdt", " Pepe_USDT "])
def test_ways_to_write_a_symbol(text):
    assert universe.resolve(text, KNOWN) == ("PEPEUSDT", [])


@pytest.mark.parametrize(("text", "near"), [("pepee", "PEPEUSDT"), ("dgoe", "DOGEUSDT"), ("peop", "PEOPLEUSDT")])
def test_an_unknown_symbol_gets_the_nearest(text, near):
    symbol, names = universe.resolve(text, KNOWN)
    assert symbol is None
    assert near in names


@pytest.mark.parametrize("text", ["zzzzqqq", "", "/"])
def test_nothing_near_is_nothing(text):
    assert universe.resolve(text, KNOWN) == (None, [])


def market(symbol: str, **flags: bool) -> Market:
    return Market(symbol, symbol[:-4], "USDT", Decimal(1), Decimal(1), Decimal(1), Decimal(0), Decimal(0), **flags)


def test_tradable_and_by_volume():
    markets = {"BUSDT": market("BUSDT"), "AUSDT": market("AUSDT"), "CUSDT": market("CUSDT", trading=False),
               "DUSDT": market("DUSDT", api_allowed=False), "EUSDT": market("EUSDT")}
    assert universe.tradable(markets) == ["AUSDT", "BUSDT", "EUSDT"]
    tickers = {s: Ticker(s, 1, 1, 1, v, 0) for s, v in (("AUSDT", 5.0), ("BUSDT", 9.0))}
    assert universe.by_volume(universe.tradable(markets), tickers) == ["BUSDT", "AUSDT"]
