"""The dashboard on the real command process and crew: a service stopped and started, a viewer refused, a phone.

The verdict is not the page's alone: the service's own process, and what the supervisor notes as wanted.
"""

import json
import re
from collections.abc import Iterator
from contextlib import asynccontextmanager
from typing import Any

import psutil
import pytest

from tests.dashboard.asgi import LOOKING, PASSWORD
from tests.dashboard.test_browser import CHROMIUM, FLAGS, playwright, pytestmark
from tests.e2e.harness import Program
from tests.surroundings import until

__all__ = ["pytestmark"]
LONG_MS, LONG_S = 120_000, 120.0
SERVICE, ROW = "scanner", "tr:has-text('Scanner')"
REFUSED = """async (line) => {
  const me = await (await fetch("/api/me")).json();
  const reply = await fetch("/api/ask", {method: "POST", body: JSON.stringify({line}),
    headers: {"content-type": "application/json", "x-csrf": me.csrf}});
  return [reply.status, await reply.text()];
}"""


@pytest.fixture(scope="module")
def crew(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """One program for this file's tests; each leaves the crew running as it found it."""
    program = Program(tmp_path_factory.mktemp("crew") / "home", DASHBOARD_PORT="0", DASHBOARD_PASSWORD=PASSWORD,
                      DASHBOARD_VIEWER_PASSWORD=LOOKING, SIMULATOR_TOKENS="12", SIMULATOR_FUTURES="2")
    program.start()
    try:
        program.ask("/startbot", r"Running: simulated exchange", LONG_S)
        program.ask("/dashboard", r"#once=", LONG_S)
        program.wait_ready(SERVICE, patience_s=LONG_S)
        yield program
    finally:
        program.kill_all()


@asynccontextmanager
async def chromium(wrong: list[str]) -> Any:
    """Makes pages that note what goes wrong in them."""
    async with playwright.async_playwright() as play:
        browser = await play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)

        async def page(**context: Any) -> Any:
            opened = await (await browser.new_context(**context)).new_page()
            opened.set_default_timeout(LONG_MS)
            opened.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
            opened.on("pageerror", lambda problem: wrong.append(str(problem)))
            return opened

        try:
            yield page
        finally:
            await browser.close()


def address(program: Program) -> str:
    """Where the dashboard listens."""
    beat = program.beat("dashboard")
    assert beat is not None
    return str(beat["info"]["url"])


async def logged_in(page: Any, url: str, password: str) -> Any:
    await page.goto(url)
    await page.fill("#password", password)
    await page.click("button[type=submit]")
    await page.wait_for_selector("#bar .mode-TEST")
    return page


def wanted(program: Program) -> bool:
    """Whether the supervisor notes the service as one that is to run."""
    return SERVICE in json.dumps(program.json("run/desired.json"))


async def pressed(page: Any, label: str, yes: bool = False) -> None:
    """Press a button of the service's row, and the confirmation where there is one."""
    await page.click(f"{ROW} button:text-is('{label}')")
    if yes:
        await page.wait_for_selector("dialog:has-text('Open positions stay guarded')")
        await page.click("dialog button.yes")


async def answered(page: Any, words: str) -> None:
    """The answer of the command process has come, and is read. Closed sooner, the dialog would open again for it."""
    await page.wait_for_selector(f"dialog:has-text('{words}')")
    await page.click("dialog button:text-is('Close')")
    await page.wait_for_selector("dialog", state="hidden")


async def gone(program: Program, pid: int) -> None:
    """The process has ended and the supervisor wants none."""
    await until(lambda: not psutil.pid_exists(pid) and program.service_pid(SERVICE) is None, "it ended", LONG_S)
    await until(lambda: not wanted(program), "it is not wanted", LONG_S)


async def started_again(page: Any, program: Program, before: int) -> None:
    """Press Start; the page and the process say that it runs."""
    await pressed(page, "Start")
    await answered(page, f"{SERVICE} is running.")
    await page.wait_for_selector(f"{ROW} .tag.ready")
    pid = await until(lambda: program.service_pid(SERVICE), "a process of its own", LONG_S)
    assert pid != before and wanted(program)


