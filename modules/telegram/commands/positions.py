"""Positions: /tracked /testtracked /sell /sellall /resync /cleartracked.

The tracker alone orders and writes (one writer): these commands leave messages in its inbox.
"""

from decimal import Decimal

from modules.exchange.types import Mode
from modules.execution.findings import ChangeKind
from modules.strategies.hype.desk_books import reconciled_file
from modules.strategies.hype.records import Position
from modules.telegram.command import Answer, Arg, Button, Command, Group, Handler, Preview, Refusal, Request, Role
from modules.telegram.commands.crew import exposure_lines, stake, troubles
from modules.telegram.context import TRACKER, Context
from modules.telegram.market_now import market_now
from modules.telegram.markup import b, esc, lines
from modules.telegram.stats import exposure, unrealised
from utils.figures import duration, money, pct, plural, price, quantity

PAGE = 8
MODE_ARG = Arg("mode", "choice", "test or live; default: the mode in use", choices=("test", "live"))
STATES = {"open": "", "closing": "selling", "halted": "trading halted", "delisted": "delisted", "external": "not ours"}


def asked_mode(context: Context, request: Request) -> Mode:
    """The mode named in the command, else the one in use."""
    named = request.text("mode")
    return Mode(named.upper()) if named else context.mode()


def other_mode(mode: Mode) -> Mode:
    return Mode.LIVE if mode is Mode.TEST else Mode.TEST


async def held_in(context: Context, mode: Mode) -> list[Position]:
    """Open positions of a mode, oldest first."""
    held = await context.read(lambda: context.files(mode).tracked.load())
    return sorted(held.values(), key=lambda position: position.opened_ms)


def _card(position: Position, now_ms: int) -> str:
    """One position on a phone."""
    gain = unrealised(position)
    last = position.last_price
    move = "" if last is None else f"{price(last)} ({pct((last / position.entry_price - 1) * 100)})"
    target = (f"TP{position.tp_hit + 1} {price(position.tp_prices[position.tp_hit])}"
              if position.tp_hit < len(position.tp_prices) else f"trails from {price(position.dynamic_peak)}")
    state = STATES[position.state]
    worth = f"open {money(gain, signed=True)}" if gain is not None else "value unknown"
    return lines(
        f"{b(position.symbol)} {esc(position.strategy)} {position.confidence:.2f}{f' · {b(state)}' if state else ''}",
        f"in {price(position.entry_price)} → {move or 'no price yet'}",
        f"SL {price(position.sl_price)} · {target}",
        f"{money(exposure(position))} USDT · {worth}"
        + (f" · taken {money(position.realized_usdt, signed=True)}" if position.realized_usdt else ""),
        f"{quantity(position.quantity)} of {quantity(position.initial_quantity)} left, "
        f"held {duration((now_ms - position.opened_ms) / 1000)}",
    )


