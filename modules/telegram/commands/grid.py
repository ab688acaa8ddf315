"""System E: /startgrid with its worst case, /stopgrid, /grid with a picture, /gridack (E13, X36, X38)."""

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from modules.exchange.types import Mode, Unavailable
from modules.execution.risk_state import RiskState
from modules.storage.sql.database import DatabaseAway
from modules.strategies.grid.live.view import SideView, View, state_of, view
from modules.strategies.grid.settings import GridSettings
from modules.strategies.grid.state import SessionState
from modules.strategies.grid.store.records import Order, Session, StoreError, Wanted
from modules.strategies.grid.store.store import GridStore
from modules.strategies.grid.worst_case import End, WorstCase
from modules.telegram.command import Answer, Arg, Button, Command, Group, Preview, Refusal, Request, Role
from modules.telegram.commands.crew import troubles
from modules.telegram.context import SIMULATOR, Context
from modules.telegram.grids_held import on_paper
from modules.telegram.markup import b, esc, lines, pre
from utils.figures import duration, money, plural, price
from utils.vault import VaultError

if TYPE_CHECKING:
    from modules.strategies.grid.live import standalone

SERVICE = "grid"
BARS = 72
#: why a side opens nothing, by the case of `reconcile.py`
BLOCKED = {"GREW": "somebody else opened more on the exchange", "STRANGE": "somebody else opened it on the exchange",
           "SHRANK": "somebody else closed a part of it", "GONE": "it was closed from outside",
           "AVERAGE_DIFFERS": "its average on the exchange is not ours: somebody else traded",
           "WRONG_MODE": "the account's position or margin mode is not the agreed one"}
Known = tuple[Session, bytes | None, dict[str, Any], int]
ARGS = (Arg("symbol", "symbol", "Contract; default: TRADING_SYMBOL"),
        Arg("lot", "float", "First lot, in the contract's coin; default: BASE_LOT", low=0),
        Arg("leverage", "int", "Leverage of both sides; default: LEVERAGE", low=1, high=150))


# -- the store -------------------------------------------------------------------------------------------------------


def _store(context: Context) -> GridStore:
    return GridStore.open(context.settings, context.paths)


async def _with_store(context: Context, work: Any) -> Any:
    """`work(store)` in a thread. Raises Refusal where the database or the vault does not let us."""
    def run() -> Any:
        store = _store(context)
        try:
            return work(store)
        finally:
            store.close()

    try:
        return await context.read(run)
    except (DatabaseAway, VaultError, StoreError) as problem:
        raise Refusal(lines(b("The grid's store refuses."), esc(str(problem)))) from None


async def _known(context: Context) -> Known | None:
    from modules.strategies.grid.live import standalone  # with what it loads: only when it is needed
    user = context.settings.gridlive.user
    found: Known | None = await _with_store(context, lambda store: standalone.standing(store, user))
    return found


async def _needed(context: Context) -> tuple[Session, SessionState, View]:
    """The standalone grid with its state. Raises Refusal where there is none yet."""
    known = await _known(context)
    body = known[1] if known is not None else None
    if known is None or body is None:
        raise Refusal(lines(b("No grid has run yet."), "→ /startgrid shows what one could lose, then starts it."))
    session, _, facts, _ = known
    state = state_of(body)
    return session, state, view(state, facts, GridSettings.model_validate(session.settings))


def _word(context: Context, seen: View) -> str:
    """The mode of the grid's account, which need not be that of new entries."""
    return seen.word or str(context.mode())


def stake(context: Context, mode: Mode) -> str:
    """What is at stake in a mode, said loudly where it is real."""
    bitget = context.settings.bitget
    if mode is Mode.TEST:
        return "Bitget demo" if bitget.demo else "paper money"
    return "🔴 account at the simulated exchange" if bitget.name == "simulated" else "🔴 REAL MONEY"


# -- start ------------------------------------------------------------------------------------------------------------


