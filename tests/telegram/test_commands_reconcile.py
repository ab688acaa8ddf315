"""/reconcile and what /resync shows of its findings: the exchange against our books."""

from decimal import Decimal

import pytest

from modules.exchange.types import Mode
from modules.execution.findings import Change, ChangeKind, Code, Finding
from modules.execution.invariants import Check, Report, Row, Rule
from modules.strategies.hype.desk_books import Reconciled, reconciled_file
from modules.telegram.markup import plain
from tests.telegram.house import NOW_MS, VIEWER, House, telegram

D = Decimal
SOLD = Finding(code=Code.MANUAL_SALE, key="coins:PEPE", subject="PEPE", confirmed=True, stops_entries=True,
               ours=D(100), venue=D(80), change=Change(kind=ChangeKind.REDUCE_POSITION, asset="PEPE", quantity=D(20)))


def check(rule: Rule, subject: str, ok: bool | None = True, held_ms: int = NOW_MS, value: str = "0") -> Check:
    return Check(rule=rule, subject=subject, value=D(value), tolerance=D("0.1"), ok=ok, held_ms=held_ms)


def left(house: House, *checks: Check, findings: tuple[Finding, ...] = (), mode: Mode = Mode.TEST) -> None:
    rows = (Row(asset="PEPE", ours=D(100), external=D(7), venue=D(107)),)
    report = Report(mode=mode.value, market_ms=NOW_MS - 5_000, rows=rows, findings=findings, checks=checks)
    reconciled_file(house.paths, mode).save(Reconciled(report=report))


async def test_before_the_first_comparison_it_says_so_and_what_to_do(house: House) -> None:
    told = plain(await house.ask("/reconcile"))
    assert "[TEST] Not compared yet." in told and "/startbot" in told


async def test_agreement_is_told_with_quantities_and_every_invariant(house: House) -> None:
    left(house, check(Rule.QUANTITY, "PEPE"), check(Rule.EQUITY, "TEST"), check(Rule.PROTECTED, "PEPEUSDT"))
    await house.ask("/startbot")
    told = plain(await house.ask("/reconcile", telegram(VIEWER)))
    assert "[TEST] Books and exchange agree." in told and "Compared 5 s ago" in told
    assert "PEPE: books 100 + 7 yours, exchange 107" in told and told.count("✅") == 3
    assert "not running" not in told


async def test_a_difference_is_told_with_when_it_last_held_and_what_to_do(house: House) -> None:
    left(house, check(Rule.QUANTITY, "BTC"), check(Rule.QUANTITY, "PEPE", False, NOW_MS - 605_000, "20"),
         check(Rule.EQUITY, "TEST", None, 0), findings=(SOLD,))
    told = plain(await house.ask("/reconcile"))
    assert "do not agree in everything" in told and "PEPE: 20 less on the exchange" in told and "/resync" in told
    assert "❌ Quantities as on the exchange: PEPE, last held 10 min before" in told
    assert "❔ Result as the change of the account: TEST, never held yet" in told
    assert "the tracker is not running" in told.lower()


async def test_each_mode_has_its_own(house: House) -> None:
    left(house, check(Rule.QUANTITY, "PEPE"), mode=Mode.LIVE)
    assert "[LIVE] Books and exchange agree." in plain(await house.ask("/reconcile live"))
    assert "Not compared yet" in await house.ask("/reconcile test")


@pytest.mark.parametrize("content", ["", "{", '{"report": 7}'])
async def test_a_report_that_cannot_be_read_is_told(house: House, content: str) -> None:
    reconciled_file(house.paths, Mode.TEST).path.write_text(content, encoding="utf-8")
    assert "cannot be read" in await house.ask("/reconcile")


async def test_resync_shows_what_it_would_note(house: House) -> None:
    left(house, findings=(SOLD,))
    house.worker.answers["resync_changes"] = {"changes": []}
    told = plain(await house.ask("/resync"))
    assert "Rebuild the tracked tokens?" in told and "note: PEPE: 20 less on the exchange" in told
    await house.confirm("/resync")
    assert ("resync", {"mode": "TEST"}) in house.inbox("tracker")
