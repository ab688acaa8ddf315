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

import msgspec
import numpy as np
import numpy.typing as npt

from modules.learning.talib_lite import talib

Floats = npt.NDArray[np.float64]

STEP_MS = 300_000  # the features are defined on 5m candles
HOUR, DAY = 12, 288  # in candles
MAX_HOLE = DAY
WARM_UP = DAY  # rows before the slowest feature is there
VERSION = 1  # raise it when a formula changes: models of another version are refused

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
# and the spread in percent, book depth within 1 % (both sides, USDT).
CONTEXT: tuple[str, ...] = ("btc_1h_pct", "change_24h_pct", "spread_pct", "depth_usdt")


def compute(candles: npt.ArrayLike) -> Floats:
    """Features of every candle.

    Args:
        candles: shape (n, 6): open time (ms), open, high, low, close, volume in base; 5m, ascending, closed.
    Returns:
        float64 (n, len(FEATURES)), row i known at the close of candle i; NaN where not known (rule 2).
    Raises:
        ValueError: another shape, or open times that do not ascend.
    """
    raw = np.ascontiguousarray(candles, dtype=np.float64)
    if raw.ndim != 2 or raw.shape[1] != 6:
        raise ValueError(f"candles have the shape {raw.shape}; expected (n, 6)")
    out = np.full((len(raw), len(FEATURES)), np.nan)
    usable = np.flatnonzero(np.isfinite(raw).all(axis=1) & (raw[:, 1:5] > 0).all(axis=1) & (raw[:, 5] >= 0))
    if not len(usable):
        return out
    times = raw[usable, 0]
    if (np.diff(times) <= 0).any():
        raise ValueError("the candles' open times do not ascend")
    slots = np.floor(times / STEP_MS).astype(np.int64)
    for part in np.split(np.arange(len(usable)), np.flatnonzero(np.diff(slots) > MAX_HOLE) + 1):
        out[usable[part]] = _segment(raw[usable[part]], slots[part])
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


def _segment(rows: Floats, slots: npt.NDArray[np.int64]) -> Floats:
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
        full[:, 0] = (first + np.arange(count)) * STEP_MS
    scale = full[0, 4]  # rule 5
    opens, high, low, close = (np.ascontiguousarray(full[:, column] / scale) for column in (1, 2, 3, 4))
    volume = np.ascontiguousarray(full[:, 5])
    with np.errstate(divide="ignore", invalid="ignore"):
        made = {
            **_moves(close),
            **_volumes(close, volume, scale),
            **_ranges(opens, high, low, close),
            **_places(high, low, close),
            **_indicators(high, low, close, volume),
            **_hour(full[:, 0]),
        }
        table = np.column_stack([made[name] for name in FEATURES])
    table[~np.isfinite(table)] = np.nan
    kept: Floats = table[where]
    return kept


def _moves(close: Floats) -> dict[str, Floats]:
    """Log returns over several horizons, and their spread."""
    logs = np.log(close)
    found = {f"return_{n}": _since(logs, n) for n in RETURNS}
    steps = _since(logs, 1)
    steps[0] = 0.0  # TA-Lib starts at the first number, a NaN would stay for ever
    for n in (HOUR, 72, DAY):
        spread = talib.STDDEV(steps, n)
        spread[:n] = np.nan  # the first step is not one
        found[f"volatility_{n}"] = spread
    found["volatility_ratio"] = found["volatility_12"] / found["volatility_288"]
    found["return_before"] = found[f"return_{HOUR}"] - found["return_3"]
    found["calm_before"] = _shifted(found["volatility_72"], HOUR) / _shifted(found["volatility_288"], HOUR)
    return found


def _volumes(close: Floats, volume: Floats, scale: float) -> dict[str, Floats]:
    """Recent volume over the day's usual, the day's turnover in USDT (log), and whether volume grows."""
    usual = talib.SMA(volume, DAY)
    hour, quarter = talib.SUM(volume, HOUR), talib.SUM(volume, 3)
    quote = np.ascontiguousarray(volume * close * scale)
    return {
        "volume_1": volume / usual,
        "volume_3": quarter / (3 * usual),
        "volume_12": hour / (HOUR * usual),
        "volume_before": (hour - quarter) / ((HOUR - 3) * usual),  # volume that came before the move
        "volume_72": talib.SMA(volume, 72) / usual,
        "turnover_day": np.log(talib.SUM(quote, DAY)),
        "volume_trend": talib.LINEARREG_SLOPE(volume, HOUR) / usual,
    }


def _ranges(opens: Floats, high: Floats, low: Floats, close: Floats) -> dict[str, Floats]:
    """True range and the shape of the last candle, as shares of the price."""
    true_range = talib.TRANGE(high, low, close)
    true_range[0] = high[0] - low[0]
    span = high - low
    return {
        "atr_14": talib.ATR(high, low, close, 14) / close,
        "atr_ratio": talib.SMA(true_range, HOUR) / talib.SMA(true_range, DAY),
        "range_1": span / close,
        "body_1": (close - opens) / close,
        "upper_wick_1": (high - np.maximum(opens, close)) / span,
        "lower_wick_1": (np.minimum(opens, close) - low) / span,
    }


def _places(high: Floats, low: Floats, close: Floats) -> dict[str, Floats]:
    """Where the close stands between the lowest and the highest of a window."""
    found: dict[str, Floats] = {}
    for n in (HOUR, 72, DAY):
        top, bottom = talib.MAX(high, n), talib.MIN(low, n)
        found[f"place_{n}"] = (close - bottom) / (top - bottom)
    found["below_high_288"] = close / top - 1.0
    found["above_low_288"] = close / bottom - 1.0
    since = np.full(len(close), np.nan)
    if len(close) >= 72:
        since[71:] = np.arange(71, len(close)) - talib.MAXINDEX(high, 72)[71:]
    found["since_high_72"] = since
    steps = _since(close, 1)
    rising = talib.SMA(np.ascontiguousarray(steps > 0, dtype=np.float64), HOUR)
    rising[:HOUR] = np.nan
    found["rising_12"] = rising
    return found


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
    """Time of day (UTC) on a circle."""
    angle = (times % 86_400_000.0) / 86_400_000.0 * (2.0 * np.pi)
    return {"hour_sin": np.sin(angle), "hour_cos": np.cos(angle)}


def _shifted(values: Floats, n: int) -> Floats:
    """values[i − n]; NaN in the first n rows."""
    found = np.full(len(values), np.nan)
    found[n:] = values[:-n]
    return found


def _since(values: Floats, n: int) -> Floats:
    """values[i] − values[i − n]; NaN in the first n rows."""
    found = np.full(len(values), np.nan)
    found[n:] = values[n:] - values[:-n]
    return found
