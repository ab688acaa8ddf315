"""What a person does on the dashboard, each act seen by the page and by what the crew's own files and processes say.

An act raises playwright's Error or AssertionError where it does not come about.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from modules.storage.settings_versions import Versions
from tests.e2e.harness import Program
from tests.e2e.whole_crew import LOOKING
from utils.paths import Paths

PATIENCE_S = 120.0
REFUSED = """async (line) => {
  const me = await (await fetch("/api/me")).json();
  const reply = await fetch("/api/ask", {method: "POST", body: JSON.stringify({line}),
    headers: {"content-type": "application/json", "x-csrf": me.csrf}});
  return [reply.status, await reply.text()];
}"""


class Stage(Protocol):
    """Where acts happen."""

    @property
    def program(self) -> Program:
        """What runs."""

    async def logged_in(self, width: int, scheme: Any, password: str) -> Any:
        """A page behind the login."""

    async def by_link(self, width: int, scheme: Any, link: str) -> Any:
        """A page that a one-time link opened."""


async def true_soon(condition: Callable[[], object], what: str) -> None:
    """Until it is so. Raises AssertionError naming `what`."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, f"not within {PATIENCE_S:.0f} s: {what}"
        await asyncio.sleep(0.05)


async def answered(page: Any, words: str) -> None:
    """The answer has come and is read. Closed sooner, the dialog would open again for it."""
    await page.wait_for_selector(f"dialog:has-text('{words}')")
    await page.click("dialog button:text-is('Close')")
    await page.wait_for_selector("dialog", state="hidden")


async def stopped_and_started(page: Any, program: Program, name: str, title: str) -> None:
    """By the buttons of Overview; the process ends and another one comes."""
    row = f"tr:has-text('{title}')"
    before = program.service_pid(name)
    await page.click('nav a[data-page="overview"]')
    await page.click(f"{row} button:text-is('Stop')")
    await page.wait_for_selector(f"dialog:has-text('Stop {title}?')")
    assert program.service_pid(name) == before, "it ended without a yes"
    await page.click("dialog button.yes")
    await answered(page, f"{name} is stopped.")
    await page.wait_for_selector(f"{row} .tag.stopped")
    await true_soon(lambda: program.service_pid(name) is None, f"{name} ended")
    await page.click(f"{row} button:text-is('Start')")
    await answered(page, f"{name} is running.")
    await page.wait_for_selector(f"{row} .tag.ready")
    await true_soon(lambda: program.service_pid(name) not in (None, before), f"{name} runs again")


async def a_service(page: Any, stage: Stage) -> None:
    """Stop and start one."""
    await stopped_and_started(page, stage.program, "sentiment", "Sentiment")


async def a_denial(page: Any, stage: Stage) -> None:
    """Who may only look has no button, and is refused when he asks without one."""
    before = stage.program.service_pid("sentiment")
    other = await stage.logged_in(1366, "light", LOOKING)
    await other.wait_for_selector("tr:has-text('Sentiment') .tag.ready")
    assert await other.locator("tr:has-text('Sentiment') button:visible").count() == 0, "a button to look at"
    status, words = await other.evaluate(REFUSED, "/service sentiment stop")
    assert status == 403 and "may only look" in words, (status, words)
    assert stage.program.service_pid("sentiment") == before, "it was stopped"
    await other.context.close()


async def a_phone(page: Any, stage: Stage) -> None:
    """A one-time link opened 375 px wide: a service stopped and started, why nothing trades; the link is used up."""
    link = stage.program.ask("/dashboard", r"http\S+#once=\S+", PATIENCE_S).group(0)
    phone = await stage.by_link(375, "dark", link)
    await phone.wait_for_selector("#bar .mode-TEST")
    await stopped_and_started(phone, stage.program, "sentiment", "Sentiment")
    await phone.click('nav a[data-page="btc"]')
    why = phone.locator("section.panel", has=phone.locator("h2", has_text="Why"))
    await why.locator("b").first.wait_for()
    assert await phone.evaluate("document.documentElement.scrollWidth") == 375
    again = await stage.by_link(375, "dark", link)
    await again.wait_for_selector("#said:has-text('used already')")
    for one in (phone, again):
        await one.context.close()


