"""Stored data in and out of SQL (C10): what the collector has, and the inputs of a decision as of an instant."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import Connection, and_, func, select

from modules.storage.sql.database import Database
from modules.storage.sql.tables import candles, derivatives, equity_curve
from modules.strategies.showdown.records import TIMEFRAMES, Bars, Money, Series
from modules.strategies.showdown.settings import ShowdownSettings

if TYPE_CHECKING:
    from modules.strategies.showdown.execution import AccountNow

VENUE = "binance_usdm"
BARS_READ = 300
HOUR_MS, DAY_MS, WEEK_MS = 3_600_000, 86_400_000, 604_800_000
SERIES = {"open_interest": 3 * HOUR_MS, "funding": 17 * HOUR_MS, "funding_now": HOUR_MS, "basis": 3 * HOUR_MS,
          "cvd": 3 * HOUR_MS}
MONDAY_MS = 4 * DAY_MS  # 1970-01-05


def candle_rows(symbol: str, interval: str, bars: Bars) -> list[dict[str, Any]]:
    """Closed `bars` as rows of the table."""
    return [{"venue": VENUE, "symbol": symbol, "timeframe": interval, "open_ms": int(row[0]), "open": float(row[1]),
             "high": float(row[2]), "low": float(row[3]), "close": float(row[4]), "volume": float(row[5]),
             "taker_buy": float(row[6])} for row in bars]


def series_rows(symbol: str, kind: str, series: Series, body: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """A series as rows of the table."""
    return [{"venue": VENUE, "symbol": symbol, "kind": kind, "ms": int(ms), "value": float(value), "body": body}
            for ms, value in series]


def open_times(database: Database, symbol: str, interval: str, since_ms: int) -> "np.ndarray[Any, np.dtype[np.int64]]":
    """Open times of the stored candles from `since_ms` on, ascending. Raises DatabaseAway."""
    with database.begin() as connection:
        found = connection.execute(
            select(candles.c.open_ms).where(_candles_of(symbol, interval), candles.c.open_ms >= since_ms)
            .order_by(candles.c.open_ms)).scalars().all()
    return np.array(found, dtype=np.int64)


def times(database: Database, symbol: str, kind: str, since_ms: int) -> list[int]:
    """Times of a stored series from `since_ms` on, ascending. Raises DatabaseAway."""
    with database.begin() as connection:
        return [int(ms) for ms in connection.execute(
            select(derivatives.c.ms).where(_kind_of(symbol, kind), derivatives.c.ms >= since_ms)
            .order_by(derivatives.c.ms)).scalars()]


def last_row(database: Database, symbol: str, kind: str) -> tuple[int, Any] | None:
    """Time and body of the newest row of a series. Raises DatabaseAway."""
    with database.begin() as connection:
        row = connection.execute(select(derivatives.c.ms, derivatives.c.body).where(_kind_of(symbol, kind))
                                 .order_by(derivatives.c.ms.desc()).limit(1)).first()
    return (int(row[0]), row[1]) if row is not None else None


def read_bars(connection: Connection, symbol: str, interval: str, until_ms: int, count: int = BARS_READ) -> Bars:
    """The last `count` candles closed by `until_ms`, oldest first: (n, 7)."""
    last_open = until_ms - TIMEFRAMES[interval]
    c = candles.c
    rows = connection.execute(
        select(c.open_ms, c.open, c.high, c.low, c.close, c.volume, c.taker_buy)
        .where(_candles_of(symbol, interval), c.open_ms <= last_open).order_by(c.open_ms.desc()).limit(count)).all()
    found = np.array([[value if value is not None else np.nan for value in row] for row in reversed(rows)],
                     dtype=np.float64).reshape(-1, 7)
    return found


def read_series(connection: Connection, symbol: str, kind: str, since_ms: int, until_ms: int) -> Series:
    """A series between two times: (n, 2), ascending."""
    c = derivatives.c
    rows: Sequence[Any] = connection.execute(
        select(c.ms, c.value).where(_kind_of(symbol, kind), c.ms >= since_ms, c.ms <= until_ms).order_by(c.ms)).all()
    return np.array([tuple(row) for row in rows], dtype=np.float64).reshape(-1, 2)


def read_market(database: Database, symbol: str, now_ms: int) -> tuple[dict[str, Bars], dict[str, Series]]:
    """Candles and series of a contract as of `now_ms`. Raises DatabaseAway."""
    with database.begin() as connection:
        bars = {name: read_bars(connection, symbol, name, now_ms) for name in TIMEFRAMES}
        series = {kind: read_series(connection, symbol, kind, now_ms - back, now_ms) for kind, back in SERIES.items()}
    return bars, series


def read_money(database: Database, now_ms: int, settings: ShowdownSettings,
               account: "AccountNow | None" = None) -> Money:
    """Equity, and the fall from the day's and the week's highest (X34: with unrealised result, surviving restarts).

    `account`: the one that trades, read now; its problem refuses entries. None: nothing trades, and the settings'
    equity serves, said so. Raises DatabaseAway.
    """
    if account is None:
        return Money(equity=format(settings.paper_usdt, ".2f"), source="showdown.paper_usdt, no account trades")
    mode = str(account.mode)
    if account.equity is None or not account.equity.is_finite() or account.equity <= 0:
        return Money(mode=mode, problem=account.problem or f"equity {account.equity} of the account cannot be")
    day, week = now_ms // DAY_MS * DAY_MS, (now_ms - MONDAY_MS) // WEEK_MS * WEEK_MS + MONDAY_MS
    c = equity_curve.c
    with database.begin() as connection:
        rows = connection.execute(select(c.ms, c.equity).where(c.account == account.name, c.ms >= week,
                                                               c.ms <= now_ms)).all()
    equity, falls = account.equity, []
    for since in (day, week):
        peak = max([row[1] for row in rows if row[0] >= since] + [equity])
        falls.append(round(float((peak - equity) / peak * 100), 4))
    return Money(mode=mode, equity=format(equity, "f"), day_drawdown_pct=falls[0], week_drawdown_pct=falls[1],
                 source=f"account {account.name}")


def count_rows(database: Database, symbol: str) -> dict[str, int]:
    """Stored candles by interval, for status. Raises DatabaseAway."""
    with database.begin() as connection:
        rows = connection.execute(select(candles.c.timeframe, func.count()).where(
            candles.c.venue == VENUE, candles.c.symbol == symbol).group_by(candles.c.timeframe)).all()
    return {str(name): int(count) for name, count in rows}


def missing_ranges(have: "np.ndarray[Any, np.dtype[np.int64]]", first_ms: int, end_ms: int,
                   step_ms: int) -> list[tuple[int, int]]:
    """Ranges [from, to) of multiples of `step_ms` in [first, end) that are not in `have`; oldest first."""
    wanted = np.arange(-(-first_ms // step_ms) * step_ms, end_ms, step_ms, dtype=np.int64)
    lacking = wanted[~np.isin(wanted, have)]
    if not len(lacking):
        return []
    breaks = np.flatnonzero(np.diff(lacking) > step_ms)
    starts = np.concatenate(([0], breaks + 1))
    ends = np.concatenate((breaks, [len(lacking) - 1]))
    return [(int(lacking[a]), int(lacking[b]) + step_ms) for a, b in zip(starts, ends, strict=True)]


def _candles_of(symbol: str, interval: str) -> Any:
    return and_(candles.c.venue == VENUE, candles.c.symbol == symbol, candles.c.timeframe == interval)


def _kind_of(symbol: str, kind: str) -> Any:
    return and_(derivatives.c.venue == VENUE, derivatives.c.symbol == symbol, derivatives.c.kind == kind)


