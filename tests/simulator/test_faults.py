"""Faults on demand: what is lost, what was done all the same, and plans that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ccxt.async_support as ccxt
import pytest

from modules.simulator.fault_plan import FaultPlan, PlanError
from modules.simulator.faults import Asked, Faults
from tests.simulator.conftest import Running

ORDER = {"method": "POST", "path": "/api/v3/order$"}


async def plan(venue: Running, *rules: dict[str, Any]) -> None:
    async with venue.session.post(venue.base + "/sim/faults", json=list(rules)) as answer:
        assert answer.status == 200, await answer.text()


async def orders(venue: Running) -> int:
    async with venue.session.get(venue.base + "/sim/truth") as answer:
        return len((await answer.json())["accounts"]["trader"]["orders"])


@pytest.mark.parametrize("kind,params,error,done", [
    ("drop_before", {}, ccxt.NetworkError, 0), ("drop_after", {}, ccxt.NetworkError, 1),
    ("http_status", {"status": 503}, ccxt.ExchangeNotAvailable, 0),
    ("status_after", {"status": 502, "body": "<html>bad</html>"}, ccxt.ExchangeNotAvailable, 1),
    ("http_status", {"status": 429, "body": '{"code":429,"msg":"x"}', "retry_after_s": 2}, ccxt.RateLimitExceeded, 0)])
async def test_a_lost_answer_does_not_tell_whether_the_deed_was_done(
    venue: Running, kind: str, params: dict[str, Any], error: type[Exception], done: int
) -> None:
    client = venue.mexc()
    await client.load_markets()
    await plan(venue, {"match": ORDER, "kind": kind, "params": params, "times": 1})
    with pytest.raises(error):
        await client.create_order("BTC/USDT", "market", "buy", 0.001, 60000)
    assert await orders(venue) == done
    await client.create_order("BTC/USDT", "market", "buy", 0.001, 60000)
    assert await orders(venue) == done + 1, "a rule acts so often and no more"


@pytest.mark.parametrize("kind", ["html", "empty", "garbage"])
async def test_bodies_that_are_no_answer(venue: Running, kind: str) -> None:
    await plan(venue, {"match": {"class": "market"}, "kind": kind})
    async with venue.session.get(venue.base + "/api/v3/time") as answer:
        text = await answer.text()
    assert answer.status == 200
    with pytest.raises(ValueError):
        json.loads(text)


async def test_latency_is_added_and_other_requests_are_not_touched(venue: Running) -> None:
    await plan(venue, {"match": {"class": "trade"}, "kind": "http_status"},
               {"match": {"path": "/time"}, "kind": "latency", "params": {"ms": 1}})
    assert (await venue.get("/api/v3/time"))[0] == 200
    assert (await venue.get("/api/v3/ping"))[0] == 200
    assert (await venue.get("/sim/faults"))[1]["done"] == [0, 1]


def engine(plan: object) -> Faults:
    return Faults(FaultPlan.parse(plan, "test"), elapsed=lambda: 0.0, market_ms=lambda: 0, orders=lambda: 0,
                  note=lambda row: None, act=lambda act: None)


def _thrown(plan: object, asked: list[tuple[str, str, str]]) -> list[tuple[str, str]]:
    """(class, kind of the fault) of every request that meets one."""
    faults = engine(plan)
    found = []
    for method, path, group in asked:
        drawn = faults.draw(Asked(method, path, group, None))
        if drawn.rule is not None:
            found.append((group, f"{drawn.nth} {drawn.rule.kind}"))
    return found


TIME, PLACE = ("GET", "/api/v3/time", "data"), ("POST", "/api/v3/order", "order")


@pytest.mark.parametrize("plan_", [
    {"seed": 5, "rules": [{"kind": "empty", "probability": 0.5}]}, {"seed": 5, "rate": 0.5}])
def test_dice_are_seeded_and_a_class_does_not_disturb_another_one(plan_: dict[str, Any]) -> None:
    orders = _thrown(plan_, [PLACE] * 200)
    assert orders == _thrown(plan_, [PLACE] * 200)
    mixed = _thrown(plan_, [TIME, PLACE, TIME] * 200)
    assert [one for one in mixed if one[0] == "order"] == orders
    assert orders != _thrown({**plan_, "seed": 6}, [PLACE] * 200)
    assert 50 < len(orders) < 150


@pytest.mark.parametrize("text,words", [
    ("[{}]", "kind"), ('[{"kind": "melt"}]', "0.kind"), ('[{"kind": "empty", "probability": 2}]', "probability"),
    ('[{"kind": "empty", "match": {"path": "("}}]', "not a regular expression"), ("{", "not JSON"),
    ('[{"kind": "empty", "sometimes": 1}]', "sometimes")])
def test_a_wrong_plan_names_its_place(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "plan.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(PlanError, match=words.replace("(", r"\(")) as error:
        FaultPlan.load(file)
    assert "plan.json" in str(error.value)


async def test_a_wrong_plan_at_run_time_changes_nothing(venue: Running) -> None:
    await plan(venue, {"kind": "empty", "match": {"path": "/nothing"}})
    async with venue.session.post(venue.base + "/sim/faults", json=[{"kind": "melt"}]) as answer:
        assert answer.status == 400
    assert len((await venue.get("/sim/faults"))[1]["rules"]) == 1
