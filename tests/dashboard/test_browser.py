"""The dashboard in a real browser (Debian's chromium): every page, a confirmed sale, themes, a phone, a lost server."""

import asyncio
import contextlib
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from config.crew import crew_for
from config.reference import rows
from modules.dashboard.pages import OWNERS, PAGES
from modules.dashboard.service import serve
from modules.supervision.outbox import Outbox
from modules.supervision.service import ServiceRun
from modules.telegram.local_front import serve_inbox
from tests.dashboard.asgi import LOOKING, PASSWORD
from tests.telegram.house import NOW_MS, House, bought_and_sold, position

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
ACTS = re.compile("^(Sell|Sell all|Stop|Start|Restart|Pause|Flatten|Enter|Train|Resync|Roll back|Run backtest"
                  "|Download|Check|Delete)")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]
playwright = pytest.importorskip("playwright.async_api", reason="playwright is not installed (requirements-dev.txt)")
pytestmark = pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="there is no chromium on this machine")


@dataclass
class Shown:
    """A browser on a running dashboard, and all that went wrong in it."""

    house: House
    url: str
    browser: Any
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    async def page(self, **context: Any) -> Any:
        opened = await (await self.browser.new_context(**context)).new_page()
        opened.set_default_timeout(60_000)
        opened.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        opened.on("pageerror", lambda problem: self.errors.append(str(problem)))
        opened.on("request", lambda asked: self._asked(asked.url))
        return opened

    def _asked(self, url: str) -> None:
        if not url.startswith((self.url, "data:", "blob:")):
            self.foreign.append(url)

    async def logged_in(self, password: str = PASSWORD, **context: Any) -> Any:
        page = await self.page(**context)
        await page.goto(self.url)
        await page.fill("#password", password)
        await page.click("button[type=submit]")
        await page.wait_for_selector("#bar .mode-TEST")
        return page


@pytest.fixture
async def shown(tmp_path: Path) -> AsyncIterator[Shown]:
    house = House(tmp_path, DASHBOARD_PORT="0", DASHBOARD_PASSWORD=PASSWORD, DASHBOARD_VIEWER_PASSWORD=LOOKING)
    house.hold(position())
    house.trade(*bought_and_sold(1, "-2", NOW_MS, "PEPEUSDT"))
    run = ServiceRun("dashboard", house.paths, 0.2)
    service = asyncio.create_task(serve(run, house.settings, crew_for(house.settings), rows(house.settings, {})))
    beats = asyncio.create_task(run.keep_beating())
    inbox = asyncio.create_task(serve_inbox(house.paths, house.router, Outbox(house.paths.outbox, "test")))
    async with asyncio.timeout(60):
        while "url" not in run._info:
            await asyncio.sleep(0.02)
    async with playwright.async_playwright() as play:
        browser = await play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        found = Shown(house, run._info["url"], browser)
        yield found
        await browser.close()
    run.stop.set()
    await asyncio.wait_for(service, 60)
    inbox.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(beats, inbox)


async def test_every_page_without_error_or_foreign_request(shown: Shown) -> None:
    page = await shown.logged_in(viewport={"width": 1366, "height": 900}, color_scheme="dark")
    for name in PAGES:
        await page.click(f'nav a[data-page="{name}"]')
        await page.wait_for_selector(f'nav a[data-page="{name}"][aria-current]')
        await page.wait_for_selector(".panel h2")
    await page.click('nav a[data-page="hype"]')
    await page.wait_for_selector("td:text('PEPEUSDT')")
    await page.go_back()
    await page.wait_for_selector('nav a[data-page="settings"][aria-current]')
    await page.click("button[aria-label='Dark or light']")
    assert await page.get_attribute("html", "data-theme") == "light"
    phone = await shown.logged_in(viewport={"width": 375, "height": 740})
    for name in PAGES:
        await phone.click(f'nav a[data-page="{name}"]')
        await phone.wait_for_selector(f'nav a[data-page="{name}"][aria-current]')
        assert await phone.evaluate("document.documentElement.scrollWidth") == 375, name
    assert shown.errors == [] and shown.foreign == []


async def test_a_sale_is_confirmed_and_what_changes_comes_without_reload(shown: Shown) -> None:
    page = await shown.logged_in()
    symbol = position().symbol
    await page.click(f"tr:has-text('{symbol}') button:text('Sell')")
    await page.wait_for_selector("dialog:has-text('Sell at market?')")
    assert not list((shown.house.paths.inbox / "tracker").glob("[0-9]*"))
    await page.click("dialog button.yes")
    await page.wait_for_selector("dialog:has-text('Selling')")
    assert len(list((shown.house.paths.inbox / "tracker").glob("[0-9]*"))) == 1
    await page.click("dialog button:text('Close')")
    shown.house.hold()  # the tracker sold it
    await page.wait_for_selector("text=No open positions.")
    shown.house.hold(position("<img src=x onerror=alert(1)>USDT"))
    await page.wait_for_selector("td:has-text('<img src=x')")
    assert shown.errors == [] and shown.foreign == []


async def test_a_viewer_sees_and_cannot_press(shown: Shown) -> None:
    page = await shown.logged_in(LOOKING)
    await page.wait_for_selector("text=read only")
    await page.wait_for_selector(f"td:text-is('{position().symbol}')")
    for name in sorted(OWNERS):
        assert await page.locator(f'nav a[data-page="{name}"]').count() == 0, name
    for name in PAGES:
        if name in OWNERS:
            continue
        await page.click(f'nav a[data-page="{name}"]')
        await page.wait_for_selector(f'main[data-page="{name}"]')
        acts = page.locator("main button.act", has_text=ACTS)
        assert await acts.locator("visible=true").count() == 0, name
    assert shown.errors == [] and shown.foreign == []


async def test_a_one_time_link_opens_once(shown: Shown) -> None:
    shown.house.crew.states["dashboard"] = "ready"
    shown.house.crew.info["dashboard"] = {"url": shown.url}
    link = next(word for word in (await shown.house.ask("/dashboard")).split() if "#once=" in word)
    inbox = shown.house.paths.inbox / "dashboard"
    async with asyncio.timeout(60):
        while list(inbox.glob("[0-9]*")):
            await asyncio.sleep(0.02)
    await asyncio.sleep(0)
    page = await shown.page()
    await page.goto(link)
    await page.wait_for_selector("#bar .mode-TEST")
    assert "once" not in page.url
    other = await shown.page()
    await other.goto(link)
    await other.wait_for_selector("#said:has-text('used already')")
