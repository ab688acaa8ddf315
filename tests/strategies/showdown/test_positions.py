"""Rules of execution: what is followed, quotes and their drift, the emergency fill's conditions, targets, the end."""

from decimal import Decimal as D

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from modules.strategies.showdown import positions, stages
from modules.strategies.showdown.positions import Close, Even, Part, Quote, Refusal, Sent, Stop, Trade, Units
from modules.strategies.showdown.settings import ShowdownSettings
from tests.strategies.showdown.market import NOW, inputs

OWN = ShowdownSettings()
UNITS = Units(D("0.1"), D("0.001"), D(100), D("0.0005"))


def decision(side: int = 1):
    return stages.run(inputs(side), OWN).decision


def trade(side: int = 1, **changes: object) -> Trade:
    found = positions.followed(decision(side), NOW + 1000, OWN)
    assert isinstance(found, Trade)
    return msgspec.structs.replace(found, **changes)


Side = list[tuple[D, D]]


def book(one: Trade, at: D, spread: str = "0.1", much: str = "50") -> tuple[Side, Side]:
    """Bids and asks with our own side's best at `at`."""
    gap, size = D(spread), D(much)
    if one.long:
        return [(at, size), (at - gap, size)], [(at + gap, size), (at + 2 * gap, size)]
    return [(at - gap, size), (at - 2 * gap, size)], [(at, size), (at + gap, size)]


def loss(one: Trade, price: D, quantity: D) -> D:
    return quantity * (one.sign * (price - one.sl) + UNITS.fee * (price + one.sl))


@pytest.mark.parametrize("side", [1, -1])
def test_a_fresh_decision_is_followed_with_its_figures(side):
    made, one = decision(side), trade(side)
    assert (one.long, one.sl, one.tp1, one.stop) == (side > 0, D(made.sl), D(made.tp1), D(made.sl))
    assert one.worst == D(made.entry_zone[1 if side > 0 else 0])
    assert made.hash.startswith(one.id)


@pytest.mark.parametrize(("changes", "late_ms", "code"), [
    ({}, 301_000, "STALE"), ({}, -6_000, "CLOCK"), ({"action": "flat"}, 0, "FLAT"),
    ({"sl": "NaN"}, 0, "FIGURES"), ({"quantity": "Infinity"}, 0, "FIGURES"), ({"tp1": "x"}, 0, "FIGURES"),
    ({"quantity": "-1"}, 0, "FIGURES"), ({"sl": "99999"}, 0, "FIGURES"), ({"tp1": None}, 0, "FIGURES"),
    ({"risk_usdt": "0"}, 0, "FIGURES")])
def test_what_is_not_followed_says_why(changes, late_ms, code):
    found = positions.followed(msgspec.structs.replace(decision(), **changes), NOW + late_ms, OWN)
    assert isinstance(found, Refusal) and found.code == code and found.said


def quote(found: Quote | Stop) -> Quote:
    assert isinstance(found, Quote), found
    return found


@pytest.mark.parametrize("side", [1, -1])
def test_quotes_stay_at_the_market_and_drift_no_further_than_allowed(side):
    one = trade(side)
    inside = one.worst - side * D(5)
    first = quote(positions.next_order(one, Sent(), *book(one, inside), NOW, UNITS, OWN))
    assert first == Quote(inside, first.quantity) and first.quantity <= one.quantity
    far = one.worst + side * D(50)
    prices = [quote(positions.next_order(one, Sent(quotes), *book(one, far), NOW, UNITS, OWN)).price
              for quotes in range(OWN.chase_requotes + 1)]
    assert prices[0] == one.worst and prices == sorted(prices, reverse=side < 0) and prices[-1] != prices[0]
    assert abs(prices[-1] - one.worst) <= abs(one.worst - one.sl) * D(str(OWN.chase_drift_pct)) / 100


@limits(deadline=None)  # no speed within wall time: the machine may be busy
@given(quotes=st.integers(0, 11), share=st.decimals("0", "0.9", places=3), side=st.sampled_from([1, -1]),
       off=st.decimals("-0.002", "0.002", places=5))
