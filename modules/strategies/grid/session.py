"""One session of the grid as a pure state machine: ``step(state, event, book) → (state, decisions)``.

1. Nothing is opened before balance and both positions were read since the start (X16), nor while the breaker is open,
   the price is old, a side is blocked, or an order of that side is under way.
2. One placement a step (X8). The answer to it, a fill or an end leads to the next step, not a timer.
3. An order whose outcome is unknown stays under way until the venue has told; its slot's generation grows only after
   that (X2, X4). An order at its end whose fills have not all come is still under way (X17).
4. The balance is read every 5 ticks and before each opening order (E7).
5. A daily limit, the combined profit and FLATTEN close both sides: openings are cancelled first, then each side is
   closed, then the venue has to show both flat, twice for FLATTEN and the daily limits (X36).
6. A crash or STOP never closes anything: positions stay, with the stop that stands on the exchange (X18, X36).
7. A side's refused order waits longer each time; exits wait a second at most.

The parts: `acting.py` what to do at a price, `orders.py` what became of orders; here each event's own step.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from modules.strategies.grid import acting, orders
from modules.strategies.grid.events import (
    Answered,
    Ask,
    Balance,
    Breaker,
    Candles,
    Decision,
    Done,
    Event,
    Filled,
    Funded,
    Notice,
    Positions,
    Quote,
    Reason,
    Said,
    What,
    Word,
)
from modules.strategies.grid.ledger import ZERO
from modules.strategies.grid.reconcile import CannotAdopt, acknowledged, checked
from modules.strategies.grid.rules import BUY, SELL
from modules.strategies.grid.settings import INTERVAL_MS
from modules.strategies.grid.signals import FILL, advanced, needs_fill
from modules.strategies.grid.state import DAY_MS, Mode, Rulebook, SessionState, with_check, with_ledger

replace = msgspec.structs.replace
Stepped = tuple[SessionState, list[Decision]]

BALANCE_TICKS = 5  # M3
POSITION_TICKS = 30  # X21
ORDER_TICKS = 5
# The part of a candle in which it still counts as new: a first order must not come from a candle long gone on.
FRESH_PART = 10


def step(state: SessionState, event: Event, book: Rulebook) -> Stepped:
    """The state after an event, and what is to be done about it. Pure. Raises TypeError for no event of ours."""
    handler = _HANDLERS.get(type(event))
    if handler is None:
        raise TypeError(f"{type(event).__name__} is no event of a grid session")
    return handler(state, event, book)


def _on_quote(state: SessionState, event: Quote, book: Rulebook) -> Stepped:
    tick = state.tick + 1
    state, said = _on_day(state, event.now_ms // DAY_MS)
    if not 0 < event.bid <= event.ask:
        return replace(state, tick=tick, quote=None, refusal="PRICE_CANNOT_BE"), said
    state = replace(state, tick=tick, quote=event)
    if not state.started and state.balance_tick < 0:
        said.append(Ask(What.BALANCE))
    elif tick % BALANCE_TICKS == 0:
        said.append(Ask(What.BALANCE, routine=True))
    if state.closing is not None or not (state.buy_check.sure and state.sell_check.sure):
        said.append(Ask(What.POSITIONS))
    elif tick % POSITION_TICKS == 0:
        said.append(Ask(What.POSITIONS, routine=True))
    if tick % ORDER_TICKS == 0:
        said += orders.lookups(state)
    return acting.act(state, event.now_ms, book, said)


def _on_day(state: SessionState, day: int) -> Stepped:
    """On a new UTC day the result begins at nothing, and a daily limit's stop is over (E4)."""
    said: list[Decision] = []
    if day <= state.day:
        return state, said
    if state.stopped_day == state.day:
        said.append(Notice("The grid trades again", "a new UTC day has begun", "", f"day-{day}"))
    return replace(state, day=day, day_realised=ZERO, day_fees=ZERO, day_funding=ZERO), said


def _on_candles(state: SessionState, event: Candles, book: Rulebook) -> Stepped:
    if needs_fill(state.signals, event.candles, book.settings) and len(event.candles) < FILL:
        return state, [Ask(What.CANDLES, count=FILL)]
    try:
        signals = advanced(state.signals, event.candles, book.settings)
    except ValueError as problem:
        return state, [Notice("Candles were not used", str(problem), "The next ones are tried by themselves",
                              f"candles-{event.now_ms // DAY_MS}")]
    interval = INTERVAL_MS[book.settings.timeframe]
    new = signals.time > state.signals.time and event.now_ms - signals.time - interval <= interval // FRESH_PART
    return replace(state, signals=signals, fresh=new or state.fresh and signals.time == state.signals.time), []


