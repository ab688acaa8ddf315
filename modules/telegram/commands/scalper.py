"""System B: start, stop, and what it sees, signalled and earned. Reads what the scalper writes."""

from collections.abc import Iterable
from typing import Any

import msgspec

from modules.exchange.types import Mode
from modules.storage.settings_versions import Versions
from modules.strategies.scalper.records import VIEW, state_file
from modules.strategies.scalper.words import ENDS, reasons, signed
from modules.supervision.messages import Inbox
from modules.telegram.command import Answer, Arg, Button, Command, Group, Preview, Refusal, Request, Role
from modules.telegram.commands.crew import futures_stake, troubles
from modules.telegram.context import Context
from modules.telegram.markup import b, esc, lines
from utils.figures import duration, money, pct, plural, price, quantity, when

SERVICE = "scalper"
PAGES = ("state", "signals", "trades", "flow")
NEWEST = 6


async def startscalper(context: Context, request: Request) -> Answer:
    mode, own = context.mode(), context.settings.scalper
    if await context.read(lambda: _takes_back(context)):
        context.post(SERVICE, "resume", {"by": request.sender.name or request.sender.channel})
    trouble = troubles(await context.crew.start(SERVICE))
    if trouble:
        raise Refusal(trouble)
    if own.w_sentiment:  # it trades without as well; what is not known counts for nothing
        await context.crew.start("sentiment")
    return Answer(lines(
        b(f"[{mode}] Scalper is running: {futures_stake(context, mode)}."),
        f"It trades {esc(', '.join(own.symbols))}: at most {money(own.max_position_usdt)} USDT a position, "
        f"{own.most_open} at once, {own.trades_a_day} a day; {own.risk_pct:g}% of equity at risk in each.",
        f"Stop and target stand on the exchange; longest hold {duration(own.hold_s)}.",
        f"First signals after {duration(own.flow_s)} of order flow (market time).",
        "→ /scalper shows what it sees; /stopscalper stops it."))


def _takes_back(context: Context) -> bool:
    """Whether a start ends an earlier closing by hand. One that still waits for the process is done by this start."""
    if context.running(SERVICE):
        return True
    waits = any(message.kind == "flatten" for _, message in Inbox(context.paths.inbox, SERVICE).take())
    return not waits and any(state_file(context.paths, mode).load().stopped for mode in Mode)


async def stop_preview(context: Context, request: Request) -> Preview | Answer | None:
    if request.text("what") != "close":
        return None
    held = await _open(context)
    if not held:
        return Answer(lines(b(f"[{context.mode()}] The scalper holds nothing, in TEST as in LIVE."),
                            "There is nothing to close. → /stopscalper stops it."))
    rows = []
    for mode, one in held:
        size = float(one["filled"] or one["quantity"])
        rows.append(f"{b(mode)}: {'LONG' if one['side'] > 0 else 'SHORT'} {esc(one['symbol'])} {quantity(size)}, "
                    f"{money(float(one['quantity']) * float(one['price']))} USDT")
    modes = ", ".join(sorted({mode for mode, _ in held}))
    return Preview(lines(b(f"[{modes}] Close everything of the scalper at market, and enter nothing more?"), *rows),
                   ";".join(one["id"] for _, one in held), "Close everything")


async def stopscalper(context: Context, request: Request) -> Answer:
    held = await _open(context)
    if request.text("what") == "close" and held:
        for mode in sorted({mode for mode, _ in held}):
            context.post(SERVICE, "flatten", {"mode": mode, "by": request.sender.name or request.sender.channel})
        return _closing(context, held)
    coming = _coming(context)
    await context.crew.stop(SERVICE)
    left = [f"{b(mode)} {esc(one['symbol'])}: SL {esc(one['stop'])}, TP {esc(one['take'])}" for mode, one in held]
    note = None
    if held:
        paper = any(mode == Mode.TEST.value for mode, _ in held)
        note = ("LIVE stops and targets stay on the exchange; the longest hold counts again after the next start."
                + (" TEST positions are looked at again then." if paper else ""))
    was = "It had ended and was being started again; that is called off." if coming else None
    return Answer(lines(b(f"[{context.mode()}] Scalper stopped."), was, *left, note,
                        "→ /startscalper starts it again."))


def _coming(context: Context) -> bool:
    """It is not at work, but the supervisor is about to start it (again)."""
    status = context.service(SERVICE)
    return status is not None and status.state in ("starting", "backoff", "stuck")


def _closing(context: Context, held: list[tuple[str, dict[str, Any]]]) -> Answer:
    """What becomes of a wish to close everything, by the state of the process that has to do it."""
    modes = ", ".join(sorted({mode for mode, _ in held}))
    many = plural(len(held), "position")
    if context.running(SERVICE):
        return Answer(lines(b(f"[{modes}] Closing {many} at market."),
                            "Nothing is entered any more. → /scalper shows when all is flat; then /stopscalper."))
    guards = "Stops and targets of LIVE stay on the exchange meanwhile." if Mode.LIVE.value in modes else None
    if _coming(context):
        return Answer(lines(b(f"[{modes}] The scalper is being started again; it closes {many} as soon as it is up."),
                            "The wish is kept: nothing is entered before. Do not stop it now.", guards,
                            "→ /scalper shows when all is flat; then /stopscalper."))
    return Answer(lines(b(f"[{modes}] The scalper does not run; it closes {many} when it starts."), guards,
                        "→ /startscalper starts it, and the closing with it."))


