"""Wishes: through the inbox to the router of Telegram, its roles, its confirmations; answers to their asker."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from modules.dashboard.assembly import Parts
from modules.dashboard.sessions import OWNER, digest
from modules.supervision.messages import Inbox
from modules.supervision.outbox import Outbox
from modules.telegram.dashboard_front import NoticeRecord
from modules.telegram.local_front import serve_inbox
from tests.dashboard.asgi import Browser, Reply, parts_of
from tests.telegram.house import House, position, telegram


@pytest.fixture
async def command_process(house: House) -> AsyncIterator[House]:
    """The part of the command process that serves the inbox."""
    task = asyncio.create_task(serve_inbox(house.paths, house.router, Outbox(house.paths.outbox, "test")))
    yield house
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def carry(house: House, parts: Parts) -> None:
    """The dashboard's own inbox, until cancelled."""
    inbox = Inbox(house.paths.inbox, "dashboard")
    while True:
        for path, message in inbox.take():
            inbox.done(path, message)
            assert message.kind == "answer"
            parts.actions.answered(message.body)
        await asyncio.sleep(0.02)


async def wish(house: House, parts: Parts, browser: Browser, **body: str) -> Reply:
    carrier = asyncio.create_task(carry(house, parts))
    try:
        return await browser.ask("POST", "/api/ask", body)
    finally:
        carrier.cancel()


async def test_a_command_is_answered_and_audited(command_process: House) -> None:
    house = command_process
    parts = parts_of(house)
    browser = await Browser(parts.app).log_in()
    reply = await wish(house, parts, browser, line="/ping")
    assert reply.status == 200 and reply.json() == {"text": "pong", "buttons": []}
    assert '"/ping"' in (house.paths.data / "dashboard_audit.json").read_text()


async def test_what_sells_asks_first_and_only_its_asker_can_say_yes(command_process: House) -> None:
    house = command_process
    house.hold(position())
    parts = parts_of(house)
    browser, other = await Browser(parts.app).log_in(), await Browser(parts.app).log_in()
    asked = (await wish(house, parts, browser, line=f"/sell {position().symbol}")).json()
    assert "Sell at market?" in asked["text"]
    yes = asked["buttons"][0][0]["data"]
    tracker = house.paths.inbox / "tracker"
    foreign = (await wish(house, parts, other, press=yes)).json()
    assert "Only the person who asked" in foreign["text"] and not list(tracker.glob("[0-9]*"))
    done = (await wish(house, parts, browser, press=yes)).json()
    assert "Selling" in done["text"] and len(list(tracker.glob("[0-9]*"))) == 1
    again = (await wish(house, parts, browser, press=yes)).json()
    assert "used up" in again["text"] and len(list(tracker.glob("[0-9]*"))) == 1


async def test_a_forged_viewers_message_is_held_to_the_viewers_role(command_process: House) -> None:
    house = command_process
    Inbox(house.paths.inbox, "bot").post("dashboard line", {
        "line": "/startbot", "user": "viewer:x", "answer_to": "dashboard", "question": "q"}, "dashboard")
    inbox = Inbox(house.paths.inbox, "dashboard")
    async with asyncio.timeout(60):
        while not inbox.waiting():
            await asyncio.sleep(0.02)
    assert "for owners" in inbox.take()[0][1].body["text"] and house.crew.asked == []


@pytest.mark.parametrize("target", ["../../config", "/etc", "", "a/b"])
async def test_an_answer_goes_to_an_inbox_and_nowhere_else(command_process: House, target: str) -> None:
    house = command_process
    inbox = Inbox(house.paths.inbox, "bot")
    inbox.post("dashboard line", {"line": "/ping", "user": "owner:x", "answer_to": target, "question": "q"}, "x")
    inbox.post("dashboard line", {"line": "/ping", "user": "owner:x", "answer_to": "dashboard", "question": "r"}, "x")
    async with asyncio.timeout(60):
        while not Inbox(house.paths.inbox, "dashboard").waiting():
            await asyncio.sleep(0.02)
    found = [path for path in house.paths.home.rglob("*.json") if '"pong"' in path.read_text()]
    assert [path.parent.name for path in found] == ["dashboard"]


