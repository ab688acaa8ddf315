"""Users, keys and leases in SQL, on every database."""

import threading

import pytest
from sqlalchemy import event, select, text, update

from modules.storage.sql.grid_tables import grid_keys, grid_sessions, grid_users
from modules.strategies.grid.store.records import (
    Credentials,
    Event,
    Fenced,
    KeyInUse,
    Lease,
    NoUser,
    Order,
    Save,
    Taken,
    Wanted,
    Webhook,
)
from modules.strategies.grid.store.store import GridStore
from tests.gridserver.conftest import user

TTL = 30.0


def expire(store: GridStore) -> None:
    """Every lease has run out."""
    with store.database.begin(alone=True) as connection:
        connection.execute(update(grid_sessions).values(lease_until_ms=1))


def saved(store: GridStore, user_id: str) -> bytes | None:
    found = store.sessions.state(user_id)
    return None if found is None else found[0]


def running(store: GridStore, *names: str) -> None:
    for name in names:
        store.users.add(user(name), "platform")
        store.sessions.want(name, Wanted.RUNNING, "test", figures={"loss": "-1"}, accepted={"who": name})


def test_a_user_is_added_whole_and_opened_again(store: GridStore) -> None:
    store.users.add(user(), "platform", "127.0.0.1")
    session = store.sessions.session("user-1")
    assert (session.symbol, session.wanted, session.version, session.fence) == ("BTCUSDT", Wanted.STOPPED, 1, 0)
    assert session.settings["space_percent"] == 0.5 and session.custom == {"leverage": 5}
    keys = store.users.credentials("user-1")
    assert (keys.api_key, keys.api_secret, keys.passphrase, keys.demo) == (
        "key-user-1", "very-secret", "pass-phrase", True)
    assert store.users.webhook("user-1") == Webhook("https://hooks.example/x", "hook-secret")
    assert store.users.token("user-1") == "hash-of-user-1" and store.users.token("USER-1") is None
    assert store.audited()[0] | {"number": 0, "ms": 0} == {
        "number": 0, "ms": 0, "who": "platform", "what": "user added", "user_id": "user-1", "address": "127.0.0.1",
        "outcome": "done", "body": {"symbol": "BTCUSDT"}}


def test_no_secret_lies_open_in_the_database_or_in_any_repr(store: GridStore) -> None:
    new = user()
    store.users.add(new, "platform")
    with store.database.begin() as connection:
        lying = str([connection.execute(select(table)).all() for table in (grid_users, grid_keys, grid_sessions)])
    for secret in ("key-user-1", "very-secret", "pass-phrase", "hook-secret"):
        assert secret not in lying + repr(new) + repr(new.credentials) + repr(new.webhook) + repr(store.vault)


def test_a_second_user_of_the_same_name_or_key_changes_nothing(store: GridStore) -> None:
    store.users.add(user(), "platform")
    with pytest.raises(Taken, match="user-1 exists"):
        store.users.add(user(credentials=Credentials("other", "s", "p", demo=False)), "platform")
    with pytest.raises(KeyInUse, match="another user"):
        store.users.add(user("user-2", credentials=Credentials("key-user-1", "s", "p", demo=False)), "platform")
    with pytest.raises(NoUser):
        store.sessions.session("user-2")
    assert store.users.credentials("user-1").api_secret == "very-secret"


def test_paper_accounts_are_one_a_user(store: GridStore) -> None:
    for name in ("a", "b"):
        store.users.add(user(name, credentials=Credentials("paper", "-", "-", demo=True)), "platform")
    assert store.users.credentials("b").api_key == "paper"


