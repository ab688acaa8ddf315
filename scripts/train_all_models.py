"""Train the own model of every token of the venue: ``bot.py train all [--jobs N]``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bot import main

if __name__ == "__main__":
    sys.exit(main(["train", "all", *sys.argv[1:]]))
