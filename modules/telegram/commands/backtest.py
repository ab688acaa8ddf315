"""/backtest: the live rules on past candles, in a process of low priority; /cancel ends such long work."""

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from modules.exchange.types import Unavailable
from modules.market import sets
from modules.telegram.command import Answer, Arg, Command, Group, Refusal, Request, Role, UsageError, shown
from modules.telegram.context import Context
from modules.telegram.long_runs import Ended, Occupied
from modules.telegram.markup import b, code, esc, lines
from utils.figures import money, pct, plural
from utils.paths import Paths

KIND = "backtest"
CURVE_POINTS = 600
DAY_MS = 86_400_000
LEAST_DAYS = 2
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_EXAMPLE = code("/backtest hype 30 trail_fall_pct=2") + " is an example."
_SAID = 600
_WRONG_ARGUMENT = 2


@dataclass
class Asked:
    """What a person wrote after /backtest."""

    strategy: str = "hype"
    days: int = 0
    dates: list[str] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    symbols: list[str] = field(default_factory=list)
    candles: str = ""

    def argv(self, newest_ms: int, folder: str = "") -> list[str]:
        """The arguments of ``bot.py``. `folder`: where the set of candles lies that was named."""
        since = day(newest_ms - self.days * DAY_MS) if self.days else (self.dates[0] if self.dates else "")
        found = [KIND, self.strategy, "--json", "--progress", "--curve", str(CURVE_POINTS)]
        found += [f"--since={since}"] if since else []
        found += [f"--until={self.dates[1]}"] if len(self.dates) > 1 else []
        found += ["--symbols", *self.symbols] if self.symbols else []
        found += [f"--candles={folder}"] if folder else []
        return found + [f"--{change.replace('_', '-', 1)}" if change.startswith("lot_usdt=") else f"--set={change}"
                        for change in self.changes]


def read(text: str) -> Asked:
    """The words in any order. Raises UsageError."""
    asked, named = Asked(), False
    for word in text.split():
        if word.lower().startswith("candles="):
            asked.candles = word.partition("=")[2].lower()
        elif "=" in word:
            asked.changes.append(word)
        elif word.isdecimal():
            asked.days = int(word)
            if not 1 <= asked.days <= 10_000:
                raise UsageError(f"days is {shown(word)}; it must be from 1 to 10000.")
        elif _DAY.fullmatch(word):
            asked.dates.append(word)
        elif word.upper().endswith("USDT") and word.isalnum():
            asked.symbols.append(word.upper())
        elif not named and re.fullmatch(r"[a-zA-Z][\w-]{0,30}", word):
            asked.strategy, named = word.lower(), True
        else:
            raise UsageError(f"{shown(word)} is neither a strategy, nor days, nor a date (2024-03-01), nor name=value.")
    if len(asked.dates) > 2 or (asked.days and asked.dates):
        raise UsageError("Give a number of days, or a first and a last day.")
    return asked


async def backtest(context: Context, request: Request) -> Answer:
    try:
        asked = read(request.text("what"))
    except UsageError as problem:
        raise Refusal(lines(esc(problem), f"→ {_EXAMPLE}")) from None
    if asked.strategy == "cancel":
        return await cancel(context, Request(request.sender, request.role, {"what": KIND}, request.progress))
    folder = await context.read(lambda: _folder(context.paths, asked.candles))
    span = await context.read(lambda: sets.span(folder))
    few = span is None or span[1] - span[0] < LEAST_DAYS * DAY_MS
    if few and asked == Asked():
        raise Refusal(_too_little(span))
    await request.progress(lines(f"Backtest of {b(asked.strategy)} begins …", "/cancel stops it."))
    try:
        argv = asked.argv(span[1] if span else DAY_MS * asked.days, str(folder) if asked.candles else "")
        ended = await context.runs.run(KIND, argv, context.paths, request.sender.name, request.progress)
    except Occupied as other:
        raise Refusal(lines(b("A backtest is under way."), esc(other), "→ /cancel ends it.")) from None
    if ended.cancelled:
        return Answer(lines(b("Backtest cancelled."), "Nothing was kept."))
    if few and ended.code != _WRONG_ARGUMENT:  # what was asked is judged first, then what there is to test it on
        raise Refusal(_too_little(span))
    if ended.code:
        raise Refusal(_failed(ended))
    return await _told(context, json.loads(ended.out))


def _failed(ended: Ended) -> str:
    reason = ended.problem().removeprefix("No backtest: ")
    few = "no candle lies between" in reason
    return lines(b("No backtest."), esc(reason[-_SAID:]),
                 "→ Give other days; /backtest alone takes all candles there are." if few
                 else f"→ {_EXAMPLE}")


