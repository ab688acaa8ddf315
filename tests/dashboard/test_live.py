"""Live pages: built once for all, only changes travel, a failing page harms no other."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from modules.dashboard import live as module
from modules.dashboard.live import Live, TooMany, Watcher


class Wire:
    """Keeps what was sent."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[list[dict[str, Any]]] = asyncio.Queue()

    async def send_text(self, data: str) -> None:
        self.sent.put_nowait(json.loads(data))


@pytest.fixture
async def page() -> AsyncIterator[Any]:
    """A live with counters."""
    state: dict[str, Any] = {"count": {"bar": 0, "a": 0}, "value": 1, "broken": False}

    def bar(arguments: dict[str, str]) -> dict[str, Any]:
        state["count"]["bar"] += 1
        return {"bar": {"mode": "TEST"}}

    def build(arguments: dict[str, str]) -> dict[str, Any]:
        state["count"]["a"] += 1
        if state["broken"]:
            raise ValueError("secret words")
        return {"same": 1, "moves": state["value"], "arguments": arguments}

    live = Live({"bar": bar, "a": build})
    task = asyncio.create_task(live.run())
    state["live"] = live
    yield state
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    live.close()


def open_page(live: Live, name: str = "a", **arguments: str) -> tuple[Wire, asyncio.Task[None]]:
    wire = Wire()
    watcher = Watcher(wire, lambda: True)
    task = asyncio.create_task(live.watch(watcher))
    live.look_at(watcher, name, arguments)
    return wire, task


async def told(wire: Wire, page: str) -> dict[str, Any]:
    """The next sections of a page."""
    while True:
        for part in await asyncio.wait_for(wire.sent.get(), 60):
            if part["page"] == page:
                return dict(part["sections"])


async def test_only_what_changed_travels(page: Any) -> None:
    wire, task = open_page(page["live"], x="1")
    first = await told(wire, "a")
    assert first == {"same": 1, "moves": 1, "arguments": {"x": "1"}, "error": ""}
    page["value"] = 2
    assert await told(wire, "a") == {"moves": 2}
    task.cancel()


async def test_many_watchers_are_one_building(page: Any) -> None:
    opened = [open_page(page["live"]) for _ in range(10)]
    for wire, _ in opened:
        await told(wire, "a")
    before = page["count"]["a"]
    page["value"] = 7
    for wire, _ in opened:
        assert await told(wire, "a") == {"moves": 7}
    assert page["count"]["a"] - before <= 3
    for _, task in opened:
        task.cancel()


async def test_a_failing_page_says_so_without_its_inside_and_heals(page: Any) -> None:
    wire, task = open_page(page["live"])
    await told(wire, "a")
    page["broken"] = True
    said = await told(wire, "a")
    assert "ValueError" in said["error"] and "secret" not in said["error"]
    other, second = open_page(page["live"], "nothing")
    assert (await told(other, "bar"))["bar"] == {"mode": "TEST"}
    page["broken"] = False
    assert await told(wire, "a") == {"error": ""}
    task.cancel()
    second.cancel()


async def test_nothing_is_built_that_nobody_looks_at(page: Any) -> None:
    wire, task = open_page(page["live"])
    await told(wire, "a")
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    other, second = open_page(page["live"], "nothing")
    await told(other, "bar")
    count = page["count"]["a"]
    live: Live = page["live"]
    for _ in range(3):
        watcher = Watcher(Wire(), lambda: True)
        live.look_at(watcher, "nothing", {})
        await asyncio.sleep(0)
    assert page["count"]["a"] == count and live.watchers == 1
    second.cancel()


async def test_an_ended_session_sees_no_more(page: Any) -> None:
    good = [True]
    wire = Wire()
    watcher = Watcher(wire, lambda: good[0])
    task = asyncio.create_task(page["live"].watch(watcher))
    page["live"].look_at(watcher, "a", {})
    await told(wire, "a")
    good[0] = False
    await asyncio.wait_for(task, 60)
    assert page["live"].watchers == 0


async def test_too_many_pages_are_refused(page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WATCHERS", 1)
    wire, task = open_page(page["live"])
    await told(wire, "a")
    with pytest.raises(TooMany):
        await page["live"].watch(Watcher(Wire(), lambda: True))
    task.cancel()
