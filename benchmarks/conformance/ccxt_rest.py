"""ccxt.binanceusdm, unmodified: every call of the wire's listing, on a simulator.

``python -m benchmarks.conformance.ccxt_rest http://127.0.0.1:PORT``
"""

import asyncio
from functools import partial
from typing import Any

import ccxt.async_support as ccxt

from benchmarks.conformance.ccxt_at import config
from benchmarks.conformance.tally import Tally, address

PERP = "BTC/USDT:USDT"
OTHER = "ETH/USDT:USDT"


async def public(tally: Tally, client: Any) -> None:
    """Calls without keys."""
    markets = await tally.atry("load_markets", client.load_markets, lambda got: PERP in got)
    if markets:
        market = markets[PERP]
        tally.try_("market's limits", lambda: market["limits"]["amount"]["min"], lambda least: least > 0)
    await tally.atry("fetch_time", client.fetch_time, lambda ms: ms > 1.6e12)
    await tally.atry("fetch_status", client.fetch_status)
    await tally.atry("fetch_tickers", client.fetch_tickers, lambda got: len(got) > 1)
    await tally.atry("fetch_tickers of one", lambda: client.fetch_tickers([PERP]), lambda got: list(got) == [PERP])
    await tally.atry("fetch_ticker", lambda: client.fetch_ticker(PERP), lambda got: got["last"] > 0)
    await tally.atry("fetch_bids_asks", lambda: client.fetch_bids_asks([PERP]), lambda got: got[PERP]["ask"] > 0)
    await tally.atry("fetch_last_prices", lambda: client.fetch_last_prices([PERP]))
    await tally.atry("fetch_mark_price", lambda: client.fetch_mark_price(PERP), lambda got: got["markPrice"] > 0)
    await tally.atry("fetch_mark_prices", lambda: client.fetch_mark_prices([PERP]))
    rows = await tally.atry("fetch_ohlcv 1m 1000", lambda: client.fetch_ohlcv(PERP, "1m", None, 1000),
                            lambda got: len(got) == 1000)
    if rows:
        tally.try_("candles are whole minutes in order",
                   lambda: all(b[0] - a[0] == 60_000 for a, b in zip(rows, rows[1:], strict=False)), lambda ok: ok)
        since = rows[0][0]
        await tally.atry("fetch_ohlcv 5m since", lambda: client.fetch_ohlcv(PERP, "5m", since, 200),
                         lambda got: got[0][0] >= since)
    for kind in ("mark", "index", "premiumIndex"):
        await tally.atry(f"fetch_ohlcv {kind}", partial(client.fetch_ohlcv, PERP, "1h", None, 50, {"price": kind}),
                         lambda got: len(got) == 50)
    await tally.atry("fetch_order_book 20", lambda: client.fetch_order_book(PERP, 20),
                     lambda got: len(got["bids"]) == 20 and got["bids"][0][0] < got["asks"][0][0])
    await tally.atry("fetch_trades 100", lambda: client.fetch_trades(PERP, None, 100), lambda got: len(got) > 0)
    await tally.atry("fetch_trades single", lambda: client.fetch_trades(
        PERP, None, 100, {"fetchTradesMethod": "fapiPublicGetTrades"}), lambda got: len(got) > 0)
    await tally.atry("fetch_funding_rate", lambda: client.fetch_funding_rate(PERP),
                     lambda got: abs(got["fundingRate"]) < 0.05)
    await tally.atry("fetch_funding_rates", client.fetch_funding_rates, lambda got: len(got) > 1)
    await tally.atry("fetch_funding_intervals", client.fetch_funding_intervals, lambda got: got[PERP]["interval"])
    await tally.atry("fetch_funding_rate_history", lambda: client.fetch_funding_rate_history(PERP, None, 100),
                     lambda got: len(got) == 100)
    await tally.atry("fetch_open_interest", lambda: client.fetch_open_interest(PERP),
                     lambda got: got["openInterestAmount"] > 0)
    await tally.atry("fetch_open_interest_history", lambda: client.fetch_open_interest_history(PERP, "5m", None, 10),
                     lambda got: len(got) == 10)
    await tally.atry("fetch_long_short_ratio_history", lambda: client.fetch_long_short_ratio_history(
        PERP, "5m", None, 10), lambda got: len(got) == 10)
    for name in ("topLongShortAccountRatio", "topLongShortPositionRatio", "takerlongshortRatio"):
        call = getattr(client, "fapidata_get_" + name.lower())
        await tally.atry(name, partial(call, {"symbol": "BTCUSDT", "period": "15m", "limit": 5}),
                         lambda got: len(got) == 5)
    await tally.atry("basis", lambda: client.fapidata_get_basis(
        {"pair": "BTCUSDT", "contractType": "PERPETUAL", "period": "5m", "limit": 5}), lambda got: len(got) == 5)


