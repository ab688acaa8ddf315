"""Unmodified ccxt trades here: every call that the bot's gateway can make of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import ccxt.async_support as ccxt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.simulator.dialects.mexc_format import units
from tests.simulator.conftest import Running


def _money(balance: dict[str, Any], asset: str = "USDT") -> Decimal:
    return Decimal(str(balance["total"].get(asset, 0)))


async def test_markets_without_and_with_keys(venue: Running) -> None:
    for client in (venue.mexc("", ""), venue.mexc()):
        markets = await client.load_markets()
        bitcoin = markets["BTC/USDT"]
        assert bitcoin["active"] and bitcoin["spot"]
        assert (bitcoin["precision"]["price"], bitcoin["precision"]["amount"]) == (0.01, 0.000001)
        assert bitcoin["limits"]["cost"]["min"] == 1
        assert bitcoin["taker"] == 0.0005
    assert "USDT" in client.currencies


async def test_time_is_the_market_clock(venue: Running) -> None:
    client = venue.mexc()
    first = await client.fetch_time()
    venue.pass_s(5)
    assert await client.fetch_time() == first + 5000


async def test_status(venue: Running) -> None:
    assert (await venue.mexc().fetch_status())["status"] == "ok"


async def test_tickers_one_and_all(venue: Running) -> None:
    client = venue.mexc()
    everything = await client.fetch_tickers()
    assert len(everything) >= 18
    one = await client.fetch_ticker("BTC/USDT")
    also = (await client.fetch_tickers(["BTC/USDT"]))["BTC/USDT"]
    whole = everything["BTC/USDT"]
    for name in ("last", "bid", "ask", "high", "low", "open", "baseVolume", "quoteVolume"):
        assert one[name] == also[name] == whole[name], name
    assert one["bid"] < one["ask"] and one["low"] <= one["last"] <= one["high"]
    assert one["bidVolume"] > 0
    assert one["percentage"] == pytest.approx(100 * (one["last"] / one["open"] - 1), abs=0.01)


@pytest.mark.parametrize("timeframe,minutes", [
    ("1m", 1), ("5m", 5), ("15m", 15), ("30m", 30), ("1h", 60), ("4h", 240), ("1d", 1440), ("1w", 10080), ("1M", None)])
async def test_candles_of_every_interval(venue: Running, timeframe: str, minutes: int | None) -> None:
    client = venue.mexc()
    candles = await client.fetch_ohlcv("BTC/USDT", timeframe, limit=20)
    assert len(candles) == 20
    gaps = {b[0] - a[0] for a, b in zip(candles, candles[1:], strict=False)}
    if minutes is not None:
        assert gaps == {minutes * 60_000}
    for _, opened, high, low, close, volume in candles:
        assert low <= min(opened, close) <= max(opened, close) <= high and volume > 0


async def test_candles_since_and_until(venue: Running) -> None:
    client = venue.mexc()
    now = await client.fetch_time()
    since = now - 3 * 86_400_000
    candles = await client.fetch_ohlcv("ETH/USDT", "5m", since=since, limit=200, params={"until": since + 50_000_000})
    assert candles[0][0] == since // 300_000 * 300_000 + 300_000
    assert candles[-1][0] <= since + 50_000_000
    assert len(candles) == (since + 50_000_000) // 300_000 - since // 300_000
    assert len(await client.fetch_ohlcv("ETH/USDT", "1m", limit=1000)) == 1000
    assert await client.fetch_ohlcv("ETH/USDT", "1m", since=now + 86_400_000, params={"until": now + 90_000_000}) == []
    for interval in ("1m", "1M"):
        path = f"/api/v3/klines?symbol=ETHUSDT&interval={interval}"
        assert (await venue.get(f"{path}&startTime=9000000000000000000"))[1] == []
        assert len((await venue.get(f"{path}&startTime=-5&limit=2"))[1]) == 2


async def test_book_and_trades(venue: Running) -> None:
    client = venue.mexc()
    book = await client.fetch_order_book("BTC/USDT", 20)
    assert len(book["bids"]) == len(book["asks"]) == 20
    assert book["bids"][0][0] < book["asks"][0][0]
    assert book["bids"] == sorted(book["bids"], reverse=True) and book["asks"] == sorted(book["asks"])
    trades = await client.fetch_trades("BTC/USDT", limit=100)
    assert len(trades) == 100
    now = await client.fetch_time()
    assert all(trade["timestamp"] <= now and trade["amount"] > 0 for trade in trades)
    assert {trade["side"] for trade in trades} == {"buy", "sell"}
    window = await client.fetch_trades("BTC/USDT", since=now - 600_000, limit=50, params={"until": now - 300_000})
    assert all(now - 600_000 <= trade["timestamp"] <= now - 300_000 for trade in window)


async def test_prints_of_a_minute_add_up_to_its_candle(venue: Running) -> None:
    client = venue.mexc()
    minute = (await client.fetch_time()) // 60_000 * 60_000 - 60_000
    candle = next(c for c in await client.fetch_ohlcv("ETH/USDT", "1m", limit=3) if c[0] == minute)
    trades = await client.fetch_trades("ETH/USDT", since=minute, limit=1000, params={"until": minute + 59_999})
    assert sum(t["amount"] for t in trades) == pytest.approx(candle[5], rel=1e-9)
    assert all(candle[3] <= t["price"] <= candle[2] for t in trades)


async def test_market_buy_answers_nothing_of_fills_and_the_truth_is_asked(venue: Running) -> None:
    client = venue.mexc()
    before = _money(await client.fetch_balance())
    placed = await client.create_order("BTC/USDT", "market", "buy", 0.01, 60000)
    assert placed["status"] is None and placed["filled"] is None
    assert set(placed["info"]) == {
        "symbol", "orderId", "orderListId", "price", "origQty", "type", "side", "transactTime"}
    order = await client.fetch_order(placed["id"], "BTC/USDT")
    assert order["status"] == "closed" and order["type"] == "market"
    assert order["cost"] <= 600 < order["cost"] + order["average"] * 0.000002
    balance = await client.fetch_balance()
    trades = await client.fetch_my_trades("BTC/USDT")
    paid = sum(Decimal(str(t["cost"])) + Decimal(str(t["fee"]["cost"])) for t in trades)
    assert before - _money(balance) == pytest.approx(paid, abs=Decimal("1e-9"))
    assert trades[0]["fee"]["currency"] == "USDT" and trades[0]["takerOrMaker"] == "taker"
    assert trades[0]["fee"]["cost"] == pytest.approx(trades[0]["cost"] * 0.0005)
    assert balance["total"]["BTC"] == order["filled"] == sum(t["amount"] for t in trades)


async def test_market_buy_with_cost_and_market_sell(venue: Running) -> None:
    client = venue.mexc()
    bought = await client.create_market_buy_order_with_cost("ETH/USDT", 50)
    amount = (await client.fetch_order(bought["id"], "ETH/USDT"))["filled"]
    sold = await client.create_order("ETH/USDT", "market", "sell", amount)
    order = await client.fetch_order(sold["id"], "ETH/USDT")
    assert order["status"] == "closed" and order["filled"] == amount
    total = (await client.fetch_balance())["total"]
    assert total.get("ETH", 0) == 0
    assert 9999.5 < total["USDT"] < 10_000


async def test_market_buy_by_quantity(venue: Running) -> None:
    client = venue.mexc()
    placed = await client.create_order("ETH/USDT", "market", "buy", 0.02)
    assert (await client.fetch_order(placed["id"], "ETH/USDT"))["filled"] == 0.02


async def test_limit_order_with_client_id_lives_and_is_canceled(venue: Running) -> None:
    client = venue.mexc()
    price = client.price_to_precision  # after load_markets
    await client.load_markets()
    low = price("BTC/USDT", (await client.fetch_ticker("BTC/USDT"))["last"] * 0.8)
    placed = await client.create_order("BTC/USDT", "limit", "buy", 0.01, low, {"clientOrderId": "mybot-1"})
    opened = await client.fetch_open_orders("BTC/USDT")
    assert [o["id"] for o in opened] == [placed["id"]] and opened[0]["clientOrderId"] == "mybot-1"
    assert [o["id"] for o in await client.fetch_open_orders()] == [placed["id"]]
    locked = (await client.fetch_balance())["used"]["USDT"]
    assert locked == pytest.approx(0.01 * float(low) * 1.0005)
    assert (await client.fetch_order("", "BTC/USDT", {"clientOrderId": "mybot-1"}))["status"] == "open"
    await client.cancel_order("", "BTC/USDT", {"clientOrderId": "mybot-1"})
    assert (await client.fetch_order(placed["id"], "BTC/USDT"))["status"] == "canceled"
    assert (await client.fetch_balance())["used"].get("USDT", 0) == 0
    with pytest.raises(ccxt.ExchangeError, match="-2011"):
        await client.cancel_order(placed["id"], "BTC/USDT")


async def test_cancel_all_and_all_orders(venue: Running) -> None:
    client = venue.mexc()
    await client.load_markets()
    last = (await client.fetch_ticker("ETH/USDT"))["last"]
    for part in (0.7, 0.75, 0.8):
        await client.create_order("ETH/USDT", "limit", "buy", 0.01, client.price_to_precision("ETH/USDT", last * part))
    assert len(await client.cancel_all_orders("ETH/USDT")) == 3
    assert await client.fetch_open_orders("ETH/USDT") == []
    orders = await client.fetch_orders("ETH/USDT")
    assert len(orders) == 3 and {o["status"] for o in orders} == {"canceled"}
    assert len(await client.fetch_orders("ETH/USDT", limit=2)) == 2


async def test_post_only_ioc_and_fok(venue: Running) -> None:
    client = venue.mexc()
    await client.load_markets()
    ask = (await client.fetch_ticker("ETH/USDT"))["ask"]
    over = client.price_to_precision("ETH/USDT", ask * 1.01)
    under = client.price_to_precision("ETH/USDT", ask * 0.9)

    async def status(price: str, params: dict[str, Any], amount: float = 0.01) -> tuple[str, float]:
        placed = await client.create_order("ETH/USDT", "limit", "buy", amount, price, params)
        order = await client.fetch_order(placed["id"], "ETH/USDT")
        return order["status"], order["filled"]

    assert await status(over, {"postOnly": True}) == ("canceled", 0)
    assert await status(under, {"postOnly": True}) == ("open", 0)
    assert await status(over, {"timeInForce": "IOC"}) == ("closed", 0.01)
    assert await status(under, {"timeInForce": "IOC"}) == ("canceled", 0)
    assert await status(over, {"timeInForce": "FOK"}) == ("closed", 0.01)
    assert await status(under, {"timeInForce": "FOK"}) == ("canceled", 0)


async def test_fees_and_account(venue: Running) -> None:
    client = venue.mexc()
    fee = await client.fetch_trading_fee("BTC/USDT")
    assert (fee["maker"], fee["taker"]) == (0.0, 0.0005)
    account = await client.spotPrivateGetAccount()
    assert account["canTrade"] is True and account["canWithdraw"] is False
    assert await client.spotPrivateGetCapitalWithdrawHistory() == [] if account["canWithdraw"] else True
    with pytest.raises(ccxt.AuthenticationError, match="700007"):
        await client.fetch_withdrawals("USDT")
    other = venue.mexc("sim-withdraw-key", "sim-withdraw-secret")
    assert (await other.spotPrivateGetAccount())["canWithdraw"] is True
    assert await other.spotPrivateGetCapitalWithdrawHistory() == []


async def test_symbols_open_to_api_orders(venue: Running) -> None:
    listed = await venue.mexc().spotPublicGetDefaultSymbols()
    assert "BTCUSDT" in listed["data"]
    info = await venue.mexc().spotPublicGetExchangeInfo()
    closed = {row["symbol"] for row in info["symbols"] if not row["isSpotTradingAllowed"]}
    assert not closed & set(listed["data"])


async def test_small_endpoints(venue: Running) -> None:
    answers = {
        "ping": None, "avgPrice?symbol=BTCUSDT": "price", "ticker/price?symbol=BTCUSDT": "price",
        "ticker/bookTicker?symbol=BTCUSDT": "bidQty", "exchangeInfo?symbols=BTCUSDT,ETHUSDT": "symbols",
        "symbol/offline": "data",
    }
    for path, part in answers.items():
        status, content = await venue.get(f"/api/v3/{path}")
        assert status == 200 and (part is None or part in content)
    for path in ("ticker/price", "ticker/bookTicker"):
        status, content = await venue.get(f"/api/v3/{path}")
        assert status == 200 and len(content) >= 18
    status, content = await venue.get("/api/v3/trades?symbol=BTCUSDT&limit=5")
    assert len(content) == 5 and content[0]["time"] >= content[-1]["time"]
    assert (await venue.get("/api/v1/contract/detail"))[1] == {"success": True, "code": 0, "data": []}


async def test_order_test_places_nothing(venue: Running) -> None:
    client = venue.mexc()
    await client.create_order("BTC/USDT", "market", "buy", 0.01, 60000, {"test": True})
    assert (await client.fetch_balance())["total"] == {"USDT": 10_000}
    assert await client.fetch_orders("BTC/USDT") == []


@given(st.integers(0, 10**17), st.integers(0, 12))
def test_numbers_are_written_digit_by_digit(value: int, scale: int) -> None:
    assert Decimal(units(value, scale)) == Decimal(value).scaleb(-scale)
    assert "e" not in units(value, scale).lower()
