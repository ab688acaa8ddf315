"""What a session does at a price: the rules' choice turned into at most one order, and closing everything in order."""

from decimal import Decimal

import msgspec

from modules.strategies.grid import rules as r
from modules.strategies.grid.events import (
    Ask,
    Cancel,
    Decision,
    LimitHit,
    Notice,
    Place,
    Positions,
    Protect,
    Quote,
    Reason,
    What,
)
from modules.strategies.grid.ledger import ZERO
from modules.strategies.grid.reconcile import closable
from modules.strategies.grid.settings import INTERVAL_MS
from modules.strategies.grid.state import Closing, Mode, Pending, Rulebook, SessionState, legs_of, with_ledger
from modules.strategies.grid.units import exact, level_of

replace = msgspec.structs.replace
Stepped = tuple[SessionState, list[Decision]]

STOP_SLOT = "stop"
MINUTE_MS = 60_000
_REASONS = {r.PAIR: Reason.PAIR, r.DAY_TARGET: Reason.DAY_TARGET, r.DAY_LOSS: Reason.DAY_LOSS}
_REFUSALS = {r.LOT_BELOW_MINIMUM: "LOT_BELOW_MINIMUM", r.NO_MARGIN: "NO_MARGIN"}
_LIMITS = frozenset({Reason.DAY_TARGET, Reason.DAY_LOSS})
# How often both sides have to be seen flat.
_FLAT = {Reason.PAIR: 1, Reason.DAY_TARGET: 2, Reason.DAY_LOSS: 2, Reason.FLATTEN: 2}


def open_slot(side: int, serial: int) -> str:
    """The slot of a side's opening order; the serial grows with each one that filled."""
    return f"{'b' if side > 0 else 's'}{serial}"


def level_now(state: SessionState, side: int, book: Rulebook) -> int:
    """The level that the side's next position is of."""
    return level_of(book.settings, len(state.ledger(side).entries))


def act(state: SessionState, now_ms: int, book: Rulebook, said: list[Decision]) -> Stepped:
    """At most one order, by the last price."""
    quote = state.quote
    if quote is None or state.wish is Mode.STOPPED:
        return state, said
    if state.closing is not None:
        return _close(state, now_ms, book, said)
    if now_ms - quote.made_ms > book.settings.stale_after_s * 1000:
        # An old price is no reason for anything (X10): not to enter, and not to take a profit that may be gone.
        return (state if state.refusal == "PRICE_IS_OLD" else replace(state, refusal="PRICE_IS_OLD")), said
    buy, sell = legs_of(state)
    look = _look(state, quote, now_ms, book)
    choice = r.decide(book.rules, buy, sell, look)
    code = choice.code
    if code in _REASONS:
        if not (buy.held or sell.held) and state.mode is Mode.DAY_STOPPED:
            return state, said
        return _close(close_all(state, _REASONS[code]), now_ms, book, said)
    if code == r.SINGLE:
        return _single(state, choice.side, now_ms, book, said)
    if code != r.NONE:
        return _enter(state, choice, now_ms, book, said)
    refusal = _REFUSALS.get(choice.refused, "")
    if state.fresh or refusal != state.refusal:
        # A side without its chance at this candle's first look has none until the next one (E3).
        state = replace(state, fresh=state.fresh and look.fresh and not state.started, refusal=refusal)
    return state, said


def _look(state: SessionState, quote: Quote, now_ms: int, book: Rulebook) -> r.Look:
    """The rules' view of the moment."""
    scale = book.scale
    may = (state.mode is Mode.RUNNING and not state.breaker_open and now_ms >= state.not_before_ms
           and state.balance is not None)
    return r.Look(
        bid=scale.prices(quote.bid), ask=scale.prices(quote.ask), day=scale.to_money(state.day_result),
        balance=scale.to_money(state.balance or ZERO), available=scale.to_money(state.available),
        minute=now_ms // MINUTE_MS % 1440, signal=state.signals.signal, fresh=_fresh(state, now_ms, book),
        buys=may and _may_open(state, r.BUY), sells=may and _may_open(state, r.SELL),
        singles=now_ms >= state.exit_not_before_ms and not any(not one.opens for one in state.pending))


