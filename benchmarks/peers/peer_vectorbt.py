"""vectorbt on our candles: ``peer_vectorbt.py FOLDER REPEAT UNITS``; prints one JSON object. Runs in its own venv."""

import json
import subprocess
import sys
import time
from pathlib import Path

from peak import mib  # type: ignore[import-not-found]  # beside this script, in the peer's own interpreter


def end_to_end(folder: Path, units: int) -> None:
    """File, RSI, simulation, statistics, in this process."""
    import pandas as pd
    import vectorbt as vbt
    table = pd.read_parquet(folder / "WALKUSDT.parquet")
    close = table["close"]
    rsi = vbt.RSI.run(close, 14).rsi
    buys = ((rsi < 30) & ~(rsi.shift() < 30)).shift(fill_value=False)
    sells = (rsi > 70).shift(fill_value=False)
    portfolio = simulate(vbt, table, buys, sells, units, "rust")
    print(portfolio.stats().to_json(default_handler=str))
    print(mib())


def simulate(vbt, table, buys, sells, units, engine):
    """The same rules as far as vectorbt can: target and stop from the price of entry."""
    return vbt.Portfolio.from_signals(
        table["close"], buys, sells, open=table["open"], high=table["high"], low=table["low"], price=table["open"],
        tp_stop=0.006, sl_stop=0.004, fees=0.001, size=float(units), init_cash=1e9, freq="5min", engine=engine)


def loops(folder: Path, repeat: int, units: int) -> dict[str, list[float]]:
    """Seconds of the simulation alone (vectorbt's own inner function), and of the whole call, for each engine."""
    import numpy as np
    import pandas as pd
    import vectorbt as vbt
    from vectorbt.portfolio import dispatch
    table = pd.read_parquet(folder / "WALKUSDT.parquet")
    told = np.load(folder / "signals.npz")
    buys, sells = np.zeros(len(table), bool), np.zeros(len(table), bool)
    buys[told["buys"] + 1] = sells[told["sells"] + 1] = True
    inner: list[float] = []
    plain = dispatch.simulate_from_signals

    def clocked(*arguments, **named):
        started = time.perf_counter()
        result = plain(*arguments, **named)
        inner.append(time.perf_counter() - started)
        return result

    dispatch.simulate_from_signals = clocked
    found: dict[str, list[float]] = {}
    for engine in ("rust", "numba"):
        for _ in range(repeat + 1):
            started = time.perf_counter()
            simulate(vbt, table, pd.Series(buys), pd.Series(sells), units, engine)
            found.setdefault(f"{engine}, whole call", []).append(time.perf_counter() - started)
        found[f"{engine}, loop"] = inner[-repeat:]
        found[f"{engine}, whole call"] = found[f"{engine}, whole call"][1:]
    return found


def main() -> None:
    """Print the figures."""
    folder, repeat, units = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    if repeat == 0:
        end_to_end(folder, units)
        return
    whole = []
    for _ in range(3):
        started = time.perf_counter()
        done = subprocess.run([sys.executable, __file__, str(folder), "0", str(units)], capture_output=True, text=True,
                              check=True)
        whole.append((time.perf_counter() - started, int(done.stdout.strip().splitlines()[-1])))
    print(json.dumps({"loops": loops(folder, repeat, units),
                      "end_to_end": {"seconds": min(whole)[0], "mib": max(mib for _, mib in whole)}}))


if __name__ == "__main__":
    main()
