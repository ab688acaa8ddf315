"""The candle engine beside its peers: one million candles, RSI entry, target, stop and signal exit, fee.

    python -m benchmarks.peers.candles [--candles 1000000] [--venv FOLDER] [--json]

The peers run from virtual environments of their own (made in FOLDER and filled by pip when they are not there; the
default is a temporary folder), on the same prices and the same signals, one after the other with ours in turns.

- loop only: the simulation alone, signals given. Ours also with the full live exit rules (ladder, ATR stop, trailing).
- end to end: process start, file, RSI, simulation, report.
- trades: entry bar, exit bar and result of every trade against backtesting.py's, to the cent.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import Any

os.environ["COXSWAIN_COMPILED"] = "1"

import numpy as np

from modules.backtest import arrays as a
from modules.backtest.engine import run
from modules.backtest.frames import Frame
from modules.backtest.market import Steps
from modules.backtest.rsi import mirror_signals, rsi_wishes, signals
from modules.backtest.settings import BacktestSettings, RsiSettings
from modules.backtest.terms import terms_of
from modules.backtest.wishes import entries_of, rows_of
from modules.learning.talib_lite import talib
from modules.strategies.hype.exit_rules import rules_of
from modules.strategies.hype.settings import HypeSettings

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PEERS = {"vectorbt": ("vectorbt[rust]", "backtesting", "pyarrow"), "freqtrade": ("freqtrade",)}
FEWER = 200_000  # candles for the peers that would take minutes; their time is scaled up
PLACES = 6
UNITS = 10
RSI = RsiSettings(target_pct=0.6, stop_pct=0.4)
SHORT = RsiSettings(target_pct=0.6, stop_pct=0.4, direction="short")
COSTS = BacktestSettings(start_usdt=1e6, spread_pct=0, slippage_pct=0, impact_pct=0, fee_pct=0.1, short_cost_pct_day=0)
RULES = rules_of(HypeSettings())


def prices(count: int, seed: int = 11) -> Frame:
    """A random walk of 5m candles around 100 with small gaps between them, prices with six decimals."""
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0, 0.0025, count) - 1e-8))
    close = 100.0 * (close / 100.0) ** (1.0 / max(1.0, float(np.abs(np.log(close / 100.0)).max())))
    opened = np.concatenate((close[:1], close[:-1])) * (1 + rng.normal(0, 0.0003, count))
    high = np.maximum(opened, close) * (1 + abs(rng.normal(0, 0.0012, count)))
    low = np.minimum(opened, close) * (1 - abs(rng.normal(0, 0.0012, count)))
    time_ms = 1_500_000_000_000 // 300_000 * 300_000 + np.arange(count, dtype=np.int64) * 300_000
    rounded = [np.round(column, PLACES) for column in (opened, high, low, close)]
    return Frame("WALKUSDT", 300_000, time_ms, rounded[0], rounded[1], rounded[2], rounded[3],
                 np.round(rng.uniform(1e4, 1e5, count), 2))


def write(folder: Path, frame: Frame) -> None:
    """The candles as CSV and Parquet, and the signals for the loops."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet
    columns = {name: getattr(frame, name) for name in ("time", "open", "high", "low", "close", "volume")}
    table = pa.table(columns)
    pyarrow.csv.write_csv(table, folder / "WALKUSDT.csv")
    pyarrow.parquet.write_table(table, folder / "WALKUSDT.parquet")
    buys, sells = signals(talib.RSI(frame.close, RSI.rsi_period), RSI)
    shorts, covers = mirror_signals(talib.RSI(frame.close, RSI.rsi_period), RSI)
    last = len(frame) - 1  # no candle follows it
    told = {"buys": buys, "sells": sells, "shorts": shorts, "covers": covers}
    np.savez(folder / "signals.npz", **{name: rows[rows < last] for name, rows in told.items()})  # type: ignore[arg-type]  # its stub


