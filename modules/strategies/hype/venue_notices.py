"""What a service tells people when the exchange begins to fail or is well again."""

from collections.abc import Callable

from modules.exchange.breaker import Episode
from modules.execution.mode import mode_word
from modules.supervision.service import ServiceRun


def listener(run: ServiceRun, exchange: str) -> Callable[[Episode], None]:
    """For ``open_market``: an episode is said once, by whichever process notices it first. `exchange`: its name."""

    def tell(episode: Episode) -> None:
        run.outbox.say(f"Spot, {exchange}: {episode.what}", mode=mode_word(run.paths), why=episode.why,
                       todo=episode.todo, level="info" if episode.over else "alert")

    return tell
