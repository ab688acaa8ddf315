"""Bybit's answers as our types: side tables, the traps of v5, and bodies that are not taken (X15, X22, X23).

The rows are written by hand after the venue's documentation and the answers that other clients keep as fixtures.
"""

import json
from decimal import Decimal
from typing import Any

import pytest

from modules.exchange import bybit_events as events
from modules.exchange import bybit_parse as parse
from modules.exchange import bybit_public as public
from modules.exchange.binance_events import MoneyNews, OrderNews, TriggerNews, Trouble
from modules.exchange.bybit_account import order_params, trigger_params
from modules.exchange.bybit_codes import BYBIT
from modules.exchange.classify import Answer, classify
from modules.exchange.futures_types import MarginMode, TriggerKind, TriggerRequest, TriggerStatus
from modules.exchange.parsing import Unreadable
from modules.exchange.types import (
    OrderRequest,
    OrderStatus,
    OrderType,
    PositionSide,
    Refused,
    Side,
    Unknown,
)

D = Decimal
NOW = 1_684_765_770_483
LONG, SHORT, BOTH = PositionSide.LONG, PositionSide.SHORT, PositionSide.BOTH
ORDER = {
    "orderId": "fd4300ae-7847-404e-b947-b46980a4d140", "orderLinkId": "cx-1", "blockTradeId": "", "symbol": "ETHUSDT",
    "price": "1600.00", "qty": "0.10", "side": "Buy", "isLeverage": "", "positionIdx": 1, "orderStatus": "New",
    "cancelType": "UNKNOWN", "rejectReason": "EC_NoError", "avgPrice": "", "leavesQty": "0.10", "leavesValue": "160",
    "cumExecQty": "0.00", "cumExecValue": "0", "cumExecFee": "0", "timeInForce": "GTC", "orderType": "Limit",
    "stopOrderType": "UNKNOWN", "triggerPrice": "0.00", "triggerDirection": 0, "triggerBy": "UNKNOWN",
    "reduceOnly": False, "closeOnTrigger": False, "createdTime": "1684738540559", "updatedTime": "1684738540561"}
STOP = {**ORDER, "orderLinkId": "cx-stop", "side": "Sell", "orderType": "Market", "timeInForce": "IOC", "qty": "0",
        "orderStatus": "Untriggered", "stopOrderType": "Stop", "triggerPrice": "1500", "triggerDirection": 2,
        "triggerBy": "MarkPrice", "reduceOnly": True, "closeOnTrigger": True}
FILL = {
    "symbol": "ETHUSDT", "orderType": "Market", "orderLinkId": "cx-1", "side": "Buy", "orderId": "8c065341",
    "stopOrderType": "UNKNOWN", "execTime": "1672282722429", "isMaker": False, "execFee": "0.071409",
    "feeRate": "0.0006", "execId": "e0cbe81d-0f18-5866-9415-cf319b5dab3b", "execPrice": "1190.15", "execType": "Trade",
    "execQty": "0.1", "execValue": "119.015", "closedSize": "0", "feeCurrency": "", "seq": 4688002127}
POSITION = {
    "positionIdx": 0, "riskId": 1, "symbol": "BTCUSDT", "side": "Buy", "size": "0.5", "avgPrice": "50000.00",
    "positionValue": "25000", "tradeMode": 0, "leverage": "10", "positionBalance": "2500.00", "markPrice": "50500.00",
    "liqPrice": "45000.00", "positionMM": "250.00", "unrealisedPnl": "250.00"}


