"""Indicators on a chart: by their definitions, from the words a person chose; on the page in a real browser."""

import asyncio
import math
import re
from typing import Any

import numpy as np
import pytest

from modules.dashboard.pages.indicators import asked, indicators
from modules.exchange import gateway
from tests.dashboard.test_browser import Shown, shown  # noqa: F401 - the browser's fixture
from tests.dashboard.test_browser import pytestmark as browser

CLOSES = [10.0, 11.0, 12.5, 11.5, 12.0, 13.0, 12.0, 14.0]
CANDLES = [(60 * n, close, close + 1, close - 1, close, 5.0 + n) for n, close in enumerate(CLOSES)]


def lines(words: str, candles: Any = CANDLES) -> dict[str, list[list[float | None]]]:
    """Lines by name."""
    return {one["name"]: one["lines"] for one in indicators(candles, words)}


def test_averages_and_bands_are_their_definitions() -> None:
    found = lines("SMA 3,EMA 3,BB 4,VOL")
    mean = [sum(CLOSES[n - 2:n + 1]) / 3 for n in range(2, 8)]
    assert found["SMA 3"][0][:2] == [None, None] and found["SMA 3"][0][2:] == pytest.approx(mean, rel=1e-7)
    ema = mean[0]
    for close, told in zip(CLOSES[3:], found["EMA 3"][0][3:], strict=True):  # weight 2 ÷ (n + 1), begun at the mean
        ema = close / 2 + ema / 2
        assert told == pytest.approx(ema, rel=1e-7)
    upper, middle, lower = found["BB 4"]
    window = CLOSES[4:8]
    spread = math.sqrt(sum((one - sum(window) / 4) ** 2 for one in window) / 4)
    assert [upper[-1], middle[-1], lower[-1]] == pytest.approx(
        [sum(window) / 4 + 2 * spread, sum(window) / 4, sum(window) / 4 - 2 * spread], rel=1e-7)
    assert found["Volume"] == [[5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0]]


@pytest.mark.parametrize(("closes", "last"), [(range(1, 30), 100.0), (range(30, 1, -1), 0.0), ([5] * 29, 50.0)],
                         ids=["rises", "falls", "stands still"])
def test_rsi_as_the_scalper_reckons_it(closes: Any, last: float) -> None:
    candles = [(60 * n, close, close, close, float(close), 1.0) for n, close in enumerate(closes)]
    [values] = lines("RSI 14", candles)["RSI 14"]
    assert values[:14] == [None] * 14 and values[-1] == pytest.approx(last)


def test_every_line_has_a_value_for_each_candle_or_says_there_is_none() -> None:
    random = np.random.default_rng(3).uniform(1, 2, (40, 5))
    candles = [(60 * n, *row) for n, row in enumerate(random.tolist())]
    for count in (0, 1, 2, 13, 14, 15, 40):
        for words in ("EMA 20", "SMA 2", "BB 14", "RSI 14", "VOL"):
            for one in indicators(candles[:count], words):
                assert all(len(line) == count for line in one["lines"])
    assert indicators([row[:5] for row in candles], "VOL") == []  # candles without a volume


@pytest.mark.parametrize("words", ["", "EMA", "EMA 1", "EMA 201", "EMA -5", "EMA 2.5", "HACK 20", "EMA 20; drop", ",,",
                                   "EMA ٣"])
def test_what_there_is_not_is_left_out(words: str) -> None:
    assert indicators(CANDLES, words) == []


def test_six_at_most_each_once() -> None:
    assert asked("ema 5, EMA 5,SMA 6,BB 7,RSI 8,VOL,EMA 9,EMA 10") == [
        ("EMA", 5), ("SMA", 6), ("BB", 7), ("RSI", 8), ("VOL", 0), ("EMA", 9)]


class Market:
    """A venue with candles."""

    async def candles(self, symbol: str, interval: str, limit: int) -> Any:
        return np.array([[300_000.0 * n, 2.0, 3.0, 1.0, 2.0 + math.sin(n / 5), 9.0 + n] for n in range(limit)])

    async def close(self) -> None:
        pass


class TestInTheBrowser:
    """The menu, its choice kept, lines drawn, bad lengths named."""

    pytestmark = browser

    async def test_chosen_kept_and_taken_away(self, shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
        async def opened(*_: Any) -> Any:
            return Market()

        monkeypatch.setattr(gateway, "open_market", opened)
        told: list[str] = []
        page = await shown.logged_in(viewport={"width": 1366, "height": 900})
        page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: told.append(str(frame))))
        await page.reload()
        await page.click('nav a[data-page="hype"]')
        box = page.locator("section.panel", has=page.locator("h2", has_text=re.compile("^Candles$")))
        await box.get_by_text("Indicators", exact=True).click()
        await box.get_by_label("Candles").fill("1")
        await box.get_by_role("button", name="Add").click()
        await box.get_by_text("2 to 200 candles").wait_for()
        for kind, length in (("EMA", "20"), ("RSI", "14"), ("BB", "20"), ("VOL", "")):
            await box.get_by_label("Indicator", exact=True).select_option(kind)
            if length:
                await box.get_by_label("Candles").fill(length)
            await box.get_by_role("button", name="Add").click()
        await box.get_by_role("button", name="Take away BB 20").wait_for()
        await page.wait_for_selector(".chart.tall")  # RSI has its own pane
        async with asyncio.timeout(60):
            while not any(all(name in one for name in ("EMA 20", "RSI 14", "BB 20", "Volume")) for one in told):
                await page.wait_for_timeout(50)
        await page.reload()
        await box.get_by_text("Indicators", exact=True).click()
        await page.wait_for_selector(".chart.tall")
        await box.get_by_role("button", name="Take away RSI 14").click()
        await page.wait_for_selector(".chart:not(.tall)")
        await page.click("button[aria-label='Dark or light']")
        await page.wait_for_timeout(200)
        assert shown.errors == [] and shown.foreign == []

