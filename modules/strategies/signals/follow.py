"""What becomes of a signal, pure: trade by trade to its targets, stop or expiry (D10).

1. Trades are looked at in the order of their ids, none twice, none left out; who finds a hole fills it first.
2. A trade at or through a level touches it. Targets fill at their price, the stop at the trade's price where that is
   worse. One trade that is beyond the stop never reaches a target.
3. At TP1 `tp1_share` is closed, and the stop moves to the entry where `breakeven` says so; TP2 or the stop end it.
4. The first trade after `expires_ms` ends what is left, at the last price before it.
5. Results are net of fees on both sides, in % of the entry and in R (the first stop's distance).
"""

from dataclasses import dataclass

from modules.strategies.signals.records import Follow


@dataclass(frozen=True, slots=True)
class Rules:
    """How it is followed."""

    tp1_share: float = 0.5
    breakeven: bool = True
    fee_pct: float = 0.05


def on_trade(one: Follow, trade_id: int, ms: int, price: float, rules: Rules) -> bool:
    """Take in a trade; True when this ended it. Trades that are known or older than the signal change nothing."""
    if one.outcome or trade_id <= one.last_id:
        return False
    if ms > one.expires_ms:
        return expire(one, rules)
    one.last_id = trade_id
    if ms < one.begun_ms:
        return False
    one.last_ms, one.last_price = ms, price
    gain = (price - one.entry) * one.sign
    one.best_pct = max(one.best_pct, gain / one.entry * 100)
    one.worst_pct = min(one.worst_pct, gain / one.entry * 100)
    if (price - one.stop_now) * one.sign <= 0:
        return _end(one, "SL", price, ms)
    if not one.first and (price - one.tp1) * one.sign >= 0:
        one.first = "TP1"
        share = min(rules.tp1_share, one.left)
        one.gross_pct += share * _gain_pct(one, one.tp1)
        one.left -= share
        if rules.breakeven:
            one.stop_now = one.entry
        if one.left <= 1e-9:
            one.outcome, one.closed_ms = "TP1", ms
            return True
    if (price - one.tp2) * one.sign >= 0:
        return _end(one, "TP2", one.tp2, ms)
    return False


def expire(one: Follow, rules: Rules) -> bool:
    """Its time is over: what is left ends at the last price seen. True, or False where it had ended before."""
    if one.outcome:
        return False
    return _end(one, "EXPIRY", one.last_price or one.entry, one.expires_ms)


def gone(one: Follow, ms: int) -> bool:
    """The symbol is not traded any more: what is left ends at the last price seen."""
    if one.outcome:
        return False
    return _end(one, "GONE", one.last_price or one.entry, ms)


def result(one: Follow, rules: Rules) -> tuple[float, float]:
    """(net R, net %) of an ended one: fees are taken on entry and exit values."""
    exit_value = 100 + one.gross_pct * one.sign
    net = one.gross_pct - rules.fee_pct / 100 * (100 + exit_value)
    risk_pct = abs(one.entry - one.stop) / one.entry * 100
    return net / risk_pct, net


def _end(one: Follow, outcome: str, price: float, ms: int) -> bool:
    one.gross_pct += one.left * _gain_pct(one, price)
    one.left, one.outcome, one.closed_ms = 0.0, outcome, ms
    one.first = one.first or outcome
    return True


def _gain_pct(one: Follow, price: float) -> float:
    return (price - one.entry) * one.sign / one.entry * 100
