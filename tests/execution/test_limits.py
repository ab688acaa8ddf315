"""The checklist before every entry (A18, X10): each limit refuses what it is for, and nothing else."""

from dataclasses import replace
from decimal import Decimal

import pytest

from modules.execution.limits import CHECKLIST, EntryCode, EntryRequest, check
from tests.execution.approval import LIMITS, WORLD
from tests.execution.venue import START_MS, market

D = Decimal
ASK = EntryRequest(symbol="AAAUSDT", quote=D(50), price=D(1), proposed_ms=START_MS, ask=D("1.001"), price_ms=START_MS,
                   offered=D("49.95"), quantity=D(49), cap=D("1.015"), market=market())


def test_an_ordinary_entry_is_refused_by_nothing():
    assert check(ASK, WORLD, LIMITS) == ()


@pytest.mark.parametrize(("code", "ask", "world"), [
    (EntryCode.CLOSED, {}, {"closed": "starting"}),
    (EntryCode.SECOND_WRITER, {}, {"second_writer": "another copy orders with our mark"}),
    (EntryCode.PAUSED, {}, {"paused": "by command"}),
    (EntryCode.NOT_LISTED, {"market": None}, {}),
    (EntryCode.HALTED, {"market": market(trading=False)}, {}),
    (EntryCode.HALTED, {"market": market(buys=False)}, {}),
    (EntryCode.HALTED, {"market": market(sells=False)}, {}),
    (EntryCode.NOT_BY_API, {"market": market(api_allowed=False)}, {}),
    (EntryCode.HELD, {}, {"held": frozenset({"AAAUSDT"})}),
    (EntryCode.UNRESOLVED, {}, {"unresolved": frozenset({"AAAUSDT"})}),
    (EntryCode.UNRESOLVED, {}, {"doubted": frozenset({"AAAUSDT"})}),
    (EntryCode.IN_FLIGHT, {}, {"placing": frozenset({"AAAUSDT"})}),
    (EntryCode.TOO_OLD, {"proposed_ms": START_MS - 120_001}, {}),
    (EntryCode.STALE_PRICE, {"price_ms": START_MS - 5_001}, {}),
    (EntryCode.COOL_DOWN, {}, {"rests_until_ms": START_MS + 1, "rests_why": "a stop"}),
    (EntryCode.MAX_TRADES, {}, {"held": frozenset("BCDEF")}),
    (EntryCode.MAX_PER_DAY, {}, {"entries_today": 50}),
    (EntryCode.MAX_TOKEN, {"quote": D("100.01")}, {}),
    (EntryCode.MAX_TOKEN, {}, {"token_value": D("50.01")}),
    (EntryCode.MAX_TOKEN, {}, {"token_value": None}),
    (EntryCode.MAX_EXPOSURE, {}, {"exposure": D("450.01")}),
    (EntryCode.MAX_EXPOSURE, {}, {"exposure": D(420), "token_value": D("30.01")}),
    (EntryCode.SLIPPAGE, {"ask": D("1.0151")}, {}),
    (EntryCode.SLIPPAGE, {"cap": D("1.0151")}, {}),
    (EntryCode.PRICE_FELL, {"ask": D("0.9499")}, {}),
    (EntryCode.UNITS, {"quantity": D("49.5")}, {}),
    (EntryCode.UNITS, {"cap": D("1.01495")}, {}),
    (EntryCode.UNITS, {"ask": D("0.00001"), "price": D("0.00001"), "cap": D(0), "quantity": D(1_000_000)}, {}),
    (EntryCode.UNITS, {"ask": D(2_000_000), "price": D(2_000_000), "cap": D(2_000_000)}, {}),
    (EntryCode.THIN_BOOK, {"offered": D("0.5")}, {}),
    (EntryCode.MIN_NOTIONAL, {"quote": D("0.99"), "offered": D("0.98")}, {}),
    (EntryCode.MIN_NOTIONAL, {"quantity": D(0)}, {}),
    (EntryCode.MIN_NOTIONAL, {"market": market(min_notional=D("49.5"))}, {}),
    (EntryCode.STALE_BALANCE, {}, {"balance_ms": START_MS - 5_001}),
    (EntryCode.STALE_BALANCE, {}, {"balance_ms": None}),
    (EntryCode.FUNDS, {}, {"free_quote": D("50.04")}),
    (EntryCode.FUNDS, {"quantity": D(99), "offered": D(99)}, {"free_quote": D("100.58")}),
    (EntryCode.FUNDS, {}, {"free_quote": None}),
])
def test_each_limit_refuses_with_its_code_and_a_sentence(code, ask, world):
    found = check(replace(ASK, **ask), replace(WORLD, **world), LIMITS)
    assert code in [one.code for one in found] and all(one.text for one in found)


@pytest.mark.parametrize(("ask", "world"), [
    ({"proposed_ms": START_MS - 120_000}, {}),
    ({"price_ms": START_MS - 5_000}, {}),
    ({}, {"rests_until_ms": START_MS}),
    ({}, {"held": frozenset("BCDE")}),
    ({}, {"entries_today": 49}),
    ({"quote": D(100)}, {}),
    ({}, {"token_value": D(50)}),
    ({}, {"exposure": D(450)}),
    ({"ask": D("1.015")}, {}),
    ({"ask": D("0.95")}, {}),
    ({"market": market(min_notional=D("49.049"))}, {}),
    ({}, {"balance_ms": START_MS - 5_000}),
    ({}, {"free_quote": D("50.05")}),
    ({"quantity": D(99), "offered": D(99)}, {"free_quote": D("100.585485")}),
])
def test_at_the_very_limit_an_entry_passes(ask, world):
    assert check(replace(ASK, **ask), replace(WORLD, **world), LIMITS) == ()


def test_all_that_refuse_are_named_in_the_order_of_the_checklist():
    found = check(replace(ASK, quote=D(101)), replace(WORLD, paused="by command", free_quote=D(1)), LIMITS)
    assert [one.code for one in found] == [EntryCode.PAUSED, EntryCode.MAX_TOKEN, EntryCode.FUNDS]


def test_every_code_has_its_limit():
    assert [limit.code for limit in CHECKLIST] == list(EntryCode)
