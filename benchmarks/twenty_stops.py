"""Twenty stops at once while market data eats all of its share: when is the last sale at the venue?

    python -m benchmarks.twenty_stops [--stops 20] [--eaters 4] [--speed 1] [--json]

Starts the simulated exchange (its limits are MEXC's: 500 weight for each endpoint and 10 s), buys into as many pairs
on its LIVE account, lets processes of their own ask for tickers, candles and books as fast as the gateway lets them,
waits until data has to wait at every one of these endpoints, and then sells everything at once, as the tracker would:
a look at the book, a market order, a question what became of it. Times are the venue's own, from the decision on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

from modules.exchange.api import Account, MarketData, quantize_down
from modules.exchange.gateway import open_account, open_market
from modules.exchange.health import health
from modules.exchange.lanes import Lane
from modules.exchange.settings import ExchangeSettings
from modules.exchange.types import (
    Accepted,
    Market,
    Mode,
    OrderRequest,
    OrderState,
    OrderType,
    Side,
    Unavailable,
)
from modules.exchange.venue_mexc import MexcMarket
from utils.paths import Paths

ROOT = Path(__file__).resolve().parent.parent
ENDPOINTS = {"depth": 1, "klines": 1, "ticker/24hr": 40}
LONGEST_FILL_S = 60.0


async def eat(url: str, home: Path) -> None:
    """Scanner-like market data without a pause, until killed."""
    market = await open_market(ExchangeSettings(base_url=url), Paths(home))

    async def one(number: int) -> None:
        while True:
            try:
                if number == 0:
                    await market.tickers()
                elif number % 2:
                    await market.candles("BTCUSDT", "5m", 100)
                else:
                    await market.book("BTCUSDT", 5)
            except Unavailable:
                continue

    await asyncio.gather(*(one(number) for number in range(7)))


async def buy(account: Account, market: MarketData, count: int) -> list[tuple[Market, Decimal]]:
    """Positions in `count` pairs: (pair, quantity)."""
    pairs, tickers = await market.markets(), await market.tickers()
    names = sorted(tickers, key=lambda name: -tickers[name].quote_volume)
    held: list[tuple[Market, Decimal]] = []
    for name in names:
        pair = pairs[name]
        if len(held) == count or not (pair.api_allowed and pair.market_orders and pair.buys and pair.trading):
            continue
        request = OrderRequest(f"cxbuy{name}"[:32], name, Side.BUY, OrderType.MARKET, quote_quantity=Decimal(30))
        if isinstance(await account.place(request), Accepted):
            state = await account.order(name, request.client_id)
            if isinstance(state, OrderState) and state.filled:
                held.append((pair, quantize_down(state.filled, pair.step)))
    return held


async def saturated(market: MexcMarket) -> None:
    """Until data has to wait everywhere. Raises TimeoutError."""
    budget, deadline = market.link.limiter._budget, time.monotonic() + LONGEST_FILL_S
    while any(budget.delay(key, weight, Lane.DATA) <= 0 for key, weight in ENDPOINTS.items()):
        if time.monotonic() > deadline:
            raise TimeoutError("data never filled its share")
        await asyncio.sleep(0.02)


async def stop_one(account: Account, market: MarketData, pair: Market, quantity: Decimal) -> tuple[float, OrderState]:
    """Sell one position: (instant of the answer, the order)."""
    await market.book(pair.symbol, 5)
    request = OrderRequest(f"cxstop{pair.symbol}"[:32], pair.symbol, Side.SELL, OrderType.MARKET, quantity=quantity)
    outcome = await account.place(request)
    answered = time.monotonic()
    if not isinstance(outcome, Accepted):
        raise SystemExit(f"the stop of {pair.symbol} did not get out: {outcome}")
    state = await account.order(pair.symbol, request.client_id)
    if not isinstance(state, OrderState):
        raise SystemExit(f"what became of the stop of {pair.symbol}? {state}")
    return answered, state


async def measure(url: str, home: Path, stops: int, eaters: int) -> dict[str, float | int]:
    settings, paths = ExchangeSettings(base_url=url), Paths(home).prepare()
    market = await open_market(settings, paths, lane=Lane.EXIT)
    assert isinstance(market, MexcMarket)
    account = await open_account(Mode.LIVE, settings, paths, market)
    command = [sys.executable, "-m", "benchmarks.twenty_stops", "--eat", url, str(home)]
    children: list[subprocess.Popen[bytes]] = []
    try:
        held = await buy(account, market, stops)
        children = [subprocess.Popen(command, cwd=ROOT) for _ in range(eaters)]
        if children:
            await saturated(market)
        waits = {key: round(market.link.limiter._budget.delay(key, weight, Lane.DATA), 2)
                 for key, weight in ENDPOINTS.items()}
        decided, decided_ms = time.monotonic(), market.link.clock.venue_ms()
        done = await asyncio.gather(*(stop_one(account, market, *one) for one in held))
        at_venue = sorted(state.created_ms - decided_ms for _, state in done)
        found = health(settings, paths)
        assert found is not None
        return {
            "stops": len(done), "eaters": eaters, "speed": market.clock.speed,
            "data_waits_s": max(waits.values()), "first_at_venue_ms": at_venue[0], "last_at_venue_ms": at_venue[-1],
            "clock_error_ms": round(market.link.clock.error_ms, 1),
            "last_answer_ms": round(1000 * (max(answered for answered, _ in done) - decided)),
            "refused_by_venue": found.refusals,
            "filled": sum(state.filled > 0 for _, state in done),
        }
    finally:
        for child in children:
            child.kill()
            child.wait(20)
        await account.close()
        await market.close()


def main() -> None:
    """Start a venue, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stops", type=int, default=20)
    parser.add_argument("--eaters", type=int, default=4)
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--eat", nargs=2, metavar=("URL", "HOME"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.eat:
        asyncio.run(eat(arguments.eat[0], Path(arguments.eat[1])))
        return
    command = [sys.executable, "-m", "modules.simulator.cli", "--port", "0", "--tokens", "60", "--seed", "3",
               "--speed", str(arguments.speed)]
    venue = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    try:
        assert venue.stdout is not None
        url = venue.stdout.readline().split(" on ")[1].split(" ")[0]
        with tempfile.TemporaryDirectory() as home:
            found = asyncio.run(measure(url, Path(home), arguments.stops, arguments.eaters))
    finally:
        venue.terminate()
        venue.wait(20)
    if arguments.json:
        print(json.dumps(found))
        return
    print(f"{found['stops']} stops at once, {found['eaters']} processes asking for data without pause "
          f"(data must wait {found['data_waits_s']} s):")
    print(f"  the first sale was at the venue {found['first_at_venue_ms']} ms after the decision, the last one "
          f"{found['last_at_venue_ms']} ms (± {found['clock_error_ms']}); "
          f"all answers after {found['last_answer_ms']} ms")
    print(f"  the venue refused {found['refused_by_venue']} requests as too many; {found['filled']} sales filled")


if __name__ == "__main__":
    main()
