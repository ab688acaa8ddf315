"""Trading state and limits: /pause /resume /drain /flatten /shutdown /kill /risk (X34–X36).

Each word is previewed with the exact exposure, mode by mode, and confirmed. The tracker alone carries words out: they
are messages in its inbox. /shutdown ends the processes and is the command process' own work.
"""

from collections.abc import Sequence
from decimal import Decimal

from msgspec.structs import replace

from modules.exchange.types import Mode
from modules.execution import risk_commands
from modules.execution.risk import measures, standing
from modules.execution.risk_state import Command as Word
from modules.execution.risk_state import Limit, Measure, RiskState, Trading, Unreadable
from modules.execution.risk_words import moment
from modules.telegram.command import Answer, Arg, Command, Group, Handler, Preview, Previewer, Request, Role
from modules.telegram.commands import grid_words
from modules.telegram.commands.crew import exposure_lines, stake, stopall, troubles
from modules.telegram.commands.futures_view import FuturesScope, futures_scopes
from modules.telegram.commands.positions import ensure_tracker
from modules.telegram.commands.risk_view import Scope, exposed, modes_of, scopes, speed
from modules.telegram.context import SCANNER, TRACKER, Context
from modules.telegram.market_now import market_now
from modules.telegram.markup import b, esc, lines, pre
from utils.figures import duration, money

BOTH_ARG = Arg("mode", "choice", "test or live; default: both", choices=("test", "live"))
OLD_PRICE_S = 120.0
_SHORT = {Limit.DAY_LOSS: "day loss", Limit.WEEK_LOSS: "week loss", Limit.DRAWDOWN: "drawdown",
          Limit.EXPOSURE: "exposure", Limit.LOSING_STREAK: "losses", Limit.STALE_EQUITY: "equity age",
          Limit.STALE_DATA: "price age"}


Found = Sequence[Scope | FuturesScope]


async def _age_line(context: Context, found: Found) -> str | None:
    """Said where the prices of a preview are old."""
    seen = [one.last_seen_ms for scope in found if isinstance(scope, Scope) for one in scope.held
            if one.last_price is not None]
    age_s = (await market_now(context) - min(seen)) / 1000 if seen else 0.0
    return f"⚠️ Prices are {duration(age_s)} old." if age_s > OLD_PRICE_S * speed(context) else None


def _refused(scope: Scope | FuturesScope, word: Word) -> str:
    """Why a mode cannot follow a word now."""
    state = scope.state
    if scope.words:  # earlier words come first; whoever takes them knows what they led to, and judges
        return ""
    if isinstance(state, Unreadable):
        return "" if word in (Word.RESUME, Word.FLATTEN, Word.SHUTDOWN) else \
            "the risk state cannot be read; nothing enters anyway"
    if word is Word.RESUME:  # what has to be accepted is accepted by the confirmation
        state = replace(state, killed=False)
    return risk_commands.refusal(state, word, accept_drawdown=True)


def _shown(scope: Scope | FuturesScope, word: Word) -> list[str]:
    """The preview of one mode."""
    refused = _refused(scope, word)
    if isinstance(scope, FuturesScope):
        return [esc(line) for line in scope.lines(word, refused)]
    told = risk_commands.Preview(word, scope.mode.value, refused, tuple(exposed(scope.held)), scope.entries)
    return [esc(line) for line in told.lines()]


def previewer(word: Word, question: str, yes: str, *notes: str) -> Previewer:
    """The preview of a word over the modes it concerns."""
    async def preview(context: Context, request: Request) -> Preview | Answer:
        found = await scopes(context, request)
        rows = [line for scope in found for line in _shown(scope, word)]
        grid = await grid_words.concerned(context, modes_of(request), word.value)
        if word is not Word.SHUTDOWN and not grid.one and all(_refused(scope, word) for scope in found):
            return Answer(lines(*rows, "→ /risk shows the state."))
        live = next((f"At stake: {stake(context, Mode.LIVE)}." for scope in found
                     if scope.mode is Mode.LIVE and _stakes(scope)), None)
        mark = ";".join([*(scope.mark for scope in found), grid.mark]) if word in (Word.FLATTEN, Word.SHUTDOWN) else ""
        return Preview(lines(b(question), *rows, *grid.told, live, await _age_line(context, found), *notes), mark, yes)

    return preview


