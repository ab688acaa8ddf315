"""The tracker as a process of its own: guards open positions and carries out entries, with or without the rest.

The same as ``python bot.py run tracker``.
"""

import sys

from bot import main

if __name__ == "__main__":
    sys.exit(main(["run", "tracker", *sys.argv[1:]]))
