"""Market data over the wire: pages of candles, fills in full windows, tickers reported once."""

import json
import logging

import pytest
from aiohttp import web

from modules.exchange.types import Denied, Side, Unavailable
from modules.exchange.venue_mexc import FILLS_A_CALL, KLINES_A_CALL, MexcAccount, MexcMarket
from tests.exchange.fake_venue import START_MS, FakeVenue, Reply, linked

STEP = 60_000
LAST = START_MS - START_MS % STEP


def serve_klines(venue: FakeVenue, opens: list[int]) -> None:
    """Like MEXC: the window's newest candles, at most 500, both ends included."""

    async def answer(request: web.Request) -> Reply:
        query = request.query
        start, end = int(query.get("startTime", 0)), int(query.get("endTime", 10**15))
        inside = [ms for ms in opens if start <= ms <= end][-min(int(query["limit"]), 500):]
        return Reply([[ms, "1.0", "1.5", "0.5", "1.2", "10", ms + STEP, "12"] for ms in inside])

    venue.answers[("GET", "klines")] = answer


async def test_many_candles_come_in_pages(venue: FakeVenue) -> None:
    opens = [LAST - n * STEP for n in range(2000, -1, -1)]
    serve_klines(venue, opens)
    market = MexcMarket(await linked(venue))
    try:
        found = await market.candles("PEPEUSDT", "1m", 1300)
        assert found[:, 0].tolist() == [float(ms) for ms in opens[-1300:]]
        assert venue.count("GET", "klines") == 3
        assert (await market.candles("PEPEUSDT", "1m", 5000)).shape == (2001, 6)
        assert (await market.candles("PEPEUSDT", "1m", 10)).shape == (10, 6)
        assert (await market.candles("PEPEUSDT", "1m", 0)).shape == (0, 6)
        since = await market.candles("PEPEUSDT", "1m", 1100, since_ms=opens[100])
        assert since[:, 0].tolist() == [float(ms) for ms in opens[100:1200]]
    finally:
        await market.close()


async def test_gaps_stay_gaps(venue: FakeVenue) -> None:
    """A pair that was not traded for long: a page without candles is not the end of the history."""
    opens = [LAST - n * STEP for n in range(3000, -1, -1) if not 700 < n < 2500]
    serve_klines(venue, opens)
    market = MexcMarket(await linked(venue))
    try:
        found = await market.candles("PEPEUSDT", "1m", 800, since_ms=LAST - 3000 * STEP)
        assert found[:, 0].tolist() == [float(ms) for ms in opens[:800]]
    finally:
        await market.close()


async def test_hours_are_called_60m(venue: FakeVenue) -> None:
    serve_klines(venue, [LAST])
    market = MexcMarket(await linked(venue))
    try:
        await market.candles("PEPEUSDT", "1h", 5)
        assert venue.requests[-1][2]["interval"] == "60m"
        assert KLINES_A_CALL == 500
    finally:
        await market.close()


def fill_row(number: int, ms: int) -> dict[str, object]:
    return {"symbol": "PEPEUSDT", "id": f"f{number}", "orderId": "o", "price": "1", "qty": "2", "commission": "0",
            "commissionAsset": "USDT", "time": ms, "isBuyer": True, "isMaker": False, "clientOrderId": "cx"}


@pytest.mark.parametrize("newest", [True, False])
async def test_all_fills_are_found_whichever_the_venue_leaves_out(venue: FakeVenue, newest: bool) -> None:
    fills = [fill_row(n, START_MS - 100_000 + n * 37) for n in range(430)]

    async def answer(request: web.Request) -> Reply:
        start, end = int(request.query["startTime"]), int(request.query["endTime"])
        inside = [row for row in fills if start <= int(str(row["time"])) <= end]
        return Reply(inside[-FILLS_A_CALL:] if newest else inside[:FILLS_A_CALL])

    venue.answers[("GET", "myTrades")] = answer
    link = await linked(venue, speed=100.0)
    try:
        found = await MexcAccount(link, "key-of-tests", "secret-of-tests").fills("PEPEUSDT", START_MS - 3_600_000)
        assert [fill.id for fill in found] == [f"f{n}" for n in range(430)]
        assert found[0].side is Side.BUY
    finally:
        await link.close()


async def test_dropped_tickers_are_reported_once_an_episode(
    venue: FakeVenue, caplog: pytest.LogCaptureFixture
) -> None:
    good = {"symbol": "AUSDT", "lastPrice": "1", "bidPrice": "1", "askPrice": "1.1", "quoteVolume": "5",
            "priceChangePercent": "0.1"}
    venue.set("GET", "ticker/24hr", [good, good | {"symbol": "BUSDT", "lastPrice": None}])
    caplog.set_level(logging.WARNING)
    market = MexcMarket(await linked(venue, speed=100.0))
    try:
        assert list(await market.tickers()) == ["AUSDT"]
        assert list(await market.tickers()) == ["AUSDT"]
        assert sum("tickers dropped" in record.getMessage() for record in caplog.records) == 1
        venue.set("GET", "ticker/24hr", [good])
        await market.tickers()
        venue.set("GET", "ticker/24hr", json.dumps([{}, good]))
        await market.tickers()
        assert sum("tickers dropped" in record.getMessage() for record in caplog.records) == 2
    finally:
        await market.close()


async def test_markets_are_kept_until_asked_to_refresh(venue: FakeVenue) -> None:
    row = {"symbol": "AUSDT", "status": "1", "baseAsset": "A", "quoteAsset": "USDT", "baseAssetPrecision": 2,
           "quoteAssetPrecision": 4, "baseSizePrecision": "0", "quoteAmountPrecision": "1", "takerCommission": "0",
           "makerCommission": "0", "isSpotTradingAllowed": True, "orderTypes": ["MARKET"]}
    venue.set("GET", "exchangeInfo", {"symbols": [row]})
    venue.set("GET", "defaultSymbols", {"code": 0, "data": ["AUSDT"]})
    market = MexcMarket(await linked(venue))
    try:
        assert (await market.markets())["AUSDT"].trading
        venue.set("GET", "exchangeInfo", {"symbols": [row | {"status": "2"}]})
        assert (await market.markets())["AUSDT"].trading
        assert not (await market.markets(refresh=True))["AUSDT"].trading
    finally:
        await market.close()


async def test_an_answer_of_another_type_is_no_answer(venue: FakeVenue) -> None:
    """WIRE trap 4, X15."""
    market = MexcMarket(await linked(venue, timeout_s=0.2))
    try:
        bodies: tuple[object, ...] = ("<html>maintenance</html>", "", {"bids": []}, [], {"bids": "none", "asks": []})
        for body in bodies:
            venue.set("GET", "depth", body)
            with pytest.raises(Unavailable):
                await market.book("PEPEUSDT")
        venue.set("GET", "depth", {"code": -1121, "msg": "Invalid symbol."}, status=400)
        with pytest.raises(Denied) as denied:
            await market.book("NOPEUSDT")
        assert denied.value.code == "-1121" and venue.count("GET", "depth") > 5
    finally:
        await market.close()