def _by(request: Request) -> str:
    return request.sender.name or request.sender.channel


def _stakes(scope: Scope | FuturesScope) -> bool:
    return bool(scope.legs or scope.problem) if isinstance(scope, FuturesScope) else bool(scope.held)


def _tell(context: Context, request: Request, scope: Scope | FuturesScope, word: str, accept: bool = False) -> None:
    """Leave a word for whoever keeps the account."""
    inbox = scope.inbox if isinstance(scope, FuturesScope) else TRACKER
    context.post(inbox, "risk", {"mode": scope.mode.value, "command": word, "by": _by(request), "accept": accept})


async def _post(context: Context, request: Request, word: Word, accept: bool = False) -> list[Scope | FuturesScope]:
    """Leave a word for every mode that can follow it; returns those."""
    found = [scope for scope in await scopes(context, request) if not _refused(scope, word)]
    for scope in found:
        _tell(context, request, scope, word.value, accept)
    return found


def _modes(found: Found) -> str:
    return ", ".join(scope.name for scope in found) or "no mode"


def _held(found: Found) -> list[str]:
    """What is held, in lines."""
    spot = {scope.mode: scope.held for scope in found if isinstance(scope, Scope)}
    futures = [esc(f"[{scope.name}] {line}") for scope in found if isinstance(scope, FuturesScope) and _stakes(scope)
               for line in scope.exposure()]
    return [*exposure_lines(spot), *futures]


def _idle(context: Context, found: Found) -> list[str]:
    """Services of futures accounts that would have to take a word, and do not run."""
    return sorted({scope.system for scope in found if isinstance(scope, FuturesScope)
                   and not context.running(scope.system)})


def _late(context: Context, found: Found) -> str | None:
    away = [] if context.running(TRACKER) else ["The tracker is not running; it will read this when it starts."]
    held = {scope.system for scope in found if isinstance(scope, FuturesScope) and scope.mode is Mode.LIVE
            and _stakes(scope)}
    away += [f"{esc(name)} is not running; it will read this when it starts."
             + (" Its stops stand on the exchange." if name in held else "") for name in _idle(context, found)]
    return lines(*away) if away else None


async def _start(context: Context, found: Found) -> str | None:
    """Who has to carry a word out is started."""
    told = [await ensure_tracker(context)]
    known = [name for name in _idle(context, found) if context.service(name) is not None]
    if known:
        told.append(troubles(await context.crew.start(*known)))
    return lines(*told, _late(context, found)) or None


def say(word: Word, done: str, *notes: str, needs_tracker: bool = False) -> Handler:
    """The handler of a word: posts it, says what follows."""
    async def handler(context: Context, request: Request) -> Answer:
        found = await _post(context, request, word)
        late = await _start(context, found) if needs_tracker else _late(context, found)
        grid = await grid_words.obey(context, request, modes_of(request), word.value)
        return Answer(lines(b(f"[{_modes(found)}] {done}"), *_held(found), *grid, late, *notes))

    return handler


async def pause_preview(context: Context, request: Request) -> Preview | Answer | None:
    if request.text("on", "on") == "off":
        return await resume_preview(context, request)
    return await _pause_preview(context, request)


async def pause(context: Context, request: Request) -> Answer:
    if request.text("on", "on") == "off":
        return await resume(context, request)
    return await _pause(context, request)


def _to_accept(scope: Scope | FuturesScope) -> list[str]:
    """What a RESUME has to be told expressly."""
    state = scope.state
    if isinstance(state, Unreadable):
        return [f"⚠️ Its risk state cannot be read and starts anew: {state.reason}"]
    told = []
    if state.killed:
        told.append("⚠️ The kill switch is on; this takes it off.")
    if Limit.DRAWDOWN in state.latched:
        told.append(f"⚠️ The drawdown limit is broken (peak {money(state.peak or 0)}, equity "
                    f"{money(state.equity or 0)} USDT). Resuming accepts the loss: the peak starts anew.")
    return told


