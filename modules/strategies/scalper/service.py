"""The scalper process (B): the rules are compiled before they are imported, then `live.py` goes on.

Started by the supervisor as ``bot.py run scalper``; needs the feed.
"""

from typing import TYPE_CHECKING

from modules.strategies.scalper.speed import compile_rules
from modules.supervision.service import ServiceRun

if TYPE_CHECKING:
    from config.settings import Settings


async def main(run: ServiceRun, settings: "Settings") -> None:
    """Until asked to stop. Waits for feed and venue."""
    plain = compile_rules(run.paths.data / "cache") if settings.scalper.compiled else ""
    from modules.strategies.scalper.live import live

    await live(run, settings, plain)