def told(result: Any, code: int = 0) -> str:
    return json.dumps({"retCode": code, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": NOW})


def listed(*rows: dict[str, Any], cursor: str = "") -> str:
    return told({"list": list(rows), "nextPageCursor": cursor, "category": "linear"})


# -- what is sent -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side, leg, sent", [
    (Side.BUY, LONG, ("Buy", 1, None)), (Side.SELL, LONG, ("Sell", 1, True)),
    (Side.SELL, SHORT, ("Sell", 2, None)), (Side.BUY, SHORT, ("Buy", 2, True)), (Side.BUY, BOTH, ("Buy", 0, None)),
], ids=lambda value: str(value))
def test_sides(side: Side, leg: PositionSide, sent: tuple[str, int, bool | None]) -> None:
    """X23: `side` is the order's own, `positionIdx` names the leg; what closes can only reduce."""
    request = OrderRequest("cx-1", "BTCUSDT", side, OrderType.MARKET, D("0.01"), position_side=leg)
    params = order_params(request)
    assert (params["side"], params["positionIdx"], params.get("reduceOnly")) == sent
    assert set(params) <= {"category", "symbol", "side", "orderType", "qty", "timeInForce", "positionIdx",
                           "orderLinkId", "price", "reduceOnly"}, "nothing travels that the venue passes over"


@pytest.mark.parametrize("kind, side, leg, direction", [
    (TriggerKind.STOP, Side.SELL, LONG, 2), (TriggerKind.TAKE, Side.SELL, LONG, 1),
    (TriggerKind.STOP, Side.BUY, SHORT, 1), (TriggerKind.TAKE, Side.BUY, SHORT, 2),
    (TriggerKind.STOP, Side.SELL, BOTH, 2), (TriggerKind.TAKE, Side.BUY, BOTH, 2),
], ids=lambda value: str(value))
def test_directions_of_triggers(kind: TriggerKind, side: Side, leg: PositionSide, direction: int) -> None:
    """A wrong direction fires at once, or never (WIRE: ccxt demands it where no stop price is named)."""
    params = trigger_params(TriggerRequest("cx-s", "BTCUSDT", side, leg, kind, D(50000), None))
    assert (params["triggerDirection"], params["qty"], params["reduceOnly"], params["closeOnTrigger"]) == (
        direction, "0", True, True)
    assert parse.trigger_kind(side, direction) is kind
    fixed = trigger_params(TriggerRequest("cx-s", "BTCUSDT", side, leg, kind, D(50000), D("0.5")))
    assert fixed["qty"] == "0.5" and fixed["reduceOnly"] is True and "closeOnTrigger" not in fixed


@pytest.mark.parametrize("more", [
    {"quantity": D(0)}, {"quantity": D(-1)}, {"quantity": None}, {"quote_quantity": D(5)}, {"price": D(5)},
    {"type": OrderType.LIMIT}, {"reduce_only": True, "position_side": LONG},
], ids=lambda more: "+".join(more))
def test_senseless_orders_are_not_sent(more: dict[str, Any]) -> None:
    """Quantity 0 would close the whole position at Bybit."""
    made: dict[str, Any] = {"quantity": D("0.1"), "type": OrderType.MARKET, **more}
    kind = made.pop("type")
    with pytest.raises(ValueError):
        order_params(OrderRequest("cx", "BTCUSDT", Side.BUY, kind, **made))


def test_a_trigger_that_would_open_is_not_sent() -> None:
    with pytest.raises(ValueError):
        trigger_params(TriggerRequest("cx", "BTCUSDT", Side.BUY, LONG, TriggerKind.STOP, D(1), None))


# -- what comes back: outcomes -----------------------------------------------------------------------


@pytest.mark.parametrize("status, body, kind", [
    (200, told({}), Answer), (200, told({}, 110007), Refused), (200, told({}, 110001), Refused),
    (200, told({}, 10006), Refused), (200, told({}, 10002), Refused), (200, told({}, 10016), Unknown),
    (200, told({}, 10000), Unknown), (200, told({}, 10014), Unknown), (200, told({}, 99_999), Unknown),
    (200, told({}, 110034), Refused), (500, told({}), Unknown), (200, "", Unknown), (200, "<html></html>", Unknown),
    (200, told({})[:20], Unknown), (403, "access too frequent", Refused),
], ids=lambda value: value[:30] if isinstance(value, str) else str(value))
def test_outcomes(status: int, body: str, kind: type) -> None:
    """HTTP 200 says nothing at Bybit: the code does; a code that nobody listed is unknown (X3)."""
    assert type(classify(status, {}, body, BYBIT)) is kind


