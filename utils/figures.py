"""Figures as people read them on a phone: money, prices, percents, quantities, durations, dates."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

Number = Decimal | float


def money(value: Number, signed: bool = False) -> str:
    """USDT with two decimals (more for less than a cent): ``1,234.50``, signed ``+3.20``."""
    digits = 2 if value == 0 or abs(float(value)) >= 0.01 else 4
    text = f"{value:+,.{digits}f}" if signed else f"{value:,.{digits}f}"
    return text.replace("-", "−")


def pct(value: Number, signed: bool = True, digits: int = 2) -> str:
    """A percent: ``+3.20%``."""
    text = f"{value:+.{digits}f}%" if signed else f"{value:.{digits}f}%"
    return text.replace("-", "−")


def price(value: Number) -> str:
    """A price with six significant digits, never in exponent form: ``0.00001234``, ``64,210.5``."""
    number = Decimal(str(value))
    if number == 0:
        return "0"
    places = max(0, 5 - number.adjusted())
    text = f"{number:,.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def quantity(value: Number) -> str:
    """A quantity of a coin without trailing zeros: ``1,250.5``."""
    text = f"{Decimal(str(value)):,.8f}"
    return text.rstrip("0").rstrip(".")


def duration(seconds: float) -> str:
    """How long, in its two largest units: ``45s``, ``3m 20s``, ``2h 5m``, ``4d 3h``."""
    left = max(0, int(seconds))
    parts: list[str] = []
    for size, name in ((86_400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        if left >= size or (name == "s" and not parts):
            parts.append(f"{left // size}{name}")
            left %= size
        elif parts:
            break
    return " ".join(parts[:2])


def megabytes(value: float) -> str:
    """Memory, and sizes of files: ``112 MB``, ``4.2 MB``, ``87 kB``."""
    if value < 1:
        return f"{value * 1000:,.0f} kB"
    return f"{value:,.1f} MB" if value < 10 else f"{value:,.0f} MB"


def when(market_ms: int, zone: str, *, day: bool = True) -> str:
    """A market time in the report's time zone: ``04-01 09:30``, without the day ``09:30``."""
    moment = datetime.fromtimestamp(market_ms / 1000, UTC).astimezone(ZoneInfo(zone))
    return moment.strftime("%m-%d %H:%M" if day else "%H:%M")


def day_of(market_ms: int, zone: str) -> str:
    """The calendar day of a market time in the report's time zone: ``2025-04-01``."""
    return datetime.fromtimestamp(market_ms / 1000, UTC).astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d")


def plural(count: int, one: str, many: str = "") -> str:
    """``1 position``, ``2 positions``."""
    return f"{count} {one if count == 1 else many or one + 's'}"
