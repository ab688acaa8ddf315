"""What became of a session's orders: answers, fills, ends; nothing is ever sent twice (X2, X4, X8, X11, X17)."""

from decimal import Decimal

import msgspec

from modules.strategies.grid import acting
from modules.strategies.grid.events import Answered, Ask, Decision, Done, Filled, Notice, What
from modules.strategies.grid.ledger import ZERO, GridFill, LegLedger, booked
from modules.strategies.grid.reconcile import LegCheck
from modules.strategies.grid.state import DAY_MS, Pending, Phase, Rulebook, SessionState, with_check, with_ledger

replace = msgspec.structs.replace
Stepped = tuple[SessionState, list[Decision]]

# Waits after a refused opening order; a refused exit waits a second.
FIRST_WAIT_MS, LONGEST_WAIT_MS, EXIT_WAIT_MS = 5_000, 300_000, 1_000
TELL_AFTER = 3
# A fill this far off the price last seen says that the price is over.
CONTRADICTED = Decimal("0.0005")


def found(state: SessionState, slot: str, generation: int) -> Pending | None:
    """The order under way with this slot and generation."""
    return next((one for one in state.pending if one.slot == slot and one.generation == generation), None)


def put(state: SessionState, old: Pending, new: Pending | None) -> SessionState:
    """The state with an order under way changed, or (None) no longer under way."""
    pending = tuple(one for one in (new if each is old else each for each in state.pending) if one is not None)
    return replace(state, pending=pending)


def lookups(state: SessionState) -> list[Decision]:
    """Questions about orders whose outcome or fills are not known yet (X4, X17)."""
    return [Ask(What.ORDER if one.phase is not Phase.SETTLING else What.FILLS, one.slot, one.generation)
            for one in state.pending]


def answered(state: SessionState, event: Answered) -> Stepped:
    """After the venue's answer to a placement. An answer to nothing under way changes nothing."""
    order = found(state, event.slot, event.generation)
    if order is None:
        return state, []
    if event.outcome == "accepted":
        if order.phase is Phase.SETTLING:
            return state, []
        return _served(put(state, order, replace(order, phase=Phase.ACCEPTED)), order), []
    if event.outcome == "unknown":
        return put(state, order, replace(order, phase=Phase.UNKNOWN)), [
            Ask(What.ORDER, order.slot, order.generation)]
    if order.filled:  # X7: what has filled was accepted, whatever came later
        return put(state, order, replace(order, phase=Phase.UNKNOWN)), [
            Ask(What.ORDER, order.slot, order.generation)]
    return _failed(put(state, order, None), order, event)


def _failed(state: SessionState, order: Pending, event: Answered) -> Stepped:
    """An order that certainly does not exist: wait, longer each time, and tell after some."""
    failures = (state.failures if order.opens else state.exit_failures) + 1
    said: list[Decision] = []
    if failures == TELL_AFTER:
        kind = "Opening" if order.opens else "Closing"
        said.append(Notice(f"{kind} orders are not taken ({failures} in a row)", event.text or event.outcome,
                           "Check funds, margin mode and the contract on the exchange", f"refused-{order.slot}"))
    if not order.opens:
        return replace(state, exit_failures=failures, exit_not_before_ms=event.now_ms + EXIT_WAIT_MS), said
    wait = min(FIRST_WAIT_MS << min(failures - 1, 8), LONGEST_WAIT_MS)
    return replace(state, failures=failures, not_before_ms=event.now_ms + wait), said


def _served(state: SessionState, order: Pending) -> SessionState:
    """The venue takes orders of this kind again."""
    return replace(state, failures=0) if order.opens else replace(state, exit_failures=0)


