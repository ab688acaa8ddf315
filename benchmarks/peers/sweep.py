"""The optimiser's sweep beside vectorbt: 500 combinations of RSI rules on 100,000 candles each; Optuna's own cost.

    python -m benchmarks.peers.sweep [--candles 100000] [--venv FOLDER] [--json]

RSI period and bar, target and stop, 0.1 % fee; ours computes the RSI and the daily table of every combination,
vectorbt is given the signals and counts trades only. Targets and stops are wider than a candle and every open is the
close before it, because vectorbt looks at no stop in the candle of entry: so both make the same trades, and it is
checked that they do. Peak memory of each in a process of its own.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ["COXSWAIN_COMPILED"] = "1"

import numpy as np

from benchmarks.peers.candles import HERE, PEERS, python_of
from benchmarks.peers.peak import mib
from modules.backtest.frames import Frame
from modules.backtest.optimise.arena import Arena, Segment
from modules.backtest.optimise.space import Parameter, grid_of
from modules.backtest.optimise.sweep import W_ENTRY, W_EXIT, W_PNL, sweep
from modules.backtest.settings import BacktestSettings, RsiSettings
from modules.learning.talib_lite import talib
from modules.strategies.hype.settings import HypeSettings

PLACES = 6
USDT = 1000.0
SPACE = [Parameter("rsi.rsi_period", choices=(7, 10, 14, 21, 28)),
         Parameter("rsi.rsi_buy", choices=(20.0, 25.0, 30.0, 35.0)),
         Parameter("rsi.target_pct", choices=(2.0, 2.5, 3.0, 4.0, 5.0)),
         Parameter("rsi.stop_pct", choices=(1.5, 2.0, 2.5, 3.0, 4.0))]
COSTS = BacktestSettings(start_usdt=1e6, spread_pct=0, slippage_pct=0, impact_pct=0, fee_pct=0.1)


def candles(count: int, seed: int = 3) -> Frame:
    """A random walk of 5m candles whose opens are the closes before; six decimals."""
    rng = np.random.default_rng(seed)
    close = np.round(100.0 * np.exp(np.cumsum(rng.normal(0, 0.0025, count))), PLACES)
    opened = np.concatenate((close[:1], close[:-1]))
    high = np.round(np.maximum(opened, close) * (1 + abs(rng.normal(0, 0.0012, count))), PLACES)
    low = np.round(np.minimum(opened, close) * (1 - abs(rng.normal(0, 0.0012, count))), PLACES)
    time_ms = 1_500_000_000_000 // 86_400_000 * 86_400_000 + np.arange(count, dtype=np.int64) * 300_000
    return Frame("WALKUSDT", 300_000, time_ms, opened, high, low, close, np.full(count, 1e6))


def arena_of(frame: Frame) -> Arena:
    """Ours."""
    sized = HypeSettings(trade_usdt=USDT, max_token_usdt=USDT, max_exposure_usdt=USDT * 2)
    return Arena("rsi", [frame], {"rsi": RsiSettings(rsi_sell=99.99), "backtest": COSTS, "hype": sized})


def hand_over(folder: Path, frame: Frame, many: list[dict[str, Any]]) -> None:
    """Candles and signals for vectorbt: a signal's buy is at the next open."""
    import pyarrow as pa
    import pyarrow.parquet
    pyarrow.parquet.write_table(pa.table({name: getattr(frame, name) for name in ("open", "high", "low", "close")}),
                                folder / "SWEEP.parquet")
    pairs = list(dict.fromkeys((each["rsi.rsi_period"], each["rsi.rsi_buy"]) for each in many))
    buys = np.zeros((len(frame), len(pairs)), bool)
    for place, (period, bar) in enumerate(pairs):
        below = talib.RSI(frame.close, period) < bar
        buys[1:, place] = (below & ~np.concatenate(([True], below[:-1])))[:-1]
    np.savez(folder / "sweep.npz", buys=buys, usdt=USDT, goal=[each["rsi.target_pct"] / 100 for each in many],
             which=[pairs.index((each["rsi.rsi_period"], each["rsi.rsi_buy"])) for each in many],
             stop=[each["rsi.stop_pct"] / 100 for each in many])


def our_trades(arena: Arena, many: list[dict[str, Any]]) -> np.ndarray:
    """(combination, entry, exit, pnl) of every trade."""
    frame = arena.frames[0]
    wanted = [RsiSettings(**{name.partition(".")[2]: value for name, value in each.items()}, rsi_sell=99.99)
              for each in many]
    periods = sorted({each.rsi_period for each in wanted})
    rsis = np.stack([talib.RSI(frame.close, period) for period in periods])
    which = np.array([periods.index(each.rsi_period) for each in wanted])
    made = sweep(arena.series, frame.close, rsis, which, wanted, arena.strategy.terms(arena.base),
                 10.0 ** arena.steps[0].places, 0, len(frame))
    return np.concatenate([np.column_stack((np.full(len(rows), place), rows[:, W_ENTRY], rows[:, W_EXIT],
                                            rows[:, W_PNL] / 1e8)) for place, rows in enumerate(made)])


