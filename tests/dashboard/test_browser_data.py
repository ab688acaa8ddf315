"""Data and Settings in a real browser: a download with its progress, a set deleted after a yes, who sees settings."""

from typing import Any

import pytest

from modules.market import sets
from modules.telegram import long_runs
from tests.backtest.candles import table, write_csv
from tests.dashboard.asgi import LOOKING
from tests.dashboard.test_browser import Shown, pytestmark, shown  # noqa: F401 - the browser's fixture

__all__ = ["pytestmark"]
WIDE: dict[str, Any] = {"viewport": {"width": 1366, "height": 900}}

BOT = """
import json, os, pathlib, sys, time
home = pathlib.Path(os.environ["COXSWAIN_HOME"])
(home / "argv").write_text(" ".join(sys.argv[1:]))
print("progress " + json.dumps({"share": 0.4, "what": "1 of 2 tokens, BTCUSDT"}), file=sys.stderr, flush=True)
while not (home / "go").exists():
    time.sleep(0.01)
row = {"file": "AAAUSDT.csv", "symbol": "AAAUSDT", "rows": 300, "gap_count": 2, "missing": 7, "unusable": 0,
       "problem": "", "first_ms": 1, "last_ms": 2}
print(json.dumps({"set": "market_data", "exchange": "simulated", "interval": "5m", "asked": 2, "added": 300,
                  "failed": {"XUSDT": "no answer"}, "usable": True, "rows": 300, "symbols": [row]}))
sys.exit(1)
"""


@pytest.fixture
def seen(shown: Shown) -> Shown:  # noqa: F811 - pytest's own way
    """A browser on a running dashboard, with candles of two kinds."""
    write_csv(shown.house.paths.market_data / "AAAUSDT.csv", table(1, 300))
    apart = sets.folder_of(shown.house.paths, "mexc-1h")
    apart.mkdir(parents=True)
    write_csv(apart / "BBBUSDT.csv", table(2, 50))
    return shown


async def test_candles_are_downloaded_with_progress_and_their_check_is_shown(
        seen: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    home = seen.house.paths.home
    (home / "bot.py").write_text(BOT, encoding="utf-8")
    monkeypatch.setattr(long_runs, "PROJECT", home)
    page = await seen.logged_in(**WIDE)
    await page.click('nav a[data-page="data"]')
    await page.locator("tr:has-text('AAAUSDT')").get_by_text("not checked").wait_for()
    await page.get_by_role("button", name="Download", exact=True).click()  # nothing is named
    await page.locator("dialog").get_by_text("Name the tokens").wait_for()
    await page.keyboard.press("Escape")
    await page.fill("#dl-symbols", "btc x")
    await page.fill("#dl-days", "2")
    await page.get_by_text("They go to market_data").wait_for()
    await page.get_by_role("button", name="Download", exact=True).click()
    await page.get_by_text("40%, 1 of 2 tokens, BTCUSDT").wait_for()
    (home / "go").touch()
    await page.locator("dialog").get_by_text("Candles downloaded: 1 of 2 tokens").wait_for()
    await page.locator("dialog").get_by_role("button", name="Close").click()
    row = page.locator("tr:has-text('AAAUSDT')")
    await row.get_by_text("gaps", exact=True).wait_for()
    await row.get_by_text("changed since").wait_for()
    await page.locator("tr", has_text="XUSDT: no answer").locator(".tag", has_text="partly").wait_for()
    asked = (home / "argv").read_text()
    assert asked == "data download BTCUSDT XUSDT --json --progress --interval=5m --days=2"
    assert seen.errors == [] and seen.foreign == []


async def test_a_set_is_chosen_and_deleted_after_a_yes(seen: Shown) -> None:
    page = await seen.logged_in(**WIDE)
    await page.click('nav a[data-page="data"]')
    await page.get_by_role("button", name="mexc-1h", exact=True).click()
    await page.locator("td:text-is('BBBUSDT')").wait_for()
    await page.locator("tr:has-text('mexc-1h')").get_by_role("button", name="Delete").click()
    await page.wait_for_selector("dialog:has-text('Delete the candles mexc-1h?')")
    folder = sets.folder_of(seen.house.paths, "mexc-1h")
    assert folder.exists()
    await page.click("dialog button.yes")
    await page.locator("dialog").get_by_text("are deleted").wait_for()
    await page.keyboard.press("Escape")
    await page.locator("td:text-is('AAAUSDT')").wait_for()
    assert not folder.exists() and seen.errors == [] and seen.foreign == []


async def test_settings_are_found_by_words_and_are_for_owners_only(seen: Shown) -> None:
    page = await seen.logged_in(**WIDE)
    await page.click('nav a[data-page="settings"]')
    await page.locator("tr", has_text="hype.trade_usdt").wait_for()
    await page.fill("input[type=search]", "dashboard.password")
    row = page.locator("tbody tr")
    await row.get_by_text("set, not shown").wait_for()
    assert await row.count() == 1 and "horse" not in await page.content()
    other = await seen.logged_in(LOOKING, **WIDE)
    frames = await other.evaluate("""() => new Promise((done) => {
      const told = [];
      const live = new WebSocket(`ws://${location.host}/live`);
      live.onopen = () => live.send(JSON.stringify({page: "settings"}));
      live.onmessage = (event) => {
        told.push(...JSON.parse(event.data).map((part) => part.page));
        live.send(JSON.stringify({page: told.includes("system") ? "settings" : "system"}));
        if (told.includes("system")) { live.close(); done(told); }
      };
    })""")
    assert "system" in frames and "settings" not in frames
    assert seen.errors == [] and seen.foreign == []
