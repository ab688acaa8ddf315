"""Better settings: /optimize searches them in a process of low priority; apply and rollback ask first."""

import json
import re
from typing import Any

from modules.exchange.types import Unavailable
from modules.storage.settings_versions import Applied, NoVersion, Version, Versions, unusable
from modules.telegram.command import Answer, Arg, Button, Command, Group, Preview, Refusal, Request
from modules.telegram.commands.crew import exposure_lines, open_positions
from modules.telegram.context import SCANNER, TRACKER, Context
from modules.telegram.long_runs import Occupied
from modules.telegram.markup import b, code, esc, lines

KIND = "optimize"
OPTIONS = {"trials": "--trials", "folds": "--folds", "objective": "--objective", "space": "--space", "fix": "--fix",
           "since": "--since", "until": "--until", "symbols": "--symbols", "name": "--name",
           "mintrades": "--min-trades", "top": "--top", "lotusdt": "--lot-usdt"}
# Services that read the settings of a strategy, and how they take new ones; the others' are those of system A.
OWN = {"signals": ("signals", "/stopsignals, then /startsignals"),
       "scalper": ("scalper", "/stopscalper, then /startscalper"),
       "grid": ("grid", "/restartloop; the next /startgrid takes them, a running grid keeps its own")}
WHEN = ("Services take settings when they start. Open positions keep targets and first stop; the trailing distance and "
        "the longest hold change for them too.")
USAGE = ("/optimize [STRATEGY] [ticks] [trials=N] [objective=sharpe] [space=NAME=LOW:HIGH] [fix=NAME=VALUE] · "
         "/optimize list · /optimize apply N · /optimize rollback · /optimize stop")
MOST_TRIALS = 20_000
MOST_SHOWN = 8


async def optimize_preview(context: Context, request: Request) -> Preview | Answer | None:
    words = request.text("what").split()
    verb = words[0].lower() if words else ""
    if verb == "apply":
        return await _apply_preview(context, words)
    if verb == "rollback":
        now = await context.read(Versions(context.paths).applied)
        if not now.versions:
            return Answer(lines(b("No optimised settings are applied."), "There is nothing to roll back."))
        before = now.earlier[-1] if now.earlier else {}
        to = ", ".join(f"{strategy} version {number}" for strategy, number in before.items())
        to = to or "none: your own settings"
        return Preview(lines(b(f"[{context.mode()}] Roll back the settings?"), f"Applied now: {esc(now.named())}",
                             f"After it: {esc(to)}", *await _held(context), WHEN), json.dumps([now.versions, before]),
                       "Roll back")
    return None


async def optimize(context: Context, request: Request) -> Answer:
    words = request.text("what").split()
    verb = words[0].lower() if words else ""
    versions = Versions(context.paths)
    if verb == "list":
        return await _list(context, versions)
    if verb == "stop":
        stopped = context.runs.cancel(KIND)
        return Answer(lines(b("The search is stopped."), "Finished trials are kept: the same /optimize goes on.")
                      if stopped else b("No search is running."))
    try:
        if verb == "apply":
            version = await context.read(lambda: versions.apply(_number(words)))
            return _done(context, f"Version {version.version} is applied.", (version.strategy,))
        if verb == "rollback":
            before = (await context.read(versions.applied)).versions
            now: Applied = await context.read(versions.rollback)
            changed = tuple(name for name in {**before, **now.versions} if before.get(name) != now.versions.get(name))
            return _done(context, f"Rolled back. Applied now: {now.named()}.", changed)
    except NoVersion as problem:
        raise Refusal(esc(problem)) from None
    return await _search(context, request, words)


