"""`--replay DIR`: recorded candles as the price paths of the market.

A folder holds one CSV or parquet file per pair (the file's name is the pair: BTCUSDT, BTC_USDT, BTC-USDT, with
anything behind a dot or blank ignored), or parquet files with a `symbol` column. Columns: date (the bar's open,
UTC), open, high, low, close, volume (base coin). Candles of any interval of whole minutes are unfolded into
minutes along open → low → high → close (rising bars) or open → high → low → close (falling ones), the volume
spread evenly; minutes without a candle see no trade. Everything else (book, fees, calendar) is the model's.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modules.simulator.paths import MINUTES, QUOTE_SCALE, DayRow
from modules.simulator.randomness import key64
from modules.simulator.universe import DAY_MS, MINUTE_MS, Calendar, Token

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ("date", "open", "high", "low", "close", "volume")
WARMUP_DAYS = 30
_QUOTES = ("USDT", "USDC", "USD", "BUSD")


class ReplayError(Exception):
    """A recording cannot be used; the message names the file and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One pair's candles. Times are absolute minutes; prices float, shape (n,)."""

    base: str
    size: int  # minutes of a candle
    minute: NDArray[np.int64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]

    @property
    def end_minute(self) -> int:
        """First minute after the recording."""
        return int(self.minute[-1]) + self.size