async def scalper(context: Context, request: Request) -> Answer:
    view = await _needed(context)
    view["applied"] = (await context.read(Versions(context.paths).applied)).versions.get(SERVICE, 0)
    page = request.text("show", "state")
    text = {"state": _state_page, "signals": _signals_page, "trades": _trades_page, "flow": _flow_page}[page](
        context, view)
    names = tuple(name for name in PAGES if name != page)
    return Answer(text, buttons=(tuple(Button(name, f"run:/scalper {name}") for name in names),))


def _state_page(context: Context, view: dict[str, Any]) -> str:
    mode = view["modes"].get(view["mode"])
    rows: list[str | None] = [b(f"[{view['mode']}] Scalper") + f" · {futures_stake(context, Mode(view['mode']))}",
                              *_trouble(context, view)]
    if mode is None:
        why = str(view.get("opening", "") or "the account is being opened")
        return lines(*rows, esc(f"{why[0].upper()}{why[1:].rstrip('.')}."))
    held = [(name, one) for name, found in view["modes"].items() for one in found["open"]]
    rows.append(b(plural(len(held), "position")) if held else "No position is open.")
    for name, one in held:
        rows += _card(name, one, view)
    won = f", {mode['wins']} won" if mode["trades"] else ""
    rows.append(f"Today {money(mode['day_pnl'], signed=True)} USDT, {plural(mode['today'], 'entry', 'entries')} of "
                f"{context.settings.scalper.trades_a_day}. In all {plural(mode['trades'], 'trade')}{won}, "
                f"{money(mode['pnl'], signed=True)} USDT after {money(mode['fees'])} of fees.")
    rows.append("")
    for one in view["contracts"]:
        rows.append(_contract(one))
    rows += ["", *_last_signals(context, view, 3), _refused(mode), _version(context, view)]
    return lines(*rows)


def _card(mode: str, one: dict[str, Any], view: dict[str, Any]) -> list[str]:
    arrow = "▲" if one["side"] > 0 else "▼"
    if not one["opened_ms"]:
        return [f"{arrow} {b(one['symbol'])} {mode}: limit {price(float(one['price']))} waits to be filled"]
    quote = next((each for each in view["contracts"] if each["symbol"] == one["symbol"]), None)
    now = quote["bid"] if quote and one["side"] > 0 else quote["ask"] if quote else None
    entry = float(one["entry"])
    move = f" → {price(now)} ({pct((now / entry - 1) * 100 * one['side'])})" if now else ""
    left = duration((one["deadline_ms"] - view["ms"]) / 1000) if one["deadline_ms"] > view["ms"] else "no time"
    closing = f" · closing: {esc(ENDS.get(one['closing'], one['closing']))}" if one["closing"] else ""
    return [f"{arrow} {b(one['symbol'])} {mode} {quantity(float(one['filled']))} in {price(entry)}{move}{closing}",
            f"  SL {esc(one['stop'])} · TP {esc(one['take'])} · {left} left"]


def _contract(one: dict[str, Any]) -> str:
    if one["score"] is None:
        return f"{b(one['symbol'])} – {esc(one['why'])}"
    told = "signal" if one["code"] == "OK" else one["why"]
    return f"{b(one['symbol'])} {price(one['bid'])} · score {signed(one['score'])} · {esc(told)}"


def _last_signals(context: Context, view: dict[str, Any], most: int) -> Iterable[str]:
    found = view["signals"][-most:]
    if not found:
        yield "No signal yet."
        return
    yield b("Last signals")
    for one in reversed(found):
        word = "BUY" if one["side"] > 0 else "SELL"
        came = "entered" if one["code"] == "OK" else one["why"]
        yield (f"{when(one['first_ms'], context.zone, day=False)} {word} {esc(one['symbol'])} {signed(one['score'])}: "
               f"{esc(came)}")


def _signals_page(context: Context, view: dict[str, Any]) -> str:
    rows: list[str] = [b("Last signals"), *_trouble(context, view)]
    for one in reversed(view["signals"][-NEWEST:]):
        word = "▲ BUY" if one["side"] > 0 else "▼ SELL"
        came = "entered" if one["code"] == "OK" else one["why"]
        rows += [f"{when(one['first_ms'], context.zone)} {word} {b(one['symbol'])} at {price(one['bid'])} · score "
                 f"{signed(one['score'])}" + (f" · {one['times']} looks" if one["times"] > 1 else ""),
                 f"  {esc(reasons(one['parts'], 9))}", f"  {esc(came)}"]
    return lines(*rows, "No signal yet." if not view["signals"] else None)


