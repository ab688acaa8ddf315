"""/why [SYMBOL]: why nothing is bought, or not this token. The checks are the strategy's own (hype/why.py)."""

from modules.storage.damage import StateError
from modules.strategies.grid.live.standing import reasons
from modules.strategies.hype.why import Check, explain, headline
from modules.telegram.command import Answer, Arg, Command, Group, Request, Role
from modules.telegram.context import Context
from modules.telegram.grids_held import AWAY
from modules.telegram.markup import b, esc, lines


async def why(context: Context, request: Request) -> Answer:
    symbol = request.text("symbol")
    services = context.crew.status(False)
    try:
        checks = await context.read(lambda: explain(context.paths, context.settings, services, symbol or None))
    except StateError as problem:
        return Answer(lines(b(f"[{context.mode()}] Cannot tell: a state file is damaged."), esc(problem)))
    return Answer(lines(render(checks, symbol, context.mode()), *await _grid(context, symbol)))


async def _grid(context: Context, symbol: str) -> list[str]:
    """The standalone grid: why it opens nothing now. Nothing is said where there is none, or of another token."""
    found, away = await context.read(context.grids.seen)
    if away:
        return ["", AWAY.format(esc(away))]
    own = next((one for one in found if one.user_id == context.settings.gridlive.user), None)
    if own is None or symbol and symbol.upper() not in (own.symbol, own.symbol.removesuffix("USDT")):
        return []
    causes = reasons(own)
    word = f" [{own.seen.word}]" if own.seen is not None and own.seen.word else ""
    if not causes:
        return ["", f"✅ Grid {esc(own.symbol)}{word}: nothing stands in its way; it waits for a level or a signal."]
    return ["", b(f"Grid {own.symbol}{word}: opens nothing more now, or not on both sides:"),
            *(f"✖ {esc(one)}" for one in causes), "→ /grid"]


def render(checks: list[Check], symbol: str, mode: str) -> str:
    """The headline, what to do about it, then every check in order."""
    first = next((check for check in checks if not check.ok), None)
    todo = f"→ {esc(first.todo)}" if first is not None and first.todo else None
    return lines(b(f"[{mode}] {headline(checks, symbol)}"), todo, "",
                 *(_row(check, check is first) for check in checks))


def _row(check: Check, first: bool) -> str:
    """One check: a short line while it holds, figures and what to do where it fails."""
    mark = "✅" if check.ok else "❌" if first else "✖"
    figure = check.value + (f" (bar {check.limit})" if check.limit else "")
    if check.ok:
        return f"{mark} {esc(check.name)}" + (f": {esc(figure)}" if figure else "")
    todo = f"\n   → {esc(check.todo)}" if check.todo and not first else ""
    return f"{mark} {b(check.name)}: {esc(check.text)}" + (f"\n   {esc(figure)}" if figure else "") + todo


COMMANDS = (
    Command("why", "Why nothing is bought, or not this token", Group.HELP, why, Role.VIEWER,
            args=(Arg("symbol", "symbol", "e.g. PEPE"),)),
)
