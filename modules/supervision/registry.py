"""What a service is: the declaration that the supervisor, help, status and menus read."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Service:
    """One process of the crew.

    `entry` is ``module:function``, an ``async def main(run: ServiceRun, settings: Settings) -> None`` that returns
    after ``run.stop`` is set. `needs` names services that are started (and ready) before it; ``simulator`` counts
    only while the simulated exchange is in use. `nice` is the priority it runs at: higher yields more, below 0 comes
    first where the system grants it.
    """

    name: str
    title: str
    entry: str
    help: str
    needs: tuple[str, ...] = ()
    nice: int = 0
