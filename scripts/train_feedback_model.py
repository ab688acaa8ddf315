"""Train the feedback model; the other name of ``train_from_labeled.py``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bot import main

if __name__ == "__main__":
    sys.exit(main(["train", "feedback", *sys.argv[1:]]))