async def a_sale(page: Any, stage: Stage) -> None:
    """Sell what system A holds, confirmed."""
    await page.click('nav a[data-page="overview"]')
    row = page.locator("tr", has=page.get_by_role("button", name="Sell", exact=True)).first
    symbol = (await row.locator("td").first.inner_text()).strip()
    await row.get_by_role("button", name="Sell", exact=True).click()
    await page.wait_for_selector("dialog:has-text('Sell at market?')")
    await page.click("dialog button.yes")
    await page.wait_for_selector("dialog:has-text('Selling')")
    await page.click("dialog button:text('Close')")
    await page.wait_for_selector(f"tr:has-text('{symbol}') button:text-is('Sell')", state="detached")
    await true_soon(lambda: any(one["symbol"] == symbol and one["side"] == "SELL" for one in stage.program.trades()),
                    f"{symbol} is sold in the books")


async def etf_data(page: Any, stage: Stage) -> None:
    """Bad first: every error is named and nothing counts; then good."""
    await page.click('nav a[data-page="btc"]')
    box = page.locator("section.panel", has=page.locator("#text-etf"))
    await page.fill("#text-etf", "2025-04-05 IBIT=1M\n2025-04-01 IBIT=1M\n2025-04-01 IBIT=2M")
    await box.get_by_role("button", name="Enter").click()
    await box.get_by_text("Nothing was changed.").wait_for()
    await page.fill("#text-etf", "2025-04-01 IBIT=120M FBTC=-30M")
    await box.get_by_role("button", name="Enter").click()
    await box.get_by_text("version 1 counts").first.wait_for()


async def a_backtest(page: Any, stage: Stage) -> None:
    """Run one; its result comes into the table."""
    await page.click('nav a[data-page="backtests"]')
    await page.click("button:text-is('Run backtest')")
    await page.wait_for_selector("tr:has-text('hype') .tag:has-text('done')", timeout=600_000)  # compiles first
    await page.click("dialog button:text('Close')")


async def a_download(page: Any, stage: Stage) -> None:
    """Candles of two tokens from the simulated exchange; their span and check stand on the page."""
    await page.click('nav a[data-page="data"]')
    await page.fill("#dl-symbols", "btc eth")
    await page.fill("#dl-days", "2")
    await page.get_by_role("button", name="Download", exact=True).click()
    await page.locator("dialog").get_by_text("Candles downloaded: 2 of 2 tokens").wait_for()
    await page.click("dialog button:text('Close')")
    await page.locator("tr:has(td:text-is('ETHUSDT')) .tag", has_text=re.compile("sound|gaps")).wait_for()
    assert (Paths(stage.program.home).market_data / "ETHUSDT.csv").exists()


async def a_version(page: Any, stage: Stage) -> None:
    """A kept version of settings applied and rolled back, each after a yes."""
    versions = Versions(Paths(stage.program.home))
    difference = {"objective": "net", "difference": {"value": 0.4, "low": 0.1, "high": 0.7}}
    kept = versions.keep("hype", "tour", "2026-01-01", {"hype.trail_fall_pct": 2.0}, {"hype.trail_fall_pct": 3.0},
                         difference)
    await page.click('nav a[data-page="backtests"]')
    box = page.locator("section.panel", has=page.locator("h2", has_text="Versions of settings"))
    for button, asked, held in (("Apply", f"Apply version {kept.version}", {"hype": kept.version}),
                                ("Roll back", "Roll back the settings?", {})):
        await box.get_by_role("button", name=button, exact=True).click()
        await page.wait_for_selector(f"dialog:has-text('{asked}')")
        assert versions.applied().versions != held, "it happened without a yes"
        await page.click("dialog button.yes")
        await page.wait_for_selector("dialog:has-text('pplied')")
        await true_soon(lambda held=held: versions.applied().versions == held, f"{button}: {held}")  # type: ignore[misc]
        await page.keyboard.press("Escape")
    await box.get_by_text("applied: none").wait_for()


async def indicators(page: Any, stage: Stage) -> None:
    """Four indicators on the candles of a token."""
    await page.click('nav a[data-page="hype"]')
    box = page.locator("section.panel", has=page.locator("h2", has_text=re.compile("^Candles$")))
    await box.get_by_text("Indicators", exact=True).click()
    for kind, length in (("EMA", "20"), ("BB", "20"), ("RSI", "14"), ("VOL", "")):
        await box.get_by_label("Indicator", exact=True).select_option(kind)
        if length:
            await box.get_by_label("Candles").fill(length)
        await box.get_by_role("button", name="Add").click()
    await page.wait_for_selector(".chart.tall")


ACTS: dict[str, Callable[[Any, Stage], Awaitable[None]]] = {
    "a sale is confirmed": a_sale, "ETF data, bad first": etf_data, "a backtest": a_backtest,
    "candles are downloaded": a_download,
    "a version of settings is applied and rolled back": a_version, "indicators on candles": indicators,
    "a service is stopped and started": a_service, "who may only look is refused": a_denial,
    "a phone by a one-time link": a_phone}
