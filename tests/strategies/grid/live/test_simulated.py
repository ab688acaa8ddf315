"""A session over the simulated Bitget while REST and its private socket fail: no order twice, no leg mixed up."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from modules.simulator.perp.acts import PerpAct
from modules.simulator.sockets.rules import StreamRule
from modules.strategies.grid import events as ev
from modules.strategies.grid.live.host import Host
from modules.strategies.grid.live.settings import GridLiveSettings
from modules.strategies.grid.live.worker import Worker
from modules.strategies.grid.settings import GridSettings
from modules.strategies.grid.store.records import Credentials, NewUser, Wanted, Webhook
from modules.strategies.grid.store.store import GridStore
from tests.exchange.bitget.conftest import opened
from tests.simulator.bitget.conftest import Bitget, bitget, open_bitget
from tests.surroundings import until
from utils.paths import Paths

__all__ = ["bitget", "open_bitget"]
OWN = GridSettings(open_on_new_candle=False, base_lot=0.01, tick_interval=0.2, stale_after_s=60)
AFTER: list[dict[str, Any]] = [{"kind": kind} for kind in (
    "drop_after", "reset_after", "cut_body", "truncated", "html_after", "empty_after", "timeout_after")]
REST = {each["kind"]: each for each in AFTER} | {
    "503-after": {"kind": "status_after", "params": {"status": 503}},
    "500-after": {"kind": "status_after", "params": {"status": 500}},
    "429": {"kind": "rate_limit", "params": {"retry_after_s": 1}}}
STREAMS: list[dict[str, Any]] = [
    {"kind": "duplicate"}, {"kind": "late", "ms": 300}, {"kind": "reorder"}, {"kind": "truncate"}, {"kind": "garbage"},
    {"kind": "lose"}, {"kind": "silence", "for_ms": 3000}, {"kind": "cut", "max_times": 2},
    {"kind": "reset", "max_times": 2}]


@asynccontextmanager
async def grid(world: Bitget, store: GridStore, tmp_path: Path, **own: Any) -> AsyncIterator[Host]:
    """A grid at work on the venue, whose time passes as ours does."""
    async def pass_on() -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(0.05)
            now = time.monotonic()
            world.pass_ms(round((now - last) * 1000))
            last = now

    store.users.add(NewUser("ann", "bot", "hash", Credentials("sim-key", "sim-secret", "sim-passphrase", False),
                            Webhook("", ""), "BTCUSDT", {}, OWN.model_dump()), "test")
    store.sessions.want("ann", Wanted.RUNNING, "test")
    clock = asyncio.create_task(pass_on())
    market = await opened(world, timeout_s=2)
    worker = Worker(store, market, GridLiveSettings(save_s=0.3, **own), "w1", Paths(tmp_path),
                    lambda host, notice: None, status_s=1000.0)
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    try:
        await until(lambda: "ann" in worker.hosts and worker.hosts["ann"].state.started, "the grid starts", 60)
        yield worker.hosts["ann"]
    finally:
        stop.set()
        await asyncio.gather(running, return_exceptions=True)
        clock.cancel()
        await asyncio.gather(clock, return_exceptions=True)
        await market.close()


def held(world: Bitget) -> dict[str, Decimal]:
    """What the venue holds, by the leg's name."""
    return {str(leg.leg): abs(leg.steps) * world.venue.specs[0].step for leg in world.trader.legs("BTCUSDT")}


async def through(world: Bitget, host: Host, *rules: dict[str, Any]) -> None:
    """The first order, a stranger's on the other leg (spared by the faults), then everything of the grid closed."""
    await until(lambda: (host.state.buy.entries or host.state.sell.entries) and not host.state.pending, "entries", 60)
    ours, theirs = ("LONG", "SHORT") if host.state.buy.entries else ("SHORT", "LONG")
    count = len(host.state.buy.entries) + len(host.state.sell.entries)
    assert held(world)[ours] == host.state.buy.quantity + host.state.sell.quantity
    world.plan()
    side = "sell" if theirs == "SHORT" else "buy"
    await world.good("POST", "order/place-order", world.taking(side, tradeSide="open", size="0.037"))
    world.plan(*rules)
    host.tell(ev.Said(host.now_ms, ev.Word.FLATTEN, "test"))
    await until(lambda: not host.state.pending and host.state.closing is None and not host.state.buy.entries
                and not host.state.sell.entries, "closed", 60)
    assert count >= 1 and held(world) == {theirs: Decimal("0.037")}, "the stranger's leg stands as it was"
    ids = Counter(order.client_id for order in world.venue.orders_of(world.trader, "BTCUSDT"))
    assert ids and max(ids.values()) == 1


