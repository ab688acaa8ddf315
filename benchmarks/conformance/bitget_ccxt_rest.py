"""ccxt's own bitget (classic, swaps) on a simulator: every call of its listing, with what each has to give."""

import asyncio
from typing import Any

import ccxt.async_support as ccxt

from benchmarks.conformance import perp_ccxt
from benchmarks.conformance.bitget_at import config
from benchmarks.conformance.perp_ccxt import OTHER, PERP
from benchmarks.conformance.tally import Tally

HEDGED = {"hedged": True}
PLANS, TPSL = {"trigger": True}, {"trigger": True, "planType": "profit_loss"}


def client_at(base: str, **changes: Any) -> Any:
    """ccxt with its limiter on: the simulator counts as the venue does."""
    return ccxt.bitget({**config(base), "enableRateLimit": True, **changes})


async def market(tally: Tally, client: Any) -> None:
    """Market data."""
    now = await perp_ccxt.market(tally, client, 15)
    since = now // 300_000 * 300_000 - 300 * 300_000
    await tally.atry("fetch_ohlcv 5m since", lambda: client.fetch_ohlcv(PERP, "5m", since, 200),
                     lambda rows: len(rows) >= 199 and rows[0][0] in (since, since + 300_000))
    await tally.atry("fetch_ohlcv 5m of old", lambda: client.fetch_ohlcv(PERP, "5m", since - 90 * 86_400_000, 200),
                     lambda rows: len(rows) >= 199 and rows[0][0] >= since - 90 * 86_400_000)
    await tally.atry("fetch_market_leverage_tiers", lambda: client.fetch_market_leverage_tiers(PERP),
                     lambda rows: rows[0]["maxLeverage"] == 125)


async def orders(tally: Tally, client: Any) -> None:
    """One-way mode: orders of every kind, what is refused, what is told of them."""
    await tally.atry("fetch_balance", client.fetch_balance, lambda row: row["USDT"]["total"] == 10_000)
    bought = await tally.atry("market buy", lambda: client.create_order(PERP, "market", "buy", 0.02))
    await tally.atry("fetch_order", lambda: client.fetch_order(bought["id"], PERP),
                     lambda row: row["status"] == "closed" and row["filled"] == 0.02 and row["side"] == "buy")
    named = {"clientOrderId": "mybot-1"}
    await tally.atry("limit buy with clientOid", lambda: client.create_order(PERP, "limit", "buy", 0.01, 60000, named),
                     lambda row: row["clientOrderId"] == "mybot-1")
    await tally.refused("the same clientOid", lambda: client.create_order(PERP, "limit", "buy", 0.01, 60000, named),
                        ccxt.ExchangeError, "40786")
    await tally.atry("fetch_open_orders(symbol)", lambda: client.fetch_open_orders(PERP), lambda rows: len(rows) == 1)
    await tally.atry("fetch_open_orders()", client.fetch_open_orders, lambda rows: len(rows) == 1)
    await tally.atry("fetch_order by clientOid", lambda: client.fetch_order("", PERP, named),
                     lambda row: row["status"] == "open" and row["price"] == 60000)
    post = await tally.atry("post-only that would take",
                            lambda: client.create_order(PERP, "limit", "buy", 0.01, 64000, {"postOnly": True}))
    await tally.atry("… was taken and cancelled", lambda: client.fetch_order(post["id"], PERP),
                     lambda row: row["status"] == "canceled" and row["filled"] == 0)
    await tally.atry("IOC", lambda: client.create_order(PERP, "limit", "buy", 0.01, 60000, {"timeInForce": "IOC"}))
    first = (await client.fetch_open_orders(PERP))[0]
    await tally.atry("edit_order", lambda: client.edit_order(
        first["id"], PERP, "limit", "buy", 0.02, 59900, {"newClientOid": "mybot-2"}),
        lambda row: row["clientOrderId"] == "mybot-2")
    await tally.atry("cancel_order by clientOid", lambda: client.cancel_order("", PERP, {"clientOrderId": "mybot-2"}))
    await tally.refused("cancel_order again", lambda: client.cancel_order("", PERP, {"clientOrderId": "mybot-2"}),
                        ccxt.OrderNotFound, "40768")
    await tally.refused("too large", lambda: client.create_order(PERP, "limit", "buy", 50, 60000),
                        ccxt.ExchangeError, "40")
    await tally.refused("too small", lambda: client.create_order(OTHER, "market", "buy", 0.001),
                        ccxt.InvalidOrder, "45110")
    await tally.refused("a parameter that is none",
                        lambda: client.create_order(PERP, "market", "buy", 0.01, None, {"positionSide": "LONG"}),
                        ccxt.BadRequest, "positionSide")
    await tally.refused("hedge words in one-way mode",
                        lambda: client.create_order(PERP, "market", "buy", 0.01, None, HEDGED),
                        ccxt.InvalidOrder, "40774")
    await tally.atry("fetch_my_trades", lambda: client.fetch_my_trades(PERP),
                     lambda rows: rows[-1]["fee"]["cost"] > 0 and sum(row["amount"] for row in rows) == 0.02)
    await tally.atry("fetch_closed_orders", lambda: client.fetch_closed_orders(PERP), lambda rows: len(rows) == 1)
    await tally.atry("fetch_canceled_orders", lambda: client.fetch_canceled_orders(PERP), lambda rows: len(rows) >= 3)
    await tally.atry("fetch_trading_fee", lambda: client.fetch_trading_fee(PERP), lambda row: row["taker"] > 0)


