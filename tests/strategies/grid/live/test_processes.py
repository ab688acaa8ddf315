"""Real worker processes over the simulated Bitget: one is halted until its lease is over, one is killed."""

import asyncio
import os
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from config.grid_entry import worker
from config.settings import load_settings
from modules.strategies.grid.live.crew import Line, LocalCrew, keep_alive
from modules.strategies.grid.live.view import state_of
from modules.strategies.grid.settings import GridSettings
from modules.strategies.grid.store import sessions
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


def halt(pid: int, database: Path) -> None:
    """Halt a process, but not while it writes: SQLite's one lock would stay with it, and nobody could write."""
    end = time.monotonic() + LIMIT_S
    while True:
        os.kill(pid, signal.SIGSTOP)
        connection = sqlite3.connect(database, timeout=2.0, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
            return
        except sqlite3.OperationalError:
            assert time.monotonic() < end, "it always writes"
            os.kill(pid, signal.SIGCONT)
            time.sleep(0.05)
        finally:
            connection.close()


async def opened(market: Bitget, folder: Path, monkeypatch: pytest.MonkeyPatch, lease_s: float
                 ) -> tuple[Paths, GridStore]:
    """An installation with one user whose grid is wanted."""
    paths = Paths(folder).prepare()
    for name, value in {"BITGET_NAME": "bitget", "BITGET_BASE_URL": market.base, "GRIDLIVE_LEASE_S": str(lease_s),
                        "GRIDLIVE_SAVE_S": "0.3", "BITGET_CALLS_A_SECOND": "5000"}.items():
        monkeypatch.setenv(name, value)
    store = await asyncio.to_thread(GridStore.open, load_settings(paths), paths)
    settings = GridSettings(open_on_new_candle=False, base_lot=0.01, tick_interval=0.2, stale_after_s=60)
    store.users.add(NewUser("ann", "bot", "hash", Credentials("sim-key", "sim-secret", "sim-passphrase", False),
                            Webhook("", ""), "BTCUSDT", {}, settings.model_dump()), "test")
    store.sessions.want("ann", Wanted.RUNNING, "test")
    return paths, store


def agrees(store: GridStore, market: Bitget) -> bool:
    """Whether the saved legs are the venue's and nothing is under way."""
    state = state_of(store.sessions.state("ann")[0])  # type: ignore[index]
    held = {str(leg.leg): abs(leg.steps) * market.venue.specs[0].step for leg in market.trader.legs("BTCUSDT")}
    return (state.buy.quantity, state.sell.quantity) == (
        held.get("LONG", Decimal(0)), held.get("SHORT", Decimal(0))) and not state.pending


def nothing_twice(market: Bitget) -> None:
    """Every order of the venue has an id of its own."""
    ids = [order.client_id for order in market.venue.orders_of(market.trader, "BTCUSDT")]
    assert ids and len(set(ids)) == len(ids)


async def test_a_halted_and_a_killed_worker_never_trade_what_another_one_holds(
        market: Bitget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths, store = await opened(market, tmp_path, monkeypatch, 8.0)
    crew = LocalCrew(worker, str(tmp_path), ["grid-1", "grid-2"], 8.0)

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
        await asyncio.to_thread(halt, halted, paths.data / "coxswain.db")
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

        await until(lambda: agrees(store, market), "ledger and venue agree", LIMIT_S)
    finally:
        if halted:
            os.kill(halted, signal.SIGCONT)
        await asyncio.to_thread(crew.end)
        store.close()
    nothing_twice(market)


HALT = "halt-grid-1"


def halts_in_a_write(home: str, name: str, line: Line | None) -> None:
    """A worker that halts (is not killed) in the middle of a save, once, when a file says so: SQLite's lock is its."""
    store: Any = sessions
    flag, insert = Path(home) / HALT, store.insert_rows

    def halting(*given: Any) -> None:
        insert(*given)
        if name == "grid-1" and flag.exists():
            flag.unlink()
            os.kill(os.getpid(), signal.SIGSTOP)
            threading.Event().wait()  # another thread may be the first to stop: this one does not commit meanwhile

    store.insert_rows = halting
    worker(home, name, line)


async def test_a_worker_halted_in_the_middle_of_a_write_is_killed_and_the_others_go_on(
        market: Bitget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths, store = await opened(market, tmp_path, monkeypatch, 8.0)
    crew, stop = LocalCrew(halts_in_a_write, str(tmp_path), ["grid-1"], 8.0), asyncio.Event()
    facts: dict[str, Any] = {}
    keeping = asyncio.create_task(keep_alive(crew, stop, facts.update))

    def free() -> bool:
        connection = sqlite3.connect(paths.data / "coxswain.db", timeout=0.05, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
            return True
        except sqlite3.OperationalError:
            return False
        finally:
            connection.close()

    try:
        await until(lambda: market.trader.legs("BTCUSDT") and store.sessions.state("ann"), "the first order", LIMIT_S)
        fence, before = store.sessions.session("ann").fence, facts["workers"]["grid-1"]
        (tmp_path / HALT).touch()
        await until(lambda: not (tmp_path / HALT).exists(), "it halts", LIMIT_S)
        assert not free(), "nobody else can write"
        await until(free, "its lock is free again", LIMIT_S)
        await until(lambda: facts["deaths"] == 1 and facts["workers"]["grid-1"] not in (None, before),
                    "it is begun again", LIMIT_S)
        await until(lambda: store.sessions.session("ann").fence > fence, "its grid is taken over", LIMIT_S)
        taken = store.sessions.session("ann").lease_holder
        await until(lambda: store.sessions.state("ann")[1].get("worker") == taken,  # type: ignore[index]
                    "and saved by its new holder", LIMIT_S)

        await until(lambda: agrees(store, market), "ledger and venue agree", LIMIT_S)
    finally:
        stop.set()
        await asyncio.gather(keeping, return_exceptions=True)
        store.close()
    nothing_twice(market)
