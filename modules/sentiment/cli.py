"""``python bot.py sentiment score``: what the local judge says of every text of a file.

    bot.py sentiment score --in headlines.csv --column text --out scored.csv
    bot.py sentiment score --in posts.jsonl --column body --out scored.jsonl --json

Adds score, label, confidence and provider to every row; a column that has such a name already becomes NAME_given.
Exit codes: 0 done, 1 the file cannot be read or written, 2 wrong arguments (also a column that the file does not have).
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.sentiment.model import ModelFault, shipped
from modules.sentiment.rows import Output, Shape, Wrong, read_rows, with_score
from modules.sentiment.score import LocalProvider
from modules.sentiment.text import MOST_RAW
from utils.paths import Paths

if TYPE_CHECKING:
    from config.settings import Settings

OK, FAILED, WRONG = 0, 1, 2
PROVIDERS = ("headlines", "vader")
_TELL_EVERY_S = 1.0


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="bot.py sentiment", allow_abbrev=False,
                                     description="Sentiment of texts on this machine, without any network.")
    parts = parser.add_subparsers(dest="part", metavar="PART", required=True)
    score = parts.add_parser("score", help="add score, label, confidence and provider to every row of a file",
                             epilog="exit codes: 0 done, 1 the file cannot be read or written, 2 wrong arguments")
    score.add_argument("--in", dest="source", type=Path, required=True, metavar="FILE", help="CSV; JSONL by its name")
    score.add_argument("--column", required=True, metavar="NAME", help="the column, or JSON field, with the text")
    score.add_argument("--out", type=Path, required=True, metavar="FILE",
                       help="CSV, or JSONL by its name; replaced when all is done, never half-written")
    score.add_argument("--provider", choices=PROVIDERS, default="headlines",
                       help="headlines: our own model (the default: measured better); vader: rules with our lexicon")
    score.add_argument("--json", action="store_true", help="print the totals as one JSON object")
    score.add_argument("--progress", action="store_true", help="tell on stderr how far it is, for programs")
    return parser


def main(argv: list[str], settings: "Settings", paths: Paths) -> int:
    """Returns the exit code."""
    chosen = arguments().parse_args(argv)
    try:
        totals = score_file(chosen.source, chosen.column, chosen.out, provider_of(chosen.provider), chosen.progress)
    except (Wrong, ImportError) as problem:
        _tell(str(problem))
        return WRONG
    except (OSError, ModelFault) as problem:
        _tell(f"Nothing was scored: {problem}")
        return FAILED
    except KeyboardInterrupt:
        _tell("Stopped. Nothing was written.")
        return FAILED
    sys.stdout.write((json.dumps(totals, ensure_ascii=False) if chosen.json else words(totals)) + "\n")
    return OK


def provider_of(name: str) -> LocalProvider:
    """A local provider by name. Raises ModelFault, VaderMissing."""
    if name == "vader":
        from modules.sentiment.vader import Vader
        return Vader()
    return shipped()


def score_file(source: Path, column: str, out: Path, provider: LocalProvider, progress: bool = False) -> dict[str, Any]:
    """Score every row of `source` into `out`; returns the totals. Raises Wrong, OSError; `out` is then as before."""
    shape = Shape()
    labels: dict[str, int] = {"bearish": 0, "neutral": 0, "bullish": 0}
    languages: dict[str, int] = {}
    count = empty = cut = 0
    begun = told = time.monotonic()
    spent_ns = 0
    with Output(out) as written:
        for row, share in read_rows(source, column, shape):
            text = row.get(column)
            text = text if isinstance(text, str) else "" if text is None else str(text)
            started = time.perf_counter_ns()
            score = provider.score(text)
            spent_ns += time.perf_counter_ns() - started
            written.add(with_score(row, {"score": round(score.score, 4), "label": str(score.label),
                                         "confidence": round(score.confidence, 4), "provider": score.provider}))
            count, empty, cut = count + 1, empty + (not text.strip()), cut + (len(text) > MOST_RAW)
            labels[str(score.label)] += 1
            languages[score.language] = languages.get(score.language, 0) + 1
            if time.monotonic() - told > _TELL_EVERY_S:
                told = time.monotonic()
                _far(share, count, progress)
    return {"rows": count, "provider": provider.name, "labels": labels, "empty": empty, "cut": cut,
            "broken_lines": shape.broken, "broken_characters": shape.mended, "languages": languages,
            "us_per_text": round(spent_ns / 1000 / count, 1) if count else None,
            "seconds": round(time.monotonic() - begun, 3), "out": str(out)}


def words(totals: dict[str, Any]) -> str:
    """The totals for people."""
    labels = ", ".join(f"{count} {name}" for name, count in totals["labels"].items())
    lines = [f"{totals['rows']} texts scored by {totals['provider']}: {labels}.", f"Written to {totals['out']}."]
    odd = [text for count, text in (
        (totals["empty"], "without text (neutral, confidence 0.33)"),
        (totals["cut"], f"longer than {MOST_RAW} characters (only the beginning counts)"),
        (totals["broken_lines"], "lines that are no rows (left out)"),
        (totals["broken_characters"], "rows with characters of a broken encoding (replaced by �)")) if count]
    counts = [count for count in (totals["empty"], totals["cut"], totals["broken_lines"],
                                  totals["broken_characters"]) if count]
    lines += [f"{count} {text}." for count, text in zip(counts, odd, strict=True)]
    foreign = sum(count for code, count in totals["languages"].items() if code not in ("en", "und"))
    if foreign:
        lines.append(f"{foreign} not in English: only emojis and words of our lexicon counted there.")
    if totals["us_per_text"] is not None:
        lines.append(f"{totals['us_per_text']} µs a text.")
    return "\n".join(lines)


def _far(share: float, count: int, progress: bool) -> None:
    if progress:
        sys.stderr.write("progress " + json.dumps({"share": round(share, 4), "what": f"{count} texts scored"}) + "\n")
        sys.stderr.flush()
    elif sys.stderr.isatty():
        sys.stderr.write(f"\r{share:.0%}, {count} texts")
        sys.stderr.flush()


def _tell(text: str) -> None:
    sys.stderr.write(text + "\n")
