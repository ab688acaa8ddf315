"""Fetch candles of all tradable symbols: `python scripts/collect_all_data.py [--limit N] [--candles N]`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.collecting import collect_all_data

if __name__ == "__main__":
    sys.exit(collect_all_data(sys.argv[1:]))
