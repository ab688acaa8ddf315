"""/balance: what the accounts of a mode hold: spot, each system's futures, the grid's."""

from decimal import Decimal
from typing import Any

from modules.exchange.types import Mode, Unavailable
from modules.execution.risk_state import RiskState
from modules.telegram.command import Answer, Command, Group, Request, Role
from modules.telegram.commands.futures_view import futures_scopes
from modules.telegram.commands.positions import MODE_ARG, asked_mode
from modules.telegram.context import SCALPER, SHOWDOWN, Context
from modules.telegram.grids_held import on_paper
from modules.telegram.markup import b, esc, lines
from utils.figures import money, quantity

MOST = 25


async def balance(context: Context, request: Request) -> Answer:
    """A TEST account that is not open yet is said, and hides no other; LIVE without the exchange is no balance."""
    mode = asked_mode(context, request)
    others = [*await context.read(lambda: _futures(context, mode)), *await _grid(context, mode)]
    try:
        told = await context.worker("balance", {"mode": mode.value})
    except Unavailable as problem:
        if mode is Mode.LIVE:
            raise
        return Answer(lines(b("[TEST] Balance: no spot account"), esc(str(problem)), *others))
    return Answer(lines(*_spot(mode, told), *others))


def _spot(mode: Mode, told: dict[str, Any]) -> list[str | None]:
    rows = [f"{asset}: {quantity(entry['total'])}"
            + (f" ≈ {money(Decimal(entry['usdt']))}" if entry["usdt"] is not None and asset != "USDT" else "")
            + (f", {quantity(entry['locked'])} in orders" if Decimal(entry["locked"]) else "")
            for asset, entry in told["balances"].items()]
    source = "paper account" if mode is Mode.TEST else told["venue"]
    unpriced = told["unpriced"]
    return [b(f"[{mode}] Balance: {money(Decimal(told['equity']))} USDT"), f"Source: {esc(source)}", "",
            *map(esc, rows[:MOST]), f"… and {len(rows) - MOST} more" if len(rows) > MOST else None,
            f"Without a price: {esc(', '.join(unpriced))}" if unpriced else None,
            f"⚠️ {esc(told['note'])}" if told["note"] else None]


def _futures(context: Context, mode: Mode) -> list[str]:
    """A line for each system with a futures account of its own; one that is just being opened is said to be."""
    scopes = {scope.system: scope for scope in futures_scopes(context, [mode])}
    running = {name for name in (SHOWDOWN, SCALPER) if context.running(name) and mode is context.mode()}
    found = []
    for system in sorted(scopes.keys() | running):
        state = scopes[system].state if system in scopes else None
        problem = scopes[system].problem if system in scopes else ""
        if isinstance(state, RiskState) and state.equity is not None:
            text = f"{money(state.equity)} USDT, open results included"
            text += f"; ⚠️ its books cannot be read: {esc(problem)}" if problem else ""
        elif state is None or isinstance(state, RiskState):
            text = "the account is being opened" if system in running else "not read yet"
        else:
            text = f"⚠️ its risk state cannot be read: {esc(state.reason)}"
        found.append(f"{b('Futures ' + esc(system))}: {text}")
    return found


async def _grid(context: Context, mode: Mode) -> list[str]:
    """The standalone grid's account, where it is of this mode."""
    found, away = await context.read(context.grids.seen)
    told = [f"{b('Grid ' + esc(one.symbol))}: {money(one.seen.balance)} USDT "
            f"{'on paper' if on_paper(one.seen.word, context.settings) else 'at Bitget'}, as last read; open "
            f"{money(one.result, signed=True)}"
            for one in found if one.user_id == context.settings.gridlive.user and one.seen is not None
            and one.seen.balance is not None and one.seen.word == mode.value]
    return told + ([f"⚠️ The grid's account cannot be read: {esc(away)}"] if away else [])


COMMANDS = (
    Command("balance", "What the accounts hold", Group.TRADING, balance, Role.VIEWER, args=(MODE_ARG,)),
)