def ours(frame: Frame) -> tuple[a.Series, a.Ints, a.Ints]:
    """(series, entries with target and stop, entries for the live exit rules)."""
    steps = Steps(PLACES, 0.001)
    candles = np.array([frame.time, *(steps.ticks(column) for column in (frame.open, frame.high, frame.low,
                                                                          frame.close))], np.int64)
    series = a.Series(candles, frame.quote(), np.array([[0, len(frame), 1]]), np.array([steps.unit]),
                      np.zeros(0, np.int64), int(frame.time[-1]))
    wishes = rsi_wishes([frame], RSI)
    series = series._replace(exits=rows_of(wishes.sell_token, wishes.sell_ms, series))
    plain = entries_of(wishes, series, [steps], COSTS, frame.interval_ms)
    plain[:, a.E_QUANTITY] = round(UNITS / steps.step)
    live = plain.copy()
    live[:, [a.E_GOAL, a.E_STOP, a.E_QUANTITY]] = 0
    live[:, a.E_STRATEGY] = np.arange(len(live)) % 4
    live[:, a.E_CONFIDENCE] = 780_000 + np.arange(len(live)) % 5 * 50_000
    live[:, a.E_ATR] = 5_000 + np.arange(len(live)) % 7 * 1_000
    return series, plain, live


def shorts_of(frame: Frame, series: a.Series) -> tuple[a.Series, a.Ints]:
    """(series with the closes that buy back, entries of the same rules sold short)."""
    steps = Steps(PLACES, 0.001)
    wishes = rsi_wishes([frame], SHORT)
    series = series._replace(covers=rows_of(wishes.cover_token, wishes.cover_ms, series))
    table = entries_of(wishes, series, [steps], COSTS, frame.interval_ms)
    table[:, a.E_QUANTITY] = round(UNITS / steps.step)
    return series, table


def timed(work: Any, repeat: int) -> list[float]:
    """Seconds of each run; the first one, which compiles or warms up, is not among them."""
    work()
    found = []
    for _ in range(repeat):
        started = time.perf_counter()
        work()
        found.append(time.perf_counter() - started)
    return found


def python_of(folder: Path, packages: tuple[str, ...]) -> Path:
    """The peers' interpreter; the environment is made and filled where it is missing."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *packages], check=True)
    return python


def peer(python: Path, name: str, *arguments: object) -> dict[str, Any]:
    """What a peer's own script prints, or its error."""
    done = subprocess.run([str(python), str(HERE / f"peer_{name}.py"), *map(str, arguments)], capture_output=True,
                          text=True, timeout=1800)
    if done.returncode:
        return {"error": done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"code {done.returncode}"}
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def end_to_end(path: Path, home: Path) -> dict[str, Any]:
    """bot.py backtest as a process: seconds and peak memory (MiB), with compiled code in its cache."""
    code = ("import sys, runpy\nfrom benchmarks.peers.peak import mib\n"
            "sys.argv = ['bot.py', *sys.argv[1:]]\ntry:\n runpy.run_path('bot.py', run_name='__main__')\n"
            "finally:\n sys.stderr.write(str(mib()))")
    command = [sys.executable, "-c", code, "backtest", "rsi", "--candles", str(path), "--json", "--out",
               str(home / "results.csv"), "--html", str(home / "report.html")]
    environment = {name: value for name, value in os.environ.items() if name != "COXSWAIN_COMPILED"}
    environment["COXSWAIN_HOME"] = str(home)
    found = []
    for _ in range(4):
        started = time.perf_counter()
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        found.append((time.perf_counter() - started, int(done.stderr.strip() or 0)))
    return {"seconds": min(seconds for seconds, _ in found[1:]), "cold_seconds": found[0][0],
            "mib": max(mib for _, mib in found[1:])}


def same_trades(series: a.Series, made: a.Made, theirs: dict[str, Any]) -> dict[str, Any]:
    """Our trades against backtesting.py's: how many there are, differ in a bar, and the largest difference in money."""
    p, s = made.positions, made.sales
    last = np.zeros(len(p), np.int64)
    last[s[:, a.S_POSITION]] = np.arange(len(s))
    value = np.bincount(s[:, a.S_POSITION], (s[:, a.S_VALUE] - s[:, a.S_FEE]).astype(float), len(p))
    mine = np.column_stack((p[:, a.P_AT], s[last, a.S_AT], (value - p[:, a.P_COST]) / a.MONEY))
    other = np.array(theirs["trades"])
    count = min(len(mine), len(other))
    bars = (mine[:count, :2] != other[:count, :2]).any(axis=1)
    return {"ours": len(mine), "backtesting.py": len(other), "other_bars": int(bars.sum()),
            "most_usdt_apart": float(np.abs(mine[:count, 2] - other[:count, 2]).max()),
            "sold_in_the_candle_of_entry": int((mine[:, 0] == mine[:, 1]).sum())}


