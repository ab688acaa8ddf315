"""The tick engine: recorded time goes on, message by message, and with it orders on their way, at rest, and answered.

Strategies are compiled loops of their own: ``while advance(a, interval): …; submit(a, …)``. Between two calls nothing
moves. What a strategy may look at is the trader's side: ``lo_bids``, ``lo_asks``, ``LO_*`` cells, O_KNOWN, and tape
rows up to ``LO_AT`` in the order of arrival.

1. Of messages, requests and answers the earliest is next; at one instant: the venue's message, requests, what arrives
   here, answers.
2. An order arrives `entry_ns` after it was sent. A taker walks the venue's book level by level; what it takes is not
   missing afterwards: keep orders small beside the book.
3. A resting order stands behind all that stood at its price on arrival. It is filled by trades at its price once what
   stood before has traded, by any trade through it, and wholly when the other side's best price reaches it.
4. The trader hears of it `answer_ns` later. A cancel that arrives after the fill finds nothing to cancel.
5. Between a break of the sequence and the next snapshot the book is in doubt (``LO_DOUBT``): the strategies of this
   room decide nothing then.
"""

from modules.backtest.ticks import arena as ar
from modules.backtest.ticks.arena import (
    EX_ASK,
    EX_AT,
    EX_BID,
    EX_DOUBT,
    F_POSITION,
    FILLS,
    LO_AT,
    NEVER,
    NEXT_ANSWER,
    NEXT_REQUEST,
    O_ANSWERED,
    O_ARRIVES,
    O_CANCEL,
    O_KNOWN,
    O_LEFT,
    O_NOTE,
    O_PRICE,
    O_QTY,
    O_REDUCE,
    O_SEEN,
    O_SIDE,
    O_STATE,
    O_TYPE,
    POSITION,
    RESTING,
    ROWS,
    Arena,
    T,
)
from modules.backtest.ticks.books import best_row, clear, levels, requeue
from modules.backtest.ticks.feed import feed, hear
from modules.backtest.ticks.tape import DEPTH, FUNDING, GAP, SNAPSHOT, TRADE
from utils.compiled import kernel


@kernel
def advance(a: Arena, by_ns: int) -> bool:
    """Let `by_ns` pass; False once the tape has ended (or a table is full: ``now[FAULT]``)."""
    return advance_to(a, a.now[T] + by_ns)


@kernel
def advance_to(a: Arena, until: int) -> bool:
    """Let time pass until `until`, ns; False once the tape has ended."""
    now, total = a.now, len(a.kind)
    while now[ar.FAULT] == 0:
        request, answer = now[NEXT_REQUEST], now[NEXT_ANSWER]
        # An order on its way arrives after the venue's message of that instant, and before what arrives here then.
        feed(a.kind, a.exch, a.local, a.begin, a.key, a.qty, a.order, a.ex_bids, a.ex_asks, a.lo_bids, a.lo_asks,
             a.base, now, a.orders, a.front, a.traded, a.rules[ar.R_QUEUE], a.power,
             min(until, request - 1, answer - 1), a.far)
        if now[RESTING] < 0:
            now[RESTING] = -now[RESTING]
            _crossed(a, now[T])
            continue
        venue = a.exch[now[EX_AT]] if now[EX_AT] < total else NEVER
        here = a.local[a.order[now[LO_AT]]] if now[LO_AT] < total else NEVER
        if min(venue, here, request, answer) > until:
            now[T] = until
            return bool(venue != NEVER or here != NEVER)
        if venue <= request and venue <= here and venue <= answer:
            _venue_message(a, now[EX_AT], venue)
            now[EX_AT] += 1
        elif request <= here and request <= answer:
            now[T] = request
            _requests(a, request)
        elif here <= answer:
            now[T] = here
            hear(a.kind, a.begin, a.key, a.qty, a.order[now[LO_AT]], a.lo_bids, a.lo_asks, a.base, now, a.far)
            now[LO_AT] += 1
        else:
            now[T] = answer
            _answers(a, answer)
    return False


