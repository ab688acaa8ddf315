"""What the tracker says to people: what happened, why, what comes next. Short enough for a phone."""

from decimal import Decimal
from typing import Any

from modules.execution.intents import Intent
from modules.execution.order_state import Executed
from modules.strategies.hype.records import Position, Trade

REASONS = {
    "stop": "stop reached", "break_even": "fell back to break-even", "trailing": "fell from its peak",
    "time": "longest hold reached", "manual": "sold by hand", "flatten": "everything is sold (/flatten)",
    "dust": "too small to sell", "external": "not there any more",
}


def reason_text(reason: str) -> str:
    """A reason code as people say it."""
    return f"target {reason[2:]} reached" if reason.startswith("tp") else REASONS.get(reason, reason)


def price(value: Decimal) -> str:
    """A price with five significant digits, never in exponent form."""
    if value <= 0:
        return "0"
    places = max(4 - value.adjusted(), 0)
    text = f"{value:.{min(places, 14)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def bought(position: Position) -> dict[str, Any]:
    """A new position."""
    sure = f", probability {position.probability:.2f}" if position.probability is not None else ""
    targets = " ".join(price(value) for value in position.tp_prices)
    fall = (1 - position.sl_price / position.entry_price) * 100
    return {
        "what": f"Bought {position.symbol} for {position.cost_usdt:.2f} USDT at {price(position.entry_price)}",
        "why": f"{position.strategy.value}, confidence {position.confidence:.2f}{sure}",
        "todo": f"Targets {targets} · stop {price(position.sl_price)} (−{fall:.1f} %)", "level": "trade",
    }


def sold(position: Position, trade: Trade) -> dict[str, Any]:
    """A slice or the rest of a position sold; `position` as it stands afterwards."""
    pnl = trade.pnl_usdt or Decimal(0)
    pct = f" ({trade.pnl_pct:+.1f} %)" if trade.pnl_pct is not None else ""
    share = trade.quantity / position.initial_quantity * 100
    if trade.closes:
        rest = f"Closed. Whole trade: {position.realized_usdt:+.2f} USDT after fees"
    else:
        left = position.quantity / position.initial_quantity * 100
        rest = f"{left:.0f} % left · stop {price(position.sl_price)} · {_next_step(position)}"
    return {
        "what": f"Sold {share:.0f} % of {trade.symbol} at {price(trade.price)}: {pnl:+.2f} USDT{pct}",
        "why": reason_text(trade.reason), "todo": rest, "level": "trade",
    }


def sold_before(trade: Trade) -> dict[str, Any]:
    """A sale that was booked just before a crash, told after it."""
    pct = f" ({trade.pnl_pct:+.1f} %)" if trade.pnl_pct is not None else ""
    return {"what": f"Sold {trade.symbol} at {price(trade.price)}: {trade.pnl_usdt or Decimal(0):+.2f} USDT{pct}",
            "why": reason_text(trade.reason), "todo": "Closed" if trade.closes else "The rest is guarded",
            "level": "trade"}


def stray_sale(intent: Intent, executed: Executed) -> dict[str, Any]:
    """A sale of ours whose position is not on record."""
    return {"what": f"{intent.symbol}: a sale of {executed.quantity.normalize():f} has no position to book it on",
            "why": f"Order {intent.id}, {executed.quote:.2f} USDT", "todo": "Check with /resync.", "level": "alert"}


def _next_step(position: Position) -> str:
    if position.state == "closing":
        return "selling the rest"
    if position.tp_hit < len(position.tp_prices):
        return f"next target {price(position.tp_prices[position.tp_hit])}"
    return f"trailing from {price(position.dynamic_peak)}"


def written_off(position: Position, trade: Trade) -> dict[str, Any]:
    """A position that ended without a sale."""
    worth = position.quantity * trade.price
    return {"what": f"{position.symbol}: position ended with {position.quantity.normalize():f} coins unsold "
                    f"(≈ {worth:.2f} USDT)", "why": reason_text(trade.reason),
            "todo": "The coins, if any, stay in the account", "level": "trade"}


def exit_stuck(position: Position, attempts: int, why: str) -> dict[str, Any]:
    """A full exit that does not get through."""
    return {"what": f"{position.symbol}: the exit ({reason_text(position.reason)}) is not through after "
                    f"{attempts} attempts", "why": why,
            "todo": "I keep trying with a wider price. You can also sell it on the exchange yourself."}


def coins_gone(position: Position) -> dict[str, Any]:
    """The account holds none of the coins."""
    return {"what": f"{position.symbol}: the account holds none of it any more",
            "why": f"{position.quantity.normalize():f} were tracked; sold or moved elsewhere?",
            "todo": "It is no longer guarded. /resync or /cleartracked removes it from the list."}


def coins_fewer(position: Position, there: Decimal) -> dict[str, Any]:
    """The account holds fewer coins than tracked."""
    tracked = position.quantity.normalize()
    return {"what": f"{position.symbol}: only {there.normalize():f} of {tracked:f} coins are there",
            "why": "Some were sold, moved or are locked elsewhere", "todo": "I guard and sell what is there."}


def halted(position: Position, state: str) -> dict[str, Any]:
    """Trading of a held token has stopped (A11)."""
    if state == "delisted":
        return {"what": f"{position.symbol} is no longer listed, with {position.quantity.normalize():f} coins held",
                "why": "The exchange has taken the pair away: it can be neither priced nor sold here",
                "todo": "Look on the exchange for a withdrawal or conversion. /cleartracked removes it from the list."}
    return {"what": f"{position.symbol} is halted with {position.quantity.normalize():f} coins held",
            "why": "The exchange takes no orders for it now",
            "todo": "I watch it and go on guarding as soon as it trades again."}


def resumed(position: Position) -> dict[str, Any]:
    """A halted token trades again."""
    return {"what": f"{position.symbol} trades again", "why": "The halt is over",
            "todo": f"Guarded again, stop {price(position.sl_price)}"}


def stale(position: Position, seconds: float) -> dict[str, Any]:
    """No trustworthy price of a held token."""
    return {"what": f"No price of {position.symbol} for {seconds:.0f} s: its stop cannot act",
            "why": "The exchange does not answer, or shows no bid", "todo": "I keep asking; you are told once."}


def stays_unguarded(counts: dict[str, int]) -> dict[str, Any]:
    """The tracker stops while positions are open."""
    held = ", ".join(f"{count} {mode}" for mode, count in counts.items() if count)
    return {"what": f"Tracker stopped; positions stay unguarded: {held}",
            "why": "Their stops and targets act only while the tracker runs",
            "todo": "The next start guards them again, or /startbot while I listen"}
