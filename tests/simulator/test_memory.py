"""What survives: kill -9, a torn tail, a restart; and the record of the venue's own truth."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from modules.simulator.journal import Journal, StateError
from modules.simulator.listening import StartError
from modules.simulator.server import Simulator
from modules.simulator.settings import SimulatorSettings
from tests.simulator.conftest import START, HandClock, Starter

ROOT = Path(__file__).resolve().parents[2]


class Child:
    """A simulator in a process of its own."""

    def __init__(self, folder: Path, *extra: str) -> None:
        command = [sys.executable, "-m", "modules.simulator.cli", "--port", "0", "--tokens", "5", "--state",
                   str(folder), "--accept-wall-time", "--start", "2026-02-03T11:17:20", *extra]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            command, cwd=folder.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
            env=environment)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert " on http" in line, (line, self.process.stderr and self.process.stderr.read())
        self.base = line.split(" on ")[1].split(" ")[0]

    def end(self, *, kill: bool) -> int:
        (self.process.kill if kill else self.process.terminate)()
        self.process.communicate(timeout=60)
        return self.process.returncode


async def _truth(session: Any, base: str) -> dict[str, Any]:
    async with session.get(base + "/sim/truth") as answer:
        return dict(await answer.json())


async def test_accounts_orders_and_market_time_survive_kill_9(tmp_path: Path) -> None:
    import ccxt.async_support as ccxt

    child = Child(tmp_path / "state", "--speed", "50")
    children = [child]
    clients = []

    def client_of(base: str) -> Any:
        clients.append(ccxt.mexc({"apiKey": "sim-key", "secret": "sim-secret", "enableRateLimit": False, "urls": {
            "api": {"spot": {"public": base, "private": base}, "contract": {"public": base + "/api/v1/contract"}}}}))
        return clients[-1]

    try:
        client = client_of(child.base)
        await client.load_markets()
        await client.create_order("BTC/USDT", "market", "buy", 0.01, 60000)
        low = client.price_to_precision("BTC/USDT", (await client.fetch_ticker("BTC/USDT"))["last"] * 0.6)
        opened = await client.create_order("BTC/USDT", "limit", "buy", 0.01, low, {"clientOrderId": "stays"})
        before = await client.fetch_balance()
        reserved = (tmp_path / "state" / "clock.json").read_text(encoding="utf-8")
        deadline = time.monotonic() + 60
        while (tmp_path / "state" / "clock.json").read_text(encoding="utf-8") == reserved:
            assert time.monotonic() < deadline, "the reserved market time is never renewed"
            await asyncio.sleep(0.05)
        seen = await client.fetch_time()
        child.end(kill=True)
        child = Child(tmp_path / "state", "--speed", "50")
        children.append(child)
        again = client_of(child.base)
        assert await again.fetch_time() >= seen, "market time never goes back"
        await again.load_markets()
        after = await again.fetch_balance()
        assert after["total"] == before["total"] and after["used"] == before["used"]
        order = await again.fetch_order("", "BTC/USDT", {"clientOrderId": "stays"})
        assert (order["id"], order["status"]) == (opened["id"], "open")
        new = await again.create_order("BTC/USDT", "market", "buy", 0.001, 60000)
        ids = [o["id"] for o in await again.fetch_orders("BTC/USDT")]
        assert len(ids) == len(set(ids)) == 3 and new["id"] in ids
        await again.cancel_order(opened["id"], "BTC/USDT")
        assert (await again.fetch_balance())["used"].get("USDT", 0) == 0
        assert child.end(kill=False) == 0
    finally:
        for one in clients:
            await one.close()
        for one in children:
            if one.process.poll() is None:
                one.end(kill=True)


def _simulator(folder: Path, **options: Any) -> Simulator:
    settings = {"tokens": 4, "start": START, "state": folder, **options}
    return Simulator(SimulatorSettings(**settings), elapsed=HandClock())


def _buy(simulator: Simulator, usdt: int, symbol: str = "BTCUSDT") -> None:
    from modules.simulator.accounts import OrderType
    from modules.simulator.rules import NewOrder

    account = simulator.venue.by_key["sim-key"]
    simulator.venue.place(account, NewOrder(symbol, "BUY", OrderType.MARKET, None, Decimal(usdt), None, None))


def test_a_torn_tail_is_cut_off_kept_aside_and_what_was_before_counts(tmp_path: Path) -> None:
    first = _simulator(tmp_path)
    _buy(first, 100)
    kept = first.venue.by_key["sim-key"].balance("USDT").free
    _buy(first, 50)
    first.close()
    journal = tmp_path / "journal.jsonl"
    content = journal.read_bytes()
    journal.write_bytes(content[:-20])
    second = _simulator(tmp_path)
    assert second.venue.by_key["sim-key"].balance("USDT").free == kept
    assert len(second.venue.orders) == 1
    assert (tmp_path / "journal.damaged").read_bytes() == content.splitlines(keepends=True)[2][:-20]
    _buy(second, 10)
    second.close()
    third = _simulator(tmp_path)
    assert len(third.venue.orders) == 2
    third.close()


def test_a_long_journal_is_rewritten_at_the_start_and_says_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _simulator(tmp_path)
    for pair in ("BTCUSDT", "ETHUSDT", "SOLUSDT", "BTCUSDT", "XRPUSDT"):
        _buy(first, 20, pair)
    first.close()
    size = (tmp_path / "journal.jsonl").stat().st_size
    monkeypatch.setattr("modules.simulator.journal.COMPACT_BYTES", 100)
    _simulator(tmp_path).close()
    assert (tmp_path / "journal.jsonl").stat().st_size < size
    again = _simulator(tmp_path)
    assert len(again.venue.orders) == 5 and again.venue.next_seq == first.venue.next_seq
    assert again.venue.fills == first.venue.fills
    assert again.venue.by_key["sim-key"].balances == first.venue.by_key["sim-key"].balances
    _buy(again, 20)
    again.close()


def test_damage_in_the_middle_is_refused_not_guessed(tmp_path: Path) -> None:
    first = _simulator(tmp_path)
    for _ in range(3):
        _buy(first, 20)
    first.close()
    journal = tmp_path / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b"BTCUSDT", b"ETHUSDT")
    journal.write_bytes(b"".join(lines))
    with pytest.raises(StartError, match="damaged in the middle"):
        _simulator(tmp_path)


def test_a_state_folder_belongs_to_one_market_and_one_process(tmp_path: Path) -> None:
    first = _simulator(tmp_path)
    with pytest.raises(StartError, match="another simulator uses it"):
        _simulator(tmp_path)
    first.close()
    with pytest.raises(StartError, match="seed=1 tokens=4.*seed=2"):
        _simulator(tmp_path, seed=2)
    second = _simulator(tmp_path, start_usdt=5.0)
    assert second.venue.by_key["sim-key"].balance("USDT").free == 10_000, "only the first start gives money"
    second.close()


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"seed": 1}'])
def test_a_damaged_mark_of_the_folder_is_refused_with_a_way_out(tmp_path: Path, content: str) -> None:
    (tmp_path / "market.json").write_text(content, encoding="utf-8")
    with pytest.raises(StateError, match=r"market\.json is damaged .* Remove the folder: a new market begins"):
        Journal(tmp_path).claim("seed 1")


def test_an_unreadable_clock_is_refused(tmp_path: Path) -> None:
    _simulator(tmp_path).close()
    (tmp_path / "clock.json").write_text("garbage", encoding="utf-8")
    with pytest.raises(StartError, match="market time could go back"):
        _simulator(tmp_path)


def test_a_full_disk_answers_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulator = _simulator(tmp_path)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("modules.simulator.journal.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        _buy(simulator, 20)
    assert simulator.broken is not None
    monkeypatch.undo()
    simulator.close()


async def test_truth_and_record_say_what_happened(start: Starter, tmp_path: Path) -> None:
    record = tmp_path / "truth.jsonl"
    venue = await start(record=record)
    client = venue.mexc()
    placed = await client.create_order("BTC/USDT", "market", "buy", 0.01, 60000)
    mine = (await _truth(venue.session, venue.base))["accounts"]["trader"]
    assert [o["id"] for o in mine["orders"]] == [placed["id"]]
    assert sum(Decimal(f["fee"]) for f in mine["fills"]) == Decimal(mine["fees"]["USDT"])
    shown = (await client.fetch_balance())["total"]
    assert Decimal(mine["balances"]["USDT"]["free"]) == pytest.approx(Decimal(str(shown["USDT"])))
    rows = [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]
    assert {row["kind"] for row in rows} == {"order", "fill", "balance"}
    assert sum(Decimal(r["qty"]) for r in rows if r["kind"] == "fill") == Decimal(mine["balances"]["BTC"]["free"])


async def test_status(start: Starter) -> None:
    venue = await start(speed=7.0, seed=9)
    status = (await venue.get("/sim/status"))[1]
    assert status["speed"] == 7.0 and status["seed"] == 9 and status["port"] == venue.simulator.port
    assert status["market_ms"] == status["started_market_ms"] == int(START.timestamp() * 1000)
    venue.pass_s(2)
    assert (await venue.get("/sim/status"))[1]["market_ms"] == status["market_ms"] + 14_000
