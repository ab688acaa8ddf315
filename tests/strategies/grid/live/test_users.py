"""Many users of one worker: what one suffers, no other feels (issue 9, point 6)."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from config.settings import load_settings
from modules.exchange.types import PositionSide
from modules.strategies.grid.live import worker as workers
from modules.strategies.grid.live.service import stuck
from modules.strategies.grid.store.records import Credentials, Wanted
from modules.supervision.outbox import Outbox
from tests.strategies.grid.live.conftest import House
from tests.surroundings import until
from utils.paths import Paths

D = Decimal
LONG = PositionSide.LONG


async def test_market_data_is_fetched_once_for_all(house: House) -> None:
    for number in range(8):
        house.user(f"u{number}")
    async with house.running(house.worker()) as worker:
        await until(lambda: len(worker.hosts) == 8 and all(
            host.state.buy.entries for host in worker.hosts.values()), "all trade", 60)
        calls = house.world.market.calls
        assert calls["candles"] == 1, "one cache for all users of a symbol (E8)"
        ticks = max(host.state.tick for host in worker.hosts.values())
        assert calls["touches"] <= ticks + 20


async def test_a_user_whose_calls_all_hang_delays_nobody(house: House) -> None:
    for name in ("slow", "ann", "bob"):
        house.user(name)
    house.world.account("slow").hang = True
    async with house.running(house.worker()) as worker:
        await until(lambda: "slow" in worker.hosts, "claimed", 60)
        for name in ("ann", "bob"):
            await until(lambda name=name: len(house.world.account(name).waiting()) == 1, f"{name} is protected", 60)  # type: ignore[misc]
        house.world.market.set("59600")
        for name in ("ann", "bob"):
            await until(lambda name=name: house.world.account(name).held[LONG] == D("0.025"), f"{name} goes on", 60)  # type: ignore[misc]
        assert not house.world.account("slow").sent and not worker.hosts["slow"].state.started


async def test_a_revoked_key_is_told_once_and_a_new_one_keeps_the_grid(house: House) -> None:
    house.user("ann")
    house.user("bob")
    account = house.world.account("ann")
    async with house.running(house.worker()) as worker:
        host = await house.host(worker, "ann")
        await until(lambda: len(account.waiting()) == 1, "a position", 60)
        account.gone = True
        await until(lambda: house.store.sessions.session("ann").key_refused, "it is written down", 60)
        calls = sum(account.calls.values())
        ticks = host.state.tick
        await until(lambda: host.state.tick > ticks + 12, "it looks on", 60)
        assert sum(account.calls.values()) <= calls + 1, "a refused key is not hammered with"
        assert len([1 for _, notice in house.said if "key" in notice.what]) == 1
        account.gone = False
        house.store.users.replace_key("ann", Credentials("another", "secret-2", "phrase-2", False), "owner")
        await until(lambda: house.world.opened["ann/another"], "the new key is used", 60)
        await until(lambda: not house.store.sessions.session("ann").key_refused, "it is well again", 60)
        house.world.market.set("59600")
        await until(lambda: account.held[LONG] == D("0.025"), "the grid goes on", 60)
        assert len(host.state.buy.entries) == 2 and not worker.hosts["bob"].key_refused


async def test_an_error_within_one_session_stays_there(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.user("ann")
    house.user("bad")
    async with house.running(house.worker()) as worker:
        await until(lambda: len(house.world.account("ann").waiting()) == 1, "ann holds", 60)
        bad = await house.host(worker, "bad")

        def broken(*_: object) -> None:
            raise RuntimeError("a fault of ours")

        monkeypatch.setattr(bad, "quote", broken)
        monkeypatch.setattr(house.world.account("bad"), "positions", broken)
        house.world.market.set("59600")
        await until(lambda: house.world.account("ann").held[LONG] == D("0.025"), "ann goes on", 60)
        await until(lambda: "RuntimeError" in bad.problem, "it is told", 60)


async def test_a_session_that_cannot_begin_stops_no_other(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even by an error that nobody foresaw; it is tried again, here or elsewhere."""
    house.user("bad")
    house.user("ann")
    first = house.worker("first")
    opened = first._open

    async def broken(market: Any, given: Any, user_id: str, *more: Any) -> Any:
        if user_id == "bad":
            raise ZeroDivisionError("a fault of ours")
        return await opened(market, given, user_id, *more)

    first._open = broken
    told: list[tuple[str, str]] = []
    first._stuck = lambda user_id, why: told.append((user_id, why))
    monkeypatch.setattr(workers, "BROKEN_S", 0.0)
    async with house.running(first):
        await until(lambda: house.world.account("ann").held[LONG] == D("0.01"), "ann trades", 60)
        await until(lambda: told, "a person hears of it", 60)
        assert told == [("bad", "ZeroDivisionError: a fault of ours")]
        await until(lambda: "bad" in first._broken_told, "it is told", 60)
        async with house.running(house.worker("second")) as second:
            await until(lambda: "bad" in second.hosts, "another worker can", 60)
            await until(lambda: house.world.account("bad").held[LONG] == D("0.01"), "and trades", 60)
        assert "ann" in first.hosts


