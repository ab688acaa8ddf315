"""The tracker as a process of its own: guards open positions and carries out entries, with or without the rest.

The same as ``python bot.py run tracker``.
"""

import sys

from bot import main
from utils import environment

if __name__ == "__main__":
    environment.enter()
    sys.exit(main(["run", "tracker", *sys.argv[1:]]))
