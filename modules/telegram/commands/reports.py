"""Reports: /summary /testsummary /profit /daily /performance /activity /testactivity. Real figures of the history."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from modules.exchange.types import Mode, Unavailable
from modules.strategies.hype.records import Activity, Position
from modules.telegram import stats
from modules.telegram.command import Answer, Arg, Command, Group, Request, Role
from modules.telegram.commands.crew import grid_lines, stake
from modules.telegram.commands.positions import MODE_ARG, asked_mode, held_in, only_test, other_mode, pager
from modules.telegram.context import Context
from modules.telegram.market_now import market_now
from modules.telegram.markup import b, esc, lines, pre
from modules.telegram.stats import DAY_MS, Closed, Ledger, Totals
from utils.figures import day_of, money, pct, plural, price, when

ACTIVITY_PAGE = 12
CURVE_POINTS = 400


@dataclass(frozen=True, slots=True)
class Book:
    """All that reports of one mode are made of."""

    mode: Mode
    ledger: Ledger
    held: list[Position]
    now_ms: int


async def book_of(context: Context, mode: Mode) -> Book:
    """Read a mode's history and positions."""
    ledger, held, now = await asyncio.gather(
        context.read(lambda: stats.digest(context.files(mode).trades.records())),
        held_in(context, mode), market_now(context))
    return Book(mode, ledger, held, now)


def day_start(now_ms: int, zone: str, back: int = 0) -> int:
    """When the calendar day `back` days ago began in the report's time zone, market ms."""
    local = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(ZoneInfo(zone))
    day = (local - timedelta(days=back)).date()
    return int(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def _period(name: str, total: Totals) -> str:
    return lines(f"{b(name)}: {b(money(total.pnl, signed=True))} USDT net",
                 f"{plural(total.trades, 'trade')} closed"
                 + (f", {total.win_rate:.0f}% won" if total.trades else "") + f", fees {money(total.fees)}")


def _named(trade: Closed) -> str:
    return f"{trade.symbol} {pct(trade.pct)} ({money(trade.pnl, signed=True)} USDT)"


def _open_lines(held: list[Position]) -> list[str]:
    if not held:
        return ["No open positions."]
    gains = [stats.unrealised(position) for position in held]
    known = sum((gain for gain in gains if gain is not None), Decimal(0))
    worth = sum((stats.exposure(position) for position in held), Decimal(0))
    rows = [f"{b(plural(len(held), 'open position'))}: {money(worth)} USDT, open {money(known, signed=True)}"]
    for position, gain in list(zip(held, gains, strict=True))[:8]:
        rows.append(f"{esc(position.symbol)} {money(gain, signed=True) if gain is not None else 'no price yet'}")
    return rows + ([f"… {len(held) - 8} more: /tracked"] if len(held) > 8 else [])


async def summary(context: Context, request: Request) -> Answer:
    mode = asked_mode(context, request)
    book = await book_of(context, mode)
    today = stats.totals(book.ledger, day_start(book.now_ms, context.zone))
    week = stats.totals(book.ledger, book.now_ms - 7 * DAY_MS)
    every = stats.totals(book.ledger)
    other = await held_in(context, other_mode(mode))
    text = lines(
        b(f"[{mode}] Summary") + f" ({stake(context, mode)})",
        f"{when(book.now_ms, context.zone)} {esc(context.zone)}", "",
        _period("Today", today), _period("7 days", week), _period("All", every),
        f"Best {esc(_named(every.best))}" if every.best and every.best.pnl > 0 else None,
        f"Worst {esc(_named(every.worst))}" if every.worst and every.worst.pnl < 0 else None, "",
        *_open_lines(book.held),
        f"{other_mode(mode)} also holds {plural(len(other), 'position')}." if other else None,
        *(await grid_lines(context))[0],
        None if every.trades or book.held else "→ /why says why nothing was bought.",
    )
    if not book.ledger.realised:
        return Answer(text)
    return await _with_curve(context, book, text)


async def _with_curve(context: Context, book: Book, text: str) -> Answer:
    """The summary with the equity curve; without it where the picture cannot be made: figures come first."""
    spec = {"mode": book.mode.value, "zone": context.zone, "now_ms": book.now_ms,
            "points": thin(stats.curve(book.ledger), CURVE_POINTS),
            "unrealised": float(sum((g for p in book.held if (g := stats.unrealised(p)) is not None), Decimal(0)))}
    try:
        told = await context.worker("equity", spec)
    except Unavailable as problem:
        return Answer(lines(text, f"(no picture: {esc(problem)})"))
    return Answer(text, picture=context.paths.data / told["picture"])


def thin(points: list[tuple[int, float]], most: int) -> list[tuple[int, float]]:
    """At most about `most` points; first, last, and in each stretch its lowest and highest stay."""
    if len(points) <= most:
        return points
    size = 2 * len(points) // most + 1
    kept: list[tuple[int, float]] = [points[0]]
    for start in range(0, len(points), size):
        stretch = points[start:start + size]
        ends = {min(stretch, key=lambda p: p[1]), max(stretch, key=lambda p: p[1])}
        kept.extend(sorted(ends))
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]


