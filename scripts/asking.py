"""Commands of the bot by hand, without the bot: the scripts beside this file print or do what a command would.

Nothing is started or stopped here. What deletes shows its preview and asks, unless ``--yes`` is given.
Exit codes: 0 done, 1 not done, 2 wrong arguments or settings.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence

from config.settings import SettingsError, load_settings
from modules.supervision.status import ServiceStatus
from modules.telegram.command import Answer, Sender
from modules.telegram.commands import all_commands
from modules.telegram.context import Context
from modules.telegram.gate import Gate
from modules.telegram.markup import plain
from modules.telegram.router import YES, Router
from modules.telegram.workers import Workers
from utils.paths import default_paths

_ME = Sender("local", "local", "script")


class NoCrew:
    """Scripts have no services to start or stop."""

    async def start(self, *names: str) -> Sequence[ServiceStatus]:
        """Nothing is started."""
        return ()

    async def stop(self, *names: str) -> Sequence[str]:
        """Nothing is stopped."""
        return ()

    async def restart(self, *names: str) -> Sequence[ServiceStatus]:
        """Nothing is restarted."""
        return ()

    async def stop_all(self) -> None:
        """Nothing is stopped."""

    def status(self, load: bool = True) -> Sequence[ServiceStatus]:
        """None are known."""
        return ()


def run(about: str, lines: Sequence[str], argv: Sequence[str], deletes: bool = False) -> int:
    """Carry out commands and print their answers."""
    parser = argparse.ArgumentParser(description=about)
    if deletes:
        parser.add_argument("--yes", action="store_true", help="do not ask")
    chosen = parser.parse_args(list(argv))
    try:
        paths = default_paths().prepare()
        settings = load_settings(paths)
    except SettingsError as errors:
        sys.stderr.write("\n".join(errors.problems) + "\n")
        return 2
    context = Context(paths, settings, NoCrew(), Workers(paths, settings), lambda: None, lambda why: None)
    context.commands = all_commands(())
    router = Router(context.commands, context, Gate((), (), time.monotonic), 3600.0, 1e9, time.monotonic)
    return asyncio.run(_ask(router, lines, deletes and chosen.yes))


async def _ask(router: Router, lines: Sequence[str], yes: bool) -> int:
    done = 0
    for line in lines:
        answer = await router.line(_ME, line)
        tokens = [button.data for row in answer.buttons for button in row if button.data.startswith(YES)] \
            if answer is not None else []
        if tokens and answer is not None:
            print(plain(answer.text).rsplit("\n", 1)[0])  # the last line speaks of buttons
            word = "yes" if yes else await asyncio.to_thread(_answer)
            if word.strip().lower() not in ("y", "yes"):
                print("Nothing was done.")
                done = 1
                continue
            answer = await router.press(_ME, tokens[0])
        _print(answer)
    return done


def _answer() -> str:
    try:
        return input("Do it? [y/N] ")
    except EOFError:  # nobody is there to answer
        print()
        return ""


def _print(answer: Answer | None) -> None:
    if answer is None:
        return
    print(plain(answer.text) + (f"\n[picture: {answer.picture}]" if answer.picture else "") + "\n")
