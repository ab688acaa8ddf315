"""The commands that delete and train: what goes, what stays, what is asked of the crew."""

import os
from pathlib import Path

from modules.exchange.types import Mode
from modules.execution.risk_state import risk_file
from modules.strategies.hype.files import HypeFiles
from modules.telegram.housekeeping import test_files as files_of_test_mode
from modules.telegram.markup import plain
from tests.telegram.house import NOW_MS, House, bought_and_sold, position
from utils.paths import Paths


async def test_cleartestdata_takes_all_of_test_and_nothing_of_live(house: House) -> None:
    for mode in Mode:
        house.hold(position(mode=mode.value), mode=mode)
        house.hold(position(mode=mode.value), mode=mode)  # the second save leaves a copy behind
        house.trade(*bought_and_sold(1, "1", NOW_MS), mode=mode)
        risk = risk_file(house.paths, "hype", mode)
        risk.save(risk.load())
        risk.save(risk.load())
    for name in ("test_trade_history.00001.jsonl", "test_trade_history.00002.full", "test_ledger.json",
                 "test_ledger.json.bak", "test_fills.json", "test_reconciliation.json"):
        (house.paths.data / name).write_text("", encoding="utf-8")
    await house.ask("/startbot")
    asked = plain(await house.ask("/cleartestdata"))
    assert "Gone unsold: 1 open paper position worth 52.00 USDT." in asked
    told = plain(await house.confirm("/cleartestdata"))
    assert "Test data deleted" in told
    assert ("stop", "scanner", "tracker") in house.crew.asked and house.crew.states["tracker"] == "ready"
    assert not list(house.paths.data.glob("test_*")) and (house.paths.data / "tracked_tokens.json").exists()
    assert (house.paths.data / "risk_state.json").exists()
    assert len(list(HypeFiles(house.paths, Mode.LIVE).trades.records())) == 2 and not house.context.guard_off


def test_a_copy_goes_before_its_file(tmp_path: Path) -> None:
    """Killed between the two, the next start must not find the copy alone and bring the data back."""
    data = Paths(tmp_path).prepare().data
    names = ("test_log.json", "test_log.json.bak", "test_account.json", "test_account.json.bak")
    for name in names:
        (data / name).touch()
    order = [path.name for path in files_of_test_mode(Paths(tmp_path)).files]
    assert sorted(order) == sorted(names) and all(name.endswith(".bak") for name in order[:2])


async def test_cleanup_takes_old_candles_only(house: House) -> None:
    old, new = house.paths.market_data / "OLDUSDT.csv", house.paths.market_data / "NEWUSDT.csv"
    for path in (old, new, house.paths.data / "labeled_candidates.csv"):
        path.write_text("x", encoding="utf-8")
    os.utime(old, (1, 1))
    os.utime(house.paths.data / "labeled_candidates.csv", (1, 1))
    assert "OLDUSDT.csv" in await house.ask("/cleanup")
    assert "1 file deleted" in await house.confirm("/cleanup")
    assert not old.exists() and new.exists() and (house.paths.data / "labeled_candidates.csv").exists()
    assert "Nothing to clean up" in await house.ask("/cleanup")


async def test_training_commands(house: House) -> None:
    await house.ask("/starttrain")
    await house.ask("/retrainfeedback")
    assert [kind for kind, _ in house.inbox("trainer")] == ["pending", "feedback"]
    assert "Trainer stopped" in await house.ask("/stoptrain") and house.crew.states["trainer"] == "stopped"
