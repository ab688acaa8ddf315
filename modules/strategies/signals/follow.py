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
from utils.compiled import kernel

OUTCOMES = ("", "SL", "TP1", "TP2", "EXPIRY", "GONE")
OPEN, STOPPED, FIRST, SECOND, EXPIRED, DELISTED = range(len(OUTCOMES))


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
    found = touched(one.sign, one.entry, one.stop_now, one.tp1, one.tp2, one.left, one.gross_pct, bool(one.first),
                    price, rules.tp1_share, rules.breakeven)
    one.stop_now, one.left, one.gross_pct, reached, outcome = found
    if reached and not one.first:
        one.first = "TP1"
    if outcome == OPEN:
        return False
    one.outcome, one.closed_ms = OUTCOMES[outcome], ms
    one.first = one.first or one.outcome
    return True


@kernel
def touched(sign: int, entry: float, stop_now: float, tp1: float, tp2: float, left: float, gross_pct: float,
            first: bool, price: float, tp1_share: float, breakeven: bool) -> tuple[float, float, float, bool, int]:
    """Rules 2 and 3 in plain numbers: (stop, share left, gross %, TP1 reached, OPEN or how it ended) after a trade."""
    if (price - stop_now) * sign <= 0:
        return stop_now, 0.0, gross_pct + left * gain_pct(sign, entry, price), first, STOPPED
    if not first and (price - tp1) * sign >= 0:
        first = True
        share = min(tp1_share, left)
        gross_pct += share * gain_pct(sign, entry, tp1)
        left -= share
        if breakeven:
            stop_now = entry
        if left <= 1e-9:
            return stop_now, left, gross_pct, first, FIRST
    if (price - tp2) * sign >= 0:
        return stop_now, 0.0, gross_pct + left * gain_pct(sign, entry, tp2), first, SECOND
    return stop_now, left, gross_pct, first, OPEN


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
    return net_of(one.sign, one.entry, one.stop, one.gross_pct, rules.fee_pct)


@kernel
def net_of(sign: int, entry: float, stop: float, gross_pct: float, fee_pct: float) -> tuple[float, float]:
    """(net R, net %) of a gross result (rule 5)."""
    net = gross_pct - fee_pct / 100 * (100 + 100 + gross_pct * sign)
    return net / (abs(entry - stop) / entry * 100), net


@kernel
def gain_pct(sign: int, entry: float, price: float) -> float:
    """Move from the entry to `price` in the position's favour, %."""
    return (price - entry) * sign / entry * 100


def _end(one: Follow, outcome: str, price: float, ms: int) -> bool:
    one.gross_pct += one.left * gain_pct(one.sign, one.entry, price)
    one.left, one.outcome, one.closed_ms = 0.0, outcome, ms
    one.first = one.first or outcome
    return True
