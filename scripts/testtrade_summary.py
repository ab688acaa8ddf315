"""The summary of test mode, with the equity curve."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.asking import run

if __name__ == "__main__":
    sys.exit(run(__doc__ or "", ["/testsummary"], sys.argv[1:]))