async def plans(tally: Tally, client: Any) -> None:
    """Plan orders of a long position."""
    stop = {"stopLossPrice": 50000, "reduceOnly": True, "clientOrderId": "sl-1"}
    await tally.refused("a stop on the wrong side", lambda: client.create_order(
        PERP, "market", "sell", 0.02, None, {"stopLossPrice": 90000, "reduceOnly": True}), ccxt.ExchangeError, "40834")
    await tally.atry("stopLossPrice", lambda: client.create_order(PERP, "market", "sell", 0.02, None, stop))
    await tally.atry("takeProfitPrice", lambda: client.create_order(
        PERP, "market", "sell", 0.02, None, {"takeProfitPrice": 120000, "reduceOnly": True}))
    await tally.atry("triggerPrice", lambda: client.create_order(
        PERP, "limit", "buy", 0.01, 60000, {"triggerPrice": 60500}))
    await tally.atry("trailingPercent", lambda: client.create_order(
        PERP, "market", "sell", 0.01, None,
        {"trailingPercent": "1", "trailingTriggerPrice": 70000, "reduceOnly": True}))
    await tally.atry("attached stop and profit", lambda: client.create_order(
        PERP, "market", "buy", 0.01, None,
        {"stopLoss": {"triggerPrice": 50000}, "takeProfit": {"triggerPrice": 90000}}))
    await tally.refused("STOP_MARKET", lambda: client.create_order(
        PERP, "STOP_MARKET", "sell", 0.01, None, {"triggerPrice": 50000, "closePosition": True}),
        ccxt.ExchangeError, "400172")
    await tally.atry("fetch_open_orders trigger", lambda: client.fetch_open_orders(PERP, None, None, PLANS),
                     lambda rows: len(rows) == 1 and rows[0]["triggerPrice"] == 60500)
    protection = await tally.atry("fetch_open_orders profit_loss",
                                  lambda: client.fetch_open_orders(PERP, None, None, TPSL), lambda rows: len(rows) == 4)
    await tally.atry("cancel_order trigger", lambda: client.cancel_order(protection[0]["id"], PERP, PLANS))
    await tally.atry("cancel_all_orders trigger", lambda: client.cancel_all_orders(PERP, PLANS))
    await tally.atry("… none is left", lambda: client.fetch_open_orders(PERP, None, None, TPSL), lambda rows: not rows)
    await tally.atry("fetch_canceled_and_closed_orders trigger",
                     lambda: client.fetch_canceled_and_closed_orders(PERP, None, None, PLANS),
                     lambda rows: len(rows) == 1)
    await tally.atry("cancel_all_orders", lambda: client.cancel_all_orders(PERP))


