"""/why: mode and keys, trading state, limits of the account (A18, X34–X36)."""

from decimal import Decimal

from modules.exchange.types import Mode
from modules.execution import risk
from modules.execution.risk_state import Limit, Trading, Unreadable
from modules.execution.risk_words import NAMES
from modules.strategies.hype.trade_book import day_start
from modules.strategies.hype.why_view import Check, View, usdt


def mode(view: View) -> Check:
    """Whether the mode can trade: LIVE needs keys."""
    if view.mode is Mode.TEST:
        return Check("Mode", True, "TEST: paper money, no keys needed.", "TEST")
    exchange = view.settings.exchange
    if view.simulated or (exchange.api_key.get_secret_value() and exchange.api_secret.get_secret_value()):
        return Check("Mode", True, "LIVE: real orders.", "LIVE")
    return Check("Mode", False, "LIVE has no keys.", "no key", "key and secret",
                 "Set EXCHANGE_API_KEY and EXCHANGE_API_SECRET, or send /testmode_on.")


def trading(view: View) -> Check:
    """Whether a person's word or a broken limit stops entries (X35, X36)."""
    stopped = risk.standing(view.risk, view.now_ms)
    if isinstance(view.risk, Unreadable):
        return Check("Entries allowed", False, f"{stopped[0]}.", "unreadable", "ACTIVE",
                     "Restore a backup, or send /resume to start the state anew.")
    state = view.risk.trading.value
    if stopped:
        person = view.risk.trading is not Trading.ACTIVE or view.risk.killed
        return Check("Entries allowed", False, f"entries are stopped ({'; '.join(stopped)}).", state, "ACTIVE",
                     "Send /resume." if person else "Send /risk: it says when it lifts.")
    return Check("Entries allowed", True, "neither a person nor a limit stops entries.", state)


def limits(view: View) -> Check:
    """What is closest to a limit of losses and exposure, by the last figures of the tracker."""
    settings = view.settings.risk
    if isinstance(view.risk, Unreadable):
        return Check("Risk limits", False, "the figures cannot be read.", "unreadable")
    known = [seen for seen in risk.measures(view.risk, view.now_ms, settings)
             if seen.limit not in (Limit.STALE_DATA, Limit.STALE_EQUITY)]  # their own checks come first
    if not known:
        return Check("Risk limits", True, "nothing is measured yet.", "not measured yet")
    worst = max(known, key=lambda seen: seen.used_pct)
    name = NAMES[worst.limit]
    figure, bar = f"{name} {worst.value:.2f}", f"{worst.allowed:.2f} {worst.unit}"
    if worst.value >= worst.allowed:
        told = f"{name} is at {worst.value:.2f} of {bar}."
        return Check("Risk limits", False, told, figure, bar, "Send /risk.")
    return Check("Risk limits", True, f"the closest is {name} with {worst.used_pct:.0f} % used.", figure, bar)


def open_trades(view: View) -> Check:
    """Open trades against their limit."""
    count, limit = len(view.positions), view.settings.hype.max_open_trades
    if count >= limit:
        return Check("Open trades", False, f"{count} trades are open, the limit is {limit}.", str(count), str(limit),
                     "Wait for an exit, or raise hype.max_open_trades.")
    return Check("Open trades", True, f"{count} of {limit} trades are open.", str(count), str(limit))


def exposure(view: View) -> Check:
    """Money in positions, with one more trade, against its limit."""
    held = float(sum((p.cost_usdt * p.quantity / p.initial_quantity for p in view.positions.values()
                      if p.initial_quantity), Decimal(0)))
    limit = view.settings.hype.max_exposure_usdt
    size = 0.0 if view.settings.hype.trade_share_pct > 0 else view.settings.hype.trade_usdt
    if held + size > limit:
        return Check("Exposure", False, f"{usdt(held)} are in positions; one more of {usdt(size)} passes the limit of "
                     f"{usdt(limit)}.", usdt(held), usdt(limit), "Wait for an exit, or raise hype.max_exposure_usdt.")
    return Check("Exposure", True, f"{usdt(held)} of {usdt(limit)} are in positions.", usdt(held), usdt(limit))


def day_trades(view: View) -> Check:
    """Entries of this UTC day against their limit."""
    count = view.trades.entries_on(day_start(view.now_ms)) if view.now_ms else 0
    limit = view.settings.hype.max_trades_per_day
    if count >= limit:
        return Check("Trades today", False, f"{count} entries were made today (UTC), the limit is {limit}.", str(count),
                     str(limit), "Wait for the next UTC day, or raise hype.max_trades_per_day.")
    return Check("Trades today", True, f"{count} of {limit} entries were made today.", str(count), str(limit))
