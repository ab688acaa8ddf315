"""Tables and charts under a hand: a click sorts, the wheel zooms, and both stay; crosshair, markers, levels."""

import asyncio
from typing import Any

import pytest

from tests.backtest.candles import table, write_csv
from tests.dashboard.test_browser import Shown, pytestmark, shown  # noqa: F401 - the browser's fixture

__all__ = ["pytestmark"]
WIDE: dict[str, Any] = {"viewport": {"width": 1366, "height": 900}}

DRAWN = """async () => {
  const { CandleChart } = await import("/static/js/candles.js");
  const chart = window.chart = new CandleChart();
  document.querySelector("main").replaceChildren(chart.node);
  chart.node.style.cssText = "grid-column: span 12; height: 300px";
  window.candles = [...Array(300)].map((_, i) => [1760000000 + 300 * i, 10 + i / 100, 11 + i / 100, 9 + i / 100,
    10 + i / 100]);
  const mark = (s, text) => ({ s, up: true, tone: "up", text });
  window.told = (count) => ({ candles: candles.slice(0, count), bands: [],
    lines: [{ price: 12, text: "SL", tone: "down" }],
    marks: [mark(candles[5][0], "buy"), mark(candles[0][0] - 999, "gone")] });
  window.seen = [];
  chart.chart.subscribeCrosshairMove((at) => seen.push(Boolean(at.time)));
}"""


@pytest.fixture
def seen(shown: Shown) -> Shown:  # noqa: F811 - pytest's own way
    """A browser on a running dashboard, with three tokens of different length."""
    for name, count in (("BBBUSDT", 900), ("AAAUSDT", 300), ("CCCUSDT", 600)):
        write_csv(shown.house.paths.market_data / f"{name}.csv", table(1, count))
    return shown


async def order(page: Any) -> list[str]:
    rows = page.locator("section.panel", has=page.locator("h2", has_text="Tokens")).locator("tbody tr td:first-child")
    return [text for text in await rows.all_inner_texts() if text]


async def settled(page: Any, figure: str) -> float:
    """A figure once it has stood still: wheels are followed with a glide."""
    last = -1.0
    async with asyncio.timeout(30):
        while last != (now := float(await page.evaluate(figure))):
            last = now
            await asyncio.sleep(0.3)
    return last


async def test_a_click_sorts_by_value_again_turns_it_and_it_stays_while_figures_come(seen: Shown) -> None:
    page = await seen.logged_in(**WIDE)
    await page.click('nav a[data-page="data"]')
    await page.locator("td:text-is('CCCUSDT')").wait_for()
    box = page.locator("section.panel", has=page.locator("h2", has_text="Tokens"))
    await box.get_by_role("button", name="Size").click()
    assert await order(page) == ["BBBUSDT", "CCCUSDT", "AAAUSDT"]  # figures: the largest first
    await box.get_by_role("button", name="Size").click()
    assert await order(page) == ["AAAUSDT", "CCCUSDT", "BBBUSDT"]
    assert await box.locator("th[aria-sort=ascending]").inner_text() == "Size"
    write_csv(seen.house.paths.market_data / "DDDUSDT.csv", table(1, 700))
    await page.locator("td:text-is('DDDUSDT')").wait_for()
    assert await order(page) == ["AAAUSDT", "CCCUSDT", "DDDUSDT", "BBBUSDT"]
    assert seen.errors == [] and seen.foreign == []


async def test_the_wheel_zooms_and_new_candles_leave_it_so(seen: Shown) -> None:
    page = await seen.logged_in(**WIDE)
    await page.click('nav a[data-page="logs"]')
    await page.wait_for_selector('main[data-page="logs"]')
    await page.evaluate(DRAWN)
    assert "none" in await page.evaluate("chart.node.className") and "Nothing to draw" in await page.evaluate(
        "getComputedStyle(chart.node, '::after').content")
    await page.evaluate("chart.update(told(280), 'A')")
    width = "(() => { const r = chart.chart.timeScale().getVisibleLogicalRange(); return r.to - r.from; })()"
    async with asyncio.timeout(30):
        while await page.evaluate(width) < 270:  # the whole is shown once the place has its size
            await asyncio.sleep(0.05)
    assert "none" not in (await page.evaluate("chart.node.className")).split()
    box = await page.locator(".chart").bounding_box()
    await page.mouse.move(box["x"] + 300, box["y"] + 100)
    async with asyncio.timeout(30):
        while not await page.evaluate("seen.includes(true)"):
            await asyncio.sleep(0.05)
    async with asyncio.timeout(30):
        while await page.evaluate(width) > 200:
            await page.mouse.wheel(0, -100)
            await asyncio.sleep(0.05)
    zoomed = await settled(page, width)
    await page.evaluate("chart.update(told(300), 'A')")
    assert abs(await page.evaluate(width) - zoomed) < 1
    assert await page.evaluate("chart.markers.markers().map((one) => one.text)") == ["buy"]
    assert await page.evaluate("chart.levels.map((one) => one.options().title)") == ["SL"]
    await page.evaluate("chart.update(told(300), 'B')")  # another token: the whole of it
    async with asyncio.timeout(30):
        while await page.evaluate(width) < 290:
            await asyncio.sleep(0.05)
    assert seen.errors == [] and seen.foreign == []
