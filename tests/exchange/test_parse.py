"""MEXC's recorded answers as our types, and what is refused (X12, X15, WIRE trap 4)."""

import json
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from modules.exchange import mexc_parse as parse
from modules.exchange.parsing import Unreadable
from modules.exchange.types import OrderStatus, OrderType, Side

D = Decimal
SYMBOL: dict[str, Any] = {
    "symbol": "BROCKUSDT", "status": "1", "baseAsset": "BROCK", "baseAssetPrecision": 2, "quoteAsset": "USDT",
    "quotePrecision": 5, "quoteAssetPrecision": 5, "orderTypes": ["LIMIT", "MARKET", "LIMIT_MAKER"],
    "isSpotTradingAllowed": True, "quoteAmountPrecision": "1", "baseSizePrecision": "0",
    "makerCommission": "0.0005", "takerCommission": "0.0005", "tradeSideType": 1,
}
TICKER: dict[str, Any] = {
    "symbol": "BTCUSDT", "priceChange": "1248.51", "priceChangePercent": "0.0173", "lastPrice": "73397.77",
    "bidPrice": "73369.83", "bidQty": "10.01", "askPrice": "73369.84", "quoteVolume": "554877037.44", "count": None,
}
ORDER: dict[str, Any] = {
    "symbol": "ATLASUSDT", "orderId": "C02__38", "clientOrderId": "cx-1", "price": "0.004327", "origQty": "1220",
    "executedQty": "1220", "cummulativeQuoteQty": "5.54124", "status": "FILLED", "timeInForce": None,
    "type": "MARKET", "side": "SELL", "time": "1707671871000", "updateTime": "1707671871000",
}
FILL: dict[str, Any] = {
    "symbol": "ATLASUSDT", "id": "dd44", "orderId": "C02__38", "price": "0.004542", "qty": "1220",
    "quoteQty": "5.54124", "commission": "0.0027", "commissionAsset": "USDT", "time": "1707671871000",
    "isBuyer": False, "isMaker": False, "clientOrderId": None,
}


def text(value: object) -> str:
    return json.dumps(value)


def info(**changes: Any) -> str:
    return text({"symbols": [SYMBOL | changes]})


API = text({"code": 0, "data": ["BROCKUSDT"]})


def test_a_market_has_exact_steps() -> None:
    found = parse.markets(info(), API)["BROCKUSDT"]
    assert (found.tick, found.step, found.min_notional) == (D("0.00001"), D("0.01"), D("1"))
    assert (found.taker_fee, found.trading, found.api_allowed, found.market_orders) == (D("0.0005"), True, True, True)


@pytest.mark.parametrize(("changes", "field", "value"), [
    ({"status": "2"}, "trading", False),
    ({"status": 1}, "trading", True),
    ({"isSpotTradingAllowed": False}, "api_allowed", False),
    ({"symbol": "OTHERUSDT"}, "api_allowed", False),
    ({"orderTypes": ["LIMIT", "LIMIT_MAKER"]}, "market_orders", False),
    ({"tradeSideType": 3}, "buys", False),
    ({"tradeSideType": 2}, "sells", False),
    ({"baseSizePrecision": "0.5"}, "step", D("0.5")),
])
def test_what_a_market_allows(changes: dict[str, Any], field: str, value: object) -> None:
    (found,) = parse.markets(info(**changes), API).values()
    assert getattr(found, field) == value


@pytest.mark.parametrize(("info_", "api"), [
    (text({"symbols": []}), API), (info(), text({"data": []})), (info(), "[]"), ("{}", API),
    (info(takerCommission="NaN"), API), (info(quoteAmountPrecision="-1"), API), (info(baseAssetPrecision=None), API),
])
def test_a_list_of_markets_is_taken_whole_or_not_at_all(info_: str, api: str) -> None:
    with pytest.raises(Unreadable):
        parse.markets(info_, api)


def test_a_percent_of_mexc_is_a_fraction() -> None:
    found, dropped = parse.tickers(text([TICKER]))
    assert dropped == []
    assert found["BTCUSDT"].change_pct == pytest.approx(1.73)
    assert found["BTCUSDT"].quote_volume == pytest.approx(554877037.44)


@pytest.mark.parametrize("changes", [
    {"lastPrice": "NaN"}, {"lastPrice": "0"}, {"bidPrice": "-1"}, {"askPrice": "inf"}, {"quoteVolume": None},
    {"quoteVolume": "-5"}, {"lastPrice": ""}, {"priceChangePercent": "NaN"}, {"lastPrice": [1]},
])
def test_a_bad_ticker_is_dropped_alone(changes: dict[str, Any]) -> None:
    found, dropped = parse.tickers(text([TICKER | {"symbol": "BADUSDT"} | changes, TICKER]))
    assert list(found) == ["BTCUSDT"] and len(dropped) == 1


