"""The router: one gate, typed arguments, confirmations that work once. Written as tables."""

import logging

import pytest

from modules.telegram.command import Answer, Arg, Command, Group, Request, UsageError, parse_symbol
from modules.telegram.context import Context
from modules.telegram.gate import EPISODE_S
from modules.telegram.markup import plain
from modules.telegram.router import NO, YES, Router
from tests.telegram.bot_api import parsed
from tests.telegram.house import CONSOLE, OWNER, STRANGER, VIEWER, House, position, telegram

OWNERS_ONLY = ("startbot", "stopall", "sellall", "sell", "testmode_off", "clearmodels", "logs", "settings", "resume")


@pytest.mark.parametrize("name", OWNERS_ONLY)
async def test_a_viewer_may_not(house: House, name: str) -> None:
    assert "for owners" in await house.ask(f"/{name}", telegram(VIEWER))
    assert house.crew.asked == []


async def test_a_viewer_cannot_press_an_owners_button_either(house: House) -> None:
    answer = await house.router.press(telegram(VIEWER), "run:/stopall")
    assert answer is not None and "for owners" in answer.text and house.crew.asked == []


@pytest.mark.parametrize("data", ["run:/ping", YES + "x", NO + "x", "", "anything"])
async def test_a_stranger_gets_nothing_by_button(house: House, data: str) -> None:
    assert await house.router.press(telegram(STRANGER), data) is None
    assert await house.router.line(telegram(STRANGER), "/ping") is None


