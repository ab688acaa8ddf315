"""The page Reconciliation: reports as the tracker, a futures keeper and a grid's worker leave them."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from config.crew import crew_for
from modules.dashboard.pages.reconciliation import ReconciliationPage
from modules.dashboard.pages.sources import Sources
from modules.dashboard.pages.sql import Sql
from modules.exchange.types import Mode
from modules.execution.findings import Code, Finding
from modules.execution.futures import report_file
from modules.execution.futures.keeper import Keeper, Rhythm
from modules.execution.futures.report_file import ReportKeeper, read_report, report_path
from modules.execution.invariants import Check, Report, Row, Rule
from modules.strategies.hype.desk_books import Reconciled, reconciled_file
from modules.supervision.service import ServiceRun
from tests.execution.futures.house import House as FuturesHouse
from tests.execution.futures.house import Venue
from tests.telegram.house import NOW_MS, House

D = Decimal
MANUAL = Finding(code=Code.MANUAL_SALE, key="k", subject="PEPE", confirmed=True, stops_entries=True, ours=D(100),
                 venue=D(80))


def shown(house: House) -> dict[str, Any]:
    sources = Sources(house.paths, house.settings, crew_for(house.settings))
    found = ReconciliationPage(sources, Sql(sources))({})
    msgspec.json.encode(found)
    return found


def left(house: House, *checks: Check, findings: tuple[Finding, ...] = (), mode: Mode = Mode.TEST) -> None:
    rows = (Row(asset="PEPE", ours=D(100), external=D(7), venue=D(107)), Row(asset="BTC", ours=D(1), external=D(0),
                                                                            venue=None))
    report = Report(mode=mode.value, market_ms=NOW_MS, rows=rows, findings=findings, checks=checks)
    reconciled_file(house.paths, mode).save(Reconciled(report=report))


def one(rule: Rule, ok: bool | None, held_ms: int = NOW_MS) -> Check:
    return Check(rule=rule, subject="PEPE", value=D(20), tolerance=D("0.1"), ok=ok, held_ms=held_ms)


def test_nothing_compared_is_not_agreement(house: House) -> None:
    found = shown(house)
    assert found["accounts"] == [] and "Nothing was compared yet" in found["why"]["headline"]


def test_agreement_and_differences_by_account(house: House) -> None:
    left(house, one(Rule.QUANTITY, True), one(Rule.PROTECTED, True))
    left(house, one(Rule.QUANTITY, False, NOW_MS - 60_000), one(Rule.EQUITY, None, 0), findings=(MANUAL,),
         mode=Mode.LIVE)
    ServiceRun("tracker", house.paths, 1.0).ready(seen_ms=NOW_MS + 5000)
    found = shown(house)
    accounts = {row["name"]: row for row in found["accounts"]}
    assert accounts["[TEST] spot"]["clean"] and accounts["[TEST] spot"]["age_s"] == 5
    assert not accounts["[LIVE] spot"]["clean"] and accounts["[LIVE] spot"]["broken"] == 1
    rows = {(row["account"], row["what"]): row for row in found["rows"]}
    assert rows["[TEST] spot", "PEPE"]["gap"] == 0 and rows["[TEST] spot", "BTC"]["gap"] is None
    broken = next(row for row in found["checks"] if row["ok"] is False)
    assert broken["held_s"] == 60 and broken["meaning"] == "quantities as on the exchange"
    assert next(row for row in found["checks"] if row["ok"] is None)["held_s"] is None
    assert found["findings"][0]["stops"] and "20 less on the exchange" in found["findings"][0]["text"]
    assert found["why"]["headline"].startswith("Not all agrees because [LIVE] spot: 1 invariants")


def test_an_old_pass_of_a_running_keeper_and_one_of_a_stopped_keeper_are_told_apart(house: House) -> None:
    left(house, one(Rule.QUANTITY, True))
    assert "its keeper is stopped" in shown(house)["why"]["checks"][0]["text"]
    ServiceRun("tracker", house.paths, 1.0).ready(seen_ms=NOW_MS + 600_000)
    found = shown(house)
    assert found["accounts"][0]["late"] and "600 s old" in found["why"]["headline"]


def test_a_damaged_report_is_not_a_clean_one(house: House) -> None:
    reconciled_file(house.paths, Mode.TEST).path.write_text("{", encoding="utf-8")
    (house.paths.data / "futures_x_reconciliation.json").write_text("[", encoding="utf-8")
    found = shown(house)
    assert len(found["accounts"]) == 2 and all(row["problem"] and not row["clean"] for row in found["accounts"])


async def test_a_keepers_pass_over_a_futures_account_is_shown(tmp_path: Path) -> None:
    futures = await FuturesHouse(tmp_path, Venue()).open()
    keeper = Keeper(futures.desk, futures.reconciler, (), Rhythm(), futures.words.append)
    keeper.shown = ReportKeeper(futures.desk, futures.paths.data, Mode.TEST)
    try:
        await futures.start()
        await futures.desk.enter(futures.ask(), "s1", "test")
        await futures.settle()
        await keeper._pass()
        kept = read_report(report_path(futures.paths.data, "b", Mode.TEST))
        assert kept is not None and kept.report.clean and kept.legs[0].ours == kept.legs[0].venue == D(1)
        assert kept.legs[0].stop == D(1900) and kept.held_ms
        found = shown(House(tmp_path))
        assert found["accounts"][0]["name"] == "[TEST] futures b" and found["accounts"][0]["clean"]
        assert found["rows"][0]["gap"] == 0 and found["rows"][0]["venue_average"] == found["rows"][0]["ours_average"]
        futures.desk.closed = "another copy of this program uses the account"
        await keeper.shown.keep(kept.report)
        assert "another copy" in shown(House(tmp_path))["findings"][0]["text"]
    finally:
        await futures.close()


async def test_a_disk_that_refuses_costs_the_keeper_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "no space")

    futures = await FuturesHouse(tmp_path, Venue()).open()
    try:
        await futures.start()
        monkeypatch.setattr(report_file, "write_atomic", full)
        keeper = Keeper(futures.desk, futures.reconciler, (), Rhythm(), futures.words.append)
        keeper.shown = ReportKeeper(futures.desk, futures.paths.data, Mode.TEST)
        await keeper._pass()
        assert keeper.report is not None and not report_path(futures.paths.data, "b", Mode.TEST).exists()
    finally:
        await futures.close()


def test_gaps_that_services_tell_are_marked(house: House) -> None:
    ServiceRun("feed", house.paths, 1.0).ready(stale_streams=2, snapshots=9, damaged=0)
    ServiceRun("showdown", house.paths, 1.0).ready(BTCUSDT_gaps=3)
    rows = {row["what"]: row for row in shown(house)["gaps"]}
    assert rows["streams that are silent"]["bad"] and not rows["books read anew after a gap"]["bad"]
    assert rows["BTCUSDT: candles missing"]["value"] == 3 and not rows["frames that could not be read"]["bad"]
