"""``python bot.py evaluate --candles FILE… [--train FILE…] [--json] [--out DIR]``: judge the models walk-forward.

    bot.py evaluate --candles data/market_data --json
    bot.py evaluate --train pumps2024.parquet --candles others2025.parquet --out data/evaluation

Exit codes: 0 done (whatever the verdict is), 1 the candles cannot be used, 2 wrong arguments. Progress on stderr.
"""

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.backtest.prepare import compiled
from utils.files import write_atomic
from utils.paths import Paths

if TYPE_CHECKING:
    from config.settings import Settings
    from modules.backtest.evaluate_rows import Market

OK, FAILED, WRONG = 0, 1, 2


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="bot.py evaluate",
                                     description="Judge the models walk-forward on recorded candles, after fees.")
    parser.add_argument("--candles", nargs="+", type=Path, required=True, metavar="FILE",
                        help="CSV, Parquet or Feather files, or folders: the market that is judged")
    parser.add_argument("--train", nargs="+", type=Path, default=[], metavar="FILE",
                        help="learn on these candles instead, and judge the others")
    parser.add_argument("--preset", choices=("seed", "gain"), help="table of exits (default: hype.tp_preset)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write evaluation.json and evaluation.md there")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    return parser


def main(argv: list[str], settings: "Settings", paths: Paths) -> int:
    """Returns the exit code."""
    chosen = arguments().parse_args(argv)
    started = time.monotonic()

    def say(text: str) -> None:
        sys.stderr.write(f"[{time.monotonic() - started:6.1f} s] {text}\n")

    plain = compiled(paths.data / "cache")
    if plain:
        say(f"runs as plain Python, about a hundred times slower: {plain}")
    from modules.backtest.frames import DataError
    try:
        found = _evaluated(chosen, settings, say)
        _write(chosen, found)
    except (DataError, OSError) as problem:
        sys.stderr.write(f"No evaluation: {problem}\n")
        return FAILED
    except KeyboardInterrupt:
        sys.stderr.write("Stopped. Nothing was written.\n")
        return FAILED
    return OK


def _evaluated(chosen: argparse.Namespace, settings: "Settings", say: Any) -> dict[str, Any]:
    from modules.backtest.evaluate import evaluate
    preset = chosen.preset or settings.hype.tp_preset
    asked, taught = _markets(chosen, settings, say)
    found = evaluate(asked, taught, settings.learning, preset, settings.hype.min_confidence, say)
    return found


def _markets(chosen: argparse.Namespace, settings: "Settings", say: Any) -> "tuple[Market, Market | None]":
    """The rows of both markets, on candles of the same length."""
    from modules.backtest.evaluate_rows import bar_of, market_of
    from modules.backtest.load import load
    counted: Counter[str] = Counter()
    asked = load(chosen.candles, counted)
    taught = load(chosen.train, counted) if chosen.train else []
    for what, many in sorted(counted.items()):
        if many:
            say(f"{many:,} × {what}")
    bar_ms = bar_of(asked, taught)
    fixed = (bar_ms, settings.hype, settings.learning, settings.backtest, Counter[str](), say)
    made = market_of(asked, *fixed)
    del asked
    return made, market_of(taught, *fixed) if taught else None


def _write(chosen: argparse.Namespace, found: dict[str, Any]) -> None:
    """Files and terminal. Raises OSError."""
    from modules.backtest.evaluate_report import text_of
    text = json.dumps(found, ensure_ascii=False)
    if chosen.out:
        chosen.out.mkdir(parents=True, exist_ok=True)
        write_atomic(chosen.out / "evaluation.json", text.encode())
        write_atomic(chosen.out / "evaluation.md", text_of(found).encode())
    sys.stdout.write(text + "\n" if chosen.json else text_of(found))
