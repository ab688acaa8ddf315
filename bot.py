"""Start here: the one command of the program.

    bot.py                     the command process: Telegram, or a console where no token is set
    bot.py --console           the same commands, typed, or read from a pipe or a file line by line
    bot.py run SERVICE         one service in the foreground
    bot.py stop                stop the running program in good order
    bot.py simulate | backtest | optimize | data | analyse | replay | train | evaluate | recording | …  (bot.py --help)

Exit codes: 0 done, 1 failed, 2 wrong arguments or settings. Imports are lazy: a service loads only what it needs.
"""

import argparse
import asyncio
import importlib
import os
import signal
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

from modules.supervision.lifetime import EXIT_FAILED, EXIT_OK, EXIT_RESTART, EXIT_SETTINGS
from utils import environment
from utils.paths import PROJECT, Paths, default_paths

if TYPE_CHECKING:
    from config.settings import Settings

_HANDED_ON = {  # these read their own arguments: module with main(argv) -> exit code, and what --help says
    "simulate": ("modules.simulator.cli", "run the simulated exchange as a server (its options: simulate --help)"),
}
_WITH_SETTINGS = {  # the same, with main(argv, settings, paths) -> exit code
    "backtest": ("modules.backtest.cli", "test the live rules on past candles (its options: backtest --help)"),
    "optimize": ("modules.backtest.optimize_cli", "search better settings, walk-forward (optimize --help)"),
    "analyse": ("modules.backtest.analyse_cli", "look for look-ahead or missing warm-up: analyse {lookahead,warmup}"),
    "replay": ("modules.backtest.replay_cli", "explain recorded decisions from their recorded inputs"),
    "data": ("modules.backtest.data_cli", "download, check or convert candles: data {download,check,convert}"),
    "evaluate": ("modules.backtest.evaluate_cli", "judge the models walk-forward on recorded candles"),
    "apikeys": ("modules.apikeys.cli", "keep API keys in an encrypted file: apikeys {list,add,remove,rotate}"),
    "sentiment": ("modules.sentiment.cli", "score texts of a file: sentiment score --in FILE --column NAME --out FILE"),
    "db": ("modules.storage.sql.cli", "look after the database: db {status,upgrade,trim}"),
    "gridserver": ("modules.gridserver.cli", "secrets of the grid server: gridserver {key,rotate,dead}"),
    "recording": ("modules.exchange.recording_cli", "check recorded raw frames: recording check FILES"),
}
_OWN_ARGUMENTS = {**_HANDED_ON, **_WITH_SETTINGS}
_MOST_JOBS = 64
_EPILOG = """examples:
  bot.py                          start; without a Telegram token the commands are typed here
  bot.py --send /startbot         start trading (test mode, unless /testmode_off was said before)
  bot.py doctor                   check everything, and say how to mend it
  bot.py train all --jobs 2       train a model for every token

exit codes: 0 done, 1 failed, 2 wrong arguments or settings. PART --help tells more of a part."""


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="bot.py", description="Coxswain: trading processes commanded from Telegram.",
                                     epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     allow_abbrev=False)
    parser.add_argument("--console", action="store_true", help="take commands here instead of from Telegram")
    parser.add_argument("--send", metavar="COMMAND",
                        help="run this command first, or hand it to the one that runs, e.g. --send /startbot")
    parts = parser.add_subparsers(dest="part", metavar="PART", title="parts (none: the command process)")
    run = parts.add_parser("run", help="run one service in the foreground")
    run.add_argument("service", metavar="SERVICE", help="its name; bot.py run list tells all of them")
    run.add_argument("--supervised", action="store_true", help=argparse.SUPPRESS)
    parts.add_parser("stop", help="stop the running program and its services in good order")
    for name, (_, text) in _OWN_ARGUMENTS.items():
        parts.add_parser(name, help=text, add_help=False)
    train = parts.add_parser("train", help="train models by hand")
    train.add_argument("what", nargs="?", choices=("all", "pending", "feedback", "label"), default="pending",
                       help="every token of the venue; the tokens that wait (the default); the global model; label: "
                            "no training, only labels of candidates whose time has come")
    train.add_argument("--jobs", type=_jobs, metavar="N", help="workers at once (default: COMPUTE_JOBS, every CPU)")
    train.add_argument("--fresh", action="store_true", help="all tokens anew, not where a killed training stopped")
    doctor = parts.add_parser("doctor", help="check settings, keys, clock, disk, exchange, Telegram; say how to mend")
    doctor.add_argument("--json", action="store_true", help="print one JSON object")
    settings = parts.add_parser("settings", help="print the reference of all settings")
    settings.add_argument("--write", action="store_true", help="write docs/SETTINGS.md and config/.env.example anew")
    parts.add_parser("version", help="print the version")
    return parser


