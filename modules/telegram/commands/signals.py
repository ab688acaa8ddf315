"""System D: start, stop, what is open, watched, worth (/signalstats, /signalreport). Reads what the bot writes."""

from collections.abc import Iterable
from typing import Any

import msgspec

from modules.exchange.types import Unavailable
from modules.strategies.signals.rules import Priority
from modules.strategies.signals.words import short
from modules.telegram.command import Answer, Arg, Button, Command, Group, Refusal, Request, Role
from modules.telegram.commands.crew import troubles
from modules.telegram.context import Context
from modules.telegram.markup import b, esc, lines, pre
from utils.figures import duration, pct, plural, when

SERVICE = "signals"
VIEW = "signals_view.json"
REPORT = "signals_report.json"
REPORTS = ("day", "yesterday", "week", "lastweek")
SHOWN = 12
CLASSES = tuple(one.value for one in Priority)
STEPS = {"NOT_TRADING": "not trading", "VOLUME": "24 h volume", "SPREAD": "spread", "OPEN_INTEREST": "open interest",
         "NO_DATA": "no data", "RANK": "score too low", "CHOSEN": "chosen"}


async def startsignals(context: Context, request: Request) -> Answer:
    trouble = troubles(await context.crew.start(SERVICE))
    if trouble:
        raise Refusal(trouble)
    own = context.settings.signals
    return Answer(lines(b("Signal bot is running."), f"It watches up to {own.universe_size} futures, sends signals and "
                        "follows each to its end. It never trades.",
                        f"First signals after {duration(own.window_s)} of trades (market time).",
                        "→ /signals shows what is open, /universe what is watched, /signalstats the results."))


async def stopsignals(context: Context, request: Request) -> Answer:
    view = await _view(context)
    left = len([one for one in view["open"] if not one["outcome"]]) if view else 0
    await context.crew.stop(SERVICE)
    follows = (f"{plural(left, 'open signal')}: followed on from the venue's trades at the next start."
               if left else None)
    return Answer(lines(b("Signal bot stopped."), follows, "→ /startsignals starts it again."))


async def signals(context: Context, request: Request) -> Answer:
    view = await _needed(context)
    found = [one for one in view["open"] if not one["outcome"]]
    sent = view["counts"]["sent"]
    told = [line for one in sorted(found, key=lambda one: -one["quality"]) for line in _open(one, view["ms"])]
    today = ", ".join(f"{count} {name}" for name, count in sent.items()) or "none"
    back = sum(view["counts"]["hold_back"].values())
    head = b(f"{plural(len(found), 'signal')} open") if found else b("No signal is open.")
    return Answer(lines(head, *told, "", f"Sent today (UTC): {esc(today)}.",
                        f"The next {back} are held back after a loss." if back else None,
                        *_state(context, view), _refused(view)), buttons=_buttons("signals"))


def _open(one: dict[str, Any], now_ms: int) -> list[str]:
    sign = 1 if one["direction"] == "LONG" else -1
    move = (one["last"] / one["entry"] - 1) * 100 * sign if one["last"] else 0.0
    left = duration((one["expires_ms"] - now_ms) / 1000)
    shown = one["sent_as"] or f"{one['priority']}, not sent"
    reached = " · TP1 reached" if one["first"] == "TP1" else ""
    return [f"{'▲' if sign > 0 else '▼'} {b(one['symbol'])} {esc(shown)} {one['quality']} · {pct(move)}{reached}",
            f"  in {short(one['entry'])} · SL {short(one['stop'])} · TP {short(one['tp1'])} / {short(one['tp2'])}"
            f" · {left} left"]


