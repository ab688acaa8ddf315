"""The optimiser on a real Ray cluster of this machine, a worker killed in the middle: complete, and the same results.

    python -m benchmarks.ray_sweep [--trials 160] [--candles 30000]

Starts ``ray start --head`` on free ports with two CPUs, runs the same search locally and on the cluster while one of
Ray's worker processes is killed with SIGKILL, compares every trial's days to the bit, and stops the cluster by its own
process ids.
"""

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ["COXSWAIN_COMPILED"] = "1"

import numpy as np
import psutil

from benchmarks.peers.sweep import candles
from modules.backtest.optimise.arena import Arena
from modules.backtest.optimise.folds import folds_of
from modules.backtest.optimise.journal import Study
from modules.backtest.optimise.search import Found, Task, run_search
from modules.backtest.optimise.space import space_of
from modules.backtest.settings import BacktestSettings, RsiSettings
from modules.strategies.hype.settings import HypeSettings
from utils.compute import ComputeSettings, Crew


@contextmanager
def cluster(folder: Path, cpus: int) -> Iterator[str]:
    """A head node of its own; its address. Everything that it started is ended by process id."""
    import socket
    import subprocess
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    before = {process.pid for process in psutil.process_iter()}
    ray = Path(sys.executable).with_name("ray")
    subprocess.run([str(ray), "start", "--head", f"--port={port}", f"--num-cpus={cpus}", "--include-dashboard=false",
                    f"--temp-dir={folder}", "--node-ip-address=127.0.0.1", "--object-store-memory=300000000"],
                   check=True, capture_output=True, text=True, env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"})
    try:
        yield f"127.0.0.1:{port}"
    finally:
        mine = [process for process in psutil.process_iter() if process.pid not in before and _of_ray(process, folder)]
        for process in mine:
            process.kill()
        psutil.wait_procs(mine, timeout=10)


def _of_ray(process: psutil.Process, folder: Path) -> bool:
    try:
        return str(folder) in " ".join(process.cmdline()) or "ray::" in " ".join(process.cmdline())
    except psutil.Error:
        return False


def search(folder: Path, arena: Arena, trials: int, backend: str, died: list[int]) -> Found:
    """One search by its backend."""
    task = Task(space_of(arena.base, [], {}), folds_of(arena.days, 3, 0.4, "anchored"), ("net",), trials, 1.0, False,
                5, 0.0, 1)
    study = Study.opened(folder, {"backend": backend})

    def told(done: int, planned: int, what: str) -> None:
        print(f"  {backend}: {done} of {planned}", flush=True)

    with Crew(ComputeSettings(backend=backend, jobs=2)) as crew:
        found = run_search(arena, task, study, crew, told)
        died.append(crew.deaths)
    return found


def killer(stop: threading.Event, killed: list[int], known: set[int]) -> None:
    """Kills one working Ray worker, a moment after it has begun to work."""
    while not stop.is_set() and not killed:
        for process in psutil.process_iter():
            try:
                if process.pid not in known and "ray::" in " ".join(process.cmdline()) \
                        and "PoolActor" in " ".join(process.cmdline()) and process.cpu_times().user > 3.0:
                    process.kill()
                    killed.append(process.pid)
                    break
            except psutil.Error:
                continue
        stop.wait(0.1)


def same(one: Found, two: Found) -> bool:
    """Whether both searches have the same trials with the same days, to the bit."""
    rows = [{(each.stage, each.fold, each.number): each for each in found.trials} for found in (one, two)]
    return rows[0].keys() == rows[1].keys() and all(
        each.values == rows[1][key].values and np.array_equal(_days(each), _days(rows[1][key]), equal_nan=True)
        for key, each in rows[0].items())


def _days(trial: Any) -> np.ndarray:
    return np.zeros(0) if trial.table is None else np.asarray(trial.table)


def main() -> int:
    """Print what happened; exit code 0 when the results are the same and a worker did die."""
    parser = argparse.ArgumentParser(description="The optimiser on Ray, a worker killed in the middle.")
    parser.add_argument("--trials", type=int, default=160)
    parser.add_argument("--candles", type=int, default=30_000)
    chosen = parser.parse_args()
    arena = Arena("rsi", [candles(chosen.candles), second(candles(chosen.candles, 5))],
                  {"rsi": RsiSettings(), "hype": HypeSettings(), "backtest": BacktestSettings()})
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="cx") as name:
        folder = Path(name)
        died: list[int] = []
        started = time.perf_counter()
        here = search(folder / "here", arena, chosen.trials, "local", died)
        local_s = time.perf_counter() - started
        known = {process.pid for process in psutil.process_iter()}
        with cluster(folder / "ray", 2) as address:
            os.environ["RAY_ADDRESS"] = address
            stop = threading.Event()
            killed: list[int] = []
            thread = threading.Thread(target=killer, args=(stop, killed, known))
            thread.start()
            started = time.perf_counter()
            there = search(folder / "there", arena, chosen.trials, "ray://auto", died)
            ray_s = time.perf_counter() - started
            stop.set()
            thread.join()
    equal = same(here, there)
    print(f"{len(there.trials)} trials: local {local_s:.1f} s, Ray {ray_s:.1f} s; worker killed: {killed}; batches "
          f"done again: {died[1]}; results the same to the bit: {equal}")
    return 0 if equal and killed else 1


def second(frame: Any) -> Any:
    """The same kind of walk under another name: two tokens go through the engine, not through the sweep."""
    from dataclasses import replace
    return replace(frame, symbol="OTHERUSDT")


if __name__ == "__main__":
    sys.exit(main())
