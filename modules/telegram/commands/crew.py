"""Starting and stopping: /startbot /stopbot /stopall /restartbot /restartloop.

Positions are guarded whenever there are any (A17): /stopbot leaves the tracker on, /stopall asks first. Positions of
grids and futures are left with their stops (on the exchange; those of TEST on paper), and named.
"""

from collections.abc import Sequence
from decimal import Decimal

from modules.exchange.types import Mode
from modules.strategies.hype.records import Position
from modules.supervision.status import ServiceStatus
from modules.telegram import grids_held
from modules.telegram.command import Answer, Command, Group, Preview, Refusal, Request
from modules.telegram.commands.futures_view import futures_left
from modules.telegram.context import GRID, SCANNER, TRACKER, TRAINER, Context
from modules.telegram.markup import b, esc, lines
from modules.telegram.stats import exposure
from utils.figures import duration, money, plural


def open_positions(context: Context) -> dict[Mode, list[Position]]:
    """Positions by mode. Raises StateError when a file is damaged beyond its copy: never "none" instead (X15)."""
    return {mode: list(context.files(mode).tracked.load().values()) for mode in Mode}


def exposure_lines(held: dict[Mode, list[Position]]) -> list[str]:
    """What is at stake, a line for each mode that holds anything."""
    found = []
    for mode, positions in held.items():
        if positions:
            total = sum((exposure(position) for position in positions), Decimal(0))
            names = ", ".join(position.symbol for position in positions[:6]) + (" …" if len(positions) > 6 else "")
            found.append(f"{b(mode)}: {plural(len(positions), 'position')}, {money(total)} USDT: {esc(names)}")
    return found


async def grid_lines(context: Context) -> tuple[list[str], list[str]]:
    """(what grids hold, a line each; marks that a preview stands on). A database that is away is said, never "none"."""
    told, marks, _ = await grids_left(context)
    return told, marks


async def grids_left(context: Context) -> tuple[list[str], list[str], list[str]]:
    """The same, and what becomes of it once every service is stopped."""
    found, away = await context.read(context.grids.seen)
    told = grids_held.exposure_lines(found, context.settings.gridlive.user)
    return (told + ([grids_held.AWAY.format(esc(away))] if away else []), grids_held.marks(found),
            grids_held.left_lines(found, context.settings))


def venue(context: Context) -> str:
    """The exchange, as people call it."""
    name = context.settings.exchange.name
    return "simulated exchange" if name == "simulated" else name.upper()


def troubles(found: Sequence[ServiceStatus]) -> str | None:
    """What a person must know of services that did not start; None where all is well."""
    bad = [status for status in found if status.state not in ("ready", "starting")]
    if not bad:
        return None
    told = [f"{esc(status.title)}: {esc(status.state)}. "
            f"{esc(status.last_error) if status.state != 'stopped' else ''}".rstrip() for status in bad]
    return lines(b("Not everything started."), *told, f"→ /logs {bad[0].name} shows more; /status shows the crew.")


def stake(context: Context, mode: Mode) -> str:
    """What is at stake in a mode, said loudly where it is real."""
    if mode is Mode.TEST:
        return "paper money"
    return "🔴 account at the simulated exchange" if context.settings.exchange.name == "simulated" else "🔴 REAL MONEY"


def futures_stake(context: Context, mode: Mode) -> str:
    """The same of the futures account, which is at another exchange than the spot one."""
    if mode is Mode.TEST:
        return "paper money"
    futures = context.settings.futures
    if futures.name == "simulated":
        return "🔴 account at the simulated exchange" + (", spoken to as Bybit" if futures.speaks == "bybit" else "")
    tests = futures.bybit_testnet if futures.speaks == "bybit" else futures.testnet
    return f"🔴 {'test network' if tests else 'REAL MONEY'} at {futures.speaks.capitalize()}"


async def startbot(context: Context, request: Request) -> Answer:
    mode = context.mode()
    names = (TRACKER, SCANNER, TRAINER)
    before = all(context.running(name) for name in names)
    if not before:
        await request.progress(f"Starting on the {esc(venue(context))}, {b(mode)} mode …")
    trouble = troubles(await context.crew.start(*names))
    if trouble:
        raise Refusal(trouble)
    return Answer(await context.read(lambda: _started(context, mode, before)))


