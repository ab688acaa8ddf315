"""The streams of Binance's own SDK (typed) on a simulator: ``python -m benchmarks.conformance.sdk_streams http://127.0.0.1:PORT``."""

import asyncio
from functools import partial
from typing import Any

from binance_common.configuration import (  # type: ignore[import-not-found]
    ConfigurationRestAPI,
    ConfigurationWebSocketStreams,
)
from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import (  # type: ignore[import-not-found]
    DerivativesTradingUsdsFutures,
)

from benchmarks.conformance.tally import KEY, SECRET, Tally, address

S = {"symbol": "btcusdt"}
#: call, arguments, a field that has to be there (of the first row, where it is an array)
STREAMS: list[tuple[str, dict[str, Any], str]] = [
    ("aggregate_trade_streams", S, "a"), ("diff_book_depth_streams", {**S, "update_speed": "100ms"}, "pu"),
    ("partial_book_depth_streams", {**S, "levels": 5, "update_speed": "100ms"}, "pu"),
    ("individual_symbol_book_ticker_streams", S, "u"), ("all_book_tickers_stream", {}, "u"),
    ("kline_candlestick_streams", {**S, "interval": "1m"}, "k"),
    ("continuous_contract_kline_candlestick_streams",
     {"pair": "btcusdt", "contract_type": "perpetual", "interval": "1m"}, "k"),
    ("mark_price_stream", {**S, "update_speed": "1s"}, "p"),
    ("mark_price_stream_for_all_market", {"update_speed": "1s"}, "p"),
    ("individual_symbol_mini_ticker_stream", S, "c"), ("all_market_mini_tickers_stream", {}, "c"),
    ("individual_symbol_ticker_streams", S, "w"), ("all_market_tickers_streams", {}, "w")]


async def first(handle: Any) -> Any:
    """The first message of a stream, ten market seconds at most."""
    got: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def take(message: Any) -> None:
        if not got.done():
            got.set_result(message)

    handle.on("message", take)
    return await asyncio.wait_for(got, 10)


async def hear(connection: Any, name: str, arguments: dict[str, Any], field: str) -> None:
    """Subscribe, and look at the first message."""
    message = await first(await getattr(connection, name)(**arguments))
    if hasattr(message, "root"):
        message = message.root
    row = message[0] if isinstance(message, list) else message
    value = row.get(field) if isinstance(row, dict) else getattr(row, field, None)
    assert value is not None, f"no {field} in {str(message)[:200]}"
    odd = getattr(row, "additional_properties", {})
    assert set(odd) <= {"X"}, f"fields the SDK does not know: {sorted(odd)}"


async def account(tally: Tally, client: Any, connection: Any) -> None:
    """The user stream while the account trades."""
    key = client.rest_api.start_user_data_stream().data().listen_key
    heard: list[Any] = []
    handle = await connection.user_data(key)
    handle.on("message", heard.append)
    ask = client.rest_api
    price = float(ask.symbol_price_ticker_v2(symbol="BTCUSDT").data().actual_instance.price)
    size = round(300 / price, 3)
    for side in ("BUY", "SELL"):
        ask.new_order(symbol="BTCUSDT", side=side, type="MARKET", quantity=size)
    ask.change_initial_leverage(symbol="BTCUSDT", leverage=9)
    await asyncio.sleep(2)
    kinds = [getattr(getattr(event, "actual_instance", event), "e", None) or type(
        getattr(event, "actual_instance", event)).__name__ for event in heard]
    for kind in ("ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "TRADE_LITE", "ACCOUNT_CONFIG_UPDATE"):
        said = any(kind.replace("_", "").lower() in str(one).replace("_", "").lower() for one in kinds)
        tally.note(f"user_data {kind}", "" if said else f"not heard; heard {kinds}")


async def main() -> None:
    """Every stream once."""
    tally, base = Tally("the SDK's streams"), address()
    client = DerivativesTradingUsdsFutures(
        config_rest_api=ConfigurationRestAPI(api_key=KEY, api_secret=SECRET, base_path=base),
        config_ws_streams=ConfigurationWebSocketStreams(stream_url=base.replace("http", "ws", 1)))
    connection = await client.websocket_streams.create_connection()
    try:
        for name, arguments, field in STREAMS:
            await tally.atry(name, partial(hear, connection, name, arguments, field))
        await account(tally, client, connection)
    finally:
        await connection.close_connection(close_session=True)
    tally.end()


if __name__ == "__main__":
    asyncio.run(main())
