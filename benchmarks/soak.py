"""The soak (issue 3): the whole crew for market days at speed; memory must not creep, files must keep their budgets.

    python -m benchmarks.soak --market-hours 48 --speed 120 [--tokens 300] [--live] [--json]

48 market hours at speed 120 take 24 minutes. Every few seconds the memory (PSS) of each process is sampled. Its slope
is the median of all slopes between quarter-hour medians (Theil–Sen; a training that comes and goes does not bend it)
after `--after` market hours, in % of the median an hour. A process that was started anew is measured from there on.
Exit code 1 where a slope is above 1 % an hour, a file is above its budget, or a process was restarted.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.crew import pss_mb
from benchmarks.storm_watch import Venue
from benchmarks.venue_books import Books, compare
from modules.supervision.messages import Inbox
from tests.e2e.harness import Program, state_files_are_whole
from utils.logs import KEEP, MAX_BYTES

SERVICES = ("simulator", "tracker", "scanner", "trainer")
SAMPLE_S = 3.0
MOST_SLOPE_PCT = 1.0
BIN_H = 0.25
MB = 1_000_000
# What may lie where, bytes: pattern below data/, most in one file, most in all of them.
BUDGETS: tuple[tuple[str, int, int], ...] = (
    ("logs/*.log*", MAX_BYTES + 200_000, (KEEP + 1) * 5 * (MAX_BYTES + 200_000)),
    ("intents*.jsonl", 9 * MB, 100 * MB),
    ("*.json", 3 * MB, 20 * MB),
    ("*.csv", 50 * MB, 100 * MB),
    ("run/*", MB, 3 * MB),
    ("outbox/*", MB, 5 * MB),
    ("inbox/*/*", 400_000, MB),
)
# Everything but the venue's own journal and the candles collected, once the start is over.
MOST_GROWTH_MB_H = 1.0


@dataclass
class Samples:
    """PSS in MB by process: (market hours since the start, value); a new PID begins anew."""

    pids: dict[str, int] = field(default_factory=dict)
    restarts: int = 0
    values: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    data_mb: list[tuple[float, float]] = field(default_factory=list)

    def add(self, name: str, pid: int, hour: float) -> None:
        """Measure one process."""
        if self.pids.setdefault(name, pid) != pid:
            self.pids[name] = pid
            self.restarts += 1
            self.values[name].clear()
        try:
            self.values[name].append((hour, pss_mb(pid)))
        except psutil.NoSuchProcess:  # gone between two looks: the next one finds its heir
            return


def slope(points: list[tuple[float, float]], after_h: float) -> tuple[float, float] | None:
    """(median, slope per hour) of quarter-hour medians after `after_h`; None with fewer than four of them."""
    bins: dict[int, list[float]] = defaultdict(list)
    for hour, value in points:
        if hour >= after_h:
            bins[int(hour / BIN_H)].append(value)
    medians = [(number * BIN_H, statistics.median(values)) for number, values in sorted(bins.items())]
    if len(medians) < 4:
        return None
    slopes = [(b - a) / (y - x) for i, (x, a) in enumerate(medians) for y, b in medians[i + 1:]]
    return statistics.median(value for _, value in medians), statistics.median(slopes)


def folder_mb(data: Path) -> float:
    """Size of the state without the venue's own journal and candles."""
    return sum(path.stat().st_size for path in data.rglob("*")
               if path.is_file() and not {"simulator", "market_data"} & set(path.parts)) / MB


def over_budget(data: Path) -> list[str]:
    """Files above their budget."""
    found = []
    for pattern, most_one, most_all in BUDGETS:
        sizes = {path: path.stat().st_size for path in data.glob(pattern) if path.is_file()}
        found += [f"{path.relative_to(data)}: {size / MB:.2f} MB, budget {most_one / MB:.1f} MB"
                  for path, size in sizes.items() if size > most_one]
        if sum(sizes.values()) > most_all:
            found.append(f"{pattern}: {sum(sizes.values()) / MB:.1f} MB in all, budget {most_all / MB:.1f} MB")
    return found


