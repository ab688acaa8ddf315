"""Every command of the crew, declared once. Their order here is their order in /help and in the menu."""

from collections.abc import Sequence

from modules.telegram.command import Command
from modules.telegram.commands import (
    apikeys,
    backtest,
    balance,
    candles,
    crew,
    dashboard,
    data,
    futures,
    grid,
    help,
    market,
    mode,
    model,
    optimize,
    positions,
    reconcile,
    reports,
    risk,
    scalper,
    showdown,
    signals,
    state,
    training,
    why,
)


def all_commands(services: Sequence[str]) -> tuple[Command, ...]:
    """The commands; `services` are the names a person may ask logs of."""
    return (*crew.COMMANDS, *risk.COMMANDS, *futures.COMMANDS, *grid.COMMANDS, *positions.COMMANDS, *balance.COMMANDS,
            *reconcile.COMMANDS, *reports.COMMANDS,
            *backtest.COMMANDS, *market.COMMANDS, *signals.COMMANDS, *scalper.COMMANDS,
            *apikeys.COMMANDS, *showdown.COMMANDS,
            *why.COMMANDS, *state.commands(services), *mode.COMMANDS, *training.COMMANDS, *model.COMMANDS,
            *optimize.COMMANDS, *dashboard.commands(tuple(services)), *candles.COMMANDS,
            *data.COMMANDS, *help.COMMANDS)
