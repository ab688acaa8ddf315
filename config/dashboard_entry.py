"""Entry of the service ``dashboard``: only here are the crew's list, all settings and the dashboard known at once."""

from config.crew import crew_for
from config.settings import Settings
from modules.supervision.service import ServiceRun


async def main(run: ServiceRun, settings: Settings) -> None:
    """Run the dashboard with the crew of these settings."""
    from config.reference import rows
    from config.settings import origins
    from modules.dashboard.service import serve

    await serve(run, settings, crew_for(settings), rows(settings, origins(run.paths)))