def test_a_ticker_without_a_field_is_dropped_alone() -> None:
    rest = {name: value for name, value in TICKER.items() if name != "askPrice"}
    found, dropped = parse.tickers(text([rest | {"symbol": "BADUSDT"}, TICKER]))
    assert list(found) == ["BTCUSDT"] and len(dropped) == 1


@pytest.mark.parametrize("body", [
    "[]", "{}", "[1]", '[{"symbol":"BTCUSDT"}]', "[", text([TICKER | {"symbol": "BTCEUR"}]),
])
def test_no_usable_ticker_is_no_answer(body: str) -> None:
    with pytest.raises(Unreadable):
        parse.tickers(body)


CANDLE = [1710327600000, "73260.0", "73442.95", "73238.69", "73414.21", "49.560236", 1710331200000, "3633995.45"]


def test_candles_are_sorted_and_gaps_stay() -> None:
    later = [1710327600000 + 7_200_000, *CANDLE[1:]]
    found = parse.candles(text([later, CANDLE]))
    assert found.shape == (2, 6) and found.dtype == np.float64
    assert found[:, 0].tolist() == [1710327600000.0, 1710334800000.0]
    assert found[0, 1:].tolist() == [73260.0, 73442.95, 73238.69, 73414.21, 49.560236]
    assert parse.candles("[]").shape == (0, 6)


@pytest.mark.parametrize("row", [
    [*CANDLE[:1], "NaN", *CANDLE[2:]],
    [*CANDLE[:1], "-1", *CANDLE[2:]],
    [*CANDLE[:2], "1.0", *CANDLE[3:]],
    [*CANDLE[:5], "-0.1", *CANDLE[6:]],
    [*CANDLE[:5]],
    [None, *CANDLE[1:]],
])
def test_a_bad_candle_refuses_the_answer(row: list[Any]) -> None:
    with pytest.raises(Unreadable):
        parse.candles(text([row]))


def test_two_candles_of_one_time_are_refused() -> None:
    with pytest.raises(Unreadable):
        parse.candles(text([CANDLE, CANDLE]))


def test_a_book_is_exact() -> None:
    body = text({"lastUpdateId": "1", "bids": [["45995.47", "10.337165"]], "asks": [["45995.48", "13.457322"]],
                 "timestamp": "1704908526228"})
    found = parse.book("BTCUSDT", body, 1704908526000)
    assert found.bids == ((D("45995.47"), D("10.337165")),) and found.market_ms == 1704908526228
    assert parse.book("BTCUSDT", '{"bids":[],"asks":[]}', 5).market_ms == 5


@pytest.mark.parametrize("sides", [
    ([["2", "1"]], [["1", "1"]]), ([["2", "1"]], [["2", "1"]]), ([["1", "1"], ["2", "1"]], []),
    ([], [["2", "1"], ["1", "1"]]), ([["NaN", "1"]], []), ([["1", "-1"]], []), ([["0", "1"]], []), ([["1"]], []),
    ([["1", None]], []), (None, []),
])
def test_a_book_that_cannot_be_is_refused(sides: tuple[Any, Any]) -> None:
    with pytest.raises(Unreadable):
        parse.book("X", text({"bids": sides[0], "asks": sides[1]}), 5)


def test_an_order_and_its_fill() -> None:
    found = parse.order(text(ORDER), "ATLASUSDT", "cx-1")
    assert (found.status, found.type, found.side) == (OrderStatus.FILLED, OrderType.MARKET, Side.SELL)
    assert (found.filled, found.filled_quote, found.created_ms) == (D(1220), D("5.54124"), 1707671871000)
    (fill,) = parse.fills(text([FILL]), "ATLASUSDT")
    assert (fill.price, fill.quantity, fill.fee, fill.fee_asset, fill.side) == (
        D("0.004542"), D(1220), D("0.0027"), "USDT", Side.SELL)


@pytest.mark.parametrize(("status", "expected"), [
    ("NEW", OrderStatus.NEW), ("PARTIALLY_FILLED", OrderStatus.PARTIAL), ("FILLED", OrderStatus.FILLED),
    ("CANCELED", OrderStatus.CANCELED), ("PARTIALLY_CANCELED", OrderStatus.CANCELED),
])
def test_every_status(status: str, expected: OrderStatus) -> None:
    executed = {"executedQty": "0", "cummulativeQuoteQty": "0"} if status == "NEW" else {}
    assert parse.order(text(ORDER | {"status": status} | executed), "ATLASUSDT", "cx-1").status is expected


