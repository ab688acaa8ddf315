"""The summary of LIVE trading, with the equity curve."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.asking import run

if __name__ == "__main__":
    sys.exit(run(__doc__ or "", ["/summary live"], sys.argv[1:]))
