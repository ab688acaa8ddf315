"""The tick engine: fills where the venue would fill, known when the answer is here, money to the last unit.

Runs as plain Python: the compiled engine is the same source (a test of the command line runs that).
"""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.backtest.ticks import arena as ar
from modules.backtest.ticks.account import books_of, curve_of, trades_of
from modules.backtest.ticks.build import load_tape
from modules.backtest.ticks.engine import advance_to, cancel, row_of, submit
from modules.backtest.ticks.tape import with_funding
from tests.backtest.ticks.frames import T0, depth, session, trade, write

MS = 1_000_000
B, S = ar.BUY, ar.SELL


def begin(tmp_path, steps, **more):
    """An arena at 1 ms, the snapshot known."""
    tape = load_tape([write(tmp_path / "a.gz", session([depth(1, (11, 12, 10), [("99.8", "1.00")], []), *steps]))])
    a = ar.arena_of(tape, **more)
    advance_to(a, (T0 + 10) * MS)
    return tape, a


def until(a, ms):
    return advance_to(a, (T0 + ms) * MS)


def fills(a):
    """(side, price, steps, maker, ms)"""
    return [(int(f[ar.F_SIDE]), int(f[ar.F_PRICE]), int(f[ar.F_QTY]), int(f[ar.F_MAKER]), int(f[ar.F_NS]) // MS - T0)
            for f in a.fills[:a.now[ar.FILLS]]]


def test_a_market_order_walks_the_book_after_its_way(tmp_path) -> None:
    _, a = begin(tmp_path, [], entry_ns=5 * MS, answer_ns=7 * MS)
    order = submit(a, B, ar.MARKET, 0, 15)
    until(a, 14)
    assert fills(a) == []
    until(a, 16)
    assert fills(a) == [(B, 1002, 10, 0, 15), (B, 1003, 5, 0, 15)] and a.now[ar.POSITION] == 15
    assert a.orders[row_of(a, order), ar.O_KNOWN] == ar.SENT  # the answer is still on its way
    until(a, 22)
    assert a.orders[row_of(a, order), ar.O_KNOWN] == ar.FILLED


def test_ioc_and_limit_take_only_to_their_price(tmp_path) -> None:
    _, a = begin(tmp_path, [])
    one, two = submit(a, B, ar.IOC, 1002, 15), submit(a, S, ar.LIMIT, 1000, 15)
    until(a, 20)
    assert fills(a) == [(B, 1002, 10, 0, 10), (S, 1000, 10, 0, 10)]
    assert a.orders[row_of(a, one), ar.O_KNOWN] == ar.CANCELED
    assert a.orders[row_of(a, two), ar.O_KNOWN] == ar.RESTS and a.orders[row_of(a, two), ar.O_SEEN] == 5


def test_post_only_that_would_take_is_refused(tmp_path) -> None:
    _, a = begin(tmp_path, [])
    order = submit(a, B, ar.POST_ONLY, 1002, 1)
    until(a, 20)
    assert a.orders[row_of(a, order), ar.O_KNOWN] == ar.REFUSED and not fills(a)


@pytest.mark.parametrize(("steps", "expected"), [
    ([trade(30, "100.0", "10.00", True)], []),  # exactly what stood before it
    ([trade(30, "100.0", "11.00", True)], [(B, 1000, 1, 1, 30)]),
    ([trade(30, "100.0", "50.00", True)], [(B, 1000, 5, 1, 30)]),
    ([trade(30, "100.0", "11.00", True), trade(31, "100.0", "2.00", True)],
     [(B, 1000, 1, 1, 30), (B, 1000, 2, 1, 31)]),
    ([trade(30, "99.9", "1.00", True)], [(B, 1000, 5, 1, 30)]),  # through the price
    ([trade(30, "100.0", "50.00", False)], []),  # a buyer took: not from the bids
    ([depth(30, (13, 13, 12), [("100.0", "4.00")], []), trade(31, "100.0", "5.00", True)], [(B, 1000, 1, 1, 31)]),
    ([depth(30, (13, 13, 12), [("100.0", "40.00")], []), trade(31, "100.0", "11.00", True)], [(B, 1000, 1, 1, 31)]),
    ([depth(30, (13, 13, 12), [], [("100.0", "1.00")])], [(B, 1000, 5, 1, 30)]),  # the asks came to it
])
def test_the_queue(tmp_path, steps, expected) -> None:
    _, a = begin(tmp_path, steps)
    submit(a, B, ar.LIMIT, 1000, 5)
    until(a, 100)
    assert fills(a) == expected


def test_without_partial_fills_a_turn_fills_all(tmp_path) -> None:
    _, a = begin(tmp_path, [trade(30, "100.0", "11.00", True)], partial=False)
    submit(a, B, ar.LIMIT, 1000, 5)
    until(a, 100)
    assert fills(a) == [(B, 1000, 5, 1, 30)]


def test_the_power_queue_moves_forward_with_cancellations(tmp_path) -> None:
    steps = [depth(30, (13, 13, 12), [("100.0", "20.00")], []), depth(31, (14, 14, 13), [("100.0", "12.00")], []),
             trade(32, "100.0", "9.00", True)]
    _, back = begin(tmp_path, steps)
    _, power = begin(tmp_path, steps, queue=ar.QUEUE_POWER, power=1.0)
    for a in (back, power):
        submit(a, B, ar.LIMIT, 1000, 5)
        until(a, 100)
    assert fills(back) == [] and fills(power) == [(B, 1000, 3, 1, 32)]  # half of eight gone were before us: six left


def test_a_cancel_that_comes_too_late(tmp_path) -> None:
    _, a = begin(tmp_path, [trade(30, "99.9", "1.00", True)], entry_ns=5 * MS, answer_ns=5 * MS)
    order = submit(a, B, ar.LIMIT, 1000, 5)
    until(a, 28)
    assert cancel(a, order) and not cancel(a, order)
    until(a, 100)
    assert fills(a) == [(B, 1000, 5, 1, 30)] and a.orders[row_of(a, order), ar.O_KNOWN] == ar.FILLED


def test_a_cancel_in_time(tmp_path) -> None:
    _, a = begin(tmp_path, [trade(30, "99.9", "1.00", True)])
    order = submit(a, B, ar.LIMIT, 1000, 5)
    until(a, 28)
    cancel(a, order)
    until(a, 100)
    assert not fills(a) and a.orders[row_of(a, order), ar.O_KNOWN] == ar.CANCELED and a.now[ar.RESTING] == 0


def test_reduce_only_never_turns_a_position(tmp_path) -> None:
    _, a = begin(tmp_path, [])
    order = submit(a, S, ar.MARKET, 0, 3, 1)
    until(a, 20)
    assert a.orders[row_of(a, order), ar.O_KNOWN] == ar.REFUSED
    submit(a, B, ar.MARKET, 0, 2)
    until(a, 30)
    submit(a, S, ar.MARKET, 0, 9, 1)
    until(a, 40)
    assert a.now[ar.POSITION] == 0 and fills(a)[-1] == (S, 1000, 2, 0, 30)


def test_a_break_is_doubt_until_a_snapshot(tmp_path) -> None:
    _, a = begin(tmp_path, [depth(30, (20, 21, 19), [("100.1", "1.00")], [])])
    assert a.now[ar.LO_DOUBT] == 0
    until(a, 100)
    assert a.now[ar.LO_DOUBT] == 1


def test_a_decision_sees_only_what_has_arrived(tmp_path) -> None:
    _, a = begin(tmp_path, [depth(30, (13, 13, 12), [("100.1", "1.00")], [])])
    until(a, 31)
    assert a.now[ar.EX_BID] + a.base == 1001 and a.now[ar.LO_BID] + a.base == 1000
    until(a, 32)
    assert a.now[ar.LO_BID] + a.base == 1001


def test_order_rows_are_used_again(tmp_path) -> None:
    _, a = begin(tmp_path, [])
    for n in range(2000):
        submit(a, B, ar.IOC, 900, 1)
        until(a, 20 + n)
    assert a.now[ar.FAULT] == 0 and a.now[ar.ROWS] == 1 and a.now[ar.LAST_ID] == 2000


def test_money_of_a_round_trip_with_funding(tmp_path) -> None:
    tape, _ = begin(tmp_path, [trade(2000, "100.1", "1.00", True)])
    tape = with_funding(tape, np.array([T0 + 1000]), np.array([0.0001]), np.array([100.2]))
    a = ar.arena_of(tape)
    until(a, 10)
    submit(a, B, ar.MARKET, 0, 15)
    until(a, 1500)
    submit(a, S, ar.MARKET, 0, 15, 1, 7)
    until(a, 5000)
    books = books_of(tape, a, Decimal("0.0002"), Decimal("0.0005"))
    made = trades_of(books)
    bought, sold = Decimal("100.2") * 10 + Decimal("100.3") * 5, Decimal("100.0") * 10 + Decimal("99.9") * 5
    funding = Decimal("0.0001") * Decimal("100.2") * 15
    pnl = sold - bought - (sold + bought) * Decimal("0.0005") - funding
    assert len(made) == 1 and made.pnl[0] == books.result == int(pnl * 10**8)
    assert made.carry[0] == int(funding * 10**8) and made.reason[0] == 7 and made.side[0] == 1
    assert curve_of(books, 10**12).equity[-1] == pytest.approx(float(10_000 + pnl))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([B, S]), st.integers(1, 12), st.integers(2, 400)), min_size=1, max_size=12))
def test_money_is_conserved_through_zero_and_back(tmp_path_factory, orders) -> None:
    tape, a = begin(tmp_path_factory.mktemp("tape"), [])
    for side, qty, at in sorted(orders, key=lambda order: order[2]):
        until(a, 10 * at)
        submit(a, side, ar.MARKET, 0, qty)
    until(a, 10_000)
    books = books_of(tape, a, Decimal("0.0002"), Decimal("0.0005"))
    made = trades_of(books)
    assert int(made.pnl.sum()) == books.result
    assert sum(side * qty for side, _, qty, _, _ in fills(a)) == a.now[ar.POSITION]
    assert made.quantity.sum() * 2 / float(tape.step) == pytest.approx(
        sum(qty for _, _, qty, _, _ in fills(a)) + abs(int(a.now[ar.POSITION])))
