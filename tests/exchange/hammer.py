"""Market data as fast as the gateway lets it through; a process of its own for the tests of the shared budget.

    python -m tests.exchange.hammer URL HOME SECONDS
"""

import asyncio
import json
import sys
import time
from pathlib import Path

from modules.exchange.api import MarketData
from modules.exchange.gateway import open_market
from modules.exchange.settings import ExchangeSettings
from modules.exchange.types import Unavailable
from utils.paths import Paths

EATERS = 6


async def hammer(url: str, home: Path, seconds: float) -> dict[str, int]:
    """What was answered, by kind."""
    counted = {"books": 0, "tickers": 0, "shed": 0}
    market = await open_market(ExchangeSettings(base_url=url, timeout_s=5), Paths(home).prepare())
    print("ready", flush=True)
    until = time.monotonic() + seconds
    try:
        await asyncio.gather(*(_eat(market, number, until, counted) for number in range(EATERS)))
    finally:
        await market.close()
    return counted


async def _eat(market: MarketData, number: int, until: float, counted: dict[str, int]) -> None:
    while time.monotonic() < until:
        try:
            if number == 0:
                await market.tickers()
                counted["tickers"] += 1
            else:
                await market.book("BTCUSDT", 5)
                counted["books"] += 1
        except Unavailable:
            counted["shed"] += 1


if __name__ == "__main__":
    print(json.dumps(asyncio.run(hammer(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])))))