def measure(count: int, folder: Path, repeat: int) -> dict[str, Any]:
    """All of it; figures are seconds for `count` candles."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        frame = prices(count)
        write(home, frame)
        series, plain, live = ours(frame)
        hype = HypeSettings()
        terms = terms_of(hype, COSTS, plain=True)
        python = python_of(folder / "vectorbt", PEERS["vectorbt"])
        found: dict[str, Any] = {"candles": count, "loop": {}, "end_to_end": {}}
        cut = min(count, FEWER)
        theirs, short = peer(python, "backtesting", home, cut, UNITS), peer(python, "backtesting", home, cut, UNITS,
                                                                             "short")
        part = a.Series(np.ascontiguousarray(series.candles[:, :cut]), series.quote[:cut], np.array([[0, cut, 1]]),
                        series.unit, series.exits[series.exits < cut], int(frame.time[cut - 1]))
        if "error" not in theirs:
            found["trades"] = same_trades(part, run(part, plain[plain[:, a.E_AT] < cut], RULES, terms), theirs)
            mirror, table = shorts_of(frame.rows(slice(0, cut)), part)
            found["shorts"] = same_trades(part, run(mirror, table, RULES, terms), short)
            found["loop"]["backtesting.py"] = theirs["seconds"] * count / cut
        bot = peer(python_of(folder / "freqtrade", PEERS["freqtrade"]), "freqtrade", home, cut)
        if "error" not in bot:
            found["loop"]["freqtrade"] = bot["seconds"] * count / cut
        found["end_to_end"][f"freqtrade, {cut} candles"] = bot
        loops: dict[str, list[float]] = {}
        for _ in range(3):  # in turns, so that a busy machine is busy for all
            for key, table in (("ours, plain", plain), ("ours, live exits", live)):
                loops.setdefault(key, []).extend(timed(lambda table=table: run(series, table, RULES, terms), repeat))
            told = peer(python, "vectorbt", home, repeat, UNITS)
            found["vectorbt"] = told.get("error", "ran")
            for key, seconds in told.get("loops", {}).items():
                loops.setdefault(f"vectorbt {key}", []).extend(seconds)
            found["end_to_end"]["vectorbt"] = told.get("end_to_end", told)
        found["loop"] |= {key: min(values) for key, values in loops.items()}
        found["loop_median"] = {key: statistics.median(values) for key, values in loops.items()}
        found["live_trades"] = int(run(series, live, RULES, terms).totals[a.T_POSITIONS])
        for kind in ("csv", "parquet"):
            found["end_to_end"][f"ours, {kind}"] = end_to_end(home / f"WALKUSDT.{kind}", home)
        return found


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description="The candle engine beside its peers.")
    parser.add_argument("--candles", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--venv", type=Path, default=Path(tempfile.gettempdir()) / "coxswain-peers")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    found = measure(chosen.candles, chosen.venv, chosen.repeat)
    if chosen.json:
        print(json.dumps(found))
        return 0
    print(f"{found['candles']:,} candles; best of the runs, in turns")
    for key, seconds in sorted(found["loop"].items(), key=lambda item: item[1]):
        median = found["loop_median"].get(key, seconds)
        print(f"  loop {key:<22} {seconds * 1e3:9.2f} ms {found['candles'] / seconds / 1e6:9.2f} M candles/s "
              f"(median {found['candles'] / median / 1e6:.2f})")
    for key, told in found["end_to_end"].items():
        print(f"  end to end {key:<16} {told}")
    print(f"  shorts: {found.get('shorts')}")
    print(f"  trades: {found.get('trades')}; with live exits {found['live_trades']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