def filled(state: SessionState, event: Filled, book: Rulebook) -> Stepped:
    """After a trade: the ledger, the day's figures, and the order under way."""
    fill = event.fill
    order = next((one for one in state.pending if one.slot == fill.slot and fill.slot), None)
    if order is None and fill.opens and not _ours(state, fill):
        # Somebody opened here: the comparison with the venue shows it as external (X24); no entry is made of it.
        return state, [Ask(What.POSITIONS)]
    ledger = state.ledger(fill.side)
    if fill.trade_id in ledger.seen:
        return state, []
    if order is not None and order.target and not fill.target:
        fill = replace(fill, target=order.target)
    before = ledger
    level = order.level if order is not None else acting.level_now(state, fill.side, book)
    ledger, realised = booked(ledger, fill, level)
    state = _counted(with_ledger(state, ledger, book), fill, realised, before, ledger)
    state = with_check(state, fill.side, _moved(state.check(fill.side), fill))
    state = _contradicted(state, fill, book)
    said: list[Decision] = []
    if order is not None:
        total = order.filled + fill.quantity
        over = total >= order.quantity or order.phase is Phase.SETTLING and total >= order.told
        state = put(state, order, None if over else replace(order, filled=total))
    elif not fill.opens and not _ours(state, fill):
        check = state.check(fill.side)
        state = with_check(state, fill.side, replace(check, manual=True))
        said.append(Notice("Part of the grid was closed from outside",
                           f"{fill.quantity} at {fill.price}, no order of the grid's",
                           "Acknowledge it to go on with new levels", f"outside-{fill.trade_id}"))
        said.append(Ask(What.POSITIONS))
    return acting.protected(state, fill.side, book, said)


def _contradicted(state: SessionState, fill: GridFill, book: Rulebook) -> SessionState:
    """A fill newer than the price and far off it makes the price an old one: the next tick decides.

    Else a fall within one tick would be taken for a profit: bought at the new price, judged by the one before it.
    """
    quote = state.quote
    if quote is None or fill.market_ms < quote.made_ms:
        return state
    seen = quote.ask if (fill.side > 0) is fill.opens else quote.bid
    if abs(fill.price - seen) <= seen * CONTRADICTED + (quote.ask - quote.bid):
        return state
    old = quote.now_ms - int(book.settings.stale_after_s * 1000) - 1
    return replace(state, quote=replace(quote, made_ms=min(quote.made_ms, old)))


def _moved(check: LegCheck, fill: GridFill) -> LegCheck:
    """The venue's quantity as it must be after a fill, so that a closing order need not wait for the next reading."""
    if check.venue is None:
        return check
    quantity = check.venue.quantity + (fill.quantity if fill.opens else -fill.quantity)
    return replace(check, venue=replace(check.venue, quantity=max(quantity, ZERO)))


def _ours(state: SessionState, fill: GridFill) -> bool:
    """Whether the slot was one of ours, even though nothing is under way there any more."""
    return fill.slot in state.generations or fill.slot.startswith(acting.STOP_SLOT)


def _counted(state: SessionState, fill: GridFill, realised: Decimal, before: LegLedger,
             after: LegLedger) -> SessionState:
    """The day's figures; a late fill of an earlier day is not today's."""
    today = fill.market_ms // DAY_MS == state.day or state.day == 0
    serial = state.serial
    if fill.opens and fill.slot == acting.open_slot(fill.side, serial):
        serial += 1
    left = {entry.id for entry in after.entries}
    gone = [entry for entry in before.entries if entry.id not in left]
    return replace(state, serial=serial, trades=state.trades + len(gone),
                   wins=state.wins + sum(fill.side * (fill.price - entry.price) > 0 for entry in gone),
                   day_realised=state.day_realised + (realised if today else 0),
                   day_fees=state.day_fees + (fill.fee if today else 0))


def done(state: SessionState, event: Done) -> Stepped:
    """After an order's end. Fills that have not come yet are asked for, and the order waits for them (X17)."""
    order = found(state, event.slot, event.generation)
    if order is None:
        return state, []
    if event.filled > order.filled:
        waiting = replace(order, phase=Phase.SETTLING, told=event.filled)
        return put(state, order, waiting), [Ask(What.FILLS, order.slot, order.generation)]
    if not event.filled:
        return _failed(put(state, order, None), order,
                       Answered(event.now_ms, event.slot, event.generation, "refused", "ended without a fill"))
    return _served(put(state, order, None), order), []
