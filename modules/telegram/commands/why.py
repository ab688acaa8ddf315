"""/why [SYMBOL]: why nothing is bought, or not this token. The checks are the strategy's own (hype/why.py)."""

from modules.storage.damage import StateError
from modules.strategies.hype.why import Check, explain, headline
from modules.telegram.command import Answer, Arg, Command, Group, Request, Role
from modules.telegram.context import Context
from modules.telegram.markup import b, esc, lines


async def why(context: Context, request: Request) -> Answer:
    symbol = request.text("symbol")
    services = context.crew.status(False)
    try:
        checks = await context.read(lambda: explain(context.paths, context.settings, services, symbol or None))
    except StateError as problem:
        return Answer(lines(b(f"[{context.mode()}] Cannot tell: a state file is damaged."), esc(problem)))
    return Answer(render(checks, symbol, context.mode()))


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