async def test_a_service_is_stopped_after_a_yes_and_started_again(crew: Program) -> None:
    wrong: list[str] = []
    pid = crew.wait_ready(SERVICE, patience_s=LONG_S)
    async with chromium(wrong) as opened:
        page = await logged_in(await opened(viewport={"width": 1366, "height": 900}), address(crew), PASSWORD)
        await page.wait_for_selector(f"{ROW} .tag.ready")
        await pressed(page, "Stop")
        await page.wait_for_selector("dialog:has-text('Stop Scanner?')")
        await page.click("dialog button:not(.yes)")  # thought better of it
        await answered(page, "ancelled")
        assert crew.service_pid(SERVICE) == pid and wanted(crew)
        await pressed(page, "Stop", yes=True)
        await answered(page, f"{SERVICE} is stopped.")
        await page.wait_for_selector(f"{ROW} .tag.stopped")
        await gone(crew, pid)
        await started_again(page, crew, pid)
    audit = [(one["act"], one["text"]) for one in crew.json("dashboard_audit.json")]
    assert ("ask", f"/service {SERVICE} stop") in audit and ("ask", f"/service {SERVICE} start") in audit
    assert wrong == []


async def test_a_viewer_has_no_button_and_is_refused(crew: Program) -> None:
    wrong: list[str] = []
    pid = crew.wait_ready(SERVICE, patience_s=LONG_S)
    async with chromium(wrong) as opened:
        page = await logged_in(await opened(viewport={"width": 1366, "height": 900}), address(crew), LOOKING)
        await page.wait_for_selector(f"{ROW} .tag.ready")
        await page.wait_for_selector("text=read only")
        assert await page.locator("main button.act:visible", has_text="Stop").count() == 0
        assert await page.locator(f"{ROW} button:visible").count() == 0
        status, words = await page.evaluate(REFUSED, f"/service {SERVICE} stop")
        assert status == 403 and "may only look" in words
    assert crew.service_pid(SERVICE) == pid and wanted(crew)
    assert all("403" in one for one in wrong)  # the browser logs the refusal itself


async def test_a_phone_opens_the_link_stops_a_service_and_reads_why_nothing_trades(crew: Program) -> None:
    wrong: list[str] = []
    pid = crew.wait_ready(SERVICE, patience_s=LONG_S)
    link = crew.ask("/dashboard", r"http\S+#once=\S+", LONG_S).group(0)
    async with chromium(wrong) as opened:
        page = await opened(viewport={"width": 375, "height": 740}, is_mobile=True, has_touch=True)
        await page.goto(link)
        await page.wait_for_selector("#bar .mode-TEST")
        await page.wait_for_selector(f"{ROW} .tag.ready")
        for label in ("Stop", "Restart"):  # a finger reaches them without moving the table
            box = await page.locator(f"{ROW} button:text-is('{label}')").bounding_box()
            table = await page.locator(".scroll", has=page.locator(ROW)).bounding_box()
            assert box is not None and table is not None
            assert table["x"] <= box["x"] and box["x"] + box["width"] <= table["x"] + table["width"], (label, box)
        await pressed(page, "Stop", yes=True)
        await answered(page, f"{SERVICE} is stopped.")
        await page.wait_for_selector(f"{ROW} .tag.stopped")
        await gone(crew, pid)
        why = page.locator("section.panel", has=page.locator("h2", has_text="Why"))
        await why.locator("b", has_text="Not trading").wait_for()
        said = why.locator("li.bad", has_text=re.compile("scanner", re.IGNORECASE)).first
        await said.wait_for()
        assert "→" in await said.inner_text()  # and what to do about it
        assert await page.evaluate("document.documentElement.scrollWidth") == 375
        await started_again(page, crew, pid)
    assert wrong == []
