"""Columns of CSV, Parquet and Feather files through pyarrow, read in batches: never a second copy of the whole file."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from modules.backtest.frames import DataError

ROWS = 1 << 16
BARE = {pa.float64(): np.float64, pa.float32(): np.float32, pa.int64(): np.int64, pa.int32(): np.int32}
Pick = Callable[[Path, Iterable[str]], dict[str, str]]


def columns(path: Path, pick: Pick) -> dict[str, npt.NDArray[Any]]:
    """The columns that `pick` chooses, whole; ``symbol`` as codes into ``symbols``. Raises DataError."""
    codes: dict[str, int] = {}
    try:
        found = _parquet(path, pick, codes) if path.suffix.lower() == ".parquet" else _in_rows(path, pick, codes)
    except pa.ArrowInvalid as problem:
        raise DataError(f"{path.name} cannot be read: {problem}") from problem
    pa.default_memory_pool().release_unused()
    if codes:
        found["symbols"] = np.array(list(codes))
    return found if found else {"time": np.zeros(0)}


def _parquet(path: Path, pick: Pick, codes: dict[str, int]) -> dict[str, npt.NDArray[Any]]:
    """Parquet lies in columns, and is read so: only one of them is in memory twice."""
    found: dict[str, npt.NDArray[Any]] = {}
    with pa.parquet.ParquetFile(path, pre_buffer=False) as file:
        for name, theirs in pick(path, file.schema_arrow.names).items():
            parts = [_values(name, batch.column(0), codes)
                     for batch in file.iter_batches(ROWS, columns=[theirs], use_threads=False)]
            if parts:
                found[name] = np.concatenate(parts)
    return found


def _in_rows(path: Path, pick: Pick, codes: dict[str, int]) -> dict[str, npt.NDArray[Any]]:
    """CSV and Feather: batches of whole rows."""
    parts: dict[str, list[npt.NDArray[Any]]] = {}
    for batch, names in _batches(path, pick):
        for name, theirs in names.items():
            column = batch.column(batch.schema.get_field_index(theirs))
            parts.setdefault(name, []).append(_values(name, column, codes))
    return {name: np.concatenate(parts.pop(name)) for name in list(parts)}


def _values(name: str, column: Any, codes: dict[str, int]) -> npt.NDArray[Any]:
    return _coded(column, codes) if name == "symbol" else _plain(column)


def _batches(path: Path, pick: Pick) -> Iterator[tuple[Any, dict[str, str]]]:
    """Record batches, and which of their columns is which of ours."""
    if path.suffix.lower() == ".csv":
        with pa.csv.open_csv(path) as reader:
            names = pick(path, reader.schema.names)
            for batch in reader:
                yield batch, names
    else:
        with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as reader:
            names = pick(path, reader.schema.names)
            for place in range(reader.num_record_batches):
                yield reader.get_batch(place), names


def _plain(column: Any) -> npt.NDArray[Any]:
    """A column as numpy; times become datetime64[ms], missing numbers NaN."""
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        if column.null_count:
            raise pa.ArrowInvalid("a time is missing")
        return _bare(column.cast(pa.timestamp("ms")).view(pa.int64()), np.int64).view("datetime64[ms]")
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if column.null_count == 0 and column.type in BARE:
        return _bare(column, BARE[column.type])
    found: npt.NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return found


def _bare(column: Any, dtype: Any) -> npt.NDArray[Any]:
    """Numbers straight from their memory: pyarrow's own conversion loads pandas, half a second."""
    if not len(column):
        return np.zeros(0, dtype)
    # A copy: a view would keep the whole batch in memory.
    return np.frombuffer(column.buffers()[1], dtype, len(column), column.offset * np.dtype(dtype).itemsize).copy()


def _coded(column: Any, codes: dict[str, int]) -> npt.NDArray[Any]:
    """A column of names as codes, the same in every batch."""
    coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    here = np.array([codes.setdefault(str(name), len(codes)) for name in coded.dictionary.to_pylist()], np.int32)
    if coded.indices.null_count:
        raise pa.ArrowInvalid("a symbol is missing")
    found: npt.NDArray[Any] = here[_bare(coded.indices.cast(pa.int64()), np.int64)]
    return found
