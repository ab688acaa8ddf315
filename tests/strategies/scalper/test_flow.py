"""Order flow: incremental equals batch, sides swapped turn the signs, windows know their holes."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modules.strategies.scalper import flow as fl
from modules.strategies.scalper.flow_batch import Best, Tick, features_of, order_flow
from modules.strategies.scalper.settings import ScalperSettings
from modules.strategies.scalper.terms import Terms, terms_of

TERMS = terms_of(ScalperSettings(flow_s=2, fast_s=0.5, large_trade_usdt=5000.0), 0)
#: a loaded machine is no failure, and a failure is the same everywhere
CALM = settings(deadline=None, max_examples=60, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
MIRROR = 20_000  # prices are mirrored at half of this

tick = st.builds(Tick, st.integers(-40, 900), st.integers(9_950, 10_050), st.integers(1, 3), st.booleans())
best = st.builds(lambda ms, bid, gap, qb, qa: Best(ms, bid, qb, bid + gap, qa), st.integers(-40, 900),
                 st.integers(9_990, 10_005), st.integers(1, 3), st.integers(1, 9), st.integers(1, 9))
events = st.lists(st.one_of(tick, best), min_size=1, max_size=60)
sizes = st.lists(st.integers(0, 40), min_size=fl.DEPTH, max_size=fl.DEPTH)


def levels_of(last: Best, bids: list[int], asks: list[int]) -> fl.Ints:
    found = np.zeros((4, fl.DEPTH), np.int64)
    found[fl.BID_PRICE] = last.bid - np.arange(fl.DEPTH)
    found[fl.ASK_PRICE] = last.ask + np.arange(fl.DEPTH)
    found[fl.BID_QTY], found[fl.ASK_QTY] = bids, asks
    found[fl.BID_QTY, 0], found[fl.ASK_QTY, 0] = last.bid_qty, last.ask_qty
    return found


def timed(steps: list[Tick | Best]) -> tuple[list[Tick], list[Best], int]:
    """Times as drawn are distances (some negative: late messages); here they become times."""
    now, ticks, books, newest = 1_000_000, [], [], 1_000_000
    for one in steps:
        now += one.ms // 4
        newest = max(newest, now)
        if isinstance(one, Tick):
            ticks.append(Tick(now, one.price, one.qty, one.sold))
        else:
            books.append(Best(now, one.bid, one.bid_qty, one.ask, one.ask_qty))
    return ticks, books, newest


def incremental(steps: list[Tick | Best], levels: fl.Ints, terms: Terms, size: int = 256) -> tuple[fl.Flow, fl.Floats]:
    made, out = fl.empty(size), np.zeros(fl.FEATURES)
    now, newest = 1_000_000, 1_000_000
    for one in steps:
        now += one.ms // 4
        newest = max(newest, now)
        if isinstance(one, Tick):
            fl.on_trade(made, terms, now, one.price, one.qty, int(one.sold))
        else:
            fl.on_book(made, now, one.bid, one.bid_qty, one.ask, one.ask_qty)
        fl.let_go(made, terms, newest)
    fl.features(made, terms, levels, newest, out)
    return made, out


@CALM
@given(events, sizes, sizes)
def test_incremental_equals_batch(steps: list[Tick | Best], bids: list[int], asks: list[int]) -> None:
    ticks, books, newest = timed(steps)
    levels = levels_of(books[-1] if books else Best(0, 9_999, 1, 10_001, 1), bids, asks)
    _, out = incremental(steps, levels, TERMS)
    expected = features_of(ticks, books, levels, newest, TERMS)
    assert {name: out[at] for at, name in enumerate(fl.NAMES)} == expected


@CALM
@given(events, sizes, sizes)
def test_swapped_sides_turn_every_sign_and_nothing_else(steps: list[Tick | Best], bids: list[int], asks: list[int]
                                                        ) -> None:
    def mirrored(one: Tick | Best) -> Tick | Best:
        if isinstance(one, Tick):
            return Tick(one.ms, one.price, one.qty, not one.sold)
        return Best(one.ms, MIRROR - one.ask, one.ask_qty, MIRROR - one.bid, one.bid_qty)

    _, books, _ = timed(steps)
    last = books[-1] if books else Best(0, 9_999, 1, 10_001, 1)
    other = mirrored(last)
    assert isinstance(other, Best)
    _, one = incremental(steps, levels_of(last, bids, asks), TERMS)
    _, two = incremental([mirrored(each) for each in steps], levels_of(other, asks, bids), TERMS)
    signed = np.isin(np.arange(fl.FEATURES), fl.SIGNED)
    priced = np.isin(np.arange(fl.FEATURES), (fl.MID2, fl.SPREAD_BPS, fl.VOLATILITY_BPS, fl.MICRO_BPS))
    assert np.array_equal(two[signed & ~priced], -one[signed & ~priced])
    assert np.array_equal(two[~signed & ~priced], one[~signed & ~priced])
    # in bps of the mid, which the mirror moves: the same once that is counted
    assert two[fl.SPREAD_BPS] * two[fl.MID2] == pytest.approx(one[fl.SPREAD_BPS] * one[fl.MID2])
    assert two[fl.MICRO_BPS] * two[fl.MID2] == pytest.approx(-one[fl.MICRO_BPS] * one[fl.MID2])
    assert two[fl.VOLATILITY_BPS] * two[fl.MID2] == pytest.approx(one[fl.VOLATILITY_BPS] * one[fl.MID2])


@CALM
@given(events)
def test_sums_return_to_zero_once_all_is_old(steps: list[Tick | Best]) -> None:
    made, _ = incremental(steps, np.ones((4, fl.DEPTH), np.int64), TERMS)
    fl.let_go(made, TERMS, int(made.cells[fl.NOW]) + TERMS.flow_ms + 1)
    for cell in (fl.E_SUM, fl.E_ABS, fl.SQUARES, fl.BUYS, fl.SELLS, fl.L_BUYS, fl.L_SELLS):
        assert made.cells[cell] == 0


@pytest.mark.parametrize(("before", "after", "expected"), [
    ((100, 5, 101, 7), (100, 8, 101, 7), 3),        # more is bid
    ((100, 5, 101, 7), (100, 5, 101, 9), -2),       # more is offered
    ((100, 5, 102, 7), (101, 4, 102, 7), 4),        # a better bid: all of it is new
    ((100, 5, 102, 7), (99, 9, 102, 7), -5),        # the bid is gone
    ((100, 5, 102, 7), (100, 5, 101, 3), -3),       # a better offer
    ((100, 5, 102, 7), (100, 5, 103, 3), 7),        # the offer is gone
])
def test_order_flow_of_one_change(before: tuple[int, ...], after: tuple[int, ...], expected: int) -> None:
    made = fl.empty()
    fl.on_book(made, 1, *before)
    fl.on_book(made, 2, *after)
    assert made.cells[fl.E_SUM] == expected == order_flow(Best(1, *before), Best(2, *after))


def test_window_is_whole_only_after_it_is_covered() -> None:
    made = fl.empty()
    fl.on_book(made, 10_000, 100, 1, 101, 1)
    fl.let_go(made, TERMS, 10_000 + TERMS.flow_ms - 1)
    assert not fl.whole(made, TERMS)
    fl.let_go(made, TERMS, 10_000 + TERMS.flow_ms)
    assert fl.whole(made, TERMS)
    fl.hole(made, 12_500)
    assert not fl.whole(made, TERMS)
    fl.let_go(made, TERMS, 12_500 + TERMS.flow_ms)
    assert fl.whole(made, TERMS)


def test_too_many_events_for_the_ring_make_the_window_not_whole() -> None:
    made = fl.empty(8)
    fl.on_trade(made, TERMS, 0, 100, 1, 0)
    for ms in range(3_000, 3_012):
        fl.on_trade(made, TERMS, ms, 100, 1, 0)
    fl.let_go(made, TERMS, 3_012)
    assert made.cells[fl.BUYS] == 800
    assert not fl.whole(made, TERMS)


def test_large_orders_resting_and_traded() -> None:
    made, out = fl.empty(), np.zeros(fl.FEATURES)
    levels = levels_of(Best(0, 100, 1, 101, 1), [1] * fl.DEPTH, [1] * fl.DEPTH)
    levels[fl.BID_QTY, 7] = 50
    fl.on_trade(made, TERMS, 1, 100, 60, 1)  # 6,000: large, sold
    fl.on_trade(made, TERMS, 2, 100, 10, 0)  # 1,000: not large
    fl.features(made, TERMS, levels, 3, out)
    assert (out[fl.LARGE_RESTING], out[fl.LARGE_TRADED]) == (1.0, -1.0)
    assert made.cells[fl.CVD] == -5_000
