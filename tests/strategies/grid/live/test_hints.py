"""The private socket as a reason to look: noise is bounded, and what it falls over is its own."""

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from modules.strategies.grid.live import hints
from modules.strategies.grid.live.hints import Hints


def host(**account: Any) -> Any:
    asked: list[str] = []
    return SimpleNamespace(
        lost=False, silent=False, symbol="BTCUSDT", lease=SimpleNamespace(user_id="u"), asked=asked,
        state=SimpleNamespace(started=True, pending=()), account=SimpleNamespace(**account),
        memory=SimpleNamespace(stops=()),
        readings=SimpleNamespace(ask=lambda what, *, urgent: asked.append(str(what))))


async def test_noise_asks_once_and_then_no_sooner_than_a_while_later() -> None:
    given = host()
    one, loop = Hints(given), asyncio.get_running_loop()
    one._gap("noise")
    async with asyncio.timeout(60):
        while not given.asked:
            await asyncio.sleep(0.01)
    looked = loop.time()
    for _ in range(500):
        one._gap("noise")
    assert one._due is not None and len(given.asked) == 1
    assert looked < one._due.when() <= looked + hints.APART_S
    assert one._due.when() >= one._looked_at + hints.APART_S
    one.stop()


async def test_a_socket_that_falls_over_is_logged_and_opened_again_and_its_host_can_close(
        monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(hints, "AGAIN_S", 0.01)
    runs: list[int] = []

    async def run() -> None:
        runs.append(1)
        raise RuntimeError("nobody foresaw this")

    one = Hints(host(stream=lambda on_order, on_gap: SimpleNamespace(run=run)))
    with caplog.at_level(logging.ERROR):
        one.start()
        async with asyncio.timeout(60):
            while len(runs) < 3:
                await asyncio.sleep(0.01)
        await one.ended()
    assert "nobody foresaw this" in caplog.text and not one.listens
