"""The Telegram front against a Bot API as strict as the real one (P2, X40, PEERS)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from modules.supervision.outbox import Outbox
from modules.telegram import front_telegram, sending
from modules.telegram.delivery import Delivery
from modules.telegram.front_telegram import TelegramFront
from tests.telegram.bot_api import BotApiServer
from tests.telegram.house import OWNER, STRANGER, VIEWER, House, position


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that people do not notice in tests."""
    monkeypatch.setattr(front_telegram, "_FIRST_WAIT_S", 0.02)
    monkeypatch.setattr(sending, "FIRST_WAIT_S", 0.02)
    monkeypatch.setattr(sending, "CHAT_EVERY_S", 0.01)


@asynccontextmanager
async def running(home: Path, api: BotApiServer, token: str = "") -> AsyncIterator[tuple[House, TelegramFront]]:
    """A front that polls `api`."""
    house = House(home, TELEGRAM_TOKEN=token or api.token, TELEGRAM_API_BASE=api.base, TELEGRAM_POLL_TIMEOUT_S="1")
    front = TelegramFront(house.settings.telegram, house.context, house.router,
                          Outbox(house.paths.outbox, "command"))
    task = asyncio.create_task(front.run(), name="front")
    house.context.facts.lines["task"] = lambda: str(task.done() and task.result())
    try:
        yield house, front
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await front.close()


async def test_an_owner_is_answered(tmp_path: Path, api: BotApiServer) -> None:
    async with running(tmp_path, api):
        api.say(OWNER, "/ping")
        await api.until(lambda: api.texts(OWNER) == ["pong"])


async def test_a_stranger_gets_nothing_by_command_or_button(tmp_path: Path, api: BotApiServer) -> None:
    async with running(tmp_path, api) as (house, _):
        house.hold(position())
        api.say(OWNER, "/sell pepe")
        await api.until(lambda: api.texts(OWNER))
        api.say(STRANGER, "/ping")
        api.press_data(STRANGER, dict(api.last(OWNER).buttons)["Sell PEPEUSDT"], api.last(OWNER))
        api.press_data(STRANGER, "run:/tracked", api.last(OWNER))
        api.say(OWNER, "/version")
        await api.until(lambda: len(api.texts(OWNER)) == 2)
        await api.until(lambda: house.gate.refused == 3)
        assert api.texts(STRANGER) == [] and api.answered == []
        assert house.inbox("tracker") == []


async def test_an_owner_in_a_group_gets_nothing(tmp_path: Path, api: BotApiServer) -> None:
    async with running(tmp_path, api) as (house, _):
        api.say(OWNER, "/status", chat=-500)
        await api.until(lambda: house.gate.refused == 1)
        assert api.sent == []


async def test_menus_by_role_once_they_have_written(tmp_path: Path, api: BotApiServer) -> None:
    async with running(tmp_path, api):
        api.say(OWNER, "/ping")
        api.say(VIEWER, "/ping")
        await api.until(lambda: {OWNER, VIEWER} <= set(api.menus))
        assert "sellall" in api.menus[OWNER] and "sellall" not in api.menus[VIEWER]
        assert "summary" in api.menus[VIEWER] and "wait" not in api.menus[OWNER]


async def test_a_confirmed_sale_works_once(tmp_path: Path, api: BotApiServer) -> None:
    async with running(tmp_path, api) as (house, _):
        house.hold(position())
        house.crew.states["tracker"] = "ready"
        api.say(OWNER, "/sell PEPE/USDT")
        await api.until(lambda: api.texts(OWNER))
        asked = api.last(OWNER)
        yes = dict(asked.buttons)["Sell PEPEUSDT"]
        assert "about 52.00 USDT" in asked.text and "TEST" in asked.text
        api.press_data(OWNER, yes, asked)
        await api.until(lambda: "Selling" in api.texts(OWNER)[-1])
        assert asked.buttons == [] and len(api.answered) == 1
        api.press_data(OWNER, yes, asked)
        await api.until(lambda: "used up" in api.texts(OWNER)[-1])
        assert house.inbox("tracker") == [("sell", {"symbol": "PEPEUSDT", "mode": "TEST", "reason": "manual"})]


async def test_another_owner_cannot_press_it(tmp_path: Path, api: BotApiServer) -> None:
    async with running(tmp_path, api) as (house, _):
        house.hold(position())
        api.say(OWNER, "/sellall")
        await api.until(lambda: api.texts(OWNER))
        api.known.add(VIEWER)
        asked = api.last(OWNER)
        asked_in_their_chat = type(asked)(asked.id, VIEWER, asked.text, asked.buttons)
        api.press(VIEWER, "Sell everything", asked_in_their_chat)
        await api.until(lambda: api.texts(VIEWER))
        assert "Only the person who asked" in api.last(VIEWER).text and house.inbox("tracker") == []