def _too_little(span: tuple[int, int] | None) -> str:
    have = "There are no collected candles yet."
    if span is not None:
        hours = (span[1] - span[0]) / 3_600_000
        have = f"The collected candles cover {hours:.0f} hours; less than {LEAST_DAYS} days tell nothing."
    return lines(b("Too few candles for a backtest."), have,
                 "→ " + code("/data download top=50 days=30") + " fetches them; then /backtest again.")


def _folder(paths: Paths, name: str) -> Path:
    """Where the candles lie that were asked for. Raises Refusal naming the sets there are."""
    if not name:
        return paths.market_data
    there = sets.sets(paths)
    if name not in there:
        raise Refusal(lines(f"There is no set of candles {esc(shown(name))}.",
                            f"There are: {', '.join(map(code, there))}" if there else None,
                            "→ " + code("/data download") + " fetches some."))
    return sets.folder_of(paths, name)


async def _told(context: Context, found: dict[str, Any]) -> Answer:
    """Figures, and the picture where it can be made."""
    text = summary(found)
    spec = {"name": found["title"], "zone": context.zone, "note": _note(found), "curve": found["curve"],
            "start": found["metrics"]["start"],
            "months": [(month["name"], float(month["pnl_usdt"])) for month in found["by_month"]]}
    try:
        made = await context.worker("backtest", spec)
    except Unavailable as problem:
        return Answer(lines(text, f"(no picture: {esc(problem)})"))
    return Answer(text, picture=context.paths.data / made["picture"])


def _note(found: dict[str, Any]) -> str:
    return (f"{found['span']} · {plural(len(found['symbols']), 'token')} · "
            f"deepest fall {found['metrics']['deepest drawdown']:.1f}%")


def summary(found: dict[str, Any]) -> str:
    """A short text: what was tested, what came of it, and what it does not know."""
    figures = found["metrics"]
    net = float(figures["end"]) - float(figures["start"])
    head = [b(found["title"]) + f", {found['span']}",
            f"{plural(len(found['symbols']), 'token')}, {found['candles']:,} candles. A test on past prices: nothing "
            "was bought or sold, in neither TEST nor LIVE.", ""]
    if not figures["trades"]:
        refused = ", ".join(f"{count} {name}" for name, count in found["refused"].items())
        return lines(*head, b("No trade came of it."), f"Refused: {esc(refused)}" if refused else None)
    either = f" ± {figures['mean trade ±']:.2f}" if figures["mean trade ±"] is not None else ""
    sure = _sure(figures["mean trade"], figures["mean trade ±"])
    assumed = found["waived"]
    more = f"; {len(assumed) - 1} more" if len(assumed) > 1 else ""
    return lines(
        *head,
        f"Net {b(money(net, signed=True))} USDT ({pct(figures['result'])}), "
        f"buy and hold {pct(figures['buy and hold'])}",
        f"{plural(figures['trades'], 'trade')}, {figures['won']:.0f}% won",
        f"Per trade {pct(figures['mean trade'])}{either} (95 %){sure}",
        f"Deepest drawdown {figures['deepest drawdown']:.1f}%, fees {money(figures['fees'])} USDT", "",
        f"Assumed, for example: {esc(assumed[0])}{more}." if assumed else None,
        "→ The whole report: " + code(f"python bot.py backtest {found['title'].split()[-1]} --html report.html"))


def _sure(mean: float | None, either: float | None) -> str:
    """What the interval says."""
    if mean is None or either is None:
        return ""
    if abs(mean) <= either:
        return ": no different from nothing"
    return ": a gain" if mean > 0 else ": a loss"


async def cancel(context: Context, request: Request) -> Answer:
    """End long work."""
    kinds = [request.text("what")] if request.text("what") else list(context.runs.under_way())
    ended = [kind for kind in kinds if context.runs.cancel(kind)]
    if not ended:
        return Answer("Nothing is under way that could be cancelled.")
    return Answer(b(f"Cancelled: {', '.join(ended)}."))


def day(ms: int) -> str:
    """2024-03-01"""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d")


COMMANDS = (
    Command("backtest", "The live rules on past candles", Group.REPORTS, backtest, Role.OWNER, args=(
        Arg("what", "text", "[hype|rsi|scalper|grid] [days, or first and last day] [candles=SET] [name=value …]: "
                            "hype 30 trail_fall_pct=2"),)),
    Command("cancel", "End long work", Group.REPORTS, cancel, Role.OWNER, args=(
        Arg("what", "text", "backtest, optimize or data; default: whatever is under way"),)),
)
