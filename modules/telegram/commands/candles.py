"""/data: candles for backtests, fetched by a process of low priority behind everything that trades; their check."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from modules.market import sets
from modules.telegram.candle_words import MOST_SHOWN, Asked, read
from modules.telegram.command import Answer, Arg, Command, Group, Preview, Refusal, Request, UsageError, shown
from modules.telegram.commands.crew import troubles
from modules.telegram.context import SIMULATOR, Context
from modules.telegram.long_runs import Ended, Occupied
from modules.telegram.markup import b, code, esc, lines
from utils.figures import megabytes, plural

KIND = "data"
SIMULATED = "simulated"
ROW_BYTES, PAGE = 75, 500  # one candle in its file; candles in one answer of the exchange
ASKS_FROM = 1000  # requests; more are asked about first
LEFT_FREE_MB = 500
USAGE = ("/data download [SYMBOL …] [top=N] [days=N, or first and last day] [interval=1h] [exchange=mexc] · "
         "/data check [SET] · /data list · /data delete SET · /data cancel")


def _words(request: Request) -> tuple[str, list[str]]:
    words = request.text("what").split()
    return (words[0].lower(), words[1:]) if words else ("list", [])


def _asked(words: list[str]) -> Asked:
    try:
        return read(words)
    except UsageError as problem:
        raise Refusal(lines(esc(problem), f"Usage: {code(USAGE)}",
                            f"→ {code('/data download BTC PEPE days=90')} is an example.")) from None


async def data_preview(context: Context, request: Request) -> Preview | Answer | None:
    """Asked first: what loads the exchange for long, and what deletes."""
    verb, words = _words(request)
    if verb == "delete":
        return await _delete_preview(context, words)
    if verb != "download":
        return None
    asked = _asked(words)
    candles = asked.candles()
    size_mb, requests = candles * ROW_BYTES / 1e6, candles // PAGE
    free_mb = shutil.disk_usage(context.paths.data).free / 1e6
    if size_mb > free_mb - LEFT_FREE_MB:
        raise Refusal(lines(b("Nothing was downloaded."),
                            f"{candles:,} candles may take {megabytes(size_mb)}; {megabytes(free_mb)} are free on the "
                            f"disk, of which {megabytes(LEFT_FREE_MB)} stay free for trading.",
                            "→ Fewer tokens or days, a longer interval, or make room (/cleanup)."))
    if requests < ASKS_FROM:
        return None
    return Preview(lines(b(f"Download up to {candles:,} candles?"),
                         f"About {requests:,} requests to {esc(_exchange(context, asked))}, {megabytes(size_mb)} on "
                         "the disk. Whatever trades goes first; what is stored already is not asked for again.",
                         "Nothing is bought or sold."), str(candles), "Download")


async def data(context: Context, request: Request) -> Answer:
    verb, words = _words(request)
    if verb == "download":
        return await _download(context, request, _asked(words))
    if verb == "check":
        return await _check(context, request, words)
    if verb == "delete":
        return await _delete(context, words)
    if verb == "list":
        return Answer(await context.read(lambda: _list(context)))
    if verb in ("cancel", "stop"):
        return Answer(lines(b("The download is stopped."), "What came is kept; the same /data goes on from there.")
                      if context.runs.cancel(KIND) else b("Nothing is being downloaded."))
    raise Refusal(lines(f"{esc(shown(verb))} is not known here.", f"Usage: {code(USAGE)}"))


async def _download(context: Context, request: Request, asked: Asked) -> Answer:
    if _exchange(context, asked) == SIMULATED and not context.running(SIMULATOR):
        if context.service(SIMULATOR) is None:
            raise Refusal(lines(b("The simulated exchange does not run."), "It is a part of the crew only while "
                                "EXCHANGE=simulated.", f"→ {code('exchange=mexc')} is the other exchange."))
        await request.progress("Starting the simulated exchange …")
        if trouble := troubles(await context.crew.start(SIMULATOR)):
            raise Refusal(lines(b("Nothing was downloaded."), trouble))
    await request.progress(lines(f"Download of {b(str(asked))} begins …", "/data cancel stops it."))
    ended = await _run(context, request, asked.argv())
    if ended.cancelled:
        return Answer(lines(b("Download cancelled."), "What came is kept; the same command goes on from there."))
    found = _result(ended)
    if found is None:
        raise Refusal(lines(b("Nothing was downloaded."), esc(ended.problem()), f"Usage: {code(USAGE)}"))
    return Answer(_told(found))


async def _check(context: Context, request: Request, words: list[str]) -> Answer:
    name = _set(await context.read(lambda: sets.sets(context.paths)), words, sets.COLLECTED)
    ended = await _run(context, request, [KIND, "check", f"--set={name}", "--json", "--progress"])
    if ended.cancelled:
        return Answer(b("The check was cancelled."))
    found = _result(ended)
    if found is None:
        raise Refusal(lines(b("Not checked."), esc(ended.problem())))
    return Answer(lines(b(f"Candles of {name}, checked"), *_checked(found)))


async def _run(context: Context, request: Request, argv: list[str]) -> Ended:
    try:
        return await context.runs.run(KIND, argv, context.paths, request.sender.name or request.sender.user,
                                      request.progress)
    except Occupied as other:
        raise Refusal(lines(b("A download or check is under way."), esc(other), "→ /data cancel ends it.")) from None


def _result(ended: Ended) -> dict[str, Any] | None:
    """What it printed; None where it came to nothing. Exit code 1 with a result: some tokens failed."""
    try:
        found = json.loads(ended.out.splitlines()[-1])
    except (ValueError, IndexError):
        return None
    return found if isinstance(found, dict) and "symbols" in found else None


def _told(found: dict[str, Any]) -> str:
    failed: dict[str, str] = found["failed"]
    good = found["asked"] - len(failed)
    shown_ = [f"{esc(name)}: {esc(why)}" for name, why in list(failed.items())[:MOST_SHOWN]]
    more = f"… and {len(failed) - MOST_SHOWN} more" if len(failed) > MOST_SHOWN else None
    use = "/backtest" if found["set"] == sets.COLLECTED else f"/backtest rsi candles={found['set']}"
    return lines(b(f"Candles downloaded: {good} of {plural(found['asked'], 'token')}"),
                 f"{found['exchange']} {found['interval']}, {found['added']:,} new, in {code(found['set'])}",
                 *_checked(found), "", *([b("Failed; the same command tries them again:"), *shown_] if failed else []),
                 more, f"→ {code(use)} uses them." if good else None)


def _checked(found: dict[str, Any]) -> list[str]:
    """What the check says, the tokens with something to tell first."""
    rows = found["symbols"]
    if not rows:
        return ["No candle is there."]
    odd = [row for row in rows if row["unusable"] or row["problem"] or row["gap_count"]]
    gaps, missing = sum(row["gap_count"] for row in rows), sum(row["missing"] for row in rows)
    head = ("every row can be used" if found["usable"]
            else f"⚠️ {sum(row['unusable'] for row in rows):,} rows cannot be used; a backtest leaves them out")
    return [f"{plural(len(rows), 'token')}, {found['rows']:,} candles: {head}",
            f"{plural(gaps, 'gap')} ({missing:,} candles missing); gaps stay gaps" if gaps else "No gaps",
            *(f"   {esc(row['symbol'] or row['file'])}: {esc(row['problem'] or _odd(row))}"
              for row in odd[:MOST_SHOWN])]


def _odd(row: dict[str, Any]) -> str:
    parts = [f"{row['unusable']:,} rows cannot be used" if row["unusable"] else "",
             plural(row["gap_count"], "gap") if row["gap_count"] else ""]
    return ", ".join(part for part in parts if part)


def _list(context: Context) -> str:
    """Every set with its span and size."""
    rows = []
    for name in sets.sets(context.paths):
        folder = sets.folder_of(context.paths, name)
        files = list(folder.glob("*.csv"))
        span = sets.span(folder)
        days = f", {_day(span[0])} … {_day(span[1])}" if span else ""
        rows.append(f"{code(name)}: {plural(len(files), 'token')}{days}, {megabytes(_size(files))}")
    return lines(b("Candles on the disk"), *(rows or ["None yet."]), "",
                 f"→ {code('/data download top=50 days=30')} fetches some, {code('/data check')} looks for gaps.")


async def _delete_preview(context: Context, words: list[str]) -> Preview | Answer:
    there = await context.read(lambda: sets.sets(context.paths))
    name = _set(there, words, "")
    if name == sets.COLLECTED:
        raise Refusal(lines(f"{code(name)} is what the program collects and trains on; it is not deleted from here.",
                            "→ /cleanup deletes files there that are older than some days."))
    files = list(sets.folder_of(context.paths, name).glob("*.csv"))
    return Preview(lines(b(f"Delete the candles {name}?"), f"{plural(len(files), 'token')}, {megabytes(_size(files))}. "
                         "They can be downloaded again. Trades, models and other candles stay."), str(len(files)),
                   "Delete")


async def _delete(context: Context, words: list[str]) -> Answer:
    name = _set(await context.read(lambda: sets.sets(context.paths)), words, "")
    if name == sets.COLLECTED:
        raise Refusal(f"{code(name)} is not deleted from here.")
    if KIND in context.runs.under_way():
        raise Refusal(lines(b("Nothing was deleted."), "A download or check is under way.", "→ /data cancel ends it."))
    await context.read(lambda: shutil.rmtree(sets.folder_of(context.paths, name)))
    return Answer(b(f"The candles {name} are deleted."))


def _set(there: list[str], words: list[str], default: str) -> str:
    """The set that is meant. Raises Refusal naming those that are there."""
    name = words[0].lower() if words else default
    if name not in there:
        what = f"There is no set {esc(shown(name))}." if name else "Name the set."
        raise Refusal(lines(what, f"There are: {', '.join(map(code, there))}" if there else "There are no candles yet.",
                            f"Usage: {code(USAGE)}"))
    return name


def _exchange(context: Context, asked: Asked) -> str:
    return asked.exchange or context.settings.exchange.name


def _size(files: list[Path]) -> float:
    return sum(path.stat().st_size for path in files if path.exists()) / 1e6


def _day(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d")


COMMANDS = (
    Command("data", "Download and check candles", Group.DATA, data, preview=data_preview,
            args=(Arg("what", "text", "download BTC PEPE days=90 [top=N] [interval=1h] [exchange=mexc] | check [SET] | "
                                      "list | delete SET | cancel"),)),
)
