"""ccxt's own bybit (linear) on a simulator: every call of its listing, with what each has to give."""

import asyncio
from functools import partial
from typing import Any

import ccxt.async_support as ccxt

from benchmarks.conformance import perp_ccxt
from benchmarks.conformance.bybit_at import config
from benchmarks.conformance.perp_ccxt import OTHER, PERP
from benchmarks.conformance.tally import Tally

SEEN = {"acknowledged": True}
STOPS = {"trigger": True}


def client_at(base: str, **changes: Any) -> Any:
    """ccxt with its limiter on: the simulator counts as the venue does."""
    return ccxt.bybit({**config(base), "enableRateLimit": True, **changes})


async def market(tally: Tally, client: Any) -> None:
    """Market data."""
    now = await perp_ccxt.market(tally, client, 20)
    since = now // 300_000 * 300_000 - 300 * 300_000
    await tally.atry("fetch_ohlcv 5m since", lambda: client.fetch_ohlcv(PERP, "5m", since, 200),
                     lambda rows: len(rows) == 200 and rows[0][0] == since)
    await tally.atry("fetch_open_interest_history", lambda: client.fetch_open_interest_history(PERP, "5m", None, 10),
                     lambda rows: len(rows) == 10)
    await tally.atry("fetch_market_leverage_tiers", lambda: client.fetch_market_leverage_tiers(PERP),
                     lambda rows: rows[0]["maxLeverage"] == 125 and rows[0]["maintenanceMarginRate"] < 0.01)


async def orders(tally: Tally, client: Any) -> None:
    """One-way mode: orders of every kind, what is refused, what is told of them."""
    await tally.atry("fetch_balance", client.fetch_balance, lambda row: row["USDT"]["total"] == 10_000)
    bought = await tally.atry("market buy", lambda: client.create_order(PERP, "market", "buy", 0.02))
    await tally.atry("fetch_order", lambda: client.fetch_order(bought["id"], PERP, SEEN),
                     lambda row: row["status"] == "closed" and row["filled"] == 0.02 and row["side"] == "buy")
    named = {"clientOrderId": "mybot-1"}
    await tally.atry("limit buy with orderLinkId",
                     lambda: client.create_order(PERP, "limit", "buy", 0.01, 60000, named),
                     lambda row: row["clientOrderId"] == "mybot-1")
    await tally.refused("the same orderLinkId", lambda: client.create_order(PERP, "limit", "buy", 0.01, 60000, named),
                        ccxt.ExchangeError, "110072")
    await tally.atry("fetch_open_orders(symbol)", lambda: client.fetch_open_orders(PERP), lambda rows: len(rows) == 1)
    await tally.atry("fetch_open_orders()", client.fetch_open_orders, lambda rows: len(rows) == 1)
    await tally.atry("fetch_open_order by orderLinkId",
                     lambda: client.fetch_open_order("", PERP, {"orderLinkId": "mybot-1"}),
                     lambda row: row["status"] == "open" and row["price"] == 60000)
    post = await tally.atry("post-only that would take",
                            lambda: client.create_order(PERP, "limit", "buy", 0.01, 64500, {"postOnly": True}))
    await tally.atry("… was taken and cancelled", lambda: client.fetch_order(post["id"], PERP, SEEN),
                     lambda row: row["status"] == "canceled" and row["filled"] == 0
                     and row["info"]["rejectReason"] == "EC_PostOnlyWillTakeLiquidity")
    await tally.atry("IOC", lambda: client.create_order(PERP, "limit", "buy", 0.01, 60000, {"timeInForce": "IOC"}))
    first = (await client.fetch_open_orders(PERP))[0]
    await tally.atry("edit_order", lambda: client.edit_order(first["id"], PERP, "limit", "buy", 0.02, 59900))
    await tally.atry("… in place", lambda: client.fetch_open_order(first["id"], PERP),
                     lambda row: row["price"] == 59900 and row["amount"] == 0.02 and row["clientOrderId"] == "mybot-1")
    await tally.refused("cancel_order by clientOrderId (WIRE)",
                        lambda: client.cancel_order("", PERP, {"clientOrderId": "mybot-1"}),
                        ccxt.ExchangeError, "clientOrderId")
    await tally.atry("cancel_order by orderLinkId", lambda: client.cancel_order(None, PERP, {"orderLinkId": "mybot-1"}))
    await tally.refused("cancel_order again", lambda: client.cancel_order(first["id"], PERP), ccxt.OrderNotFound,
                        "110001")
    await tally.refused("too large", lambda: client.create_order(PERP, "limit", "buy", 50, 60000),
                        ccxt.ExchangeError, "110")
    await tally.refused("under the least value", lambda: client.create_order(OTHER, "limit", "buy", 0.001, 2000),
                        ccxt.ExchangeError, "110094")
    await tally.refused("a parameter that is none",
                        lambda: client.create_order(PERP, "market", "buy", 0.01, None, {"positionSide": "LONG"}),
                        ccxt.ExchangeError, "positionSide")
    await tally.refused("trailingPercent (WIRE)", lambda: client.create_order(
        PERP, "market", "sell", 0.01, None, {"trailingPercent": 1, "reduceOnly": True}), ccxt.ExchangeError,
        "trailingPercent")
    await tally.refused("an attached stop is not simulated", lambda: client.create_order(
        PERP, "market", "buy", 0.01, None, {"stopLoss": 50000}), ccxt.ExchangeError, "stopLoss")
    await tally.refused("hedge words in one-way mode",
                        lambda: client.create_order(PERP, "market", "buy", 0.01, None, {"hedged": True}),
                        ccxt.ExchangeError, "position idx not match position mode")
    await tally.atry("fetch_my_trades", lambda: client.fetch_my_trades(PERP),
                     lambda rows: rows[-1]["fee"]["cost"] > 0 and sum(row["amount"] for row in rows) == 0.02)
    await tally.atry("fetch_closed_orders", lambda: client.fetch_closed_orders(PERP), lambda rows: len(rows) == 1)
    await tally.atry("fetch_canceled_orders", lambda: client.fetch_canceled_orders(PERP), lambda rows: len(rows) >= 3)
    await tally.atry("fetch_trading_fee", lambda: client.fetch_trading_fee(PERP), lambda row: row["taker"] > 0)


