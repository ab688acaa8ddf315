"""A command process for the tests: starts and watches services.

``python -m tests.supervision.boss_fixture HOME ENTRY…``
"""

import asyncio
import sys
from pathlib import Path

from tests.supervision.conftest import make


async def main(home: Path, entries: list[str]) -> None:
    """Start, say so on standard output, watch for ever."""
    boss = make(home, *entries)
    watching = asyncio.create_task(boss.watch())
    await boss.start(*entries)
    sys.stdout.write("started\n")
    sys.stdout.flush()
    await watching


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2:]))
