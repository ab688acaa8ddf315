"""Sets of candles on disk, each a folder of one CSV for each symbol (candles.py).

``market_data`` is what the program itself collects and trains on: 5-minute candles of the exchange in use. What else a
person downloads lies apart, so that nothing is mixed: ``data/candles/EXCHANGE-INTERVAL``, for example ``mexc-1h``.
"""

import os
import re
from datetime import datetime
from pathlib import Path

from utils.paths import Paths

COLLECTED, OWN_INTERVAL = "market_data", "5m"
EXCHANGES = ("simulated", "mexc")
STEPS = {"1m": 60_000, "5m": 300_000, "15m": 900_000, "1h": 3_600_000, "4h": 14_400_000, "1d": 86_400_000}
_NAME = re.compile(rf"({'|'.join(EXCHANGES)})-({'|'.join(STEPS)})")
_TAIL = 400


def set_name(exchange: str, interval: str, own_exchange: str) -> str:
    """The set that candles of an exchange and a length belong to. `own_exchange`: the one in the settings."""
    return COLLECTED if (exchange, interval) == (own_exchange, OWN_INTERVAL) else f"{exchange}-{interval}"


def folder_of(paths: Paths, name: str) -> Path:
    """Where a set lies, whether it is there or not. Raises ValueError for what is no set's name."""
    if name == COLLECTED:
        return paths.market_data
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name[:40]!r} is no set of candles; one is called {COLLECTED}, or like mexc-1h")
    return paths.data / "candles" / name


def sets(paths: Paths) -> list[str]:
    """The sets that hold candles, the collected ones first."""
    apart = sorted(path.name for path in (paths.data / "candles").glob("*-*") if _NAME.fullmatch(path.name))
    return [name for name in (COLLECTED, *apart) if any(folder_of(paths, name).glob("*.csv"))]


def span(folder: Path) -> tuple[int, int] | None:
    """First and last candle of a folder's files, ms; None where there are none. Reads only their ends."""
    spans = [found for path in folder.glob("*.csv") if (found := ends(path)) is not None]
    return (min(first for first, _ in spans), max(last for _, last in spans)) if spans else None


def ends(path: Path) -> tuple[int, int] | None:
    """First and last candle of one file, ms; None where it holds none, or is none."""
    try:
        with open(path, "rb") as file:
            head = file.read(_TAIL).splitlines()
            file.seek(max(file.seek(0, os.SEEK_END) - _TAIL, 0))
            tail = file.read().splitlines()
        return _ms(head[1]), _ms(tail[-1])
    except (OSError, IndexError, ValueError):
        return None


def _ms(row: bytes) -> int:
    cell = row.split(b",")[0].decode("ascii")
    return int(cell) if cell.isdigit() else round(datetime.fromisoformat(cell).timestamp() * 1000)