def _chosen(context: Context, request: Request) -> GridSettings:
    """The grid's settings with what was said. Raises Refusal naming everything that does not fit."""
    given: dict[str, Any] = {}
    if request.text("symbol"):
        given["trading_symbol"] = request.text("symbol")
    if "lot" in request.values:
        lot = float(request.values["lot"])
        given |= {"base_lot": lot, "min_lot": min(lot, context.settings.grid.min_lot)}
    if "leverage" in request.values:
        given["leverage"] = request.number("leverage", 1)
    try:
        return GridSettings.model_validate({**context.settings.grid.model_dump(), **given})
    except ValidationError as wrong:
        told = [" ".join((*map(str, one["loc"]), str(one["msg"]).removeprefix("Value error, ")))
                for one in wrong.errors(include_url=False)]
        raise Refusal(lines(b(f"[{context.mode()}] These settings make no grid; nothing was started."),
                            *map(esc, told), "→ /settings grid shows what is set.")) from None


async def _proposal(context: Context, request: Request, accept: str = "") -> "standalone.Proposal":
    from modules.strategies.grid.live import standalone  # with what it loads: only when it is needed
    chosen, bitget = _chosen(context, request), context.settings.bitget
    if bitget.name == "simulated" and not bitget.base_url and not context.running(SIMULATOR):
        trouble = troubles(await context.crew.start(SIMULATOR))
        if trouble:
            raise Refusal(trouble)
    try:
        return await standalone.propose(context.settings, context.paths, context.mode(), chosen, accept)
    except Unavailable as problem:
        raise Refusal(lines(b(f"[{context.mode()}] The worst case cannot be reckoned; nothing was started."),
                            esc(str(problem)))) from None


def _table(case: WorstCase) -> str:
    """The three ends, narrow enough for a phone."""
    def row(end: End) -> str:
        liquidation = f"{end.liquidation:.0f}" if end.liquidation is not None else "none"
        return (f"{end.name:<5}{end.orders:>3}{end.margin:>7.0f}{end.loss:>8.0f}{end.loss_at_stop:>8.0f} "
                f"{liquidation:>7}")

    return pre(["end   no margin    loss at stop  liquid", *(row(end) for end in (case.down, case.up, case.both))])


async def start_preview(context: Context, request: Request) -> Preview | Answer:
    known, mode = await _known(context), context.mode()
    await _not_killed(context, mode)
    if known is not None and known[0].wanted is not Wanted.STOPPED:
        word = str(known[2].get("mode") or mode)
        own = "It keeps its own settings; /stopgrid close ends it first." if request.values else None
        if known[0].wanted is Wanted.RUNNING:
            return await _again(context, known[0], word, own)
        if word != mode.value:
            raise Refusal(lines(b(f"[{word}] The grid on {esc(known[0].symbol)} is {known[0].wanted.lower()}."),
                                f"→ /stopgrid ends it; then /startgrid begins in {mode}."))
        if _resumes(known):
            return Preview(lines(b(f"[{word}] Let the grid on {esc(known[0].symbol)} open orders again?"), own,
                                 "→ /grid shows it."), "resume", "Go on")
    found = await _proposal(context, request)
    start, case = found.start, found.start.figures
    head = (f"[{mode}] Start a grid on {case.symbol}? {stake(context, mode)}, balance {money(case.balance)} USDT, "
            f"price {price(float(case.price))}, leverage {case.leverage}")
    told = [b(head), "If the price runs to the last order of a side (funding and fees included):", _table(case),
            f"The daily MAX_LOSS {'closes earlier' if found.settings.max_loss else 'is not set'}."]
    if start.impossible:
        return Answer(lines(*told, b("It cannot start, whatever risk is accepted:"), *map(esc, start.impossible)))
    if start.figures.safe:
        return Preview(lines(*told, "✅ Within the limits."), "safe", "Start the grid")
    return Preview(lines(*told, b("⚠️ It breaks limits:"), *(f"• {esc(one)}" for one in case.unsafe),
                         "Starting means that you accept this risk; it is written down with your name."),
                   f"unsafe {len(case.unsafe)}", "Accept the risk and start")