async def positions(tally: Tally, client: Any) -> None:
    """Positions, settings, closing; then hedge mode."""
    await tally.atry("fetch_positions", client.fetch_positions,
                     lambda rows: rows[0]["side"] == "long" and rows[0]["contracts"] == 0.03)
    await tally.atry("fetch_position", lambda: client.fetch_position(PERP), lambda row: row["hedged"] is False)
    await tally.atry("set_leverage", lambda: client.set_leverage(10, PERP))
    await tally.atry("fetch_leverage", lambda: client.fetch_leverage(PERP), lambda row: row["longLeverage"] == 10)
    await tally.refused("set_leverage 500", lambda: client.set_leverage(500, PERP), ccxt.ExchangeError, "40797")
    await tally.refused("set_margin_mode with a position", lambda: client.set_margin_mode("isolated", PERP),
                        ccxt.ExchangeError, "45117")
    await tally.refused("set_position_mode with a position", lambda: client.set_position_mode(True, PERP),
                        ccxt.ExchangeError, "40920")
    await tally.atry("close_position", lambda: client.close_position(PERP))
    await tally.refused("close_position without one", lambda: client.close_position(PERP), ccxt.ExchangeError, "22002")
    await tally.atry("fetch_positions_history", lambda: client.fetch_positions_history([PERP]),
                     lambda rows: rows[0]["contracts"] == 0.03)
    await tally.atry("fetch_ledger", client.fetch_ledger, lambda rows: len(rows) > 3)
    await tally.atry("fetch_funding_history", lambda: client.fetch_funding_history(PERP), lambda rows: rows == [])
    await hedge(tally, client)


async def hedge(tally: Tally, client: Any) -> None:
    """X23: ccxt turns sides for reduce-only; `side` on the wire names the position's."""
    await tally.atry("set_position_mode hedged", lambda: client.set_position_mode(True, PERP))
    await tally.refused("one-way words in hedge mode", lambda: client.create_order(PERP, "market", "buy", 0.01),
                        ccxt.InvalidOrder, "40774")
    await tally.atry("open long", lambda: client.create_order(PERP, "market", "buy", 0.02, None, HEDGED))
    await tally.atry("open short", lambda: client.create_order(PERP, "market", "sell", 0.01, None, HEDGED))
    await tally.atry("both legs", client.fetch_positions,
                     lambda rows: {row["side"]: row["contracts"] for row in rows} == {"long": 0.02, "short": 0.01})
    closing = {**HEDGED, "reduceOnly": True}
    closed = await tally.atry("close half of the long",
                              lambda: client.create_order(PERP, "market", "sell", 0.01, None, closing))
    await tally.atry("… the order's own side is told", lambda: client.fetch_order(closed["id"], PERP),
                     lambda row: row["side"] == "sell" and row["info"]["side"] == "buy"
                     and row["info"]["tradeSide"] == "close")
    await tally.refused("close more than there is",
                        lambda: client.create_order(PERP, "market", "sell", 1, None, closing),
                        ccxt.ExchangeError, "40755")
    rows = [{"symbol": PERP, "type": "limit", "side": "buy", "amount": 0.01, "price": price, "params": HEDGED}
            for price in (60000, 59000)]
    await tally.atry("create_orders", lambda: client.create_orders(rows), lambda found: len(found) == 2)
    found = await client.fetch_open_orders(PERP)
    await tally.atry("cancel_orders", lambda: client.cancel_orders([row["id"] for row in found], PERP),
                     lambda gone: len(gone) == 2)
    stop = {"hedged": True, "stopLossPrice": 50000, "reduceOnly": True}
    await tally.atry("stop of the long leg", lambda: client.create_order(PERP, "market", "sell", 0.01, None, stop))
    await tally.atry("set_margin_mode isolated", lambda: client.set_margin_mode("isolated", OTHER))
    await tally.atry("close_all_positions", client.close_all_positions, lambda found: len(found) == 2)
    await tally.atry("nothing is left", client.fetch_positions, lambda found: found == [])


async def keys(tally: Tally, base: str) -> None:
    """Wrong keys, and the demo's."""
    for name, changes, code in (
            ("an unknown key", {"apiKey": "nobody"}, "40037"), ("a wrong secret", {"secret": "wrong"}, "40009"),
            ("a wrong passphrase", {"password": "wrong"}, "40012")):
        client = client_at(base, **changes)
        await tally.refused(name, client.fetch_balance, ccxt.AuthenticationError, code)
        await client.close()
    client = client_at(base, apiKey="sim-demo-key", secret="sim-demo-secret")
    await tally.refused("a demo key without the header", client.fetch_balance, ccxt.ExchangeError, "40099")
    client.options["sandboxMode"] = True
    await tally.atry("a demo key with the header", client.fetch_balance, lambda row: row["USDT"]["total"] > 0)
    await client.close()


if __name__ == "__main__":
    asyncio.run(perp_ccxt.run("ccxt.bitget", client_at, (market, orders, plans, positions), keys))
