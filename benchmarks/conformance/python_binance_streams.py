"""python-binance's futures sockets on a simulator: ``python -m benchmarks.conformance.python_binance_streams http://127.0.0.1:PORT``."""

import asyncio
from functools import partial
from typing import Any

from binance import AsyncClient, BinanceSocketManager  # type: ignore[import-not-found]

from benchmarks.conformance.tally import KEY, SECRET, Tally, address

#: method, arguments, the event that has to come
STREAMS: list[tuple[str, dict[str, Any], str]] = [
    ("aggtrade_futures_socket", {"symbol": "BTCUSDT"}, "aggTrade"),
    ("kline_futures_socket", {"symbol": "BTCUSDT"}, "continuous_kline"),
    ("futures_ticker_socket", {}, "24hrTicker"),
    ("symbol_mark_price_socket", {"symbol": "BTCUSDT"}, "markPriceUpdate"),
    ("all_mark_price_socket", {}, "markPriceUpdate"),
    ("symbol_ticker_futures_socket", {"symbol": "BTCUSDT"}, "bookTicker"),
    ("individual_symbol_ticker_futures_socket", {"symbol": "BTCUSDT"}, "24hrTicker"),
    ("all_ticker_futures_socket", {}, "bookTicker"),
    ("futures_multiplex_socket", {"streams": ["btcusdt@depth@100ms", "btcusdt@bookTicker"], "category": "public"}, ""),
    ("futures_depth_socket", {"symbol": "BTCUSDT"}, "depthUpdate")]


async def hear(manager: Any, name: str, arguments: dict[str, Any], event: str) -> None:
    """The first message of a socket."""
    async with getattr(manager, name)(**arguments) as socket:
        message = await asyncio.wait_for(socket.recv(), 10)
    body = message.get("data", message) if isinstance(message, dict) else message
    row = body[0] if isinstance(body, list) else body
    assert event in ("", row["e"]), f"{row.get('e')}: {str(message)[:200]}"


async def account(tally: Tally, manager: Any, client: Any) -> None:
    """The user's socket while the account trades."""
    heard: set[str] = set()
    async with manager.futures_user_socket() as socket:
        price = float((await client.futures_symbol_ticker(symbol="BTCUSDT"))["price"])
        size = round(300 / price, 3)
        for side in ("BUY", "SELL"):
            await client.futures_create_order(symbol="BTCUSDT", side=side, type="MARKET", quantity=size)
        try:
            while not {"ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "TRADE_LITE"} <= heard:
                message = await asyncio.wait_for(socket.recv(), 5)
                heard.add(message.get("data", message).get("e", ""))
        except TimeoutError:
            pass
    for event in ("ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "TRADE_LITE"):
        tally.note(f"futures_user_socket {event}", "" if event in heard else f"not heard; heard {sorted(heard)}")


async def main() -> None:
    """Every socket once."""
    tally, base = Tally("python-binance's sockets"), address()
    client = AsyncClient(KEY, SECRET)
    client.FUTURES_URL = base + "/fapi"
    client.FUTURES_DATA_URL = base + "/futures/data"
    manager = BinanceSocketManager(client)
    manager.FSTREAM_URL = base.replace("http", "ws", 1) + "/"
    try:
        for name, arguments, event in STREAMS:
            await tally.atry(name, partial(hear, manager, name, arguments, event))
        await account(tally, manager, client)
    finally:
        await client.close_connection()
    tally.end()


if __name__ == "__main__":
    asyncio.run(main())
