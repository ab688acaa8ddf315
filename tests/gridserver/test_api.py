"""The REST API: who may what, every error at once, nothing half-created, no secret told."""

import json
import re
from decimal import Decimal
from typing import Any

import pytest

from modules.strategies.grid.store.records import Wanted
from modules.strategies.grid.store.store import GridStore
from tests.gridserver.house import ADMIN, PLATFORM, SECRETS, House, hold, person, server
from utils.buckets import Buckets

D = Decimal


# -- who may what ---------------------------------------------------------------------------------------------------


async def test_health_and_info_are_open_and_whole(house: House) -> None:
    health = await house.ask("GET", "/health")
    assert health.status == 200 and set(health.body) == {"status", "version", "uptime", "sessions"}
    assert health.body["sessions"] == {"total": 0, "running": 0}
    info = (await house.ask("GET", "/info")).body
    assert info["supportedPairs"] == ["BTCUSDT"] and info["supportedExchanges"] == ["bitget"]
    assert info["strategy"] == "GRID_HEDGING" and info["capabilities"]["hedge"] and not info["capabilities"]["spot"]
    assert info["defaultSettings"]["spacePercent"] == 0.5 and info["defaultSettings"]["useSmaEntry"] is True
    assert set(info["customSettingsSchema"]["properties"]) == set(info["defaultSettings"])
    house.venue.away = "down for maintenance"
    assert (await house.ask("GET", "/info")).body["supportedPairs"] == ["BTCUSDT"]


GUARDED = [("POST", "/api/v1/users"), ("GET", "/api/v1/admin/sessions"), ("GET", "/api/v1/admin/audit"),
           ("GET", "/api/v1/admin/webhooks/dead"), *[(method, "/api/v1/users/user-1" + path) for method, path in (
               ("GET", ""), ("DELETE", ""), ("PUT", "/keys"), ("PUT", "/settings"), ("PUT", "/webhook"),
               ("POST", "/token"), ("POST", "/start"), ("POST", "/stop"), ("POST", "/acknowledge"), ("GET", "/status"),
               ("GET", "/webhooks/dead"), ("POST", "/webhooks/retry"))]]


@pytest.mark.parametrize(("method", "path"), GUARDED)
async def test_nothing_else_is_open(house: House, method: str, path: str) -> None:
    await house.add()
    await house.add(2)
    body = person(3) if path.endswith("users") else {"side": "buy", "answer": "leave"} if "ack" in path else None
    keys: list[dict[str, Any]] = [
        {}, {"authorization": "Bearer x"}, {"x_admin_key": "x"}, {"x_platform_key": "x"},
        {"authorization": f"Bearer {house.tokens['user-2']}"}, {"x_admin_key": PLATFORM},
        {"x_admin_key": "", "x_platform_key": "", "authorization": "Bearer "},
        {"x_admin_key": "x", "authorization": f"Bearer {house.tokens['user-1']}"}]
    if "users/" in path:
        keys += [{"x_admin_key": ADMIN, "authorization": wrong} for wrong in ("Bearer x", "Basic x", "x")]
    for wrong in keys:
        answer = await house.ask(method, path, body, **wrong)
        if answer.status == 422:  # the body is missing: asked with one, below
            continue
        assert answer.status == 401 and "token" not in answer.body, wrong
    assert house.store.sessions.session("user-1").wanted is Wanted.STOPPED


def test_every_route_is_among_those_tested(house: House) -> None:
    routes = {(method.upper(), re.sub(r"\{id\}", "user-1", path)) for path, methods in
              house.documented().items() for method in methods}
    assert routes == {*GUARDED, ("GET", "/health"), ("GET", "/info")}


async def test_without_keys_in_the_settings_nobody_is_platform_or_admin(light: GridStore) -> None:
    house = House(light, server(platform_key="", admin_key=""))
    keys: list[dict[str, Any]] = [{"x_platform_key": ""}, {"x_admin_key": ""}, {"x_admin_key": "x"}, {}]
    for headers in keys:
        assert (await house.ask("POST", "/api/v1/users", person(), **headers)).status == 401
        assert (await house.ask("GET", "/api/v1/admin/sessions", **headers)).status == 401


async def test_an_unknown_user_and_a_wrong_token_look_alike(house: House) -> None:
    await house.add()
    wrong = await house.ask("GET", "/api/v1/users/user-1", authorization="Bearer nonsense")
    absent = await house.ask("GET", "/api/v1/users/nobody", authorization="Bearer nonsense")
    assert (wrong.status, wrong.body) == (absent.status, absent.body)


