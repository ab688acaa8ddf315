"""Parameters of Binance requests: what is read, what is refused and with which code."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.simulator.dialects.binance_errors import Declined
from modules.simulator.dialects.binance_params import Values, judge, merged, parse
from modules.simulator.dialects.params import params_line

LINE = params_line("symbol!:symbol side!=BUY|SELL quantity:dec limit:int reduceOnly:bool newClientOrderId:id")


def refusal(params: dict[str, str]) -> int | str:
    """The code that parameters are refused with, 0 where they are not."""
    try:
        judge(params, LINE)
    except Declined as problem:
        return problem.code
    return 0


@pytest.mark.parametrize(("more", "code"), [
    ({}, 0),
    ({"side": "HOLD"}, -1117),
    ({"side": ""}, -1102),
    ({"quantity": "1e5"}, -1100),
    ({"quantity": "0.001"}, 0),
    ({"quantity": "NaN"}, -1100),
    ({"quantity": "9" * 30}, -1100),
    ({"limit": "five"}, -1100),
    ({"limit": "１２"}, -1100),
    ({"limit": ""}, -1105),
    ({"reduceOnly": "1"}, -1130),
    ({"reduceOnly": "TRUE"}, 0),
    ({"newClientOrderId": "x" * 37}, -4015),
    ({"newClientOrderId": "a b"}, -1100),
    ({"newClientOrderId": "x-cvBPrNm9/a:1.2_3"}, 0),
    ({"symbol": "btcusdt"}, -1100),
])
def test_values(more: dict[str, str], code: int) -> None:
    assert refusal({"symbol": "BTCUSDT", "side": "BUY", **more}) == code


def test_a_mandatory_one_that_is_missing() -> None:
    with pytest.raises(Declined, match="-1102 Mandatory parameter 'symbol' was not sent"):
        judge({"side": "BUY"}, LINE)


def test_query_counts_before_body() -> None:
    assert merged("a=1&b=2", "a=9&c=3") == {"a": "1", "b": "2", "c": "3"}


def test_twice_the_same_is_fine_twice_another_is_not() -> None:
    assert parse("a=1&a=1") == {"a": "1"}
    with pytest.raises(Declined, match="-1101"):
        parse("a=1&a=2")


def test_a_json_body_is_refused() -> None:
    with pytest.raises(Declined, match="-1100"):
        merged("", '{"symbol":"BTCUSDT"}')


@pytest.mark.parametrize(("params", "code"), [
    ({"startTime": "5", "endTime": "4"}, -1023),
    ({"startTime": "0", "endTime": "604800001"}, -1127),
])
def test_spans(params: dict[str, str], code: int) -> None:
    with pytest.raises(Declined) as problem:
        Values(params).span(604_800_000)
    assert problem.value.code == code


@given(st.decimals(min_value=Decimal("-1e15"), max_value=Decimal("1e15"), places=8))
def test_money_is_read_exactly(amount: Decimal) -> None:
    text = f"{amount:f}"
    judge({"symbol": "BTCUSDT", "side": "BUY", "quantity": text}, LINE)
    assert Values({"quantity": text}).money("quantity") == amount


@given(st.text(max_size=12))
def test_any_text_is_judged_not_stumbled_over(text: str) -> None:
    for name in LINE:
        params = {"symbol": "BTCUSDT", "side": "BUY", name: text}
        if refusal(params) == 0:
            values = Values(params)
            values.money("quantity"), values.whole("limit"), values.truth("reduceOnly")
