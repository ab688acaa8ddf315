"""Binance's own SDK (typed answers) on a simulator: ``python -m benchmarks.conformance.sdk_rest http://127.0.0.1:PORT``."""

from functools import partial
from typing import Any

from binance_common.configuration import ConfigurationRestAPI  # type: ignore[import-not-found]
from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import (  # type: ignore[import-not-found]
    DerivativesTradingUsdsFutures,
)

from benchmarks.conformance.tally import KEY, SECRET, Tally, address

S = {"symbol": "BTCUSDT"}
STAT = {**S, "period": "5m", "limit": 5}
KLINE = {"interval": "1m", "limit": 5}
MARKET: list[tuple[str, dict[str, Any]]] = [
    ("test_connectivity", {}), ("check_server_time", {}), ("exchange_information", {}),
    ("order_book", {**S, "limit": 20}), ("recent_trades_list", {**S, "limit": 5}),
    ("old_trades_lookup", {**S, "limit": 5}), ("compressed_aggregate_trades_list", {**S, "limit": 5}),
    ("kline_candlestick_data", {**S, **KLINE}),
    ("continuous_contract_kline_candlestick_data", {"pair": "BTCUSDT", "contract_type": "PERPETUAL", **KLINE}),
    ("index_price_kline_candlestick_data", {"pair": "BTCUSDT", **KLINE}),
    ("mark_price_kline_candlestick_data", {**S, **KLINE}), ("premium_index_kline_data", {**S, **KLINE}),
    ("mark_price", S), ("mark_price", {}), ("get_funding_rate_history", {**S, "limit": 5}),
    ("get_funding_rate_info", {}), ("ticker24hr_price_change_statistics", S),
    ("ticker24hr_price_change_statistics", {}), ("symbol_price_ticker", S), ("symbol_price_ticker", {}),
    ("symbol_price_ticker_v2", S), ("symbol_order_book_ticker", S), ("symbol_order_book_ticker", {}),
    ("open_interest", S), ("open_interest_statistics", STAT), ("top_trader_long_short_ratio_accounts", STAT),
    ("top_trader_long_short_ratio_positions", STAT), ("long_short_ratio", STAT), ("taker_buy_sell_volume", STAT),
    ("basis", {"pair": "BTCUSDT", "contract_type": "PERPETUAL", "period": "5m", "limit": 5}),
    ("query_index_price_constituents", S)]
ACCOUNT: list[tuple[str, dict[str, Any]]] = [
    ("account_information_v2", {}), ("account_information_v3", {}), ("futures_account_balance_v2", {}),
    ("futures_account_balance_v3", {}), ("futures_account_configuration", {}),
    ("futures_trading_quantitative_rules_indicators", {}), ("get_bnb_burn_status", {}),
    ("get_current_multi_assets_mode", {}), ("get_current_position_mode", {}), ("get_income_history", {}),
    ("notional_and_leverage_brackets", {}), ("query_user_rate_limit", {}), ("symbol_configuration", S),
    ("user_commission_rate", S), ("position_information_v2", S), ("position_information_v3", {}),
    ("position_adl_quantile_estimation", {}), ("account_trade_list", S), ("all_orders", S),
    ("current_all_open_orders", {}), ("users_force_orders", {}), ("current_all_algo_open_orders", {}),
    ("query_all_algo_orders", S), ("change_initial_leverage", {**S, "leverage": 7}),
    ("auto_cancel_all_open_orders", {**S, "countdown_time": 0}), ("cancel_all_open_orders", S),
    ("cancel_all_algo_open_orders", S), ("start_user_data_stream", {}), ("keepalive_user_data_stream", {}),
    ("close_user_data_stream", {})]


def trading(tally: Tally, ask: Any) -> None:
    """Orders from their placing to their end."""
    price = float(ask("symbol_price_ticker_v2", S).actual_instance.price)
    size = round(300 / price, 3)
    low, high = round(price * 0.97, 1), round(price * 1.1, 1)
    limit = {**S, "side": "BUY", "type": "LIMIT", "time_in_force": "GTC", "quantity": size, "price": low}
    tally.try_("test_order", lambda: ask("test_order", limit))
    order = tally.try_("new_order limit", lambda: ask("new_order", limit), lambda got: got.status == "NEW")
    if order is not None:
        one = {**S, "order_id": order.order_id}
        tally.try_("query_order", lambda: ask("query_order", one), lambda got: got.status == "NEW")
        tally.try_("query_current_open_order", lambda: ask("query_current_open_order", one))
        tally.try_("modify_order", lambda: ask(
            "modify_order", {**one, "side": "BUY", "quantity": size, "price": round(price * 0.96, 1)}))
        tally.try_("cancel_order", lambda: ask("cancel_order", one), lambda got: got.status == "CANCELED")
    tally.try_("new_order market", lambda: ask("new_order", {
        **S, "side": "BUY", "type": "MARKET", "quantity": size, "new_order_resp_type": "RESULT"}),
        lambda got: got.status == "FILLED")
    algo = tally.try_("new_algo_order", lambda: ask("new_algo_order", {
        **S, "algo_type": "CONDITIONAL", "side": "SELL", "type": "TAKE_PROFIT_MARKET", "quantity": size,
        "trigger_price": high, "reduce_only": "true"}), lambda got: got.algo_status == "NEW")
    if algo is not None:
        tally.try_("query_algo_order", lambda: ask("query_algo_order", {"algo_id": algo.algo_id}))
        tally.try_("cancel_algo_order", lambda: ask("cancel_algo_order", {"algo_id": algo.algo_id}))
    tally.try_("position_information_v3 held", lambda: ask("position_information_v3", S), lambda got: len(got) == 1)
    tally.try_("new_order close", lambda: ask("new_order", {
        **S, "side": "SELL", "type": "MARKET", "quantity": size, "reduce_only": "true"}))
    tally.try_("account_trade_list", lambda: ask("account_trade_list", S), lambda got: len(got) >= 2)
    tally.try_("get_income_history", lambda: ask("get_income_history", {"limit": 100}), lambda got: len(got) >= 2)


def main() -> None:
    """Every call."""
    tally = Tally("binance-sdk")
    client = DerivativesTradingUsdsFutures(config_rest_api=ConfigurationRestAPI(
        api_key=KEY, api_secret=SECRET, base_path=address(), retries=0))

    def ask(name: str, values: dict[str, Any]) -> Any:
        return getattr(client.rest_api, name)(**values).data()

    for name, values in MARKET + ACCOUNT:
        tally.try_(f"{name} {' '.join(str(value) for value in values.values())}".strip(),
                   partial(ask, name, values))
    trading(tally, ask)
    tally.end()


if __name__ == "__main__":
    main()