def _may_open(state: SessionState, side: int) -> bool:
    check = state.check(side)
    return check.sure and check.blocked is None and not check.manual and not state.under_way(side)


def _fresh(state: SessionState, now_ms: int, book: Rulebook) -> bool:
    interval = INTERVAL_MS[book.settings.timeframe]
    return state.fresh and now_ms - state.signals.time - interval <= interval // 10


def _enter(state: SessionState, choice: r.Choice, now_ms: int, book: Rulebook, said: list[Decision]) -> Stepped:
    """An opening order, once the balance of this very tick is known (E7)."""
    assert state.quote is not None
    if state.balance_tick != state.tick:
        return state, said if Ask(What.BALANCE) in said else [*said, Ask(What.BALANCE)]
    quantity = choice.steps * book.scale.step
    price = state.quote.ask if choice.side > 0 else state.quote.bid
    if quantity * price < book.contract.min_notional:
        return replace(state, refusal="BELOW_MIN_NOTIONAL", fresh=False), said
    reason = Reason.FIRST if choice.code == r.FIRST else Reason.ADD
    order = Pending(open_slot(choice.side, state.serial), 0, choice.side, True, quantity, reason,
                    level=level_now(state, choice.side, book))
    return _place(replace(state, fresh=False, refusal=""), order, price, now_ms, said)


def _single(state: SessionState, side: int, now_ms: int, book: Rulebook, said: list[Decision]) -> Stepped:
    """Close the side's best entry (E4)."""
    ledger = state.ledger(side)
    entry = ledger.extreme
    quantity = ZERO if entry is None else closable(ledger, state.check(side).venue, _resting(state, side),
                                                   book.contract.largest(entry.quantity))
    if entry is None or quantity <= 0:
        # The venue is said to hold less than the ledger (X25): the next comparison tells what is true.
        return state, [*said, Ask(What.POSITIONS)]
    order = Pending(f"x-{entry.id}", 0, side, False, quantity, Reason.SINGLE, target=entry.id)
    return _place(state, order, _out(state, side), now_ms, said)


def _resting(state: SessionState, side: int) -> Decimal:
    """What closing orders of the side may still take."""
    return sum((one.quantity - one.filled for one in state.pending if one.side == side and not one.opens), ZERO)


def _out(state: SessionState, side: int) -> Decimal:
    """The price that an exit of the side would get."""
    assert state.quote is not None
    return state.quote.bid if side > 0 else state.quote.ask


def _place(state: SessionState, order: Pending, price: Decimal, now_ms: int, said: list[Decision]) -> Stepped:
    """The order under way, with the next generation of its slot (X2)."""
    generation = state.generations.get(order.slot, 0) + 1
    order = replace(order, generation=generation, since_ms=now_ms)
    # Generations of what is over need not be kept beyond the slots that could still be asked for.
    kept = dict(list(state.generations.items())[-400:])
    kept.pop(order.slot, None)
    state = replace(state, generations={**kept, order.slot: generation}, pending=(*state.pending, order))
    return state, [*said, Place(order.slot, generation, order.side, order.opens, order.quantity, price, order.reason,
                                order.target, order.level)]


def close_all(state: SessionState, reason: Reason) -> SessionState:
    """Everything is to be closed. A limit on the way is not replaced by a lesser reason."""
    if state.closing is not None and state.closing.reason in _LIMITS:
        return state
    return replace(state, closing=Closing(reason, len(state.buy.entries) + len(state.sell.entries)))