async def conditional(tally: Tally, client: Any) -> None:
    """Conditional orders of a long position."""
    stop = {"stopLossPrice": 50000, "reduceOnly": True, "clientOrderId": "sl-1"}
    await tally.refused("a stop on the wrong side", lambda: client.create_order(
        PERP, "market", "sell", 0.02, None, {"stopLossPrice": 90000, "reduceOnly": True}), ccxt.ExchangeError, "110093")
    placed = await tally.atry("stopLossPrice", lambda: client.create_order(PERP, "market", "sell", 0.02, None, stop))
    await tally.atry("takeProfitPrice", lambda: client.create_order(
        PERP, "market", "sell", 0.02, None, {"takeProfitPrice": 120000, "reduceOnly": True}))
    await tally.atry("triggerPrice of a limit order", lambda: client.create_order(
        PERP, "limit", "buy", 0.01, 60000, {"triggerPrice": 60500, "triggerDirection": "descending"}))
    await tally.atry("fetch_open_orders tells both kinds", lambda: client.fetch_open_orders(PERP),
                     lambda rows: len(rows) == 3)
    await tally.atry("fetch_open_orders trigger", lambda: client.fetch_open_orders(PERP, None, None, STOPS),
                     lambda rows: len(rows) == 3)
    await tally.atry("fetch_open_order of a stop", lambda: client.fetch_open_order(placed["id"], PERP),
                     lambda row: row["triggerPrice"] == 50000 and row["clientOrderId"] == "sl-1"
                     and row["info"]["orderStatus"] == "Untriggered")
    await tally.atry("edit_order of a stop", lambda: client.edit_order(
        placed["id"], PERP, "market", "sell", None, None, {"triggerPrice": 51000}))
    await tally.refused("cancel_order trigger (WIRE: an unknown word)",
                        lambda: client.cancel_order(placed["id"], PERP, STOPS), ccxt.ExchangeError, "trigger")
    await tally.atry("cancel_order of a stop", lambda: client.cancel_order(placed["id"], PERP))
    await tally.atry("cancel_all_orders trigger", lambda: client.cancel_all_orders(PERP, STOPS))
    await tally.atry("… none is left", lambda: client.fetch_open_orders(PERP), lambda rows: not rows)