async def test_a_wish_that_moves_money_and_comes_late_is_told_not_done(
        house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from modules.telegram import dashboard_front
    from utils.wall import now_ms

    Inbox(house.paths.inbox, "bot").post("dashboard line", {
        "line": "/startbot", "user": "owner:x", "answer_to": "dashboard", "question": "q"}, "dashboard")
    monkeypatch.setattr(dashboard_front, "now_ms", lambda: now_ms() + 600_000)
    task = asyncio.create_task(serve_inbox(house.paths, house.router, Outbox(house.paths.outbox, "test")))
    inbox = Inbox(house.paths.inbox, "dashboard")
    async with asyncio.timeout(60):
        while not inbox.waiting():
            await asyncio.sleep(0.02)
    task.cancel()
    assert "Not carried out" in inbox.take()[0][1].body["text"] and house.crew.asked == []


async def test_an_answer_is_read_by_its_asker_only(house: House) -> None:
    parts = parts_of(house)
    browser, other = await Browser(parts.app).log_in(), await Browser(parts.app).log_in()
    session = parts.sessions.find(browser.cookie.split("=")[1])
    assert session is not None
    question = await parts.actions.ask(session, "127.0.0.1", "line", "/ping")
    parts.actions.answered({"question": question, "text": "pong"})
    assert (await other.ask("GET", f"/api/answer/{question}")).status == 404
    assert (await browser.ask("GET", f"/api/answer/{question}")).json()["text"] == "pong"
    assert (await browser.ask("GET", f"/api/answer/{question}")).status == 404
    parts.actions.answered({"question": "never asked", "text": "x"})


async def test_a_disk_that_refuses_is_said_and_nothing_is_done(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = parts_of(house)
    browser = await Browser(parts.app).log_in()

    def full(*_: Any, **__: Any) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Inbox, "post", full)
    reply = await browser.ask("POST", "/api/ask", {"line": "/startbot"})
    assert reply.status == 507 and "Nothing was done" in reply.text


# -- /dashboard and /service


async def test_the_link_of_a_viewer_is_a_viewers_and_the_dashboard_gets_its_hash_only(house: House) -> None:
    house.crew.states["dashboard"] = "ready"
    house.crew.info["dashboard"] = {"url": "http://127.0.0.1:8080"}
    for sender, role in ((telegram(111), "owner"), (telegram(222), "viewer")):
        text = await house.ask("/dashboard", sender)
        token = re.search(r"http://127\.0\.0\.1:8080/login#once=([\w-]+)", text)
        assert token is not None
        inbox = Inbox(house.paths.inbox, "dashboard")
        path, message = inbox.take()[0]
        inbox.done(path, message)
        assert message.body["role"] == role and message.body["link"] == digest(token.group(1))
        assert token.group(1) not in str(message.body)


async def test_dashboard_starts_it_for_owners_only(house: House) -> None:
    assert "not running" in await house.ask("/dashboard", telegram(222)) and house.crew.asked == []
    house.crew.info["dashboard"] = {"url": "http://127.0.0.1:8080"}
    assert "#once=" in await house.ask("/dashboard", telegram(111))
    assert house.crew.asked == [("start", "dashboard")]


async def test_a_service_starts_at_once_and_stops_after_a_yes(house: House) -> None:
    assert "is running" in await house.ask("/service trainer start")
    assert "Stop Trainer?" in await house.ask("/service trainer stop")
    assert ("stop", "trainer") not in house.crew.asked
    assert "it can be" in await house.ask("/service nobody stop")


async def test_kept_notices_hold_no_login(house: House) -> None:
    record = NoticeRecord(house.paths)
    await record.deliver("Dashboard\nhttp://x/login#once=SECRET1 and\nLog in with abcd-efgh-ijkl\nrest", None, True)
    kept = (house.paths.data / "notices.json").read_text()
    assert "SECRET1" not in kept and "abcd" not in kept and "rest" in kept


def test_owner_is_the_word_of_both_sides() -> None:
    assert OWNER == "owner"