def soak(options: argparse.Namespace, home: Path) -> dict[str, Any]:
    """One soak, as one object."""
    if options.live:
        (home / "config").mkdir(parents=True, exist_ok=True)
        (home / "config" / "state.json").write_text('{"test_mode": false}\n', encoding="utf-8")
    program = Program(home, ("--console",), SIMULATOR_SPEED=str(options.speed), SIMULATOR_TOKENS=str(options.tokens),
                      SIMULATOR_SEED=str(options.seed), HYPE_MAX_OPEN_TRADES="8", HYPE_MAX_TRADES_PER_DAY="500",
                      RISK_DRAWDOWN_PCT="0", RISK_WEEK_LOSS_PCT="0")  # it has to trade to the end
    venue, samples = Venue(home), Samples()
    try:
        program.start().send("/startbot")
        for name in SERVICES:
            program.wait_ready(name)
        hours = _watch(options, program, venue, samples)
        problems = _books_off(home, venue) if options.live else []
        found = report(samples, options.after, home / "data", hours)
        program.end_of_input()
        state_files_are_whole(home)
        found["problems"] += problems
        return found
    finally:
        program.kill_all()


def _watch(options: argparse.Namespace, program: Program, venue: Venue, samples: Samples) -> float:
    """Sample until the market hours are over, or three times the time that they should take; returns the hours."""
    give_up = time.monotonic() + 3 * options.market_hours * 3600 / options.speed + 60
    start_ms, hour = 0, 0.0
    while hour < options.market_hours and time.monotonic() < give_up:
        status = venue.ask("/sim/status")
        if status is not None:
            start_ms = start_ms or status["market_ms"]
            hour = (status["market_ms"] - start_ms) / 3_600_000
            for name in SERVICES:
                pid = program.service_pid(name)
                if pid is not None:
                    samples.add(name, pid, hour)
            samples.add("command process", program.command_pid, hour)
            samples.data_mb.append((hour, folder_mb(program.home / "data")))
        time.sleep(SAMPLE_S)
    return hour


def _books_off(home: Path, venue: Venue) -> list[str]:
    """What our LIVE books say otherwise than the venue, once nothing is under way."""
    Inbox(home / "data" / "inbox", "tracker").post("pause", {"on": True, "reason": "the soak is over"}, "soak")
    problems = ["the venue did not answer"]
    for _ in range(40):
        truth = venue.ask("/sim/truth")
        if truth is not None:
            problems = compare(Books.read(home), truth).problems
            if not problems:
                return []
        time.sleep(0.5)
    return problems


def report(samples: Samples, after_h: float, data: Path, hours: float) -> dict[str, Any]:
    """Figures and what is wrong with them."""
    processes: dict[str, dict[str, float]] = {}
    problems = [f"budget: {text}" for text in over_budget(data)]
    for name, points in samples.values.items():
        found = slope(points, after_h)
        if found is None:
            problems.append(f"{name}: too few samples after hour {after_h:g}")
            continue
        median, per_hour = found
        processes[name] = {"median_mb": round(median, 1), "most_mb": round(max(value for _, value in points), 1),
                           "slope_pct_h": round(100 * per_hour / median, 3)}
        if 100 * per_hour / median > MOST_SLOPE_PCT:
            problems.append(f"{name}: memory grows by {100 * per_hour / median:.2f} % an hour")
    growth = slope(samples.data_mb, after_h)
    if growth is not None and growth[1] > MOST_GROWTH_MB_H:
        problems.append(f"files grow by {growth[1]:.2f} MB a market hour")
    if samples.restarts:
        problems.append(f"{samples.restarts} restarts")
    return {"market_hours": round(hours, 2), "processes": processes, "restarts": samples.restarts,
            "data_mb": round(samples.data_mb[-1][1], 2) if samples.data_mb else 0.0,
            "data_growth_mb_h": round(growth[1], 3) if growth else None, "problems": problems}


def main() -> int:
    """The command line; 1 where memory creeps or a file is too large."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--market-hours", type=float, default=48.0)
    parser.add_argument("--speed", type=float, default=120.0)
    parser.add_argument("--tokens", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--after", type=float, default=6.0, help="market hours that memory may settle in (default 6)")
    parser.add_argument("--live", action="store_true", help="trade on the simulated account instead of on paper")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="coxswain-soak-", ignore_cleanup_errors=True) as folder:
        found = {**soak(options, Path(folder).resolve()), "seconds": round(time.monotonic() - began)}
    print(json.dumps(found) if options.json else json.dumps(found, indent=2))
    return 1 if found["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
