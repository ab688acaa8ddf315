"""The program with a token, against a Bot API server: commands, buttons, pictures, 429, 409, strangers, a restart."""

from collections.abc import Iterator

import psutil
import pytest

from tests.e2e.conftest import StartProgram
from tests.e2e.harness import Program
from tests.surroundings import wait_until
from tests.telegram.bot_api import BotApiServer

OWNER, VIEWER, STRANGER = 77, 78, 79
TOKEN = "123456:TESTTOKENTESTTOKENTESTTOKENTESTTOK"


@pytest.fixture
def api() -> Iterator[BotApiServer]:
    with BotApiServer(token=TOKEN) as server:
        yield server


def with_token(program: StartProgram, api: BotApiServer) -> Program:
    return program((), TELEGRAM_TOKEN=TOKEN, TELEGRAM_OWNERS=str(OWNER), TELEGRAM_VIEWERS=str(VIEWER),
                   TELEGRAM_API_BASE=api.base, TELEGRAM_POLL_TIMEOUT_S="2")


def heard(api: BotApiServer, who: int, part: str, patience_s: float = 60.0) -> str:
    """The first message to `who` that contains `part`."""
    def look() -> str | None:
        return next((text for text in api.texts(who) if part.lower() in text.lower()), None)
    try:
        found: str = wait_until(look, f"{part!r} said to {who}", patience_s)
    except AssertionError as problem:
        raise AssertionError(f"{problem}; said was: {api.texts(who)}") from None
    return found


def test_a_day_on_the_phone(program: StartProgram, api: BotApiServer) -> None:
    coxswain = with_token(program, api)
    api.say(OWNER, "/ping")
    heard(api, OWNER, "pong")
    api.say(STRANGER, "/startbot")
    api.say(VIEWER, "/startbot")
    api.fail("sendMessage", 429, retry_after=2)
    api.fail("getUpdates", 409)
    api.say(OWNER, "/startbot")
    heard(api, OWNER, "Running: simulated exchange")
    coxswain.wait_ready("tracker")
    bought = heard(api, OWNER, "] Bought")
    assert "TEST" in bought

    api.say(OWNER, "/sellall test")
    wait_until(lambda: any("Sell all" in text or "Nothing is held" in text for text in api.texts(OWNER)), "a preview")
    if any("Sell all" in text for text in api.texts(OWNER)):
        api.press(OWNER, "Sell everything")
    wait_until(lambda: any(trade["closes"] for trade in coxswain.trades()), "a closed trade after the button")
    api.say(OWNER, "/testsummary")
    wait_until(lambda: any(sent.photo.startswith(b"\x89PNG") for sent in api.sent if sent.chat == OWNER),
               "a picture of the summary")
    assert api.texts(STRANGER) == [], "a stranger was answered"
    assert not any("Running" in text for text in api.texts(VIEWER)), "a viewer started the bot"

    api.say(OWNER, "/stopall")
    wait_until(lambda: any("Everything is stopped" in text or "Stop everything" in text for text in api.texts(OWNER)),
               "the answer to /stopall")
    if not any("Everything is stopped" in text for text in api.texts(OWNER)):
        api.press(OWNER, "Stop all, unguarded")
    heard(api, OWNER, "Everything is stopped")
    wait_until(lambda: len(coxswain.left_over()) <= 1, "the crew gone")
    log = (coxswain.home / "data" / "logs" / "bot.log").read_text("utf-8")
    assert TOKEN not in log and TOKEN not in coxswain.output


def test_nothing_is_lost_or_done_twice_over_a_kill(program: StartProgram, api: BotApiServer) -> None:
    coxswain = with_token(program, api)
    api.say(OWNER, "/startbot")
    heard(api, OWNER, "Running: simulated exchange")
    psutil.Process(coxswain.command_pid).kill()
    wait_until(lambda: coxswain.service_pid("tracker"), "the tracker alive without the command process")
    api.say(OWNER, "/ping")
    heir = Program(coxswain.home, coxswain.arguments)
    heir.environment = coxswain.environment
    heir.start()
    try:
        heard(api, OWNER, "pong")
        assert sum("Running: simulated exchange" in text for text in api.texts(OWNER)) == 1
        for name in ("tracker", "scanner"):
            assert heir.service_pid(name)
    finally:
        heir.kill_all()


def test_a_wrong_token_ends_with_a_clear_message(program: StartProgram, api: BotApiServer) -> None:
    coxswain = program((), TELEGRAM_TOKEN="999999:WRONGWRONGWRONGWRONGWRONGWRONGWRONG", TELEGRAM_OWNERS=str(OWNER),
                       TELEGRAM_API_BASE=api.base)
    found = coxswain.expect(r"token.*", 60).group(0)
    assert "WRONGWRONG" not in found
