"""Back up the program's state while it runs: positions, histories, settings of mode, models. Keys are not included."""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from modules.storage.archive import BackupError
from modules.storage.backup import default_target, make_backup
from utils.paths import default_paths


def main(argv: list[str]) -> int:
    """0 made and verified, 1 failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to (default: backups/coxswain-STAMP.zip)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args(argv)
    paths = default_paths()
    target = chosen.out or default_target(paths)
    try:
        made = make_backup(paths, target)
    except (BackupError, OSError) as problem:
        print(json.dumps({"ok": False, "problem": str(problem)}) if chosen.json else f"No backup: {problem}",
              file=sys.stdout if chosen.json else sys.stderr)
        return 1
    if chosen.json:
        print(json.dumps({"ok": True, "file": str(target), "files": len(made.files), "bytes": made.size,
                          "created": made.created, "held_ms": made.held_ms, "notes": list(made.notes)}))
        return 0
    print(f"{target}\n{len(made.files)} files, {made.size / 1e6:.1f} MB, written and read back; "
          f"writers waited {made.held_ms} ms")
    print(f"Not included: {', '.join(made.left_out)}")
    for note in made.notes:
        print(f"Note: {note}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
