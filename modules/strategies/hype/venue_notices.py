"""What a service tells people when the exchange begins to fail or is well again."""

from collections.abc import Callable

from modules.exchange.breaker import Episode
from modules.supervision.service import ServiceRun


def listener(run: ServiceRun) -> Callable[[Episode], None]:
    """For ``open_market``: an episode is said once, by whichever process notices it first."""

    def tell(episode: Episode) -> None:
        run.outbox.say(episode.what, why=episode.why, todo=episode.todo, level="info" if episode.over else "alert")

    return tell
