"""Trading days of the US exchanges: how long an ETF figure lives (C12). Regular holidays; no early closes."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
CLOSE = time(16, 0)


def is_trading_day(day: date) -> bool:
    """Whether the exchange opens on `day` (rules of NYSE for holidays, New Year's Saturday is not made up for)."""
    return day.weekday() < 5 and day not in holidays(day.year)


def next_trading_day(day: date) -> date:
    """The first trading day after `day`."""
    found = day + timedelta(days=1)
    while not is_trading_day(found):
        found += timedelta(days=1)
    return found


def lives_until_ms(day: date) -> int:
    """When the flows of `day` are out of date: the close (16:00 New York) of the next trading day, in ms."""
    return round(datetime.combine(next_trading_day(day), CLOSE, NEW_YORK).timestamp() * 1000)


def newest_flows(days: Iterable[Mapping[str, Any]]) -> date:
    """The newest day of ETF flows as they are kept."""
    return max(date.fromisoformat(str(day["date"])) for day in days)


def holidays(year: int) -> set[date]:
    """The exchange's holidays of a year, as observed."""
    fixed = {date(year, 6, 19), date(year, 7, 4), date(year, 12, 25)}
    observed = {_observed(day) for day in fixed}
    new_year = date(year, 1, 1)
    if new_year.weekday() != 5:
        observed.add(_observed(new_year))
    return observed | {_nth(year, 1, 0, 3), _nth(year, 2, 0, 3), _easter(year) - timedelta(days=2),
                       _last_monday_may(year), _nth(year, 9, 0, 1), _nth(year, 11, 3, 4)}


def _observed(day: date) -> date:
    return day + timedelta(days={5: -1, 6: 1}.get(day.weekday(), 0))


def _nth(year: int, month: int, weekday: int, count: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (count - 1))


def _last_monday_may(year: int) -> date:
    last = date(year, 5, 31)
    return last - timedelta(days=last.weekday())


def _easter(year: int) -> date:
    """Easter Sunday (the anonymous Gregorian computus)."""
    a, b, c = year % 19, year // 100, year % 100
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return date(year, month, day + 1)