@pytest.mark.parametrize("fault", REST.values(), ids=REST.keys())
async def test_orders_whose_answers_are_lost_are_never_sent_again(
        bitget: Bitget, store: GridStore, tmp_path: Path, fault: dict[str, Any]) -> None:
    rules = [{"class": "order", "max_times": 2, **fault}, {"class": "fills", "max_times": 1, **fault}]
    bitget.plan(*rules)
    async with grid(bitget, store, tmp_path) as host:
        await through(bitget, host, *rules)
    assert bitget.faults.counts()["injected"] > 0


@pytest.mark.parametrize("fault", STREAMS, ids=lambda one: str(one["kind"]))
async def test_whatever_the_private_socket_does_rest_decides(
        bitget: Bitget, store: GridStore, tmp_path: Path, fault: dict[str, Any]) -> None:
    bitget.side.faults.replace([StreamRule(user=True, stream="orders", **fault)], 7)
    async with grid(bitget, store, tmp_path) as host:
        stream = host.hints.stream
        assert stream is not None
        await through(bitget, host)
        if fault["kind"] in ("cut", "reset"):
            await until(lambda: stream.logins > 1, "logged in again", 60)
    assert sum(sum(names.values()) for names in bitget.side.faults.counts.values()) > 0


async def test_what_happens_on_the_exchange_is_seen_by_the_socket_long_before_the_next_reading(
        bitget: Bitget, store: GridStore, tmp_path: Path) -> None:
    async with grid(bitget, store, tmp_path) as host:
        stream = host.hints.stream
        assert stream is not None
        await until(lambda: stream.logged_in and host.memory.stops and not host.state.pending
                    and all(stop.sure for stop in host.memory.stops), "a stop stands", 60)
        tick, leg = host.state.tick, "LONG" if host.state.buy.entries else "SHORT"
        trade = bitget.taking("buy" if leg == "LONG" else "sell", tradeSide="close", size="0.01")
        await bitget.good("POST", "order/place-order", trade)  # somebody closes it by hand
        await until(lambda: host.state.check(1 if leg == "LONG" else -1).manual, "seen", 60)
        assert host.state.tick - tick < 25, "by the socket; REST alone looks every 30 ticks"


@pytest.mark.parametrize("deed", ["cancelled", "tick_size"])
async def test_a_stop_that_is_taken_away_stands_again_before_the_next_look(
        bitget: Bitget, store: GridStore, tmp_path: Path, deed: str) -> None:
    """Somebody cancels it, or the exchange itself with a contract's new tick, at which the old price would be refused.
    """
    def standing() -> list[Decimal]:
        return [bitget.venue.specs[0].price(one.trigger) for one in bitget.venue.open_algos(bitget.trader, "BTCUSDT")]

    async with grid(bitget, store, tmp_path) as host:
        stream = host.hints.stream
        assert stream is not None
        await until(lambda: stream.logged_in and host.memory.stops and host.stops.settled and not host.state.pending,
                    "a stop stands", 60)
        tick, [stop] = host.state.tick, bitget.venue.open_algos(bitget.trader, "BTCUSDT")
        if deed == "cancelled":
            bitget.venue.cancel_algo(bitget.trader, stop)
        else:
            bitget.venue.deeds.do(PerpAct.parse({"action": "tick_size", "symbol": "BTCUSDT", "tick": "1"}))
        assert not standing()
        await until(standing, "a stop again", 60)
        assert host.state.tick - tick < 55, "by the socket; REST alone looks every 60 ticks"
        assert deed == "cancelled" or standing()[0] % 1 == 0


async def test_a_contract_that_is_gone_leaves_no_worker_behind(
        bitget: Bitget, store: GridStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exchange settles what is open and knows the contract no more: it is told, and the grid can be stopped."""
    monkeypatch.setattr("modules.strategies.grid.live.stops.RETRY_S", 0.2)
    async with grid(bitget, store, tmp_path) as host:
        await until(lambda: host.memory.stops and host.stops.settled and not host.state.pending, "a stop stands", 60)
        side = 1 if host.state.buy.entries else -1
        bitget.venue.deeds.do(PerpAct.parse({"action": "delist", "symbol": "BTCUSDT"}))
        host.stops.check()
        await until(lambda: host.state.check(side).blocked or host.state.check(side).manual, "it is seen", 60)
        store.sessions.want("ann", Wanted.STOPPED, "test")
        await until(lambda: not store.sessions.session("ann").lease_holder, "given back", 60)


async def test_sockets_beyond_the_measure_of_the_address_are_not_opened(
        bitget: Bitget, store: GridStore, tmp_path: Path) -> None:
    async with grid(bitget, store, tmp_path, streams=0) as host:
        assert host.hints.stream is None
        await through(bitget, host)
