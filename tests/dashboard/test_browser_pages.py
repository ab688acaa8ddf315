"""Forms and choices of the systems' pages in a real browser."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from modules.storage.settings_versions import Versions
from modules.strategies.showdown.files import ShowdownFiles
from modules.strategies.showdown.manual_store import ManualStore
from modules.telegram import long_runs
from tests.dashboard.test_browser import Shown, pytestmark, shown  # noqa: F401 - the browser's fixture
from tests.telegram.house import NOW_MS, bought_and_sold

__all__ = ["pytestmark"]
WIDE: dict[str, Any] = {"viewport": {"width": 1366, "height": 900}}


@pytest.fixture
def seen(shown: Shown) -> Shown:  # noqa: F811 - pytest's own way
    """A browser on a running dashboard."""
    return shown


async def test_bad_etf_flows_are_named_and_good_ones_count(seen: Shown) -> None:
    page = await seen.logged_in(**WIDE)
    await page.click('nav a[data-page="btc"]')
    await page.fill("#text-etf", "2025-04-05 IBIT=1M\n2025-04-01 IBIT=1M\n2025-04-01 IBIT=2M")
    box = page.locator("section.panel", has=page.locator("#text-etf"))
    await box.get_by_role("button", name="Enter").click()
    await box.get_by_text("no US trading day").wait_for()
    await box.get_by_text("more than once").wait_for()
    await box.get_by_text("Nothing was changed.").wait_for()
    store = ManualStore(ShowdownFiles(seen.house.paths, "BTCUSDT", True))
    assert store.versions() == {}
    await page.fill("#text-etf", "2025-04-01 IBIT=120M FBTC=-30M")
    await box.get_by_role("button", name="Enter").click()
    await box.get_by_text("version 1 counts").wait_for()  # the note comes by the socket
    assert store.current()["etf"].version == 1
    await box.get_by_role("button", name="Undo newest").click()
    await box.get_by_text("nothing entered: neutral").wait_for()
    assert seen.foreign == [] and all("422" in one for one in seen.errors)  # the browser logs a refused request itself


BOT = """
import json, os, pathlib, sys, time
home = pathlib.Path(os.environ["COXSWAIN_HOME"])
print("progress " + json.dumps({"share": 0.4, "what": "signals"}), file=sys.stderr, flush=True)
while not (home / "go").exists():
    time.sleep(0.01)
figures = {"start": 1000.0, "end": 1010.0, "result": 1.0, "buy and hold": 2.0, "trades": 3, "won": 66.0,
           "mean trade": 0.3, "mean trade ±": 0.5, "deepest drawdown": 1.0, "fees": 0.1}
print(json.dumps({"title": "Backtest hype", "span": "2026-01-01 … 2026-01-09", "symbols": ["BTCUSDT"], "candles": 9,
                  "metrics": figures, "units": {}, "definitions": {}, "settings": {}, "by_month": [], "by_reason": [],
                  "refused": {}, "waived": ["depth of the book"], "by_symbol": [],
                  "curve": {"time": [1000, 2000], "equity": [1000, 1010], "hold": [1, 2], "drawdown": [0, 0]}}))
