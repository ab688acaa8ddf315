"""Train the feedback model on the labelled candidates: ``bot.py train feedback``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bot import main

if __name__ == "__main__":
    sys.exit(main(["train", "feedback", *sys.argv[1:]]))
