"""The whole dashboard in a real browser on the whole simulated crew: every page, and what a person does there.

    python -m benchmarks.dashboard_tour --out FOLDER       pictures of every page; exit code 1 where something is wrong
    python -m benchmarks.dashboard_tour --only pages       without the acts

Pages at 1366 and 375 px, dark and light. Acts (dashboard_acts.py): a sale confirmed, ETF data entered (bad first), a
backtest run, candles downloaded, a version of settings applied and rolled back, indicators chosen, a service stopped
and started, who may only look refused, a phone by a one-time link. Wrong is: an error on the console, a request off
the machine, a page wider than the screen, an act that does not come about.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Literal

from playwright.async_api import Error, async_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.dashboard_acts import ACTS
from modules.dashboard.pages import PAGES
from tests.e2e.harness import Program
from tests.e2e.whole_crew import PASSWORD, prepared, start_all

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]
SIZES = {1366: 900, 375: 740}
SCHEMES: tuple[Literal["dark", "light"], ...] = ("dark", "light")
LONG_MS = 120_000


class Browser:
    """Chromium on one dashboard, and all that went wrong in it."""

    def __init__(self, url: str, program: Program | None = None) -> None:
        self.url = url
        self._program = program
        self.wrong: list[str] = []
        self.refusals_expected = False

    async def __aenter__(self) -> Browser:
        self._play = await async_playwright().start()
        self._browser = await self._play.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._browser.close()
        await self._play.stop()

    async def logged_in(self, width: int, scheme: Literal["dark", "light"], password: str) -> Any:
        """A page of this size and colour scheme, behind the login."""
        page = await self._page(width, scheme)
        await page.goto(self.url)
        await page.fill("#password", password)
        await page.click("button[type=submit]")
        await page.wait_for_selector("#bar .mode-TEST")
        return page

    async def by_link(self, width: int, scheme: Literal["dark", "light"], link: str) -> Any:
        """A page of this size that a one-time link opened."""
        page = await self._page(width, scheme)
        await page.goto(link)
        return page

    @property
    def program(self) -> Program:
        """What it looks at. Raises RuntimeError where that is another's."""
        if self._program is None:
            raise RuntimeError("this browser only looks")
        return self._program

    async def _page(self, width: int, scheme: Literal["dark", "light"]) -> Any:
        size: Any = {"width": width, "height": SIZES[width]}
        context = await self._browser.new_context(viewport=size, color_scheme=scheme)
        context.set_default_timeout(LONG_MS)
        page = await context.new_page()
        page.on("console", lambda said: self._said(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda problem: self.wrong.append(
            f"script on {page.url} at {width} px: {problem}\n{problem.stack}"))
        page.on("request", lambda asked: self._asked(asked.url))
        return page

    def _said(self, text: str) -> None:
        if not (self.refusals_expected and re.search("422|403|401", text)):  # the browser logs a refused request itself
            self.wrong.append(f"console: {text}")

    def _asked(self, url: str) -> None:
        if not url.startswith((self.url, self.url.replace("http", "ws", 1), "data:", "blob:")):
            self.wrong.append(f"asked elsewhere: {url}")


async def picture(page: Any, name: str, out: Path, whole: bool = True) -> None:
    """Open a page, wait for its figures, and take its picture."""
    await page.click(f'nav a[data-page="{name}"]')
    await page.wait_for_selector(f'nav a[data-page="{name}"][aria-current]')
    await page.locator(".panel h2:visible").first.wait_for()
    await page.wait_for_selector(f'main[data-page="{name}"]')
    await page.wait_for_timeout(1500)  # charts draw themselves
    await page.screenshot(path=str(out), full_page=whole)


async def every_page(browser: Browser, out: Path) -> None:
    """All pages, sizes and schemes."""
    for width in SIZES:
        for scheme in SCHEMES:
            page = await browser.logged_in(width, scheme, PASSWORD)
            for name in PAGES:
                await picture(page, name, out / f"{name}-{width}-{scheme}.png")
                wide = await page.evaluate("document.documentElement.scrollWidth")
                if wide > width:
                    browser.wrong.append(f"{name} is {wide} px wide at {width}")
                if await page.query_selector("#trouble"):
                    browser.wrong.append(f"{name}: {await page.inner_text('#trouble')}")
            await page.context.close()


async def tour(program: Program, out: Path, only: str) -> list[str]:
    """What is wrong; pictures in `out`."""
    url = str((program.beat("dashboard") or {})["info"]["url"])
    async with Browser(url, program) as browser:
        if only != "acts":
            await every_page(browser, out)
        if only != "pages":
            page = await browser.logged_in(1366, "dark", PASSWORD)
            browser.refusals_expected = True
            for what, act in ACTS.items():
                try:
                    await act(page, browser)
                    print(f"done: {what}", flush=True)
                except (Error, AssertionError) as problem:  # told with a picture, the others are tried
                    browser.wrong.append(f"{what}: {problem}")
                    await page.screenshot(path=str(out / f"wrong-{list(ACTS).index(what)}.png"))
                    await page.keyboard.press("Escape")
            for name in ("overview", "hype", "btc", "backtests", "data"):  # with what was done on them
                await picture(page, name, out / f"after-{name}.png")
        return browser.wrong


def crew_with_positions(home: Path, wait_s: float) -> Program:
    """The whole crew, after system A has bought something (or `wait_s` is over)."""
    program = prepared(home).start()
    try:
        start_all(program)
        program.ask("/dashboard", r"#once=", 120)
        end = time.monotonic() + wait_s
        while time.monotonic() < end and not (program.json("test_tracked_tokens.json") or {}):
            time.sleep(1)
    except BaseException:
        program.kill_all()
        raise
    return program


def main() -> int:
    """Entry of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("tour"), help="folder of the pictures")
    parser.add_argument("--only", choices=["pages", "acts"], default="")
    parser.add_argument("--wait", type=float, default=240, help="seconds for a first position of system A")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="coxswain-tour-", ignore_cleanup_errors=True) as folder:
        program = crew_with_positions(Path(folder), chosen.wait)
        try:
            wrong = asyncio.run(tour(program, chosen.out, chosen.only))
        finally:
            program.kill_all()
    print("\n".join(f"WRONG: {one}" for one in wrong) or "nothing is wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