async def settings(tally: Tally, client: Any) -> None:
    """An account's settings."""
    await tally.atry("fetch_position_mode", lambda: client.fetch_position_mode(PERP), lambda got: not got["hedged"])
    await tally.refused("set_position_mode as it is", lambda: client.set_position_mode(False),
                        ccxt.ExchangeError, "-4059")
    await tally.atry("set_leverage", lambda: client.set_leverage(10, PERP), lambda got: got["leverage"] in (10, "10"))
    await tally.refused("set_leverage too high", lambda: client.set_leverage(125, "XRP/USDT:USDT")
                        if "XRP/USDT:USDT" in client.markets else client.set_leverage(126, PERP), ccxt.BaseError, "")
    await tally.atry("set_margin_mode isolated", lambda: client.set_margin_mode("isolated", OTHER))
    await tally.refused("set_margin_mode again", lambda: client.set_margin_mode("isolated", OTHER),
                        ccxt.MarginModeAlreadySet, "-4046")
    await tally.atry("set_margin_mode cross", lambda: client.set_margin_mode("cross", OTHER))
    await tally.atry("fetch_leverages", lambda: client.fetch_leverages([PERP]), lambda got: got[PERP]["longLeverage"])
    await tally.atry("fetch_margin_modes", lambda: client.fetch_margin_modes([PERP]), lambda got: PERP in got)
    await tally.atry("fetch_leverage_tiers", client.fetch_leverage_tiers, lambda got: len(got[PERP]) > 2)
    await tally.atry("fetch_trading_fee", lambda: client.fetch_trading_fee(PERP), lambda got: got["taker"] > 0)
    await tally.atry("fetch_trading_fees", client.fetch_trading_fees, lambda got: PERP in got)


async def trading(tally: Tally, client: Any) -> None:
    """Orders and positions."""
    price = (await client.fetch_ticker(PERP))["last"]
    size = client.amount_to_precision(PERP, 300 / price)
    low = client.price_to_precision(PERP, price * 0.97)
    await tally.atry("fetch_balance", client.fetch_balance, lambda got: got["USDT"]["free"] > 0)
    bought = await tally.atry("market buy", lambda: client.create_order(PERP, "market", "buy", size),
                              lambda got: got["status"] == "closed" and got["average"] > 0)
    order = await tally.atry("limit buy with own id", lambda: client.create_order(
        PERP, "limit", "buy", size, low, {"clientOrderId": "mybot-1"}),
        lambda got: got["status"] == "open" and got["clientOrderId"] == "mybot-1")
    await tally.refused("own id again", lambda: client.create_order(
        PERP, "limit", "buy", size, low, {"clientOrderId": "mybot-1"}), ccxt.BaseError, "-4116")
    await tally.atry("limit buy post-only", lambda: client.create_order(
        PERP, "limit", "buy", size, low, {"postOnly": True}), lambda got: got["timeInForce"] == "PO")
    await tally.refused("post-only that would take", lambda: client.create_order(
        PERP, "limit", "buy", size, client.price_to_precision(PERP, price * 1.02), {"postOnly": True}),
        ccxt.BaseError, "-5022")
    await tally.atry("limit buy IOC", lambda: client.create_order(
        PERP, "limit", "buy", size, low, {"timeInForce": "IOC"}), lambda got: got["status"] in ("expired", "canceled"))
    if order:
        await tally.atry("fetch_order", lambda: client.fetch_order(order["id"], PERP),
                         lambda got: got["id"] == order["id"])
        await tally.atry("fetch_order by own id", lambda: client.fetch_order(
            None, PERP, {"origClientOrderId": "mybot-1"}), lambda got: got["id"] == order["id"])
        await tally.atry("fetch_open_order", lambda: client.fetch_open_order(order["id"], PERP))
        await tally.atry("edit_order", lambda: client.edit_order(
            order["id"], PERP, "limit", "buy", size, client.price_to_precision(PERP, price * 0.96)))
        await tally.atry("fetch_open_orders of a symbol", lambda: client.fetch_open_orders(PERP),
                         lambda got: len(got) == 2)
        await tally.atry("fetch_open_orders", client.fetch_open_orders, lambda got: len(got) == 2)
        await tally.atry("cancel_order by own id", lambda: client.cancel_order(
            None, PERP, {"origClientOrderId": "mybot-1"}), lambda got: got["status"] == "canceled")
        await tally.refused("cancel_order again", lambda: client.cancel_order(order["id"], PERP),
                            ccxt.BaseError, "-2011")
    await tally.refused("fetch_order of nobody", lambda: client.fetch_order("1", PERP), ccxt.BaseError, "-2013")
    await tally.atry("create_orders", lambda: client.create_orders([
        {"symbol": PERP, "type": "limit", "side": "buy", "amount": float(size), "price": float(low)},
        {"symbol": PERP, "type": "limit", "side": "buy", "amount": float(size), "price": float(low)}]),
        lambda got: len(got) == 2)
    await tally.atry("cancel_orders", lambda: _cancel_some(client))
    await tally.atry("cancel_all_orders", lambda: client.cancel_all_orders(PERP))
    await tally.atry("cancel_all_orders_after", lambda: client.fapiprivate_post_countdowncancelall(
        {"symbol": "BTCUSDT", "countdownTime": 0}))
    if bought:
        await positions(tally, client, size)
    await tally.refused("unknown parameters (attached stop loss)", lambda: client.create_order(
        PERP, "market", "buy", size, None, {"stopLoss": {"triggerPrice": price / 2}}), ccxt.BaseError, "-1104")
    await tally.refused("not enough margin", lambda: client.create_order(
        PERP, "limit", "buy", client.amount_to_precision(PERP, 200_000 / price), low), ccxt.BaseError, "-2019")
    await tally.refused("a stop on the old path", lambda: client.fapiprivate_post_order(
        {"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET", "stopPrice": low, "closePosition": "true"}),
        ccxt.BaseError, "-4120")


