"""The seeded mix: the rate it promises, every kind in reach, the same again, and money that stays whole under it."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modules.simulator.acts import ACTIONS, Act, ActError
from modules.simulator.fault_mix import MIX
from modules.simulator.fault_plan import CLASSES, GROUPS, FaultPlan, Kind, PlanError
from modules.simulator.server import Simulator
from modules.simulator.settings import SimulatorSettings
from tests.simulator.conftest import START, HandClock, Running, Starter
from tests.simulator.test_faults import engine
from tests.simulator.wire import Got, act, ask, conserved, plan, truth

_CALLS: list[tuple[str, str, dict[str, str]]] = [
    ("POST", "order", {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quoteOrderQty": "20"}),
    ("GET", "account", {}),
    ("POST", "order", {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": "0.001", "price": "40000"}),
    ("GET", "openOrders", {"symbol": "BTCUSDT"}),
    ("DELETE", "openOrders", {"symbol": "BTCUSDT"}),
    ("GET", "myTrades", {"symbol": "BTCUSDT"}),
    ("POST", "order", {"symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": "0.0001"}),
    ("GET", "allOrders", {"symbol": "BTCUSDT"}),
    ("GET", "depth", {"symbol": "BTCUSDT"}),
]


async def run(venue: Running, rounds: int, timeout_s: float) -> list[Got]:
    """The same calls over and over, whatever comes back; the clock moves as much each time."""
    answers = []
    for number in range(rounds * len(_CALLS)):
        method, path, params = _CALLS[number % len(_CALLS)]
        answers.append(await ask(venue, method, path, params, signed=path != "depth", timeout_s=timeout_s))
        venue.pass_s(0.4)
    return answers


@pytest.mark.parametrize("name", CLASSES)
def test_the_rate_is_what_was_asked_for_and_every_kind_comes(name: str) -> None:
    from modules.simulator.faults import Asked

    faults = engine({"seed": 1, "rate": 0.2})
    found: Counter[str] = Counter()
    for _ in range(20_000):
        drawn = faults.draw(Asked("GET", "/x", name, None))
        if drawn.rule is not None or drawn.before_s or drawn.after_s:
            found[drawn.rule.kind if drawn.rule is not None else "latency"] += 1
    assert 0.19 < found.total() / 20_000 < 0.21
    assert set(found) == {rule.kind for _, rule in MIX[name]}


@pytest.mark.parametrize("seed", range(3))
async def test_money_stays_whole_under_the_mix(start: Starter, seed: int) -> None:
    venue = await start(fault_seed=seed, fault_rate=0.5, accept_wall_time=True)
    answers = await run(venue, 8, 0.05)
    assert len({got.error or got.status for got in answers}) > 4
    mine = await truth(venue)
    assert len(mine["orders"]) > 5
    conserved(mine)


async def test_same_seed_same_requests_same_faults(start: Starter) -> None:
    """Byte for byte, between two venues: hangs, resets, spoilt fields, everything but the slow ones."""
    quick = [
        {"kind": kind, "probability": 0.06} for kind in (
            "drop_after", "reset_before", "http_status", "status_after", "html", "truncated", "bad_field",
            "duplicate_rows", "shuffle_rows", "stale", "partial_fill", "cancel_unknown", "cut_body")]
    runs = []
    for _ in range(2):
        venue = await start(accept_wall_time=False)
        await plan(venue, {"seed": 11, "rules": quick})
        answers = await run(venue, 6, 5.0)
        runs.append(([(got.status, got.text, bool(got.error)) for got in answers], await truth(venue)))
    assert runs[0] == runs[1]
    assert sum(error for _, _, error in runs[0][0]) > 3
    conserved(runs[0][1])


async def test_a_venue_under_faults_survives_being_killed_and_started_again(start: Starter, tmp_path: Path) -> None:
    first = await start(state=tmp_path, fault_seed=2, fault_rate=0.4)
    await run(first, 4, 0.05)
    await act(first, action="transfer_out", asset="USDT", amount="77")
    before = await truth(first)
    first.simulator.close()
    second = await start(state=tmp_path, fault_seed=2, fault_rate=0.4)
    after = await truth(second)
    assert after["balances"] == before["balances"] and after["transfers"] == before["transfers"]
    assert [fill["id"] for fill in after["fills"]] == [fill["id"] for fill in before["fills"]]
    await run(second, 2, 0.05)
    conserved(await truth(second))


async def test_a_plan_that_was_told_can_be_given_again(venue: Running) -> None:
    given = {"seed": 3, "rate": 0.0, "rules": [
        {"class": "order", "kind": "latency", "probability": 0.0, "symbols": ["X"], "max_times": 3,
         "params": {"ms": 5.0, "sigma": 1.0, "when": "after"}, "match": {"method": "POST", "class": "trade"}}],
        "events": [{"after": {"orders": 900}, "act": {"action": "transfer_in", "asset": "USDT", "amount": "1.5"}}]}
    await plan(venue, given)
    told = (await venue.get("/sim/faults"))[1]
    assert {name: told[name] for name in given} == given
    await plan(venue, {name: told[name] for name in given})


async def test_requests_in_flight_together(venue: Running) -> None:
    await plan(venue, {"seed": 1, "rules": [{"class": "order", "kind": "drop_after", "max_times": 3},
                                            {"kind": "latency", "params": {"ms": 5, "sigma": 0.5}}]})
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quoteOrderQty": "20"}
    got = await asyncio.gather(*(ask(venue, "POST", "order", order) for _ in range(12)))
    assert sum(bool(one.error) for one in got) == 3
    mine = await truth(venue)
    assert len(mine["orders"]) == 12
    conserved(mine)


_JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=6)
_RULE = st.fixed_dictionaries(
    {"kind": st.sampled_from([*get_args(Kind), "melt"]) | _JUNK},
    optional={
        "class": st.sampled_from([*GROUPS, "none"]) | _JUNK, "probability": st.floats() | _JUNK,
        "max_times": st.integers(-2, 5) | _JUNK, "symbols": st.lists(st.text(max_size=5), max_size=2) | _JUNK,
        "params": st.dictionaries(st.sampled_from(["ms", "how", "status", "share", "for_ms", "x"]), _JUNK, max_size=2),
        "match": _JUNK, "act": _JUNK})
_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "symbol": st.sampled_from(["BTCUSDT", "ETHUSDT", "@held", "@ordered", "NOUSDT"]),
    "asset": st.sampled_from(["USDT", "BTC", "BTC", "NONE"]), "amount": st.sampled_from(["all", "1", "0.37", "5000"]),
    "qty": st.sampled_from(["all", "0.001", "0.05"]), "usdt": st.sampled_from(["20", "5000", "1e6"]),
    "price": st.sampled_from(["40000", "64000.12", "1e-30", "120000"]), "tick": st.sampled_from(["1", "0.1", "0.01"]),
    "step": st.sampled_from(["1", "0.001", "1e-9"]), "account": st.sampled_from(["trader", "withdrawer", "nobody"]),
    "ms": st.integers(-9000, 9000), "for_ms": st.integers(1, 2000), "told": st.booleans(), "shown": st.booleans(),
    "client_id": st.just("x"), "order_id": st.just("y"), "how": st.sampled_from(["expired", "lost"]),
    "fault": st.fixed_dictionaries({"kind": st.sampled_from(["lose", "cut", "melt"])})}


def _act_of(action: str) -> st.SearchStrategy[dict[str, Any]]:
    needs, may = ACTIONS[action]
    if action == "manual_cancel":
        needs = ("symbol",)
    if action == "manual_buy":
        more = {name: st.fixed_dictionaries({"action": st.just(action), "symbol": _FIELDS["symbol"], **fields})
                for name, fields in (("market", {"usdt": _FIELDS["usdt"]}),
                                     ("limit", {"qty": st.just("0.01"), "price": _FIELDS["price"]}))}
        return st.one_of(*more.values())
    return st.fixed_dictionaries(
        {"action": st.just(action), **{name: _FIELDS[name] for name in needs}},
        optional={name: _FIELDS[name] for name in may if name not in needs})


_ACT = st.sampled_from(list(ACTIONS)).flatmap(_act_of)
_ANY_ACT = _ACT | st.fixed_dictionaries(
    {"action": st.sampled_from([*ACTIONS, "dance"]) | _JUNK},
    optional={name: field | _JUNK for name, field in _FIELDS.items()})


@given(st.lists(_RULE, max_size=3) | _JUNK | st.fixed_dictionaries({}, optional={
    "seed": st.integers() | _JUNK, "rate": st.floats() | _JUNK, "rules": st.lists(_RULE, max_size=2) | _JUNK,
    "events": st.lists(
        st.fixed_dictionaries({"after": _JUNK | st.just({"orders": 1}), "act": _ANY_ACT | _JUNK}), max_size=2)}))
@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_any_scenario_is_taken_or_refused_with_its_place(data: Any) -> None:
    try:
        found = FaultPlan.parse(data, "fuzz")
    except PlanError as problem:
        assert str(problem).startswith("fault plan fuzz: ") and len(str(problem).splitlines()) == 1
        return
    again = FaultPlan.parse(json.loads(found.model_dump_json(by_alias=True, exclude_defaults=True)), "again")
    assert again == found


@given(st.binary(max_size=60) | st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")))
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_file_is_taken_or_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "plan.json"
    file.write_bytes(content)
    try:
        FaultPlan.load(file)
    except PlanError as problem:
        assert "plan.json" in str(problem)


@given(st.lists(_ACT | _ANY_ACT, min_size=1, max_size=12))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_any_acts_are_done_or_refused_and_money_stays_whole(acts: list[Any]) -> None:
    clock = HandClock()
    simulator = Simulator(SimulatorSettings(tokens=2, start=START), elapsed=clock)
    from modules.simulator.journal import truth as truth_of

    for data in [{"action": "manual_buy", "symbol": "BTCUSDT", "usdt": "1000"}, *acts]:
        clock.seconds += 0.5
        try:
            simulator.faults.act(Act.parse(data), "test")
        except ActError:
            continue
    venue = simulator.venue
    for mine in truth_of(venue.accounts.values(), venue.orders.values(), venue.fills, venue.transfers).values():
        conserved(mine)
    simulator.close()


@given(st.integers(0, 10**6))
@settings(deadline=None, max_examples=150)
def test_a_field_spoilt_by_the_dice_can_be_seen(seed: int) -> None:
    """No dice make one id, coin or amount pass for another: a row has lost a field, or holds what is no amount."""
    from modules.simulator.fault_bodies import spoil

    good: dict[str, Any] = {"orderId": "C02__1", "symbol": "BTCUSDT", "price": "5.5", "executedQty": "0", "time": 17,
                            "clientOrderId": "77", "id": "12e5"}
    text = spoil(json.dumps([good]), "bad_field", None, None, random.Random(seed))
    assert text is not None
    row = json.loads(text)[0]
    changed = [name for name in good if row.get(name, "gone") != good[name]]
    assert len(changed) == 1
    value = row.get(changed[0])
    assert value is None or value in ("--", "soon", "NaN") or value != value or str(value).startswith("-")
    assert value is None or changed[0] not in ("orderId", "symbol", "id")
    assert changed != ["clientOrderId"], "it may be absent on a good day"
