"""Starts are proven first, stops previewed; status, removal, dead letters, and what happens when parts are away."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from modules.storage.sql.database import DatabaseAway
from modules.strategies.grid.ledger import LegLedger
from modules.strategies.grid.reconcile import Case, LegCheck
from modules.strategies.grid.state import SessionState
from modules.strategies.grid.store.events import Outgoing
from modules.strategies.grid.store.records import Event, Order, Wanted
from tests.gridserver.house import ADMIN, OPEN, House, hold, person

D = Decimal


# -- start ----------------------------------------------------------------------------------------------------------


async def test_a_safe_grid_starts_with_its_worst_case(house: House) -> None:
    await house.add()
    answer = await house.user("POST", "/start")
    case = answer.body["worstCase"]
    assert answer.status == 200 and answer.body["status"] == "started" and answer.body["acceptedRisk"] is None
    assert (case["price"], case["balance"], case["safe"]) == (42000.0, 20000.0, True)
    assert case["down"]["orders"] == case["up"]["orders"] == 20 and case["both"]["orders"] == 40
    assert -1600 < case["up"]["loss"] < case["down"]["loss"] < -900  # about what the seed's example loses (X38)
    assert case["both"]["margin"] == pytest.approx(case["down"]["margin"] + case["up"]["margin"])
    session = house.store.sessions.session("user-1")
    assert session.wanted is Wanted.RUNNING and session.figures == case
    assert (await house.user("POST", "/start")).body["status"] == "running"


async def test_an_unsafe_grid_is_409_with_figures_unless_its_risk_is_accepted(house: House) -> None:
    await house.add()
    house.venue.money = D("1000")
    refused = await house.user("POST", "/start")
    assert refused.status == 409 and refused.body["worstCase"]["unsafe"] and "acceptRisk" in refused.body["error"]
    assert "more than the limit" in refused.problems and refused.body["worstCase"]["up"]["liquidationPrice"] > 42000
    assert house.store.sessions.session("user-1").wanted is Wanted.STOPPED
    assert house.store.audited("user-1")[0]["what"] == "start refused"
    preview = await house.user("POST", "/start", {"acceptRisk": True, "dryRun": True})
    assert (preview.body["status"], preview.body["allowed"]) == ("preview", True)
    assert house.store.sessions.session("user-1").wanted is Wanted.STOPPED
    started = await house.user("POST", "/start", {"acceptRisk": True})
    accepted = house.store.sessions.session("user-1").accepted
    assert started.status == 200 and accepted is not None and accepted == started.body["acceptedRisk"]
    assert accepted["who"] == "user:user-1" and accepted["unsafe"] == refused.body["worstCase"]["unsafe"]
    assert house.store.audited("user-1")[0]["body"]["accepted"] == accepted


async def test_what_cannot_work_no_acceptance_starts(house: House) -> None:
    await house.add()
    house.venue.money = D("1")
    answer = await house.user("POST", "/start", {"acceptRisk": True})
    assert answer.status == 409 and "does not pay the smallest" in answer.problems
    house.venue.money = D("20000")
    house.venue.wrong = ("the account is in one-way mode: switch it to hedge mode",)
    answer = await house.user("POST", "/start", {"acceptRisk": True})
    assert answer.status == 409 and "one-way mode" in answer.problems
    assert house.store.sessions.session("user-1").wanted is Wanted.STOPPED


async def test_nothing_is_started_on_a_guess(house: House) -> None:
    await house.add()
    house.venue.away = "Bitget does not answer"
    away = await house.user("POST", "/start")
    assert away.status == 503 and "Bitget does not answer" in away.problems and "retry-after" in away.headers
    house.venue.away, house.venue.refuse = "", "40037: the key does not exist"
    refused = await house.user("POST", "/start")
    assert refused.status == 409 and "40037" in refused.problems
    assert (await house.user("GET", "/status")).body["keyRefused"].startswith("40037")
    house.venue.refuse = ""
    assert (await house.user("POST", "/start")).status == 200
    assert house.store.sessions.session("user-1").key_refused == ""


async def test_a_paper_account_is_judged_on_its_own_money(house: House) -> None:
    await house.add(1, exchange=person()["exchange"] | {"apiKey": "paper"})
    house.venue.refuse = "there is no such key"
    assert (await house.user("POST", "/start")).body["worstCase"]["balance"] == 20000.0
    hold(house)
    answer = await house.user("POST", "/start")
    assert answer.status == 409 and answer.body["worstCase"]["balance"] == 900.0


# -- stop, look, remove ---------------------------------------------------------------------------------------------


async def test_a_stop_leaves_positions_with_their_stops(house: House) -> None:
    await house.add()
    await house.user("POST", "/start")
    hold(house)
    preview = await house.user("POST", "/stop", {"dryRun": True})
    assert preview.body["status"] == "preview" and house.store.sessions.session("user-1").wanted is Wanted.RUNNING
    answer = await house.user("POST", "/stop")
    buy = answer.body["exposure"]["buy"]
    assert (buy["entries"], buy["quantity"], buy["stopPrice"]) == (2, 0.003, 30000.0)
    assert buy["unrealised"] == pytest.approx(-0.5) and "BUY at 30000" in answer.body["left"]
    assert house.store.sessions.session("user-1").wanted is Wanted.STOPPED and house.store.sessions.commands(
        "user-1") == []


@pytest.mark.parametrize(("action", "wanted"), [("pause", Wanted.PAUSED), ("drain", Wanted.DRAINING)])
async def test_pause_and_drain(house: House, action: str, wanted: Wanted) -> None:
    await house.add()
    await house.user("POST", "/start")
    assert (await house.user("POST", "/stop", {"action": action})).status == 200
    assert house.store.sessions.session("user-1").wanted is wanted
    assert (await house.user("POST", "/start")).body["status"] == "started"


async def test_closing_is_previewed_with_the_exposure_of_now(house: House) -> None:
    await house.add()
    await house.user("POST", "/start")
    hold(house)
    first = await house.user("POST", "/stop", {"action": "close"})
    assert first.status == 409 and first.body["exposure"]["buy"]["quantity"] == 0.003
    assert house.store.sessions.session("user-1").wanted is Wanted.RUNNING
    house.store.sessions.release([house.store.sessions.renew("worker-1", 60).wishes[0].lease])
    hold(house, msgspec.structs.replace(OPEN, buy=LegLedger(1, OPEN.buy.entries[:1])))
    late = await house.user("POST", "/stop", {"action": "close", "confirm": first.body["confirm"]})
    assert late.status == 409 and "changed since" in late.problems
    done = await house.user("POST", "/stop", {"action": "close", "confirm": late.body["confirm"]})
    assert done.status == 200 and house.store.sessions.session("user-1").wanted is Wanted.DRAINING
    assert [one.word for one in house.store.sessions.commands("user-1")] == [Order.FLATTEN]


async def test_status_has_the_webhooks_data(house: House) -> None:
    await house.add()
    fresh = await house.user("GET", "/status")
    assert (fresh.body["mode"], fresh.body["data"], fresh.body["held"]) == ("STOPPED", None, False)
    await house.user("POST", "/start")
    assert "No worker" in (await house.user("GET", "/status")).body["problem"]
    hold(house, msgspec.structs.replace(OPEN, started=True, sell_check=LegCheck(blocked=Case.GREW)))
    answer = (await house.user("GET", "/status")).body
    assert (answer["held"], answer["problem"], answer["mode"]) == (True, "", "RUNNING")
    assert "sell: GREW" in answer["blocked"][0] and answer["data"]["positions"]["buyCount"] == 2
    assert answer["data"]["tick"] == 7 and answer["data"]["userId"] == "user-1"


async def test_an_acknowledgement_reaches_the_worker(house: House) -> None:
    await house.add()
    assert (await house.user("POST", "/acknowledge", {"side": "sell", "answer": "adopt"})).status == 200
    command = house.store.sessions.commands("user-1")[0]
    assert (command.word, command.body) == (Order.ACKNOWLEDGE, {"side": -1, "answer": "adopt"})


async def test_a_user_with_positions_is_removed_only_knowingly(house: House) -> None:
    await house.add()
    await house.user("POST", "/start")
    hold(house)
    refused = await house.user("DELETE", "")
    assert refused.status == 409 and refused.body["exposure"]["buy"]["entries"] == 2
    house.store.sessions.release([house.store.sessions.renew("worker-1", 60).wishes[0].lease])
    gone = await house.user("DELETE", "?positions=leave")
    assert gone.status == 200 and gone.body["exposure"]["buy"]["entries"] == 2
    assert house.store.sessions.all() == [] and (await house.user("GET", "")).status == 401


async def test_a_user_whose_worker_holds_on_is_not_removed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modules.gridserver.desk.LET_GO_S", 0.5)
    await house.add()
    await house.user("POST", "/start")
    hold(house, SessionState())
    refused = await house.user("DELETE", "")
    assert refused.status == 409 and "has not let go" in refused.problems
    assert house.store.sessions.session("user-1").wanted is Wanted.STOPPED


async def test_dead_letters_are_seen_and_sent_again(house: House) -> None:
    await house.add()
    house.store.events.put("user-1", Event("uid-1", "global_limit_hit", {"n": 1}))
    event: Outgoing = house.store.events.due(1, 60)[0]
    house.store.events.give_up(event, "HTTP 500")
    lines = (await house.user("GET", "/webhooks/dead")).body["lines"]
    assert [(one["id"], one["event"], one["error"], one["body"]) for one in lines] == [
        ("uid-1", "global_limit_hit", "HTTP 500", {"n": 1})]
    assert (await house.ask("GET", "/api/v1/admin/webhooks/dead", x_admin_key=ADMIN)).body["lines"] == lines
    assert (await house.user("POST", "/webhooks/retry")).body["count"] == 1
    assert [one.uid for one in house.store.events.due(9, 1)] == ["uid-1"]


async def test_a_database_that_is_away_is_503_and_says_nothing_of_it(house: House,
                                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    await house.add()

    def away(*_: Any, **__: Any) -> Any:
        raise DatabaseAway("postgresql://user:***@db: refused")

    monkeypatch.setattr(house.store.sessions, "session", away)
    answer = await house.user("GET", "/status")
    assert answer.status == 503 and "postgresql" not in json.dumps(answer.body) and "retry-after" in answer.headers


async def test_an_unforeseen_error_is_500_without_its_text(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await house.add()

    def broken(user_id: str) -> Any:
        raise KeyError("a secret text")

    monkeypatch.setattr(house.store.users, "token", broken)
    answer = await house.user("GET", "/status")
    assert answer.status == 500 and "secret" not in json.dumps(answer.body) and house.guard.failed == 1
