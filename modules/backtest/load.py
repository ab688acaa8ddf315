"""Reading candles: CSV, Parquet, Feather, and the bot's own ``data/market_data``.

Columns: a time (``time``, ``date``, ``open_time``, ``timestamp``, ``datetime``), ``open high low close volume``, and a
symbol (``symbol`` or ``pair``) where one file holds many tokens; otherwise the file's name is the symbol. Times are
UTC: text, or a number since the epoch in s, ms, µs or ns. Parquet and Feather need pyarrow; CSV is read faster with it.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from modules.backtest import progress
from modules.backtest.frames import DataError, Frame, cleaned
from utils.environment import to_install

TIMES = ("time", "date", "open_time", "timestamp", "datetime")
SYMBOLS = ("symbol", "pair")
NUMBERS = ("open", "high", "low", "close", "volume")
ENDINGS = (".csv", ".parquet", ".feather", ".arrow")
MISSING = f"reading {{}} needs pyarrow: {to_install('requirements-backtest.txt')}, or give CSV files"

Columns = dict[str, npt.NDArray[np.generic]]


def files_of(given: Iterable[Path]) -> list[Path]:
    """The files themselves; a folder stands for all its candle files. Raises DataError for what is not there."""
    found: list[Path] = []
    for path in given:
        if path.is_dir():
            inside = sorted(entry for entry in path.iterdir() if entry.suffix.lower() in ENDINGS)
            if not inside:
                raise DataError(f"{path}: no candle files in this folder ({', '.join(ENDINGS)}); "
                                "bot.py data download --top 50 fetches some into data/market_data")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise DataError(f"{path}: there is no such file")
    return found


def load(given: Sequence[Path], counted: Counter[str], only: frozenset[str] = frozenset()) -> list[Frame]:
    """All tokens of all files, by symbol; `only` limits to these. What was wrong is added to `counted`.

    Raises DataError (nothing usable, a token in two files, an extra that is missing) and OSError.
    """
    frames: dict[str, Frame] = {}
    rubbish: list[DataError] = []
    paths = files_of(given)
    for number, path in enumerate(paths):
        progress.step(progress.READ * number / len(paths), "reading candles")
        for symbol, columns in _tokens(path, _columns(path)):
            if only and symbol not in only:
                continue
            if symbol in frames:
                raise DataError(f"{path.name}: {symbol} has come in another file already; give each token once")
            try:
                frames[symbol] = cleaned(symbol, columns, counted)
            except DataError as problem:  # one token's rubbish must not stop the others
                rubbish.append(problem)
    if rubbish and not frames:
        raise rubbish[0]
    if rubbish:
        counted["tokens without a usable candle (left out)"] += len(rubbish)
    if not frames:
        raise DataError("no candles: " + (f"none of {', '.join(sorted(only))} is in the files" if only
                                          else "the files are empty"))
    return [frames[symbol] for symbol in sorted(frames)]


def tokens(path: Path) -> Iterator[tuple[str, Columns]]:
    """Each token of one file with its rows as they stand there: time in ms, open, high, low, close, volume.

    Raises DataError, OSError.
    """
    return _tokens(path, _columns(path))


def plain_symbol(text: str) -> str:
    """The exchange's own word: ``PEPE/USDT:USDT``, ``PEPE_USDT`` and ``pepe-usdt`` are PEPEUSDT."""
    return re.sub(r"[^A-Za-z0-9]", "", text.split(":")[0]).upper()


def file_symbol(path: Path) -> str:
    """The symbol that a file's name begins with: ``PEPE_USDT-5m.csv`` → PEPEUSDT."""
    name = re.sub(r"[-_ ]\d+[smhdw]$", "", path.name.split(".")[0], flags=re.IGNORECASE)
    return plain_symbol(name) or "TOKEN"


