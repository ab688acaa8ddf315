"""The simulated exchange as a service of the crew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modules.simulator.raw_replay_reader import is_recording
from modules.simulator.server import serve

if TYPE_CHECKING:
    from config.settings import Settings
    from modules.simulator.settings import SimulatorSettings
    from modules.supervision.service import ServiceRun


async def main(run: ServiceRun, settings: Settings) -> None:
    """Serve until asked to stop. Accounts and market time live below the data folder unless told otherwise."""
    options = settings.simulator
    if options.replay is not None and is_recording(options.replay):
        await _replay(run, options)
        return
    if options.state is None:
        options = options.model_copy(update={"state": run.paths.data / "simulator"})

    def ready(port: int) -> None:
        run.tell(port=port, speed=options.speed, tokens=options.tokens, seed=options.seed)
        run.ready()

    await serve(options, ready, run.stop)


async def _replay(run: ServiceRun, options: SimulatorSettings) -> None:
    """Recorded raw frames instead of a market."""
    from modules.simulator.raw_replay_server import serve_replay

    def ready(port: int) -> None:
        run.tell(port=port, speed=options.speed, replay=str(options.replay))
        run.ready()

    await serve_replay(options, ready, run.stop)
