"""Laws of matching: price before time, never more than stands, sides alike."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.simulator.accounts import Order, OrderType
from modules.simulator.book import BUY, SELL
from modules.simulator.matching import plan, reach

MIRROR = 2000  # prices p and MIRROR - p make mirrored books


def resting(seq: int, side: str, price: int, steps: int, ahead: int = 0) -> Order:
    return Order(
        id=str(seq), seq=seq, account="a", symbol="XUSDT", slot=0, side=side, type=OrderType.LIMIT, price=price,
        steps=steps, quote_limit=None, client_id=None, price_scale=0, base_scale=0, base="X", created_ms=0,
        updated_ms=0, ahead=ahead)


ladders = st.dictionaries(st.integers(900, 1100), st.integers(1, 500), max_size=12).map(
    lambda levels: sorted(levels.items()))
orders = st.lists(st.tuples(st.integers(900, 1100), st.integers(1, 300), st.integers(0, 600)), max_size=6).map(
    lambda rows: [resting(i, SELL, price, steps, ahead) for i, (price, steps, ahead) in enumerate(rows)])


@given(ladders, orders, st.integers(1, 3000), st.one_of(st.none(), st.integers(900, 1100)))
def test_a_buyer_gets_the_best_prices_first_and_no_more_than_stands(ladder, makers, want, limit) -> None:
    legs = plan(BUY, ladder, makers, steps=want, budget=None, limit=limit)
    ticks = [leg.tick for leg in legs]
    assert ticks == sorted(ticks)
    assert all(limit is None or tick <= limit for tick in ticks)
    for tick, standing in ladder:
        assert sum(leg.steps for leg in legs if leg.tick == tick and leg.maker is None) <= standing
    for maker in makers:
        assert sum(leg.steps for leg in legs if leg.maker is maker) <= maker.remaining
    stands = sum(q for t, q in ladder if limit is None or t <= limit)
    stands += sum(o.remaining for o in makers if limit is None or o.limit <= limit)
    assert sum(leg.steps for leg in legs) == min(want, stands), "and all of what stands, if wanted"


@given(ladders, orders, st.integers(1, 2_000_000))
def test_a_budget_is_never_overspent_and_spent_as_far_as_it_goes(ladder, makers, budget) -> None:
    legs = plan(BUY, ladder, makers, steps=None, budget=budget, limit=None)
    spent = sum(leg.tick * leg.steps for leg in legs)
    assert spent <= budget
    taken = sum(leg.steps for leg in legs)
    stands = sum(q for _, q in ladder) + sum(o.remaining for o in makers)
    if taken < stands and legs:
        assert budget - spent < max(t for t in [*dict(ladder), *(o.limit for o in makers)])


@given(ladders, orders, st.integers(1, 3000))
def test_buying_and_selling_are_mirror_images(ladder, makers, want) -> None:
    legs = plan(BUY, ladder, makers, steps=want, budget=None, limit=None)
    mirrored = [(MIRROR - t, q) for t, q in ladder]
    twins = [resting(o.seq, BUY, MIRROR - o.limit, o.remaining, o.ahead) for o in makers]
    other = plan(SELL, mirrored, twins, steps=want, budget=None, limit=None)
    assert [(MIRROR - leg.tick, leg.steps, leg.maker and leg.maker.seq) for leg in other] == [
        (leg.tick, leg.steps, leg.maker and leg.maker.seq) for leg in legs]


def test_at_one_price_who_came_first_is_served_first() -> None:
    early, late = resting(1, SELL, 1000, 10, ahead=0), resting(2, SELL, 1000, 10, ahead=30)
    legs = plan(BUY, [(1000, 50)], [late, early], steps=45, budget=None, limit=None)
    assert [(leg.maker and leg.maker.seq, leg.steps) for leg in legs] == [(1, 10), (None, 30), (2, 5)]


def test_what_stood_before_an_order_goes_first() -> None:
    mine = resting(1, SELL, 1000, 10, ahead=30)
    legs = plan(BUY, [(1000, 50)], [mine], steps=35, budget=None, limit=None)
    assert [(leg.maker and leg.maker.seq, leg.steps) for leg in legs] == [(None, 30), (1, 5)]


@given(st.integers(900, 1100), st.integers(1, 9), st.floats(880, 1120), st.floats(880, 1120))
def test_reach_is_a_share_of_time_and_alike_for_both_sides(tick, spread, start, end) -> None:
    for side in (BUY, SELL):
        part = reach(side, tick, spread, start, end)
        assert 0 <= part.better <= 1 and 0 <= part.touch <= 1 and part.better + part.touch <= 1 + 1e-9
        if part.crossed:
            assert part.better > 0 or start == end


def test_reach_of_a_falling_market() -> None:
    bid = reach(BUY, 1000, 2, 1010.0, 990.0)
    assert bid.better == pytest.approx(11 / 20) and bid.touch == pytest.approx(1 / 20) and bid.crossed
    assert reach(BUY, 1000, 2, 1010.0, 1002.5).better == 0
    assert not reach(BUY, 1000, 2, 1010.0, 1000.0).crossed
    ask = reach(SELL, 1000, 2, 990.0, 1010.0)
    assert ask.better > 0.45 and ask.crossed