async def resume_preview(context: Context, request: Request) -> Preview | Answer:
    found = await scopes(context, request)
    now_ms = await market_now(context)
    can = [scope for scope in found if not _refused(scope, Word.RESUME)]
    rows: list[str] = []
    for scope in found:
        if scope in can:
            rows += [*_shown(scope, Word.RESUME), *map(esc, _to_accept(scope))]
        else:
            still = standing(scope.state, now_ms)
            rows += [*_shown(scope, Word.RESUME), *(esc(f"   {why}{_until(scope.state)}") for why in still)]
    if not can:
        return Answer(lines(*rows, "→ /risk shows the limits, /why why nothing is bought."))
    live = f"New LIVE entries trade with {stake(context, Mode.LIVE)}." if context.mode() is Mode.LIVE else None
    return Preview(lines(b("Buy again?"), *rows, live), ";".join(
        f"{scope.name} {_to_accept(scope)}" for scope in found), "Buy again")


def _until(state: RiskState | Unreadable) -> str:
    ends = [until for until in state.latched.values() if until] if isinstance(state, RiskState) else []
    return f", until {moment(max(ends))}" if ends else ""


async def resume(context: Context, request: Request) -> Answer:
    found = await _post(context, request, Word.RESUME, accept=True)
    scanner = None if context.running(SCANNER) else "The scanner is not running: → /startbot."
    return Answer(lines(b(f"[{_modes(found)}] Entries are allowed again."), _late(context, found), scanner,
                        await grid_words.waits(context, modes_of(request)),
                        "→ /risk shows what else may stop them."))


async def kill_preview(context: Context, request: Request) -> Preview | Answer:
    found = await scopes(context, request, unopened=True)
    grid = await grid_words.concerned(context, modes_of(request), grid_words.KILL)
    if not grid.one and all(isinstance(scope.state, RiskState) and scope.state.killed for scope in found):
        return Answer(lines(b("The kill switch is on already."), "→ /resume takes it off, after asking."))
    waiting = sum(scope.entries for scope in found if isinstance(scope, Scope))
    return Preview(lines(b(f"Kill switch for {_modes(found)}?"),
                         "Nothing enters any more, in any way, until /resume is confirmed.",
                         f"Waiting entries dropped: {waiting}.",
                         *([*_held(found), *grid.told] or ["No positions are open."]),
                         "Positions stay guarded and leave by their exits; /flatten would sell them."), "", "Kill")


async def kill(context: Context, request: Request) -> Answer:
    found = await scopes(context, request, unopened=True)
    for scope in found:
        _tell(context, request, scope, "KILL")
    grid = await grid_words.obey(context, request, modes_of(request), grid_words.KILL)
    return Answer(lines(b(f"[{_modes(found)}] Kill switch pulled: nothing enters."), *grid, _late(context, found),
                        "→ /resume takes it off, after asking. /flatten sells everything."))


async def risk(context: Context, request: Request) -> Answer:
    named = request.text("mode")
    now_ms = await market_now(context)
    parts = []
    for mode in [Mode(named.upper())] if named else sorted(Mode, key=lambda one: one is not context.mode()):
        state = await context.read(context.files(mode).read_risk)
        idle = isinstance(state, RiskState) and state.equity is None and state.trading is Trading.ACTIVE
        if named or mode is context.mode() or not idle:
            parts.append(_risk_of(context, mode.value, state, now_ms, context.running(TRACKER)))
    for scope in await context.read(lambda: futures_scopes(context, modes_of(request))):
        parts.append(lines(_risk_of(context, scope.name, scope.state, now_ms, context.running(scope.system)),
                           *(esc(line) for line in scope.exposure()),
                           *(esc(f"⚠️ {leg} takes no entries: {why}. → /release {leg.lower()}")
                             for leg, why in sorted(scope.blocked.items()))))
    running = None if context.running(TRACKER) else "The tracker is not running: figures are its last ones."
    return Answer("\n\n".join([*parts, *([running] if running else [])]))