@kernel
def submit(a: Arena, side: int, kind: int, price: int, qty: int, reduce: int = 0, note: int = 0) -> int:
    """Send an order (LIMIT, POST_ONLY, IOC, MARKET; `price` in ticks); its id, or −1 where no row is free.

    `reduce`: 1 closes at most what is held. `note`: a code of the strategy's own (why), kept with each fill.
    """
    row = 0
    while row < a.now[ROWS] and not (a.orders[row, O_KNOWN] > ar.RESTS
                                     and a.orders[row, O_KNOWN] == a.orders[row, O_STATE]):
        row += 1
    if row >= len(a.orders):
        a.now[ar.FAULT] = ar.FAULT_ORDERS
        return -1
    a.now[ROWS] = max(a.now[ROWS], row + 1)
    a.now[ar.LAST_ID] += 1
    a.orders[row, :] = 0
    a.orders[row, ar.O_ID] = a.now[ar.LAST_ID]
    a.orders[row, O_STATE] = a.orders[row, O_KNOWN] = ar.SENT
    a.orders[row, O_SIDE], a.orders[row, O_TYPE], a.orders[row, O_PRICE] = side, kind, price
    a.orders[row, O_QTY] = a.orders[row, O_LEFT] = a.orders[row, O_SEEN] = qty
    a.orders[row, O_REDUCE], a.orders[row, O_NOTE] = reduce, note
    a.orders[row, O_ARRIVES] = a.now[T] + a.rules[ar.R_ENTRY_NS]
    a.orders[row, O_CANCEL] = a.orders[row, O_ANSWERED] = NEVER
    a.now[NEXT_REQUEST] = min(a.now[NEXT_REQUEST], a.orders[row, O_ARRIVES])
    return int(a.now[ar.LAST_ID])


@kernel
def cancel(a: Arena, order: int) -> bool:
    """Send a cancel; False where no such order is known to live."""
    row = row_of(a, order)
    if row < 0 or a.orders[row, O_KNOWN] > ar.RESTS or a.orders[row, O_CANCEL] != NEVER:
        return False
    a.orders[row, O_CANCEL] = a.now[T] + a.rules[ar.R_ENTRY_NS]
    a.now[NEXT_REQUEST] = min(a.now[NEXT_REQUEST], a.orders[row, O_CANCEL])
    return True


@kernel
def row_of(a: Arena, order: int) -> int:
    """The row of an order that the trader may still ask about; −1 where there is none."""
    for row in range(a.now[ROWS]):
        if a.orders[row, O_STATE] != ar.FREE and a.orders[row, ar.O_ID] == order:
            return row
    return -1


# -- the venue -----------------------------------------------------------------------------------------------


@kernel
def _venue_message(a: Arena, message: int, ns: int) -> None:
    """A message of the venue that the hot loop left: at the instant of a request or an answer, or one that fills."""
    kind, now, first, behind = a.kind[message], a.now, a.begin[message], a.begin[message + 1]
    now[T] = max(now[T], ns)
    if kind == SNAPSHOT:
        clear(a.ex_bids, a.ex_asks)
        now[EX_BID], now[EX_ASK], now[EX_DOUBT] = -1, len(a.ex_asks), 0
    elif kind == DEPTH and now[RESTING] > 0:
        requeue(a.key, a.qty, first, behind, a.ex_bids, a.ex_asks, a.base, a.orders, a.front, a.traded, now[ROWS],
                a.rules[ar.R_QUEUE], a.power)
    if kind in (DEPTH, SNAPSHOT):
        now[EX_BID], now[EX_ASK], _ = levels(a.key, a.qty, first, behind, a.ex_bids, a.ex_asks, a.base, now[EX_BID],
                                             now[EX_ASK])
        _crossed(a, ns)
    elif kind == TRADE and now[RESTING] > 0:
        _printed(a, message, ns)
    elif kind == GAP:
        now[EX_DOUBT] = 1
    elif kind == FUNDING and now[POSITION] != 0:
        _note(a, 0, 0, a.key[first], a.qty[first], 0, ns, 0)


