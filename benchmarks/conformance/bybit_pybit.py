"""pybit, Bybit's own client for Python, on a simulator: REST by its `endpoint`, sockets by its URLs."""

import threading
import time
from typing import Any

from pybit import _http_manager, unified_trading
from pybit.exceptions import InvalidRequestError

from benchmarks.conformance.tally import KEY, SECRET, Tally, address

LINEAR = {"category": "linear"}
BTC = {**LINEAR, "symbol": "BTCUSDT"}


def session(base: str, secret: str = SECRET) -> Any:
    """A client of the REST API."""
    client = unified_trading.HTTP(api_key=KEY, api_secret=secret)
    client.endpoint = base
    return client


def rows(answer: Any) -> list[Any]:
    """An answer's list."""
    assert answer["retCode"] == 0
    found: list[Any] = answer["result"]["list"]
    return found


def market(tally: Tally, client: Any) -> None:
    """Market data."""
    tally.try_("get_server_time", client.get_server_time, lambda one: int(one["result"]["timeSecond"]) > 1_600_000_000)
    tally.try_("get_instruments_info", lambda: client.get_instruments_info(**LINEAR), lambda one: len(rows(one)) == 20)
    tally.try_("get_tickers", lambda: client.get_tickers(**BTC), lambda one: float(rows(one)[0]["lastPrice"]) > 0)
    tally.try_("get_orderbook", lambda: client.get_orderbook(**BTC, limit=50),
               lambda one: len(one["result"]["b"]) == 50)
    tally.try_("get_kline", lambda: client.get_kline(**BTC, interval=5, limit=200), lambda one: len(rows(one)) == 200)
    tally.try_("get_mark_price_kline", lambda: client.get_mark_price_kline(**BTC, interval=60),
               lambda one: rows(one) != [])
    end = time.monotonic() + 30
    while not rows(client.get_public_trade_history(**BTC)) and time.monotonic() < end:  # a fresh market has none yet
        time.sleep(0.2)
    tally.try_("get_public_trade_history", lambda: client.get_public_trade_history(**BTC), lambda one: rows(one) != [])
    tally.try_("get_funding_rate_history", lambda: client.get_funding_rate_history(**BTC),
               lambda one: len(rows(one)) == 200)
    tally.try_("get_open_interest", lambda: client.get_open_interest(**BTC, intervalTime="5min"),
               lambda one: len(rows(one)) == 50)
    tally.try_("get_risk_limit", lambda: client.get_risk_limit(**BTC),
               lambda one: float(rows(one)[0]["maxLeverage"]) > 1)


def refused(tally: Tally, name: str, call: Any, code: int) -> None:
    """A call that has to be refused with this code."""
    try:
        call()
    except InvalidRequestError as problem:
        tally.note(name, "" if problem.status_code == code else f"refused with {problem.status_code}")
    else:
        tally.note(name, "was not refused")


