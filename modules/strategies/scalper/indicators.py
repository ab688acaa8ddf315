"""RSI, MACD, Bollinger bands and ATR of closed candles, as parts of the score (B2). All rows at once; live: the last.

| part | formula | speaks for buying when |
|---|---|---|
| RSI | (50 − RSI) ÷ 50 (Wilder) | oversold |
| MACD | tanh(2 × histogram ÷ ATR) | the histogram is above zero |
| Bollinger | −(close − mean) ÷ (width × deviation), at most ±1 | near the lower band |

Mirrored prices turn every sign. ATR is Wilder's, told in bps of the close. NaN until enough candles are known.
"""

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from modules.learning.talib_lite import talib
from modules.strategies.scalper import rules

if TYPE_CHECKING:
    from modules.strategies.scalper.settings import ScalperSettings

Floats = npt.NDArray[np.float64]
COLUMNS = (rules.X_RSI, rules.X_MACD, rules.X_BOLLINGER, rules.X_ATR_BPS)
_PRECISE = 1e-7


def warm_up(settings: "ScalperSettings") -> int:
    """Candles after which what came before weighs less than 1e-7: Wilder's (1 − 1/n)^k, exponential (1 − 2/(n+1))^k."""
    wilder = max(settings.rsi_bars, settings.atr_bars)
    slow = math.ceil(math.log(_PRECISE) / math.log(1 - 2 / (settings.macd_slow + 1))) + settings.macd_slow
    smooth = math.ceil(math.log(_PRECISE) / math.log(1 - 2 / (settings.macd_signal + 1)))
    longest = wilder + math.ceil(math.log(_PRECISE) / math.log(1 - 1 / wilder))
    return max(longest, slow + smooth, settings.bollinger_bars)


def parts(high: Floats, low: Floats, close: Floats, settings: "ScalperSettings") -> Floats:
    """(n, 4): RSI, MACD, Bollinger and ATR in bps at each close, as the columns of a context begin."""
    out = np.full((len(close), 4), np.nan)
    least = max(settings.macd_slow + settings.macd_signal, settings.bollinger_bars, settings.rsi_bars + 1,
                settings.atr_bars + 1)
    if len(close) <= least:
        return out
    atr = talib.ATR(high, low, close, settings.atr_bars)
    histogram = talib.MACD(close, settings.macd_fast, settings.macd_slow, settings.macd_signal)[2]
    mean = talib.SMA(close, settings.bollinger_bars)
    spread = talib.STDDEV(close, settings.bollinger_bars) * settings.bollinger_width
    moved = atr > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        out[:, 0] = (50 - rsi(close, settings.rsi_bars)) / 50
        out[:, 1] = np.where(moved, np.tanh(2 * histogram / np.where(moved, atr, 1)), 0.0)
        wide = spread > close * 1e-9
        out[:, 2] = -np.clip(np.where(wide, (close - mean) / np.where(wide, spread, 1), 0.0), -1, 1)
        out[:, 3] = atr / close * 1e4
    out[:least] = np.nan
    return out


def rsi(close: Floats, bars: int) -> Floats:
    """Wilder's RSI, 0 … 100, at each close; 50 where nothing moved. NaN for the first `bars`."""
    found: Floats = np.where(_still(close, bars), 50.0, talib.RSI(close, bars))
    return found


def _still(close: Floats, bars: int) -> npt.NDArray[np.bool_]:
    """Rows whose last `bars` moves were all zero: there TA-Lib calls RSI 0 or rounding noise, we call it 50."""
    moved = np.concatenate(([0.0], np.cumsum(np.abs(np.diff(close)))))
    still = np.zeros(len(close), np.bool_)
    still[bars:] = moved[bars:] - moved[:-bars] <= 0
    return still


def latest(high: Floats, low: Floats, close: Floats, settings: "ScalperSettings") -> Floats | None:
    """The last row of `parts`; None where it is not known."""
    found: Floats = parts(high, low, close, settings)[-1] if len(close) else np.full(4, np.nan)
    return None if np.isnan(found).any() else found
