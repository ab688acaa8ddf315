"""Every command of the crew, declared once. Their order here is their order in /help and in the menu."""

from collections.abc import Sequence

from modules.telegram.command import Command
from modules.telegram.commands import (
    crew,
    data,
    help,
    market,
    mode,
    positions,
    reconcile,
    reports,
    risk,
    state,
    training,
    why,
)


def all_commands(services: Sequence[str]) -> tuple[Command, ...]:
    """The commands; `services` are the names a person may ask logs of."""
    return (*crew.COMMANDS, *risk.COMMANDS, *positions.COMMANDS, *reconcile.COMMANDS, *reports.COMMANDS,
            *market.COMMANDS, *why.COMMANDS, *state.commands(services), *mode.COMMANDS, *training.COMMANDS,
            *data.COMMANDS, *help.COMMANDS)
