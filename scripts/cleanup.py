"""Delete candle tables and pictures older than 3 days; asks first, or ``--yes``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.asking import run

if __name__ == "__main__":
    sys.exit(run(__doc__ or "", ["/cleanup"], sys.argv[1:], deletes=True))
