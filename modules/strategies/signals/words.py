"""What people read of a signal: entry and end, short enough for a phone."""

from decimal import Decimal

from modules.strategies.signals.records import Signal
from utils.figures import duration, pct, when

_ENDS = {"TP1": "first target reached", "TP2": "second target reached", "SL": "stop reached",
         "EXPIRY": "time is over", "GONE": "no longer traded"}
_ARROWS = {"LONG": "▲", "SHORT": "▼"}


def entry(signal: Signal, zone: str, market: str) -> tuple[str, str, str]:
    """(what, why, what to do) of a new signal."""
    follow = signal.follow
    side = signal.direction
    what = f"{_ARROWS[side]} {side} {signal.symbol} · {signal.sent_as} · quality {signal.quality}"
    if signal.sent_as != signal.priority:
        what += f" (judged {signal.priority})"
    lines = [
        f"Entry {short(follow.entry)} · SL {short(follow.stop)} ({_away(signal, follow.stop)})",
        f"TP1 {short(follow.tp1)} ({_away(signal, follow.tp1)}) · "
        f"TP2 {short(follow.tp2)} ({_away(signal, follow.tp2)})",
        f"Risk/reward {signal.risk_reward:.2f} · size {signal.size_pct:.0f}% of capital · hold "
        f"{signal.hold_min[0]}–{signal.hold_min[1]} min",
        f"Book {signal.imbalance:+.2f}".replace("-", "−") + f" · {signal.large_trades} large trades · volume "
        f"{signal.intensity:.1f}× · confidence {signal.confidence:.2f}",
    ]
    if signal.confirmations:
        lines.append("Also: " + ", ".join(signal.confirmations))
    if market:
        lines.append(market)
    todo = f"Answer by {when(signal.answer_by_ms, zone, day=False)}; after that leave it."
    return what, "\n".join(lines), todo


def exit_(signal: Signal, net_r: float, net_pct: float, zone: str, market: str) -> tuple[str, str]:
    """(what, why) of its end."""
    follow = signal.follow
    sign = "✅" if net_r > 0 else "❌"
    what = f"EXIT {signal.direction} {signal.symbol}: {_ENDS[follow.outcome]} {sign} {net_r:+.2f} R ({pct(net_pct)})"
    held = duration((follow.closed_ms - follow.begun_ms) / 1000)
    lines = [f"In {short(follow.entry)} at {when(follow.begun_ms, zone, day=False)}, held {held}. "
             f"Best {pct(follow.best_pct)}, worst {pct(follow.worst_pct)}."]
    if follow.first == "TP1" and follow.outcome != "TP1":
        lines.append("Part was closed at TP1.")
    lines.append("Result after fees, by the trades of the venue.")
    if market:
        lines.append(market)
    return what.replace("-", "−"), "\n".join(lines)


def short(value: float) -> str:
    """A price to its last tick, ``104,321.5``: who enters it as an order must find it on the symbol's grid."""
    text = f"{Decimal(f'{value:.10g}'):,f}"  # ten significant digits leave no noise of floats
    return text.rstrip("0").rstrip(".") if "." in text else text


def _away(signal: Signal, level: float) -> str:
    return pct((level / signal.follow.entry - 1) * 100)
