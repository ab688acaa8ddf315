"""Features of a token: one function for training and for prediction, so that the two can never differ.

1. Row i is made from candles 0…i only: cutting later rows leaves row i bit-equal.
2. NaN is "not known" (too little history, no volume): it stays NaN, never 0.
3. Candles that are missing (no trade in five minutes) count as candles at the last price without volume, so that
   "one hour ago" is one hour ago. After a hole longer than MAX_HOLE the history begins anew.
4. Long windows are plain means (no exponential ones), so that 500 candles of a live judgement give what the thousands
   of a training give.
5. Prices are divided by the first close before any indicator sees them: TA-Lib takes a variance below 1e-14
   for zero, which a token at 0.0000001 USDT always has.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from modules.learning.feature_version import VERSION as VERSION
from modules.learning.market import MARKET
from modules.learning.talib_lite import talib

Floats = npt.NDArray[np.float64]

STEP_MS = 300_000  # the features are defined on 5m candles
HOUR, DAY = 12, 288  # in candles
MAX_HOLE = DAY
WARM_UP = DAY  # rows before the slowest feature is there
_ANGLE = np.arange(1440) / 1440.0 * (2.0 * np.pi)
_SIN, _COS = np.sin(_ANGLE), np.cos(_ANGLE)

RETURNS = (1, 2, 3, 6, HOUR, 36, 72, 144, DAY)
FEATURES: tuple[str, ...] = (
    *(f"return_{n}" for n in RETURNS),
    "volatility_12", "volatility_72", "volatility_288", "volatility_ratio",
    "volume_1", "volume_3", "volume_12", "volume_72", "turnover_day", "volume_trend", "mfi_14",
    "volume_before", "return_before", "calm_before",
    "atr_14", "atr_ratio", "range_1", "body_1", "upper_wick_1", "lower_wick_1",
    "place_12", "place_72", "place_288", "below_high_288", "above_low_288", "since_high_72", "rising_12",
    "rsi_6", "rsi_14", "macd", "macd_hist", "bb_place", "bb_width", "adx_14", "ema_20", "sma_100",
    "hour_sin", "hour_cos",
)  # fmt: skip
# Known only at the moment of decision, stored with the candidate: BTC's change over 1 h, the ticker's 24 h change
# and the spread in percent, book depth within 1 % (both sides, USDT); the whole market beside it (market.py).
CONTEXT: tuple[str, ...] = ("btc_1h_pct", "change_24h_pct", "spread_pct", "depth_usdt",
                            *(name for name in MARKET if name != "btc_1h_pct"))


class Windows(NamedTuple):
    """The windows of time in candles of one length. Of a window shorter than a candle nothing is known (0)."""

    step_ms: int
    hour: int
    quarter: int
    six: int
    day: int
    returns: tuple[int, ...]


def windows(step_ms: int) -> Windows:
    """The windows for candles of `step_ms`; with 5m candles they are those that the features are named after.

    Raises ValueError for candles that do not divide an hour, or are shorter than 5m.
    """
    if step_ms < STEP_MS or 3_600_000 % step_ms:
        raise ValueError(f"features want candles of 5 to 60 minutes that divide an hour; these last {step_ms} ms")
    every = step_ms // STEP_MS
    return Windows(step_ms, HOUR // every, 3 // every, 72 // every, DAY // every,
                   tuple(n // every if n % every == 0 else 0 for n in RETURNS))


def compute(candles: npt.ArrayLike, step_ms: int = STEP_MS) -> Floats:
    """Features of every candle.

    Args:
        candles: shape (n, 6): open time (ms), open, high, low, close, volume in base; ascending, closed.
        step_ms: their length. Windows of time (returns, volatility, volume, places) stay the same time; indicators
            (RSI, MACD …) stay the same number of candles.
    Returns:
        float64 (n, len(FEATURES)), row i known at the close of candle i; NaN where not known (rule 2).
    Raises:
        ValueError: another shape, or open times that do not ascend.
    """
    raw = np.ascontiguousarray(candles, dtype=np.float64)
    if raw.ndim != 2 or raw.shape[1] != 6:
        raise ValueError(f"candles have the shape {raw.shape}; expected (n, 6)")
    at = windows(step_ms)
    # Reductions over all are ten times as fast as those by row, and nearly always enough.
    if len(raw) and np.isfinite(raw).all() and raw[:, 1:5].min() > 0 and raw[:, 5].min() >= 0:
        usable, times = np.arange(len(raw)), raw[:, 0]
    else:
        sound = np.isfinite(raw).all(axis=1) & (raw[:, 1:5] > 0).all(axis=1) & (raw[:, 5] >= 0)
        usable = np.flatnonzero(sound)
        times = raw[usable, 0]
    steps = times[1:] - times[:-1]
    if (steps <= 0).any():
        raise ValueError("the candles' open times do not ascend")
    slots = np.floor(times / step_ms).astype(np.int64)
    if len(usable) == len(raw) > 0 and slots[-1] - slots[0] == len(raw) - 1:
        return _segment(raw, slots, at)  # nothing is missing: no copies
    out = np.full((len(raw), len(FEATURES)), np.nan)
    if not len(usable):
        return out
    for part in np.split(np.arange(len(usable)), np.flatnonzero(np.diff(slots) > at.day) + 1):
        out[usable[part]] = _segment(raw[usable[part]], slots[part], at)
    return out


def closed(candles: Floats, now_ms: int) -> Floats:
    """The candles that are closed at `now_ms` (market time)."""
    return candles[candles[:, 0] + STEP_MS <= now_ms]


def context_row(values: Mapping[str, float | None]) -> list[float]:
    """CONTEXT in its order; what is absent or None is NaN."""
    return [float("nan") if (value := values.get(name)) is None else float(value) for name in CONTEXT]


def pack(row: Sequence[float] | Floats, context: Sequence[float] = ()) -> str:
    """A candidate's features as the JSON that its CSV row keeps: names and values at the time of decision."""
    names = FEATURES + CONTEXT[: len(context)]
    values = [*map(float, row), *map(float, context)]
    if len(row) != len(FEATURES):
        raise ValueError(f"{len(row)} features given, {len(FEATURES)} expected")
    known = {name: value if np.isfinite(value) else None for name, value in zip(names, values, strict=True)}
    return msgspec.json.encode({"v": VERSION, **known}).decode("ascii")


