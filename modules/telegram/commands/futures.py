"""Futures accounts from a phone: /futures shows every leg, /release lets a stopped one enter, /closeleg leaves one.

Each word is a message to the account's keeper (``execution/futures/risk_inbox.py``), whichever system it belongs to.
"""

from collections.abc import Sequence

from modules.exchange.types import Mode
from modules.telegram.command import Answer, Arg, Command, Group, Preview, Refusal, Request, Role
from modules.telegram.commands.crew import futures_stake
from modules.telegram.commands.futures_view import FuturesScope, futures_scopes
from modules.telegram.context import Context
from modules.telegram.markup import b, esc, lines

MODE_ARG = Arg("mode", "choice", "test or live; needed where both hold one", choices=("test", "live"))
SIDE_ARG = Arg("side", "choice", "long, short, or both in one-way mode; needed where several fit",
               choices=("long", "short", "both"))
SYMBOL_ARG = Arg("symbol", "symbol", "the contract", required=True)
Leg = tuple[FuturesScope, str]


async def _scopes(context: Context, request: Request) -> list[FuturesScope]:
    named = request.text("mode")
    modes = [Mode(named.upper())] if named else list(Mode)
    return await context.read(lambda: futures_scopes(context, modes))


def _fits(leg: str, request: Request) -> bool:
    symbol, _, side = leg.partition(" ")
    return symbol == request.text("symbol") and request.text("side", side).upper() == side


def _one(found: Sequence[Leg], request: Request, none: str) -> Leg:
    """The leg that is meant. Raises Refusal where there is none, or more than one."""
    if not found:
        raise Refusal(none)
    if len(found) > 1:
        told = ", ".join(f"{leg} [{scope.name}]" for scope, leg in found)
        raise Refusal(lines(f"Several fit: {esc(told)}.", "→ Name the side, and test or live."))
    return found[0]


async def _stopped(context: Context, request: Request) -> Leg:
    scopes = await _scopes(context, request)
    found = [(scope, leg) for scope in scopes for leg in scope.blocked if _fits(leg, request)]
    stopped = ", ".join(f"{leg} [{scope.name}]" for scope in scopes for leg in scope.blocked) or "none"
    return _one(found, request, lines(f"{esc(request.text('symbol'))} is not stopped.",
                                      f"Stopped until released: {esc(stopped)}."))


async def _open(context: Context, request: Request) -> Leg:
    scopes = await _scopes(context, request)
    found = [(scope, str(leg.key)) for scope in scopes for leg in scope.legs if _fits(str(leg.key), request)]
    legs = ", ".join(f"{leg.key} [{scope.name}]" for scope in scopes for leg in scope.legs) or "none"
    return _one(found, request, lines(f"No futures position in {esc(request.text('symbol'))} is open.",
                                      f"Open: {esc(legs)}."))


def _stake(context: Context, scope: FuturesScope) -> str:
    return f"At stake: {futures_stake(context, scope.mode)}."


def _post(context: Context, request: Request, scope: FuturesScope, kind: str, leg: str) -> str | None:
    """Leave the word; what is to be said where nobody takes it now."""
    symbol, _, side = leg.partition(" ")
    by = request.sender.name or request.sender.channel
    context.post(scope.inbox, kind, {"symbol": symbol, "side": side, "by": by})
    return None if context.running(scope.system) else \
        f"{esc(scope.system)} is not running; it will read this when it starts."


async def release_preview(context: Context, request: Request) -> Preview:
    scope, leg = await _stopped(context, request)
    held = next((one for one in scope.legs if str(one.key) == leg), None)
    amount = f"{abs(held.quantity).normalize():f} are" if held else "nothing is"
    ours = f"By our fills {amount} held there."
    return Preview(lines(b(f"[{scope.name}] Release {leg}?"), f"It takes no entries because {esc(scope.blocked[leg])}.",
                         ours, "What the exchange holds beyond that counts as yours from then on and is left alone.",
                         _stake(context, scope)), f"{leg} {scope.blocked[leg]}", "Release")


async def release(context: Context, request: Request) -> Answer:
    scope, leg = await _stopped(context, request)
    late = _post(context, request, scope, "release", leg)
    return Answer(lines(b(f"[{scope.name}] {leg} is being released."), late, "→ Told here when it is done."))


async def close_preview(context: Context, request: Request) -> Preview:
    scope, leg = await _open(context, request)
    held = next(one for one in scope.legs if str(one.key) == leg)
    return Preview(lines(b(f"[{scope.name}] Close {leg}?"),
                         f"{abs(held.quantity).normalize():f} held, average {round(held.average, 8).normalize():f}.",
                         "Waiting entries of it are cancelled first; it goes on, widening its price, until it is flat.",
                         "The system may open it again by its own rules: /pause stops that.",
                         _stake(context, scope)), f"{leg} {held.quantity}", "Close")


async def close(context: Context, request: Request) -> Answer:
    scope, leg = await _open(context, request)
    late = _post(context, request, scope, "close", leg)
    return Answer(lines(b(f"[{scope.name}] {leg} is being closed."), late, "→ /futures shows what is left."))


async def futures(context: Context, request: Request) -> Answer:
    parts = []
    for scope in await _scopes(context, request):
        running = None if context.running(scope.system) else \
            f"{esc(scope.system)} is not running; figures are its last."
        parts.append(lines(b(f"[{scope.name}]"), *(esc(line) for line in scope.exposure()),
                           *(f"{esc(str(leg.key))} is being closed: {esc(leg.closing)}" for leg in scope.legs
                             if leg.closing),
                           *(esc(f"⚠️ {leg} takes no entries: {why}. → /release {leg.lower()}")
                             for leg, why in sorted(scope.blocked.items())), running))
    return Answer("\n\n".join(parts) or lines("No system has traded futures here yet.",
                                               "→ /startbtc starts system C; docs/FUTURES.md tells how."))


COMMANDS = (
    Command("futures", "Futures accounts: legs, margin, what is stopped", Group.TRADING, futures, Role.VIEWER,
            args=(Arg("mode", "choice", "test or live; default: both", choices=("test", "live")),)),
    Command("release", "Let a stopped futures leg take entries again", Group.TRADING, release,
            args=(SYMBOL_ARG, SIDE_ARG, MODE_ARG), preview=release_preview, money=True),
    Command("closeleg", "Close one futures leg now", Group.TRADING, close,
            args=(SYMBOL_ARG, SIDE_ARG, MODE_ARG), preview=close_preview, money=True),
)