async def _cancel_some(client: Any) -> Any:
    orders = await client.fetch_open_orders(PERP)
    return await client.cancel_orders([order["id"] for order in orders[:2]], PERP)


async def positions(tally: Tally, client: Any, size: str) -> None:
    """A position, its protection, its end."""
    held = await tally.atry("fetch_positions", client.fetch_positions,
                            lambda got: len(got) == 1 and got[0]["side"] == "long" and got[0]["liquidationPrice"] != 0)
    await tally.atry("fetch_positions of a symbol", lambda: client.fetch_positions([PERP]),
                     lambda got: got[0]["contracts"] == float(size))
    await tally.atry("fetch_positions by account", lambda: client.fetch_positions(None, {"method": "account"}))
    await tally.atry("fetch_positions_risk", lambda: client.fetch_positions_risk([PERP]), lambda got: len(got) == 1)
    await tally.atry("fetch_position_adl_rank", lambda: client.fetch_position_adl_rank(PERP),
                     lambda got: got["rank"] is not None)
    mark = held[0]["markPrice"] if held else (await client.fetch_ticker(PERP))["last"]
    down, up = (client.price_to_precision(PERP, mark * factor) for factor in (0.9, 1.1))
    stop = await tally.atry("stop loss", lambda: client.create_order(
        PERP, "market", "sell", size, None, {"stopLossPrice": down, "reduceOnly": True, "clientOrderId": "sl-1"}))
    await tally.atry("take profit", lambda: client.create_order(
        PERP, "market", "sell", size, None, {"takeProfitPrice": up, "reduceOnly": True}))
    await tally.atry("stop limit", lambda: client.create_order(
        PERP, "limit", "buy", size, float(up), {"triggerPrice": up}))
    await tally.atry("trailing stop", lambda: client.create_order(
        PERP, "market", "sell", size, None, {"trailingPercent": 1, "trailingTriggerPrice": up, "reduceOnly": True}))
    await tally.atry("stop that closes the position", lambda: client.create_order(
        PERP, "STOP_MARKET", "sell", size, None, {"stopPrice": down, "closePosition": True}))
    await tally.refused("stop that would trigger at once", lambda: client.create_order(
        PERP, "market", "sell", size, None, {"stopLossPrice": up, "reduceOnly": True}), ccxt.BaseError, "-2021")
    await tally.atry("fetch_open_orders trigger", lambda: client.fetch_open_orders(PERP, None, None, {"trigger": True}),
                     lambda got: len(got) == 5)
    await tally.atry("plain open orders do not show them", lambda: client.fetch_open_orders(PERP),
                     lambda got: got == [])
    if stop:
        await tally.atry("fetch_order trigger", lambda: client.fetch_order(stop["id"], PERP, {"trigger": True}),
                         lambda got: got["id"] == stop["id"])
        await tally.atry("cancel_order trigger", lambda: client.cancel_order(stop["id"], PERP, {"trigger": True}))
    await tally.atry("cancel_all_orders trigger", lambda: client.cancel_all_orders(PERP, {"trigger": True}))
    await tally.atry("fetch_orders trigger", lambda: client.fetch_orders(PERP, None, None, {"trigger": True}),
                     lambda got: len(got) >= 5)
    await tally.atry("market sell reduce-only", lambda: client.create_order(
        PERP, "market", "sell", size, None, {"reduceOnly": True}), lambda got: got["reduceOnly"] is True)
    await tally.atry("flat", lambda: client.fetch_positions([PERP]), lambda got: got == [])
    await tally.refused("reduce-only with nothing held", lambda: client.create_order(
        PERP, "market", "sell", size, None, {"reduceOnly": True}), ccxt.BaseError, "-2022")
    await tally.atry("fetch_my_trades", lambda: client.fetch_my_trades(PERP),
                     lambda got: len(got) >= 2 and got[-1]["fee"]["cost"] > 0)
    await tally.atry("fetch_closed_orders", lambda: client.fetch_closed_orders(PERP), lambda got: len(got) >= 2)
    await tally.atry("fetch_orders", lambda: client.fetch_orders(PERP), lambda got: len(got) >= 4)
    await tally.atry("fetch_ledger", client.fetch_ledger, lambda got: len(got) >= 3)
    await tally.atry("fetch_funding_history", lambda: client.fetch_funding_history(PERP))
    await tally.atry("fetch_my_liquidations", lambda: client.fetch_my_liquidations(PERP))


