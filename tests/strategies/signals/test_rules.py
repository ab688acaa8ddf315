"""The rules: formulas of D4–D9, and their mirror: swap the sides and only the direction changes."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.backtest.ticks.imbalance import imbalance as dense_imbalance
from modules.strategies.signals import rules, words
from modules.strategies.signals.reasons import WORDS, Refusal
from modules.strategies.signals.rules import Direction, Inputs, Priority
from modules.strategies.signals.settings import SignalSettings

SETTINGS = SignalSettings()
sizes = st.lists(st.integers(1, 10_000), min_size=0, max_size=25)


def levels(quantities: list[int], side: int) -> list[list[float]]:
    return [[100 + side * (n + 1), float(q)] for n, q in enumerate(quantities)]


@given(sizes, sizes)
def test_imbalance_is_bounded_and_flips_with_the_sides(bids: list[int], asks: list[int]) -> None:
    found = rules.imbalance(levels(bids, -1), levels(asks, 1))
    assert -1 <= found <= 1
    assert found == -rules.imbalance(levels(asks, -1), levels(bids, 1))
    top = sum(bids[:10]), sum(asks[:10])
    assert found == ((top[0] - top[1]) / sum(top) if sum(top) else 0)


@given(sizes, sizes)
def test_imbalance_equals_the_backtests(bids: list[int], asks: list[int]) -> None:
    dense = np.zeros(60, np.int64), np.zeros(60, np.int64)
    for n, q in enumerate(bids):
        dense[0][29 - n] = q
    for n, q in enumerate(asks):
        dense[1][30 + n] = q
    assert dense_imbalance(*dense, 29, 30, 10) == pytest.approx(rules.imbalance(levels(bids, -1), levels(asks, 1)))


def test_large_orders_are_over_five_times_the_average_level() -> None:
    found = rules.large_orders(levels([10] * 19 + [1000], -1))
    assert [(one.quantity, round(one.multiple, 2)) for one in found] == [(1000, round(1000 / 59.5, 2))]
    assert rules.large_orders(levels([10] * 20, -1)) == [] and rules.large_orders([]) == []


@pytest.mark.parametrize("lean,volume,large,expected", [
    (0.29, 1.51, 3, 15 + 20 + 24), (0.31, 1.51, 3, 25 + 20 + 24), (0.41, 2.0, 5, 35 + 30 + 35),
    (-0.41, 2.0, 4, 35 + 30 + 32), (0.4, 1.0, 0, 25 + 10), (0.3, 1.5, 99, 15 + 20 + 35)])
def test_quality_points(lean: float, volume: float, large: int, expected: int) -> None:
    assert rules.quality(lean, volume, large) == expected


def test_all_required_conditions_give_at_least_59() -> None:
    seen = [rules.judge(Inputs(lean, 3, 0, volume, 101, 100), SETTINGS).quality
            for lean, volume in itertools.product((0.281, 0.35, 0.9), (1.501, 3.0))]
    assert min(seen) == 59


inputs = st.builds(Inputs, st.floats(-1, 1), st.integers(0, 9), st.integers(0, 9),
                   st.one_of(st.none(), st.floats(0, 5)), st.floats(90, 110), st.one_of(st.none(), st.floats(90, 110)))


@given(inputs)
def test_a_short_is_the_mirror_of_a_long(seen: Inputs) -> None:
    mirrored = Inputs(-seen.imbalance, seen.large_sells, seen.large_buys, seen.intensity, 200 - seen.price,
                      None if seen.vwap is None else 200 - seen.vwap)
    one, other = rules.judge(seen, SETTINGS), rules.judge(mirrored, SETTINGS)
    if seen.vwap is not None and abs(seen.price - seen.vwap) < 1e-9:
        return  # rounding of 200 − x decides there
    assert (one.quality, one.priority, one.refusal) == (other.quality, other.priority, other.refusal)
    assert (one.direction is None) == (other.direction is None)
    assert one.direction is None or one.direction is not other.direction


GOOD = Inputs(0.5, 4, 0, 2.5, 101, 100)


@pytest.mark.parametrize("change,refusal", [
    ({"imbalance": 0.28}, Refusal.IMBALANCE), ({"imbalance": -0.28}, Refusal.IMBALANCE),
    ({"large_buys": 2, "large_sells": 9}, Refusal.LARGE_TRADES), ({"intensity": 1.5}, Refusal.INTENSITY),
    ({"intensity": None}, Refusal.NO_AVERAGE), ({"vwap": None}, Refusal.NO_CONTEXT), ({"vwap": 101}, Refusal.VWAP_SIDE),
    ({"imbalance": -0.5, "large_sells": 4}, Refusal.VWAP_SIDE)])
def test_each_condition_refuses_by_its_own_code(change: dict[str, float], refusal: Refusal) -> None:
    assert rules.judge(GOOD, SETTINGS).priority is Priority.HIGH
    fields = {name: getattr(GOOD, name) for name in Inputs.__slots__}
    assert rules.judge(Inputs(**{**fields, **change}), SETTINGS).refusal is refusal


def test_every_code_has_words() -> None:
    assert set(WORDS) == set(Refusal)


@given(st.floats(0.01, 3), st.floats(-5, 5))
def test_levels_stand_in_order_and_mirror(atr: float, away: float) -> None:
    long = rules.plan(Direction.LONG, 100, atr, 100 - away, SETTINGS)
    short = rules.plan(Direction.SHORT, 100, atr, 100 + away, SETTINGS)
    assert (long is None) == (short is None)
    if long is None or short is None:
        assert max(1.5 * atr, away) > 5 - 1e-9
        return
    risk = max(1.5 * atr, away)
    assert long.entry - long.stop == pytest.approx(risk) and short.stop - short.entry == pytest.approx(risk)
    assert long.stop < long.entry < long.tp1 < long.tp2 and short.stop > short.entry > short.tp1 > short.tp2
    assert long.tp2 - 100 == pytest.approx(1.67 * risk) and long.tp1 - 100 == pytest.approx(risk)
    assert long.size_pct == pytest.approx(min(100 / risk, 100))


def test_confirmations_raise_confidence_by_the_stated_amount() -> None:
    assert rules.confidence(80, 2, SETTINGS) == pytest.approx(0.9) and rules.confidence(100, 3, SETTINGS) == 0.99


def test_intensity_is_the_windows_pace_over_the_symbols_own() -> None:
    assert rules.intensity(500_000, 300, 144e6) == pytest.approx(1.0)
    assert rules.intensity(1, 300, 0) is None


def test_settings_that_contradict_each_other_are_refused() -> None:
    for bad in ({"quality_low": 90}, {"tp2_r": 0.5}, {"answer_s": (1.0,)}, {"depth_levels": 300},
                {"hold_min": (10.0, 90.0, 180.0)}):
        with pytest.raises(ValueError):
            SignalSettings(**bad)


ticks = st.sampled_from([0.01, 0.1, 0.5, 0.025, 1e-5, 1e-7, 1.0, 5.0])


@given(ticks, st.integers(2_000, 2_000_000), st.floats(0.0005, 0.049), st.sampled_from([1, -1]))
def test_stop_and_targets_stand_on_the_symbols_grid(tick: float, steps: int, share: float, sign: int) -> None:
    entry = round(steps * tick, 10)
    stop, first, second = rules.levels_of(sign, entry, share * entry, 1.0, 1.67, tick)
    for level in (stop, first, second):
        assert abs(level / tick - round(level / tick)) < 1e-6, "on the grid"
        assert len(repr(level).partition("e")[0].replace(".", "").strip("0")) <= 12, "no noise of floats"
    risk = abs(entry - stop)
    assert share * entry - 1e-9 * entry <= risk <= share * entry + tick * 1.000001, "never nearer than the rule says"
    assert (first - entry) * sign == pytest.approx(max(risk, tick), rel=1e-6)
    assert abs((second - entry) * sign - 1.67 * risk) <= tick * 0.500001 + 1e-9 * entry
    assert (second - first) * sign >= 0


def test_rounded_levels_are_the_mirror_and_a_coarse_tick_leaves_a_target() -> None:
    long = rules.levels_of(1, 100.0, 1.234, 1.0, 1.67, 0.5)
    short = rules.levels_of(-1, 100.0, 1.234, 1.0, 1.67, 0.5)
    assert long == (98.5, 101.5, 102.5) and [200 - level for level in short] == list(long)
    assert rules.levels_of(1, 100.0, 0.2, 0.1, 0.1, 0.5) == (99.5, 100.5, 100.5)
    plan = rules.plan(Direction.LONG, 100.0, 0.82, 99.9, SETTINGS, 0.5)
    assert plan is not None and (plan.stop, plan.risk_reward) == (98.5, pytest.approx(2.5 / 1.5))
    assert rules.plan(Direction.LONG, 0.2, 0.005, 0.2, SETTINGS, 0.3) is None, "no price is left below"


@pytest.mark.parametrize("value,shown", [(104321.5, "104,321.5"), (0.00001234, "0.00001234"), (65432.100000000006,
                                         "65,432.1"), (7.0, "7"), (1200.0, "1,200")])
def test_a_level_is_shown_to_its_last_tick(value: float, shown: str) -> None:
    assert words.short(value) == shown
