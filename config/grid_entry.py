"""Entry of the service ``grid`` and of its worker processes: only here are settings read for a process of its own."""

from pathlib import Path

from config.settings import Settings, load_settings
from modules.strategies.grid.live import service
from modules.strategies.grid.live.crew import Line
from modules.supervision.service import ServiceRun
from utils.logs import setup_logging
from utils.paths import Paths


async def main(run: ServiceRun, settings: Settings) -> None:
    """Trade grids with as many workers as the settings say."""
    await service.serve(run, settings, worker)


def worker(home: str, name: str, line: Line | None) -> None:
    """One worker process (or Ray actor): reads its own settings, so that no secret travels to it."""
    paths = Paths(Path(home))
    paths.prepare()
    setup_logging(paths.logs, name, to_stderr=False)
    service.run_worker(load_settings(paths), paths, name, line)