def trading(tally: Tally, client: Any) -> None:
    """Orders, conditional ones, positions, settings, money."""
    buy = {**BTC, "side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "60000", "orderLinkId": "py-1"}
    placed = tally.try_("place_order", lambda: client.place_order(**buy),
                        lambda one: one["result"]["orderLinkId"] == "py-1")
    refused(tally, "place_order with the same orderLinkId", lambda: client.place_order(**buy), 110072)
    tally.try_("get_open_orders", lambda: client.get_open_orders(**BTC),
               lambda one: rows(one)[0]["orderId"] == placed["result"]["orderId"])
    tally.try_("amend_order", lambda: client.amend_order(**BTC, orderLinkId="py-1", price="59900"))
    tally.try_("get_open_orders by orderLinkId", lambda: client.get_open_orders(**BTC, orderLinkId="py-1"),
               lambda one: rows(one)[0]["price"] == "59900")
    tally.try_("cancel_order", lambda: client.cancel_order(**BTC, orderLinkId="py-1"))
    refused(tally, "cancel_order again", lambda: client.cancel_order(**BTC, orderLinkId="py-1"), 110001)
    tally.try_("get_order_history", lambda: client.get_order_history(**BTC, orderLinkId="py-1"),
               lambda one: rows(one)[0]["orderStatus"] == "Cancelled")
    tally.try_("place_order at market", lambda: client.place_order(**BTC, side="Buy", orderType="Market", qty="0.02"))
    tally.try_("place_order, conditional", lambda: client.place_order(
        **BTC, side="Sell", orderType="Market", qty="0", triggerPrice="50000", triggerDirection=2,
        triggerBy="MarkPrice", reduceOnly=True, closeOnTrigger=True, orderLinkId="py-stop"))
    tally.try_("get_open_orders, conditional", lambda: client.get_open_orders(**BTC, orderFilter="StopOrder"),
               lambda one: [row["orderStatus"] for row in rows(one)] == ["Untriggered"])
    tally.try_("get_positions", lambda: client.get_positions(**BTC), lambda one: rows(one)[0]["size"] == "0.02")
    tally.try_("get_executions", lambda: client.get_executions(**BTC), lambda one: rows(one)[0]["execType"] == "Trade")
    tally.try_("get_wallet_balance", lambda: client.get_wallet_balance(accountType="UNIFIED"),
               lambda one: float(rows(one)[0]["coin"][0]["walletBalance"]) > 9_000)
    tally.try_("get_account_info", client.get_account_info, lambda one: one["result"]["marginMode"] == "REGULAR_MARGIN")
    tally.try_("get_transaction_log", lambda: client.get_transaction_log(accountType="UNIFIED"),
               lambda one: rows(one)[0]["type"] == "TRADE")
    tally.try_("set_leverage", lambda: client.set_leverage(**BTC, buyLeverage="7", sellLeverage="7"))
    refused(tally, "set_leverage again", lambda: client.set_leverage(**BTC, buyLeverage="7", sellLeverage="7"), 110043)
    refused(tally, "switch_position_mode with a position", lambda: client.switch_position_mode(
        **LINEAR, coin="USDT", mode=3), 110028)
    tally.try_("cancel_all_orders", lambda: client.cancel_all_orders(**BTC), lambda one: len(rows(one)) == 1)
    tally.try_("close it", lambda: client.place_order(**BTC, side="Sell", orderType="Market", qty="1", reduceOnly=True))
    tally.try_("switch_position_mode", lambda: client.switch_position_mode(**LINEAR, coin="USDT", mode=3))
    tally.try_("… two legs", lambda: client.get_positions(**BTC),
               lambda one: [row["positionIdx"] for row in rows(one)] == [1, 2])


def streams(tally: Tally, base: str, client: Any) -> None:
    """Public and private sockets."""
    sockets = base.replace("http", "ws", 1)
    unified_trading.PUBLIC_WSS = unified_trading.PRIVATE_WSS = ""
    heard: dict[str, list[Any]] = {}
    come = threading.Condition()

    def hear(message: Any) -> None:
        with come:
            heard.setdefault(message["topic"].partition(".")[0], []).append(message)
            come.notify_all()

    def wait(name: str, count: int = 1) -> None:
        with come:
            ok = come.wait_for(lambda: len(heard.get(name, [])) >= count, 30)
        tally.note(f"stream {name}", "" if ok else "nothing came")

    def opened(channel: str) -> Any:
        unified_trading.PUBLIC_WSS = f"{sockets}/v5/public/{{CHANNEL_TYPE}}"
        unified_trading.PRIVATE_WSS = f"{sockets}/v5/private"
        keys = {"api_key": KEY, "api_secret": SECRET} if channel == "private" else {}
        return unified_trading.WebSocket(testnet=False, channel_type=channel, private_auth_expire=30, **keys)

    public = opened("linear")
    public.orderbook_stream(50, "BTCUSDT", hear)
    public.trade_stream("BTCUSDT", hear)
    public.ticker_stream("BTCUSDT", hear)
    public.kline_stream(1, "BTCUSDT", hear)
    for name, count in (("orderbook", 20), ("publicTrade", 2), ("tickers", 3), ("kline", 2)):
        wait(name, count)
    private = opened("private")
    for subscribe in (private.order_stream, private.execution_stream, private.position_stream, private.wallet_stream):
        subscribe(hear)
    time.sleep(1.5)
    client.place_order(**BTC, side="Buy", orderType="Market", qty="0.01", positionIdx=1)
    for name in ("order", "execution", "position", "wallet"):
        wait(name)
    client.place_order(**BTC, side="Sell", orderType="Market", qty="0.01", positionIdx=1, reduceOnly=True)
    public.exit()
    private.exit()


def main() -> None:
    """All of it."""
    assert _http_manager is not None
    tally, base = Tally("pybit"), address()
    client = session(base)
    market(tally, client)
    trading(tally, client)
    wrong = session(base, "wrong")
    refused(tally, "a wrong secret", lambda: wrong.get_positions(**BTC), 10004)
    streams(tally, base, client)
    tally.end()


if __name__ == "__main__":
    main()
