"""The table of cases after a restart (`live/memory.py`): a worker dies at a point, the next one makes it good."""

import dataclasses
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from sqlalchemy import update

from modules.exchange.types import PositionSide, Side, Unavailable
from modules.storage.sql.grid_tables import grid_states
from modules.strategies.grid import events as ev
from modules.strategies.grid.live import host as hosts
from modules.strategies.grid.live import worker as workers
from modules.strategies.grid.live.host import Host
from modules.strategies.grid.reconcile import Case
from modules.strategies.grid.state import Closing, Pending, Phase, SessionState, restored, saved
from modules.strategies.grid.store.records import Save
from tests.strategies.grid.live.conftest import House
from tests.surroundings import until

D = Decimal
LONG = PositionSide.LONG


async def lived(house: House, user_id: str = "ann") -> Host:
    """A grid with one position and its stop; its worker is gone in order."""
    house.user(user_id)
    account = house.world.account(user_id)
    async with house.running(house.worker("first")) as worker:
        host = await house.host(worker, user_id)
        await until(lambda: len(account.waiting()) == 1 and host.memory.stops[0].sure, "a position with its stop", 60)
    return host


def rewrite(house: House, **changes: Any) -> None:
    """Another saved state, as a crash would have left it."""
    lease = house.store.sessions.claim("crash", 0.0, 10)[0].lease
    body, facts, _ = house.store.sessions.state("ann")  # type: ignore[misc]
    state = msgspec.structs.replace(restored(body), **changes)
    assert not house.store.sessions.save([Save(lease, saved(state), facts)])
    house.store.sessions.release([lease])


def pending(house: House, quantity: str = "0.015") -> Pending:
    """The second order, sent or about to be."""
    return Pending("b2", 1, 1, True, D(quantity), ev.Reason.ADD, level=1, since_ms=house.world.market.clock.ms)


def place_at_venue(house: House, host: Host, quantity: str = "0.015") -> None:
    """The second order reached the venue."""
    from modules.exchange.types import OrderRequest, OrderType
    house.world.account("ann").execute(OrderRequest(host.order_id("b2", 1), "BTCUSDT", Side.BUY, OrderType.MARKET,
                                                    D(quantity), position_side=LONG))


async def test_an_intent_that_never_left_is_absent_only_after_its_window(house: House,
                                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "FOLLOW_S", (0.0, 0.01, 0.01, 0.01))
    await lived(house)
    rewrite(house, pending=(pending(house),), generations={"b1": 1, "b2": 1})
    account, market = house.world.account("ann"), house.world.market
    market.set("59600")
    async with house.running(house.worker("second")) as worker:
        host = await house.host(worker, "ann")
        looked = account.calls["order"]
        await until(lambda: account.calls["order"] > looked + 2, "asked again and again", 60)
        assert host.state.pending and len(account.sent) == 1, "it might still arrive"
        market.set("59600", 40_000)
        await until(lambda: not host.state.pending, "proven absent", 60)
        market.set("59600", 10_000)  # the wait after a failure
        await until(lambda: len(account.sent) == 2, "a new one goes", 60)
        assert account.sent[1].client_id == host.order_id("b2", 2) != host.order_id("b2", 1)


async def test_an_order_that_left_without_an_answer_is_booked_and_not_sent_again(house: House) -> None:
    host = await lived(house)
    rewrite(house, pending=(pending(house),), generations={"b1": 1, "b2": 1})
    place_at_venue(house, host)
    account = house.world.account("ann")
    async with house.running(house.worker("second")) as worker:
        host = await house.host(worker, "ann")
        await until(lambda: len(host.state.buy.entries) == 2 and not host.state.pending, "booked", 60)
        await until(lambda: [one.quantity for one in account.waiting()] == [D("0.025")], "protected", 60)
        assert host.reconciled and host.state.buy_check.blocked is None
    assert all(count == 1 for count in account.executed.values()) and len(account.sent) == 1


async def test_fills_that_were_not_saved_are_booked_once(house: House) -> None:
    """The state from before the second order's fills; its trade may be told by the order and by the list of trades."""
    host = await lived(house)
    rewrite(house, pending=(pending(house),), generations={"b1": 1, "b2": 1})
    place_at_venue(house, host)
    for name in ("second", "third"):
        async with house.running(house.worker(name), orderly=name == "third") as worker:
            host = await house.host(worker, "ann")
            await until(lambda host=host: len(host.state.buy.entries) == 2, "booked", 60)  # type: ignore[misc]
            await host.readings.sync_fills()
            assert host.state.buy.quantity == D("0.025") == house.world.account("ann").held[LONG]


async def test_a_partial_fill_is_booked_and_its_slot_is_free(house: House) -> None:
    host = await lived(house)
    account = house.world.account("ann")
    rewrite(house, pending=(pending(house),), generations={"b1": 1, "b2": 1})
    account.part = D("0.4")
    place_at_venue(house, host)
    async with house.running(house.worker("second")) as worker:
        host = await house.host(worker, "ann")
        await until(lambda: not host.state.pending, "at its end", 60)
        assert host.state.buy.entries[1].quantity == D("0.006") and host.state.serial == 3


