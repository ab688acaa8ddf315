"""``python bot.py gridserver {key,rotate,dead}``: keys of stored secrets, and webhooks that were given up.

Exit codes: 0 done, 1 the database is away or a secret cannot be opened, 2 wrong arguments or settings.
"""

import argparse
import sys
from typing import TYPE_CHECKING

from utils.paths import Paths

if TYPE_CHECKING:
    from config.settings import Settings
    from modules.strategies.grid.store.store import GridStore


def main(argv: list[str], settings: "Settings", paths: Paths) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="bot.py gridserver", description="Look after the grid server's secrets.")
    parser.add_argument("what", choices=("key", "rotate", "dead"),
                        help="key: print a new key for GRIDSERVER_SECRET_KEY; rotate: seal every stored secret anew, "
                             "with a new key where they lie in config/grid.key; dead: webhooks that were given up")
    parser.add_argument("--drop-old", action="store_true", help="rotate: remove the old keys from config/grid.key "
                                                                "after everything was sealed anew")
    chosen = parser.parse_args(argv)
    from utils.vault import VaultError, new_key
    if chosen.what == "key":
        sys.stdout.write(new_key() + "\n")
        return 0
    from modules.storage.sql.address import AddressError
    from modules.storage.sql.database import DatabaseAway
    from modules.storage.sql.migrate import NewerSchema
    from modules.strategies.grid.store.store import GridStore
    try:
        if chosen.what == "rotate":
            return _rotate(settings, paths, chosen.drop_old)
        store = GridStore.open(settings, paths)
    except AddressError as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    except (DatabaseAway, NewerSchema, VaultError, OSError) as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    try:
        return _dead(store)
    finally:
        store.close()


def _rotate(settings: "Settings", paths: Paths, drop: bool) -> int:
    """A new key in front, everything sealed with it; the old ones go only when asked. Processes go on meanwhile."""
    from modules.strategies.grid.store.store import GridStore, vault_place
    from utils.vault import add_key, keys_of, write_keys
    place = vault_place(settings, paths)
    if not place.by_text and not drop:
        add_key(place)
    store = GridStore.open(settings, paths)
    try:
        count = store.users.rotate("operator")
    finally:
        store.close()
    if place.by_text:
        sys.stdout.write(f"{count} secrets are sealed with the first key of GRIDSERVER_SECRET_KEY. Once every process "
                         "was restarted with it, the others may be removed from the setting.\n")
        return 0
    keys, file = keys_of(place), place.file
    if drop:
        write_keys(file, keys[:1])
        sys.stdout.write(f"{count} secrets are sealed with the newest key; {len(keys) - 1} old ones were removed from "
                         f"{file.name}. Backups that were made before need them.\n")
        return 0
    sys.stdout.write(f"{count} secrets are sealed with a new key. {file.name} still holds {len(keys) - 1} old ones; "
                     "remove them with: bot.py gridserver rotate --drop-old\n")
    return 0


def _dead(store: "GridStore") -> int:
    from utils.wall import iso
    letters = store.events.dead(most=1000)
    for one in letters:
        sys.stdout.write(f"{iso(one.created_ms)}  {one.user_id}  {one.kind}  {one.tries} tries  {one.error}\n")
    sys.stdout.write(f"{len(letters)} dead letters.\n")
    return 0