async def positions(tally: Tally, client: Any) -> None:
    """Positions and settings; then hedge mode."""
    await tally.atry("fetch_positions", client.fetch_positions,
                     lambda rows: rows[0]["side"] == "long" and rows[0]["contracts"] == 0.02)
    await tally.atry("fetch_position", lambda: client.fetch_position(PERP), lambda row: row["contracts"] == 0.02)
    await tally.atry("set_leverage", lambda: client.set_leverage(10, PERP))
    await tally.refused("set_leverage again", lambda: client.set_leverage(10, PERP), ccxt.ExchangeError, "110043")
    await tally.atry("fetch_leverage", lambda: client.fetch_leverage(PERP), lambda row: row["longLeverage"] == 10)
    await tally.refused("set_leverage 500", lambda: client.set_leverage(500, PERP), ccxt.ExchangeError, "110013")
    await tally.refused("set_margin_mode with a position", lambda: client.set_margin_mode("isolated"),
                        ccxt.ExchangeError, "3400045")
    await tally.refused("set_position_mode with a position", lambda: client.set_position_mode(True, PERP),
                        ccxt.ExchangeError, "110024")
    await tally.refused("reduce-only that would open", lambda: client.create_order(
        PERP, "market", "buy", 0.01, None, {"reduceOnly": True}), ccxt.ExchangeError, "110017")
    await tally.atry("close with more than is held", lambda: client.create_order(
        PERP, "market", "sell", 1, None, {"reduceOnly": True}))
    await tally.atry("nothing is held", client.fetch_positions, lambda rows: rows == [])
    await tally.atry("fetch_ledger", lambda: client.fetch_ledger("USDT"), lambda rows: len(rows) > 2)
    await tally.atry("set_margin_mode isolated", lambda: client.set_margin_mode("isolated"))
    await tally.atry("fetch_balance, isolated: totals are empty", client.fetch_balance,
                     lambda row: row["USDT"]["total"] > 9_000)
    await hedge(tally, client)


async def hedge(tally: Tally, client: Any) -> None:
    """X23: `positionIdx` names the leg, `side` is the order's own."""
    hedged = {"hedged": True}
    await tally.atry("set_position_mode hedged", lambda: client.set_position_mode(True, PERP))
    await tally.refused("one-way words in hedge mode", lambda: client.create_order(PERP, "market", "buy", 0.01),
                        ccxt.ExchangeError, "position idx not match position mode")
    await tally.atry("open long", lambda: client.create_order(PERP, "market", "buy", 0.02, None, hedged))
    await tally.atry("open short", lambda: client.create_order(PERP, "market", "sell", 0.01, None, hedged))
    await tally.atry("both legs", client.fetch_positions,
                     lambda rows: {row["side"]: row["contracts"] for row in rows} == {"long": 0.02, "short": 0.01})
    closing = {"positionIdx": 1, "reduceOnly": True}
    await tally.atry("close half of the long", lambda: client.create_order(PERP, "market", "sell", 0.01, None, closing))
    await tally.atry("… its execution says how much it closed", lambda: client.fetch_my_trades(PERP),
                     lambda rows: float(rows[-1]["info"]["closedSize"]) == 0.01)
    await tally.atry("stop of the long leg, all of it", lambda: client.create_order(
        PERP, "market", "sell", 0, None, {"positionIdx": 1, "stopLossPrice": 50000, "reduceOnly": True,
                                          "closeOnTrigger": True, "qty": "0"}))
    await tally.atry("cancel_all_orders", lambda: client.cancel_all_orders(PERP))
    for index, side in ((1, "sell"), (2, "buy")):
        await tally.atry(f"close leg {index}", partial(
            client.create_order, PERP, "market", side, 0.01, None, {"positionIdx": index, "reduceOnly": True}))
    await tally.atry("nothing is left", client.fetch_positions, lambda found: found == [])


async def keys(tally: Tally, base: str) -> None:
    """Wrong keys, a wrong clock."""
    for name, changes, code in (("an unknown key", {"apiKey": "nobody"}, "10003"),
                                ("a wrong secret", {"secret": "wrong"}, "10004")):
        client = client_at(base, **changes)
        await tally.refused(name, client.fetch_balance, ccxt.AuthenticationError, code)
        await client.close()
    client = client_at(base)
    client.nonce = lambda: client.milliseconds() - 60_000
    await tally.refused("a clock of a minute ago", lambda: client.fetch_positions([PERP]), ccxt.InvalidNonce, "10002")
    await client.close()


if __name__ == "__main__":
    asyncio.run(perp_ccxt.run("ccxt.bybit", client_at, (market, orders, conditional, positions), keys))
