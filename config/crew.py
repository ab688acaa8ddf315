"""The crew: every service, declared once. Menus, help, status and the supervisor come from this list."""

from config.settings import Settings
from modules.supervision.registry import Service

CREW: tuple[Service, ...] = (
    Service(
        name="simulator",
        title="Simulated exchange",
        entry="modules.simulator.service:main",
        help="A market on this machine, used while EXCHANGE=simulated",
    ),
    Service(
        name="tracker",
        title="Tracker",
        entry="modules.strategies.hype.tracker_service:main",
        help="Buys what passes the limits, guards and sells positions of system A",
        needs=("simulator",),
    ),
    Service(
        name="scanner",
        title="Scanner",
        entry="modules.strategies.hype.scanner_service:main",
        help="Looks for hype tokens, has the models judge them, proposes to the tracker",
        needs=("simulator", "tracker"),
    ),
    Service(
        name="trainer",
        title="Trainer",
        entry="modules.strategies.hype.trainer_service:main",
        help="Labels candidates and trains the models",
        nice=10,
        needs=("simulator",),
    ),
)


def crew_for(settings: Settings) -> tuple[Service, ...]:
    """The services that exist with these settings: the simulated exchange only where it is the venue."""
    return tuple(s for s in CREW if s.name != "simulator" or settings.exchange.name == "simulated")
