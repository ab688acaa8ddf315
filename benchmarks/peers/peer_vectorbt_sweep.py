"""vectorbt's sweep: ``peer_vectorbt_sweep.py FOLDER REPEAT``; prints one JSON object. Runs in its own venv.

One column for each combination, signals given (their time is not counted), the rust engine if there is one, else numba.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import vectorbt as vbt
from peak import mib  # type: ignore[import-not-found]  # beside this script, in the peer's own interpreter

FOLDER, REPEAT = Path(sys.argv[1]), int(sys.argv[2])
TABLE = pd.read_parquet(FOLDER / "SWEEP.parquet")
TOLD = np.load(FOLDER / "sweep.npz")


def simulate(engine: str) -> "vbt.Portfolio":
    """All combinations in one call."""
    columns = pd.MultiIndex.from_arrays([TOLD["goal"], TOLD["stop"], np.arange(len(TOLD["goal"]))])
    entries = pd.DataFrame(TOLD["buys"][:, TOLD["which"]], columns=columns)
    named = {} if engine == "default" else {"engine": engine}
    return vbt.Portfolio.from_signals(
        TABLE["close"], entries, False, open=TABLE["open"], high=TABLE["high"], low=TABLE["low"], price=TABLE["open"],
        tp_stop=TOLD["goal"][None, :], sl_stop=TOLD["stop"][None, :], stop_entry_price="fillprice", fees=0.001,
        size=float(TOLD["usdt"]), size_type="value", init_cash=1e9, freq="5min", **named)


def measured(engine: str) -> dict[str, object]:
    """Seconds of the runs and every trade's entry and exit."""
    seconds = []
    for _ in range(REPEAT + 1):
        started = time.perf_counter()
        portfolio = simulate(engine)
        returns = portfolio.trades.records["pnl"].to_numpy()
        seconds.append(time.perf_counter() - started)
    records = portfolio.trades.records
    np.savez(FOLDER / "theirs.npz", col=records["col"], entry=records["entry_idx"], exit=records["exit_idx"],
             pnl=returns, open=records["status"] == 0)
    return {"engine": engine, "seconds": seconds[1:], "mib": mib(), "trades": len(records)}


for each in ("rust", "numba", "default"):
    try:
        found = measured(each)
        break
    except (TypeError, ValueError, ImportError) as problem:
        sys.stderr.write(f"{each}: {problem}\n")
print(json.dumps(found))