def _risk_of(context: Context, mode: str, state: RiskState | Unreadable, now_ms: int, running: bool) -> str:
    if isinstance(state, Unreadable):
        return lines(b(f"[{mode}] The risk state cannot be read"), esc(state.reason), "Entries are refused, exits run.",
                     "→ Restore a backup, or /resume to start it anew.")
    since = f" since {moment(state.since_ms)}" if state.since_ms else ""
    by = f", by {state.by}" if state.by else ""
    equity = "not measured yet" if state.equity is None else (
        f"{money(state.equity)} USDT · peak {money(state.peak or state.equity)} · in positions {money(state.exposure)}")
    settings = context.settings.risk.at_speed(speed(context))
    if not running:
        settings = settings.model_copy(update={"equity_stale_s": 0.0, "data_stale_s": 0.0})
    rows = [_row(state, seen, now_ms) for seen in measures(state, now_ms, settings)]
    stopped = standing(state, now_ms)
    return lines(b(f"[{mode}] Trading: {state.trading}") + esc(since + by),
                 esc(state.reason) if state.reason else None,
                 "Kill switch: " + (b("ON") if state.killed else "off"), f"Equity: {esc(equity)}",
                 f"Day from {money(state.day_start)} · week from {money(state.week_start or 0)}"
                 if state.day_start is not None else None,
                 pre(["limit          now / most   used", *rows]) if rows else None,
                 *(esc(f"Until {moment(until)} no entries: {_SHORT[limit]}") for limit, until in state.latched.items()
                   if until > now_ms),
                 "Entries are open." if not stopped else "→ /resume opens entries again, if a person stopped them.")


def _row(state: RiskState, seen: Measure, now_ms: int) -> str:
    """One limit, narrow enough for a phone."""
    until = state.latched.get(seen.limit)
    broken = (until is not None and (until == 0 or now_ms < until)) or seen.value >= seen.allowed
    mark = "STOP" if broken else "near" if state.episodes.get(seen.limit) else "ok"
    digits = 0 if seen.limit in (Limit.LOSING_STREAK, Limit.STALE_DATA, Limit.STALE_EQUITY) else 2
    unit = "%" if seen.unit.startswith("%") else "s" if seen.unit == "s" else ""
    return (f"{_SHORT[seen.limit]:<10}{seen.value:>6.{digits}f} /{seen.allowed:>5.{digits}f}{unit:<1}"
            f"{min(seen.used_pct, Decimal(999)):>4.0f}% {mark}")


_pause_preview = previewer(Word.PAUSE, "Pause?", "Pause")
_pause = say(Word.PAUSE, "Paused: nothing is bought.", "Open positions are guarded to their exits.",
             "→ /resume buys again.")
COMMANDS = (
    Command("risk", "Every limit: value, bar, share, state", Group.TRADING, risk, Role.VIEWER, args=(BOTH_ARG,)),
    Command("pause", "Buy nothing more, guard on", Group.CREW, pause, preview=pause_preview,
            args=(Arg("on", "choice", "on is the default", choices=("on", "off")), BOTH_ARG)),
    Command("resume", "Buy again after /pause, /drain, /kill or a halt", Group.CREW, resume, preview=resume_preview,
            args=(BOTH_ARG,), money=True),
    Command("drain", "Buy nothing more until every position has left by its exits", Group.CREW,
            say(Word.DRAIN, "Draining: nothing is bought.", "Told when the last position has left.",
                "→ /resume buys again, /flatten sells now."),
            preview=previewer(Word.DRAIN, "Drain?", "Drain"), args=(BOTH_ARG,)),
    Command("flatten", "Cancel entries, sell everything, confirm flat", Group.CREW,
            say(Word.FLATTEN, "Selling everything.", "Flat is confirmed twice and told here; trading is halted then.",
                "→ /resume buys again afterwards.", needs_tracker=True),
            preview=previewer(Word.FLATTEN, "Sell everything and halt?", "Flatten",
                              "Afterwards trading is halted, and the same tokens are not bought straight back."),
            args=(BOTH_ARG,), money=True),
    Command("kill", "Kill switch: nothing enters until /resume is confirmed", Group.CREW, kill, preview=kill_preview,
            args=(BOTH_ARG,)),
    Command("shutdown", "End every service, with the exposure that stays", Group.CREW, stopall,
            preview=previewer(Word.SHUTDOWN, "Shut down?", "Shut down",
                              "On spot no stop rests on the exchange: stops and targets act only while the tracker "
                              "runs.", "→ /startbot guards again.")),
)
