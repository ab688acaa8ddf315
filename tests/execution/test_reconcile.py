"""Reconciliation as a table: what lies on the venue, what we know, what is found, what would be changed."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.exchange.types import Balance, Fill, OrderState, OrderStatus, OrderType, Side
from modules.execution.findings import _TODO, _WHAT, ChangeKind, Code, Finding, plain
from modules.execution.reconcile import Coins, LedgerView, Missing, Own, Pass, VenueView, name_of, reconcile, to_ask
from tests.execution.ledger_cases import D, fill

NOW = 1_000_000
PEPE = Coins("PEPE", D(100), D("0.1"), symbols=("PEPEUSDT",))
CASH = Coins("USDT", D(1000), D("0.000001"), symbols=("PEPEUSDT",), cash=True)
MINE = Own("cx1", "PEPEUSDT", Side.BUY, NOW - 60_000, open=False, accepted=True, order_id="o1")


def venue(pepe: str | None = "100", locked: str = "0", orders: Any = (), fills: Any = (),
          cash: str | None = None) -> VenueView:
    balances = {}
    if pepe is not None:
        balances["PEPE"] = Balance("PEPE", D(pepe), D(locked))
    if cash is not None:
        balances["USDT"] = Balance("USDT", D(cash), D(0))
    return VenueView(balances, orders, {"PEPEUSDT": fills}, NOW)


def ledger(*coins: Coins, intents: tuple[Own, ...] = (MINE,), **more: Any) -> LedgerView:
    return LedgerView({one.asset: one for one in coins or (PEPE,)}, {own.client_id: own for own in intents}, **more)


def look(ours: LedgerView, theirs: VenueView) -> Finding | None:
    found = reconcile(ours, theirs, {}, NOW).findings
    assert len(found) <= 1, found
    return found[0] if found else None


def twice(ours: LedgerView, theirs: VenueView, apart_ms: int = 3_000) -> tuple[Pass, Pass]:
    first = reconcile(ours, theirs, {}, NOW)
    return first, reconcile(ours, theirs, first.sightings, NOW + apart_ms)


def order(client_id: str = "mine", created_ms: int = NOW - 60_000, status: OrderStatus = OrderStatus.NEW) -> OrderState:
    return OrderState(client_id=client_id, order_id="77", symbol="PEPEUSDT", side=Side.BUY, type=OrderType.LIMIT,
                      status=status, quantity=D(5), filled=D(0), filled_quote=D(0), created_ms=created_ms,
                      updated_ms=created_ms)


def foreign(number: int, side: str, quantity: str) -> Fill:
    return replace(fill(number, side, quantity, "2", client_id="byhand", at=NOW - 30_000), order_id=f"foreign{number}")


@pytest.mark.parametrize("there", ["100", "100.05", "99.95"])
def test_within_one_step_is_equal(there: str) -> None:
    assert look(ledger(), venue(there)) is None


def test_locked_coins_are_ours_too() -> None:
    assert look(ledger(), venue("60", locked="40")) is None


@pytest.mark.parametrize(("there", "fills", "external", "code", "kind", "quantity"), [
    ("150", [foreign(1, "BUY", "50")], "0", Code.MANUAL_BUY, ChangeKind.NOTE_EXTERNAL, "50"),
    ("150", [], "0", Code.TRANSFER_IN, ChangeKind.NOTE_EXTERNAL, "50"),
    ("70", [foreign(1, "SELL", "30")], "0", Code.MANUAL_SALE, ChangeKind.REDUCE_POSITION, "30"),
    ("70", [], "0", Code.TRANSFER_OUT, ChangeKind.REDUCE_POSITION, "30"),
    (None, [], "0", Code.TRANSFER_OUT, ChangeKind.REDUCE_POSITION, "100"),
    ("120", [], "50", Code.TRANSFER_OUT, ChangeKind.NOTE_EXTERNAL, "20"),  # a person's own coins go first
    ("90", [foreign(1, "SELL", "60")], "50", Code.MANUAL_SALE, ChangeKind.REDUCE_POSITION, "10"),
    ("70", [foreign(1, "BUY", "30")], "0", Code.TRANSFER_OUT, ChangeKind.REDUCE_POSITION, "30"),  # not its cause
])
def test_what_others_did_is_told_apart_and_only_proposed(there: str | None, fills: list[Fill], external: str,
                                                         code: Code, kind: ChangeKind, quantity: str) -> None:
    theirs = venue(there, fills=fills, cash="1")
    found = look(ledger(replace(PEPE, external=D(external))), theirs)
    assert found is not None
    assert (found.code, found.change.kind, found.change.quantity) == (code, kind, D(quantity))
    assert not found.change.automatic and not found.confirmed
    confirmed = twice(ledger(replace(PEPE, external=D(external))), theirs)[1].findings[0]
    assert confirmed.confirmed
    assert confirmed.stops_entries is (kind is ChangeKind.REDUCE_POSITION)


def test_fills_that_nobody_asked_for_explain_nothing() -> None:  # X15
    theirs = VenueView({"PEPE": Balance("PEPE", D(70), D(0))}, (), {}, NOW)
    assert look(ledger(), theirs) is None
    assert isinstance(theirs.balances, dict)
    assert to_ask(ledger(), theirs.balances) == ["PEPEUSDT"]
    assert to_ask(ledger(), venue("100").balances) == []
    assert to_ask(ledger(), Missing("timeout")) == []


@pytest.mark.parametrize(("theirs", "subject"), [
    (VenueView(Missing("timeout"), (), {}, NOW), "balances"),
    (VenueView({"PEPE": Balance("PEPE", D(100), D(0))}, Missing("timeout"), {}, NOW), "open orders"),
    (venue("0.5", fills=Missing("timeout")), "trades of PEPEUSDT"),
])
def test_no_answer_is_neither_flat_nor_no_orders_and_stops_entries_at_once(theirs: VenueView, subject: str) -> None:
    found = look(ledger(), theirs)  # X15
    assert found is not None
    assert (found.code, found.subject, found.stops_entries, found.confirmed) == (
        Code.ANSWER_MISSING, subject, True, False)
    assert found.change.kind is ChangeKind.NONE


def test_an_entirely_empty_account_is_not_believed_while_coins_are_held() -> None:  # X15
    found = look(ledger(), VenueView({}, (), {"PEPEUSDT": ()}, NOW))
    assert found is not None and found.code is Code.ANSWER_EMPTY and found.stops_entries
    assert look(ledger(replace(PEPE, ours=D(0))), VenueView({}, (), {}, NOW)) is None


@pytest.mark.parametrize("free", ["NaN", "-1", "Infinity"])
def test_a_balance_that_cannot_be_is_not_used(free: str) -> None:
    found = look(ledger(), venue(free))
    assert found is not None and found.code is Code.ANSWER_INVALID and found.stops_entries


def test_own_fills_come_first_and_are_counted_without_a_person() -> None:  # X17
    own = replace(fill(1, "BUY", "50", "2", client_id="cx1"), market_ms=NOW - 30_000)
    found = look(ledger(), venue("150", fills=[own, own]))
    assert found is not None
    assert (found.code, found.change.kind, found.change.ids) == (Code.OWN_FILL_MISSING, ChangeKind.COUNT_FILLS, ("1",))
    assert found.change.automatic and found.confirmed
    assert look(ledger(replace(PEPE, ours=D(150)), known_fills=frozenset({("PEPEUSDT", "1 BUY")})),
                venue("150", fills=[own])) is None


def test_a_fill_that_tells_no_client_id_is_ours_by_its_order() -> None:
    own = replace(fill(1, "BUY", "50", "2"), client_id="", market_ms=NOW - 30_000)
    assert look(ledger(), venue("150", fills=[own])).code is Code.OWN_FILL_MISSING  # type: ignore[union-attr]


@pytest.mark.parametrize("change", [{"market_ms": NOW - 130_000}, {"side": Side.SELL}])
def test_a_fill_older_than_the_intent_or_of_the_other_side_is_not_ours(change: dict[str, Any]) -> None:  # X5
    own = replace(fill(1, "BUY", "50", "2", client_id="cx1"), market_ms=NOW - 30_000)
    within = look(ledger(), venue("150", fills=[replace(own, market_ms=NOW - 65_000)]))  # clocks may jump by seconds
    assert within is not None and within.code is Code.OWN_FILL_MISSING
    found = reconcile(ledger(), venue("150", fills=[replace(own, **change)]), {}, NOW).findings
    assert Code.OWN_FILL_MISSING not in {one.code for one in found}


@pytest.mark.parametrize(("coins", "intents"), [
    (replace(PEPE, touched_ms=NOW - 4_000), (MINE,)),
    (PEPE, (replace(MINE, open=True),)),
])
def test_what_just_moved_and_what_is_in_flight_is_left_alone(coins: Coins, intents: tuple[Own, ...]) -> None:  # X21
    seen = reconcile(ledger(coins, intents=intents), venue("30", orders=[order("cx1")]), {}, NOW).findings
    assert not [one for one in seen if one.key == "coins:PEPE"]


def test_a_foreign_order_is_reported_after_two_sightings_once_and_never_touched() -> None:  # X13
    first, second = twice(ledger(), venue(orders=[order("somebody")]))
    assert [one.code for one in first.findings] == [Code.UNKNOWN_ORDER] and not first.news
    assert [one.code for one in second.news] == [Code.UNKNOWN_ORDER]
    assert second.news[0].change.kind is ChangeKind.NONE and not second.stops_entries
    third = reconcile(ledger(), venue(orders=[order("somebody")]), second.sightings, NOW + 9_000)
    assert third.findings and not third.news
    gone = reconcile(ledger(), venue(), third.sightings, NOW + 12_000)
    assert not gone.findings and not gone.sightings


def test_two_sightings_in_one_moment_are_one() -> None:
    _, second = twice(ledger(), venue(orders=[order("somebody")]), apart_ms=1_000)
    assert not second.news and not second.findings[0].confirmed


def test_our_mark_without_our_intent_is_a_second_writer_and_stops_entries() -> None:  # X14
    first, second = twice(ledger(), venue(orders=[order("cxstranger")]))
    assert not first.stops_entries
    assert [one.code for one in second.news] == [Code.SECOND_WRITER] and second.stops_entries
    executed = fill(9, "BUY", "50", "2", client_id="cxstranger", at=NOW - 30_000)
    codes = {one.code for one in twice(ledger(), venue("150", fills=[executed]))[1].news}
    assert codes == {Code.SECOND_WRITER, Code.MANUAL_BUY}


def test_an_order_that_was_just_sent_is_left_alone() -> None:
    assert look(ledger(), venue(orders=[order("cxstranger", created_ms=NOW - 1_000)])) is None


def test_an_own_open_order_that_is_not_listed_is_asked_for_not_believed_gone() -> None:
    waiting = replace(MINE, open=True)
    found = look(ledger(intents=(waiting,)), venue())
    assert found is not None
    assert (found.code, found.change.kind, found.change.automatic) == (
        Code.ORDER_MISSING, ChangeKind.LOOK_UP_ORDER, True)
    assert look(ledger(intents=(waiting,)), venue(orders=[order("cx1")])) is None
    assert look(ledger(intents=(replace(waiting, accepted=False),)), venue()) is None  # the executor asks for it


def test_a_finished_order_that_is_still_open_is_asked_for() -> None:
    first, second = twice(ledger(), venue(orders=[order("cx1")]))
    assert first.findings[0].code is Code.ORDER_STILL_OPEN
    assert first.findings[0].change.kind is ChangeKind.LOOK_UP_ORDER
    assert second.stops_entries


def test_a_conflicting_fill_is_news_and_stops_entries() -> None:
    seen = reconcile(ledger(conflicts=(fill(1, "BUY", "1", "1"),)), venue(), {}, NOW)
    assert [one.code for one in seen.news] == [Code.FILL_CONFLICT] and seen.stops_entries


@pytest.mark.parametrize(("cash", "fills", "code"), [
    ("1000", [], None),
    ("1500", [], Code.TRANSFER_IN),
    ("400", [], Code.TRANSFER_OUT),
    ("900", [foreign(1, "BUY", "50")], Code.CASH_BY_HAND),
])
def test_cash_is_explained_too(cash: str, fills: list[Fill], code: Code | None) -> None:
    coins = replace(PEPE, ours=D(100) + sum((one.quantity for one in fills), D(0)))
    found = look(ledger(coins, CASH), venue(str(coins.ours), fills=fills, cash=cash))
    assert (found and found.code) == code
    if found:
        assert found.change.kind is ChangeKind.NOTE_EXTERNAL and found.change.quantity == D(cash) - 1000
        assert not found.stops_entries


@given(st.decimals(0, 1000, places=1), st.decimals(0, 1000, places=1), st.decimals(0, 1000, places=1))
def test_after_the_proposed_change_there_is_nothing_left_to_find(ours: Decimal, external: Decimal,
                                                                 there: Decimal) -> None:
    coins = replace(PEPE, ours=ours, external=external)
    found = look(ledger(coins), venue(str(there), cash="1"))
    if found is None:
        assert abs(ours + external - there) < coins.step
        return
    assert found.difference == there - ours - external
    if found.change.kind is ChangeKind.REDUCE_POSITION:
        after = replace(coins, ours=ours - found.change.quantity, external=D(0))
    else:
        after = replace(coins, external=found.change.quantity)
    assert after.ours >= 0
    assert look(ledger(after), venue(str(there), cash="1")) is None


def test_every_code_has_a_sentence_and_a_thing_to_do() -> None:
    assert set(_WHAT) == set(_TODO) == set(Code)
    found = Finding(code=Code.MANUAL_SALE, key="k", subject="PEPE", confirmed=True, ours=D("1E+3"), venue=D("12.50"))
    assert found.sentence() == "PEPE: 987.5 less on the exchange; somebody sold by hand or with another program"
    assert plain(D("1E+3")) == "1000" and plain(D("0.0000001")) == "0.0000001"


def test_a_person_who_buys_what_we_sell_is_seen_though_both_fills_have_one_id() -> None:
    """Our half is counted; the other half explains why the coins did not go."""
    ours = replace(fill(9, "SELL", "10", "2"), client_id="cx1", order_id="o1", maker=True, market_ms=NOW - 30_000)
    hand = replace(ours, client_id="byhand", order_id="foreign9", side=Side.BUY, maker=False)
    mine = replace(MINE, side=Side.SELL)
    known = frozenset({name_of(ours)})
    found = look(ledger(replace(PEPE, ours=D(90)), intents=(mine,), known_fills=known),
                 venue("100", fills=[ours, hand]))
    assert found is not None and found.code is Code.MANUAL_BUY and not found.stops_entries
    explained = look(ledger(replace(PEPE, ours=D(90), external=D(10)), intents=(mine,),
                            known_fills=known | {name_of(hand)}), venue("100", fills=[ours, hand]))
    assert explained is None
