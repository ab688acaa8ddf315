"""``python bot.py apikeys``: keep API keys in the encrypted file, and see how they do.

    bot.py apikeys list
    bot.py apikeys add gemini --owner project1        # asks for the key; or: … < file-with-the-key
    bot.py apikeys remove gemini project1
    bot.py apikeys rotate                             # a new key for the vault; all secrets in the file closed anew

Exit codes: 0 done, 1 it could not be done, 2 wrong arguments.
"""

import argparse
import getpass
import sys
from typing import TYPE_CHECKING

from modules.apikeys.api_manager import ApiManager
from modules.apikeys.health import KeyHealth
from modules.apikeys.keyring import VARIABLE, VAULT_FILE, KeyFile, KeyringError, vault_place
from modules.apikeys.profiles import PROFILES
from utils.page import Busy
from utils.paths import Paths
from utils.vault import VaultError, add_key

if TYPE_CHECKING:
    from config.settings import Settings

OK, FAILED = 0, 1


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="bot.py apikeys", allow_abbrev=False,
                                     description="API keys in an encrypted file, beside those of the environment.")
    parts = parser.add_subparsers(dest="part", metavar="PART", required=True)
    parts.add_parser("list", help="every key, masked, and how it does")
    add = parts.add_parser("add", help="keep one key more; it is asked for, or read from standard input")
    add.add_argument("provider", choices=PROFILES)
    add.add_argument("--owner", default="", help="whose quota it uses: project, organisation, account")
    remove = parts.add_parser("remove", help="forget keys of the file")
    remove.add_argument("provider", choices=PROFILES)
    remove.add_argument("name", help="their owner, or the mask that list shows")
    parts.add_parser("rotate", help="a new key for the vault; the file is closed anew")
    return parser


def main(argv: list[str], settings: "Settings", paths: Paths) -> int:
    """Returns the exit code."""
    chosen = arguments().parse_args(argv)
    file = KeyFile(paths)
    try:
        if chosen.part == "list":
            return _list(settings, paths)
        if chosen.part == "add":
            key = file.add(chosen.provider, f"{chosen.owner}={_asked()}" if chosen.owner else _asked())
            _tell(f"Key {key.mask} of {chosen.provider} ({key.owner}) is kept, encrypted. Services take it at their "
                  "next start.")
        elif chosen.part == "remove":
            gone = file.remove(chosen.provider, chosen.name)
            _tell(f"{gone} key(s) forgotten." if gone else f"The file has no key of {chosen.provider} named "
                  f"{chosen.name}; bot.py apikeys list shows what there is.")
            return OK if gone else FAILED
        else:
            add_key(vault_place(paths))
            file.renew()
            _tell(f"The vault has a new key, which closes secrets from now on (unless {VARIABLE} is set, which counts "
                  f"more); the older ones in config/{VAULT_FILE} still open what they closed.")
    except (KeyringError, VaultError, OSError) as problem:
        sys.stderr.write(f"Not done: {problem}\n")
        return FAILED
    return OK


def _asked() -> str:
    if sys.stdin is not None and sys.stdin.isatty():
        return getpass.getpass("Key (it is not shown): ").strip()
    return sys.stdin.read().strip() if sys.stdin is not None else ""


def _list(settings: "Settings", paths: Paths) -> int:
    manager = ApiManager.open(settings.apikeys, paths)
    try:
        rows = manager.health()
    except Busy:
        sys.stderr.write("Another process holds the state of keys; try again.\n")
        return FAILED
    finally:
        manager.close()
    if manager.problem:
        sys.stderr.write(manager.problem + "\n")
    for row in rows:
        _tell(line(row))
    if not rows:
        _tell("There is no key. Sentiment uses the local model; see docs/APIKEYS.md.")
    return FAILED if manager.problem else OK


def line(row: KeyHealth) -> str:
    """One key in one line."""
    rests = f", {row.why}, {row.rest_s:.0f} s more" if row.rest_s else ", serves" if row.serves else ""
    return (f"{row.provider} {row.owner} {row.mask}: {row.state}{rests}; {row.good} of {row.calls} calls good; today "
            f"{row.day_calls} calls, {row.day_tokens} tokens, {row.day_usd:.4f} USD")


def _tell(text: str) -> None:
    sys.stdout.write(text + "\n")
