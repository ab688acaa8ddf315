"""Market data through the wire: fields and their order, limits, and that rows agree with each other."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from modules.simulator.dialects.binance_market import Market as MarketData
from modules.simulator.dialects.binance_weights import Limits
from tests.simulator.binance.conftest import Market
from tests.simulator.served import START_MS

BTC = {"symbol": "BTCUSDT"}
PAIR = {"pair": "BTCUSDT"}
STAT = {**BTC, "period": "5m"}


async def get(market: Market, path: str, params: dict[str, Any] | None = None) -> Any:
    """The content of an unsigned request."""
    status, content = await market.ask("GET", path, params, signed=False)
    assert status == 200, content
    return content


#: path → parameters, fields of a row in their order (of Binance.Net's and gocryptotrader's recordings)
SHAPES: list[tuple[str, dict[str, Any], list[str]]] = [
    ("/fapi/v1/time", {}, ["serverTime"]),
    ("/fapi/v1/depth", BTC, ["lastUpdateId", "E", "T", "bids", "asks"]),
    ("/fapi/v1/trades", BTC, ["id", "price", "qty", "quoteQty", "time", "isBuyerMaker"]),
    ("/fapi/v1/aggTrades", BTC, ["a", "p", "q", "f", "l", "T", "m"]),
    ("/fapi/v1/premiumIndex", BTC,
     ["symbol", "markPrice", "indexPrice", "estimatedSettlePrice", "lastFundingRate", "interestRate", "nextFundingTime",
      "time"]),
    ("/fapi/v1/fundingRate", BTC, ["symbol", "fundingTime", "fundingRate", "markPrice"]),
    ("/fapi/v1/fundingInfo", {}, ["symbol", "adjustedFundingRateCap", "adjustedFundingRateFloor",
                                  "fundingIntervalHours", "disclaimer", "updateTime"]),
    ("/fapi/v1/ticker/24hr", BTC,
     ["symbol", "priceChange", "priceChangePercent", "weightedAvgPrice", "lastPrice", "lastQty", "openPrice",
      "highPrice", "lowPrice", "volume", "quoteVolume", "openTime", "closeTime", "firstId", "lastId", "count"]),
    ("/fapi/v1/ticker/price", BTC, ["symbol", "price", "time"]),
    ("/fapi/v2/ticker/price", BTC, ["symbol", "price", "time"]),
    ("/fapi/v1/ticker/bookTicker", BTC,
     ["symbol", "bidPrice", "bidQty", "askPrice", "askQty", "time", "lastUpdateId"]),
    ("/fapi/v1/openInterest", BTC, ["symbol", "openInterest", "time"]),
    ("/futures/data/openInterestHist", STAT,
     ["symbol", "sumOpenInterest", "sumOpenInterestValue", "CMCCirculatingSupply", "timestamp"]),
    ("/futures/data/globalLongShortAccountRatio", STAT,
     ["symbol", "longAccount", "longShortRatio", "shortAccount", "timestamp"]),
    ("/futures/data/takerlongshortRatio", STAT, ["buySellRatio", "sellVol", "buyVol", "timestamp"]),
    ("/futures/data/basis", {**PAIR, "contractType": "PERPETUAL", "period": "5m"},
     ["indexPrice", "contractType", "basisRate", "futuresPrice", "annualizedBasisRate", "basis", "pair", "timestamp"]),
]


@pytest.mark.parametrize(("path", "params", "fields"), SHAPES, ids=[path for path, _, _ in SHAPES])
async def test_shapes(market: Market, path: str, params: dict[str, Any], fields: list[str]) -> None:
    content = await get(market, path, params)
    assert list(content[0] if isinstance(content, list) else content) == fields


async def test_the_book_and_its_limits(market: Market) -> None:
    book = await get(market, "/fapi/v1/depth", {**BTC, "limit": 20})
    assert len(book["bids"]) == len(book["asks"]) == 20
    prices = [Decimal(price) for price, _ in [*reversed(book["bids"]), *book["asks"]]]
    assert prices == sorted(set(prices))
    touch = await get(market, "/fapi/v1/ticker/bookTicker", BTC)
    assert [touch["bidPrice"], touch["bidQty"]] == book["bids"][0]
    assert touch["lastUpdateId"] == book["lastUpdateId"]
    assert (await market.ask("GET", "/fapi/v1/depth", {**BTC, "limit": 7}, signed=False))[1]["code"] == -4021


async def test_single_trades_add_up_to_aggregate_ones(market: Market) -> None:
    whole = await get(market, "/fapi/v1/aggTrades", {**BTC, "limit": 1000})
    single = {row["id"]: row for row in await get(market, "/fapi/v1/trades", {**BTC, "limit": 1000})}
    complete = [row for row in whole if all(number in single for number in range(row["f"], row["l"] + 1))]
    assert complete
    for row in complete:
        parts = [single[number] for number in range(row["f"], row["l"] + 1)]
        assert sum(Decimal(part["qty"]) for part in parts) == Decimal(row["q"])
        assert {(part["price"], part["time"], part["isBuyerMaker"]) for part in parts} == {
            (row["p"], row["T"], row["m"])}
    ids = [row["a"] for row in whole]
    assert ids == list(range(ids[0], ids[-1] + 1))
    later = await get(market, "/fapi/v1/aggTrades", {**BTC, "fromId": ids[5], "limit": 3})
    assert [row["a"] for row in later] == ids[5:8]
    both = await market.ask("GET", "/fapi/v1/aggTrades", {**BTC, "fromId": 1, "startTime": 1}, signed=False)
    assert both[1]["code"] == -1128


async def test_candles_are_whole_and_agree_with_longer_ones(market: Market) -> None:
    start = START_MS // 3_600_000 * 3_600_000 - 3_600_000
    minutes = await get(market, "/fapi/v1/klines", {
        **BTC, "interval": "1m", "startTime": start, "endTime": start + 3_599_999})
    hour = await get(market, "/fapi/v1/klines", {**BTC, "interval": "1h", "startTime": start, "limit": 1})
    assert len(minutes) == 60 and [row[0] for row in minutes] == list(range(start, start + 3_600_000, 60_000))
    assert hour[0][:2] == [start, minutes[0][1]] and hour[0][4] == minutes[-1][4]
    assert Decimal(hour[0][5]) == sum(Decimal(row[5]) for row in minutes)
    assert hour[0][2] == max((row[2] for row in minutes), key=Decimal)
    same = await get(market, "/fapi/v1/continuousKlines", {
        **PAIR, "contractType": "PERPETUAL", "interval": "1h", "startTime": start, "limit": 1})
    assert same == hour


async def test_minutes_are_those_of_the_venue(market: Market) -> None:
    market.pass_ms(200_000)
    now, asked = market.clock[0], MarketData(market.venue, Limits())
    for start in (None, now - 600_000, now - 599_999, now - 90 * 86_400_000, now - 30_000, now + 60_000):
        for end in (None, now, now - 60_000, now - 120_001, now - 80 * 86_400_000):
            for limit in (1, 7, 60):
                expected = market.venue.market.candles.klines(0, "1m", start, end, limit)
                assert asked.minutes(0, start, end, limit) == expected, (start, end, limit)


async def test_mark_index_and_premium_candles_agree(market: Market) -> None:
    asked = {"interval": "5m", "limit": 10}
    mark, index, premium = [
        await get(market, f"/fapi/v1/{name}", {**who, **asked})
        for name, who in (("markPriceKlines", BTC), ("indexPriceKlines", PAIR), ("premiumIndexKlines", BTC))]
    traded = await get(market, "/fapi/v1/klines", {**BTC, **asked})
    assert len(mark) == len(index) == len(premium) == 10
    for of_mark, of_index, of_premium, row in zip(mark, index, premium, traded, strict=True):
        close, share = float(row[4]), float(of_premium[4])
        assert float(of_index[4]) == pytest.approx(close * (1 - share), rel=1e-6)
        assert abs(float(of_mark[4]) / close - 1) < abs(share) + 1e-9
        assert float(of_index[3]) <= float(of_index[1]) <= float(of_index[2])
    assert float(index[-1][4]) == pytest.approx(float(market.venue.market.marks.index[0]), rel=1e-6)


@pytest.mark.parametrize(("path", "params", "code"), [
    ("/fapi/v1/klines", {**BTC, "interval": "7m"}, -1120),
    ("/fapi/v1/klines", {**BTC}, -1102),
    ("/fapi/v1/klines", {**BTC, "interval": "1m", "startTime": 2, "endTime": 1}, -1023),
    ("/fapi/v1/depth", {"symbol": "NOPEUSDT"}, -1121),
    ("/fapi/v1/ticker/24hr", {"symbol": "NOPEUSDT"}, -1121),
    ("/fapi/v1/depth", {**BTC, "depth": 5}, -1104),
    ("/fapi/v1/continuousKlines", {**PAIR, "contractType": "SPOT", "interval": "1m"}, -4104),
    ("/futures/data/openInterestHist", {**BTC, "period": "1m"}, -1120),
    ("/futures/data/openInterestHist", {**STAT, "limit": 501}, -1130),
    ("/futures/data/openInterestHist", {**STAT, "startTime": 1}, -1130),
])
async def test_refusals(market: Market, path: str, params: dict[str, Any], code: int) -> None:
    assert (await market.ask("GET", path, params, signed=False))[1]["code"] == code


async def test_filters_are_those_of_the_contract(market: Market) -> None:
    content = await get(market, "/fapi/v1/exchangeInfo")
    row, spec = content["symbols"][0], market.venue.specs[0]
    found = {one["filterType"]: one for one in row["filters"]}
    assert list(found) == ["PRICE_FILTER", "LOT_SIZE", "MARKET_LOT_SIZE", "MAX_NUM_ORDERS", "MAX_NUM_ALGO_ORDERS",
                           "MIN_NOTIONAL", "PERCENT_PRICE", "POSITION_RISK_CONTROL"]
    assert Decimal(found["PRICE_FILTER"]["tickSize"]) == spec.tick
    assert Decimal(found["LOT_SIZE"]["stepSize"]) == spec.step
    assert Decimal(found["MIN_NOTIONAL"]["notional"]) == spec.min_notional
    assert {one["rateLimitType"] for one in content["rateLimits"]} == {"REQUEST_WEIGHT", "ORDERS"}


async def test_old_trades_need_a_key(market: Market) -> None:
    status, content = await market.ask("GET", "/fapi/v1/historicalTrades", BTC, signed=False, key="nobody")
    assert (status, content["code"]) == (401, -2015)
    status, rows = await market.ask("GET", "/fapi/v1/historicalTrades", {**BTC, "limit": 5}, signed=False)
    assert status == 200 and len(rows) == 5
    again = (await market.ask(
        "GET", "/fapi/v1/historicalTrades", {**BTC, "fromId": rows[1]["id"], "limit": 2}, signed=False))[1]
    assert again == rows[1:3]