async def _not_killed(context: Context, mode: Mode) -> None:
    """Raises Refusal while the kill switch of the mode is on: nothing enters in any way."""
    state = await context.read(context.files(mode).read_risk)
    if isinstance(state, RiskState) and state.killed:
        raise Refusal(lines(b(f"[{mode}] The kill switch is on: no grid starts or goes on."),
                            "→ /resume takes it off, after asking; then /startgrid."))


def _resumes(known: Known | None) -> bool:
    """Whether a start lets a grid go on that holds something; one that is flat is proven and begun anew."""
    if known is None or known[0].wanted not in (Wanted.PAUSED, Wanted.DRAINING):
        return False
    state = state_of(known[1]) if known[1] is not None else SessionState()
    return bool(state.buy.entries or state.sell.entries or state.pending or state.closing)


async def _again(context: Context, session: Session, word: str, own: str | None) -> Answer:
    if context.running(SERVICE):
        return Answer(lines(b(f"[{word}] The grid on {esc(session.symbol)} is running."), own,
                            "→ /grid shows it, /stopgrid stops it."))
    trouble = troubles(await context.crew.start(SERVICE))
    if trouble:
        raise Refusal(trouble)
    return Answer(lines(b(f"[{word}] The grid on {esc(session.symbol)} goes on where it was."), "→ /grid shows it."))


async def startgrid(context: Context, request: Request) -> Answer:
    from modules.strategies.grid.live import standalone  # with what it loads: only when it is needed
    known, mode = await _known(context), context.mode()
    who = request.sender.name or request.sender.channel
    user, accepted = context.settings.gridlive.user, None
    if _resumes(known):
        await _with_store(context, lambda store: store.sessions.want(user, Wanted.RUNNING, who))
    else:
        await request.progress("Reckoning the worst case …")
        found = await _proposal(context, request, f"{who} by /startgrid")
        if not found.start.allowed:
            raise Refusal(lines(b(f"[{mode}] It cannot start."), *map(esc, found.start.impossible)))
        if found.start.accepted:
            accepted = f"The risk was accepted; noted: {esc(found.start.accepted)}."
        await _with_store(context, lambda store: standalone.begin(store, context.settings, mode, found, who))
    trouble = troubles(await context.crew.start(SERVICE))
    if trouble:
        raise Refusal(trouble)
    return Answer(lines(b(f"[{mode}] The grid is on."), accepted,
                        "It reads balance and positions first; the first order of a "
                        "side waits for its signal.", "→ /grid shows it, /stopgrid stops it."))


# -- stop -------------------------------------------------------------------------------------------------------------


async def stop_preview(context: Context, request: Request) -> Preview | Answer:
    session, _, seen = await _needed(context)
    close = request.text("how", "leave") == "close"
    if session.wanted is Wanted.STOPPED and not close:
        return Answer(lines(b(f"[{_word(context, seen)}] The grid is stopped."), *_exposure(seen),
                            "→ /startgrid starts it."))
    what = ("Close everything of the grid at the market, then stop it?" if close else
            "Stop the grid and leave its positions?")
    notes = (["Both sides are closed, cancelled first, and seen flat twice."] if close else
             [_left(context, seen), "→ /stopgrid close closes them instead."] if _holds(seen) else [])
    held = len(seen.buy.entries), len(seen.sell.entries)
    return Preview(lines(b(f"[{_word(context, seen)}] {what}"), *_exposure(seen), *notes), f"{close} {held}",
                   "Close and stop" if close else "Stop and leave")


def _holds(seen: View) -> bool:
    return bool(seen.buy.entries or seen.sell.entries)


def _left(context: Context, seen: View) -> str:
    """What guards a grid that nobody trades."""
    if not _holds(seen):
        return "It holds nothing."
    if on_paper(seen.word, context.settings):
        return ("Positions stay on paper; nobody looks at their stops until the next start, and a stop that was passed "
                "fills at the price of then.")
    return "Positions stay, each side with its stop on the exchange; nothing takes profits meanwhile."


