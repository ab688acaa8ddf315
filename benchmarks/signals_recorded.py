"""What the signal bot makes of recorded minutes: n and interval, no verdict.

    python -m benchmarks.signals_recorded --ticks btcusdt_20240808.gz --hours binance_usdm_1h.parquet [--symbol BTCUSDT]

Minutes hold no day of candles: 15m context is made of 1h candles that had closed before the recording began (each cut
into four of half its range, volume in equal parts), so ATR, VWAP and average volume are approximations. Every line of
what is waived is printed. The trade window is five minutes, so only what comes after the fifth can be a signal.
"""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from modules.backtest.prepare import compiled


def quarters(path: Path, symbol: str, before_ms: int) -> Any:
    """15m rows (n, 9) made of the 1h candles of a Parquet file that had closed by `before_ms`."""
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(path).to_pandas()
    names = {name.lower(): name for name in table.columns}
    time = table[next(names[name] for name in ("time", "open_time", "date", "timestamp") if name in names)]
    ms = np.array([int(value.timestamp() * 1000) if hasattr(value, "timestamp") else int(value) for value in time])
    kinds = table[names["interval"]] == "1h" if "interval" in names else np.ones(len(table), bool)
    tokens = table[next(names[name] for name in ("symbol", "pair") if name in names)].str.replace(r"[^A-Z0-9]", "",
                                                                                               regex=True)
    keep = np.asarray(kinds & tokens.str.startswith(symbol)) & (ms + 3_600_000 <= before_ms) & (
        ms > before_ms - 40 * 3_600_000)
    rows = []
    for at in np.flatnonzero(keep)[np.argsort(ms[keep])]:
        o, h, low, c, v = (float(table[names[name]].iloc[at]) for name in ("open", "high", "low", "close", "volume"))
        for part in range(4):
            first, last = o + (c - o) * part / 4, o + (c - o) * (part + 1) / 4
            middle, half = (first + last) / 2, (h - low) / 4
            rows.append((ms[at] + part * 900_000, first, max(first, last, middle + half),
                         min(first, last, middle - half), last, v / 4, v / 4 * (h + low + c) / 3, 0.0, 1.0))
    return np.array(rows).reshape(-1, 9)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ticks", type=Path, required=True)
    parser.add_argument("--hours", type=Path, required=True)
    parser.add_argument("--symbol", default="BTCUSDT")
    options = parser.parse_args()
    compiled(Path.home() / ".cache" / "coxswain-benchmarks")
    from modules.backtest.ticks import signal_trial as st
    from modules.backtest.ticks.looks import gather
    from modules.backtest.ticks.signal_report import versus_control
    from modules.exchange.captures import read_capture
    from modules.storage.recordings.reader import Damage
    from modules.strategies.signals import follow
    from modules.strategies.signals.settings import SignalSettings

    first = next(iter(read_capture(options.ticks, Damage(), [])))
    rows = quarters(options.hours, options.symbol, first.ns // 1_000_000)
    if not len(rows):
        sys.stderr.write("no 1h candle from before the recording is in that file\n")
        return 1
    print(f"context: {len(rows) // 4} hours until {first.ns // 1_000_000 - int(rows[-1, 0]) - 900_000:,} ms before")
    for name, own in (("defaults", SignalSettings()),
                      ("looser", SignalSettings(imbalance=0.2, large_trade_usdt=20_000, large_trades=1, intensity=0.5,
                                                hold_min=(0.5, 0.5, 0.5), hold_from_min=(0.1, 0.1, 0.1)))):
        (found,) = gather([options.ticks], [options.symbol], own, own.imbalance, 100, {options.symbol: rows})
        made = st.run(found.looks, found.trades, found.tick, st.terms_of(own))
        ended = Counter(follow.OUTCOMES[int(code)] or "still open" for code in made[:, st.ENDED])
        minutes = (found.trades[-1, 0] - found.trades[0, 0]) / 60_000
        print(json.dumps({
            "settings": name, "minutes": round(minutes, 1), "looks": found.seen, "judged": len(found.looks),
            "intensity": [round(float(x), 2) for x in np.nanpercentile(found.looks[:, 6], (0, 50, 100))]
            if len(found.looks) else [], "signals": len(made), "ends": dict(ended), **found.counted,
            "against control": versus_control([found], [made], own)}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
