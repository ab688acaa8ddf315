"""python-binance on a simulator: ``python -m benchmarks.conformance.python_binance_rest http://127.0.0.1:PORT``."""

from functools import partial
from typing import Any

from binance.client import Client  # type: ignore[import-not-found]
from binance.exceptions import BinanceAPIException  # type: ignore[import-not-found]

from benchmarks.conformance.tally import KEY, SECRET, Tally, address

S = {"symbol": "BTCUSDT"}
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("futures_ping", {}), ("futures_time", {}), ("futures_exchange_info", {}), ("futures_order_book", S),
    ("futures_recent_trades", S), ("futures_historical_trades", S), ("futures_aggregate_trades", S),
    ("futures_klines", {**S, "interval": "1m"}), ("futures_mark_price_klines", {**S, "interval": "1h"}),
    ("futures_index_price_klines", {"pair": "BTCUSDT", "interval": "1h"}),
    ("futures_premium_index_klines", {**S, "interval": "1h"}),
    ("futures_continuous_klines", {"pair": "BTCUSDT", "contractType": "PERPETUAL", "interval": "1h"}),
    ("futures_mark_price", {}), ("futures_funding_rate", S),
    ("futures_top_longshort_account_ratio", {**S, "period": "5m"}),
    ("futures_top_longshort_position_ratio", {**S, "period": "5m"}),
    ("futures_global_longshort_ratio", {**S, "period": "5m"}), ("futures_taker_longshort_ratio", {**S, "period": "5m"}),
    ("futures_basis", {"pair": "BTCUSDT", "contractType": "PERPETUAL", "period": "5m"}), ("futures_ticker", {}),
    ("futures_symbol_ticker", S), ("futures_orderbook_ticker", S), ("futures_index_price_constituents", S),
    ("futures_liquidation_orders", {}), ("futures_api_trading_status", {}), ("futures_commission_rate", S),
    ("futures_adl_quantile_estimate", {}), ("futures_open_interest", S),
    ("futures_open_interest_hist", {**S, "period": "5m"}), ("futures_leverage_bracket", {}),
    ("futures_account_balance", {}), ("futures_account", {}), ("futures_change_leverage", {**S, "leverage": 9}),
    ("futures_position_information", S), ("futures_account_trades", S), ("futures_income_history", {}),
    ("futures_get_position_mode", {}), ("futures_get_multi_assets_mode", {}), ("futures_account_config", {}),
    ("futures_symbol_config", S), ("futures_get_open_orders", {}), ("futures_get_all_orders", S),
    ("futures_get_open_algo_orders", {}), ("futures_get_all_algo_orders", S),
    ("futures_countdown_cancel_all", {**S, "countdownTime": 0}), ("futures_v1_get_funding_info", {}),
    ("futures_v1_get_rate_limit_order", {})]


def trading(tally: Tally, client: Any) -> None:
    """Orders from their placing to their end."""
    price = float(client.futures_symbol_ticker(**S)["price"])
    size = round(300 / price, 3)
    low = round(price * 0.97, 1)
    limit = {**S, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": size, "price": low}
    tally.try_("futures_create_test_order", lambda: client.futures_create_test_order(**limit))
    order = tally.try_("futures_create_order", lambda: client.futures_create_order(**limit),
                       lambda got: got["status"] == "NEW")
    if order is not None:
        one = {**S, "orderId": order["orderId"]}
        tally.try_("futures_get_order", lambda: client.futures_get_order(**one))
        tally.try_("futures_modify_order", lambda: client.futures_modify_order(
            **one, side="BUY", quantity=size, price=round(price * 0.96, 1)))
        tally.try_("futures_cancel_order", lambda: client.futures_cancel_order(**one),
                   lambda got: got["status"] == "CANCELED")
    tally.try_("futures_place_batch_order", lambda: client.futures_place_batch_order(
        batchOrders=[{**limit, "quantity": str(size), "price": str(low)} for _ in range(2)]),
        lambda got: all("orderId" in row for row in got))
    tally.try_("futures_cancel_all_open_orders", lambda: client.futures_cancel_all_open_orders(**S))
    tally.try_("market buy", lambda: client.futures_create_order(
        **S, side="BUY", type="MARKET", quantity=size, newOrderRespType="RESULT"),
        lambda got: got["status"] == "FILLED")
    tally.try_("stop market goes to the algo path", lambda: client.futures_create_order(
        **S, side="SELL", type="STOP_MARKET", triggerPrice=round(price * 0.9, 1), closePosition="true"),
        lambda got: "algoId" in got)
    tally.try_("futures_cancel_all_algo_open_orders", lambda: client.futures_cancel_all_algo_open_orders(**S))
    tally.try_("market sell", lambda: client.futures_create_order(
        **S, side="SELL", type="MARKET", quantity=size, reduceOnly="true"))
    key = tally.try_("futures_stream_get_listen_key", client.futures_stream_get_listen_key)
    tally.try_("futures_stream_keepalive", lambda: client.futures_stream_keepalive(key))
    tally.try_("futures_stream_close", lambda: client.futures_stream_close(key))
    try:
        client.futures_get_order(**S, orderId=1)
        tally.note("an unknown order is refused", "it was not")
    except BinanceAPIException as problem:
        tally.note("an unknown order is refused", "" if problem.code == -2013 else str(problem))


def main() -> None:
    """Every call."""
    tally, base = Tally("python-binance"), address()
    client = Client(KEY, SECRET, ping=False)
    client.FUTURES_URL, client.FUTURES_DATA_URL = f"{base}/fapi", f"{base}/futures/data"
    for name, values in CALLS:
        tally.try_(name, partial(getattr(client, name), **values))
    trading(tally, client)
    tally.end()


if __name__ == "__main__":
    main()
