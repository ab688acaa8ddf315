"""Training at scale: thousands of tokens through ``Crew``, and the scanner beside it.

    python benchmarks/learning_scale.py [--tokens 2000] [--jobs 0] [--json]

Candles are made, not fetched: what is measured is training with validation, from candles to files, as ``bot.py train
all`` does it (the same functions, chunks and journal). ``--beside`` times the scanner's screening, scan and judgement
alone, and while a niced training runs.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import psutil

from benchmarks.learning import BARS, walk
from modules.learning import events, features, jobs
from modules.learning.settings import LearningSettings
from modules.strategies.hype.exit_rules import rules_of
from modules.strategies.hype.net_results import net_results
from modules.strategies.hype.settings import HypeSettings
from modules.strategies.hype.train_cli import CHUNK
from modules.strategies.hype.trainer_journal import Journal
from utils.compute import ComputeSettings, Crew
from utils.paths import PROJECT, Paths

KINDS = 40  # different histories; more would only cost time to make


def jobs_of(folder: Path, count: int) -> list[jobs.TokenJob]:
    """A job for each of `count` tokens."""
    recipe = jobs.recipe(folder, LearningSettings(), BARS)
    rules = rules_of(HypeSettings())
    packed = []
    for seed in range(KINDS):
        candles = walk(1073, seed)
        net = np.full(len(candles), np.nan)
        moving = np.flatnonzero(events.moving(candles, BARS.growth_5m_pct, BARS.growth_1h_pct))
        net[moving] = net_results(candles, moving.tolist(), rules, 0.2)
        packed.append((jobs.pack(candles), jobs.pack(net), int(candles[-1, 0]) + features.STEP_MS))
    return [jobs.TokenJob(recipe, f"T{number:04d}USDT", *_of(packed[number % KINDS])) for number in range(count)]


def _of(kind: tuple[bytes, bytes, int]) -> tuple[bytes, int, bytes]:
    candles, net, now = kind
    return candles, now, net


def train(home: Path, count: int, workers: int) -> dict[str, Any]:
    """Train them all; minutes, the spread of single tokens, memory of the parent and its workers."""
    paths = Paths(home).prepare()
    work = jobs_of(paths.models, count)
    journal = Journal(paths, "scale", work[0].recipe)
    journal.resume(0, fresh=True)
    memory = Memory()
    results: list[jobs.Result] = []
    started = time.perf_counter()
    with Crew(ComputeSettings(jobs=workers)) as crew, memory:
        size = CHUNK * crew.jobs
        for first in range(0, count, size):
            for result in crew.map(jobs.attempt, [(job,) for job in work[first : first + size]]):
                journal.note(result.name)
                results.append(result)
    spent = time.perf_counter() - started
    seconds = sorted(result.seconds for result in results)
    return {"tokens": count, "made": sum(result.made for result in results), "workers": crew.jobs,
            "minutes": round(spent / 60, 2), "ms_per_token_of_one_worker": round(spent * crew.jobs / count * 1e3, 1),
            "cpu_minutes_of_two_cores": round(memory.cpu / 120, 2),
            "cpu_ms_per_token": round(memory.cpu / count * 1e3, 1),
            "median_ms": round(statistics.median(seconds) * 1e3, 1),
            "p99_ms": round(seconds[int(0.99 * (len(seconds) - 1))] * 1e3, 1), "worst_ms": round(seconds[-1] * 1e3, 1),
            "parent_mb": round(memory.own), "largest_worker_mb": round(memory.worker), "all_mb": round(memory.total)}


class Memory:
    """Largest resident memory of this process and its children, looked at ten times a second; their CPU seconds."""

    def __init__(self) -> None:
        self.own = self.worker = self.total = self.cpu = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        own = psutil.Process()
        while not self._over.wait(0.1):
            sizes, spent = [], [sum(own.cpu_times()[:2])]
            for child in own.children(recursive=True):
                try:
                    sizes.append(child.memory_info().rss / 1e6)
                    spent.append(sum(child.cpu_times()[:2]))
                except psutil.Error:
                    continue
            self.cpu = max(self.cpu, sum(spent))
            mine = own.memory_info().rss / 1e6
            self.own, self.worker = max(self.own, mine), max([self.worker, *sizes])
            self.total = max(self.total, mine + sum(sizes))


def scanner() -> dict[str, Any]:
    """The scanner's own benchmark, in a process of its own at the scanner's priority."""
    found = subprocess.run([sys.executable, "-m", "benchmarks.scanner", "--json"], check=False, cwd=PROJECT,
                           capture_output=True, text=True)  # it answers 1 where a limit is not kept
    told: dict[str, Any] = json.loads(found.stdout)
    return told


def beside(home: Path, count: int, workers: int) -> dict[str, Any]:
    """The scanner's figures alone, and while a niced training runs."""
    alone = scanner()
    command = [sys.executable, __file__, "--tokens", str(count), "--jobs", str(workers), "--home", str(home), "--json"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as training:
        if os.name == "posix":
            psutil.Process(training.pid).nice(10)
        try:
            while not list((home / "models").glob("*_manifest.json")):
                time.sleep(0.1)
            with_it = scanner()
            still = training.poll() is None
        finally:
            for child in psutil.Process(training.pid).children(recursive=True) if training.poll() is None else []:
                child.kill()
            training.kill()
    return {"alone": alone, "while_training": with_it, "training_ran_to_the_end_of_it": still}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=2000)
    parser.add_argument("--jobs", type=int, default=0, help="workers; 0 = every CPU")
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--beside", action="store_true", help="the scanner's latency alone and beside the training")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = chosen.home or Path(folder)
        work = beside if chosen.beside else train
        found = work(home, chosen.tokens, chosen.jobs) | {"load": [round(one, 1) for one in psutil.getloadavg()]}
    sys.stdout.write(json.dumps(found, indent=None if chosen.json else 1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
