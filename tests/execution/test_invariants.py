"""X20: each invariant kept, broken and unknown; when it last held; the report for a phone."""

from dataclasses import replace

import msgspec
import pytest

from modules.exchange.types import OrderState, OrderStatus, OrderType, Side
from modules.execution import invariants as inv
from modules.execution.findings import Code, Finding
from modules.execution.invariants import Check, Guarded, Report, Row, Rule
from tests.execution.ledger_cases import D


@pytest.mark.parametrize(("ours", "venue", "ok"), [
    ("10", "10.09", True), ("10", "10.1", False), ("10", "9.9", False), ("10", None, None)])
def test_quantity_within_one_step(ours: str, venue: str | None, ok: bool | None) -> None:
    assert inv.quantity("PEPE", D(ours), None if venue is None else D(venue), D("0.1")).ok is ok


@pytest.mark.parametrize(("ours", "venue", "ok"), [
    ("100.01", "100", True), ("100.02", "100", False), ("99.98", "100", False), (None, None, True),
    ("100", None, None), (None, "100", None), ("100", "0", None)])
def test_average_within_a_hundredth_of_a_percent(ours: str | None, venue: str | None, ok: bool | None) -> None:
    assert inv.average("PEPEUSDT", ours and D(ours), venue and D(venue)).ok is ok  # type: ignore[arg-type]


@pytest.mark.parametrize(("result", "change", "ok"), [("5", "5.01", True), ("5", "5.02", False), ("5", None, None)])
def test_result_equals_the_change_of_equity(result: str, change: str | None, ok: bool | None) -> None:
    assert inv.equity("LIVE", D(result), None if change is None else D(change), D("0.01")).ok is ok


def test_no_filled_order_with_a_remainder() -> None:
    order = OrderState(client_id="cx1", order_id="1", symbol="PEPEUSDT", side=Side.BUY, type=OrderType.LIMIT,
                       status=OrderStatus.FILLED, quantity=D(5), filled=D(5), filled_quote=D(5), created_ms=1,
                       updated_ms=1)
    steps = {"PEPEUSDT": D("0.1")}
    fine = [order, replace(order, filled=D("4.95")), replace(order, status=OrderStatus.CANCELED, filled=D(1)),
            replace(order, quantity=D(0))]  # the last: a market buy by what to spend
    assert [check.ok for check in inv.remainders(fine, steps)] == [True]
    broken = inv.remainders([replace(order, filled=D("4.9"))], steps)
    assert [(check.ok, check.value, check.note) for check in broken] == [(False, D("0.1"), "cx1")]
    assert [check.ok for check in inv.remainders([replace(order, filled=D("4.95"))], {})] == [False]


def test_every_position_is_protected_or_exempt() -> None:
    checks = inv.protected([Guarded(symbol="A", looked_ms=900), Guarded(symbol="B", looked_ms=499),
                            Guarded(symbol="C", looked_ms=0, exempt="delisted")], 1000, 500)
    assert [(check.subject, check.ok) for check in checks] == [("A", True), ("B", False), ("C", True)]


def test_when_each_last_held_is_kept() -> None:
    good = Check(rule=Rule.QUANTITY, subject="PEPE", value=D(0), tolerance=D(1), ok=True)
    first, moments = inv.last_held([good], {}, 100)
    assert first[0].held_ms == 100
    for verdict in (False, None):
        bad = msgspec.structs.replace(good, ok=verdict)
        later, again = inv.last_held([bad], moments, 200)
        assert later[0].held_ms == 100 and again == moments
    assert inv.last_held([bad], {}, 200)[0][0].held_ms == 0


def report(**more: object) -> Report:
    return Report(mode="TEST", market_ms=90_000, **more)  # type: ignore[arg-type]


def test_a_clean_report_says_so_and_survives_the_disk() -> None:
    checks, _ = inv.last_held([inv.quantity("PEPE", D(1), D(1), D(1))], {}, 90_000)
    clean = report(checks=tuple(checks), rows=(Row(asset="PEPE", ours=D("1.50"), external=D(2), venue=D("3.5")),))
    assert clean.clean
    assert clean.lines() == ["Books and exchange agree", "PEPE: books 1.5 + 2 yours, exchange 3.5"]
    assert msgspec.json.decode(msgspec.json.encode(clean), type=Report) == clean


@pytest.mark.parametrize("more", [
    {"unresolved": 1},
    {"checks": (Check(rule=Rule.EQUITY, subject="LIVE", value=None, tolerance=D(1), ok=None),)},
    {"checks": (Check(rule=Rule.EQUITY, subject="LIVE", value=D(2), tolerance=D(1), ok=False, held_ms=15_000),)},
    {"findings": (Finding(code=Code.TRANSFER_IN, key="k", subject="PEPE", confirmed=False, ours=D(1), venue=D(2)),)},
])
def test_nothing_unsure_is_called_clean(more: dict[str, object]) -> None:
    seen = report(**more)
    assert not seen.clean
    assert "agree" not in seen.lines()[0] or "do not agree" in seen.lines()[0]
    if "checks" in more and seen.checks[0].ok is False:
        assert seen.lines()[1] == "✗ equity of LIVE: off by 2 USDT, allowed 1 USDT; last held 1 min 15 s ago"
