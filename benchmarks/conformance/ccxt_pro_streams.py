"""ccxt.pro and its own tests of watching, on a simulator: ``python -m benchmarks.conformance.ccxt_pro_streams http://127.0.0.1:PORT``."""

import asyncio
import importlib
from contextlib import suppress
from functools import partial
from typing import Any

import aiohttp
import ccxt.pro as pro

from benchmarks.conformance.ccxt_at import config
from benchmarks.conformance.tally import Tally, address

PERP, OTHER = "BTC/USDT:USDT", "ETH/USDT:USDT"
#: what ccxt's own class leaves empty for this venue's streams, whatever they say
KNOWN: dict[str, dict[str, str]] = {
    "watch_my_trades": {"cost": "", "fee": ""}, "watch_orders": {"fee": ""},
    "watch_positions": {"leverage": "", "collateral": "", "liquidationPrice": "", "marginRatio": "", "timestamp": "",
                        "notional": "", "initialMargin": "", "maintenanceMargin": "", "percentage": "",
                        "markPrice": "ACCOUNT_UPDATE has none", "hedged": ""}}
MARKET: list[tuple[str, list[Any]]] = [
    ("watch_order_book", [PERP]), ("watch_order_book_for_symbols", [[PERP, OTHER]]), ("watch_trades", [PERP]),
    ("watch_trades_for_symbols", [[PERP, OTHER]]), ("watch_ohlcv", [PERP]),
    ("watch_ohlcv_for_symbols", [PERP]), ("watch_ticker", [PERP]), ("watch_tickers", [PERP]),
    ("watch_bids_asks", [PERP])]
ACCOUNT: list[tuple[str, list[Any]]] = [
    ("watch_orders", [PERP]), ("watch_my_trades", [PERP]), ("watch_positions", [PERP])]


def client(base: str) -> Any:
    """ccxt.pro aimed at the simulator."""
    options = config(base)
    options["urls"]["api"]["ws"] = {"linear": base.replace("http", "ws", 1) + "/ws"}
    options["options"] |= {"fetchCurrencies": False, "fetchMargins": False}
    return pro.binanceusdm(options)


async def same_book(base: str, exchange: Any) -> None:
    """The watched book is the venue's, at every update id that both were seen at. Raises AssertionError."""
    compared = 0
    async with aiohttp.ClientSession() as session:
        for _ in range(300):
            watch = asyncio.ensure_future(exchange.watch_order_book(PERP))
            async with session.get(f"{base}/sim/book?symbol=BTCUSDT&limit=1000") as answer:
                truth = await answer.json()
            await asyncio.wait([watch], timeout=0.05)
            watch.cancel()
            book = exchange.orderbooks.get(PERP)
            if book is None or book["nonce"] != truth["lastUpdateId"]:
                continue
            compared += 1
            for side in ("bids", "asks"):
                true = [[float(price), float(qty)] for price, qty in truth[side]][:500]
                assert [list(level[:2]) for level in book[side]][:500] == true, f"{side} differ at {book['nonce']}"
    assert compared >= 10, f"only {compared} books could be compared"


async def trade(exchange: Any, until: asyncio.Event) -> None:
    """Orders for the account's streams to tell of. Something is always held: ccxt's test knows no flat position."""
    price = (await exchange.fetch_ticker(PERP))["last"]
    size = exchange.amount_to_precision(PERP, 300 / price)
    await exchange.create_order(PERP, "market", "buy", size)
    while not until.is_set():
        await exchange.create_order(PERP, "market", "buy", size)
        far = exchange.price_to_precision(PERP, price * 0.97)
        order = await exchange.create_order(PERP, "limit", "buy", size, far)
        await exchange.cancel_order(order["id"], PERP)
        await exchange.create_order(PERP, "market", "sell", size, None, {"reduceOnly": True})
        with suppress(TimeoutError):
            await asyncio.wait_for(until.wait(), 1.0)
    await exchange.create_order(PERP, "market", "sell", size, None, {"reduceOnly": True})


async def balance(exchange: Any, done: asyncio.Event) -> None:
    """The watched wallet is the asked one. (ccxt's own test wants `free`, which ACCOUNT_UPDATE does not hold.)"""
    watched: list[float] = []

    async def watch() -> None:
        while True:
            watched.append((await exchange.watch_balance())["USDT"]["total"])

    watching = asyncio.ensure_future(watch())
    await done.wait()
    await asyncio.sleep(2)
    watching.cancel()
    asked = (await exchange.fetch_balance())["USDT"]["total"]
    assert len(watched) >= 3, f"heard {watched}"
    assert watched[-1] == asked, f"watched {watched[-1]}, asked {asked}"


async def own_test(exchange: Any, name: str, arguments: list[Any]) -> None:
    """One of ccxt's own tests."""
    module = importlib.import_module(f"ccxt.pro.test.Exchange.test_{name}")
    await getattr(module, f"test_{name}")(exchange, KNOWN.get(name, {}), *arguments)


async def main() -> None:
    """The market's streams first, then the account's while it trades."""
    tally, base = Tally("ccxt.pro"), address()
    exchange = client(base)
    try:
        await exchange.load_markets()
        await exchange.load_time_difference()
        await tally.atry("watched book = /sim truth", partial(same_book, base, exchange))
        await asyncio.gather(*(
            tally.atry(f"test_{name}", partial(own_test, exchange, name, arguments)) for name, arguments in MARKET))
        done = asyncio.Event()
        trading = asyncio.ensure_future(trade(exchange, done))
        wallet = asyncio.ensure_future(tally.atry("watch_balance = fetch_balance", partial(balance, exchange, done)))
        await asyncio.gather(*(
            tally.atry(f"test_{name}", partial(own_test, exchange, name, arguments)) for name, arguments in ACCOUNT))
        done.set()
        await tally.atry("trading meanwhile", lambda: trading)
        await wallet
    finally:
        await exchange.close()
    tally.end()


if __name__ == "__main__":
    asyncio.run(main())