@pytest.mark.parametrize("changes", [
    {"symbol": "DOGEUSDT"}, {"clientOrderId": "other"}, {"status": "PENDING"}, {"type": "STOP_LIMIT"},
    {"side": "buy"}, {"executedQty": "NaN"}, {"executedQty": "-1"}, {"executedQty": None}, {"origQty": "x"},
    {"time": None}, {"time": 0}, {"time": "1e16"}, {"orderId": ""}, {"status": "NEW"}, {"executedQty": "0"},
    {"type": "LIMIT", "executedQty": "1221"}, {"executedQty": "1_220"}, {"executedQty": "1E+99"},
])
def test_an_order_that_cannot_be_trusted_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        parse.order(text(ORDER | changes), "ATLASUSDT", "cx-1")


@pytest.mark.parametrize("changes", [{"price": "0"}, {"qty": "NaN"}, {"commission": None}, {"symbol": "DOGEUSDT"},
                                     {"commission": "5.6"}, {"commissionAsset": ""}, {"id": ""},
                                     {"commissionAsset": "ATLAS", "commission": "1221"}])
def test_a_fill_that_cannot_be_trusted_refuses_all(changes: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        parse.fills(text([FILL, FILL | {"id": "2"} | changes]), "ATLASUSDT")


@pytest.mark.parametrize("rows", [
    [{"asset": "USDT", "free": "NaN", "locked": "0"}], [{"asset": "USDT", "free": "-1", "locked": "0"}],
    [{"asset": "USDT", "free": "1"}], [{"asset": "USDT", "free": "1", "locked": "0"}] * 2, None,
])
def test_balances_are_taken_whole_or_not_at_all(rows: object) -> None:
    with pytest.raises(Unreadable):
        parse.balances(text({"canTrade": True, "canWithdraw": False, "balances": rows}))


def test_zero_balances_are_left_out() -> None:
    rows = [{"asset": "USDT", "free": "1.10", "locked": "0"}, {"asset": "MX", "free": "0", "locked": "0"}]
    assert list(parse.balances(text({"canTrade": True, "canWithdraw": False, "balances": rows}))) == ["USDT"]


def test_the_same_row_told_twice_is_one() -> None:
    assert len(parse.fills(text([FILL, FILL]), "ATLASUSDT")) == 1
    assert len(parse.orders(text([ORDER, ORDER]))) == 1
    found, dropped = parse.tickers(text([TICKER, TICKER]))
    assert list(found) == ["BTCUSDT"] and dropped == []


def test_two_truths_about_one_thing_are_refused() -> None:
    with pytest.raises(Unreadable, match="told twice, differently"):
        parse.fills(text([FILL, FILL | {"qty": "7"}]), "ATLASUSDT")
    with pytest.raises(Unreadable, match="told twice, differently"):
        parse.orders(text([ORDER, ORDER | {"executedQty": "7"}]))
    with pytest.raises(Unreadable, match="told twice, differently"):  # one client id, two orders
        parse.orders(text([ORDER, ORDER | {"orderId": "another"}]))
    with pytest.raises(Unreadable, match="told twice, differently"):
        parse.markets(text({"symbols": [SYMBOL, SYMBOL | {"status": "2"}]}), API)
    found, dropped = parse.tickers(text([TICKER, TICKER | {"lastPrice": "1"}, TICKER | {"symbol": "ETHUSDT"}]))
    assert list(found) == ["ETHUSDT"] and len(dropped) == 1


@pytest.mark.parametrize("fee_asset", ["MX", "USDT", "ATLAS"])
def test_fees_in_any_coin(fee_asset: str) -> None:
    (fill,) = parse.fills(text([FILL | {"commissionAsset": fee_asset}]), "ATLASUSDT")
    assert (fill.fee, fill.fee_asset) == (D("0.0027"), fee_asset)


def test_numbers_are_exact_as_text_or_bare() -> None:
    for written in ('"0.004542"', "0.004542", '"4.542E-3"'):
        body = text([FILL]).replace('"0.004542"', written)
        assert parse.fills(body, "ATLASUSDT")[0].price == D("0.004542")


def test_a_book_from_the_future_is_none() -> None:
    body = text({"bids": [["1", "1"]], "asks": [], "timestamp": 1_800_000_000_000})
    with pytest.raises(Unreadable, match="ahead"):
        parse.book("X", body, 1_700_000_000_000)