@pytest.mark.parametrize("headers, body, rest", [
    ({}, "403, access too frequent", None), ({}, told({}, 10018), None),
    ({}, "<html>403 Forbidden</html>", 5.0), ({"Retry-After": "3"}, "<html></html>", 3.0)])
def test_a_403_that_does_not_say_that_it_is_a_ban_stops_protection_for_a_short_while_only(
        headers: dict[str, str], body: str, rest: float | None) -> None:
    """No time told: the limiter's own, which is that of a ban."""
    found = classify(403, headers, body, BYBIT)
    assert isinstance(found, Refused) and found.retry_after_s == rest


@pytest.mark.parametrize("body", ["{}", "[]", '{"result":{}}', '{"retCode":0}', told([]), told({"orderId": "1"})])
def test_an_answer_to_an_order_that_is_none(body: str) -> None:
    with pytest.raises(Unreadable):
        parse.placed(body, "cx-1")


def test_an_answer_about_another_order_is_not_believed() -> None:
    assert parse.placed(told({"orderId": "7", "orderLinkId": "cx-1"}), "cx-1") == "7"
    with pytest.raises(Unreadable):
        parse.placed(told({"orderId": "7", "orderLinkId": "cx-2"}), "cx-1")
    rows, _ = parse.order_rows(listed(ORDER))
    with pytest.raises(Unreadable):
        parse.named(rows, "ETHUSDT", "cx-other")
    with pytest.raises(Unreadable):
        parse.named(rows, "BTCUSDT", "cx-1")
    assert parse.named([], "ETHUSDT", "cx-1") is None


# -- orders -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word, status", [
    ("New", OrderStatus.NEW), ("PartiallyFilled", OrderStatus.PARTIAL), ("Filled", OrderStatus.FILLED),
    ("Cancelled", OrderStatus.CANCELED), ("Rejected", OrderStatus.REJECTED), ("Deactivated", OrderStatus.CANCELED)])
def test_states_of_orders(word: str, status: OrderStatus) -> None:
    row = parse.order_rows(listed({**ORDER, "orderStatus": word}))[0][0]
    found = parse.order(row)
    assert (found.status, found.position_side, found.quantity, found.type) == (status, LONG, D("0.10"), OrderType.LIMIT)


@pytest.mark.parametrize("more", [
    {"orderStatus": "Created"}, {"positionIdx": 3}, {"side": "buy"}, {"cumExecQty": "0.2"}, {"timeInForce": "GTX"},
    {"createdTime": "0"}, {"qty": "NaN"}, {"qty": "-1"}], ids=lambda more: next(iter(more)))
