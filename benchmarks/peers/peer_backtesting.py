"""backtesting.py on our candles: ``peer_backtesting.py FOLDER CANDLES UNITS [short]``; prints seconds and trades."""

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy

warnings.filterwarnings("ignore")
FOLDER, COUNT, UNITS = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
TABLE = pd.read_parquet(FOLDER / "WALKUSDT.parquet").head(COUNT)
TOLD = np.load(FOLDER / "signals.npz")
BUYS, SELLS = np.zeros(COUNT, bool), np.zeros(COUNT, bool)
SHORT = sys.argv[4:] == ["short"]
ENTER, LEAVE = ("shorts", "covers") if SHORT else ("buys", "sells")
BUYS[TOLD[ENTER][TOLD[ENTER] < COUNT]] = SELLS[TOLD[LEAVE][TOLD[LEAVE] < COUNT]] = True


class Rsi(Strategy):
    """Buys and sells where the given signals say so; target and stop from the signal's close."""

    def init(self) -> None:
        """Nothing: the signals are given."""

    def next(self) -> None:
        """One close."""
        at = len(self.data) - 1
        if self.position:
            if SELLS[at]:
                self.position.close()
        elif BUYS[at]:
            close = self.data.Close[-1]
            if SHORT:
                self.sell(size=UNITS, sl=round(close * 1.004, 6), tp=round(close * 0.994, 6))
            else:
                self.buy(size=UNITS, sl=round(close * 0.996, 6), tp=round(close * 1.006, 6))


frame = pd.DataFrame({name.capitalize(): TABLE[name] for name in ("open", "high", "low", "close", "volume")})
frame.index = pd.to_datetime(TABLE["time"], unit="ms")
test = Backtest(frame, Rsi, cash=1e9, commission=0.001, finalize_trades=True)
started = time.perf_counter()
result = test.run()
seconds = time.perf_counter() - started
trades = result["_trades"]
fees = 0.001 * UNITS * (trades.EntryPrice + trades.ExitPrice)
money = (trades.ExitPrice - trades.EntryPrice) * trades.Size - fees
print(json.dumps({"seconds": seconds, "trades": np.column_stack((trades.EntryBar, trades.ExitBar, money)).tolist()}))