@kernel
def _printed(a: Arena, message: int, ns: int) -> None:
    """A trade of others: orders at better prices fill, those at its price move forward and fill in their turn."""
    first = a.begin[message]
    key, qty = a.key[first], a.qty[first]
    side, price = (ar.BUY, key) if key > 0 else (ar.SELL, -key)  # which side of ours it may fill
    for row in range(a.now[ROWS]):
        if a.orders[row, O_STATE] != ar.RESTS or a.orders[row, O_SIDE] != side:
            continue
        beyond = side * (a.orders[row, O_PRICE] - price)
        if beyond > 0:
            _fill_resting(a, row, a.orders[row, O_LEFT], ns)
        elif beyond == 0:
            a.front[row] -= qty
            a.traded[row] += qty
            over = int(-a.front[row] + 0.5)  # the power queue stands between whole steps
            if over >= 1:
                a.front[row] = 0.0
                whole = a.orders[row, O_LEFT]
                _fill_resting(a, row, min(over, whole) if a.rules[ar.R_PARTIAL] == 1 else whole, ns)


@kernel
def _crossed(a: Arena, ns: int) -> None:
    """The other side's best price has come to resting orders: they are filled, at their own prices."""
    while True:
        row = best_row(a, ar.BUY)
        if row < 0 or a.now[EX_ASK] >= len(a.ex_asks) or a.orders[row, O_PRICE] - a.base < a.now[EX_ASK]:
            break
        _fill_resting(a, row, a.orders[row, O_LEFT], ns)
    while True:
        row = best_row(a, ar.SELL)
        if row < 0 or a.now[EX_BID] < 0 or a.orders[row, O_PRICE] - a.base > a.now[EX_BID]:
            break
        _fill_resting(a, row, a.orders[row, O_LEFT], ns)


@kernel
def _fill_resting(a: Arena, row: int, qty: int, ns: int) -> None:
    _fill(a, row, a.orders[row, O_PRICE], qty, 1, ns)
    if a.orders[row, O_LEFT] == 0:
        a.now[RESTING] -= 1
        _settled(a, row, ar.FILLED, ns)
    else:
        _answer(a, row, ns)


@kernel
def _fill(a: Arena, row: int, price: int, qty: int, maker: int, ns: int) -> None:
    a.orders[row, O_LEFT] -= qty
    a.now[POSITION] += a.orders[row, O_SIDE] * qty
    _note(a, a.orders[row, ar.O_ID], a.orders[row, O_SIDE], price, qty, maker, ns, a.orders[row, O_NOTE])


@kernel
def _note(a: Arena, order: int, side: int, price: int, qty: int, maker: int, ns: int, why: int) -> None:
    at = a.now[FILLS]
    if at >= len(a.fills):
        a.now[ar.FAULT] = ar.FAULT_FILLS
        return
    a.fills[at, ar.F_ORDER], a.fills[at, ar.F_SIDE], a.fills[at, ar.F_PRICE] = order, side, price
    a.fills[at, ar.F_QTY], a.fills[at, ar.F_MAKER], a.fills[at, ar.F_NS] = qty, maker, ns
    a.fills[at, F_POSITION], a.fills[at, ar.F_NOTE] = a.now[POSITION], why
    a.now[FILLS] = at + 1


@kernel
def _requests(a: Arena, ns: int) -> None:
    """Orders and cancels that reach the venue at `ns`."""
    following = NEVER
    for row in range(a.now[ROWS]):
        if a.orders[row, O_STATE] == ar.SENT and a.orders[row, O_ARRIVES] <= ns:
            _arrive(a, row, ns)
        elif a.orders[row, O_STATE] == ar.SENT:
            following = min(following, a.orders[row, O_ARRIVES])
        if a.orders[row, O_CANCEL] <= ns and a.orders[row, O_STATE] != ar.SENT:
            a.orders[row, O_CANCEL] = NEVER
            if a.orders[row, O_STATE] == ar.RESTS:
                a.now[RESTING] -= 1
                _settled(a, row, ar.CANCELED, ns)
        elif a.orders[row, O_STATE] != ar.FREE and a.orders[row, O_CANCEL] != NEVER:
            following = min(following, max(a.orders[row, O_CANCEL], a.orders[row, O_ARRIVES]))
    a.now[NEXT_REQUEST] = following


