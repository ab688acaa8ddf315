"""ccxt.pro's own bitget on a simulator's sockets: every channel that it watches, checksums on."""

import asyncio
from functools import partial
from typing import Any

import ccxt.pro as ccxt

from benchmarks.conformance.bitget_at import config
from benchmarks.conformance.tally import Tally, address

PERP, OTHER = "BTC/USDT:USDT", "ETH/USDT:USDT"


def _within(limit: int, book: Any) -> bool:
    return 1 <= len(book["bids"]) <= limit


async def books(tally: Tally, client: Any) -> None:
    """Fifty frames of the checked book, and the partial ones."""
    for _ in range(50):
        book = await client.watch_order_book(PERP)
    tally.note("watch_order_book x50, checksums", "" if book["bids"][0][0] < book["asks"][0][0] else "crossed")
    for limit in (1, 5, 15):
        fresh = ccxt.bitget(config(address()))
        await tally.atry(
            f"watch_order_book limit={limit}", partial(fresh.watch_order_book, PERP, limit), partial(_within, limit))
        await fresh.close()


async def market(tally: Tally, client: Any) -> None:
    """Public channels."""
    await tally.atry("watch_ticker", lambda: client.watch_ticker(PERP),
                     lambda row: row["last"] > 0 and row["markPrice"])
    await tally.atry("watch_tickers", lambda: client.watch_tickers([PERP, OTHER]), lambda rows: len(rows) >= 1)
    await tally.atry("watch_bids_asks", lambda: client.watch_bids_asks([PERP]), lambda rows: rows[PERP]["bid"] > 0)
    await tally.atry("watch_trades", lambda: client.watch_trades(PERP), lambda rows: rows[-1]["price"] > 0)
    await tally.atry("watch_ohlcv 1m", lambda: client.watch_ohlcv(PERP, "1m"), lambda rows: len(rows) >= 1)
    await tally.atry("watch_ohlcv 1h", lambda: client.watch_ohlcv(PERP, "1h"), lambda rows: len(rows) >= 1)
    await books(tally, client)
    await tally.atry("un_watch_order_book", lambda: client.un_watch_order_book(PERP))
    await tally.atry("un_watch_ticker", lambda: client.un_watch_ticker(PERP))


async def account(tally: Tally, client: Any) -> None:
    """Private channels, heard while an order is filled and its position closed."""
    await tally.atry("watch_balance", client.watch_balance, lambda row: row["USDT"]["total"] > 0)
    heard = {name: asyncio.ensure_future(getattr(client, name)())
             for name in ("watch_orders", "watch_my_trades", "watch_positions")}
    plans = asyncio.ensure_future(client.watch_orders(PERP, None, None, {"trigger": True}))
    await asyncio.sleep(1.5)
    await client.create_order(PERP, "market", "buy", 0.01)
    for name, task in heard.items():
        await tally.atry(name, partial(asyncio.wait_for, task, 20), lambda rows: isinstance(rows, list))
    await client.create_order(PERP, "limit", "buy", 0.01, 40000, {"triggerPrice": 50000})
    await tally.atry("watch_orders trigger", lambda: plans, lambda rows: rows[-1]["triggerPrice"] == 50000)
    await client.cancel_all_orders(PERP, {"trigger": True})
    closing = asyncio.ensure_future(client.watch_orders(PERP))
    await client.close_position(PERP)
    await tally.atry("watch_orders(symbol) while closing", lambda: closing, lambda rows: rows[-1]["symbol"] == PERP)


async def main() -> None:
    """All channels."""
    tally = Tally("ccxt.pro.bitget")
    client = ccxt.bitget(config(address()))
    try:
        await client.load_markets()
        await market(tally, client)
        await account(tally, client)
        wrong = ccxt.bitget({**config(address()), "secret": "wrong"})
        await tally.refused("login with a wrong secret", wrong.watch_orders, ccxt.AuthenticationError, "30015")
        await wrong.close()
    finally:
        await client.close()
    tally.end()


if __name__ == "__main__":
    asyncio.run(main())
