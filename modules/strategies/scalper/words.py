"""What people read of the scalper's trades: short enough for a phone, in plain words."""

from decimal import Decimal

from modules.exchange.types import Mode
from modules.strategies.scalper.records import Trade
from utils.figures import duration, money, pct, price, quantity

ENDS = {"stop": "stop reached", "target": "target reached", "time": "longest hold is over", "flip": "the signal turned",
        "hand": "closed by hand", "venue": "closed on the exchange"}


def opened(trade: Trade, mode: Mode) -> tuple[str, str]:
    """(what, why) of a new position."""
    arrow = "▲" if trade.side > 0 else "▼"
    what = f"{arrow} {trade.word} {trade.symbol} {quantity(trade.filled)} at {price(trade.entry)}"
    why = f"Score {signed(trade.score)}: {reasons(trade.parts)}.\n{levels(trade, mode)}"
    return f"{what} ({money(trade.value)} USDT)", why


def levels(trade: Trade, mode: Mode) -> str:
    """Stop and target with their distances, and where they stand."""
    entry = trade.entry or trade.price
    where = "on the exchange" if mode is Mode.LIVE else "on the paper account"
    return (f"SL {exact(trade.stop)} ({away(trade.stop, entry)}) · TP {exact(trade.take)} ({away(trade.take, entry)}), "
            f"both {where}")


def exact(value: Decimal) -> str:
    """A price to its last tick: ``104,321.5``."""
    text = f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def away(level: Decimal, entry: Decimal) -> str:
    """Distance of a level from the entry."""
    return pct(float(level / entry - 1) * 100)


def reasons(parts: dict[str, float], most: int = 4) -> str:
    """The parts that weigh most, with their contributions."""
    ordered = sorted(((name, value) for name, value in parts.items() if abs(value) >= 0.005),
                     key=lambda one: -abs(one[1]))
    return ", ".join(f"{name} {signed(value)}" for name, value in ordered[:most]) or "nothing speaks"


def signed(value: float) -> str:
    """+0.42 or −0.42."""
    return f"{value:+.2f}".replace("-", "−")


def closed(trade: Trade, day_pnl: Decimal) -> tuple[str, str]:
    """(what, why) of an end."""
    sign = "✅" if trade.pnl > 0 else "❌"
    what = (f"{sign} {trade.symbol} {'long' if trade.side > 0 else 'short'} closed: {money(trade.pnl, signed=True)} "
            f"({pct(trade.pnl_pct)}), {ENDS.get(trade.why, trade.why)}")
    held = duration((trade.closed_ms - trade.opened_ms) / 1000) if trade.opened_ms else "a moment"
    why = (f"{price(trade.entry)} → {price(trade.exit)}, held {held}, fees {money(trade.fees)}. "
           f"Today {money(day_pnl, signed=True)}.")
    return what, why