def compared(mine: np.ndarray, folder: Path) -> dict[str, Any]:
    """Every trade against vectorbt's; those still open at the end are closed only by ours."""
    told = np.load(folder / "theirs.npz")
    theirs = np.column_stack((told["col"], told["entry"], told["exit"], told["pnl"]))
    order = np.lexsort((theirs[:, 1], theirs[:, 0]))
    theirs, still = theirs[order], told["open"][order]
    same = len(mine) == len(theirs)
    bars = int((mine[:, :3] != theirs[:, :3]).any(axis=1)[~still].sum()) if same else -1
    apart = float(np.abs(mine[:, 3] - theirs[:, 3])[~still].max()) if same else float("nan")
    return {"ours": len(mine), "vectorbt": len(theirs), "other_bars": bars, "most_usdt_apart_of_1000": apart}


def ours_alone(count: int, repeat: int) -> dict[str, Any]:
    """Our seconds and peak memory, in this process."""
    arena, many = arena_of(candles(count)), grid_of(SPACE)
    whole, seconds = [Segment(0, arena.days)], []
    for _ in range(repeat + 1):
        arena._rsis.clear()
        started = time.perf_counter()
        arena.trials(many, whole)
        seconds.append(time.perf_counter() - started)
    return {"combinations": len(many), "seconds": seconds[1:], "mib": mib()}


def optuna_cost(trials: int = 200) -> dict[str, float]:
    """Milliseconds a proposal in our use of TPE (batches of four), and of evenly spread points."""
    from modules.backtest.optimise import tpe
    from modules.backtest.optimise.space import spread_of
    space = [Parameter("hype.trail_fall_pct", 1, 12, log=True), Parameter("rsi.rsi_period", 3, 50, whole=True),
             Parameter("rsi.rsi_buy", 10, 50), Parameter("rsi.target_pct", 0.3, 10, log=True)]
    spread_of(space, 2, 1)
    started = time.perf_counter()
    first = spread_of(space, trials, 1)
    spread_ms = (time.perf_counter() - started) / trials * 1e3
    rng = np.random.default_rng(1)
    proposer = tpe.Proposer(space, 1, 1)
    learned = [tpe.Known(values, (float(rng.normal()),), (0.0, 0.0)) for values in first]
    proposer.learn(learned)
    proposer.propose(1)
    started = time.perf_counter()
    for _ in range(trials // 4):
        proposer.learn([tpe.Known(values, (float(rng.normal()),), (0.0, 0.0)) for values in proposer.propose(4)])
    ours_ms = (time.perf_counter() - started) / trials * 1e3
    return {"spread": spread_ms, "tpe": ours_ms, "optuna": plain_optuna(trials)}


def plain_optuna(trials: int) -> float:
    """Milliseconds a trial of Optuna's own loop with the same sampler and sizes, an objective that costs nothing."""
    import optuna
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=1, multivariate=True))

    def objective(trial: Any) -> float:
        values = [trial.suggest_float("a", 1, 12, log=True), trial.suggest_int("b", 3, 50),
                  trial.suggest_float("c", 10, 50), trial.suggest_float("d", 0.3, 10, log=True)]
        return float(sum(values))

    study.optimize(objective, n_trials=trials)
    started = time.perf_counter()
    study.optimize(objective, n_trials=trials)
    return (time.perf_counter() - started) / trials * 1e3


def measure(count: int, venv: Path, repeat: int) -> dict[str, Any]:
    """All of it, in turns."""
    python = python_of(venv / "vectorbt", PEERS["vectorbt"])
    frame, many = candles(count), grid_of(SPACE)
    found: dict[str, Any] = {"candles": count, "combinations": len(many), "ours": [], "vectorbt": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        hand_over(folder, frame, many)
        for _ in range(3):
            for key, command in (("ours", [sys.executable, "-m", "benchmarks.peers.sweep", "--ours", str(count)]),
                                 ("vectorbt", [str(python), str(HERE / "peer_vectorbt_sweep.py"), name, str(repeat)])):
                done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=HERE.parents[1])
                found[key].append(json.loads(done.stdout.strip().splitlines()[-1]))
        found["trades"] = compared(our_trades(arena_of(frame), many), folder)
    for key in ("ours", "vectorbt"):
        times = [seconds for run in found[key] for seconds in run["seconds"]]
        found[f"{key}_per_s"] = {"best": len(many) / min(times), "median": len(many) / float(np.median(times)),
                                 "mib": max(run["mib"] for run in found[key])}
    found["times_vectorbt"] = found["ours_per_s"]["median"] / found["vectorbt_per_s"]["median"]
    found["optuna_ms"] = optuna_cost()
    return found


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description="The sweep beside vectorbt.")
    parser.add_argument("--candles", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--venv", type=Path, default=Path(tempfile.gettempdir()) / "coxswain-peers")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--ours", type=int, default=0, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.ours:
        print(json.dumps(ours_alone(chosen.ours, chosen.repeat)))
        return 0
    found = measure(chosen.candles, chosen.venv, chosen.repeat)
    if chosen.json:
        print(json.dumps(found))
        return 0
    print(f"{found['combinations']} combinations on {found['candles']:,} candles each")
    for key in ("ours", "vectorbt"):
        told = found[f"{key}_per_s"]
        print(f"  {key:<9} {told['median']:9.0f} combinations/s (best {told['best']:.0f}), {told['mib']} MiB")
    print(f"  vectorbt's engine: {found['vectorbt'][0]['engine']}; ours is {found['times_vectorbt']:.1f} times as fast")
    print(f"  trades: {found['trades']}")
    cost = found["optuna_ms"]
    print(f"  a proposal costs {cost['spread']:.3f} ms spread evenly, {cost['tpe']:.1f} ms TPE (200 to 400 known; "
          f"Optuna alone {cost['optuna']:.1f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