async def tracked(context: Context, request: Request) -> Answer:
    mode = asked_mode(context, request)
    held = await held_in(context, mode)
    if not held:
        others = await held_in(context, other_mode(mode))
        also = f"{other_mode(mode)} holds {plural(len(others), 'position')}: /tracked {other_mode(mode).lower()}"
        return Answer(lines(b(f"[{mode}] No open positions."), also if others else None, "→ /why says why."))
    now_ms = await market_now(context)
    page = max(1, min(request.number("page", 1), (len(held) + PAGE - 1) // PAGE))
    shown = held[(page - 1) * PAGE: page * PAGE]
    worth = sum((exposure(position) for position in held), Decimal(0))
    head = b(f"[{mode}] {plural(len(held), 'open position')}") + f", {money(worth)} USDT"
    return Answer("\n\n".join([head, *(_card(position, now_ms) for position in shown)]),
                  buttons=_buttons(mode, page, len(held)))


def _buttons(mode: Mode, page: int, count: int) -> tuple[tuple[Button, ...], ...]:
    return pager(f"/tracked {mode.lower()}", page, (count + PAGE - 1) // PAGE)


def pager(line: str, page: int, pages: int) -> tuple[tuple[Button, ...], ...]:
    """Buttons to the pages around; `line` is the command without its page."""
    row = []
    if page > 1:
        row.append(Button("← newer", f"run:{line} {page - 1}"))
    if page < pages:
        row.append(Button(f"{page + 1}/{pages} →", f"run:{line} {page + 1}"))
    return (tuple(row),) if row else ()


def only_test(handler: Handler) -> Handler:
    """The same command for the test files."""
    async def run(context: Context, request: Request) -> Answer:
        values = {**request.values, "mode": "test"}
        return await handler(context, Request(request.sender, request.role, values, request.progress))

    return run


async def _find(context: Context, symbol: str) -> list[Position]:
    """The positions held in a symbol, of both modes."""
    found = [position for mode in Mode for position in await held_in(context, mode) if position.symbol == symbol]
    if found:
        return found
    every = [position.symbol for mode in Mode for position in await held_in(context, mode)]
    held = f"Held: {esc(', '.join(every))}." if every else "Nothing is held."
    raise Refusal(lines(f"{b(symbol)} is not held.", held))


def _cost_of_leaving(position: Position) -> str:
    gain = unrealised(position)
    open_gain = "unknown" if gain is None else f"{money(gain, signed=True)} USDT before fees"
    return (f"{b(f'[{position.mode}] {position.symbol}')}: {quantity(position.quantity)}, "
            f"about {money(exposure(position))} USDT, open result {open_gain}")


async def sell_preview(context: Context, request: Request) -> Preview:
    found = await _find(context, request.text("symbol"))
    return Preview(lines(b("Sell at market?"), *(_cost_of_leaving(position) for position in found),
                         _stakes(context, found)),
                   _marks(found), f"Sell {request.text('symbol')}")


def _stakes(context: Context, positions: list[Position]) -> str:
    """What the positions are made of; LIVE first, it is the one that hurts."""
    found = [stake(context, mode) for mode in (Mode.LIVE, Mode.TEST)
             if any(position.mode == mode for position in positions)]
    return f"At stake: {', '.join(found)}."


def _marks(positions: list[Position]) -> str:
    return ",".join(sorted(f"{position.id}:{position.quantity}" for position in positions))


async def sell(context: Context, request: Request) -> Answer:
    found = await _find(context, request.text("symbol"))
    for position in found:
        context.post(TRACKER, "sell", {"symbol": position.symbol, "mode": position.mode, "reason": "manual"})
    late = await ensure_tracker(context)
    return Answer(lines(b(f"Selling {found[0].symbol}."), late, "The tracker tells each sale here."))


async def sellall_preview(context: Context, request: Request) -> Preview | Answer:
    held = await _held(context, request)
    every = [position for positions in held.values() for position in positions]
    if not every:
        return Answer(b("Nothing is held: nothing to sell."))
    gains = [gain for position in every if (gain := unrealised(position)) is not None]
    return Preview(lines(b(f"Sell all {plural(len(every), 'position')} at market?"), *exposure_lines(held),
                         f"Open result {money(sum(gains, Decimal(0)), signed=True)} USDT before fees.",
                         _stakes(context, every),
                         "Afterwards the same tokens are not bought straight back."), _marks(every), "Sell everything")


async def _held(context: Context, request: Request) -> dict[Mode, list[Position]]:
    modes = [Mode(request.text("mode").upper())] if request.text("mode") else list(Mode)
    return {mode: await held_in(context, mode) for mode in modes}


async def sellall(context: Context, request: Request) -> Answer:
    held = await _held(context, request)
    for mode, positions in held.items():
        if positions:
            context.post(TRACKER, "sell_all", {"mode": mode, "reason": "manual"})
    late = await ensure_tracker(context)
    count = sum(len(positions) for positions in held.values())
    return Answer(lines(b(f"Selling {plural(count, 'position')}."), late, "The tracker tells each sale here.",
                        "→ /stopbot if nothing new shall be bought."))


async def ensure_tracker(context: Context) -> str | None:
    """Only the tracker sells: start it if it is not there."""
    if context.running(TRACKER):
        return None
    trouble = troubles(await context.crew.start(TRACKER))
    if trouble:
        raise Refusal(lines("The tracker is not running and did not start: the sale waits for it.", trouble))
    return "The tracker was not running; it has been started for this."


async def _changes(context: Context, mode: Mode, clear: bool) -> list[dict[str, str]]:
    """What would change, by history and account. Raises Unavailable: an account not read is never empty (X15)."""
    hype = context.settings.hype.model_dump(mode="json")
    told = await context.worker("resync_changes", {"mode": mode.value, "clear": clear, "hype": hype})
    found: list[dict[str, str]] = told["changes"]
    return found if clear else [*found, *await context.read(lambda: _notes(context, mode))]


def _notes(context: Context, mode: Mode) -> list[dict[str, str]]:
    """What /resync would note about coins and cash, by the tracker's own findings (/reconcile)."""
    report = reconciled_file(context.paths, mode).load().report
    return [{"symbol": finding.subject, "kind": "note", "line": f"note: {finding.sentence()}"}
            for finding in (report.findings if report else ())
            if finding.change.kind in (ChangeKind.NOTE_EXTERNAL, ChangeKind.REDUCE_POSITION)]


def _listed(changes: list[dict[str, str]]) -> list[str]:
    more = f"… and {len(changes) - 12} more" if len(changes) > 12 else ""
    return [*(esc(change["line"]) for change in changes[:12]), *([more] if more else [])]


def _same(mode: Mode, changes: list[dict[str, str]]) -> str:
    return f"{mode}:" + ";".join(change["line"] for change in changes)


async def resync_preview(context: Context, request: Request) -> Preview | Answer:
    mode = asked_mode(context, request)
    changes = await _changes(context, mode, clear=False)
    if not changes:
        held = await held_in(context, mode)
        return Answer(lines(b(f"[{mode}] Nothing to mend."),
                            f"Tracked: {plural(len(held), 'position')}, as history and account say."))
    return Preview(lines(b(f"[{mode}] Rebuild the tracked tokens?"), *_listed(changes),
                         "By the trade history and the account. Nothing is bought or sold."),
                   _same(mode, changes), "Rebuild")


async def resync(context: Context, request: Request) -> Answer:
    mode = asked_mode(context, request)
    context.post(TRACKER, "resync", {"mode": mode})
    late = await ensure_tracker(context)
    return Answer(lines(b(f"[{mode}] Rebuilding the tracked tokens."), late, "The tracker tells here what changed."))


async def cleartracked_preview(context: Context, request: Request) -> Preview | Answer:
    mode = asked_mode(context, request)
    changes = await _changes(context, mode, clear=True)
    if not changes:
        return Answer(lines(b(f"[{mode}] Nothing to clear."), "Every tracked token is still held."))
    gone = {change["symbol"] for change in changes}
    worth = sum((exposure(position) for position in await held_in(context, mode) if position.symbol in gone),
                Decimal(0))
    return Preview(lines(b(f"[{mode}] Drop {plural(len(changes), 'token')} that the account no longer holds?"),
                         *_listed(changes),
                         f"About {money(worth)} USDT is tracked that is not there. Nothing is sold."),
                   _same(mode, changes), "Drop them")


async def cleartracked(context: Context, request: Request) -> Answer:
    mode = asked_mode(context, request)
    symbols = [change["symbol"] for change in await _changes(context, mode, clear=True)]
    context.post(TRACKER, "clear_tracked", {"mode": mode, "symbols": symbols})
    late = await ensure_tracker(context)
    return Answer(lines(b(f"[{mode}] Dropping {plural(len(symbols), 'token')}."), late, "The tracker tells it here."))


_PAGE_ARG = Arg("page", "int", low=1, high=9999)
_SYMBOL_ARG = Arg("symbol", "symbol", "e.g. PEPE or PEPEUSDT", required=True)
COMMANDS = (
    Command("tracked", "Open positions", Group.TRADING, tracked, Role.VIEWER, args=(MODE_ARG, _PAGE_ARG)),
    Command("testtracked", "Open positions in test mode", Group.TRADING, only_test(tracked), Role.VIEWER,
            args=(_PAGE_ARG,)),
    Command("sell", "Sell one token at market", Group.TRADING, sell, args=(_SYMBOL_ARG,), preview=sell_preview,
            money=True),
    Command("sellall", "Sell everything at market", Group.TRADING, sellall, args=(MODE_ARG,), preview=sellall_preview,
            money=True),
    Command("resync", "Rebuild tracked tokens from history and exchange", Group.TRADING, resync, args=(MODE_ARG,),
            preview=resync_preview, money=True),
    Command("cleartracked", "Drop tokens no longer held", Group.TRADING, cleartracked, args=(MODE_ARG,),
            preview=cleartracked_preview, money=True),
)
