"""Golden tables of Binance: codes, sides, parameters (X3, X22, X23, X26)."""

from decimal import Decimal

import pytest

from modules.exchange import binance_parse as parse
from modules.exchange.binance_account import order_params, trigger_params
from modules.exchange.binance_codes import BINANCE
from modules.exchange.binance_events import MoneyNews, OrderNews, TriggerNews, Trouble, read
from modules.exchange.classify import Answer, classify
from modules.exchange.codes import Kind
from modules.exchange.futures_types import TriggerKind, TriggerRequest, TriggerStatus, opens
from modules.exchange.parsing import Unreadable
from modules.exchange.types import OrderRequest, OrderType, PositionSide, Refused, Side, Unknown

D = Decimal
LONG, SHORT, BOTH = PositionSide.LONG, PositionSide.SHORT, PositionSide.BOTH


@pytest.mark.parametrize(("code", "kind"), [
    (-1006, Kind.UNKNOWN), (-1007, Kind.UNKNOWN), (-1000, Kind.UNKNOWN), (-1001, Kind.UNKNOWN), (-1, Kind.UNKNOWN),
    (-1021, Kind.CLOCK), (-1003, Kind.LIMITED), (-1015, Kind.LIMITED), (-2011, Kind.ABSENT), (-2013, Kind.ABSENT),
    (-2019, Kind.REFUSED), (-2022, Kind.REFUSED), (-2021, Kind.REFUSED), (-5022, Kind.REFUSED), (-4120, Kind.REFUSED),
    (-4061, Kind.REFUSED), (-4164, Kind.REFUSED), (-4116, Kind.REFUSED), (-4130, Kind.REFUSED), (-1008, Kind.REFUSED),
    (-2015, Kind.REFUSED), (-4192, Kind.REFUSED), (-99_999, Kind.UNKNOWN)])
def test_what_a_code_means(code: int, kind: Kind) -> None:
    assert BINANCE.kind_of(str(code)) is kind


def test_answers_by_status_and_code() -> None:
    def judged(status: int, body: str, **headers: str) -> object:
        return classify(status, headers, body, BINANCE)

    assert isinstance(judged(200, '{"orderId":1}'), Answer)
    assert isinstance(judged(503, '{"code":-1008,"msg":"overloaded"}'), Unknown), "whatever the body says (X4)"
    assert isinstance(judged(408, '{"code":-1007,"msg":"Timeout"}'), Unknown)
    assert isinstance(judged(200, "<html>"), Unknown)
    limited = judged(429, '{"code":-1003,"msg":"Too many requests"}', **{"Retry-After": "7"})
    assert isinstance(limited, Refused) and limited.retry_after_s == 7
    refused = judged(400, '{"code":-2019,"msg":"Margin is insufficient."}')
    assert isinstance(refused, Refused) and refused.code == "-2019"


@pytest.mark.parametrize(("side", "leg", "opening"), [
    (Side.BUY, LONG, True), (Side.SELL, LONG, False), (Side.SELL, SHORT, True), (Side.BUY, SHORT, False)])
def test_which_side_opens_which_leg(side: Side, leg: PositionSide, opening: bool) -> None:
    assert opens(side, leg) is opening
    request = OrderRequest("cx1", "BTCUSDT", side, OrderType.MARKET, D(1), position_side=leg, reduce_only=True)
    trigger = TriggerRequest("cx1", "BTCUSDT", side, leg, TriggerKind.STOP, D(100), None)
    if opening:
        with pytest.raises(ValueError, match="opens and cannot reduce"):
            order_params(request)
        with pytest.raises(ValueError, match="would open"):
            trigger_params(trigger)
    else:
        assert "reduceOnly" not in order_params(request), "the venue refuses it in hedge mode"
        assert trigger_params(trigger)["closePosition"] == "true"


def test_the_parameters_of_orders_are_these_and_no_others() -> None:
    made = order_params(OrderRequest("cx1", "BTCUSDT", Side.BUY, OrderType.POST_ONLY, D("0.0100"), price=D("61800.10")))
    assert made == {
        "symbol": "BTCUSDT", "side": "BUY", "positionSide": "BOTH", "type": "LIMIT", "quantity": "0.01",
        "newClientOrderId": "cx1", "newOrderRespType": "ACK", "timeInForce": "GTX", "price": "61800.1"}
    closing = order_params(OrderRequest("cx2", "BTCUSDT", Side.SELL, OrderType.MARKET, D(1), reduce_only=True))
    assert closing["reduceOnly"] == "true" and "timeInForce" not in closing
    stop = trigger_params(TriggerRequest("cx3", "BTCUSDT", Side.SELL, BOTH, TriggerKind.STOP, D("60000"), D("0.5")))
    assert stop == {
        "algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "positionSide": "BOTH", "type": "STOP_MARKET",
        "triggerPrice": "60000", "workingType": "MARK_PRICE", "clientAlgoId": "cx3", "quantity": "0.5",
        "reduceOnly": "true"}


