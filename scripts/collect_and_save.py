"""Fetch one symbol and have it trained: `python scripts/collect_and_save.py SYMBOL [--candles N]`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.collecting import collect_and_save

if __name__ == "__main__":
    sys.exit(collect_and_save(sys.argv[1:]))