async def test_a_stop_that_fired_meanwhile_closes_its_entries(house: House) -> None:
    await lived(house)
    account, market = house.world.account("ann"), house.world.market
    market.set(account.waiting()[0].trigger - 10)
    account.fire()
    async with house.running(house.worker("second")) as worker:
        host = await house.host(worker, "ann")
        await until(lambda: host.state.trades == 1, "the loss is booked", 60)
        assert not host.state.buy_check.manual


async def test_a_person_who_traded_meanwhile_is_external(house: House) -> None:
    await lived(house)
    house.world.account("ann").by_hand(Side.BUY, LONG, "1")
    async with house.running(house.worker("second")) as worker:
        host = await house.host(worker, "ann")
        await until(lambda: host.state.buy_check.blocked is Case.GREW, "blocked", 60)
        assert host.state.buy.quantity == D("0.01")


async def test_a_stop_that_is_gone_is_placed_again(house: House) -> None:
    await lived(house)
    account = house.world.account("ann")
    account.plans.clear()
    async with house.running(house.worker("second")) as worker:
        await house.host(worker, "ann")
        await until(lambda: len(account.waiting()) == 1, "a stop again", 60)


async def test_of_two_stops_the_wanted_one_stays(house: House) -> None:
    """Between the new stop and the end of the old one."""
    first = await lived(house)
    account = house.world.account("ann")
    wanted = account.waiting()[0]
    from modules.execution.intents import client_id
    old = client_id("grid", "ann", "BTCUSDT", "stop", "1", first.memory.generation + 1)
    foreign = "by-a-person"
    for name in (old, foreign):
        account.plans[name] = dataclasses.replace(wanted, client_id=name, trigger_id="p9", trigger=D(50_000))
    async with house.running(house.worker("second")) as worker:
        await house.host(worker, "ann")
        await until(lambda: {one.client_id for one in account.waiting()} == {wanted.client_id, foreign}, "one", 60)


async def test_closing_goes_on_where_it_was(house: House) -> None:
    await lived(house)
    rewrite(house, closing=Closing(ev.Reason.FLATTEN, 1))
    account = house.world.account("ann")
    async with house.running(house.worker("second")) as worker:
        host = await house.host(worker, "ann")
        await until(lambda: host.state.closing is None and not account.held[LONG], "closed", 60)


async def test_a_state_that_cannot_be_read_stops_that_session_alone(
        house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await lived(house)
    house.user("bob")
    lease = house.store.sessions.claim("crash", 0.0, 10)
    held = next(one for one in lease if one.lease.user_id == "ann")
    house.store.sessions.save([Save(held.lease, b'{"buy": 7}')])
    house.store.sessions.release([one.lease for one in lease])
    async with house.running(house.worker("second")) as worker:
        await house.host(worker, "bob")
        await until(lambda: house.world.account("bob").held[LONG], "bob trades", 60)
        assert "ann" in worker.broken and "ann" not in worker.hosts
        with house.store.database.begin(alone=True) as connection:  # somebody mends it
            connection.execute(update(grid_states).where(grid_states.c.user_id == "ann").values(
                body=saved(SessionState()).decode(), facts={}))
        monkeypatch.setattr(workers, "BROKEN_S", 0.0)
        await until(lambda: "ann" in worker.hosts, "it is tried again without a restart", 60)
        assert not worker.broken


async def test_a_restart_asks_each_account_once(house: House) -> None:
    """Thousands of users begin over one address (Bitget's limit): balance, positions, stops, nothing twice."""
    await lived(house)
    account = house.world.account("ann")
    account.calls.clear()
    async with house.running(house.worker("second")) as worker:
        host = await house.host(worker, "ann")
        assert host.reconciled and account.calls["positions"] == 1 and account.calls["standing"] <= 2
        assert account.calls["incomes"] == 0, "funding can wait"
        await until(lambda: account.calls["open_triggers"], "its stops are looked at", 60)


async def test_a_start_whose_first_reading_fails_is_tried_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await lived(house)
    account = house.world.account("ann")
    standing = account.standing
    failed: list[int] = []

    async def fails_once(*given: Any) -> Any:
        if not failed:
            failed.append(1)
            raise Unavailable("not now")
        return await standing(*given)

    monkeypatch.setattr(account, "standing", fails_once)
    async with house.running(house.worker("second")) as worker:
        assert (await house.host(worker, "ann")).reconciled and failed


async def test_a_worker_that_dies_is_followed_by_another(house: House) -> None:
    for number in range(5):
        house.user(f"u{number}")
    accounts = [house.world.account(f"u{number}") for number in range(5)]
    async with house.running(house.worker("first"), orderly=False):
        await until(lambda: all(one.held[LONG] for one in accounts), "all hold", 60)
    house.world.market.set("59600")
    async with house.running(house.worker("second")) as worker:
        await until(lambda: len(worker.hosts) == 5 and all(one.reconciled for one in worker.hosts.values()),
                    "all reconciled", 60)
        await until(lambda: all(one.held[LONG] == D("0.025") for one in accounts), "all go on", 60)
    assert all(count == 1 for one in accounts for count in one.executed.values())


def test_phases_after_a_restart() -> None:
    state = SessionState(pending=(Pending("b1", 1, 1, True, D(1), ev.Reason.ADD, phase=Phase.ACCEPTED),))
    assert restored(saved(state)).pending[0].phase is Phase.UNKNOWN