async def test_the_admin_sees_all_and_refusals_are_audited(house: House) -> None:
    for number in (1, 2, 3):
        await house.add(number)
    await house.ask("DELETE", "/api/v1/users/user-2", authorization="Bearer wrong")
    page = await house.ask("GET", "/api/v1/admin/sessions?limit=2", x_admin_key=ADMIN)
    assert [one["userId"] for one in page.body["sessions"]] == ["user-1", "user-2"]
    assert page.body["total"] == 3 and page.body["next"] == "user-2"
    rest = await house.ask("GET", "/api/v1/admin/sessions?after=user-2", x_admin_key=ADMIN)
    assert [one["userId"] for one in rest.body["sessions"]] == ["user-3"] and rest.body["next"] is None
    lines = (await house.ask("GET", "/api/v1/admin/audit?user=user-2", x_admin_key=ADMIN)).body["lines"]
    assert [(one["what"], one["outcome"]) for one in lines] == [("DELETE refused", "401"), ("user added", "done")]


async def test_a_new_token_voids_the_old_one(house: House) -> None:
    await house.add()
    answer = await house.ask("POST", "/api/v1/users/user-1/token", x_platform_key=PLATFORM)
    assert (await house.user("GET", "")).status == 401
    house.tokens["user-1"] = answer.body["token"]
    assert (await house.user("GET", "")).status == 200


async def test_one_users_haste_stops_no_other(light: GridStore) -> None:
    house = House(light, server(requests_s=0.001, burst=3))
    await house.add(1)
    await house.add(2)
    assert [(await house.user("GET", "")).status for _ in range(4)] == [200, 200, 200, 429]
    slow = await house.user("GET", "")
    assert int(slow.headers["retry-after"]) > 0
    assert (await house.user("GET", "", name="user-2")).status == 200


async def test_an_address_has_its_measure_before_anything_is_read(house: House) -> None:
    house.guard.buckets = Buckets(0.0001, 2)
    answers = [await house.ask("GET", "/health") for _ in range(3)]
    assert [one.status for one in answers] == [200, 200, 429] and int(answers[-1].headers["retry-after"]) > 0


def test_buckets_fill_again() -> None:
    now = 100.0
    buckets = Buckets(2.0, 3.0, lambda: now)
    assert [buckets.wait_s("a") for _ in range(4)] == [0, 0, 0, 0.5] and buckets.wait_s("b") == 0
    now += 0.5
    assert buckets.wait_s("a") == 0 and buckets.wait_s("a") == 0.5


# -- users ----------------------------------------------------------------------------------------------------------


async def test_no_secret_is_given_back_or_audited(house: House, caplog: pytest.LogCaptureFixture) -> None:
    await house.add()
    await house.add()
    await house.user("PUT", "/keys", person()["exchange"] | {"apiSecret": "another-secret"})
    await house.user("PUT", "/webhook", {"webhookUrl": "https://hooks.example.org/2", "webhookSecret": "other-hook"})
    bad = person(2) | {"x": 1}
    bad["exchange"] |= {"apiKey": 5, "apiSecret": "with space " + SECRETS[1], "passphrase": ""}
    told = [await house.ask("POST", "/api/v1/users", bad, x_platform_key=PLATFORM)]
    told += [await house.user("GET", path) for path in ("", "/status", "/webhooks/dead")]
    told += [await house.ask("GET", f"/api/v1/admin/{what}", x_admin_key=ADMIN) for what in ("sessions", "audit")]
    text = caplog.text + json.dumps([one.body for one in told])
    for secret in (*SECRETS, "another-secret", "other-hook", house.tokens["user-1"], PLATFORM, ADMIN):
        assert secret not in text


async def test_every_error_of_a_body_is_listed_and_nothing_is_created(house: House) -> None:
    answer = await house.add(2, {"space1Percent": 0.1, "space2Orders": -3, "baseLot": "1", "minLot": float("inf"),
                                 "nonsense": 1, "leverage": 20, "cciMin": 200.0, "useSmaSar": 1},
                             userId="", userBotId="bad id", webhookUrl="http://user:x@127.0.0.1/x", more=1)
    assert answer.status in (400, 422)
    custom = {"space1Percent": 0.1, "space2Orders": -3, "baseLot": "1", "nonsense": 1, "leverage": 20, "cciMin": 200.0,
              "useSmaSar": 1}
    answer = await house.add(2, custom, userId="", userBotId="bad id", webhookUrl="http://user:x@127.0.0.1/x", more=1)
    assert answer.status == 422
    for part in ("userId", "userBotId (bad id)", "more (1): there is no such field",
                 "space1_percent 0.1 must be greater", "space2Orders", "baseLot: '1' is not a number",
                 "nonsense: there is no such setting",
                 "settings.leverage 10 and customSettings.leverage 20 differ", "cci_min 200", "useSmaSar",
                 "must begin with https://", "a user or password", "127.0.0.1 is an address of this machine"):
        assert part in answer.problems, part
    assert house.store.sessions.all() == []