async def hedge(tally: Tally, client: Any) -> None:
    """Both sides at once, isolated margin."""
    price = (await client.fetch_ticker(PERP))["last"]
    size = client.amount_to_precision(PERP, 300 / price)
    await tally.atry("set_position_mode hedged", lambda: client.set_position_mode(True))
    await tally.refused("no side named in hedge mode", lambda: client.create_order(PERP, "market", "buy", size),
                        ccxt.BaseError, "-4061")
    await tally.atry("open long", lambda: client.create_order(
        PERP, "market", "buy", size, None, {"positionSide": "LONG"}), lambda got: got["status"] == "closed")
    await tally.atry("open short (hedged)", lambda: client.create_order(
        PERP, "market", "sell", size, None, {"hedged": True}), lambda got: got["status"] == "closed")
    await tally.atry("both sides", lambda: client.fetch_positions([PERP]),
                     lambda got: sorted(row["side"] for row in got) == ["long", "short"])
    await tally.refused("mode with positions", lambda: client.set_position_mode(False), ccxt.BaseError, "-4068")
    await tally.atry("close long (hedged, reduceOnly)", lambda: client.create_order(
        PERP, "market", "sell", size, None, {"hedged": True, "reduceOnly": True}))
    await tally.atry("close short", lambda: client.create_order(
        PERP, "market", "buy", size, None, {"positionSide": "SHORT"}))
    await tally.atry("flat again", lambda: client.fetch_positions([PERP]), lambda got: got == [])
    await tally.atry("set_position_mode one-way", lambda: client.set_position_mode(False))
    await tally.atry("isolated", lambda: client.set_margin_mode("isolated", PERP))
    await tally.atry("isolated buy", lambda: client.create_order(PERP, "market", "buy", size))
    await tally.atry("add_margin", lambda: client.add_margin(PERP, 20))
    await tally.atry("reduce_margin", lambda: client.reduce_margin(PERP, 10))
    await tally.atry("isolated position", lambda: client.fetch_positions([PERP]),
                     lambda got: got[0]["marginMode"] == "isolated" and got[0]["collateral"] > 0)
    await tally.atry("isolated sell", lambda: client.create_order(
        PERP, "market", "sell", size, None, {"reduceOnly": True}))
    await tally.atry("cross again", lambda: client.set_margin_mode("cross", PERP))


async def main() -> None:
    """All of it."""
    tally, base = Tally("ccxt"), address()
    client = ccxt.binanceusdm(config(base, keys=False))
    try:
        await public(tally, client)
    finally:
        await client.close()
    client = ccxt.binanceusdm(config(base))
    try:
        await tally.atry("load_markets with keys", client.load_markets)
        await client.load_time_difference()
        await settings(tally, client)
        await trading(tally, client)
        await hedge(tally, client)
    finally:
        await client.close()
    tally.end()


if __name__ == "__main__":
    asyncio.run(main())
