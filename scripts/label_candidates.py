"""Label the candidates whose time has come: ``bot.py train label``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bot import main

if __name__ == "__main__":
    sys.exit(main(["train", "label", *sys.argv[1:]]))