def test_orders_that_are_not_taken(more: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        parse.order(parse.order_rows(listed({**ORDER, **more}))[0][0])


def test_one_id_told_twice_differently_is_not_believed() -> None:
    assert len(parse.order_rows(listed(ORDER, ORDER))[0]) == 1
    with pytest.raises(Unreadable):
        parse.order_rows(listed(ORDER, {**ORDER, "orderLinkId": "cx-2"}))


@pytest.mark.parametrize("more, status", [
    ({}, TriggerStatus.WAITING), ({"orderStatus": "Filled", "cumExecQty": "0.1"}, TriggerStatus.TRIGGERED),
    ({"orderStatus": "Deactivated"}, TriggerStatus.CANCELED), ({"orderStatus": "Cancelled"}, TriggerStatus.CANCELED),
    ({"orderStatus": "Cancelled", "cumExecQty": "0.1"}, TriggerStatus.TRIGGERED),
    ({"orderStatus": "Rejected"}, TriggerStatus.REJECTED)], ids=lambda value: str(value))
def test_states_of_conditional_orders(more: dict[str, Any], status: TriggerStatus) -> None:
    """Triggered, it is the same order under the same id: its executions are told by that."""
    row = parse.order_rows(listed({**STOP, **more}))[0][0]
    found = parse.trigger(row)
    assert parse.conditional(row) and (found.status, found.kind, found.position_side) == (
        status, "STOP_MARKET", LONG)
    assert found.quantity is None and found.trigger == 1500
    assert found.order_id == (found.trigger_id if status is TriggerStatus.TRIGGERED else "")


@pytest.mark.parametrize("word, kind", [("StopLoss", "STOP_MARKET"), ("TakeProfit", "TAKE_PROFIT_MARKET"),
                                        ("TrailingStop", "STOP_MARKET")])
def test_what_the_owner_set_on_the_page_does_not_blind_us(word: str, kind: str) -> None:
    """It has no client id, no direction, maybe no price yet; were it refused, no guard of ours could be seen."""
    row = {**STOP, "orderId": "by-hand", "orderLinkId": "", "stopOrderType": word, "triggerDirection": 0,
           "triggerPrice": ""}
    found = [parse.trigger(one) for one in parse.order_rows(listed(STOP, row))[0]]
    assert [(one.client_id, one.kind) for one in found] == [("cx-stop", "STOP_MARKET"), ("", kind)]


@pytest.mark.parametrize("more", [{"triggerDirection": 0, "stopOrderType": "OcoOrder"}, {"triggerPrice": "-1"},
                                  {"positionIdx": 9}])
def test_conditional_orders_that_are_not_taken(more: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        parse.trigger(parse.order_rows(listed({**STOP, **more}))[0][0])


# -- executions -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side, closed, leg", [
    ("Buy", "0", LONG), ("Sell", "0.1", LONG), ("Sell", "0", SHORT), ("Buy", "0.1", SHORT)])
def test_legs_of_executions(side: str, closed: str, leg: PositionSide) -> None:
    """Executions carry no `positionIdx`: what was closed tells the leg."""
    rows, _ = parse.fills(listed({**FILL, "side": side, "closedSize": closed}), "ETHUSDT", True)
    assert [one.position_side for one in rows] == [leg]
    rows, _ = parse.fills(listed({**FILL, "side": side, "closedSize": closed}), "ETHUSDT", False)
    assert [one.position_side for one in rows] == [BOTH]


def test_an_execution_without_its_closed_size_has_no_leg() -> None:
    with pytest.raises(Unreadable):
        parse.fills(listed({**FILL, "closedSize": ""}), "ETHUSDT", True)
    assert len(parse.fills(listed({**FILL, "closedSize": ""}), "ETHUSDT", False)[0]) == 1


def test_funding_among_the_executions_is_no_trade() -> None:
    """Counted as a trade it would book a position that nobody holds."""
    funding = {**FILL, "execId": "f", "execType": "Funding", "execFee": "0.5"}
    liquidation = {**FILL, "execId": "b", "execType": "BustTrade"}
    assert [one.id for one in parse.fills(listed(funding, liquidation), "ETHUSDT", True)[0]] == ["b"]
    with pytest.raises(Unreadable):
        parse.fills(listed({**FILL, "execType": "MovePosition"}), "ETHUSDT", True)
    with pytest.raises(Unreadable):
        parse.fills(listed(FILL), "BTCUSDT", True)


# -- the account -----------------------------------------------------------------------------------------------

COIN = {"coin": "USDT", "walletBalance": "1000.5", "equity": "1010.5", "locked": "1", "totalOrderIM": "20",
        "totalPositionIM": "300", "totalPositionMM": "12.5", "unrealisedPnl": "10"}


def test_the_wallet_of_either_margin_mode() -> None:
    """With isolated margin the account's own totals are empty texts: read as 0 nothing could be traded, left to the
    balance everything that is tied up would be spent twice.
    """
    cross = parse.wallet(listed({"totalAvailableBalance": "700.25", "coin": [COIN]}))
    assert (cross.balance, cross.equity, cross.available, cross.maintenance) == (
        D("1000.5"), D("1010.5"), D("700.25"), D("12.5"))
    assert parse.wallet(listed({"totalAvailableBalance": "", "coin": [COIN]})).available == D("679.5")
    for wrong in (listed(), listed({"coin": []}), listed({"coin": [{**COIN, "equity": ""}]})):
        with pytest.raises(Unreadable):
            parse.wallet(wrong)