def test_a_key_is_replaced_and_the_grid_stays(store: GridStore) -> None:
    running(store, "a", "b")
    held = {one.lease.user_id: one for one in store.sessions.claim("w1", TTL, 10)}
    store.sessions.save([Save(held["a"].lease, b'{"tick":7}')])
    store.users.key_refused("a", 1, "40037: no such key")
    assert store.sessions.session("a").key_refused == "40037: no such key"
    with pytest.raises(KeyInUse):
        store.users.replace_key("a", Credentials("key-b", "s", "p", demo=True), "a")
    assert store.users.replace_key("a", Credentials("new", "s2", "p2", demo=True), "a") == 2
    store.users.key_refused("a", 1, "late news of the old key")
    wish = next(one for one in store.sessions.renew("w1", TTL).wishes if one.lease.user_id == "a")
    session = store.sessions.session("a")
    assert (wish.key_version, session.key_version, session.key_refused, session.wanted) == (2, 2, "", Wanted.RUNNING)
    assert store.users.credentials("a").api_secret == "s2" and saved(store, "a") == b'{"tick":7}'


def test_a_session_has_one_holder(store: GridStore) -> None:
    running(store, "a", "b", "c")
    store.users.add(user("stopped"), "platform")
    first = store.sessions.claim("w1", TTL, 2)
    second = store.sessions.claim("w2", TTL, 10)
    assert len(first) == 2 and len(second) == 1
    assert {one.lease.user_id for one in first + second} == {"a", "b", "c"}
    assert store.sessions.claim("w3", TTL, 10) == []
    assert {one.lease.fence for one in first + second} == {1}
    assert {wish.lease for wish in store.sessions.renew("w1", TTL).wishes} == {one.lease for one in first}