def unpack(text: str, names: Sequence[str]) -> Floats | None:
    """The values of `names` from `pack`'s text; NaN where unknown. None if the text is of another version."""
    try:
        stored = msgspec.json.decode(text, type=dict[str, float | None])
    except msgspec.MsgspecError:
        return None
    if stored.get("v") != VERSION:
        return None
    return np.array([np.nan if (value := stored.get(name)) is None else value for name in names])


def _segment(rows: Floats, slots: npt.NDArray[np.int64], at: Windows) -> Floats:
    """Features of candles without a long hole; short ones are filled (rule 3) and dropped again."""
    first, count = slots[0], int(slots[-1] - slots[0]) + 1
    where = slots - first
    if count == len(rows):
        full = rows
    else:
        last = np.searchsorted(where, np.arange(count), side="right") - 1
        full = rows[last]
        hole = where[last] != np.arange(count)
        full[hole, 1:4] = full[hole, 4:5]
        full[hole, 5] = 0.0
        full[:, 0] = (first + np.arange(count)) * at.step_ms
    scale = full[0, 4]  # rule 5
    opens, high, low, close = (np.ascontiguousarray(full[:, column] / scale) for column in (1, 2, 3, 4))
    volume = np.ascontiguousarray(full[:, 5])
    with np.errstate(divide="ignore", invalid="ignore"):
        made = {
            **_moves(close, at),
            **_volumes(close, volume, scale, at),
            **_ranges(opens, high, low, close, at),
            **_places(high, low, close, at),
            **_indicators(high, low, close, volume),
            **_hour(full[:, 0]),
        }
    table = np.empty((len(FEATURES), count))
    for place, name in enumerate(FEATURES):
        table[place] = made[name]
    np.copyto(table, np.nan, where=~np.isfinite(table))
    kept: Floats = table.T if count == len(rows) else table.T[where]
    return kept


def _moves(close: Floats, at: Windows) -> dict[str, Floats]:
    """Log returns over several horizons, and their spread."""
    logs = np.log(close)
    found = {f"return_{n}": _since(logs, many) for n, many in zip(RETURNS, at.returns, strict=True)}
    steps = _since(logs, 1)
    steps[0] = 0.0  # TA-Lib starts at the first number, a NaN would stay for ever
    for name, n in ((HOUR, at.hour), (72, at.six), (DAY, at.day)):
        spread = _nothing(close) if n < 2 else talib.STDDEV(steps, n)
        spread[:n] = np.nan  # the first step is not one
        found[f"volatility_{name}"] = spread
    found["volatility_ratio"] = found["volatility_12"] / found["volatility_288"]
    found["return_before"] = found[f"return_{HOUR}"] - found["return_3"]
    found["calm_before"] = _shifted(found["volatility_72"], at.hour) / _shifted(found["volatility_288"], at.hour)
    return found


