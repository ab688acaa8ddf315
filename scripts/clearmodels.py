"""Delete all models, as after new indicators; asks first, or ``--yes``. The trainer makes new ones."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from modules.learning import catalog
from utils.paths import default_paths


def main(argv: list[str]) -> int:
    """0 deleted or nothing to delete, 1 not confirmed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--yes", action="store_true", help="do not ask")
    chosen = parser.parse_args(argv)
    folder = default_paths().models
    models = catalog.entries(folder)
    if not models:
        print("There are no models to clear.")
        return 0
    if not chosen.yes:
        print(f"Delete all {len(models)} models? They cannot be brought back. [y/N] ", end="", flush=True)
        answer = sys.stdin.readline()  # "" where nobody is there to answer
        if answer.strip().lower() not in ("y", "yes"):
            print("Nothing was deleted.")
            return 1
    print(f"{catalog.clear(folder)} models deleted. /retrainfeedback or train_feedback_model.py makes a new one.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