def _close(state: SessionState, now_ms: int, book: Rulebook, said: list[Decision]) -> Stepped:
    """The next step of closing everything: openings cancelled first, then side after side, then seen flat."""
    assert state.closing is not None
    opening = [one for one in state.pending if one.opens]
    if opening:
        return state, [*said, *(Cancel(one.slot, one.generation) for one in opening)]
    if now_ms < state.exit_not_before_ms:
        return state, said
    for ledger in (state.buy, state.sell):
        if not ledger.entries or state.under_way(ledger.side):
            continue
        # A side may be more than the venue takes in one order: the rest goes with the next one.
        quantity = closable(ledger, state.check(ledger.side).venue, ZERO, book.contract.largest(ledger.quantity))
        if quantity <= 0:
            return state, [*said, Ask(What.POSITIONS)]
        order = Pending(f"all-{state.closing.reason}-{ledger.side}-{state.serial}", 0, ledger.side, False, quantity,
                        state.closing.reason)
        return _place(state, order, _out(state, ledger.side), now_ms, said)
    if state.pending:
        return state, said
    if state.closing.flat_seen >= _FLAT[state.closing.reason]:
        return _closed(state, state.closing, book, said)
    if state.closing.asked and not state.closing.flat_seen or Ask(What.POSITIONS) in said:
        return replace(state, closing=replace(state.closing, asked=True)), said
    return replace(state, closing=replace(state.closing, asked=True)), [*said, Ask(What.POSITIONS)]


def seen_flat(state: SessionState, event: Positions) -> SessionState:
    """One more sighting of both sides flat, where that is waited for; what is external does not count as ours."""
    closing = state.closing
    if closing is None or not closing.asked or state.pending:
        return state
    flat = all(venue.read and venue.quantity <= state.ledger(venue.side).external
               for venue in (event.long, event.short))
    return replace(state, closing=replace(closing, flat_seen=closing.flat_seen + 1 if flat else 0))


def _closed(state: SessionState, closing: Closing, book: Rulebook, said: list[Decision]) -> Stepped:
    """Both sides are flat: the end of closing, and of the day where a limit was hit (E4)."""
    state = replace(state, closing=None, serial=state.serial + 1)
    if closing.reason is Reason.FLATTEN:
        return state, [*said, Notice(
            f"{book.contract.symbol}: everything is closed", f"It was to be closed; both sides were seen flat twice, "
            f"result of the day {state.day_result:.2f} USDT", "It opens nothing more. /stopgrid ends it",
            f"flat-{state.serial}")]
    if closing.reason not in _LIMITS:
        return state, said
    gain = closing.reason is Reason.DAY_TARGET
    limit = exact(book.settings.global_profit if gain else book.settings.max_loss)
    hit = LimitHit("PROFIT" if gain else "LOSS", limit, state.day_result, closing.positions, state.day)
    again = state.stopped_day == state.day  # a late fill was closed after the day's end had been told
    return replace(state, stopped_day=state.day), said if again else [*said, hit]


def protected(state: SessionState, side: int, book: Rulebook, said: list[Decision]) -> Stepped:
    """The stop that shall stand on the exchange for a side (X18): beyond the last level that it can still reach."""
    wanted = _stop(state, side, book)
    place = 0 if side > 0 else 1
    if state.protected[place] == wanted:
        return state, said
    both = (wanted, state.protected[1]) if side > 0 else (state.protected[0], wanted)
    return replace(state, protected=both), [*said, Protect(side, *wanted)]


def fitted(state: SessionState, book: Rulebook) -> SessionState:
    """The state in a rulebook's own units, with the stops that it wants: contract and settings may be others than those
    that it was saved with. Sums kept in another tick's unit would look like a fortune, or a ruin."""
    for side in (r.BUY, r.SELL):
        state, _ = protected(with_ledger(state, state.ledger(side), book), side, book, [])
    return state


def _stop(state: SessionState, side: int, book: Rulebook) -> tuple[Decimal, Decimal]:
    """(trigger, quantity) of the stop; (0, 0) for a side without entries, or where none is wanted."""
    ledger = state.ledger(side)
    leg = legs_of(state)[0 if side > 0 else 1]
    if not (ledger.entries and book.settings.protect_pct):
        return ZERO, ZERO
    trigger = abs(r.stop_price(book.rules, leg)) * book.scale.price
    return max(trigger // book.contract.tick, Decimal(1)) * book.contract.tick, ledger.quantity