async def test_workers_share_the_grids_and_never_one_grid(house: House) -> None:
    for number in range(12):
        house.user(f"u{number:02d}", start=False)
    first, second = house.worker("first", sessions=8), house.worker("second", sessions=8)
    async with house.running(first), house.running(second):
        for number in range(12):
            house.store.sessions.want(f"u{number:02d}", Wanted.RUNNING, "test")
        await until(lambda: len(first.hosts) + len(second.hosts) == 12, "all are traded", 60)
        assert not first.hosts.keys() & second.hosts.keys() and first.hosts and second.hosts
        await until(lambda: all(house.world.account(f"u{number:02d}").held[LONG] == D("0.01")
                                for number in range(12)), "each once", 60)


async def test_a_worker_that_was_halted_sends_nothing_when_it_wakes(house: House) -> None:
    """It sleeps longer than its lease; another one takes over; then it wakes with an order on its tongue."""
    house.user("ann")
    account, market = house.world.account("ann"), house.world.market
    first = house.worker("first", lease_s=6.0)
    async with house.running(first):
        host = await house.host(first, "ann")
        await until(lambda: len(account.waiting()) == 1, "a position", 60)
        renew = first.store.sessions.renew
        first.store = type("Halted", (), {"sessions": _halted(first), "users": first.store.users})()
        await asyncio.to_thread(_until_free, house)
        async with house.running(house.worker("second")) as second:
            await house.host(second, "ann")
            market.set("59600")
            await until(lambda: account.held[LONG] == D("0.025"), "the second one trades", 60)
            assert not host.may_act, "its lease is over by its own clock"
            first.until_s = float("inf")  # even a clock that stood still does not help: the write is fenced
            assert not await host.durable()
            assert host.lost
            assert renew("first", 1.5).wishes == ()
    assert all(count == 1 for count in account.executed.values())


def _halted(worker: object) -> object:
    """Sessions of a store that answer nothing to renewals and claims."""
    class Sessions:
        def renew(self, *_: object) -> None:
            from modules.storage.sql.database import DatabaseAway
            raise DatabaseAway("halted")

        claim = renew

    return Sessions()


def _until_free(house: House) -> None:
    from tests.surroundings import wait_until
    wait_until(lambda: house.store.sessions.session("ann").lease_until_ms < house.store.now_ms(), "the lease runs out")


async def test_without_a_database_nothing_is_sent(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from modules.storage.sql.database import DatabaseAway
    house.user("ann")
    account, market = house.world.account("ann"), house.world.market
    async with house.running(house.worker()) as worker:
        host = await house.host(worker, "ann")
        await until(lambda: len(account.waiting()) == 1, "a position", 60)

        def away(*_: object) -> set[str]:
            raise DatabaseAway("gone")

        with monkeypatch.context() as patched:
            patched.setattr(house.store.sessions, "save", away)
            market.set("59600")
            await until(lambda: worker.saver.away and host.state.failures, "it cannot be saved", 60)
            assert len(account.sent) == 1
        market.set("59600", 10_000)
        await until(lambda: account.held[LONG] == D("0.025"), "it goes on afterwards", 60)


def test_the_standalone_user_hears_that_his_grid_does_not_begin(tmp_path: Path) -> None:
    """His positions have their stops and nobody else; a line in a log is no word to him."""
    paths = Paths(tmp_path).prepare()
    settings = load_settings(paths, {})
    outbox = Outbox(paths.outbox, "grid-1")
    say = stuck(settings, paths, outbox)
    say("somebody-of-the-server", "VaultError: sealed with another key")
    assert not list(outbox.pending("test"))
    say(settings.gridlive.user, "VaultError: sealed with another key")
    [(_, notice)] = outbox.pending("test")
    assert (notice.mode, notice.level) == ("TEST", "alert") and "sealed with another key" in notice.text()