async def test_updates_are_not_acted_on_twice_after_a_restart(tmp_path: Path, api: BotApiServer) -> None:
    async with running(tmp_path, api) as (house, _):
        house.crew.states["trainer"] = "ready"
        api.say(OWNER, "/retrainfeedback", number=5)
        await api.until(lambda: api.texts(OWNER))
    api.say(OWNER, "/retrainfeedback", number=5)  # Telegram gives what was not confirmed once more
    async with running(tmp_path, api) as (house, _):
        api.say(OWNER, "/ping", number=6)
        await api.until(lambda: api.texts(OWNER)[-1] == "pong")
        assert len(house.inbox("trainer")) == 1


async def test_what_was_cut_short_is_told_not_repeated(tmp_path: Path, api: BotApiServer) -> None:
    (tmp_path / "data" / "run").mkdir(parents=True)
    record = tmp_path / "data" / "run" / "telegram_updates.jsonl"
    record.write_text('{"id": 7, "what": "/stopbot"}\n{"id": 8, "wh', encoding="utf-8")
    api.say(OWNER, "/stopbot", number=7)
    async with running(tmp_path, api) as (house, _):
        api.say(OWNER, "/ping", number=9)
        await api.until(lambda: api.texts(OWNER))
        assert house.crew.asked == [] and api.texts(OWNER) == ["pong"]
        told = [notice.what for _, notice in house.context.outbox.pending("telegram_111")]
        assert told == ["A command was cut short: /stopbot"]


async def test_a_stale_money_command_is_told_a_stale_question_is_answered(tmp_path: Path, api: BotApiServer) -> None:
    api.say(OWNER, "/startbot", age_s=7200)
    api.say(OWNER, "/teststatus", age_s=7200)
    async with running(tmp_path, api) as (house, _):
        await api.until(lambda: len(api.texts(OWNER)) == 2)
        assert any("Not carried out" in text and "2h" in text for text in api.texts(OWNER))
        assert any("Test mode is on" in text for text in api.texts(OWNER))
        assert house.crew.asked == []


async def test_429_on_sending_and_polling_is_waited_out(tmp_path: Path, api: BotApiServer) -> None:
    api.fail("sendMessage", 429, "Too Many Requests", retry_after=1)
    api.fail("getUpdates", 429, "Too Many Requests", retry_after=1)
    async with running(tmp_path, api):
        api.say(OWNER, "/ping")
        await api.until(lambda: api.texts(OWNER) == ["pong"])
        for method in ("sendMessage", "getUpdates"):
            first, second = api.called_at[method][:2]
            assert second - first >= 1.0, method
        assert len(api.called_at["sendMessage"]) == 2


@pytest.mark.parametrize("failure", [
    {"status": 502, "body": "<html>Bad Gateway</html>"}, {"status": 500},
    {"status": 200, "body": "<html>hello</html>"}, {"drop": True}])
async def test_trouble_loses_no_message(tmp_path: Path, api: BotApiServer, failure: dict[str, Any]) -> None:
    for method in ("getMe", "getUpdates", "sendMessage"):
        api.fail(method, times=3, **failure)
    async with running(tmp_path, api):
        api.say(OWNER, "/ping")
        await api.until(lambda: api.texts(OWNER) == ["pong"])


async def test_a_second_poller_is_told_once_and_survived(tmp_path: Path, api: BotApiServer) -> None:
    api.fail("getUpdates", 409, "Conflict: terminated by other getUpdates request", times=4)
    async with running(tmp_path, api) as (house, front):
        api.say(OWNER, "/ping")
        await api.until(lambda: api.texts(OWNER) == ["pong"])
        told = [notice.what for _, notice in house.context.outbox.pending("telegram_111")]
        assert len([what for what in told if "Another program" in what]) == 1
        assert "Telegram is mine alone again." in told and front.state == "@coxswaintestbot"


async def test_a_webhook_in_the_way_is_removed(tmp_path: Path, api: BotApiServer) -> None:
    api.webhook = True
    async with running(tmp_path, api):
        api.say(OWNER, "/ping")
        await api.until(lambda: api.texts(OWNER) == ["pong"])
        assert not api.webhook


async def test_a_wrong_token_is_the_end_and_never_shown(tmp_path: Path, api: BotApiServer,
                                                        caplog: pytest.LogCaptureFixture) -> None:
    wrong = "654321:WRONG-TOKEN-WRONG-TOKEN-WRONG-TOKEN-X"
    async with running(tmp_path, api, token=wrong) as (house, front):
        await api.until(lambda: "token is wrong" in front.state)
        polls = api.polls
        told = house.context.outbox.pending("telegram_111")
        assert told[0][1].level == "alert" and wrong not in told[0][1].text() and wrong not in caplog.text
        assert api.polls == polls == 0


