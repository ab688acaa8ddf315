"""Alerts that every process gives alike."""

from collections.abc import Callable

from modules.storage.damage import Damage, on_damage
from modules.supervision.outbox import Outbox


def tell_damages(outbox: Outbox) -> Callable[[], None]:
    """Alert people of every damaged state file this process finds, whatever it was reading it for (P8).

    To be called before the first state file is read. Returns what ends it.
    """
    return on_damage(lambda damage: _tell(outbox, damage))


def _tell(outbox: Outbox, damage: Damage) -> None:
    positions = "tracked_tokens" in damage.path.name
    outbox.say(f"State file damaged: {damage.path.name}", why=damage.sentence(), level="alert",
               todo="Compare it with what the exchange shows; /resync rebuilds positions." if positions else
                    "If something is missing now: restore a backup (docs/OPERATIONS.md).")
