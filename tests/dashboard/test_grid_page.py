"""The page Grid: sessions, legs, worst case and webhooks, from what the store and a worker's rules write; no secret."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from config.crew import crew_for
from modules.dashboard.pages.grid import GridPage
from modules.dashboard.pages.sources import Sources
from modules.dashboard.pages.sql import Sql
from modules.strategies.grid import events as ev
from modules.strategies.grid.ledger import GridFill
from modules.strategies.grid.reconcile import Case, LegCheck, VenueLeg
from modules.strategies.grid.session import step
from modules.strategies.grid.settings import GridSettings
from modules.strategies.grid.state import SessionState, rulebook, saved
from modules.strategies.grid.store.records import Event, NewUser, Save, Wanted
from modules.strategies.grid.store.store import GridStore
from modules.strategies.grid.units import Contract
from modules.strategies.grid.worst_case import may_start
from modules.supervision.service import ServiceRun
from tests.strategies.grid.live.world import new_user
from tests.telegram.house import NOW_MS, House

D = Decimal
BTC = Contract("BTCUSDT", D("0.1"), D("0.001"), D("0.001"))


@pytest.fixture
def store(house: House) -> Any:
    opened = GridStore.open(house.settings, house.paths)
    yield opened
    opened.close()


def shown(house: House, **arguments: str) -> dict[str, Any]:
    sources = Sources(house.paths, house.settings, crew_for(house.settings))
    return GridPage(sources, Sql(sources))(arguments)


def started(store: GridStore, user: str, check: LegCheck | None = None) -> None:
    """A user with one BUY at 42,000, saved by a worker."""
    made: NewUser = new_user(user)
    settings = GridSettings.model_validate(made.settings)
    store.users.add(made, "test")
    proof = may_start(settings, BTC, D(42_000), D(20_000), "me by hand")
    store.sessions.want(user, Wanted.RUNNING, "test", figures=msgspec.to_builtins(proof.figures),
                        accepted={"by": "me by hand"})
    held = next(one for one in store.sessions.claim("worker", 60, 5) if one.lease.user_id == user)
    book = rulebook(settings, BTC)
    state, _ = step(SessionState(generations={"b1": 1}), ev.Filled(NOW_MS, GridFill(
        "t1", "b1", 1, True, D(42_000), D("0.001"), D("0.025"), NOW_MS)), book)
    if check is not None:
        state = msgspec.structs.replace(state, buy_check=check)
    event = Event(f"e-{user}", "status_update", {"n": 1})
    facts = {"mode": "TEST", "bid": "41900", "ask": "41900.1"}
    assert not store.sessions.save([Save(held.lease, saved(state), facts, (event,))])


def test_without_a_grid_it_says_so(house: House) -> None:
    found = shown(house)
    msgspec.json.encode(found)
    assert "no database yet" in found["problem"] and "stopped" in found["why"]["headline"]


def test_sessions_legs_worst_case_and_webhooks_without_secrets(house: House, store: GridStore) -> None:
    started(store, "ann")
    started(store, "bob", LegCheck(blocked=Case.GREW, venue=VenueLeg(1, D("0.003"), D(42_000))))
    ServiceRun("grid", house.paths, 1.0).ready()
    found = shown(house, user="bob")
    text = msgspec.json.encode(found).decode()
    assert [one["user"] for one in found["sessions"]] in (["ann", "bob"], ["bob", "ann"])
    for secret in ("secret-of-it", "phrase-of-it", "hook-secret", "hash-ann", "key-ann"):
        assert secret not in text
    one = found["chosen"]
    assert one["user"] == "bob" and one["sides"][0]["entries"] == ((42_000.0, 0.001, 1),)
    assert one["sides"][0]["result"] == pytest.approx(-0.1) and one["sides"][0]["blocked"] == "GREW"
    assert one["sides"][0]["venue_quantity"] == 0.003 and one["sides"][1]["venue_quantity"] is None
    assert [end["name"] for end in one["worst"]["ends"]] == ["down", "up", "both"]
    assert one["worst"]["ends"][0]["loss"] < 0 and one["accepted"] == {"by": "me by hand"}
    assert "BUY is blocked: GREW" in found["why"]["headline"]
    assert {row["user_id"] for row in found["events"]} == {"ann", "bob"}
    assert all(row["queued"] == 1 and row["leased"] for row in found["sessions"])
    assert any(row["what"] == "user added" for row in found["audit"])


def test_a_state_that_cannot_be_read_harms_no_other(house: House, store: GridStore) -> None:
    started(store, "ann")
    started(store, "bob")
    from sqlalchemy import update

    from modules.storage.sql.grid_tables import grid_states
    with store.database.begin() as connection:
        connection.execute(update(grid_states).where(grid_states.c.user_id == "ann").values(body='{"buy": 5}'))
    found = shown(house, user="ann")
    rows = {row["user"]: row for row in found["sessions"]}
    assert "cannot be read" in rows["ann"]["problem"] and rows["bob"]["price"] == pytest.approx(41_900.05)
    assert found["chosen"]["user"] == "bob"


def test_a_lease_that_ran_out_is_nobodys(house: House, store: GridStore) -> None:
    store.users.add(new_user("ann"), "test")
    store.sessions.want("ann", Wanted.RUNNING, "test")
    row = shown(house)["sessions"][0]
    assert not row["leased"] and row["saved_s"] is None and row["wanted"] == "RUNNING"
