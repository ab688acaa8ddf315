"""Train the tokens in ``pending_training.json``: ``bot.py train pending [--jobs N]``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bot import main

if __name__ == "__main__":
    sys.exit(main(["train", "pending", *sys.argv[1:]]))