def _columns(path: Path) -> Columns:
    """The columns of a file that are needed, as arrays; time in ms."""
    if path.suffix.lower() not in ENDINGS:
        raise DataError(f"{path.name}: unknown kind of file; give {', '.join(ENDINGS)}")
    if path.stat().st_size == 0:
        raise DataError(f"{path.name}: is empty")
    try:
        from modules.backtest import arrow
    except ImportError:
        if path.suffix.lower() != ".csv":
            raise DataError(f"{path.name}: {MISSING.format(path.suffix[1:].capitalize())}") from None
        raw = _pandas_columns(path)
    else:
        raw = arrow.columns(path, pick)
    if len(raw["time"]) == 0:
        raise DataError(f"{path.name}: holds no rows")
    raw["time"] = _times(path, raw["time"])
    for name in NUMBERS:
        raw[name] = _numbers(path, name, raw[name])
    return raw


def pick(path: Path, names: Iterable[str]) -> dict[str, str]:
    """Which column of the file is which of ours. Raises DataError naming what is missing."""
    known = {name.strip().lower(): name for name in names}
    time = next((known[name] for name in TIMES if name in known), None)
    missing = [name for name in NUMBERS if name not in known]
    if time is None or missing:
        lacking = ([] if time else ["a time (" + ", ".join(TIMES) + ")"]) + missing
        raise DataError(f"{path.name}: columns are missing: {', '.join(lacking)}; it has {', '.join(known) or 'none'}")
    chosen = {"time": time, **{name: known[name] for name in NUMBERS}}
    symbol = next((known[name] for name in SYMBOLS if name in known), None)
    return {**chosen, "symbol": symbol} if symbol else chosen


def _pandas_columns(path: Path) -> Columns:
    import pandas as pd
    try:
        table = pd.read_csv(path)
    except (ValueError, UnicodeDecodeError) as problem:  # pandas' errors are ValueErrors
        raise DataError(f"{path.name} cannot be read: {problem}") from problem
    found: Columns = {}
    for name, theirs in pick(path, map(str, table.columns)).items():
        if name == "symbol":
            codes, values = pd.factorize(table[theirs])
            found["symbol"], found["symbols"] = codes, np.array([str(value) for value in values])
        else:
            found[name] = table[theirs].to_numpy()
    return found


def _numbers(path: Path, name: str, values: npt.NDArray[Any]) -> npt.NDArray[np.generic]:
    try:
        return values.astype(np.float64, copy=False)
    except (TypeError, ValueError):
        raise DataError(f"{path.name}: column {name} holds something that is no number") from None


def _times(path: Path, values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """ms since the epoch from numbers of any usual unit, or from text in UTC."""
    if values.dtype.kind == "M":
        if np.isnat(values).any():
            raise DataError(f"{path.name}: a time is missing")
        return values.astype("datetime64[ms]").view(np.int64)
    if values.dtype.kind in "iuf":
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise DataError(f"{path.name}: a time is missing")
        first = float(values[0]) if len(values) else 0.0
        factor = 1000.0 if first < 1e11 else 1.0 if first < 1e14 else 1e-3 if first < 1e17 else 1e-6
        return np.rint(values * factor).astype(np.int64) if factor != 1.0 else values.astype(np.int64, copy=False)
    import pandas as pd
    try:
        parsed = pd.to_datetime(pd.Series(values), utc=True)
    except (ValueError, TypeError) as problem:
        raise DataError(f"{path.name}: a time cannot be read: {problem}") from None
    if parsed.isna().any():
        raise DataError(f"{path.name}: a time is missing")
    return parsed.dt.tz_localize(None).to_numpy().astype("datetime64[ms]").astype(np.int64)


def _tokens(path: Path, columns: Columns) -> Iterator[tuple[str, Columns]]:
    """Each token's own rows, in the order of the file."""
    if "symbol" not in columns:
        yield file_symbol(path), columns
        return
    codes = columns["symbol"].astype(np.int64)
    order = None if (np.diff(codes) >= 0).all() else np.argsort(codes, kind="stable")
    sorted_codes = codes if order is None else codes[order]
    for code, symbol in enumerate(columns["symbols"]):
        begin, end = np.searchsorted(sorted_codes, [code, code + 1])
        if begin < end:
            rows = slice(begin, end) if order is None else order[begin:end]
            yield plain_symbol(str(symbol)), {name: columns[name][rows] for name in ("time", *NUMBERS)}
