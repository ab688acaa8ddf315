"""/reconcile: the exchange against our books, as the tracker last compared them (X20).

The tracker compares every few seconds and leaves a report; this command only reads it, so it works at any time.
"""

from modules.execution.invariants import Check, Report, Rule
from modules.storage.damage import StateError
from modules.strategies.hype.desk_books import reconciled_file
from modules.telegram.command import Answer, Command, Group, Request, Role
from modules.telegram.commands.positions import MODE_ARG, asked_mode
from modules.telegram.context import TRACKER, Context
from modules.telegram.markup import b, esc, lines

MOST_LINES = 40
_MEANING = {
    Rule.QUANTITY: "Quantities as on the exchange",
    Rule.AVERAGE: "Average prices as their fills",
    Rule.EQUITY: "Result as the change of the account",
    Rule.REMAINDER: "No ended order with a remainder",
    Rule.PROTECTED: "Every position guarded",
}


async def reconcile(context: Context, request: Request) -> Answer:
    mode = asked_mode(context, request)
    try:
        report = await context.read(lambda: reconciled_file(context.paths, mode).load().report)
    except StateError as problem:
        return Answer(lines(b(f"[{mode}] The report cannot be read."), esc(problem),
                            "→ The tracker writes a new one within a minute: delete the file."))
    if report is None:
        return Answer(lines(b(f"[{mode}] Not compared yet."), "The tracker compares books and exchange while it runs.",
                            None if context.running(TRACKER) else "→ /startbot"))
    stopped = None if context.running(TRACKER) else "⚠️ The tracker is not running: this is how it was then."
    text = report.lines()
    rest = text[1:MOST_LINES]
    more = f"… and {len(text) - MOST_LINES} more lines" if len(text) > MOST_LINES else None
    return Answer(lines(b(f"[{mode}] {text[0]}."), stopped, _asked(context, report), *map(esc, rest), more, "",
                        *(_held(rule, report) for rule in Rule)))


def _asked(context: Context, report: Report) -> str | None:
    """How long ago, by market time, as far as the tracker tells it."""
    status = context.service(TRACKER)
    now_ms = status.info.get("market_ms") if status is not None else None
    if not isinstance(now_ms, int) or now_ms < report.market_ms:
        return None
    return f"Compared {_ago(now_ms - report.market_ms)} ago (market time)."


def _held(rule: Rule, report: Report) -> str | None:
    """One invariant over everything it is held for: whether it holds, or when it last did."""
    checks = [check for check in report.checks if check.rule is rule]
    if not checks:
        return None
    if all(check.ok for check in checks):
        return f"✅ {_MEANING[rule]}"
    worst = min(checks, key=_order)
    mark = "❌" if worst.ok is False else "❔"
    when = f"last held {_ago(report.market_ms - worst.held_ms)} before" if worst.held_ms else "never held yet"
    return f"{mark} {_MEANING[rule]}: {esc(worst.subject)}, {when}"


def _order(check: Check) -> tuple[bool, int]:
    return check.ok is not False, check.held_ms


def _ago(ms: int) -> str:
    seconds = max(0, ms) // 1000
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"


COMMANDS = (
    Command("reconcile", "Exchange against our books", Group.TRADING, reconcile, Role.VIEWER, args=(MODE_ARG,)),
)
