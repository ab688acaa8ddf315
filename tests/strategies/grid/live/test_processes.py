"""Real worker processes over the simulated Bitget: one is halted until its lease is over, one is killed."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from config.grid_entry import worker
from config.settings import load_settings
from modules.strategies.grid.live.crew import LocalCrew
from modules.strategies.grid.live.view import state_of
from modules.strategies.grid.settings import GridSettings
from modules.strategies.grid.store.records import Credentials, NewUser, Wanted, Webhook
from modules.strategies.grid.store.store import GridStore
from tests.simulator.bitget.conftest import Bitget, bitget, open_bitget
from tests.surroundings import until
from utils.paths import Paths

__all__ = ["bitget", "open_bitget"]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes are halted by signals")
LIMIT_S = 120.0


@pytest.fixture
async def market(bitget: Bitget) -> AsyncIterator[Bitget]:
    """The venue, its time passing as ours does."""
    async def pass_on() -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(0.05)
            now = time.monotonic()
            bitget.pass_ms(round((now - last) * 1000))
            last = now

    task = asyncio.create_task(pass_on())
    yield bitget
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_halted_and_a_killed_worker_never_trade_what_another_one_holds(
        market: Bitget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = Paths(tmp_path).prepare()
    for name, value in {"BITGET_NAME": "bitget", "BITGET_BASE_URL": market.base, "GRIDLIVE_LEASE_S": "3",
                        "GRIDLIVE_SAVE_S": "0.3", "BITGET_CALLS_A_SECOND": "5000"}.items():
        monkeypatch.setenv(name, value)
    store = await asyncio.to_thread(GridStore.open, load_settings(paths), paths)
    settings = GridSettings(open_on_new_candle=False, base_lot=0.01, tick_interval=0.2, stale_after_s=60)
    store.users.add(NewUser("ann", "bot", "hash", Credentials("sim-key", "sim-secret", "sim-passphrase", False),
                            Webhook("", ""), "BTCUSDT", {}, settings.model_dump()), "test")
    store.sessions.want("ann", Wanted.RUNNING, "test")
    crew = LocalCrew(worker, str(tmp_path), ["grid-1", "grid-2"])

    def holder() -> tuple[str, int]:
        name = store.sessions.session("ann").lease_holder
        return (name.split(":")[0], int(name.split(":")[1])) if name else ("", 0)

    def saved_by(name: str) -> bool:
        found = store.sessions.state("ann")
        return found is not None and str(found[1].get("worker", "")).startswith(name + ":")

    halted = 0
    try:
        await asyncio.to_thread(crew.look)
        await until(lambda: market.trader.legs("BTCUSDT"), "the first order", LIMIT_S)
        first, halted = holder()
        os.kill(halted, signal.SIGSTOP)
        await until(lambda: holder()[0] not in ("", first), "the other one takes over", LIMIT_S)
        second, other = holder()
        await until(lambda: saved_by(second), "and saves", LIMIT_S)
        os.kill(halted, signal.SIGCONT)
        log = paths.logs / f"{first}.log"
        await until(lambda: "another worker's by now" in log.read_text(), "the halted one sees it", LIMIT_S)
        assert holder()[0] == second, "and takes nothing back"
        os.kill(other, signal.SIGKILL)
        await until(lambda: holder()[0] == first, "the first one takes over from the dead", LIMIT_S)
        await until(lambda: saved_by(first), "and saves", LIMIT_S)

        def agrees() -> bool:
            state = state_of(store.sessions.state("ann")[0])  # type: ignore[index]
            held = {str(leg.leg): abs(leg.steps) * market.venue.specs[0].step for leg in market.trader.legs("BTCUSDT")}
            return (state.buy.quantity, state.sell.quantity) == (
                held.get("LONG", Decimal(0)), held.get("SHORT", Decimal(0))) and not state.pending

        await until(agrees, "ledger and venue agree", LIMIT_S)
    finally:
        if halted:
            os.kill(halted, signal.SIGCONT)
        await asyncio.to_thread(crew.end)
        store.close()
    ids = [order.client_id for order in market.venue.orders_of(market.trader, "BTCUSDT")]
    assert ids and len(set(ids)) == len(ids)