def test_the_margin_mode_is_the_accounts_and_not_the_positions() -> None:
    info = {"marginMode": "ISOLATED_MARGIN", "unifiedMarginStatus": 5}
    mode = parse.margin(told(info))
    assert mode is MarginMode.ISOLATED
    rows, _ = parse.position_rows(listed(POSITION))
    found = parse.setup(rows, "BTCUSDT", mode)
    assert found is not None and (found.margin, found.leverage) == (MarginMode.ISOLATED, 10)
    assert parse.margin(told({**info, "marginMode": "PORTFOLIO_MARGIN"})) is None
    for wrong in ({**info, "marginMode": "OTHER"}, {**info, "unifiedMarginStatus": 1}):
        with pytest.raises(Unreadable):
            parse.margin(told(wrong))


def test_positions_are_read_by_index() -> None:
    long, short = {**POSITION, "positionIdx": 1}, {**POSITION, "positionIdx": 2, "side": "Sell", "liqPrice": ""}
    found = parse.positions(parse.position_rows(listed(short, long))[0], True)
    assert [(one.side, one.quantity, one.liquidation, one.isolated_margin) for one in found] == [
        (SHORT, D("-0.5"), None, D(2500)), (LONG, D("0.5"), D(45000), D(2500))]
    for more in ({"positionIdx": 4}, {"positionIdx": 1, "side": "Sell"}, {"side": ""}, {"avgPrice": ""}):
        with pytest.raises(Unreadable):
            parse.positions(parse.position_rows(listed({**POSITION, **more}))[0], True)
    with pytest.raises(Unreadable):
        parse.position_rows(listed(POSITION, {**POSITION, "size": "1"}))


def test_the_position_mode_shows_in_the_rows() -> None:
    empty = {**POSITION, "size": "0", "side": ""}

    def rows(*indexes: int) -> list[Any]:
        return parse.position_rows(listed(*({**empty, "positionIdx": index} for index in indexes)))[0]
    assert parse.hedged(rows(0), "BTCUSDT") is False and parse.hedged(rows(1, 2), "BTCUSDT") is True
    for wrong in (rows(), rows(1), rows(0, 1, 2)):
        with pytest.raises(Unreadable):
            parse.hedged(wrong, "BTCUSDT")
    with pytest.raises(Unreadable):
        parse.hedged(rows(0), "ETHUSDT")
    two = parse.position_rows(listed({**empty, "positionIdx": 1}, {**empty, "positionIdx": 2, "leverage": "5"}))[0]
    assert parse.setup(two, "BTCUSDT", MarginMode.CROSSED) is None, "the two sides differ"


LOG = {"id": "592324_XRPUSDT_161440249321", "symbol": "XRPUSDT", "type": "TRADE", "currency": "USDT",
       "change": "-0.0190872", "transactionTime": "1672121182224", "tradeId": "5184f079", "funding": ""}


def test_changes_of_the_wallet() -> None:
    """Rows of one order share their id: only with the trade's they are told apart."""
    rows, _ = parse.incomes(listed(
        LOG, {**LOG, "tradeId": "8569c10f", "change": "-0.0026028"},
        {**LOG, "type": "SETTLEMENT", "change": "-0.003676", "tradeId": "", "funding": "-0.003676"},
        {**LOG, "type": "TRANSFER_OUT", "change": "-5", "tradeId": "", "symbol": ""},
        {**LOG, "type": "LIQUIDATION", "change": "-9", "tradeId": "77"},
        {**LOG, "type": "BONUS", "change": "3", "tradeId": ""}))
    assert [(row.kind, row.amount) for row in rows] == [
        ("REALIZED_PNL", D("-0.0190872")), ("REALIZED_PNL", D("-0.0026028")), ("FUNDING_FEE", D("-0.003676")),
        ("TRANSFER", D(-5)), ("INSURANCE_CLEAR", D(0)), ("BONUS", D(3))]
    assert len({(row.kind, row.id, row.symbol) for row in rows}) == 6


