"""The crew: every service, declared once. Menus, help, status and the supervisor come from this list."""

from config.settings import Settings
from modules.supervision.registry import Service

GUARDS = -5  # holds positions: after a crash the way back to their stops must not wait for others' work

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
        nice=GUARDS,
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
        name="feed",
        title="Market data feed",
        entry="modules.exchange.feed.service:main",
        help="Order books, trades and candles of futures, in memory that the futures systems read",
        needs=("simulator",),
    ),
    Service(
        name="signals",
        title="Signal bot",
        entry="modules.strategies.signals.service:main",
        help="Signals from the order books of futures (system D): sends and follows them, never trades",
        needs=("feed",),
    ),
    Service(
        name="scalper",
        title="Scalper",
        entry="modules.strategies.scalper.service:main",
        help="Trades futures on order flow, indicators and sentiment (system B); stop and target on every position",
        nice=GUARDS,
        needs=("feed",),
    ),
    Service(
        name="showdown",
        title="Showdown",
        entry="modules.strategies.showdown.service:main",
        help="Decides on BTCUSDT perpetuals, says why, and trades with stops on the exchange (system C)",
        nice=GUARDS,
        needs=("simulator",),
    ),
    Service(
        name="sentiment",
        title="Sentiment",
        entry="modules.sentiment.service:main",
        help="Reads news and posts, scores them, keeps the mood of every symbol",
        nice=5,
        needs=("simulator",),
    ),
    Service(
        name="gridserver",
        title="Grid server",
        entry="modules.gridserver.service:main",
        help="REST API of system E: users, keys, starts that are proven first, webhooks (docs/GRIDSERVER.md)",
        needs=("simulator",),
    ),
    Service(
        name="grid",
        title="Grid robot",
        entry="config.grid_entry:main",
        help="Trades hedging grids on Bitget futures (system E): the standalone grid and the server's users",
        nice=GUARDS,
        needs=("simulator",),
    ),
    Service(
        name="trainer",
        title="Trainer",
        entry="modules.strategies.hype.trainer_service:main",
        help="Labels candidates and trains the models",
        nice=10,
        needs=("simulator",),
    ),
    Service(
        name="dashboard",
        title="Dashboard",
        entry="config.dashboard_entry:main",
        help="Pages for a browser: what the crew does, tables, charts, logs",
        nice=5,
    ),
)


def crew_for(settings: Settings) -> tuple[Service, ...]:
    """The services that exist with these settings: the simulated exchange only where it is the venue."""
    return tuple(s for s in CREW if s.name != "simulator" or settings.exchange.name == "simulated")
