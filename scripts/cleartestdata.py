"""Delete everything test mode has written; asks first, or ``--yes``. Stop the bot before (``bot.py stop``)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.asking import run

if __name__ == "__main__":
    sys.exit(run(__doc__ or "", ["/cleartestdata"], sys.argv[1:], deletes=True))
