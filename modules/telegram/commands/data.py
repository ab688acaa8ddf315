"""Data: /backup /cleanup /cleartestdata."""

import asyncio
from decimal import Decimal

from modules.exchange.types import Mode
from modules.storage.archive import BackupError
from modules.storage.backup import default_target, make_backup
from modules.telegram import housekeeping
from modules.telegram.command import Answer, Arg, Command, Group, Preview, Refusal, Request
from modules.telegram.commands.crew import troubles
from modules.telegram.commands.positions import held_in
from modules.telegram.context import SCANNER, TRACKER, Context
from modules.telegram.markup import b, code, esc, lines
from modules.telegram.stats import exposure
from utils.figures import megabytes, money, plural


async def cleanup_preview(context: Context, request: Request) -> Preview | Answer:
    days = request.number("days", housekeeping.OLD_DAYS)
    found = await context.read(lambda: housekeeping.old_files(context.paths, days))
    if not found.files:
        return Answer(f"Nothing to clean up: no candle table or picture is older than {plural(days, 'day')}.")
    names = ", ".join(path.name for path in found.files[:6]) + (" …" if len(found.files) > 6 else "")
    return Preview(lines(b(f"Delete {plural(len(found.files), 'file')} older than {plural(days, 'day')}?"), esc(names),
                         f"{found.megabytes:.1f} MB of candle tables and pictures. Trades, positions, candidates and "
                         "models stay."), str(len(found.files)), "Delete")


async def cleanup(context: Context, request: Request) -> Answer:
    days = request.number("days", housekeeping.OLD_DAYS)
    found = await context.read(lambda: housekeeping.old_files(context.paths, days))
    size = found.megabytes
    gone = await context.read(found.remove)
    return Answer(b(f"{plural(gone, 'file')} deleted, {size:.1f} MB."))


async def cleartestdata_preview(context: Context, request: Request) -> Preview | Answer:
    found = await context.read(lambda: housekeeping.test_files(context.paths))
    if not found.files:
        return Answer(b("[TEST] There is no test data."))
    held = await held_in(context, Mode.TEST)
    worth = sum((exposure(position) for position in held), Decimal(0))
    open_line = (f"Gone unsold: {plural(len(held), 'open paper position')} worth {money(worth)} USDT."
                 if held else "No paper position is open.")
    return Preview(lines(b("[TEST] Delete all test data?"), esc(", ".join(path.name for path in found.files)),
                         open_line, f"The paper account starts again with "
                         f"{money(context.settings.exchange.paper_usdt)} USDT. Live data is not touched. "
                         "This cannot be undone."),
                   ",".join(sorted(position.id for position in held)), "Delete test data")


async def cleartestdata(context: Context, request: Request) -> Answer:
    """Stop the writers, delete, start again what ran: they hold the old state in memory.

    The tracker stops for this moment even with positions open (`guard_off`); live ones are guarded again at once.
    """
    names = [name for name in (SCANNER, TRACKER)
             if (status := context.service(name)) is not None and status.state not in ("stopped", "crash-loop")]
    if names:
        await request.progress("Stopping scanner and tracker for a moment …")
    context.guard_off = True
    try:
        await context.crew.stop(*names)
        if await context.read(lambda: housekeeping.writer_running(context.paths)):
            raise Refusal(lines(b("[TEST] Nothing was deleted."), "The tracker still runs, and it writes them.",
                                "→ /stopall (or bot.py stop), then again."))
        found = await context.read(lambda: housekeeping.test_files(context.paths))
        gone = await context.read(found.remove)
    finally:
        context.guard_off = False
    trouble = troubles(await context.crew.start(*names)) if names else None
    return Answer(lines(b(f"[TEST] Test data deleted: {plural(gone, 'file')}."),
                        f"The paper account has {money(context.settings.exchange.paper_usdt)} USDT again.", trouble))


async def backup(context: Context, request: Request) -> Answer:
    """Make a backup while everything runs; the writers wait for milliseconds."""
    await request.progress("Backing up …")
    target = default_target(context.paths)
    try:
        made = await asyncio.to_thread(make_backup, context.paths, target)
    except (BackupError, OSError) as problem:
        raise Refusal(lines(b("No backup was made."), esc(problem), "→ Make room, or try again.")) from problem
    size = target.stat().st_size
    return Answer(lines(
        b(f"Backup made: {megabytes(size / 1e6)}"), code(f"backups/{target.name}"),
        f"{plural(len(made.files), 'file')}, written and read back; writers waited {made.held_ms} ms.",
        "In it: positions, histories, intents, risk state, paper account, candidates, models, test mode.",
        "Not in it: keys (.env) and settings (YAML), logs, candles, waiting messages.",
        *(esc(f"Note: {note}") for note in made.notes),
        "→ Copy it to another place. Restore: python scripts/restore.py FILE (docs/OPERATIONS.md)."))


COMMANDS = (
    Command("backup", "Back up state and models, without keys", Group.DATA, backup),
    Command("cleanup", "Delete candle tables and pictures older than 3 days", Group.DATA, cleanup,
            preview=cleanup_preview, args=(Arg("days", "int", "default 3", low=1, high=3650),)),
    Command("cleartestdata", "Delete everything test mode has written", Group.DATA, cleartestdata,
            preview=cleartestdata_preview),
)
