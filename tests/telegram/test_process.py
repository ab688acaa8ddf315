"""The command process as a person starts it: console through a pipe, Telegram against a Bot API of our own."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modules.exchange.types import Mode
from modules.strategies.hype.files import HypeFiles
from tests.surroundings import environment
from tests.telegram.bot_api import BotApiServer
from tests.telegram.house import OWNER
from utils.paths import PROJECT, Paths

LINES = "/ping\n/status\n/summry\n/tracked\n/stopall\n/wait 0.5\n"


@contextmanager
def program(home: Path, *arguments: str, **more: str) -> Iterator["subprocess.Popen[str]"]:
    ours = environment(home, PYTHONIOENCODING="utf-8", **more)
    process = subprocess.Popen([sys.executable, "bot.py", *arguments], cwd=PROJECT, env=ours,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               encoding="utf-8")
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_the_console_loads_nothing_heavy() -> None:
    code = ("import modules.telegram.process, sys; "
            "print(sorted({'aiogram', 'matplotlib', 'ccxt', 'pandas', 'lightgbm', 'aiohttp'} & set(sys.modules)))")
    out = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_piped_commands_are_carried_out_and_the_end_is_zero(tmp_path: Path) -> None:
    with program(tmp_path, "--console") as process:
        shown, _ = process.communicate(LINES, timeout=60)
    assert process.returncode == 0, shown
    places = [shown.index(word) for word in ("pong", "Tracker: stopped", "Did you mean /summary?", "No open positions",
                                             "Everything is stopped", "Waited")]
    assert places == sorted(places) and "Coxswain is here" in shown


def test_damage_that_the_command_process_finds_first_is_told(tmp_path: Path) -> None:
    tracked = HypeFiles(Paths(tmp_path).prepare(), Mode.TEST).tracked
    tracked.save({})
    tracked.save({})
    tracked.path.write_bytes(b"\xf5\x00{")
    with program(tmp_path, "--console") as process:
        shown, _ = process.communicate("/tracked\n/wait 6\n", timeout=60)
    assert "State file damaged: test_tracked_tokens.json" in shown and "The last good copy was restored" in shown
    assert "/resync rebuilds positions" in shown and process.returncode == 0


def test_a_first_command_from_the_command_line(tmp_path: Path) -> None:
    with program(tmp_path, "--console", "--send", "/teststatus") as process:
        shown, _ = process.communicate("/wait 6\n", timeout=60)
    assert "/teststatus: [TEST] Test mode is on." in shown and process.returncode == 0


def test_restartloop_reads_on_where_it_stopped(tmp_path: Path) -> None:
    with program(tmp_path, "--console") as process:
        shown, _ = process.communicate("/restartloop\n/ping\n", timeout=60)
    before, _, after = shown.partition("I answer again in a few seconds.")
    assert "> /ping\npong" in after and "> /ping" not in before and process.returncode == 0


def test_telegram_serves_restarts_and_stops(tmp_path: Path, api: BotApiServer) -> None:
    more = {"TELEGRAM_TOKEN": api.token, "TELEGRAM_OWNERS": str(OWNER), "TELEGRAM_API_BASE": api.base,
            "TELEGRAM_POLL_TIMEOUT_S": "1"}
    api.known.add(OWNER)
    with program(tmp_path, **more):
        api.wait(lambda: any("Coxswain is here" in text for text in api.texts(OWNER)), "greeting", 60)
        api.say(OWNER, "/ping")
        api.wait(lambda: "pong" in api.texts(OWNER), "pong")
        api.say(OWNER, "/restartloop")
        api.wait(lambda: sum("Coxswain is here" in text for text in api.texts(OWNER)) == 2, "second greeting", 60)
        api.say(OWNER, "/ping")
        api.wait(lambda: api.texts(OWNER).count("pong") == 2, "pong after the restart", 60)
        assert sum("process restarts" in text for text in api.texts(OWNER)) == 1  # the update is not acted on again
        stop = subprocess.run([sys.executable, "bot.py", "stop"], cwd=PROJECT, env=environment(tmp_path), timeout=60,
                              capture_output=True, text=True)
        assert stop.returncode == 0, stop.stdout + stop.stderr


def test_a_wrong_token_ends_with_two_and_is_not_shown(tmp_path: Path, api: BotApiServer) -> None:
    wrong = "987654:WRONG-TOKEN-WRONG-TOKEN-WRONG-TOKEN-X"
    with program(tmp_path, TELEGRAM_TOKEN=wrong, TELEGRAM_OWNERS="111", TELEGRAM_API_BASE=api.base) as process:
        shown, _ = process.communicate(timeout=60)
    assert process.returncode == 2 and "Telegram refuses the token" in shown and wrong not in shown
    assert all(wrong not in path.read_text("utf-8") for path in tmp_path.rglob("*.log"))