def _trades_page(context: Context, view: dict[str, Any]) -> str:
    rows: list[str] = []
    for name, mode in view["modes"].items():
        rows.append(b(f"[{name}] {plural(mode['trades'], 'trade')}") + f", {mode['wins']} won, "
                    f"{money(mode['pnl'], signed=True)} USDT after costs")
        for one in reversed(mode["last"][-NEWEST:]):
            sign = "✅" if float(one["pnl"]) > 0 else "❌"
            rows.append(f"{sign} {when(one['closed_ms'], context.zone)} {esc(one['symbol'])} "
                        f"{'long' if one['side'] > 0 else 'short'} {money(float(one['pnl']), signed=True)} "
                        f"({pct(one['pnl_pct'])}): {esc(ENDS.get(one['why'], one['why']))}")
    return lines(*rows, "→ logs/trades.log has every trade; trades.jsonl the same for programs.")


def _flow_page(context: Context, view: dict[str, Any]) -> str:
    rows: list[str] = [b("What it sees"), *_trouble(context, view)]
    for one in view["contracts"]:
        rows.append(_contract(one))
        flow = one["flow"]
        if not flow:
            continue
        rows += [f"  book {' / '.join(signed(flow[f'imbalance_{n}']) for n in (1, 5, 10, 20))} (1, 5, 10, 20 levels) · "
                 f"micro {signed(flow['micro_bps'])} bp · spread {flow['spread_bps']:.2f} bp",
                 f"  flow {signed(flow['ofi'])} · volume delta {signed(flow['delta'])} · large resting "
                 f"{signed(flow['large_resting'])}, traded {signed(flow['large_traded'])}",
                 f"  {flow['speed']:.1f} trades/s ({flow['speed_ratio']:.1f}×) · moves {flow['volatility_bps']:.1f} bp "
                 f"· ATR {one['atr_bps']:.1f} bp", f"  {esc(_mood(one['mood']))}"]
    return lines(*rows)


def _mood(mood: dict[str, Any] | None) -> str:
    if mood is None:
        return "sentiment: nothing known"
    told = f"{mood['providers'][0] if mood['providers'] else '?'}{', fallback' if mood['fallback'] else ''}"
    return (f"sentiment {signed(mood['score'])}, confidence {mood['confidence']:.2f}, {plural(mood['texts'], 'text')}, "
            f"newest {duration(mood['age_s'])} old, by {told}")


def _trouble(context: Context, view: dict[str, Any]) -> Iterable[str]:
    if not context.running(SERVICE):
        state = "is being started again" if _coming(context) else "does not run"
        todo = "" if _coming(context) else " → /startscalper"
        yield f"⚠️ The scalper {state}; this is of {when(view['ms'], context.zone)}.{todo}"
    if view["waiting"]:
        yield f"⚠️ {esc(view['waiting'])}."
    for name, mode in view["modes"].items():
        if mode["problem"]:
            yield f"⚠️ {name}: nothing is opened: {esc(mode['problem'])}."


def _version(context: Context, view: dict[str, Any]) -> str:
    """Which optimised settings it runs with, and which wait for its next start."""
    own, applied = view.get("version", 0), view["applied"]
    told = f"Settings: optimised, version {own}." if own else "Settings: your own, no optimised version."
    if own == applied:
        return told
    waits = f"version {applied} is applied" if applied else "that version is no longer applied"
    how = "/stopscalper, then /startscalper takes it." if context.running(SERVICE) else "/startscalper takes it."
    return f"{told} Since then {waits}: → {how}"


def _refused(mode: dict[str, Any]) -> str | None:
    found = mode["refusal"]
    if found is None:
        return None
    return f"Last refusal: {esc(found['symbol'])}, {esc(found['text'])}."


async def _open(context: Context) -> list[tuple[str, dict[str, Any]]]:
    """Open trades of both modes from the state files: they are there when the service is not."""
    def read() -> list[tuple[str, dict[str, Any]]]:
        return [(mode.value, {**msgspec.to_builtins(one, builtin_types=()), "word": one.word})
                for mode in Mode for one in state_file(context.paths, mode).load().open.values()]

    return await context.read(read)


async def _needed(context: Context) -> dict[str, Any]:
    def read() -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = msgspec.json.decode((context.paths.data / VIEW).read_bytes())
        except (OSError, msgspec.MsgspecError):
            return None
        return found

    view = await context.read(read)
    if view is None:
        raise Refusal(lines(b(f"[{context.mode()}] The scalper has not run yet."), "→ /startscalper"))
    return view


COMMANDS = (
    Command("startscalper", "Start the scalper (futures)", Group.CREW, startscalper,
            money=True),
    Command("stopscalper", "Stop the scalper", Group.CREW, stopscalper, money=True,
            preview=stop_preview, args=(Arg("what", "choice", "close: sell and buy back everything it holds at market",
                                            choices=("close",)),)),
    Command("scalper", "Scalper: state, signals, PnL", Group.SIGNALS, scalper,
            role=Role.VIEWER, args=(Arg("show", "choice", "What to show", choices=PAGES),)),
)