def test_the_loss_at_the_stop_never_exceeds_the_decisions_risk(quotes, share, side, off):
    one = trade(side)
    filled = (one.quantity * share // UNITS.step) * UNITS.step
    sent = Sent(quotes, 0, filled, one.worst if filled else D(0))
    at = positions.to_tick(one.worst * (1 + off), UNITS.tick, True)
    found = positions.next_order(one, sent, *book(one, at), NOW, UNITS, OWN)
    if isinstance(found, Quote):
        assert loss(one, one.worst, filled) + loss(one, found.price, found.quantity) <= one.risk
        assert filled + found.quantity <= one.quantity and found.quantity % UNITS.step == 0
        assert found.price % UNITS.tick == 0


def test_an_entry_ends_where_it_makes_no_sense_any_more():
    one = trade()

    def why(at: D, sent: Sent | None = None, now: int = NOW) -> str:
        found = positions.next_order(one, sent or Sent(), *book(one, at), now, UNITS, OWN)
        assert isinstance(found, Stop)
        return found.why
    assert "first target" in why(one.tp1)
    assert "beyond the stop" in why(one.sl - 1)
    assert "too old" in why(one.worst, now=NOW + 301_000)
    assert why(one.worst, Sent(1, 0, one.quantity, one.worst)) == "filled"
    nothing = positions.next_order(one, Sent(), [], [], NOW, UNITS, OWN)
    assert isinstance(nothing, Stop) and "empty" in nothing.why


LAST = Sent(quotes=OWN.chase_requotes + 1)


@pytest.mark.parametrize("side", [1, -1])
def test_the_emergency_fill_goes_once_and_capped(side):
    one = trade(side, confidence=0.9, risk_level=1)
    found = positions.next_order(one, LAST, *book(one, one.worst - side * D(20)), NOW, UNITS, OWN)
    assert isinstance(found, Quote) and found.emergency
    best = one.worst - side * D(20) + side * D("0.1")
    assert side * (found.price - best) <= best * D(str(OWN.emergency_slippage_pct)) / 100
    assert side * (found.price - positions.limit(one, OWN.chase_requotes, UNITS, OWN)) <= 0
    again = positions.next_order(one, LAST._replace(emergencies=1), *book(one, one.worst), NOW, UNITS, OWN)
    assert isinstance(again, Stop) and "DONE_BEFORE" in again.emergency


@pytest.mark.parametrize(("code", "trade_changes", "settings", "at", "form"), [
    ("OFF", {}, {"emergency": False}, "-20", {}), ("CONFIDENCE", {"confidence": 0.5}, {}, "-20", {}),
    ("RISK_LEVEL", {"risk_level": 4}, {}, "-20", {}), ("DRIFT", {}, {}, "60", {}),
    ("REWARD", {}, {"emergency_reward": 9.0}, "-20", {}), ("SPREAD", {}, {}, "-10", {"spread": "20"}),
    ("DEPTH", {}, {}, "-20", {"much": "0.001"})])
def test_each_condition_of_the_emergency_fill_can_forbid_it_alone(code, trade_changes, settings, at, form):
    one = trade(confidence=0.9, risk_level=1)
    own = OWN.model_copy(update=settings)
    one = msgspec.structs.replace(one, **trade_changes)
    found = positions.next_order(one, LAST, *book(one, one.worst + D(at), **form), NOW, UNITS, own)
    assert isinstance(found, Stop) and code in found.emergency
    if code not in ("DRIFT", "SPREAD"):
        assert found.emergency == (code,)


@pytest.mark.parametrize("side", [1, -1])
def test_first_target_then_break_even_then_the_longest_time(side):
    one, held = trade(side), D("0.101")
    near, target = one.tp1 - side * D("0.1"), one.tp1
    assert positions.due(one, held, one.worst, near, NOW, UNITS, OWN) is None
    assert positions.due(one, held, one.worst, target, NOW, UNITS, OWN) == Part(D("0.051"))
    written = msgspec.structs.replace(one, leave=D("0.051"))
    assert positions.due(written, held, one.worst, near, NOW, UNITS, OWN) == Part(D("0.051"))  # after a crash
    parted = msgspec.structs.replace(written, part_done=True)
    average = one.worst - side * D("0.03")
    even = positions.due(parted, D("0.051"), average, near, NOW, UNITS, OWN)
    assert isinstance(even, Even) and side * (even.stop - average) >= 0 and even.stop % UNITS.tick == 0
    moved = msgspec.structs.replace(parted, stop=even.stop)
    assert positions.due(moved, D("0.051"), average, near, NOW, UNITS, OWN) is None
    looser = positions.due(moved, D("0.051"), even.stop - side * D(10), near, NOW, UNITS, OWN)
    assert looser is None  # a stop never gets looser
    late = NOW + round(1000 * OWN.max_hold_s)
    assert isinstance(positions.due(moved, D("0.051"), average, near, late, UNITS, OWN), Close)
    wished = msgspec.structs.replace(one, closing="closed by hand")
    assert positions.due(wished, held, average, near, NOW, UNITS, OWN) == Close("closed by hand")
