"""What a person writes after ``/data download``, read and judged: tokens, days, length of a candle, exchange."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime

from modules.market import sets
from modules.telegram.command import UsageError, parse_symbol, shown

DEFAULT_DAYS, MOST_DAYS, MOST_TOP = 30, 3650, 2000
DAY_MS = 86_400_000
MOST_SHOWN = 6
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass
class Asked:
    """What a person wrote after /data download."""

    symbols: list[str] = field(default_factory=list)
    top: int = 0
    days: int = 0
    dates: list[str] = field(default_factory=list)
    interval: str = sets.OWN_INTERVAL
    exchange: str = ""

    def __str__(self) -> str:
        names = ", ".join(self.symbols[:MOST_SHOWN]) + (" …" if len(self.symbols) > MOST_SHOWN else "")
        parts = [names, f"the {self.top} most traded tokens" if self.top else ""]
        return f"{' and '.join(part for part in parts if part)}, {self.interval}"

    def argv(self) -> list[str]:
        """The arguments of ``bot.py``."""
        found = ["data", "download", *self.symbols, "--json", "--progress", f"--interval={self.interval}"]
        found += [f"--top={self.top}"] if self.top else []
        found += [f"--exchange={self.exchange}"] if self.exchange else []
        found += [f"--days={self.days}"] if self.days else []
        return found + [f"--{name}={date}" for name, date in zip(("since", "until"), self.dates, strict=False)]

    def candles(self) -> int:
        """How many at most: what is stored already is not fetched again."""
        days = self.days or DEFAULT_DAYS
        if self.dates:
            first = datetime.fromisoformat(self.dates[0]).replace(tzinfo=UTC)
            last = datetime.fromisoformat(self.dates[1]).replace(tzinfo=UTC) if self.dates[1:] else datetime.now(UTC)
            days = max(1, (last - first).days + 1)
        return (len(self.symbols) + self.top) * days * DAY_MS // sets.STEPS[self.interval]


def read(words: list[str]) -> Asked:
    """The words after ``download``, in any order. Raises UsageError naming the word and what would do."""
    asked = Asked()
    for word in words:
        name, sign, value = word.lower().partition("=")
        if word.startswith("-"):
            raise UsageError(f"{shown(word)} is not known here; write days=30, top=50, interval=1h or exchange=mexc.")
        if sign:
            _named(asked, name, value, word)
        elif _DAY.fullmatch(word):
            asked.dates.append(_date(word))
        elif name in sets.STEPS:
            asked.interval = name
        elif word.isdecimal():
            raise UsageError(f"{shown(word)} alone says not what it means; write days={word} or top={word}.")
        else:
            asked.symbols.append(parse_symbol(word))
    if not asked.symbols and not asked.top:
        raise UsageError("Name the tokens (BTC PEPE), or say top=50 for the 50 most traded.")
    if len(asked.dates) > 2 or (asked.days and asked.dates):
        raise UsageError("Give a number of days (days=30), or a first and a last day.")
    if asked.dates != sorted(asked.dates):
        raise UsageError(f"The last day {asked.dates[1]} lies before the first, {asked.dates[0]}.")
    return asked


def _named(asked: Asked, name: str, value: str, word: str) -> None:
    if name in ("days", "top"):
        most = MOST_DAYS if name == "days" else MOST_TOP
        if not (value.isdecimal() and 1 <= int(value) <= most):
            raise UsageError(f"{name} is {shown(value)}; it must be from 1 to {most}.")
        setattr(asked, name, int(value))
    elif name in ("interval", "exchange"):
        known = tuple(sets.STEPS) if name == "interval" else sets.EXCHANGES
        if value not in known:
            raise UsageError(f"{name} is {shown(value)}; it can be {', '.join(known)}.")
        setattr(asked, name, value)
    else:
        raise UsageError(f"{shown(word)} is not known here; there are days=, top=, interval= and exchange=.")


def _date(word: str) -> str:
    try:
        datetime.fromisoformat(word)
    except ValueError:
        raise UsageError(f"{shown(word)} is no day; write it as 2024-03-01.") from None
    return word