async def test_an_update_that_cannot_be_read_does_not_block_the_others(tmp_path: Path, api: BotApiServer) -> None:
    api.raw({"message": {"message_id": "not a number"}})
    api.raw({"something_new": {"a": 1}})
    async with running(tmp_path, api):
        api.say(OWNER, "/ping")
        await api.until(lambda: api.texts(OWNER) == ["pong"])


async def test_ping_is_answered_while_another_command_works(tmp_path: Path, api: BotApiServer) -> None:
    async with running(tmp_path, api) as (house, _):
        gate = asyncio.Event()

        async def slow(*names: str) -> list[Any]:
            await gate.wait()
            return []

        house.crew.start = slow  # type: ignore[method-assign]
        api.say(OWNER, "/startbot")
        api.say(OWNER, "/ping")
        await api.until(lambda: "pong" in api.texts(OWNER))
        assert not any("Running" in text for text in api.texts(OWNER))
        gate.set()
        await api.until(lambda: any("Running" in text for text in api.texts(OWNER)))


async def test_commands_for_another_bot_are_not_ours(tmp_path: Path, api: BotApiServer) -> None:
    async with running(tmp_path, api):
        api.say(OWNER, "/stopall@SomebodyElseBot")
        api.say(OWNER, "/ping@CoxswainTestBot")
        await api.until(lambda: api.texts(OWNER) == ["pong"])


async def test_notices_reach_every_owner_in_order_and_survive_trouble(tmp_path: Path, api: BotApiServer) -> None:
    api.known.add(OWNER)
    async with running(tmp_path, api) as (house, front):
        outbox = house.context.outbox
        api.fail("sendMessage", 500, times=2)
        api.fail("sendMessage", 429, retry_after=1)
        for number in range(3):
            outbox.say(f"Bought T{number}", mode="TEST", level="trade")
        delivery = Delivery(outbox, house.paths.data, front.channels())
        await delivery.drain(15)
        assert api.texts(OWNER) == ["[TEST] Bought T0\n\n[TEST] Bought T1\n\n[TEST] Bought T2"]
        assert outbox.pending("telegram_111") == [] and outbox.dead() == 0


async def test_a_blocked_bot_leaves_dead_letters(tmp_path: Path, api: BotApiServer) -> None:
    api.known.add(OWNER)
    api.blocked.add(OWNER)
    async with running(tmp_path, api) as (house, front):
        house.context.outbox.say("Sold", level="trade")
        await Delivery(house.context.outbox, house.paths.data, front.channels()).drain(10)
        assert house.context.outbox.dead() == 1
        assert "1 notice could not be delivered" in await house.ask("/status")


async def test_long_answers_are_split_and_whole(tmp_path: Path, api: BotApiServer) -> None:
    async with running(tmp_path, api) as (house, _):
        house.paths.logs.mkdir(parents=True, exist_ok=True)
        rows = [f"2025-04-01T09:30:00.{n:03d}Z INFO x: row {n} <&> {'y' * 80}" for n in range(150)]
        (house.paths.logs / "bot.log").write_text("\n".join(rows), encoding="utf-8")
        api.say(OWNER, "/logs bot 150")
        await api.until(lambda: "row 149 <&>" in "".join(api.texts(OWNER)))
        told = "\n".join(api.texts(OWNER))
        assert len(api.texts(OWNER)) > 2 and all(f"row {n} <&>" in told for n in range(150))


async def test_a_full_disk_stops_acting_not_answering(tmp_path: Path, api: BotApiServer,
                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path, api) as (house, _):
        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("modules.telegram.updates.append_synced", full)
        api.say(OWNER, "/stopall")
        await api.until(lambda: "cannot write" in "".join(api.texts(OWNER)))
        assert house.crew.asked == []


async def test_progress_is_one_message_that_is_edited(tmp_path: Path, api: BotApiServer) -> None:
    async with running(tmp_path, api) as (house, _):
        told = ["10 %", "20 %", "30 %"]

        async def slow(context: Any, request: Any) -> Any:
            from modules.telegram.command import Answer
            for text in told:
                await request.progress(text)
            return Answer("done")

        from dataclasses import replace
        house.router._by_name["ping"] = replace(house.router._by_name["ping"], handler=slow)
        api.say(OWNER, "/ping")
        await api.until(lambda: api.texts(OWNER)[-1:] == ["done"])
        assert api.texts(OWNER) == ["30 %", "done"]
