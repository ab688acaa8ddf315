"""The checklist before every entry (A18, X10): each limit refuses what it is for, and nothing else."""

from dataclasses import replace
from decimal import Decimal

import pytest

from modules.execution.limits import CHECKLIST, Approved, EntryCode, EntryRequest, Limits, RefusedEntry, World, check
from tests.execution.venue import START_MS, market

D = Decimal
LIMITS = Limits(max_open=5, max_exposure=D(500), max_token=D(100), max_per_day=50, max_age_ms=120_000,
                max_slippage=D("0.015"))
ASK = EntryRequest(symbol="AAAUSDT", quote=D(50), price=D(1), proposed_ms=START_MS, ask=D("1.001"), market=market())
WORLD = World(now_ms=START_MS, closed="", paused="", held=frozenset(), unresolved=frozenset(), exposure=D(0),
              entries_today=0, free_quote=D(1000), rests_until_ms=0, rests_why="")


def test_what_passes_is_approved_with_its_worst_price():
    verdict = check(ASK, WORLD, LIMITS)
    assert isinstance(verdict, Approved) and verdict.worst_price == D("1.015")


@pytest.mark.parametrize(("code", "ask", "world"), [
    (EntryCode.CLOSED, {}, {"closed": "starting"}),
    (EntryCode.PAUSED, {}, {"paused": "by command"}),
    (EntryCode.NOT_LISTED, {"market": None}, {}),
    (EntryCode.HALTED, {"market": market(trading=False)}, {}),
    (EntryCode.HALTED, {"market": market(buys=False)}, {}),
    (EntryCode.HALTED, {"market": market(sells=False)}, {}),
    (EntryCode.NOT_BY_API, {"market": market(api_allowed=False)}, {}),
    (EntryCode.HELD, {}, {"held": frozenset({"AAAUSDT"})}),
    (EntryCode.UNRESOLVED, {}, {"unresolved": frozenset({"AAAUSDT"})}),
    (EntryCode.TOO_OLD, {"proposed_ms": START_MS - 120_001}, {}),
    (EntryCode.COOL_DOWN, {}, {"rests_until_ms": START_MS + 1, "rests_why": "a stop"}),
    (EntryCode.MAX_TRADES, {}, {"held": frozenset("BCDEF")}),
    (EntryCode.MAX_PER_DAY, {}, {"entries_today": 50}),
    (EntryCode.MAX_TOKEN, {"quote": D("100.01")}, {}),
    (EntryCode.MAX_EXPOSURE, {}, {"exposure": D("450.01")}),
    (EntryCode.SLIPPAGE, {"ask": D("1.0151")}, {}),
    (EntryCode.MIN_NOTIONAL, {"quote": D("0.99")}, {}),
    (EntryCode.FUNDS, {}, {"free_quote": D("50.04")}),
    (EntryCode.FUNDS, {}, {"free_quote": None}),
])
def test_each_limit_refuses_with_its_code_and_a_sentence(code, ask, world):
    verdict = check(replace(ASK, **ask), replace(WORLD, **world), LIMITS)
    assert isinstance(verdict, RefusedEntry)
    assert verdict.code is code and verdict.text


@pytest.mark.parametrize(("ask", "world"), [
    ({"proposed_ms": START_MS - 120_000}, {}),
    ({}, {"rests_until_ms": START_MS}),
    ({}, {"held": frozenset("BCDE")}),
    ({}, {"entries_today": 49}),
    ({"quote": D(100)}, {}),
    ({}, {"exposure": D(450)}),
    ({"ask": D("1.015")}, {}),
    ({"quote": D(1)}, {}),
    ({}, {"free_quote": D("50.05")}),
])
def test_at_the_very_limit_an_entry_passes(ask, world):
    assert isinstance(check(replace(ASK, **ask), replace(WORLD, **world), LIMITS), Approved)


def test_every_code_has_its_limit():
    assert [limit.code for limit in CHECKLIST] == list(EntryCode)
