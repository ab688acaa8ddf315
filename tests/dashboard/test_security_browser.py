"""Hostile words in everything that a page shows, in a real browser: they stay words."""

import json
from typing import Any

import msgspec
import pytest

from modules.dashboard.pages import PAGES
from modules.sentiment.board import FILE
from modules.sentiment.board import State as Said
from modules.sentiment.mood import Scored, gauges
from modules.storage.history import History
from modules.strategies.scalper.records import VIEW
from modules.supervision.service import ServiceRun
from tests.dashboard.test_browser import Shown, pytestmark, shown  # noqa: F401 - the browser's fixture
from tests.telegram.house import NOW_MS, House, bought_and_sold, position
from tests.telegram.test_scalper import view

__all__ = ["pytestmark"]
EVIL = "\"'><img src=x onerror=hit()><script>hit()</script><svg/onload=hit()><a href=javascript:hit()>${hit()}"
WATCH = "() => { window.hits = 0; window.hit = () => { window.hits += 1; }; window.alert = window.hit; }"
FOUND = """() => ({hits: window.hits, made: document.querySelectorAll(
  "main script, main img, main iframe, main object, [onerror], [onload], a[href^='javascript']").length,
  text: document.body.innerText})"""


def poisoned(house: House) -> None:
    """Every file that pages read, with EVIL where words stand."""
    house.hold(position(EVIL))
    house.trade(*bought_and_sold(1, "-2", NOW_MS, EVIL))
    (house.paths.data / VIEW).write_bytes(view().replace(b"ETHUSDT", json.dumps(EVIL)[1:-1].encode()))
    text = Scored(known_ms=NOW_MS, score=0.9, label=EVIL, confidence=0.9, provider=EVIL, source=EVIL, id="1",
                  symbols=("BTCUSDT",), text=EVIL)
    (house.paths.data / FILE).write_bytes(msgspec.json.encode(Said(
        made_ms=NOW_MS, half_life_s=3600.0, gauges=gauges([text], 3600.0), recent=[text], sources={EVIL: EVIL},
        local=EVIL)))
    History(house.paths.data / "notices.json", dict[str, Any]).append({"ms": NOW_MS, "text": EVIL, "loud": True})
    for name in ("tracker", "scanner", "scalper", "showdown", "signals", "grid", "feed"):
        ServiceRun(name, house.paths, 1.0).ready(exchange=EVIL, waiting=EVIL, error=EVIL, problem=EVIL,
                                                 entries_stopped=EVIL, last_refusal=EVIL)
    house.paths.logs.mkdir(parents=True, exist_ok=True)
    (house.paths.logs / "bot.log").write_text(f"2026-01-01T00:00:00.000Z ERROR {EVIL}: {EVIL}\n"
                                              f"2026-01-01T00:00:00.000Z ERROR bot: {EVIL}\n{EVIL}\n", "utf-8")


async def test_hostile_words_stay_words_on_every_page(shown: Shown) -> None:  # noqa: F811 - pytest's own way
    poisoned(shown.house)
    page = await shown.logged_in(viewport={"width": 1366, "height": 900})
    await page.evaluate(WATCH)
    seen = set()
    for name in PAGES:
        await page.click(f'nav a[data-page="{name}"]')
        await page.wait_for_selector(f'nav a[data-page="{name}"][aria-current]')
        await page.locator(".panel h2:visible").first.wait_for()
        if name in ("overview", "hype", "scalper", "logs"):
            await page.get_by_text("onerror=hit()").first.wait_for(state="attached")
            seen.add(name)
        found = await page.evaluate(FOUND)
        assert (found["hits"], found["made"]) == (0, 0), name
    assert len(seen) == 4 and shown.errors == [] and shown.foreign == []


@pytest.mark.parametrize("words", [EVIL, f"<b>bold</b> {EVIL}"], ids=["plain", "tagged"])
async def test_hostile_words_in_an_answer_stay_words(shown: Shown, words: str) -> None:  # noqa: F811
    page = await shown.logged_in(viewport={"width": 1366, "height": 900})
    await page.evaluate(WATCH)
    made = await page.evaluate("""async (words) => {
      const { answer } = await import("/static/js/dom.js");
      const node = answer(words);
      document.querySelector("main").append(node);
      return [...node.querySelectorAll("*")].map((one) => one.tagName);
    }""", words)
    assert set(made) <= {"B", "I", "U", "S", "CODE", "PRE"}
    found = await page.evaluate(FOUND)
    assert (found["hits"], found["made"]) == (0, 0) and shown.foreign == []
