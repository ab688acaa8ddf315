"""Golden tables of Bitget: codes, sides, parameters, documented answers (X3, X22, X23)."""

from decimal import Decimal

import msgspec
import pytest

from modules.exchange import bitget_parse as parse
from modules.exchange import bitget_public as public
from modules.exchange.bitget_account import order_params, plan_params
from modules.exchange.bitget_codes import ABSENT, BITGET, KEY_GONE
from modules.exchange.classify import Answer, classify
from modules.exchange.codes import Kind
from modules.exchange.futures_types import MarginMode, TriggerKind, TriggerRequest
from modules.exchange.parsing import Unreadable
from modules.exchange.types import OrderRequest, OrderType, PositionSide, Refused, Side, Unknown
from modules.simulator.dialects.bitget_errors import WORDS

D = Decimal
LONG, SHORT, BOTH = PositionSide.LONG, PositionSide.SHORT, PositionSide.BOTH
BUY, SELL = Side.BUY, Side.SELL


@pytest.mark.parametrize(("code", "kind"), [
    ("22002", Kind.REFUSED), ("40754", Kind.REFUSED), ("40786", Kind.REFUSED), ("40762", Kind.REFUSED),
    ("40109", Kind.ABSENT), ("40768", Kind.ABSENT), ("43025", Kind.ABSENT), ("40008", Kind.CLOCK),
    ("429", Kind.LIMITED), ("40015", Kind.UNKNOWN), ("40725", Kind.UNKNOWN), ("40010", Kind.UNKNOWN),
    ("99999", Kind.UNKNOWN)])
def test_what_a_code_means(code: str, kind: Kind) -> None:
    assert BITGET.kind_of(code) is kind


def test_every_code_of_the_simulated_bitget_is_known() -> None:
    assert WORDS.keys() <= BITGET.codes.keys()
    assert all(BITGET.kind_of(code) is Kind.REFUSED for code in KEY_GONE)
    assert all(BITGET.kind_of(code) is Kind.ABSENT for code in ABSENT)


def test_answers_by_status_and_code() -> None:
    def judged(status: int, body: str) -> object:
        return classify(status, {}, body, BITGET)

    assert isinstance(judged(200, '{"code":"00000","data":{}}'), Answer)
    assert isinstance(judged(200, '{"code":"40725","msg":"x"}'), Unknown)
    assert isinstance(judged(503, '{"code":"40786","msg":"x"}'), Unknown), "whatever the body says (X4)"
    assert isinstance(judged(200, "<html>"), Unknown)
    banned = judged(403, "<html>")
    assert isinstance(banned, Refused) and banned.retry_after_s == 5.0, "protection does not wait for minutes"
    refused = judged(400, '{"code":"40754","msg":"balance not enough"}')
    assert isinstance(refused, Refused) and refused.code == "40754"


@pytest.mark.parametrize(("side", "leg", "words"), [
    (BUY, LONG, ("buy", "open")), (SELL, LONG, ("buy", "close")), (SELL, SHORT, ("sell", "open")),
    (BUY, SHORT, ("sell", "close"))])
def test_the_side_names_the_position(side: Side, leg: PositionSide, words: tuple[str, str]) -> None:
    assert parse.side_words(side, leg) == {"side": words[0], "tradeSide": words[1]}
    assert parse.told_side(*words, "hedge_mode") == (side, leg)
    params = order_params(OrderRequest("cx1", "BTCUSDT", side, OrderType.MARKET, D("0.010"), position_side=leg),
                          MarginMode.CROSSED)
    assert params == {"symbol": "BTCUSDT", "productType": "USDT-FUTURES", "marginCoin": "USDT", "marginMode": "crossed",
                      "size": "0.01", "side": words[0], "tradeSide": words[1], "orderType": "market",
                      "clientOid": "cx1"}
    plan = TriggerRequest("cx2", "BTCUSDT", side, leg, TriggerKind.STOP, D(100), D(1))
    if words[1] == "open":
        with pytest.raises(ValueError, match="would open"):
            plan_params(plan)
        with pytest.raises(ValueError, match="opens and cannot reduce"):
            order_params(OrderRequest("c", "B", side, OrderType.MARKET, D(1), position_side=leg, reduce_only=True),
                         MarginMode.CROSSED)
    else:
        assert plan_params(plan) == {
            "symbol": "BTCUSDT", "productType": "USDT-FUTURES", "marginCoin": "USDT", "planType": "loss_plan",
            "triggerPrice": "100", "triggerType": "mark_price", "holdSide": leg.lower(), "size": "1",
            "clientOid": "cx2"}


@pytest.mark.parametrize(("words", "told"), [
    (("sell", "burst_close_long"), (SELL, LONG)), (("buy", "burst_close_short"), (BUY, SHORT)),
    (("sell", "dte_sys_adl_close_long"), (SELL, LONG)), (("buy", "reduce_close_long"), (SELL, LONG))])
def test_forced_closings_name_their_leg(words: tuple[str, str], told: tuple[Side, PositionSide]) -> None:
    assert parse.told_side(*words, "hedge_mode") == told


