"""Candle files written: CSV, Parquet, Feather, or the bot's own folder of one CSV for each symbol.

Rows are written as they were read, in their order: nothing is rounded, sorted, mended or left out. The bot's own
folder takes only ascending, unique, finite rows (market/candles.py); what cannot lie there is refused.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from modules.backtest.frames import DataError
from modules.backtest.load import MISSING, NUMBERS, Columns
from modules.market import candles

CHUNK = 1 << 16
NO_LATER = 1 << 60
Token = tuple[str, Columns]


def is_folder(target: Path) -> bool:
    """Whether a target means the bot's own layout: a folder, or a name without an ending."""
    return target.is_dir() or not target.suffix


def write(target: Path, found: Sequence[Token]) -> int:
    """Write all rows into one file, or a folder of them; returns how many. Raises DataError, OSError."""
    if is_folder(target):
        return _folder(target, found)
    writers = {".csv": _csv, ".parquet": _parquet, ".feather": _feather, ".arrow": _feather}
    if target.suffix.lower() not in writers:
        raise DataError(f"{target.name}: unknown kind of file; write {', '.join(writers)}, or a folder")
    aside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        writers[target.suffix.lower()](aside, found)
        os.replace(aside, target)
    finally:
        aside.unlink(missing_ok=True)
    return sum(len(columns["time"]) for _, columns in found)


def columns_of(rows: candles.Floats) -> Columns:
    """Stored candles as columns."""
    return {"time": rows[:, 0].astype(np.int64), **{name: rows[:, place] for place, name in enumerate(NUMBERS, 1)}}


def table_of(columns: Columns) -> candles.Floats:
    """Columns as stored candles."""
    return np.column_stack([columns["time"].astype(np.float64), *(columns[name] for name in NUMBERS)])


def _folder(target: Path, found: Sequence[Token]) -> int:
    count = 0
    for symbol, columns in found:
        rows = table_of(columns)
        if not np.isfinite(rows).all() or (np.diff(rows[:, 0]) <= 0).any():
            raise DataError(f"{symbol}: rows with missing numbers, unsorted rows or duplicates cannot lie in the "
                            "bot's own folder. Look with `data check`; --clean leaves them out.")
        path = candles.candle_path(target, symbol)
        path.parent.mkdir(parents=True, exist_ok=True)
        candles.merge(path, rows, NO_LATER, 0)
        count += len(rows)
    return count


def _csv(path: Path, found: Iterable[Token]) -> None:
    with open(path, "w", encoding="ascii", newline="\n") as out:
        out.write("symbol,time," + ",".join(NUMBERS) + "\n")
        for symbol, columns in found:
            for begin in range(0, len(columns["time"]), CHUNK):
                part = slice(begin, begin + CHUNK)
                times = np.datetime_as_string(columns["time"][part].astype("datetime64[ms]"), unit="ms").tolist()
                numbers = zip(*(columns[name][part].tolist() for name in NUMBERS), strict=True)
                out.writelines(f"{symbol},{time}Z,{','.join(map(repr, row))}\n"
                               for time, row in zip(times, numbers, strict=True))


def _schema() -> Any:
    import pyarrow as pa
    return pa.schema([("symbol", pa.dictionary(pa.int32(), pa.string())), ("time", pa.timestamp("ms", "UTC")),
                      *((name, pa.float64()) for name in NUMBERS)])


def _batches(found: Sequence[Token]) -> Iterable[Any]:
    """Record batches; all share one dictionary of symbols, as Feather wants it."""
    import pyarrow as pa
    schema, names = _schema(), pa.array([symbol for symbol, _ in found], pa.string())
    for code, (_, columns) in enumerate(found):
        for begin in range(0, len(columns["time"]), CHUNK):
            part = slice(begin, begin + CHUNK)
            time = columns["time"][part]
            coded = pa.DictionaryArray.from_arrays(pa.array(np.full(len(time), code, np.int32)), names)
            yield pa.record_batch([coded, pa.array(time, pa.int64()).cast(pa.timestamp("ms", "UTC")),
                                   *(pa.array(columns[name][part], pa.float64()) for name in NUMBERS)], schema=schema)


def _parquet(path: Path, found: Sequence[Token]) -> None:
    pq = _pyarrow("pyarrow.parquet", path)
    with pq.ParquetWriter(path, _schema(), compression="zstd") as out:
        for batch in _batches(found):
            out.write_batch(batch)


def _feather(path: Path, found: Sequence[Token]) -> None:
    pa = _pyarrow("pyarrow", path)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, _schema()) as out:
        for batch in _batches(found):
            out.write_batch(batch)


def _pyarrow(module: str, path: Path) -> Any:
    import importlib
    try:
        return importlib.import_module(module)
    except ImportError:
        raise DataError(MISSING.format("or writing Parquet and Feather").removesuffix(", or give CSV files")
                        + ", or write CSV") from None