async def _search(context: Context, request: Request, words: list[str]) -> Answer:
    """Run the optimiser to its end, and tell what it found."""
    argv = arguments(words)
    try:
        ended = await context.runs.run(KIND, argv, context.paths, request.sender.name or request.sender.user,
                                       request.progress)
    except Occupied as problem:
        raise Refusal(lines(b("A search is running already."), esc(problem), f"→ {code('/optimize stop')} ends it.")
                      ) from None
    if ended.cancelled:
        return Answer(lines(b("The search was stopped."), "Finished trials are kept: the same command goes on."))
    if ended.code != 0:
        said = ended.problem()
        last = [line.removeprefix("No optimisation: ") for line in said.splitlines()][-6:]
        raise Refusal(lines(b("No optimisation."), esc("\n".join(last)),
                            _way_out(argv[1] == "signals" or "--ticks" in argv, said), f"Usage: {code(USAGE)}"))
    try:
        found = json.loads(ended.out.splitlines()[-1])
    except (ValueError, IndexError):
        raise Unavailable("The search gave no result that can be read. /logs bot has the details.") from None
    return told(found)


def _way_out(on_ticks: bool, said: str) -> str | None:
    """Where more data come from, where they were missing."""
    if on_ticks and ("recording" in said or "days" in said or "no such file" in said or "no depth message" in said):
        return ("→ Frames come from the feed's recorder while it runs (RECORDER_ON, RECORDER_MOST_MB, "
                "RECORDER_KEEP_DAYS).")
    return (f"→ Candles come from what the bot has collected; {code('/data download')} fetches more."
            if "candle" in said and "data download" not in said else None)


def arguments(words: list[str]) -> list[str]:
    """Arguments of ``bot.py optimize`` from the command's words. Raises Refusal naming what cannot be."""
    strategy = "hype"
    if words and "=" not in words[0]:
        strategy, words = words[0].lower(), words[1:]
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,30}", strategy):
        raise Refusal(lines(f"{esc(repr(strategy[:40]))} is no strategy.", f"Usage: {code(USAGE)}"))
    argv = ["optimize", strategy]
    for word in words:
        name, sign, value = word.partition("=")
        if word.lower() == "ticks":  # what the feed has recorded
            argv.append("--ticks")
            continue
        if not sign or name.lower() not in OPTIONS or not value:
            raise Refusal(lines(f"{esc(repr(word[:60]))} cannot be read.", f"Usage: {code(USAGE)}"))
        if name.lower() == "trials" and not (value.isdecimal() and 1 <= int(value) <= MOST_TRIALS):
            raise Refusal(f"trials is {esc(value[:20])}; it must be from 1 to {MOST_TRIALS:,}.")
        if value.startswith("-"):
            raise Refusal(f"{esc(word[:60])}: a value must not begin with a dash.")
        argv.append(f"{OPTIONS[name.lower()]}={value}")
    return [*argv, "--json", "--progress"]


def told(found: dict[str, Any]) -> Answer:
    """What a search found, in a few lines."""
    difference, own = found["difference"], found["own"]
    figures = [
        f"{found['objective']} out of sample {own['value']:.4g} [{own['low']:.4g}, {own['high']:.4g}], your settings "
        f"{found['present']:.4g}",
        f"Difference {difference['value']:+.4g} [{difference['low']:+.4g}, {difference['high']:+.4g}]",
        f"{found['net_usdt']:+.2f} USDT against {found['present_net_usdt']:+.2f}; "
        f"drawdown {found['drawdown_pct']:.1f}% against {found['present_drawdown_pct']:.1f}%",
        f"Best of {found['asked']} trials by luck alone: p = {found['chance_p']:.3f}"]
    if not found["held_up"] or not found["version"]:
        return Answer(lines(b("Nothing better was found; your settings stay."), *map(esc, figures),
                            *(f"• {esc(reason)}" for reason in found["reasons"])))
    number = found["version"]
    changed = [f"{code(name)} {esc(old)} → {esc(new)}" for name, (old, new) in found["changed"].items()]
    buttons = ((Button(f"Apply version {number} …", f"run:/optimize apply {number}"),),)
    return Answer(lines(b(f"Version {number} held up out of sample; it is not applied yet."), *changed,
                        *map(esc, figures), f"⚠️ {esc(found['warning'])}" if found["warning"] else None,
                        f"→ {code(f'/optimize apply {number}')}"), buttons=buttons)


