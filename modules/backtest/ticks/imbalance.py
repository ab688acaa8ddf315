"""A plain rule set for ticks: enter with the order book's imbalance, leave by the live exit rules.

Every `look_ms`: flat, and the imbalance of the best levels ((bid − ask) / (bid + ask), D4) beyond `enter` → an order in
its direction. Holding → `exits.step`, the tracker's own function, looks at the price that an exit would get; what it
wants sold goes out as a reduce-only market order with its reason as the note. Nothing is decided on a doubtful book.
"""

from modules.backtest.ticks import arena as ar
from modules.backtest.ticks.arena import LO_ASK, LO_BID, LO_DOUBT, O_KNOWN, POSITION, RESTS, Arena, Ints, T
from modules.backtest.ticks.engine import advance, cancel, row_of, submit
from modules.strategies.hype import exits
from utils.compiled import kernel, part


@part
def imbalance(bids: Ints, asks: Ints, bid: int, ask: int, levels: int) -> float:
    """(bid − ask) / (bid + ask) over the `levels` best levels of each side; 0 for an empty book (D4)."""
    bought, sold, seen, at = 0, 0, 0, bid
    while at >= 0 and seen < levels:
        if bids[at] > 0:
            bought += bids[at]
            seen += 1
        at -= 1
    seen, at = 0, ask
    while at < len(asks) and seen < levels:
        if asks[at] > 0:
            sold += asks[at]
            seen += 1
        at += 1
    return (bought - sold) / (bought + sold) if bought + sold > 0 else 0.0


@kernel
def plan_of(entry: int, qty: int, side: int, target_ppm: int, stop_ppm: int, trail_ppm: int, deadline_ms: int
            ) -> exits.Plan:
    """One target for all, a stop, and a time; in the mirror for a short."""
    goal = exits.target(entry, target_ppm, side * entry, side)
    stop = side * entry - max(exits.ceil_div(entry * stop_ppm, exits.PPM), 1)
    return exits.Plan((goal, 0, 0, 0), (qty, 0, 0, 0), 1 if goal != 0 else 0, stop, stop, trail_ppm, 0, deadline_ms,
                      side)


@kernel
def entered(a: Arena, since: int) -> int:
    """The average price, in ticks, of the fills from row `since` on."""
    value, qty = 0, 0
    for row in range(since, a.now[ar.FILLS]):
        value += a.fills[row, ar.F_PRICE] * a.fills[row, ar.F_QTY]
        qty += a.fills[row, ar.F_QTY]
    return (value + qty // 2) // max(qty, 1)


@kernel
def run(a: Arena, look_ns: int, levels: int, enter: float, both: bool, maker: bool, qty: int, wait_ns: int,
        target_ppm: int, stop_ppm: int, trail_ppm: int, hold_ns: int) -> int:
    """The whole tape. Returns how many looks were left out because the book was in doubt."""
    plan = plan_of(1, qty, 1, target_ppm, stop_ppm, trail_ppm, 0)
    state = exits.State(0, 0, 0, 0, 0)
    order, sent, first, held, doubtful = 0, 0, 0, 0, 0
    while advance(a, look_ns):
        if order > 0:
            row = row_of(a, order)
            if a.orders[row, O_KNOWN] <= RESTS:
                if held == 0 and a.now[T] - sent > wait_ns:
                    cancel(a, order)
                continue
            order = 0
        bid, ask = a.now[LO_BID], a.now[LO_ASK]
        position = a.now[POSITION]  # every answer is in: what the venue holds is known here
        if a.now[LO_DOUBT] == 1 or bid < 0 or ask >= len(a.lo_asks):
            doubtful += 1
            continue
        if position == 0:
            held = 0
            lean = imbalance(a.lo_bids, a.lo_asks, bid, ask, levels)
            side = 1 if lean > enter else (-1 if both and lean < -enter else 0)
            if side != 0:
                first = a.now[ar.FILLS]
                touch = bid if side > 0 else ask
                order = submit(a, side, ar.POST_ONLY if maker else ar.MARKET, touch + a.base, qty)
                sent = a.now[T]
            continue
        side = 1 if position > 0 else -1
        if held == 0:
            held = abs(position)
            entry = entered(a, first)
            deadline = (a.now[T] + hold_ns) // 1_000_000 if hold_ns > 0 else 0
            plan = plan_of(entry, held, side, target_ppm, stop_ppm, trail_ppm, deadline)
            state = exits.first_state(plan, entry, held)
        price = (bid if side > 0 else ask) + a.base
        reason, due, state = exits.step(plan, state, price, a.now[T] // 1_000_000)
        if due > 0:
            order = submit(a, -side, ar.MARKET, price, due, 1, reason)
    return doubtful