async def test_strangers_are_logged_once_an_episode_and_counted(house: House, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            await house.ask("/ping", telegram(STRANGER))
        assert len(caplog.records) == 1 and house.gate.refused == 3
        house.clock.now += EPISODE_S + 1
        await house.ask("/ping", telegram(STRANGER))
        assert len(caplog.records) == 2


@pytest.mark.parametrize(("line", "told"), [
    ("/summry", "Did you mean /summary?"), ("/restarloop now", "takes no arguments"),
    ("hello", "begin with a slash"), ("", "Nothing was sent"), ("/xyzzyx", "/help lists"),
    ("/helo", "Did you mean /help?"), ("/hello", "know /hello. /help lists"),
    ("/sell", "SYMBOL is missing"), ("/sell P€PE", "not a symbol"), ("/daily 0", "from 1 to 60"),
    ("/daily nan", "must be a number"), ("/tracked paper", "it can be test, live"), ("/logs nobody", "it can be bot"),
    ("/chart PEPE 7m", "it can be 1m"), ("/wait x", "must be a number"), ("/wait inf", "must be a number"),
])
async def test_wrong_input_answers_with_what_is_right(house: House, line: str, told: str) -> None:
    answer = await house.ask(line)
    assert told in plain(answer)
    parsed(answer, "HTML")


async def test_what_exists_on_the_console_alone_is_not_proposed_to_telegram(house: House) -> None:
    assert "know /quit. /help lists" in plain(await house.ask("/quit", telegram(OWNER)))


async def test_usage_follows_wrong_arguments(house: House) -> None:
    assert "Usage: /daily [DAYS] [test|live]" in plain(await house.ask("/daily many"))


@pytest.mark.parametrize(("typed", "symbol"), [
    ("pepe", "PEPEUSDT"), ("PEPE/USDT", "PEPEUSDT"), ("pepeusdt", "PEPEUSDT"), ("$pepe", "PEPEUSDT"),
    ("PEPE_USDT", "PEPEUSDT"), ("1inch", "1INCHUSDT"), ("usdt", "USDTUSDT")])
def test_symbols_as_people_type_them(typed: str, symbol: str) -> None:
    assert parse_symbol(typed) == symbol


@pytest.mark.parametrize("typed", ["", "PE.PE", "a" * 40, "<b>", "ПЕПЕ"])
def test_what_is_no_symbol(typed: str) -> None:
    with pytest.raises(UsageError):
        parse_symbol(typed)


@pytest.mark.parametrize("line", ["/sell {}", "/why {}", "/pause {}", "/daily {}", "/settings {}", "/help {}", "/{}",
                                  "/ping {}"])
async def test_a_novel_is_quoted_by_its_beginning(house: House, line: str) -> None:
    told = await house.ask(line.format("ж<b>" * 2500))
    assert "ж&lt;b&gt;" in told and "<b>" not in told and len(told) < 700


async def _nothing(context: Context, request: Request) -> Answer:
    return Answer("x")


def test_arguments_may_be_passed_over_but_not_required_ones() -> None:
    command = Command("x", "x", Group.HELP, _nothing, args=(
        Arg("mode", "choice", choices=("test", "live")), Arg("page", "int", low=1, high=9), Arg("rest", "text")))
    assert command.parse(["2"]) == {"page": 2}
    assert command.parse(["live", "3", "a", "b"]) == {"mode": "live", "page": 3, "rest": "a b"}
    strict = Command("x", "x", Group.HELP, _nothing, args=(Arg("n", "int", required=True), Arg("w", "text")))
    with pytest.raises(UsageError, match="n is 'a'"):
        strict.parse(["a"])


async def test_a_confirmation_works_once(house: House) -> None:
    house.hold(position())
    answer = await house.router.line(CONSOLE, "/sellall")
    assert answer is not None
    yes = answer.buttons[0][0].data
    assert "Selling 1 position" in (await house.router.press(CONSOLE, yes) or Answer("")).text
    assert "used up" in (await house.router.press(CONSOLE, yes) or Answer("")).text
    assert [kind for kind, _ in house.inbox("tracker")] == ["sell_all"]


async def test_a_confirmation_expires(house: House) -> None:
    house.hold(position())
    answer = await house.router.line(telegram(OWNER), "/sellall")
    assert answer is not None
    house.clock.now += house.settings.telegram.confirm_s
    told = await house.router.press(telegram(OWNER), answer.buttons[0][0].data)
    assert told is not None and "expired" in told.text and house.inbox("tracker") == []


async def test_a_confirmation_is_the_askers_alone_and_a_foreign_press_does_not_burn_it(house: House) -> None:
    house.hold(position())
    answer = await house.router.line(telegram(OWNER), "/sellall")
    assert answer is not None
    yes = answer.buttons[0][0].data
    foreign = await house.router.press(telegram(VIEWER), yes)
    assert foreign is not None and "Only the person who asked" in foreign.text and house.inbox("tracker") == []
    assert "Selling" in (await house.router.press(telegram(OWNER), yes) or Answer("")).text


async def test_no_cancels_for_good(house: House) -> None:
    house.hold(position())
    answer = await house.router.line(CONSOLE, "/sellall")
    assert answer is not None
    assert "Cancelled" in (await house.router.press(CONSOLE, answer.buttons[0][1].data) or Answer("")).text
    assert "used up" in (await house.router.press(CONSOLE, answer.buttons[0][0].data) or Answer("")).text
    assert house.inbox("tracker") == []


async def test_a_confirmation_does_not_survive_a_restart(house: House) -> None:
    house.hold(position())
    answer = await house.router.line(CONSOLE, "/sellall")
    assert answer is not None
    fresh = Router(house.context.commands, house.context, house.gate, 60.0, 120.0, house.clock)
    told = await fresh.press(CONSOLE, answer.buttons[0][0].data)
    assert told is not None and "before a restart" in told.text and house.inbox("tracker") == []


async def test_what_changed_since_the_preview_is_previewed_again(house: House) -> None:
    house.hold(position())
    answer = await house.router.line(CONSOLE, "/sellall")
    assert answer is not None
    house.hold(position(), position("DOGEUSDT"))
    again = await house.router.press(CONSOLE, answer.buttons[0][0].data)
    assert again is not None and "It changed since you asked" in again.text and "2 positions" in again.text
    assert house.inbox("tracker") == []
    assert "Selling 2" in (await house.router.press(CONSOLE, again.buttons[0][0].data) or Answer("")).text


@pytest.mark.parametrize("line", ["/startbot", "/resume", "/sellall", "/testmode_off", "/restartbot"])
async def test_stale_money_commands_are_not_carried_out(house: House, line: str) -> None:
    told = await house.ask(line, telegram(OWNER), age_s=3600.0)
    assert "Not carried out" in told and house.crew.asked == [] and house.inbox("tracker") == []


@pytest.mark.parametrize("line", ["/stopbot", "/pause", "/status", "/testmode_on"])
async def test_stale_stops_and_questions_are(house: House, line: str) -> None:
    assert "Not carried out" not in await house.ask(line, telegram(OWNER), age_s=3600.0)


async def test_a_handler_that_fails_is_answered_logged_and_counted(house: House, monkeypatch: pytest.MonkeyPatch,
                                                                   caplog: pytest.LogCaptureFixture) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(house.crew, "start", broken)
    told = await house.ask("/startbot")
    assert "RuntimeError" in told and "secret detail" not in told and "/logs bot" in told
    assert house.router.failures == 1 and "Traceback" in caplog.text


async def test_a_full_disk_is_told_in_words(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(house.crew, "start", full)
    assert "Is the disk full" in await house.ask("/startbot")


def test_a_name_given_twice_is_an_error() -> None:
    twice = Command("ping", "x", Group.HELP, _nothing), Command("pong", "x", Group.HELP, _nothing, aliases=("ping",))
    with pytest.raises(ValueError, match="ping"):
        Router(twice, None, None, 1, 1, float)  # type: ignore[arg-type]
