"""Bring a backup back. What is there now is moved aside, never overwritten; asks first, or ``--yes``."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from modules.storage.archive import BackupError
from modules.storage.restore import check_backup, restore
from utils.paths import Paths, default_paths


def main(argv: list[str]) -> int:
    """0 restored (or sound, with --check), 1 refused or failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("backup", type=Path, help="the zip that backup.py made")
    parser.add_argument("--home", type=Path, help="where to (default: the program's own home, or COXSWAIN_HOME)")
    parser.add_argument("--check", action="store_true", help="only read it and say whether it is sound")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    chosen = parser.parse_args(argv)
    paths = Paths(chosen.home.resolve()) if chosen.home else default_paths()
    try:
        manifest = check_backup(chosen.backup)
        print(f"{chosen.backup.name}: {len(manifest.files)} files of {manifest.created}, "
              f"made by version {manifest.program}; sound")
        if chosen.check:
            return 0
        if not chosen.yes:
            print(f"Restore it into {paths.home}? What is there is moved aside. [y/N] ", end="", flush=True)
            if sys.stdin.readline().strip().lower() not in ("y", "yes"):  # "" where nobody is there to answer
                print("Nothing was changed.")
                return 1
        for line in restore(chosen.backup, paths).lines():
            print(line)
    except (BackupError, OSError) as problem:
        print(f"Not restored: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
