"""What ccxt is asked of every simulated venue of perpetual contracts; a venue's own program adds what only it has."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from benchmarks.conformance.tally import Tally, address

PERP, OTHER = "BTC/USDT:USDT", "ETH/USDT:USDT"
CONTRACTS = 20
Part = Callable[[Tally, Any], Awaitable[None]]


async def market(tally: Tally, client: Any, depth: int) -> int:
    """Market data, a book of so many levels; the venue's time in ms."""
    now: int = await tally.atry("fetch_time", client.fetch_time, lambda ms: ms > 1_600_000_000_000)
    await tally.atry("fetch_ticker", lambda: client.fetch_ticker(PERP), lambda row: row["bid"] < row["ask"])
    await tally.atry("fetch_tickers", client.fetch_tickers, lambda rows: len(rows) == CONTRACTS)
    await tally.atry("fetch_tickers([1])", lambda: client.fetch_tickers([PERP]), lambda rows: list(rows) == [PERP])
    await tally.atry("fetch_ohlcv 1m 1000", lambda: client.fetch_ohlcv(PERP, "1m", None, 1000),
                     lambda rows: len(rows) == 1000 and rows[1][0] - rows[0][0] == 60_000)
    await tally.atry("fetch_ohlcv 1d", lambda: client.fetch_ohlcv(PERP, "1d", None, 30), lambda rows: len(rows) == 30)
    await tally.atry("fetch_mark_ohlcv", lambda: client.fetch_mark_ohlcv(PERP, "1m"), lambda rows: len(rows) > 50)
    await tally.atry("fetch_index_ohlcv", lambda: client.fetch_index_ohlcv(PERP, "1m"), lambda rows: len(rows) > 50)
    await tally.atry("fetch_order_book", lambda: client.fetch_order_book(PERP, depth),
                     lambda book: len(book["bids"]) == depth and book["bids"][0][0] < book["asks"][0][0])
    await tally.atry("fetch_trades", lambda: client.fetch_trades(PERP, None, 100), lambda rows: len(rows) >= 1)
    await tally.atry("fetch_funding_rate", lambda: client.fetch_funding_rate(PERP),
                     lambda row: row["fundingRate"] is not None)
    await tally.atry("fetch_funding_rates", client.fetch_funding_rates, lambda rows: len(rows) == CONTRACTS)
    await tally.atry("fetch_funding_rate_history", lambda: client.fetch_funding_rate_history(PERP, None, 100),
                     lambda rows: len(rows) == 100 and rows[0]["timestamp"] < rows[-1]["timestamp"])
    await tally.atry("fetch_open_interest", lambda: client.fetch_open_interest(PERP),
                     lambda row: row["openInterestAmount"] > 0)
    return now


async def run(name: str, client_at: Callable[[str], Any], parts: Sequence[Part],
              keys: Callable[[Tally, str], Awaitable[None]]) -> None:
    """All parts with one client, then `keys`, which makes clients of its own; ends the program."""
    tally, base = Tally(name), address()
    client = client_at(base)
    try:
        await tally.atry("load_markets", client.load_markets, lambda rows: len(rows) == CONTRACTS)
        for part in parts:
            await part(tally, client)
        await keys(tally, base)
    finally:
        await client.close()
    tally.end()