def test_one_way_words() -> None:
    assert parse.side_words(SELL, BOTH) == {"side": "sell"}
    assert parse.told_side("sell", "sell_single", "one_way_mode") == (SELL, BOTH)
    request = OrderRequest("c", "BTCUSDT", SELL, OrderType.LIMIT, D(1), price=D("5E+1"), reduce_only=True)
    params = order_params(request, MarginMode.ISOLATED)
    assert params["reduceOnly"] == "YES" and params["price"] == "50" and "tradeSide" not in params
    for words in (("hold", "open", "hedge_mode"), ("buy", "swap", "hedge_mode"), ("buy", "open", "other")):
        with pytest.raises(Unreadable):
            parse.told_side(*words)


def reply(data: object) -> str:
    """An answer as Bitget wraps it."""
    return msgspec.json.encode({"code": "00000", "msg": "success", "requestTime": 1, "data": data}).decode()


# As Bitget documents it (GET /api/v2/mix/position/all-position).
POSITION = {"marginCoin": "USDT", "symbol": "BTCUSDT", "holdSide": "long", "openDelegateSize": "0.01",
            "marginSize": "9.6695050093373343", "available": "0.01", "locked": "0.09", "total": "0.01",
            "leverage": "20", "achievedProfits": "0", "openPriceAvg": "25000", "marginMode": "isolated",
            "posMode": "hedge_mode", "unrealizedPL": "1", "liquidationPrice": "24144.1124161806977798",
            "keepMarginRate": "0.004", "markPrice": "25100", "cTime": "1691382137448"}
# GET /api/v2/mix/account/account
ACCOUNT = {"marginCoin": "USDT", "locked": "0", "available": "13168.86110692", "crossedMaxAvailable": "13168.86110692",
           "isolatedMaxAvailable": "13100", "maxTransferOut": "13168.86110692", "accountEquity": "13178.86110692",
           "usdtEquity": "13178.861106922", "btcEquity": "0.344746495477", "crossedRiskRate": "0",
           "crossedMarginLeverage": "20", "isolatedLongLever": "20", "isolatedShortLever": "15",
           "marginMode": "crossed", "posMode": "hedge_mode", "unrealizedPL": "", "coupon": "0"}


def test_documented_answers() -> None:
    held = parse.positions(reply([POSITION, {**POSITION, "holdSide": "short", "total": "0"}]))
    assert [(one.side, one.quantity, one.entry) for one in held] == [(LONG, D("0.01"), D(25000))]
    assert held[0].liquidation == D("24144.1124161806977798") and held[0].isolated_margin > 9
    standing = parse.standing(reply(ACCOUNT))
    assert (standing.hedge, standing.margin, standing.leverage) == (True, MarginMode.CROSSED, 20)
    assert standing.wallet.balance == D("13178.86110692")
    isolated = parse.standing(reply({**ACCOUNT, "marginMode": "isolated"}))
    assert isolated.leverage == 15 and isolated.wallet.available == 13100
    assert parse.fills(reply({"fillList": None, "endId": None}), "BTCUSDT") == ([], "")
    fill = {"tradeId": "123", "symbol": "ethusdt", "orderId": "121212", "price": "1900", "baseVolume": "1",
            "feeDetail": [{"deduction": "yes", "feeCoin": "BGB", "totalDeductionFee": "-0.017",
                           "totalFee": "-0.017"}],
            "side": "buy", "quoteVolume": "1902", "profit": "102", "enterPointSource": "api", "tradeSide": "close",
            "posMode": "hedge_mode", "tradeScope": "taker", "cTime": "1627293509612"}
    rows, end = parse.fills(reply({"fillList": [fill], "endId": "123"}), "ETHUSDT")
    assert (rows[0].side, rows[0].position_side, rows[0].fee, rows[0].fee_asset) == (SELL, LONG, D("0.017"), "BGB")
    assert end == "123"


@pytest.mark.parametrize(("name", "value"), [
    ("total", "-1"), ("total", "NaN"), ("holdSide", "both"), ("openPriceAvg", "0"), ("posMode", "dual"),
    ("markPrice", "1e99")])
def test_positions_that_cannot_be_are_no_positions(name: str, value: str) -> None:
    with pytest.raises(Unreadable):
        parse.positions(reply([{**POSITION, name: value}]))


@pytest.mark.parametrize("body", [reply([POSITION, POSITION | {"total": "5"}]), "{}", "[]", reply({"a": 1}), "<html>"])
def test_answers_that_cannot_be_trusted(body: str) -> None:
    with pytest.raises(Unreadable):
        parse.positions(body)


def test_prices_that_cannot_be_are_left_out() -> None:
    def row(symbol: str, bid: str, ask: str) -> dict[str, str]:
        return {"symbol": symbol, "bidPr": bid, "askPr": ask, "ts": "1695794098184"}

    wanted = frozenset({"A", "B", "C", "D"})
    body = reply([row("A", "1", "2"), row("B", "2", "1"), row("C", "", "1"), row("D", "0", "1"), row("E", "x", "1")])
    assert public.touches(body, wanted) == {"A": public.Touch(D(1), D(2), 1695794098184)}
    with pytest.raises(Unreadable):
        public.touches(reply([row("A", "x", "1")]), wanted)
