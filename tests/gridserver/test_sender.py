"""Webhooks on their way: signed, in order, with back-off and dead letters; never to a private address."""

import asyncio
import hashlib
import hmac
import json
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer

from modules.gridserver import targets
from modules.gridserver.sender import Sender
from modules.gridserver.targets import PublicResolver, client, problems, refused
from modules.storage.sql.database import DatabaseAway
from modules.storage.sql.grid_tables import grid_events
from modules.strategies.grid.store.events import MOST, MOST_DEAD
from modules.strategies.grid.store.records import Event, Webhook
from modules.strategies.grid.store.store import GridStore
from tests.gridserver.conftest import user
from tests.gridserver.house import server

STATUS, LIMIT = "status_update", "global_limit_hit"


class Platform:
    """A receiver; `answers` are given one after the other, then 200."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[Callable[[], web.Response]] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.got.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        return self.answers.pop(0)() if self.answers else web.Response()

    def events(self) -> list[str]:
        return [headers["x-webhook-id"] for headers, _ in self.got]


def failing(status: int, **headers: str) -> Callable[[], web.Response]:
    return lambda: web.Response(status=status, headers=headers)


@pytest.fixture
async def platform() -> AsyncIterator[tuple[Platform, str]]:
    """A receiver on loopback and its address."""
    made = Platform()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", made.handle)
    async with TestServer(app) as running:
        yield made, str(running.make_url("/hook"))


def sender(store: GridStore, **more: Any) -> Sender:
    return Sender(store, server(webhook_loopback=True, webhook_http=True, webhook_first_wait_s=0.001, **more))


def add(store: GridStore, name: str, url: str, secret: str = "hook-secret") -> None:
    store.users.add(user(name, webhook=Webhook(url, secret)), "platform")


async def drained(made: Sender, store: GridStore) -> None:
    """Send until nothing waits any more."""
    async with asyncio.timeout(60):
        while store.events.waiting()["queued"]:
            await made.look()
            await made.idle()
            await asyncio.sleep(0.005)


async def test_an_event_arrives_signed_and_once(light: GridStore, platform: tuple[Platform, str]) -> None:
    got, url = platform
    add(light, "a", url)
    for uid in ("one", "two", "one"):
        light.events.put("a", Event(uid, LIMIT, {"event": LIMIT, "data": {"totalPnl": 1.5}}))
    made = sender(light)
    await drained(made, light)
    await made.close()
    assert got.events() == ["one", "two"] and made.sent == 2
    headers, body = got.got[0]
    assert json.loads(body) == {"event": LIMIT, "data": {"totalPnl": 1.5}}
    expected = hmac.new(b"hook-secret", f"{headers['x-webhook-timestamp']}.".encode() + body, hashlib.sha256)
    assert headers["x-webhook-signature"] == f"sha256={expected.hexdigest()}"
    assert headers["x-webhook-event"] == LIMIT and headers["content-type"] == "application/json"


async def test_the_servers_secret_signs_for_who_has_none(light: GridStore, platform: tuple[Platform, str]) -> None:
    got, url = platform
    add(light, "a", url, "")
    light.events.put("a", Event("one", STATUS, {}))
    made = sender(light, bot_secret="the-bots-own-secret")
    await drained(made, light)
    await made.close()
    headers, body = got.got[0]
    told = hmac.new(b"the-bots-own-secret", f"{headers['x-webhook-timestamp']}.".encode() + body, hashlib.sha256)
    assert headers["x-webhook-signature"] == f"sha256={told.hexdigest()}"


async def test_failures_are_tried_again_in_order(light: GridStore, platform: tuple[Platform, str]) -> None:
    got, url = platform
    got.answers = [failing(500), failing(302, Location="/elsewhere"), failing(404)]
    add(light, "a", url)
    for uid in ("one", "two", "three"):
        light.events.put("a", Event(uid, STATUS, {}))
    made = sender(light)
    await drained(made, light)
    await made.close()
    assert got.events() == ["one", "one", "one", "one", "two", "three"]
    assert made.failures == 3, "the redirect was a failure and not followed"


async def test_arrivals_are_written_together_and_before_a_failure(
        light: GridStore, platform: tuple[Platform, str], monkeypatch: pytest.MonkeyPatch) -> None:
    got, url = platform
    for name in ("a", "b", "c"):
        add(light, name, url)
        for number in range(4):
            light.events.put(name, Event(f"{name}{number}", STATUS, {}))
    written: list[list[int]] = []
    sent = light.events.sent

    def counted(numbers: list[int]) -> None:
        written.append(numbers)
        sent(numbers)

    monkeypatch.setattr(light.events, "sent", counted)
    made = sender(light)
    await made.look()
    await made.idle()
    assert [len(one) for one in written] == [12] and len(got.got) == 12
    light.events.put("a", Event("good", STATUS, {}))
    light.events.put("a", Event("bad", STATUS, {}))
    got.answers = [web.Response, failing(500)]
    waiting: list[int] = []
    failed = light.events.failed

    def noted(*given: Any) -> None:
        waiting.append(light.events.waiting()["queued"])
        failed(*given)

    monkeypatch.setattr(light.events, "failed", noted)
    await drained(made, light)
    await made.close()
    assert got.events()[12:] == ["good", "bad", "bad"]
    assert waiting == [1], "what arrived is written before a failure makes all of the user due again"


async def test_a_database_that_is_away_loses_no_event(light: GridStore, platform: tuple[Platform, str],
                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    got, url = platform
    add(light, "a", url)
    light.events.put("a", Event("one", LIMIT, {}))
    made = sender(light)

    def away(numbers: list[int]) -> None:
        raise DatabaseAway("locked")

    with monkeypatch.context() as patched:
        patched.setattr(light.events, "sent", away)
        await made.look()
        with pytest.raises(DatabaseAway):
            await made.idle()
    await drained(made, light)
    await made.close()
    assert got.events() == ["one"] and light.events.waiting()["queued"] == 0


async def test_a_dead_letter_is_kept_and_the_others_go_on(light: GridStore, platform: tuple[Platform, str]) -> None:
    got, url = platform
    got.answers = [failing(503)] * 3
    add(light, "a", url)
    for uid in ("one", "two"):
        light.events.put("a", Event(uid, LIMIT, {"n": uid}))
    made = sender(light, webhook_tries=3)
    await drained(made, light)
    assert got.events() == ["one"] * 3 + ["two"] and made.given_up == 1
    dead = light.events.dead("a")
    assert [(one.uid, one.tries, one.error) for one in dead] == [("one", 3, "HTTP 503: no arrival")]
    assert light.audited("a")[0]["what"] == "event given up"
    light.events.again("a", "admin")
    await drained(made, light)
    await made.close()
    assert got.events()[-1] == "one" and light.events.waiting() == {"queued": 0, "dead": 0}


async def test_retry_after_is_obeyed_up_to_a_measure(light: GridStore, platform: tuple[Platform, str]) -> None:
    got, url = platform
    got.answers = [failing(429, **{"Retry-After": "120"})]
    add(light, "a", url)
    light.events.put("a", Event("one", LIMIT, {}))
    made = sender(light)
    await made.look()
    await made.idle()
    await made.close()
    with light.database.begin() as connection:
        row = connection.execute(grid_events.select()).one()
    assert 115_000 < row.due_ms - row.created_ms < 250_000 and row.tries == 1 and "429" in row.error


def test_a_mended_address_is_tried_at_once(light: GridStore) -> None:
    add(light, "a", "https://gone.example.org")
    light.events.put("a", Event("one", LIMIT, {}))
    light.events.failed(light.events.due(1, 60)[0], "no answer", 600)
    assert light.events.due(1, 60) == []
    light.users.replace_webhook("a", Webhook("https://here.example.org", "s"), "user:a")
    assert [(one.uid, one.url) for one in light.events.due(1, 60)] == [("one", "https://here.example.org")]


async def test_a_user_whose_address_hangs_holds_up_nobody(light: GridStore, platform: tuple[Platform, str]) -> None:
    got, url = platform
    async with Hanging() as nowhere:
        add(light, "slow", nowhere)
        for number in range(5):
            light.events.put("slow", Event(f"s{number}", STATUS, {}))
        for name in ("a", "b", "c"):
            add(light, name, url)
            light.events.put(name, Event(name, LIMIT, {}))
        made = sender(light, webhook_timeout_s=60, webhook_at_once=2)
        async with asyncio.timeout(50):
            while len(got.got) < 3:
                await made.look()
                await asyncio.sleep(0.01)
        assert sorted(got.events()) == ["a", "b", "c"]
        await made.close()


class Hanging:
    """An address that takes connections and never answers."""

    async def __aenter__(self) -> str:
        self._open = asyncio.Event()

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._open.wait()
            writer.close()

        self._server = await asyncio.start_server(silent, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/"

    async def __aexit__(self, *_: object) -> None:
        self._open.set()
        self._server.close()


def test_the_queue_is_bounded_and_limits_are_never_dropped(light: GridStore) -> None:
    add(light, "a", "https://hooks.example.org")
    with light.database.begin(alone=True) as connection:
        connection.execute(grid_events.insert(), [
            {"uid": f"s{number}", "user_id": "a", "kind": STATUS, "body": {}, "created_ms": 1, "due_ms": 1, "tries": 0,
             "state": "queued", "error": "", "claimed_until_ms": 0} for number in range(MOST)])
    assert light.events.put("a", Event("new", STATUS, {})) and light.events.waiting()["queued"] == MOST
    assert light.events.put("a", Event("limit", LIMIT, {})) and light.events.waiting()["queued"] == MOST + 1
    with light.database.begin(alone=True) as connection:
        uids = {row.uid for row in connection.execute(grid_events.select())}
        assert "s0" not in uids and {"s1", "new", "limit"} <= uids
        connection.execute(grid_events.update().values(kind=LIMIT))
    assert not light.events.put("a", Event("dropped", STATUS, {}))
    assert light.events.put("a", Event("limit-2", LIMIT, {})) and light.events.waiting()["queued"] == MOST + 2


def test_a_full_queue_stands_before_no_other_user(store: GridStore) -> None:
    for name in ("full", "busy", "late"):
        add(store, name, "https://hooks.example.org")
    for number in range(30):
        store.events.put("full", Event(f"s{number:02d}", STATUS, {}))
    store.events.put("busy", Event("b", STATUS, {}))
    store.events.put("late", Event("l", LIMIT, {}))
    taken = store.events.due(2, 60, 20, ("busy",))
    assert [one.uid for one in taken] == [f"s{number:02d}" for number in range(20)] + ["l"]
    assert [one.uid for one in store.events.due(5, 60, 20, ("full",))] == ["b"]
    assert len(store.events.due(5, 60)) == 10


def test_dead_status_updates_are_few_and_dead_limits_all_kept(light: GridStore) -> None:
    add(light, "a", "https://hooks.example.org")
    light.events.put("a", Event("limit", LIMIT, {}))
    for number in range(MOST_DEAD + 3):
        light.events.put("a", Event(f"s{number}", STATUS, {}))
    for event in light.events.due(1, 60, each=MOST_DEAD + 9):
        light.events.give_up(event, "gone")
    letters = light.events.dead("a", 500)
    assert len(letters) == MOST_DEAD + 1 and letters[0].uid == "limit" and letters[1].uid == "s3"


def test_two_senders_share_the_queue(store: GridStore) -> None:
    for name in ("a", "b"):
        add(store, name, "https://hooks.example.org")
        store.events.put(name, Event(name, LIMIT, {}))
    first = store.events.due(1, 60)
    assert [one.uid for one in first + store.events.due(5, 60)] == ["a", "b"] and store.events.due(5, 60) == []
    store.events.failed(first[0], "lost", 0)
    assert [(one.uid, one.tries) for one in store.events.due(5, 60)] == [("a", 1)]


def test_without_a_webhook_there_is_no_queue(light: GridStore) -> None:
    add(light, "a", "")
    assert not light.events.put("a", Event("one", LIMIT, {}))


# -- targets --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", [
    "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.5.5", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1%eth0", "fc00::1",
    "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::7f00:1", "2001:db8::1",
    "2001::1", "nonsense"])
def test_no_private_address_is_reached(address: str) -> None:
    assert refused(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "8.8.8.8", "2606:2800:21f:cb07:6820:80da:af6b:8b2c",
                                     "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses_are(address: str) -> None:
    assert not refused(address)


@pytest.mark.parametrize("url", [
    "http://hooks.example.org", "ftp://hooks.example.org", "hooks.example.org", "https://", "https://localhost/x",
    "https://127.0.0.1/", "https://[::1]/", "https://user:pw@hooks.example.org/", "https://hooks.example.org:99999/",
    "https://hooks.example.org:0/", "https://intranet/", "https://db.internal/", "https://printer.local./",
    "https://hooks.example.org/ x", "https://hooks.example.org/#x", "https://héms.example/", "https://[::1", "//x.org",
    "https://" + "x" * 3000 + ".org", "https://[::ffff:127.0.0.1]/", "https://169.254.169.254/latest/meta-data",
    "https://127.1/", "https://0x7f.1/", "https://0177.0.0.1/", "https://2130706433/", "https://a.0x7f000001/",
    "javascript:alert(1)", "https://hooks.example.org/\r\nX: y"])
def test_urls_that_are_refused(url: str) -> None:
    assert problems(url, private=False, plain=False)


@pytest.mark.parametrize("url", ["https://hema.azro.uz/api/webhooks/bot/hedge-bot-001", "https://8.8.8.8:8443/x?y=1",
                                 "https://xn--hms-bma.example/"])
def test_urls_that_are_taken(url: str) -> None:
    assert not problems(url, private=False, plain=False)


class Rebinding(AbstractResolver):
    """Names that mean whatever `hosts` says."""

    def __init__(self, *hosts: str) -> None:
        self.hosts = hosts

    async def resolve(self, host: str, port: int = 0,
                      family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host=one, port=port, family=socket.AF_INET, proto=0, flags=0)
                for one in self.hosts]

    async def close(self) -> None:
        return


@pytest.mark.parametrize("hosts", [("127.0.0.1",), ("8.8.8.8", "127.0.0.1"), ("10.1.2.3",)])
async def test_a_name_that_turns_private_is_not_connected_to(platform: tuple[Platform, str],
                                                             hosts: tuple[str, ...]) -> None:
    got, url = platform
    port = url.split(":")[2].split("/")[0]
    async with client(False, 5, 30, Rebinding(*hosts)) as session:
        with pytest.raises((aiohttp.ClientError, OSError)) as failure:
            await session.post(f"http://hooks.example.org:{port}/hook", data=b"{}")
    assert "private network" in str(failure.value.__cause__ or failure.value) and got.got == []


async def test_an_address_in_the_url_is_judged_at_the_socket(platform: tuple[Platform, str]) -> None:
    got, url = platform
    async with client(False, 5, 30) as session:
        with pytest.raises((aiohttp.ClientError, OSError)):
            await session.post(url, data=b"{}")
    assert got.got == []


async def test_the_guarded_way_does_connect_to_what_is_public(platform: tuple[Platform, str],
                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    """The same resolver and sockets, with loopback declared public: the refusals above are not mere failures."""
    got, url = platform
    port = url.split(":")[2].split("/")[0]
    monkeypatch.setattr(targets, "refused", lambda address: "")
    async with client(False, 5, 30, Rebinding("127.0.0.1")) as session:
        async with session.post(f"http://hooks.example.org:{port}/hook", data=b"{}", allow_redirects=False) as answer:
            assert answer.status == 200
    assert got.got[0][0]["host"] == f"hooks.example.org:{port}"


async def test_the_system_resolves_odd_spellings_of_loopback_and_they_are_refused() -> None:
    for spelling in ("127.1", "0x7f000001", "2130706433"):
        with pytest.raises(OSError):
            await PublicResolver().resolve(spelling, 80)


async def test_a_webhook_that_became_private_is_a_failure_with_its_reason(light: GridStore) -> None:
    add(light, "a", "https://127.0.0.1:1/x")
    light.events.put("a", Event("one", LIMIT, {}))
    made = Sender(light, server(webhook_tries=1))
    await made.look()
    await made.idle()
    await made.close()
    assert "this machine" in light.events.dead("a")[0].error