def _volumes(close: Floats, volume: Floats, scale: float, at: Windows) -> dict[str, Floats]:
    """Recent volume over the day's usual, the day's turnover in USDT (log), and whether volume grows."""
    usual = talib.SMA(volume, at.day)
    hour = _sum(volume, at.hour)
    quarter = _sum(volume, at.quarter)
    quote = np.ascontiguousarray(volume * close * scale)
    return {
        "volume_1": volume / usual,
        "volume_3": quarter / (at.quarter * usual),
        "volume_12": hour / (at.hour * usual),
        # volume that came before the move
        "volume_before": (hour - quarter) / ((at.hour - at.quarter) * usual),
        "volume_72": talib.SMA(volume, at.six) / usual,
        "turnover_day": np.log(talib.SUM(quote, at.day)),
        "volume_trend": talib.LINEARREG_SLOPE(volume, max(at.hour, 2)) / usual if at.hour > 1 else _nothing(close),
    }


def _ranges(opens: Floats, high: Floats, low: Floats, close: Floats, at: Windows) -> dict[str, Floats]:
    """True range and the shape of the last candle, as shares of the price."""
    true_range = talib.TRANGE(high, low, close)
    true_range[0] = high[0] - low[0]
    span = high - low
    return {
        "atr_14": talib.ATR(high, low, close, 14) / close,
        "atr_ratio": _sum(true_range, at.hour) / at.hour / talib.SMA(true_range, at.day),
        "range_1": span / close,
        "body_1": (close - opens) / close,
        "upper_wick_1": (high - np.maximum(opens, close)) / span,
        "lower_wick_1": (np.minimum(opens, close) - low) / span,
    }


def _places(high: Floats, low: Floats, close: Floats, at: Windows) -> dict[str, Floats]:
    """Where the close stands between the lowest and the highest of a window."""
    found: dict[str, Floats] = {}
    for name, n in ((HOUR, at.hour), (72, at.six), (DAY, at.day)):
        top, bottom = (high, low) if n < 2 else (talib.MAX(high, n), talib.MIN(low, n))
        found[f"place_{name}"] = (close - bottom) / (top - bottom)
    found["below_high_288"] = close / top - 1.0
    found["above_low_288"] = close / bottom - 1.0
    since = np.full(len(close), np.nan)
    if len(close) >= at.six:
        since[at.six - 1:] = np.arange(at.six - 1, len(close)) - talib.MAXINDEX(high, at.six)[at.six - 1:]
    found["since_high_72"] = since * (at.step_ms / STEP_MS)
    steps = _since(close, 1)
    rising = np.ascontiguousarray(steps > 0, dtype=np.float64)
    rising = talib.SMA(rising, at.hour) if at.hour > 1 else rising
    rising[:at.hour] = np.nan
    found["rising_12"] = rising
    return found


def _sum(values: Floats, n: int) -> Floats:
    """Sum over n candles; NaN where that is less than a candle."""
    if n < 1:
        return _nothing(values)
    total: Floats = values.copy() if n == 1 else talib.SUM(values, n)
    return total


def _nothing(like: Floats) -> Floats:
    return np.full(len(like), np.nan)


def _indicators(high: Floats, low: Floats, close: Floats, volume: Floats) -> dict[str, Floats]:
    """The classics; what is a price is divided by the price."""
    macd, _, hist = talib.MACD(close)
    upper, _, lower = talib.BBANDS(close, 20)
    return {
        "rsi_6": talib.RSI(close, 6),
        "rsi_14": talib.RSI(close, 14),
        "mfi_14": talib.MFI(high, low, close, volume, 14),
        "macd": macd / close,
        "macd_hist": hist / close,
        "bb_place": (close - lower) / (upper - lower),
        "bb_width": (upper - lower) / close,
        "adx_14": talib.ADX(high, low, close, 14),
        "ema_20": close / talib.EMA(close, 20) - 1.0,
        "sma_100": close / talib.SMA(close, 100) - 1.0,
    }


def _hour(times: Floats) -> dict[str, Floats]:
    """Time of day (UTC) on a circle, by the minute."""
    minute = (times % 86_400_000.0 / 60_000.0).astype(np.int64)
    return {"hour_sin": _SIN[minute], "hour_cos": _COS[minute]}


def _shifted(values: Floats, n: int) -> Floats:
    """The values of n rows before; NaN where there are none."""
    if not 0 < n < len(values):
        return _nothing(values)
    found = np.empty(len(values))
    found[:n] = np.nan
    found[n:] = values[:-n]
    return found


def _since(values: Floats, n: int) -> Floats:
    """values[i] − values[i − n]; NaN in the first n rows, and everywhere for n = 0 (less than a candle)."""
    if not 0 < n < len(values):
        return _nothing(values)
    found = np.empty(len(values))
    found[:n] = np.nan
    np.subtract(values[n:], values[:-n], out=found[n:])
    return found