def test_workers_that_claim_at_once_share_without_doubles(store: GridStore) -> None:
    names = [f"u{number}" for number in range(12)]
    running(store, *names)
    found: dict[str, list[str]] = {}

    def take(holder: str) -> None:
        while len(found.setdefault(holder, [])) < 4:
            found[holder] += [one.lease.user_id for one in store.sessions.claim(holder, TTL, 2)]

    workers = [threading.Thread(target=take, args=(f"w{number}",)) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert sorted(sum(found.values(), [])) == sorted(names)


def test_who_lost_the_lease_can_write_nothing(store: GridStore) -> None:
    running(store, "a", "b")
    old = {one.lease.user_id: one.lease for one in store.sessions.claim("w1", TTL, 10)}
    number = store.sessions.say("a", Order.ACKNOWLEDGE, {"side": 1, "answer": "leave"}, "owner")
    expire(store)
    new = store.sessions.claim("w2", TTL, 1)[0]
    lost = new.lease.user_id
    kept = "b" if lost == "a" else "a"
    assert new.lease.fence == 2
    saves = [Save(old[name], b'{"by":"w1"}', events=(Event(f"uid-{name}", "global_limit_hit", {}),)) for name in old]
    assert store.sessions.save(saves) == {lost}
    assert saved(store, lost) is None and saved(store, kept) == b'{"by":"w1"}'
    assert [one.user_id for one in store.events.due(10, 1)] == [kept]
    with pytest.raises(Fenced):
        store.sessions.command_done(Lease("a", "w1", 0), number, "done")
    assert [wish.lease.user_id for wish in store.sessions.renew("w1", TTL).wishes] == [kept]
    store.sessions.release(list(old.values()))
    assert store.sessions.session(lost).lease_holder == "w2" and store.sessions.session(kept).lease_holder == ""


def test_events_of_many_users_are_queued_with_their_states_in_few_statements(store: GridStore) -> None:
    names = [f"u{number:02d}" for number in range(40)]
    running(store, *names)
    store.users.replace_webhook("u03", Webhook("", ""), "test")
    held = {one.lease.user_id: one.lease for one in store.sessions.claim("w", TTL, 100)}
    statements: list[str] = []

    @event.listens_for(store.database.engine, "before_cursor_execute")
    def count(connection: object, cursor: object, statement: str, *more: object) -> None:
        statements.append(statement)

    saves = [Save(held[name], b"{}", {}, (Event(f"{name}-a", "status_update", {"of": name}),
                                         Event(f"{name}-b", "global_limit_hit", {}))) for name in names]
    twice = Save(held["u05"], b"{}", {}, (Event("u05-a", "status_update", {"of": "again"}),))
    assert store.sessions.save([*saves, twice]) == set()
    assert len(statements) < 20, "as many for forty users as for one"
    assert store.sessions.save(saves[:2]) == set(), "told again"
    due = {one.uid: one for one in store.events.due(100, 60)}
    assert set(due) == {f"{name}-{kind}" for name in names if name != "u03" for kind in "ab"}
    assert due["u05-a"].body == {"of": "u05"} and due["u05-a"].number < due["u05-b"].number
    store.sessions.release([*held.values(), Lease("u00", "w", held["u00"].fence + 1)])
    assert len(store.sessions.claim("another", TTL, 100)) == 40


def test_a_restart_finds_the_state_that_was_saved(store: GridStore) -> None:
    running(store, "a")
    held = store.sessions.claim("w1", TTL, 1)[0]
    assert held.state is None and held.session.accepted == {"who": "a"} and held.session.figures == {"loss": "-1"}
    for tick in (1, 2):
        store.sessions.save([Save(held.lease, b'{"tick":%d}' % tick, {"problem": ""})])
    store.sessions.release([held.lease])
    again = store.sessions.claim("w2", TTL, 1)[0]
    assert (again.state, again.facts, again.lease.fence) == (b'{"tick":2}', {"problem": ""}, 2)


def test_what_people_want_reaches_the_holder(store: GridStore) -> None:
    running(store, "a")
    lease = store.sessions.claim("w1", TTL, 1)[0].lease
    store.sessions.want("a", Wanted.DRAINING, "owner", order=Order.FLATTEN)
    store.sessions.change("a", "ETHUSDT", {"x": 1}, {"y": 2}, "owner")
    wish = store.sessions.renew("w1", TTL).wishes[0]
    assert (wish.wanted, wish.version, wish.commands) == (Wanted.DRAINING, 2, 1)
    said = store.sessions.commands("a")
    assert [(one.word, one.by_whom) for one in said] == [(Order.FLATTEN, "owner")]
    store.sessions.command_done(lease, said[0].number, "closed")
    assert store.sessions.renew("w1", TTL).wishes[0].commands == 0 and store.sessions.commands("a") == []


def test_the_lease_is_good_from_before_the_question(store: GridStore) -> None:
    running(store, "a")
    store.sessions.claim("w1", TTL, 1)
    times = iter([100.0])
    store.sessions.monotonic = lambda: next(times)
    assert store.sessions.renew("w1", TTL).until_s == 130.0


def test_a_removed_user_is_gone_and_his_worker_fenced(store: GridStore) -> None:
    running(store, "a", "b")
    leases = {one.lease.user_id: one.lease for one in store.sessions.claim("w1", TTL, 2)}
    store.sessions.say("a", Order.FLATTEN, {}, "owner")
    store.sessions.save([Save(leases["a"], b"{}", events=(Event("1", "status_update", {}),))])
    store.users.remove("a", "platform")
    assert store.sessions.save([Save(leases["a"], b"{}"), Save(leases["b"], b"{}")]) == {"a"}
    assert [one.lease.user_id for one in store.sessions.renew("w1", TTL).wishes] == ["b"]
    with store.database.begin() as connection:
        for table in ("users", "keys", "sessions", "states", "commands", "events"):
            assert connection.execute(text(f"SELECT count(*) FROM grid_{table} WHERE user_id = 'a'")).scalar() == 0
    assert store.audited("a")[0]["what"] == "user removed"
    store.users.add(user("a"), "platform")  # name and key are free again


def test_the_databases_clock_is_in_milliseconds(store: GridStore) -> None:
    first, second = store.now_ms(), store.now_ms()
    assert 1_700_000_000_000 < first <= second < first + 60_000