def _started(context: Context, mode: Mode, before: bool) -> str:
    hype = context.settings.hype
    size = (f"{hype.trade_share_pct:g}% of equity" if hype.trade_share_pct else f"{money(hype.trade_usdt)} USDT")
    paused = context.service(TRACKER)
    note = None
    stopped = paused.info.get(f"stopped_{mode.lower()}") if paused is not None else None
    if stopped:
        note = f"⚠️ Nothing is bought now: {esc(stopped)}. → /risk"
    scanner = context.service(SCANNER)
    away = scanner.info.get("error") if scanner is not None else ""
    soon = "⚠️ The exchange cannot be reached yet; I keep trying, and nothing is bought until then." if away else \
        "First candidates in about 2 to 5 min (market time); each purchase and sale is told here."
    head = "Already running" if before else "Running"
    return lines(
        f"{b(f'{head}: {venue(context)}, {mode} mode')}",
        f"Trades with {stake(context, mode)}.",
        f"Scanner looks every {duration(hype.scan_interval_s)}, tracker buys and guards, trainer learns.",
        f"Size {size} a trade, {hype.max_open_trades} at once, {money(hype.max_exposure_usdt)} USDT in all.",
        note,
        "",
        soon,
        "→ /why says why nothing is bought, /status shows the crew, /summary the result.",
    )


async def stopbot(context: Context, request: Request) -> Answer:
    kept = await context.crew.stop(SCANNER, TRACKER)
    held = await context.read(lambda: open_positions(context))
    learning = "The trainer goes on learning; /stoptrain stops it." if context.running(TRAINER) else None
    grids = [*(await grid_lines(context))[0], "The grid robot goes on; /stopgrid stops it."] if context.running(GRID) \
        else []
    if TRACKER in kept:
        return Answer(lines(b("Scanner stopped; the tracker goes on guarding."), *exposure_lines(held),
                            "Nothing more is bought. The tracker ends when the last position is sold.", learning,
                            *grids, "→ /sellall sells now, /stopall stops the guard as well, /startbot goes on."))
    return Answer(lines(b("Scanner and tracker stopped."), "No positions are open. Nothing is bought or sold.",
                        learning, *grids, "→ /startbot starts them again."))


async def stopall_preview(context: Context, request: Request) -> Preview | None:
    held = await context.read(lambda: open_positions(context))
    grids, marks, left = await grids_left(context)
    futures = await context.read(lambda: futures_left(context))
    if not any(held.values()) and not grids and not futures.told:
        return None
    marks += futures.marks
    marks += sorted(position.id for positions in held.values() for position in positions)
    bare = ("Their stops and targets live in the tracker, not on the exchange: "
            "nobody would sell them until the next start.") if any(held.values()) else None
    only = "/stopbot stops buying only" if any(held.values()) else None
    close = "/stopgrid close closes the grid first" if grids else None
    leave = "/closeleg, /closebtc, /stopscalper close close futures first" if futures.told else None
    return Preview(lines(b(f"[{context.mode()}] Stop everything with positions open?"), *exposure_lines(held), bare,
                         *grids, *left, *futures.told, *futures.after,
                         f"→ {'; '.join(one for one in (only, close, leave) if one)}."), ",".join(marks),
                   "Stop all, unguarded" if bare else "Stop all, leave with stops")


async def stopall(context: Context, request: Request) -> Answer:
    held = await context.read(lambda: open_positions(context))
    grids, _, grids_stay = await grids_left(context)
    futures = await context.read(lambda: futures_left(context))
    await context.crew.stop_all()
    left = [status.title for status in context.crew.status(False) if status.state not in ("stopped", "crash-loop")]
    if left:
        raise Refusal(lines(b("Not everything stopped: ") + esc(", ".join(left)), "→ /status, then /stopall again."))
    guard = [*exposure_lines(held), "⚠️ Unguarded until the next /startbot."] if any(held.values()) else []
    if grids:
        guard += [*grids, *grids_stay, "→ /startgrid goes on with them."]
    guard += [*futures.told, *futures.after]
    return Answer(lines(b(f"[{context.mode()}] Everything is stopped."), *guard, "I still listen.",
                        "→ /startbot starts the crew again."))


async def restartbot(context: Context, request: Request) -> Answer:
    await request.progress("Restarting scanner and tracker …")
    trouble = troubles(await context.crew.restart(TRACKER, SCANNER))
    if trouble:
        raise Refusal(trouble)
    return Answer(lines(b(f"[{context.mode()}] Scanner and tracker restarted."), "→ /status shows them."))


async def restartloop(context: Context, request: Request) -> Answer:
    context.request_restart()
    running = [status.title for status in context.crew.status(False) if status.state == "ready"]
    lives = f"{esc(', '.join(running))}: they live on." if running else "No service is running."
    return Answer(lines(b("The command process restarts."), lives, "I answer again in a few seconds."))


COMMANDS = (
    Command("startbot", "Start scanner, tracker and trainer", Group.CREW, startbot, money=True),
    Command("stopbot", "Stop buying; open positions stay guarded", Group.CREW, stopbot),
    Command("stopall", "Stop every service", Group.CREW, stopall, preview=stopall_preview),
    Command("restartbot", "Restart scanner and tracker", Group.CREW, restartbot, money=True),
    Command("restartloop", "Restart this command process; services live on", Group.CREW, restartloop,
            aliases=("restarloop",)),
)