@pytest.mark.parametrize(("custom", "part"), [
    ({"spaceOrders": 5000}, "spaceOrders"), ({"space1Orders": 100, "space2Orders": 100}, "too many"),
    ({"maxLot": 0.0001}, "max_lot"), ({"baseLot": 0}, "baseLot"), ({"baseLot": -1}, "baseLot"),
    ({"baseLot": None}, "null is not a number"), ({"spacePercent": [1]}, "is not a number"),
    ({"timeframe": "2H"}, "timeframe"), ({"singleOrderProfit": 0, "pairGlobalProfit": 0}, "take a profit"),
    ({"minLot": 0.0001, "baseLot": 0.0001}, "below the smallest order")])
async def test_settings_that_cannot_work_are_refused(house: House, custom: dict[str, Any], part: str) -> None:
    answer = await house.add(1, custom)
    assert answer.status == 422 and part in answer.problems
    assert (await house.add(1)).status == 201


async def test_contract_and_leverage_are_checked_at_once(house: House) -> None:
    settings = {"tradingPair": "NOPEUSDT", "leverage": 10, "customSettings": {}}
    assert "no contract NOPEUSDT" in (await house.add(1, settings=settings)).problems
    settings = {"tradingPair": "BTCUSDT", "leverage": 75, "customSettings": {}}
    assert "leverage 75 is above the 50" in (await house.add(1, settings=settings)).problems
    house.venue.away = "the exchange is away"  # refuses nobody: the start asks again
    assert (await house.add(1)).status == 201


@pytest.mark.parametrize(("raw", "status"), [
    (b"{", 400), (b'{"userId": NaN}', 400), (b'{"a":"\xff"}', 400), (b"[" * 100 + b"]" * 100, 400),
    (b'{"a":' * 21 + b"1" + b"}" * 21, 400), (b'"' + b"[" * 50 + b'"', 422), (b"null", 422), (b"[]", 422),
    (b'{"userId":"' + b"x" * 70_000 + b'"}', 413), (b"1" * 5000, 400), (b'{"a":"\\ud800"}', 400)])
async def test_bodies_that_are_none(house: House, raw: bytes, status: int) -> None:
    answer = await house.ask("POST", "/api/v1/users", raw=raw, x_platform_key=PLATFORM)
    assert answer.status == status and answer.body["problems"]
    assert house.guard.failed == 0


async def test_a_body_that_lies_about_its_length_or_kind(house: House) -> None:
    big = b'{"userId":"' + b"x" * 70_000 + b'"}'
    assert (await house.ask("POST", "/api/v1/users", raw=big, content_length="5")).status == 413
    assert (await house.ask("POST", "/api/v1/users", raw=b"{}", content_length="-5")).status == 413
    assert (await house.ask("POST", "/api/v1/users", raw=b"{}", content_type="text/plain")).status == 415


async def test_every_answer_has_its_headers_and_no_page_is_found(house: House) -> None:
    for answer in (await house.ask("GET", "/health"), await house.ask("GET", "/nothing"),
                   await house.ask("DELETE", "/health"), await house.ask("POST", "/api/v1/users", raw=b"{")):
        assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert (await house.ask("GET", "/docs")).status == 404
    assert (await house.ask("DELETE", "/health")).headers["allow"] == "GET"
    assert (await house.ask("OPTIONS", "/api/v1/users/user-1")).headers["allow"] == "DELETE, GET"


async def test_a_key_is_replaced_while_the_grid_goes_on(house: House) -> None:
    await house.add()
    await house.add(2)
    await house.user("POST", "/start")
    answer = await house.user("PUT", "/keys", person()["exchange"] | {"apiKey": "bg-new", "apiSecret": "s2"})
    assert (answer.body["keyVersion"], answer.body["wanted"]) == (2, "RUNNING")
    assert house.store.users.credentials("user-1").api_secret == "s2"
    taken = await house.user("PUT", "/keys", person(2)["exchange"])
    assert taken.status == 409 and "another user" in taken.problems
    hold(house)
    moved = await house.user("PUT", "/keys", person()["exchange"] | {"apiKey": "bg-3", "isDemo": False})
    assert moved.status == 409 and "isDemo cannot change" in moved.problems


async def test_settings_change_only_while_the_grid_stands(house: House) -> None:
    await house.add()
    await house.user("POST", "/start")
    assert (await house.user("PUT", "/settings", {"customSettings": {"leverage": 5}})).status == 409
    await house.user("POST", "/stop")
    changed = await house.user("PUT", "/settings", {"customSettings": {"leverage": 5}})
    assert changed.body["settingsVersion"] == 2 and house.store.sessions.session("user-1").settings["leverage"] == 5
    assert (await house.user("PUT", "/settings", {"customSettings": {"spacePercent": 9}})).status == 422
    assert house.store.sessions.session("user-1").version == 2
