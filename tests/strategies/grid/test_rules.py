"""The grid's rules E1–E4 as laws and tables."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.strategies.grid import rules as r
from modules.strategies.grid.settings import GridSettings
from modules.strategies.grid.units import level_of, lot_of, rules_of, scale_of
from modules.strategies.grid.walk import EMPTY, added, walk
from tests.strategies.grid.venue import BTC

SCALE = scale_of(BTC, 1)
RULES = rules_of(GridSettings(open_on_new_candle=False), BTC, SCALE)
RICH = 1 << 50
PRICE = 600_000  # ticks: 60,000.0
PPM = r.PPM


def look(bid: int, ask: int | None = None, **given_: object) -> r.Look:
    """A look at which everything is allowed."""
    values = {"day": 0, "balance": RICH, "available": RICH, "minute": 600, "signal": 0, "fresh": True, "buys": True,
              "sells": True, "singles": True} | given_
    return r.Look(bid, bid if ask is None else ask, **values)  # type: ignore[arg-type]


def leg(side: int, *entries: tuple[int, int]) -> r.Leg:
    """A leg of (price, steps)."""
    found = EMPTY
    for price, steps in entries:
        found = added(found, side * price, steps)
    return found


prices = st.integers(1_000, 5_000_000)
entries = st.lists(st.tuples(prices, st.integers(1, 500)), max_size=20)


@pytest.mark.parametrize(("count", "level"), [(0, 1), (4, 1), (5, 2), (9, 2), (10, 3), (14, 3), (15, 4), (20, 4)])
def test_level_is_that_of_the_count(count: int, level: int) -> None:
    assert level_of(GridSettings(), count) == level


@given(prices, st.sampled_from([5_000, 10_000, 20_000, 30_000]))
def test_next_buy_at_lowest_entry_less_distance_and_sell_mirrors(entry: int, distance: int) -> None:
    due = r.trigger(entry, distance)
    assert Decimal(due) <= entry * (1 - Decimal(distance) / PPM) < due + 1
    above = -r.trigger(-entry, distance)
    assert above - 1 < entry * (1 + Decimal(distance) / PPM) <= above


@given(entries.filter(bool), prices)
def test_addition_is_due_exactly_at_its_trigger(rows: list[tuple[int, int]], price: int) -> None:
    for side in (r.BUY, r.SELL):
        held = leg(side, *rows)
        found = r.entry_code(RULES, held, side, side * price, look(price))
        if held.held >= 20:
            assert found.code == r.NONE
            continue
        width = [5_000, 10_000, 20_000, 30_000][held.held // 5]
        furthest = (min if side > 0 else max)(one for one, _ in rows)
        reached = side * price * PPM <= side * furthest * PPM - furthest * width
        assert (found.code == r.ADD) is reached


def turned(found: r.Choice) -> r.Choice:
    """A choice in the mirror."""
    return found._replace(side=-found.side)


@given(entries, entries, prices, st.integers(0, 50), st.integers(-1, 1), st.integers(-10**9, 10**9))
def test_swapping_sides_swaps_the_choice(buys: list[tuple[int, int]], sells: list[tuple[int, int]], bid: int,
                                         spread: int, signal: int, day: int) -> None:
    """Mirror law: with all prices turned below zero a BUY leg is a SELL leg."""
    rules = RULES._replace(day_target=10**8, day_loss=10**8)
    buy, sell = leg(1, *buys), leg(-1, *sells)
    one = look(bid, bid + spread, signal=signal, day=day)
    other = one._replace(bid=-one.ask, ask=-one.bid, signal=-signal)
    assert r.entry_code(rules, buy, 1, one.ask, one) == turned(r.entry_code(rules, buy, -1, -other.bid, other))
    assert r.entry_code(rules, sell, -1, -one.bid, one) == turned(r.entry_code(rules, sell, 1, other.ask, other))
    # The fee is on the value, which has no mirror below zero: for exits the law holds without it.
    free = rules._replace(taker_ppm=0)
    mine, theirs = r.exit_code(free, buy, sell, one), r.exit_code(free, sell, buy, other)
    assert mine.code == theirs.code
    both = r.single_ripe(rules, buy, one.bid) and r.single_ripe(rules, sell, -one.ask)
    assert mine.side == (theirs.side if both else -theirs.side)


@given(st.integers(0, 25), prices, st.integers(0, 10**12))
def test_lot_keeps_every_cap(count: int, price: int, balance: int) -> None:
    steps = r.lot(RULES, count, price, balance)
    assert steps == 0 or RULES.min_lot <= steps <= 10  # 10 times the base
    assert steps * price <= balance * RULES.leverage // 10  # a tenth of the balance as margin
    if count >= 20:
        assert steps == 0


@pytest.mark.parametrize(("changes", "count", "lot"), [
    ({}, 0, "0.001"), ({}, 1, "0.0015"), ({}, 5, "0.00759375"), ({}, 6, "0.010"), ({}, 19, "0.010"),
    ({"max_lot": 0.004}, 19, "0.004"), ({"multiplier": 0}, 0, "0.001"), ({"multiplier": 0}, 5, "0.002"),
    ({"multiplier": 0}, 19, "0.004"), ({"multiplier": 1}, 19, "0.001"),
])
def test_lots_of_the_settings(changes: dict[str, float], count: int, lot: str) -> None:
    assert lot_of(GridSettings(**changes), count) == Decimal(lot)


def test_cap_below_minimum_is_no_order() -> None:
    poor = SCALE.to_money(Decimal(50))  # a tenth × 10 pays 50 USDT, the smallest lot is worth 60
    found = r.decide(RULES, EMPTY, EMPTY, look(PRICE, signal=1, balance=poor))
    assert (found.code, found.refused) == (r.NONE, r.LOT_BELOW_MINIMUM)


def test_order_needs_its_margin_with_a_fifth_more() -> None:
    need = PRICE // 10 * 12 // 10
    assert r.decide(RULES, EMPTY, EMPTY, look(PRICE, signal=1, available=need)).code == r.FIRST
    found = r.decide(RULES, EMPTY, EMPTY, look(PRICE, signal=1, available=need - 1))
    assert (found.code, found.refused) == (r.NONE, r.NO_MARGIN)


def test_exits_come_in_the_order_of_the_specification() -> None:
    rules = RULES._replace(day_target=1, day_loss=1)
    rich = leg(1, (PRICE, 1))
    high = PRICE * 104 // 100
    assert r.decide(rules, rich, EMPTY, look(high)).code == r.SINGLE
    assert r.decide(rules, rich, EMPTY, look(high, singles=False)).code == r.PAIR
    assert r.decide(rules._replace(pair_ppm=0), rich, EMPTY, look(high, singles=False)).code == r.DAY_TARGET
    assert r.decide(rules, rich, EMPTY, look(PRICE)).code == r.DAY_LOSS
    assert r.decide(rules._replace(day_loss=0), rich, EMPTY, look(PRICE, signal=-1)).code == r.FIRST


def test_single_profit_is_the_price_move_without_leverage() -> None:
    rules = RULES._replace(pair_ppm=0)
    assert r.decide(rules, leg(1, (PRICE, 1)), EMPTY, look(PRICE * 103 // 100)).code == r.SINGLE
    assert r.decide(rules, leg(1, (PRICE, 1)), EMPTY, look(PRICE * 103 // 100 - 1)).code == r.NONE
    assert r.decide(rules, EMPTY, leg(-1, (PRICE, 1)), look(PRICE * 97 // 100)).code == r.SINGLE
    assert r.decide(rules, EMPTY, leg(-1, (PRICE, 1)), look(PRICE * 97 // 100 + 1)).code == r.NONE


@given(entries, entries, prices)
def test_combined_profit_is_after_closing_fees(buys: list[tuple[int, int]], sells: list[tuple[int, int]],
                                               price: int) -> None:
    pnl = sum(s * (price - p) for p, s in buys) + sum(s * (p - price) for p, s in sells)
    notional = sum(p * s for p, s in buys + sells)
    fee = -(-price * sum(s for _, s in buys + sells) * RULES.taker_ppm // PPM)
    due = bool(notional) and (pnl - fee) * 100 >= notional
    found = r.exit_code(RULES, leg(1, *buys), leg(-1, *sells), look(price, singles=False))
    assert (found.code == r.PAIR) is due


def test_daily_limits_count_what_is_open_and_what_closing_costs() -> None:
    rules = RULES._replace(day_target=100_000, day_loss=100_000, single_ppm=0, pair_ppm=0)
    held = leg(1, (PRICE, 10))
    fee = PRICE * 10 * rules.taker_ppm // PPM
    assert r.decide(rules, held, EMPTY, look(PRICE, day=100_000)).code == r.NONE
    assert r.decide(rules, held, EMPTY, look(PRICE, day=100_000 + fee)).code == r.DAY_TARGET
    assert r.decide(rules, held, EMPTY, look(PRICE, day=-100_000 + fee + 1)).code == r.NONE
    assert r.decide(rules, held, EMPTY, look(PRICE, day=-100_000 + fee)).code == r.DAY_LOSS
    assert r.decide(rules, EMPTY, EMPTY, look(PRICE, day=100_000)).code == r.DAY_TARGET


@pytest.mark.parametrize(("start", "finish", "inside", "outside"), [
    ((0, 0), (23, 59), [0, 720, 1439], []), ((9, 30), (17, 0), [570, 1020], [569, 1021, 0]),
    ((22, 0), (2, 15), [1320, 1439, 0, 135], [136, 1319, 720]),
])
def test_time_filter_may_cross_midnight(start: tuple[int, int], finish: tuple[int, int], inside: list[int],
                                        outside: list[int]) -> None:
    rules = rules_of(GridSettings(start_hour=start[0], start_minute=start[1], finish_hour=finish[0],
                                  finish_minute=finish[1]), BTC, SCALE)
    held = leg(1, (PRICE, 1))
    low, high = PRICE * 99 // 100, PRICE * 104 // 100
    for minute in inside:
        assert r.decide(rules, held, EMPTY, look(low, minute=minute)).code == r.ADD
    for minute in outside:
        assert r.decide(rules, held, EMPTY, look(low, minute=minute)).code == r.NONE
        assert r.decide(rules, EMPTY, EMPTY, look(low, minute=minute, signal=1)).code == r.NONE
        assert r.decide(rules, held, EMPTY, look(high, minute=minute)).code == r.SINGLE


def test_signal_and_new_candle_gate_only_the_first_order() -> None:
    rules = RULES._replace(new_candle=True)
    low = PRICE * 99 // 100
    assert r.decide(rules, EMPTY, EMPTY, look(PRICE, signal=1)).side == r.BUY
    assert r.decide(rules, EMPTY, EMPTY, look(PRICE, signal=-1)).side == r.SELL
    assert r.decide(rules, EMPTY, EMPTY, look(PRICE, signal=0)).code == r.NONE
    assert r.decide(rules, EMPTY, EMPTY, look(PRICE, signal=1, fresh=False)).code == r.NONE
    assert r.decide(rules, leg(1, (PRICE, 1)), EMPTY, look(low, signal=0, fresh=False)).code == r.ADD


def test_walk_reaches_the_last_order_on_both_sides() -> None:
    down, up = walk(RULES, EMPTY, PRICE, RICH), walk(RULES, EMPTY, -PRICE, RICH)
    assert [len(down), len(up)] == [20, 20]
    assert down[-1].leg.steps == up[-1].leg.steps == 159
    for before, after in zip(down, down[1:], strict=False):
        assert r.decide(RULES, before.leg, EMPTY, look(after.price)).code == r.ADD
        assert r.decide(RULES, before.leg, EMPTY, look(after.price + 1)).code == r.NONE
    assert r.stop_price(RULES, down[0].leg) == r.stop_price(RULES, down[-1].leg) < down[-1].price


@given(st.integers(-10**18, 10**18), st.integers(0, 2 * 10**6))
def test_share_is_exact(value: int, part: int) -> None:
    assert r.share(value, part) == value * part // PPM