def main(argv: list[str]) -> int:
    """Dispatch; returns the exit code."""
    parser = arguments()
    chosen, rest = parser.parse_known_args(argv)
    if rest and chosen.part not in _OWN_ARGUMENTS:
        parser.error(f"unknown arguments: {' '.join(rest)}")
    if chosen.part in _HANDED_ON:
        return _hand_on(chosen.part, rest)
    if chosen.part == "version":
        from utils.version import describe
        return _say(describe())
    if chosen.part == "settings":
        from config.reference import command
        return command(chosen.write)
    try:
        paths = default_paths().prepare()
    except OSError as problem:
        return _unwritable(problem)
    if chosen.part == "doctor":
        from config.doctor import command as examine
        return examine(paths, chosen.json)
    if chosen.part == "stop":
        from config.stopping import stop_program
        return stop_program(paths)
    settings = load(paths)
    if settings is None:
        return EXIT_SETTINGS
    if chosen.part == "run":
        return run(chosen.service, settings, paths, chosen.supervised)
    if chosen.part == "train":
        from modules.strategies.hype import train_cli
        return train_cli.main(chosen.what, chosen.jobs, settings, paths, chosen.fresh)
    if chosen.part in _WITH_SETTINGS:
        return int(importlib.import_module(_WITH_SETTINGS[chosen.part][0]).main(rest, settings, paths))
    return command_process(settings, paths, chosen.console, chosen.send)


def load(paths: Paths) -> "Settings | None":
    """The settings, or None after all their problems were printed."""
    from config.settings import SettingsError, load_settings
    try:
        return load_settings(paths)
    except SettingsError as errors:
        _fail("The settings cannot be used:\n" + "\n".join(f"  - {line}" for line in errors.problems)
              + "\nMend these; docs/SETTINGS.md explains every setting.")
        return None


def run(name: str, settings: "Settings", paths: Paths, supervised: bool) -> int:
    """``run SERVICE``."""
    from config.crew import CREW
    from modules.supervision.runner import run_service
    if name == "list":
        return _say("\n".join(f"{known.name:<12}{known.help}" for known in CREW))
    service = next((known for known in CREW if known.name == name), None)
    if service is None:
        _fail(f"There is no service {name}. There are: {', '.join(known.name for known in CREW)}.")
        return EXIT_SETTINGS
    return run_service(service, settings, paths, supervised)


def command_process(settings: "Settings", paths: Paths, console: bool, send: str | None) -> int:
    """The command process: only one on a state; executes itself anew when it ends with EXIT_RESTART."""
    from config.crew import crew_for
    from utils.locks import AlreadyRunning, ProcessLock
    from utils.logs import setup_logging
    console = console or (not settings.telegram.token.get_secret_value() and commands_come_in())
    lock = ProcessLock(paths.run, "bot")
    try:
        lock.acquire()
        sweep(paths)
    except AlreadyRunning as other:
        if send is not None and other.owner is not None:
            return hand_over(paths, send, other.who())
        return _fail(f"Coxswain already runs on this state ({other.who()}). Nothing was started. "
                     "Use that one, or stop it with: bot.py stop")
    except OSError as problem:  # a full disk, mostly
        lock.release()
        return _unwritable(problem)
    try:
        if not console and not settings.telegram.token.get_secret_value():
            _fail("No Telegram token is set, and there is no terminal or pipe to take commands from. Set "
                  "TELEGRAM_TOKEN and TELEGRAM_OWNERS, or start with --console.")
            return EXIT_SETTINGS
        setup_logging(paths.logs, "bot", to_stderr=not console)
        from modules.telegram import process
        code = asyncio.run(process.main(paths, settings, console, (send,) if send else (), crew_for(settings)))
    except KeyboardInterrupt:
        return EXIT_FAILED
    finally:
        lock.release()
    return again(console) if code == EXIT_RESTART else code


def commands_come_in() -> bool:
    """Whether standard input is somebody's: a terminal, a pipe or a file, and not the null device of a service."""
    if sys.stdin is None:  # started without a console on Windows
        return False
    try:
        kind = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError):  # closed
        return False
    return sys.stdin.isatty() or stat.S_ISFIFO(kind) or stat.S_ISREG(kind)


def hand_over(paths: Paths, line: str, who: str) -> int:
    """``--send`` while Coxswain runs: the running one gets the command."""
    from modules.supervision.messages import Inbox
    Inbox(paths.inbox, "bot").post("line", {"line": line}, "bot.py")
    return _say(f"Coxswain runs ({who}) and was given: {line}. Its answer comes as a message there.")


def sweep(paths: Paths) -> None:
    """Remove what processes that died in the middle of writing left aside."""
    from utils.files import remove_leftovers
    for folder in (paths.config, paths.data, paths.models, paths.run, paths.outbox, *paths.inbox.iterdir()):
        remove_leftovers(folder)


def again(console: bool) -> int:
    """/restartloop: this program anew; the services live on and are adopted."""
    command = [sys.executable, str(PROJECT / "bot.py"), *(["--console"] if console else [])]
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name != "nt":
        os.execv(sys.executable, command)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Windows cannot replace a process: this one waits for its heir
    return subprocess.call(command)


def _hand_on(part: str, rest: list[str]) -> int:
    code = importlib.import_module(_HANDED_ON[part][0]).main(rest)
    return int(code or 0)


def _jobs(text: str) -> int:
    value = int(text) if text.isdecimal() else 0
    if not 1 <= value <= _MOST_JOBS:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 1 to {_MOST_JOBS}")
    return value


def _say(text: str) -> int:
    sys.stdout.write(text + "\n")
    return EXIT_OK


def _unwritable(problem: OSError) -> int:
    return _fail(f"The folder for the program's state cannot be written: {problem}. Nothing was started. "
                 "Give it room and rights, or set COXSWAIN_HOME to another folder.")


def _fail(text: str) -> int:
    sys.stderr.write(text + "\n")
    return EXIT_FAILED


if __name__ == "__main__":
    environment.enter()
    sys.exit(main(sys.argv[1:]))