def _on_balance(state: SessionState, event: Balance, book: Rulebook) -> Stepped:
    if not (event.balance.is_finite() and event.available.is_finite()):
        return state, []  # X15: no number is no balance
    state = replace(state, balance=event.balance, available=event.available, balance_tick=state.tick)
    return acting.act(_started(state), event.now_ms, book, [])


def _on_positions(state: SessionState, event: Positions, book: Rulebook) -> Stepped:
    said: list[Decision] = []
    for side, venue in ((BUY, event.long), (SELL, event.short)):
        before = state.check(side)
        ledger, check, found = checked(state.ledger(side), before, venue, book.contract.step, state.under_way(side))
        state = with_check(with_ledger(state, ledger, book), side, check)
        if check.blocked is not None and check.blocked is not before.blocked:
            said.append(Notice("No new levels", found.text, "/grid shows both; acknowledge it to go on",
                               f"external-{side}-{found.case}-{found.theirs}-{found.ours}"))
    state, said = acting.act(_started(acting.seen_flat(state, event)), event.now_ms, book, said)
    if state.closing is None or not state.closing.flat_seen:
        # What these positions have not settled waits for the next tick: else answer and question would never rest.
        said = [one for one in said if one != Ask(What.POSITIONS)]
    return state, said


def _started(state: SessionState) -> SessionState:
    """Started once balance and both positions are known (X16)."""
    if state.started or state.balance is None or not (state.buy_check.sure and state.sell_check.sure):
        return state
    return replace(state, started=state.balance_tick >= 0)


def _on_funded(state: SessionState, event: Funded, book: Rulebook) -> Stepped:
    return replace(state, day_funding=state.day_funding + event.amount), []


def _on_breaker(state: SessionState, event: Breaker, book: Rulebook) -> Stepped:
    return replace(state, breaker_open=event.open), []


def _on_answered(state: SessionState, event: Answered, book: Rulebook) -> Stepped:
    state, said = orders.answered(state, event)
    return acting.act(state, event.now_ms, book, said)


def _on_filled(state: SessionState, event: Filled, book: Rulebook) -> Stepped:
    # The first trade of a day may come before its first price, and counts in it.
    state, new = _on_day(state, event.fill.market_ms // DAY_MS if state.day else 0)
    state, said = orders.filled(state, event, book)
    return acting.act(state, event.now_ms, book, [*new, *said])


def _on_done(state: SessionState, event: Done, book: Rulebook) -> Stepped:
    state, said = orders.done(state, event)
    return acting.act(state, event.now_ms, book, said)


_WISHES = {Word.PAUSE: Mode.PAUSED, Word.DRAIN: Mode.DRAINING, Word.RESUME: Mode.RUNNING, Word.STOP: Mode.STOPPED}


def _on_said(state: SessionState, event: Said, book: Rulebook) -> Stepped:
    if event.word is Word.ACKNOWLEDGE:
        return _acknowledge(state, event, book)
    if event.word is Word.FLATTEN:
        state = replace(state, wish=Mode.DRAINING)
        return acting.act(acting.close_all(state, Reason.FLATTEN), event.now_ms, book, [])
    back = state.mode is Mode.STOPPED and event.word is not Word.STOP
    # After a stop nothing is known of the venue: it starts as after a crash.
    state = replace(state, wish=_WISHES[event.word], started=state.started and not back,
                    quote=None if back else state.quote,
                    balance_tick=-1 if back else state.balance_tick)
    if back:
        for side in (BUY, SELL):
            state = with_check(state, side, replace(state.check(side), sure=False))
    return state, [Ask(What.POSITIONS), Ask(What.BALANCE)] if back else []


def _acknowledge(state: SessionState, event: Said, book: Rulebook) -> Stepped:
    side = BUY if event.side >= 0 else SELL
    try:
        ledger, check = acknowledged(state.ledger(side), state.check(side), event.answer, event.now_ms)
    except (CannotAdopt, ValueError) as problem:
        return state, [Notice("Not acknowledged", str(problem), "", f"ack-{event.now_ms}")]
    state = with_check(with_ledger(state, ledger, book), side, check)
    # What was adopted needs a stop as any other entry (X18).
    return acting.protected(state, side, book, [Ask(What.POSITIONS)])


_HANDLERS: dict[type, Callable[[SessionState, Any, Rulebook], Stepped]] = {
    Quote: _on_quote, Candles: _on_candles, Balance: _on_balance, Positions: _on_positions, Funded: _on_funded,
    Breaker: _on_breaker, Answered: _on_answered, Filled: _on_filled, Done: _on_done, Said: _on_said,
}