@kernel
def _arrive(a: Arena, row: int, ns: int) -> None:
    """An order comes to the venue: refused, filled as a taker, resting, or ended."""
    side, kind = a.orders[row, O_SIDE], a.orders[row, O_TYPE]
    if a.orders[row, O_REDUCE] == 1:
        open_ = -side * a.now[POSITION]
        if open_ <= 0:
            _settled(a, row, ar.REFUSED, ns)
            return
        a.orders[row, O_QTY] = a.orders[row, O_LEFT] = min(a.orders[row, O_LEFT], open_)
    best = a.now[EX_ASK] if side > 0 else a.now[EX_BID]
    there = 0 <= best < len(a.ex_bids)
    takes = there and (kind == ar.MARKET or side * (a.orders[row, O_PRICE] - a.base - best) >= 0)
    if kind == ar.POST_ONLY and takes:
        _settled(a, row, ar.REFUSED, ns)
        return
    if takes:
        _take(a, row, best, ns)
    if a.orders[row, O_LEFT] == 0:
        _settled(a, row, ar.FILLED, ns)
    elif kind == ar.LIMIT or kind == ar.POST_ONLY:
        at = a.orders[row, O_PRICE] - a.base
        book = a.ex_bids if side > 0 else a.ex_asks
        a.front[row] = float(book[at]) if 0 <= at < len(book) else 0.0
        a.traded[row] = 0.0
        a.orders[row, O_STATE] = ar.RESTS
        a.now[RESTING] += 1
        _answer(a, row, ns)
    else:
        _settled(a, row, ar.CANCELED, ns)


@kernel
def _take(a: Arena, row: int, best: int, ns: int) -> None:
    """Walk the venue's book from its best level to the limit (a market order: to the end)."""
    side = a.orders[row, O_SIDE]
    book = a.ex_asks if side > 0 else a.ex_bids
    limit = a.orders[row, O_PRICE] - a.base
    at = best
    while 0 <= at < len(book) and a.orders[row, O_LEFT] > 0:
        if a.orders[row, O_TYPE] != ar.MARKET and side * (at - limit) > 0:
            break
        if book[at] > 0:
            paid = at + a.base + side * a.rules[ar.R_SLIP]
            _fill(a, row, max(paid, 1), min(book[at], a.orders[row, O_LEFT]), 0, ns)
        at += side


@kernel
def _settled(a: Arena, row: int, state: int, ns: int) -> None:
    a.orders[row, O_STATE] = state
    _answer(a, row, ns)


@kernel
def _answer(a: Arena, row: int, ns: int) -> None:
    """The trader will hear of it."""
    a.orders[row, O_ANSWERED] = ns + a.rules[ar.R_ANSWER_NS]
    a.now[NEXT_ANSWER] = min(a.now[NEXT_ANSWER], a.orders[row, O_ANSWERED])


# -- the trader's side ---------------------------------------------------------------------------------------


@kernel
def _answers(a: Arena, ns: int) -> None:
    following = NEVER
    for row in range(a.now[ROWS]):
        if a.orders[row, O_STATE] == ar.FREE:
            continue
        if a.orders[row, O_ANSWERED] <= ns:
            a.orders[row, O_ANSWERED] = NEVER
            a.orders[row, O_KNOWN], a.orders[row, O_SEEN] = a.orders[row, O_STATE], a.orders[row, O_LEFT]
        else:
            following = min(following, a.orders[row, O_ANSWERED])
    a.now[NEXT_ANSWER] = following
