"""ccxt.pro's own bybit on a simulator's sockets: every topic that it watches."""

import asyncio
from functools import partial
from typing import Any

import ccxt.pro as ccxt

from benchmarks.conformance.bybit_at import config
from benchmarks.conformance.tally import Tally, address

PERP, OTHER = "BTC/USDT:USDT", "ETH/USDT:USDT"


def _within(limit: int, book: Any) -> bool:
    return 1 <= len(book["bids"]) <= limit


async def books(tally: Tally, client: Any) -> None:
    """Fifty frames of one book against the venue's, and the other depths."""
    for _ in range(50):
        book = await client.watch_order_book(PERP)
    tally.note("watch_order_book x50", "" if book["bids"][0][0] < book["asks"][0][0] else "crossed")
    tally.note("… in order", "" if sorted(book["bids"], reverse=True) == list(book["bids"]) else "not sorted")
    for limit in (1, 200, 1000):
        fresh = ccxt.bybit(config(address()))
        await tally.atry(
            f"watch_order_book limit={limit}", partial(fresh.watch_order_book, PERP, limit), partial(_within, limit))
        await fresh.close()


async def market(tally: Tally, client: Any) -> None:
    """Public topics."""
    await tally.atry("watch_ticker", lambda: client.watch_ticker(PERP), lambda row: row["last"] > 0)
    await tally.atry("watch_tickers", lambda: client.watch_tickers([PERP, OTHER]), lambda rows: len(rows) >= 1)
    await tally.atry("watch_bids_asks", lambda: client.watch_bids_asks([PERP]), lambda rows: rows[PERP]["bid"] > 0)
    await tally.atry("watch_trades", lambda: client.watch_trades(PERP), lambda rows: rows[-1]["price"] > 0)
    await tally.atry("watch_ohlcv 1m", lambda: client.watch_ohlcv(PERP, "1m"), lambda rows: len(rows) >= 1)
    await tally.atry("watch_ohlcv 1h", lambda: client.watch_ohlcv(PERP, "1h"), lambda rows: len(rows) >= 1)
    await books(tally, client)
    await tally.atry("un_watch_order_book", lambda: client.un_watch_order_book(PERP, {"limit": 50}))
    await tally.atry("un_watch_ticker", lambda: client.un_watch_ticker(PERP))


async def account(tally: Tally, client: Any) -> None:
    """Private topics, heard while an order is filled and its position closed."""
    heard = {name: asyncio.ensure_future(getattr(client, name)())
             for name in ("watch_orders", "watch_my_trades", "watch_positions", "watch_balance")}
    await asyncio.sleep(1.5)
    await client.create_order(PERP, "market", "buy", 0.01)
    for name, task in heard.items():
        await tally.atry(name, partial(asyncio.wait_for, task, 20), lambda rows: rows is not None)
    waiting = asyncio.ensure_future(client.watch_orders(PERP))
    stop = {"stopLossPrice": 50000, "reduceOnly": True}
    await client.create_order(PERP, "market", "sell", 0.01, None, stop)
    await tally.atry("watch_orders of a stop", lambda: waiting, lambda rows: rows[-1]["triggerPrice"] == 50000)
    await client.cancel_all_orders(PERP, {"trigger": True})
    closing = asyncio.ensure_future(client.watch_orders(PERP))
    await client.create_order(PERP, "market", "sell", 0.01, None, {"reduceOnly": True})
    await tally.atry("watch_orders(symbol) while closing", lambda: closing, lambda rows: rows[-1]["symbol"] == PERP)


async def main() -> None:
    """All topics."""
    tally = Tally("ccxt.pro.bybit")
    client = ccxt.bybit(config(address()))
    wrong = ccxt.bybit(config(address(), secret="wrong"))
    try:
        await client.load_markets()
        await market(tally, client)
        await account(tally, client)
        await tally.refused("a wrong secret", wrong.watch_orders, ccxt.BaseError, "")
    finally:
        await client.close()
        await wrong.close()
    tally.end()


if __name__ == "__main__":
    asyncio.run(main())
