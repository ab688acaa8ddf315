"""freqtrade on our candles: ``peer_freqtrade.py FOLDER CANDLES``; prints seconds of its loop and of the whole.

Its exchange object wants the venue's markets from the network; they are given to it here. Everything else is its own:
data from Feather, indicators, signals, `Backtesting.backtest`. Runs in its own venv.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock, PropertyMock, patch

from peak import mib  # type: ignore[import-not-found]  # beside this script, in the peer's own interpreter

STARTED = time.perf_counter()
FOLDER, COUNT = Path(sys.argv[1]), int(sys.argv[2])
PAIR = "WALK/USDT"
STRATEGY = '''
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class Rsi(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "5m"
    minimal_roi = {"0": 0.006}
    stoploss = -0.004
    startup_candle_count = 20

    def populate_indicators(self, frame, metadata):
        frame["rsi"] = ta.RSI(frame, timeperiod=14)
        return frame

    def populate_entry_trend(self, frame, metadata):
        frame.loc[(frame["rsi"] < 30) & ~(frame["rsi"].shift() < 30), "enter_long"] = 1
        return frame

    def populate_exit_trend(self, frame, metadata):
        frame.loc[frame["rsi"] > 70, "exit_long"] = 1
        return frame
'''
MARKET = {"id": "WALKUSDT", "symbol": PAIR, "base": "WALK", "quote": "USDT", "active": True, "spot": True,
          "swap": False, "future": False, "linear": None, "type": "spot", "contract": False, "contractSize": None,
          "margin": False, "taker": 0.001, "maker": 0.001, "precision": {"amount": 8, "price": 6}, "info": {},
          "limits": {"amount": {"min": 1e-8, "max": 1e9}, "price": {"min": 1e-6, "max": None},
                     "cost": {"min": 1, "max": None}, "leverage": {}}}


def prepare() -> Any:
    """Its data and strategy files; returns the candles."""
    import pandas as pd
    table = pd.read_parquet(FOLDER / "WALKUSDT.parquet").head(COUNT)
    frame = table[["open", "high", "low", "close", "volume"]].astype(float)
    frame.insert(0, "date", pd.to_datetime(table["time"], unit="ms", utc=True))
    frame.reset_index(drop=True).to_feather(FOLDER / "WALK_USDT-5m.feather", compression="lz4")
    (FOLDER / "rsi_strategy.py").write_text(STRATEGY, encoding="utf-8")
    return frame


def config() -> dict[str, Any]:
    """Its settings."""
    from freqtrade.enums import CandleType, RunMode, TradingMode  # type: ignore[import-not-found]
    side = {"price_side": "same", "use_order_book": False}
    return {
        "stake_currency": "USDT", "stake_amount": 1000, "dry_run": True, "dry_run_wallet": 1e9, "max_open_trades": 1,
        "timeframe": "5m", "fee": 0.001, "pairlists": [{"method": "StaticPairList"}],
        "exchange": {"name": "binance", "key": "", "secret": "", "pair_whitelist": [PAIR], "pair_blacklist": []},
        "entry_pricing": {**side, "price_last_balance": 0}, "exit_pricing": side, "strategy": "Rsi",
        "strategy_path": str(FOLDER), "user_data_dir": FOLDER, "datadir": FOLDER, "runmode": RunMode.BACKTEST,
        "dataformat_ohlcv": "feather", "dataformat_trades": "feather", "export": "none", "exportdirectory": FOLDER,
        "exportfilename": FOLDER / "x.json", "timerange": None, "candle_type_def": CandleType.SPOT,
        "trading_mode": TradingMode.SPOT, "margin_mode": "", "internals": {}, "backtest_cache": "none",
        "original_config": {}, "config_files": [],
    }


def main() -> None:
    """Print the figures."""
    started = time.perf_counter()
    frame = prepare()
    made_s = time.perf_counter() - started
    from freqtrade.exchange import Exchange  # type: ignore[import-not-found]
    given = {"markets": PropertyMock(return_value={PAIR: MARKET}), "timeframes": PropertyMock(return_value=["5m"]),
             "precisionMode": PropertyMock(return_value=2), "precision_mode_price": PropertyMock(return_value=2),
             "reload_markets": MagicMock(), "validate_config": MagicMock(), "get_fee": MagicMock(return_value=0.001)}
    for name, value in given.items():
        patch.object(Exchange, name, value).start()
    from freqtrade.optimize.backtesting import Backtesting  # type: ignore[import-not-found]
    test = Backtesting(config())
    data, _ = test.load_bt_data()
    test._set_strategy(test.strategylist[0])
    known = test.strategy.advise_all_indicators(data)
    started = time.perf_counter()
    result = test.backtest(processed=known, start_date=frame.date.iloc[0].to_pydatetime(),
                           end_date=frame.date.iloc[-1].to_pydatetime())
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "end_to_end": time.perf_counter() - STARTED - made_s, "mib": mib(),
                      "trades": len(result["results"])}))


if __name__ == "__main__":
    main()