"""


async def test_a_backtest_runs_with_its_progress_and_its_result_comes(seen: Shown,
                                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    home = seen.house.paths.home
    (home / "bot.py").write_text(BOT, encoding="utf-8")
    monkeypatch.setattr(long_runs, "PROJECT", home)
    (seen.house.paths.market_data / "BTCUSDT.csv").write_text(
        "time,open,high,low,close,volume\n1760000000000,1,1,1,1,1\n1760900000000,1,1,1,1,1\n", encoding="utf-8")
    page = await seen.logged_in(**WIDE)
    await page.click('nav a[data-page="backtests"]')
    await page.get_by_text("No backtest has run from here yet").wait_for()
    await page.fill("#bt-set", "trail_fall_pct=2")
    await page.get_by_role("button", name="Run backtest").click()
    await page.get_by_text("40%, signals").wait_for()
    (home / "go").touch()
    await page.locator("dialog").get_by_text("no different from nothing").wait_for()
    await page.locator("dialog").get_by_role("button", name="Close").click()
    await page.locator("td", has_text="trail_fall_pct=2").first.wait_for()
    await page.get_by_text("depth of the book", exact=True).wait_for()
    assert seen.errors == [] and seen.foreign == []


async def test_times_are_the_readers_with_the_zone_named_and_utc_in_title_and_csv(seen: Shown) -> None:
    ms = max(one.market_ms for one in bought_and_sold(1, "-2", NOW_MS, "PEPEUSDT"))  # the newest stands first
    own = datetime.fromtimestamp(ms / 1000, ZoneInfo("Asia/Kolkata")).strftime("%m-%d %H:%M:%S")  # half an hour off
    utc = datetime.fromtimestamp(ms / 1000, UTC)
    page = await seen.logged_in(**WIDE, timezone_id="Asia/Kolkata", accept_downloads=True)
    await page.click('nav a[data-page="hype"]')
    trades = page.locator("section.panel", has=page.locator("h2", has_text=re.compile("^Trades$")))
    cell = trades.locator("td").first
    await trades.get_by_role("button", name="When (GMT+5:30)").wait_for()
    assert await cell.inner_text() == own
    assert await cell.get_attribute("title") == f"{utc:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03}Z"
    async with page.expect_download() as under_way:
        await trades.get_by_role("button", name="CSV").click()
    head, first, *_ = Path(await (await under_way.value).path()).read_text("utf-8").splitlines()
    assert head.startswith("When (UTC),") and first.startswith(f"{utc:%Y-%m-%dT%H:%M:%S}")
    await page.get_by_role("button", name="GMT+5:30", exact=True).click()
    await trades.get_by_role("button", name="When (UTC)").wait_for()
    assert await cell.inner_text() == f"{utc:%m-%d %H:%M:%S}"
    await page.reload()  # the choice is kept
    await trades.get_by_role("button", name="When (UTC)").wait_for()
    marks = await page.evaluate("""async () => {
      const { axisTime, crosshairTime, flipZone } = await import("/static/js/times.js");
      const seen = () => [axisTime(1767225600, 2), axisTime(1767225600, 3), crosshairTime(1767225600)];
      const utc = seen();
      flipZone();
      return [utc, seen()];
    }""")
    assert marks == [["1", "00:00", "2026-01-01 00:00 UTC"], ["01 05:30", "05:30", "2026-01-01 05:30 GMT+5:30"]]
    assert seen.errors == [] and seen.foreign == []


async def test_a_version_of_settings_is_applied_and_rolled_back(seen: Shown) -> None:
    versions = Versions(seen.house.paths)
    versions.keep("hype", "s", "2026-01-01", {"hype.trail_fall_pct": 2.0}, {"hype.trail_fall_pct": 3.0}, {})
    page = await seen.logged_in(**WIDE)
    await page.click('nav a[data-page="backtests"]')
    box = page.locator("section.panel", has=page.locator("h2", has_text="Versions of settings"))
    await box.get_by_text("applied: none").wait_for()
    await box.get_by_role("button", name="Apply", exact=True).click()
    await page.wait_for_selector("dialog:has-text('[TEST] Apply version 1 (hype)?'):has-text('hype.trail_fall_pct')")
    assert versions.applied().versions == {}  # nothing without the yes
    await page.click("dialog button.yes")
    await page.wait_for_selector("dialog:has-text('Version 1 is applied.')")
    await page.keyboard.press("Escape")
    await box.get_by_text("applied: hype 1").wait_for()
    assert versions.applied().settings == {"hype.trail_fall_pct": 2.0}
    await box.get_by_role("button", name="Roll back", exact=True).click()
    await page.wait_for_selector("dialog:has-text('Roll back the settings?'):has-text('none: your own settings')")
    await page.click("dialog button.yes")
    await page.wait_for_selector("dialog:has-text('Rolled back. Applied now: none.')")
    await page.keyboard.press("Escape")
    await box.get_by_role("button", name="Apply", exact=True).wait_for()
    assert versions.applied().versions == {} and seen.errors == [] and seen.foreign == []