async def universe(context: Context, request: Request) -> Answer:
    view = await _needed(context)
    found = view["universe"]
    if not found["ms"]:
        return Answer(lines(b("The universe is being looked for."), esc(found["problem"]) or None,
                            "→ /universe again in a minute."))
    watched = found["watched"]
    places = {one["symbol"]: one for one in found["places"]}
    zone = context.zone
    table = [f"{'symbol':<12}{'score':>6}{'24h M$':>8}{'spr bp':>7}"]
    for symbol in watched[:SHOWN]:
        one = places.get(symbol, {})
        table.append(f"{symbol.removesuffix('USDT')[:11]:<12}{one.get('score') or 0:>6.1f}"
                     f"{(one.get('volume') or 0) / 1e6:>8,.0f}{(one.get('spread_pct') or 0) * 100:>7.2f}")
    fell = [f"{STEPS[step]} {count}" for step, count in found["funnel"].items() if count and step != "CHOSEN"]
    fallen = [f"{symbol} ({why})" for symbol, why in found["excluded"].items()]
    few = (f"Only {found['size']} of them now: the machine is loaded." if len(watched) >= found["size"] else None)
    return Answer(lines(b(f"{plural(len(watched), 'symbol')} watched"), pre(table),
                        f"… and {len(watched) - SHOWN} more" if len(watched) > SHOWN else None,
                        f"Fell: {esc(', '.join(fell))}." if fell else None,
                        f"Excluded since: {esc('; '.join(fallen[:8]))}." if fallen else None,
                        few if found["size"] < context.settings.signals.universe_size else None,
                        f"Looked at {when(found['ms'], zone)}, request weight {found['weight']:,}.",
                        f"⚠️ {esc(found['problem'])}" if found["problem"] else None), buttons=_buttons("universe"))


async def signalstats(context: Context, request: Request) -> Answer:
    view = await _needed(context)
    which = request.text("by", "class")
    found = view["stats"]
    every = found["all"]
    own, control = every["signals"], every["control"]
    if not own["count"]:
        return Answer(lines(b("No signal has ended yet."), *_state(context, view), _refused(view)),
                      buttons=_buttons("signalstats"))
    table = [f"{which:<9}{'n':>4}{'win':>5}{'net R':>8}{'ctrl':>7}"]
    rows = found[which].items()
    if which == "class":
        rows = sorted(rows, key=lambda one: CLASSES.index(one[0]))
    for name, pair in list(rows)[:24]:
        table.append(_row(name, pair))
    demoted = [f"⚠️ {b(name)} is demoted: {esc(why)}." for name, why in view["demoted"].items()]
    periods = [f"{name}: {found[key]['signals']['count']} ended, {_r(found[key]['signals'])}, "
               f"{pct(found[key]['signals']['total_pct'])}" for name, key in (("24 h", "day"), ("7 days", "week"))
               if found[key]["signals"]["count"]]
    return Answer(lines(
        b(f"{plural(own['count'], 'signal')} ended"),
        f"Won {_share(own)}, net {_r(own)} each; in all {pct(own['total_pct'])}, deepest fall "
        f"{pct(own['drawdown_pct'], signed=False)}.",
        f"Control ({plural(control['count'], 'random time')}): won {_share(control)}, {_r(control)}.",
        _verdict(own, control), *periods, pre(table), *demoted,
        "90% intervals; after fees, by the venue's trades. Average hold "
        f"{duration(own['hold_s'])}.", *_state(context, view)), buttons=_buttons("signalstats"))


async def signalreport(context: Context, request: Request) -> Answer:
    kept = await _read(context, REPORT)
    if kept is None:
        raise Refusal(lines(b("No report yet."), "It is made a minute after the signal bot starts. → /startsignals"))
    which = request.text("of", "day")
    found = kept[{"yesterday": "day1", "lastweek": "week1"}.get(which, which)]
    old = (None if context.running(SERVICE) else
           f"⚠️ The signal bot does not run; this is of {when(kept['ms'], context.zone)}. → /startsignals")
    text = lines(b(esc(found["headline"])), *[esc(line) for line in found["lines"]], old)
    names = tuple(name for name in REPORTS if name != which)
    buttons = (tuple(Button(name, f"run:/signalreport {name}") for name in names), *_buttons(""))
    if not found["ended"]:
        return Answer(text, buttons=buttons)
    try:
        made = await context.worker("signal_report", found)
    except Unavailable as problem:
        return Answer(lines(text, f"⚠️ No picture: {esc(str(problem))}"), buttons=buttons)
    return Answer(text, picture=context.paths.data / made["picture"], buttons=buttons)