def _exposure(seen: View) -> list[str]:
    found = [f"{'BUY' if one.side > 0 else 'SELL'}: {plural(len(one.entries), 'position')}, "
             f"{one.quantity:g} at {price(one.average)}, now {money(one.result)} USDT, "
             + (f"stop {price(one.stop)}" if one.stop else b("no stop"))
             for one in (seen.buy, seen.sell) if one.average is not None]
    return found or ["It holds nothing."]


async def stopgrid(context: Context, request: Request) -> Answer:
    who, user = request.sender.name or request.sender.channel, context.settings.gridlive.user
    close = request.text("how", "leave") == "close"
    _, _, seen = await _needed(context)
    word = _word(context, seen)
    order = Order.FLATTEN if close else None
    # A worker takes only what is wanted: a grid that is closed drains, and is stopped when it is flat.
    wanted = Wanted.DRAINING if close else Wanted.STOPPED
    await _with_store(context, lambda store: store.sessions.want(user, wanted, who, order=order))
    if close:
        trouble = troubles(await context.crew.start(SERVICE))
        if trouble:
            raise Refusal(trouble)
        return Answer(lines(b(f"[{word}] Closing everything of the grid."), "It opens nothing more.",
                            "→ /grid shows when it is flat, /stopgrid ends it then."))
    return Answer(lines(b(f"[{word}] The grid stops."), _left(context, seen),
                        "→ /startgrid goes on."))


# -- show -------------------------------------------------------------------------------------------------------------


async def grid(context: Context, request: Request) -> Answer:
    session, _, seen = await _needed(context)
    rows = [f"{'':<11}{'BUY':>12}{'SELL':>12}"]
    for name, show in (("orders", lambda one: f"{len(one.entries)}/{one.most}"),
                       ("size", lambda one: f"{one.quantity:g}"), ("average", lambda one: _price(one.average)),
                       ("result", lambda one: money(one.result, signed=True) if one.entries else "–"),
                       ("next", lambda one: _price(one.next_price)), ("stop", lambda one: _price(one.stop)),
                       ("liquidation", lambda one: _price(one.liquidation))):
        rows.append(f"{name:<11}{show(seen.buy):>12}{show(seen.sell):>12}")
    text = lines(
        b(f"[{_word(context, seen)}] Grid {esc(seen.symbol)}: {seen.mode}"), _price_line(seen), pre(rows),
        f"Break-even {_price(seen.break_even)} · signal {seen.signal}",
        f"Day {money(seen.day)} USDT · closed {money(seen.realised - seen.fees)} USDT after {money(seen.fees)} fees, "
        f"{plural(seen.trades, 'position')} closed, {seen.wins} at a profit", *_warnings(context, session, seen))
    buttons = (tuple(Button(name, f"run:/{name}") for name in ("grid", "stopgrid")),)
    spec = await _picture_spec(context, seen)
    try:
        made = await context.worker("grid", spec)
    except Unavailable as problem:
        return Answer(lines(text, f"⚠️ No picture: {esc(str(problem))}"), buttons=buttons)
    return Answer(text, picture=context.paths.data / made["picture"], buttons=buttons)


def _price(value: float | None) -> str:
    return "–" if value is None else price(value)


def _price_line(seen: View) -> str:
    return f"Price {_price(seen.price)}"


def _warnings(context: Context, session: Session, seen: View) -> list[str]:
    found = []
    if not context.running(SERVICE):
        found.append(f"⚠️ No worker runs; this is its last word. {_left(context, seen)} → /startgrid")
    if session.wanted is Wanted.STOPPED:
        found.append("It is stopped. → /startgrid")
    for one in (seen.buy, seen.sell):
        if one.blocked:
            name = "buy" if one.side > 0 else "sell"
            found.append(f"⛔ {name.upper()}: {_why(one)}; no new levels. → /gridack {name} leave, or adopt")
        if one.entries and one.stop is None:
            found.append(f"⚠️ {'BUY' if one.side > 0 else 'SELL'} has no stop.")
    if seen.problem:
        found.append(f"⚠️ {esc(seen.problem)}")
    if seen.refusal:
        found.append(f"Not opened now: {esc(seen.refusal)}")
    return found