async def _apply_preview(context: Context, words: list[str]) -> Preview | Answer:
    versions = Versions(context.paths)
    try:
        version = await context.read(lambda: versions.get(_number(words)))
    except NoVersion as problem:
        return Answer(esc(problem))
    now = await context.read(versions.applied)
    if now.versions.get(version.strategy) == version.version:
        return Answer(b(f"Version {version.version} is applied already."))
    refused = unusable(version, context.settings)
    if refused:
        return Answer(lines(b(f"Version {version.version} does not suit your settings any more."), esc(refused),
                            "→ Run /optimize again."))
    changed = [f"{code(name)} {esc(_present(context, name))} → {esc(value)}"
               for name, value in version.settings.items()]
    warning = str(version.figures.get("warning", ""))
    return Preview(lines(b(f"[{context.mode()}] Apply version {version.version} ({esc(version.strategy)})?"), *changed,
                         esc(_gain(version)), f"⚠️ {esc(warning)}" if warning else None, *await _held(context), WHEN,
                         "What .env or the environment sets stays stronger."),
                   json.dumps([version.version, now.versions]), f"Apply version {version.version}")


async def _list(context: Context, versions: Versions) -> Answer:
    known, now = await context.read(lambda: (versions.all(), versions.applied()))
    if not known:
        return Answer(lines(b("No version yet."), f"→ {code('/optimize hype trials=200')} searches one."))
    rows = []
    for each in known[-MOST_SHOWN:]:
        mark = " ← applied" if now.versions.get(each.strategy) == each.version else ""
        rows += [b(f"Version {each.version}, {each.strategy}, {each.found[:10]}{mark}"), esc(_gain(each)),
                 esc(", ".join(f"{name} {value}" for name, value in each.settings.items()))]
    return Answer(lines(*rows, f"→ {code('/optimize apply N')}, {code('/optimize rollback')}"))


async def _held(context: Context) -> list[str]:
    """Open positions of both modes, in words."""
    return [line for line in exposure_lines(await context.read(lambda: open_positions(context))) if line]


def _done(context: Context, text: str, strategies: tuple[str, ...]) -> Answer:
    """What holds now, and who takes it when."""
    told = list[str]()
    buttons: tuple[tuple[Button, ...], ...] = ()
    for strategy in strategies:
        name, how = OWN.get(strategy, ("", ""))
        if name:
            told += ([f"{name} still runs with what held before. → {how}"] if context.running(name)
                     else ["It holds from the next start on."])
            continue
        running = [name for name in (SCANNER, TRACKER) if context.running(name)]
        if not running:
            told.append("It holds from the next /startbot on.")
            continue
        told += [f"{esc(' and '.join(running))} still run with what held before.",
                 "→ /restartbot takes the change now; positions stay guarded."]
        buttons = ((Button("Restart scanner and tracker now", "run:/restartbot"),),)
    return Answer(lines(b(f"[{context.mode()}] {esc(text)}"), *dict.fromkeys(told)), buttons=buttons)


def _gain(version: Version) -> str:
    told = version.figures.get("difference")
    return (f"{version.figures['objective']} {told['value']:+.4g} [{told['low']:+.4g}, {told['high']:+.4g}] out of "
            f"sample against what held then, candles until {version.data_until[:10]}") if told else ""


def _present(context: Context, name: str) -> object:
    group, _, field = name.partition(".")
    return getattr(getattr(context.settings, group), field)


def _number(words: list[str]) -> int:
    if len(words) != 2 or not words[1].isdecimal():
        raise NoVersion("which version? /optimize list shows them, e.g. /optimize apply 3")
    return int(words[1])


COMMANDS = (
    Command("optimize", "Search better settings; apply or roll back", Group.MODELS, optimize,
            args=(Arg("what", "text", "STRATEGY trials=N …, or list, apply N, rollback, stop"),),
            preview=optimize_preview, money=True),
)