def _row(name: str, pair: dict[str, Any]) -> str:
    own, control = pair["signals"], pair["control"]
    other = f"{control['mean_r']:+.2f}" if control["count"] else "–"
    return (f"{name.removesuffix('USDT')[:8]:<9}{own['count']:>4}{own['win_rate'] * 100:>4.0f}%"
            f"{own['mean_r']:>+8.2f}{other:>7}")


def _share(one: dict[str, Any]) -> str:
    if not one["count"]:
        return "–"
    low, high = one["win_between"]
    return f"{one['win_rate'] * 100:.0f}% ({low * 100:.0f}–{high * 100:.0f}%)"


def _r(one: dict[str, Any]) -> str:
    if not one["count"]:
        return "– R"
    low, high = one["r_between"]
    between = f" ({low:+.2f} to {high:+.2f})" if one["count"] > 1 and low is not None and high is not None else ""
    return f"{one['mean_r']:+.2f} R{between}".replace("-", "−")


def _verdict(own: dict[str, Any], control: dict[str, Any]) -> str:
    """A plain sentence; none is drawn from a handful."""
    if own["count"] < 30 or control["count"] < 30:
        return "Too few for a verdict."
    if own["r_between"][0] > control["r_between"][1]:
        return "Better than its control group."
    if own["r_between"][1] < control["r_between"][0]:
        return "⚠️ Worse than its control group."
    return "Not distinguishable from its control group."


def _state(context: Context, view: dict[str, Any]) -> Iterable[str]:
    if not context.running(SERVICE):
        yield f"⚠️ The signal bot does not run; this is of {when(view['ms'], context.zone)}. → /startsignals"
    if view["paused"]:
        yield f"⏸ Paused: {esc(view['paused'])}."
    for trouble in view["health"]["trouble"].values():
        if trouble and trouble != view["paused"]:
            yield f"⚠️ {esc(trouble)}."


def _refused(view: dict[str, Any]) -> str | None:
    decided = [name for name in ("HELD_BACK", "CORRELATED", "CONCURRENT", "CLASS_LIMIT", "DAY_LIMIT", "DEMOTED",
                                 "TOO_LATE", "BOOK_CHANGED") if view["refusals"].get(name)]
    if not decided:
        return None
    return "Refused since the start: " + ", ".join(f"{esc(name)} {view['refusals'][name]}" for name in decided) + "."


async def _view(context: Context) -> dict[str, Any] | None:
    return await _read(context, VIEW)


async def _read(context: Context, name: str) -> dict[str, Any] | None:
    def read() -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = msgspec.json.decode((context.paths.data / name).read_bytes())
        except (OSError, msgspec.MsgspecError):
            return None
        return found

    return await context.read(read)


async def _needed(context: Context) -> dict[str, Any]:
    view = await _view(context)
    if view is None:
        raise Refusal(lines(b("The signal bot has not run yet."), "→ /startsignals"))
    return view


def _buttons(now: str) -> tuple[tuple[Button, ...], ...]:
    names = ("signals", "universe", "signalstats")
    return (tuple(Button(name, f"run:/{name}") for name in names if name != now),)


COMMANDS = (
    Command("startsignals", "Start the signal bot (futures, signals only)", Group.SIGNALS, startsignals),
    Command("stopsignals", "Stop the signal bot", Group.SIGNALS, stopsignals),
    Command("signals", "Signals that are open, and today's count", Group.SIGNALS, signals, role=Role.VIEWER),
    Command("universe", "Symbols watched, and where the others fell", Group.SIGNALS, universe, role=Role.VIEWER),
    Command("signalstats", "What signals were worth, beside a control group", Group.SIGNALS, signalstats,
            role=Role.VIEWER, args=(Arg("by", "choice", "Rows of the table", choices=("class", "symbol", "hour")),)),
    Command("signalreport", "Report of the day or week, with a picture", Group.SIGNALS, signalreport, role=Role.VIEWER,
            args=(Arg("of", "choice", "Which: the running day or week, or the one before", choices=REPORTS),)),
)