# -- market data -----------------------------------------------------------------------------------------------


def test_rates_in_percent_are_not_taken_for_fractions() -> None:
    """Older documents show `maintenanceMargin` 0.5 for half a percent."""
    row = {"id": 1, "symbol": "BTCUSDT", "riskLimitValue": "2000000", "maintenanceMargin": "0.005",
           "initialMargin": "0.01", "maxLeverage": "100.00", "mmDeduction": ""}
    more = {**row, "riskLimitValue": "2600000", "maintenanceMargin": "0.0056", "maxLeverage": "90.00",
            "mmDeduction": "1200"}
    found = public.brackets(listed(more, row), "BTCUSDT")
    assert [(one.floor, one.leverage, one.rate, one.cum) for one in found] == [
        (0, 100, D("0.005"), 0), (2_000_000, 90, D("0.0056"), 1200)]
    with pytest.raises(Unreadable):
        public.brackets(listed({**row, "maintenanceMargin": "0.5"}), "BTCUSDT")
    with pytest.raises(Unreadable):
        public.brackets(listed(row), "ETHUSDT")


def test_candles_are_told_newest_first() -> None:
    rows = [[str(1670608800000 - 3_600_000 * n), "17071", "17073", "17027", "17055.5", "268611", "15.7"]
            for n in range(3)]
    found = public.candles(told({"symbol": "BTCUSDT", "category": "linear", "list": rows}), "BTCUSDT")
    assert found.shape == (3, 6) and (found[1:, 0] > found[:-1, 0]).all()
    for wrong in (rows[::-1], [rows[0], rows[0]]):
        with pytest.raises(Unreadable):
            public.candles(told({"symbol": "BTCUSDT", "list": wrong}), "BTCUSDT")
    with pytest.raises(Unreadable):
        public.candles(told({"symbol": "ETHUSDT", "list": rows}), "BTCUSDT")


def test_a_book_that_is_crossed_or_of_another_contract() -> None:
    row = {"s": "BTCUSDT", "b": [["62710.2", "5.52"]], "a": [["62710.3", "0.01"]], "ts": NOW, "u": 1, "seq": 2}
    assert public.book("BTCUSDT", told(row)).bids[0] == (D("62710.2"), D("5.52"))
    for more in ({"s": "ETHUSDT"}, {"a": [["62710.1", "1"]]}, {"b": [["1", "1"], ["2", "1"]]}, {"ts": 5}):
        with pytest.raises(Unreadable):
            public.book("BTCUSDT", told({**row, **more}))


# -- the private stream -----------------------------------------------------------------------------------------------


def frame(topic: str, *rows: dict[str, Any]) -> bytes:
    return json.dumps({"id": "1", "topic": topic, "creationTime": NOW, "data": list(rows)}).encode()


def test_news_of_the_stream() -> None:
    assert isinstance(events.read(frame("order", ORDER)), OrderNews)
    assert isinstance(events.read(frame("order.linear", STOP)), TriggerNews)
    assert isinstance(events.read(frame("execution", FILL)), MoneyNews)
    assert isinstance(events.read(frame("position", POSITION)), MoneyNews)
    assert events.read(frame("wallet")) is None
    liquidation = events.read(frame("order", ORDER, {**ORDER, "createType": "CreateByLiq"}))
    assert isinstance(liquidation, OrderNews) and liquidation.liquidation


@pytest.mark.parametrize("raw", [
    b"", b"{}", b"[1]", b"\xff", frame("order", {}), frame("order", {**ORDER, "orderStatus": "Odd"}), frame("greeks"),
    frame("order", {**STOP, "orderStatus": "Rejected"}), b'{"topic":"order","data":[1]}'])
def test_what_cannot_be_read_asks_for_a_reading(raw: bytes) -> None:
    assert isinstance(events.read(raw), Trouble)