def _why(one: SideView) -> str:
    return esc(BLOCKED.get(one.blocked, one.blocked))


async def _picture_spec(context: Context, seen: View) -> dict[str, Any]:
    """What the picture shows; without candles where the exchange gives none now."""
    from modules.strategies.grid.live.service import open_bitget
    candles: list[list[float]] = []
    try:
        market = await open_bitget(context.settings.bitget, context.paths)
        try:
            candles = (await market.candles(seen.symbol, context.settings.grid.timeframe, BARS)).tolist()
        finally:
            await market.close()
    except Unavailable:
        candles = []

    def side(one: SideView) -> dict[str, Any]:
        return {"entries": [[at, quantity, level] for at, quantity, level in one.entries], "next": one.next_price,
                "stop": one.stop, "liquidation": one.liquidation, "average": one.average, "result": one.result}

    return {"symbol": seen.symbol, "mode": seen.word, "state": seen.mode, "candles": candles, "zone": context.zone,
            "price": seen.price, "break_even": seen.break_even, "buy": side(seen.buy), "sell": side(seen.sell),
            "timeframe": context.settings.grid.timeframe}


# -- acknowledge ------------------------------------------------------------------------------------------------------


async def ack_preview(context: Context, request: Request) -> Preview | Answer:
    _, _, seen = await _needed(context)
    one = seen.buy if request.text("side") == "buy" else seen.sell
    if not one.blocked:
        return Answer(lines(b(f"[{_word(context, seen)}] Nothing waits to be acknowledged on the "
                              f"{request.text('side').upper()} side."),
                            "→ /grid"))
    adopt = request.text("answer", "leave") == "adopt"
    what = ("It becomes an entry of the grid, which will close it." if adopt else
            "It stays outside: the grid never touches it.")
    return Preview(lines(b(f"[{seen.word}] {request.text('side').upper()}: {_why(one)}. Acknowledge?"), what,
                         "New levels of this side go on afterwards."), one.blocked, "Acknowledge")


async def gridack(context: Context, request: Request) -> Answer:
    body = {"side": 1 if request.text("side") == "buy" else -1, "answer": request.text("answer", "leave")}
    who, user = request.sender.name or request.sender.channel, context.settings.gridlive.user
    await _with_store(context, lambda store: store.sessions.say(user, Order.ACKNOWLEDGE, body, who))
    late = None if context.running(SERVICE) else "No worker runs; it is read when one does."
    _, _, seen = await _needed(context)
    return Answer(lines(b(f"[{_word(context, seen)}] Acknowledged."), late,
                        f"Read within {duration(context.settings.gridlive.lease_s / 3)}. "
                        "→ /grid shows the side."))


COMMANDS = (
    Command("startgrid", "Start the hedging grid; shows first what it can lose", Group.TRADING, startgrid,
            preview=start_preview, args=ARGS, money=True),
    Command("stopgrid", "Stop the grid: leave positions with their stops, or close them", Group.TRADING, stopgrid,
            preview=stop_preview, money=True,
            args=(Arg("how", "choice", "leave (default) or close", choices=("leave", "close")),)),
    Command("grid", "The grid: both sides, levels, break-even, liquidation, picture", Group.TRADING, grid,
            role=Role.VIEWER),
    Command("gridack", "Acknowledge what somebody else did to a side of the grid", Group.TRADING, gridack,
            preview=ack_preview, money=True,
            args=(Arg("side", "choice", "Which side", required=True, choices=("buy", "sell")),
                  Arg("answer", "choice", "leave it outside (default) or adopt it", choices=("leave", "adopt")))),
)
