"""``python bot.py recording check FILES``: what recorded raw frames are worth.

    bot.py recording check data/recordings --json
    bot.py recording check btcusdt_20240808.gz BTCUSDT-aggTrades-2024-10-27.zip --timeframes 1m 5m 1h

Exit codes: 0 checked, 1 a file cannot be read, is torn or damaged, or holds nothing, 2 wrong arguments.
"""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.exchange.captures import CaptureError, capture_files, read_capture
from modules.exchange.recording_check import TIMEFRAMES, Candle, Check, Trades
from modules.storage.recordings.reader import SUFFIX, Damage
from utils.paths import Paths
from utils.wall import iso

if TYPE_CHECKING:
    from config.settings import Settings

_EVERY = 200_000


def main(argv: list[str], settings: "Settings", paths: Paths) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="bot.py recording", description="Look at recorded raw frames.")
    parts = parser.add_subparsers(dest="part", metavar="PART", required=True)
    check = parts.add_parser("check", help="follow every sequence, rebuild candles from trades, count the damage")
    check.add_argument("files", nargs="*", type=Path, metavar="FILE",
                       help="recordings, captures or folders (default: data/recordings)")
    check.add_argument("--timeframes", nargs="+", choices=tuple(TIMEFRAMES), default=["1m", "5m"], metavar="TF",
                       help=f"candles to rebuild: {', '.join(TIMEFRAMES)} (default: 1m 5m)")
    check.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args(argv)
    try:
        told = examine(chosen.files or [paths.data / "recordings"], tuple(chosen.timeframes))
    except CaptureError as problem:
        advice = ("" if chosen.files else " The feed records what it hears while it runs (/startsignals, or bot.py run "
                  "feed); recorder.on has to be true.")
        sys.stderr.write(f"Not checked: {problem}{advice}\n")
        return 1
    sys.stdout.write((json.dumps(told) if chosen.json else _text(told)) + "\n")
    if told["damaged_blocks"] or told["torn_bytes"] or told["lost_bytes"]:
        sys.stderr.write("Torn or damaged: what is whole was checked, the rest is lost; a backtest leaves it out.\n")
        return 1
    return 0


def examine(files: list[Path], timeframes: tuple[str, ...] = ("1m", "5m")) -> dict[str, Any]:
    """The findings over all files. Raises CaptureError.

    Our recordings are one sequence, file after file; captures of others each stand for themselves (two of them may be
    of two markets with the same names).
    """
    found = capture_files(files)
    damage, garbage = Damage(), []  # type: Damage, list[str]
    ours, checks = Check(timeframes), []  # type: Check, list[Check]
    for number, path in enumerate(found, 1):
        check = ours if path.suffix == SUFFIX else Check(timeframes)
        if not any(check is known for known in checks):
            checks.append(check)
        for frame in read_capture(path, damage, garbage):
            check.take(frame)
            if check.frames % _EVERY == 0 and sys.stderr.isatty():
                sys.stderr.write(f"\r{check.frames:,} frames, file {number} of {len(found)} ")
    if not any(check.frames for check in checks):
        raise CaptureError(f"{', '.join(map(str, files))}: holds no frame"
                           + (f"; {len(garbage):,} lines are in no known form" if garbage else ""))
    return _told(checks, damage, garbage, found)


def _told(checks: list[Check], damage: Damage, garbage: list[str], files: list[Path]) -> dict[str, Any]:
    chains = [chain for check in checks for chain in check.chains.values()]
    rows = [row for check in checks for row in _trades(check)]
    kinds = sum((Counter(check.kinds) for check in checks), Counter[str]())
    return {
        "files": [path.name for path in files], "frames": sum(check.frames for check in checks),
        "symbols": sorted({symbol for check in checks for symbol in check.symbols}),
        "from": iso(min(check.first_ns for check in checks if check.frames) // 1_000_000),
        "to": iso(max(check.last_ns for check in checks) // 1_000_000),
        "sequence_breaks": sum(chain.breaks for chain in chains), "diffs": sum(chain.diffs for chain in chains),
        "late_or_repeated": sum(chain.late for chain in chains), "restarts": sum(chain.restarts for chain in chains),
        "snapshots": sum(check.snapshots for check in checks), "trades": sum(trades.count for _, trades in rows),
        "trades_missing": sum(trades.missing for _, trades in rows),
        "trades_repeated": sum(trades.repeated for _, trades in rows),
        "garbage": sum(check.garbage for check in checks) + len(garbage),
        "dropped": sum(check.dropped for check in checks), "damaged_blocks": damage.blocks,
        "torn_bytes": damage.torn_bytes, "lost_bytes": damage.lost_bytes, "messages": dict(kinds),
        "places": [*(place for check in checks for place in check.places), *damage.places,
                   *(f"{place}: in no known form" for place in garbage[:20])],
        "candles": [_candle(symbol, frame, candle, trades)
                    for symbol, trades in rows for (frame, _), candle in trades.candles.items()],
    }


def _trades(check: Check) -> list[tuple[str, Trades]]:
    """Each symbol's trades: the single ones, or the aggregated ones where there are no others."""
    single = {symbol for symbol, kind in check.trades if kind == "trade"}
    return [(symbol, trades) for (symbol, kind), trades in check.trades.items()
            if kind == "trade" or symbol not in single]


def _candle(symbol: str, timeframe: str, candle: Candle, trades: Trades) -> dict[str, Any]:
    """One candle; `whole` where the trades reach over both of its ends."""
    end = candle.open_ms + TIMEFRAMES[timeframe]
    return {"symbol": symbol, "timeframe": timeframe, "open_ms": candle.open_ms, "open_time": iso(candle.open_ms),
            "open": float(candle.open), "high": float(candle.high), "low": float(candle.low),
            "close": float(candle.close), "volume": float(candle.volume), "trades": candle.trades,
            "whole": trades.first_ms < candle.open_ms and trades.last_ms >= end}


def _text(told: dict[str, Any]) -> str:
    lines = [f"{', '.join(told['files'])}: {told['frames']:,} frames of {', '.join(told['symbols']) or 'no symbol'}, "
             f"{told['from']} to {told['to']}"]
    names = ("sequence_breaks", "diffs", "late_or_repeated", "restarts", "snapshots", "trades", "trades_missing",
             "trades_repeated", "garbage", "dropped", "damaged_blocks", "torn_bytes", "lost_bytes")
    lines += [f"  {name.replace('_', ' '):18} {told[name]:>12,}" for name in names]
    lines += [f"  {place}" for place in told["places"]]
    lines += [f"  {row['symbol']} {row['timeframe']:>3} {row['open_time'][:16]}  O {row['open']} H {row['high']} "
              f"L {row['low']} C {row['close']} V {row['volume']}" + ("" if row["whole"] else "  (not whole)")
              for row in told["candles"][:60]]
    if len(told["candles"]) > 60:
        lines.append(f"  … and {len(told['candles']) - 60:,} more candles (--json tells all)")
    return "\n".join(lines)