@pytest.mark.parametrize("request_", [
    OrderRequest("c", "BTCUSDT", Side.BUY, OrderType.MARKET, quote_quantity=D(10)),
    OrderRequest("c", "BTCUSDT", Side.BUY, OrderType.MARKET, D(1), price=D(1)),
    OrderRequest("c", "BTCUSDT", Side.BUY, OrderType.LIMIT, D(1))])
def test_senseless_orders_never_leave(request_: OrderRequest) -> None:
    with pytest.raises(ValueError, match="order"):
        order_params(request_)


ROW = ('{"symbol":"BTCUSDT","positionSide":"%s","positionAmt":"%s","entryPrice":"60000","markPrice":"61000",'
       '"unRealizedProfit":"1000","liquidationPrice":"0","isolatedMargin":"0","maintMargin":"1"}')


def test_positions_are_read_by_side_never_by_place() -> None:
    found = parse.positions("[" + ROW % ("SHORT", "-2") + "," + ROW % ("LONG", "1") + "]")
    assert {(one.side, one.quantity, one.closing_side) for one in found} == {
        (SHORT, D(-2), Side.BUY), (LONG, D(1), Side.SELL)}
    for odd in ("[" + ROW % ("LONG", "-1") + "]", "[" + ROW % ("LONG", "1") + "," + ROW % ("LONG", "2") + "]",
                "[" + ROW % ("LONG", "NaN") + "]", "{}", "", "[{}]", "null"):
        with pytest.raises(Unreadable):
            parse.positions(odd)


def test_events_of_the_accounts_stream() -> None:
    order = read(b'{"e":"ORDER_TRADE_UPDATE","E":1770000000002,"T":1770000000001,"o":{"s":"BTCUSDT","c":"cx1",'
                 b'"S":"SELL",'
                 b'"o":"MARKET","f":"GTC","q":"0.5","p":"0","ap":"60000","sp":"0","x":"TRADE","X":"PARTIALLY_FILLED",'
                 b'"i":8886774,"l":"0.2","z":"0.2","L":"60000","N":"USDT","n":"6","T":1770000000001,"t":12,"m":false,'
                 b'"R":true,"ps":"LONG","rp":"3.5"}}')
    assert isinstance(order, OrderNews) and order.fill is not None and not order.liquidation
    fill = order.fill
    assert (fill.id, fill.fee, fill.realised, fill.position_side) == ("12", D(6), D("3.5"), LONG)
    trigger = read(b'{"e":"ALGO_UPDATE","E":1,"T":1,"o":{"caid":"cx2","aid":7,"at":"CONDITIONAL","o":"STOP_MARKET",'
                   b'"s":"BTCUSDT","S":"SELL","ps":"LONG","f":"GTC","q":"1","X":"TRIGGERED","ai":"99"}}')
    assert isinstance(trigger, TriggerNews) and trigger.status is TriggerStatus.TRIGGERED and trigger.order_id == "99"
    money = read(b'{"e":"ACCOUNT_UPDATE","E":1,"T":1,"a":{"m":"FUNDING_FEE","B":[],"P":[{"s":"BTCUSDT"}]}}')
    assert money == MoneyNews("FUNDING_FEE", ("BTCUSDT",))
    assert read(b'{"e":"TRADE_LITE","E":1}') is None


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff\xfe", b"[]", b"null", b'{"e":"NEWS"}',
                                 b'{"e":"ORDER_TRADE_UPDATE","o":{}}',
                                 b'{"e":"ALGO_UPDATE","o":{"caid":"a","s":"B","ps":"LONG","X":"?"}}',
                                 b'{"e":"listenKeyExpired"}', b'{"e":"MARGIN_CALL"}', b"[" * 100_000])
def test_what_cannot_be_read_asks_for_a_reading_by_rest(raw: bytes) -> None:
    assert isinstance(read(raw), Trouble)