async def profit(context: Context, request: Request) -> Answer:
    mode = asked_mode(context, request)
    book = await book_of(context, mode)
    periods = [("Today", day_start(book.now_ms, context.zone)), ("7 days", book.now_ms - 7 * DAY_MS),
               ("30 days", book.now_ms - 30 * DAY_MS), ("All", 0)]
    every = stats.totals(book.ledger)
    average = every.pnl / every.trades if every.trades else Decimal(0)
    gains = sum((t.pnl for t in book.ledger.closed if t.pnl > 0), Decimal(0))
    losses = -sum((t.pnl for t in book.ledger.closed if t.pnl < 0), Decimal(0))
    return Answer(lines(
        b(f"[{mode}] Profit"), "Net of fees, realised.", "",
        *(_period(name, stats.totals(book.ledger, since)) for name, since in periods), "",
        f"Per trade {money(average, signed=True)} USDT" if every.trades else None,
        f"Profit factor {gains / losses:.2f}" if losses else None, *_open_lines(book.held)[:1]))


async def daily(context: Context, request: Request) -> Answer:
    mode = asked_mode(context, request)
    days = request.number("days", 7)
    book = await book_of(context, mode)
    starts = [day_start(book.now_ms, context.zone, back) for back in range(days)]
    rows = ["day     trades  won       net"]
    total = Decimal(0)
    for start, end in zip(starts, [None, *starts], strict=False):
        day = stats.totals(book.ledger, start, end)
        total += day.pnl
        won = f"{day.win_rate:.0f}%" if day.trades else "–"
        net = money(day.pnl, signed=True) if day.trades or day.pnl else "–"
        rows.append(f"{day_of(start + DAY_MS // 2, context.zone)[5:]} {day.trades:>7} {won:>5} {net:>10}")
    return Answer(lines(b(f"[{mode}] Last {plural(days, 'day')}") + f" ({esc(context.zone)})", pre(rows),
                        f"Together {b(money(total, signed=True))} USDT net"))


async def performance(context: Context, request: Request) -> Answer:
    mode = asked_mode(context, request)
    book = await book_of(context, mode)
    if not book.ledger.closed:
        return Answer(lines(b(f"[{mode}] No closed trades yet."), "→ /tracked shows open ones, /why says why."))
    return Answer(lines(
        b(f"[{mode}] Performance") + f", {plural(len(book.ledger.closed), 'trade')}, net USDT",
        b("Strategy"), _table(stats.by(book.ledger, lambda trade: trade.strategy), 10),
        b("Exit"), _table(stats.by(book.ledger, lambda trade: trade.reason), 10),
        b("Token"), _table(stats.by(book.ledger, lambda trade: trade.symbol.removesuffix("USDT")), 12)))


def _table(rows: list[tuple[str, Totals]], most: int) -> str:
    """Narrow: name, count, won, net. The best and the worst stay when there are more than `most`."""
    shown = rows if len(rows) <= most else [*rows[:most // 2], *rows[-(most - most // 2):]]
    return pre([f"{name[:13]:<13}{total.trades:>4} {total.win_rate:>3.0f}% {money(total.pnl, signed=True):>9}"
                for name, total in shown])


async def activity(context: Context, request: Request) -> Answer:
    mode = asked_mode(context, request)
    page = request.number("page", 1)
    newest = await context.read(lambda: context.files(mode).activity.newest((page + 1) * ACTIVITY_PAGE))
    newest.reverse()
    page = max(1, min(page, (len(newest) + ACTIVITY_PAGE - 1) // ACTIVITY_PAGE))  # too far on: the last page there is
    shown = newest[(page - 1) * ACTIVITY_PAGE: page * ACTIVITY_PAGE]
    if not shown:
        return Answer(lines(b(f"[{mode}] Nothing judged yet."), "→ /why says why, /status shows the scanner."))
    pages = page + (1 if len(newest) > page * ACTIVITY_PAGE else 0)
    return Answer(lines(b(f"[{mode}] What the scanner judged") + ", newest first", "",
                        *(_judged(record, context.zone) for record in shown)),
                  buttons=pager(f"/activity {mode.lower()}", page, pages))


_MARKS = {"approved": "✅", "rejected": "✖", "waiting": "⏳", "info": "·", "error": "⚠️"}


def _judged(record: Activity, zone: str) -> str:
    what = " ".join(part for part in (record.symbol and b(record.symbol), esc(record.strategy)) if part)
    figures = [f"conf {record.confidence:.2f}" if record.confidence is not None else "",
               f"p {record.probability:.2f}" if record.probability is not None else "",
               price(record.price) if record.price else ""]
    why = record.text or ", ".join(record.codes)
    first = f"{when(record.market_ms, zone, day=False)} {_MARKS[record.verdict]} {what or esc(record.event)}"
    return lines(f"{first} {esc(' '.join(part for part in figures if part))}".rstrip(),
                 f"   {esc(why)}" if why else None)


_PAGE_ARG = Arg("page", "int", low=1, high=1000)
COMMANDS = (
    Command("summary", "Result, open positions, equity curve", Group.REPORTS, summary, Role.VIEWER, args=(MODE_ARG,)),
    Command("testsummary", "The same of test mode", Group.REPORTS, only_test(summary), Role.VIEWER),
    Command("profit", "Net profit by period", Group.REPORTS, profit, Role.VIEWER, args=(MODE_ARG,)),
    Command("daily", "Result by day", Group.REPORTS, daily, Role.VIEWER,
            args=(Arg("days", "int", "how many, default 7", low=1, high=60), MODE_ARG)),
    Command("performance", "Result by strategy, exit and token", Group.REPORTS, performance, Role.VIEWER,
            args=(MODE_ARG,)),
    Command("activity", "What the scanner judged, and why", Group.REPORTS, activity, Role.VIEWER,
            args=(MODE_ARG, _PAGE_ARG)),
    Command("testactivity", "The same of test mode", Group.REPORTS, only_test(activity), Role.VIEWER,
            args=(_PAGE_ARG,)),
)