class ReplaySource:
    """The recorded market behind the same interface as the model's."""

    def __init__(self, recordings: list[Recording], seed: int, name: str) -> None:
        self._recordings = recordings
        self._seed = seed
        self._name = f"replay {name} pairs={len(recordings)} seed={seed}"
        self._tokens = tuple(_token(slot, recording, seed) for slot, recording in enumerate(recordings))
        self._calendar = _calendar(self._tokens)
        first = min(int(r.minute[0]) for r in recordings)
        last = max(r.end_minute for r in recordings)
        #: where a replay starts unless told otherwise: with some history behind it
        self.begin_ms = (first + min(WARMUP_DAYS * MINUTES, (last - first) // 3)) * MINUTE_MS
        self._last_ms = last * MINUTE_MS

    @classmethod
    def load(cls, folder: Path, seed: int) -> ReplaySource:
        """Read a folder (or one file). Raises ReplayError."""
        files = [folder] if folder.is_file() else sorted(folder.glob("*")) if folder.is_dir() else []
        files = [f for f in files if f.suffix.lower() in (".csv", ".parquet")]
        if not files:
            raise ReplayError(f"replay {folder}: no .csv or .parquet files there. Give another --replay.")
        found: dict[str, Recording] = {}
        for file in files:
            for recording in _read(file):
                found[recording.base] = recording
        return cls([found[base] for base in sorted(found, key=lambda b: (b != "BTC", b))], seed, folder.name)

    @property
    def slots(self) -> int:
        """How many pairs."""
        return len(self._recordings)

    @property
    def key(self) -> int:
        """The seed: book levels and prints are still drawn."""
        return self._seed

    def calendar(self, day: int) -> Calendar:
        """All pairs, every day; their listing and delisting say when they trade."""
        return self._calendar

    def halt(self, slot: int, day: int) -> tuple[int, int] | None:
        """Recordings know no halts."""
        return None

    def pressure(self, slot: int, minute: float) -> float:
        """Taker flow leans with the minute's move."""
        row = self.row(slot, int(minute // MINUTES))
        at = int(minute % MINUTES)
        span = int(row.high[at]) - int(row.low[at])
        return 0.0 if span == 0 else 0.25 * (int(row.close[at]) - int(row.open[at])) / span

    def last_ms(self) -> int | None:
        """End of the recording."""
        return self._last_ms

    def describe(self) -> str:
        """Folder, size, seed."""
        return self._name

    def row(self, slot: int, day: int) -> DayRow:
        """A day of minutes unfolded from the recorded candles."""
        recording, token = self._recordings[slot], self._tokens[slot]
        first = day * MINUTES
        index = np.searchsorted(recording.minute, np.arange(first, first + MINUTES), side="right") - 1
        bar = np.maximum(index, 0)
        into = np.arange(first, first + MINUTES) - recording.minute[bar]
        inside = (index >= 0) & (into < recording.size)
        at = np.clip(into, 0, recording.size - 1)
        edges = _walk(recording, bar, at / recording.size)
        ends = _walk(recording, bar, (at + 1) / recording.size)
        low, high = _extremes(recording, bar, at, edges, ends)
        scale = 1.0 / token.tick
        close = np.where(inside, np.rint(ends * scale), np.rint(recording.close[bar] * scale))
        opened = np.rint(edges * scale)
        high = np.maximum(np.rint(high * scale), np.maximum(opened, close))
        low = np.minimum(np.rint(low * scale), np.minimum(opened, close))
        volume = np.rint(recording.volume[bar] / recording.size * 10**token.base_scale)
        traded = inside & (volume > 0)
        high, low = np.where(traded, high, close), np.where(traded, low, close)
        opened = np.where(traded, opened, close)
        volume = np.where(traded, volume, 0.0)
        price = (opened + high + low + 2.0 * close) / 5.0 * token.tick
        quote = np.rint(volume * 10.0**-token.base_scale * price * 10**QUOTE_SCALE)
        prices = [np.maximum(part, 1).astype(np.int32) for part in (opened, high, low, close)]
        return DayRow(prices[0], prices[1], prices[2], prices[3], volume.astype(np.int64), quote.astype(np.int64))


def _corners(r: Recording, bar: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rising = r.close[bar] >= r.open[bar]
    return np.where(rising, r.low[bar], r.high[bar]), np.where(rising, r.high[bar], r.low[bar])


def _walk(r: Recording, bar: NDArray[np.int64], part: NDArray[np.float64]) -> NDArray[np.float64]:
    """Price at a fraction of each bar: open, first extreme at 1/3, second at 2/3, close."""
    first, second = _corners(r, bar)
    opened, close = r.open[bar], r.close[bar]
    result: NDArray[np.float64] = np.where(
        part < 1 / 3, opened + (first - opened) * part * 3,
        np.where(part < 2 / 3, first + (second - first) * (part * 3 - 1), second + (close - second) * (part * 3 - 2)))
    return result


def _extremes(
    r: Recording, bar: NDArray[np.int64], at: NDArray[np.int64], edges: NDArray[np.float64],
    ends: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Low and high of each minute: its ends, and the bar's corners where they fall into it."""
    low, high = np.minimum(edges, ends), np.maximum(edges, ends)
    first, second = _corners(r, bar)
    for corner, moment in ((first, 1 / 3), (second, 2 / 3)):
        here = np.minimum(np.floor(r.size * moment), r.size - 1) == at
        low = np.where(here, np.minimum(low, corner), low)
        high = np.where(here, np.maximum(high, corner), high)
    return low, high


def _read(file: Path) -> list[Recording]:
    """The recordings in one file. Raises ReplayError."""
    import pandas as pd

    try:
        table = pd.read_csv(file) if file.suffix.lower() == ".csv" else pd.read_parquet(file)
    except (OSError, ValueError, ImportError, pd.errors.ParserError) as problem:
        raise ReplayError(f"replay file {file}: cannot be read ({problem}). Mend or remove it.") from problem
    table = table.rename(columns=str.lower)
    missing = [name for name in _COLUMNS if name not in table.columns]
    if missing:
        raise ReplayError(f"replay file {file}: no column {', '.join(missing)}. Needed: {', '.join(_COLUMNS)}.")
    if "symbol" not in table.columns:
        return [_recording(table, file.name.split(".")[0].split(" ")[0], file)]
    return [_recording(part, str(symbol), file) for symbol, part in table.groupby("symbol", observed=True)]


def _recording(table: pd.DataFrame, symbol: str, file: Path) -> Recording:
    import pandas as pd

    base = _base(symbol)
    if not base:
        raise ReplayError(f"replay file {file}: '{symbol}' is not a pair's name like PEPEUSDT.")
    try:
        date = table["date"]
        numeric = pd.api.types.is_numeric_dtype(date)
        when = pd.to_datetime(date, unit="ms" if numeric else None, utc=True)
        minute = (when.astype("datetime64[ms, UTC]").astype("int64") // MINUTE_MS).to_numpy()
        columns: list[Any] = [table[name].to_numpy(dtype=np.float64) for name in _COLUMNS[1:]]
    except (ValueError, TypeError) as problem:
        raise ReplayError(f"replay file {file}: {symbol}: {problem}") from problem
    opened, high, low, close, volume = columns
    good = np.isfinite(np.stack(columns)).all(axis=0) & (low > 0) & (volume >= 0)
    good &= (high >= np.maximum(opened, close)) & (low <= np.minimum(opened, close))
    if len(minute) < 2 or not good.all():
        raise ReplayError(
            f"replay file {file}: {symbol}: {int((~good).sum())} of {len(good)} candles are impossible "
            "(missing, not positive, or high/low inside open/close). Mend the file.")
    order = np.argsort(minute, kind="stable")
    gaps = np.diff(minute[order])
    if (gaps <= 0).any():
        raise ReplayError(f"replay file {file}: {symbol}: a date occurs twice. Mend the file.")
    size = int(gaps.min())
    return Recording(base, min(size, MINUTES), minute[order].astype(np.int64), *(column[order] for column in columns))


def _base(symbol: str) -> str:
    """The base coin of a pair's name; empty where there is none."""
    name = re.sub(r"[^A-Z0-9]", "", symbol.upper().split(":")[0])
    for quote in _QUOTES:
        if name.endswith(quote) and len(name) > len(quote):
            return name[: -len(quote)]
    return ""


def _token(slot: int, recording: Recording, seed: int) -> Token:
    """A pair's properties, estimated from its recording."""
    price = float(np.median(recording.close))
    worth = recording.close * recording.volume
    adv = max(1e3, float(worth.mean()) * MINUTES / recording.size)
    moves = np.diff(np.log(recording.close))
    sigma = float(np.std(moves)) * math.sqrt(MINUTES / recording.size) if len(moves) else 0.05
    return Token(
        slot=slot, generation=0, base=recording.base, ref_price=price,
        price_scale=_decimals(recording.close), base_scale=int(np.clip(math.ceil(math.log10(price)) + 2, 0, 6)),
        beta=1.0, sigma_day=max(sigma, 0.005), adv=adv,
        rel_spread=float(np.clip(0.0009 * (1e6 / adv) ** 0.40, 0.00002, 0.035)),
        depth1=15_000.0 * (adv / 1e6) ** 0.82, hot=1.0, maker=Decimal(0), taker=Decimal("0.0005"),
        api_open=True, in_defaults=True, market_orders=key64(seed, "market orders", slot) % 100 >= 3,
        list_ms=int(recording.minute[0]) * MINUTE_MS,
        delist_ms=recording.end_minute * MINUTE_MS)


def _decimals(prices: NDArray[np.float64]) -> int:
    """Decimals of the recorded prices: as many as a sample of them needs, four significant digits at least."""
    sample = prices[:: max(1, len(prices) // 200)]
    need = max(len(f"{value:.12f}".rstrip("0").split(".")[1]) for value in sample)
    least = math.ceil(-math.log10(float(np.median(prices)))) + 3
    return int(np.clip(max(min(need, least + 4), least), 1, 12))


def _calendar(tokens: tuple[Token, ...]) -> Calendar:
    def column(name: str) -> NDArray[np.float64]:
        return np.array([getattr(token, name) for token in tokens], dtype=np.float64)

    return Calendar(
        tokens=tokens, log_ref=np.log(column("ref_price")), beta=column("beta"), sigma=column("sigma_day"),
        adv=column("adv"), tick=10.0 ** -column("price_scale"), step=10.0 ** -column("base_scale"),
        rel_spread=column("rel_spread"), depth1=column("depth1"), hot=column("hot"),
        listed_day=np.array([t.list_ms // DAY_MS for t in tokens], dtype=np.int64))
