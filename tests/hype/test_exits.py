"""The exit rules A13–A16 as laws and as tables of cases."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.strategies.hype import exits
from modules.strategies.hype.exit_rules import rules_of
from modules.strategies.hype.exit_table import table
from modules.strategies.hype.settings import HypeSettings
from tests.hype.exit_paths import digest, random_plan, run, walk

RULES = rules_of(HypeSettings())
SIMPLE, AGGRESSIVE = 0, 1


def plan_at(confidence: float = 0.80, strategy: int = SIMPLE, *, entry: int = 100_000, initial: int = 1_000,
            min_value: int = 0, atr_ppm: int = 10_000, rules: exits.Rules = RULES) -> exits.Plan:
    """A plan whose break-even price is a quarter of a percent above the entry."""
    return exits.make_plan(rules, strategy, round(confidence * 1e6), atr_ppm, entry, initial, entry * 10_025 // 10_000,
                           min_value, 0)


def follow(plan: exits.Plan, bids: list[int], initial: int = 1_000, entry: int = 100_000) -> list[tuple[int, int]]:
    """(code, quantity) of every look that sold."""
    state = exits.first_state(plan, entry, initial)
    return [(code, quantity) for _, _, (code, quantity, _) in run(plan, state, iter(bids)) if quantity]


# --- the table -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("confidence", "targets", "stop"), [
    (0.10, (103_000, 106_000, 109_000, 0), 97_500),
    (0.80, (103_000, 106_000, 109_000, 0), 97_500),
    (0.849999, (103_000, 106_000, 109_000, 0), 97_500),
    (0.85, (105_000, 110_000, 120_000, 0), 96_500),
    (0.90, (105_000, 110_000, 120_000, 0), 96_500),
    (0.95, (110_000, 120_000, 130_000, 140_000), 95_000),
    (1.00, (110_000, 120_000, 130_000, 140_000), 95_000),
])
def test_row_is_the_highest_confidence_not_above_the_tokens(confidence, targets, stop):
    plan = plan_at(confidence)
    assert (plan.tp, plan.stop) == (targets, stop)


def test_gain_preset_applies_the_factor_to_the_gain_and_keeps_the_stops():
    gain, seed = table("gain"), table("seed")
    assert [str(target) for target in gain[("aggressive", "0.80")].targets] == ["1.036", "1.072", "1.108"]
    momentum = [str(target.normalize()) for target in gain[("momentum_safe", "0.85")].targets]
    assert momentum == ["1.0525", "1.105", "1.21"]
    assert gain[("revival", "0.95")].targets == seed[("revival", "0.95")].targets
    assert {key: row.stop_pct for key, row in gain.items()} == {key: row.stop_pct for key, row in seed.items()}


@pytest.mark.parametrize(("confidence", "slices"), [
    (0.80, (400, 300, 200, 0)), (0.85, (400, 300, 200, 0)),
    (0.86, (250, 250, 250, 250)), (0.94, (250, 250, 250, 250)), (0.95, (150, 150, 150, 150)),
])
def test_slices_are_shares_of_the_initial_quantity(confidence, slices):
    assert plan_at(confidence).slices == slices


@pytest.mark.parametrize(("settings", "told"), [
    ({"exit_levels": ("simple 0.80: 0.97 1.02 / 3",)}, "target 0.97 × entry must lie above 1"),
    ({"exit_levels": ("simple 0.80: 1 1.02 / 3",)}, "target 1 × entry must lie above 1"),
    ({"exit_levels": ("simple 0.80: 1.05 1.05 / 3",)}, "must rise"),
    ({"exit_levels": ("simple 0.80: 1.05 1.02 / 3",)}, "must rise"),
    ({"exit_levels": ("simple 0.80: 1.01 1.02 1.03 1.04 1.05 / 3",)}, "5 targets"),
    ({"exit_levels": ("simple 0.80: 1.05 / 60",)}, "stop 60 %"),
    ({"exit_levels": ("simpel 0.80: 1.05 / 3",)}, "no strategy 'simpel'"),
    ({"exit_levels": ("simple 0.83: 1.05 / 3",)}, "0.83 is no row"),
    ({"exit_levels": ("simple 0.80 1.05",)}, "cannot be read"),
    ({"tp_share_mid_pct": 40}, "120 % sold at the targets"),
    ({"tp_share_slow_pct": 25}, "100 % sold at the targets"),
    ({"tp_shares_fast_pct": (60, 30, 20)}, "110 % sold at the targets"),
])
def test_settings_that_cannot_be_are_refused_by_name(settings, told):
    with pytest.raises(ValueError, match=told.replace("(", r"\(")):
        HypeSettings(**settings)


def test_an_override_replaces_its_row_alone():
    rules = rules_of(HypeSettings(exit_levels=("simple 0.80: 1.02 1.5 / 4",)))
    assert plan_at(0.80, rules=rules).tp == (102_000, 150_000, 0, 0)
    assert plan_at(0.80, rules=rules).stop == 96_000
    assert plan_at(0.80, AGGRESSIVE, rules=rules) == plan_at(0.80, AGGRESSIVE)


# --- the rules -------------------------------------------------------------------------------------------------


def test_the_whole_way_up_sells_the_ladder_and_trails_the_rest():
    plan = plan_at()
    assert follow(plan, [101_000, 103_000, 106_000, 109_000, 120_000, 116_401, 116_400]) == [
        (exits.TARGET, 400), (exits.TARGET, 300), (exits.TARGET, 200), (exits.TRAILING, 100)]


def test_the_stop_sells_everything_at_or_below_it():
    assert follow(plan_at(), [97_501]) == []
    assert follow(plan_at(), [97_500]) == [(exits.STOP, 1_000)]
    assert follow(plan_at(), [60_000]) == [(exits.STOP, 1_000)]


def test_after_the_first_target_the_stop_stands_at_break_even():
    assert follow(plan_at(), [103_000, 100_251, 100_250]) == [(exits.TARGET, 400), (exits.BREAK_EVEN, 600)]


def test_break_even_is_a_setting():
    rules = rules_of(HypeSettings(breakeven_after_tp1=False))
    assert follow(plan_at(rules=rules), [103_000, 100_250, 97_500]) == [(exits.TARGET, 400), (exits.STOP, 600)]


def test_targets_jumped_over_in_one_look_are_sold_together():
    assert follow(plan_at(), [106_000]) == [(exits.TARGET, 700)]
    assert follow(plan_at(), [140_000, 135_800]) == [(exits.TARGET, 900), (exits.TRAILING, 100)]


def test_a_slice_below_the_minimum_joins_the_next():
    plan = plan_at(0.90, min_value=300 * 105_000)
    state = exits.first_state(plan, 100_000, 1_000)
    code, quantity, state = exits.step(plan, state, 105_000, 0)
    assert (code, quantity, state.owed, state.hit) == (exits.HOLD, 0, 250, 1)
    assert state.stop == plan.break_even
    assert exits.step(plan, state, 110_000, 0)[:2] == (exits.TARGET, 500)


def test_a_slice_of_no_steps_sells_nothing_and_still_counts_as_reached():
    state = exits.State(2, 97_500, 100_000, 0, 0)
    plan = plan_at(0.9, initial=2)
    code, quantity, state = exits.step(plan, state, 105_000, 0)
    assert (code, quantity, state.hit, state.quantity) == (exits.HOLD, 0, 1, 2)


def test_a_remainder_too_small_to_be_sold_goes_with_the_slice():
    assert follow(plan_at(min_value=150 * 100_000), [109_000]) == [(exits.TARGET, 1_000)]


def test_a_ladder_too_small_for_any_slice_trails_whole():
    assert follow(plan_at(min_value=1_000 * 100_000), [103_000, 106_000, 109_000, 105_730]) == [
        (exits.TRAILING, 1_000)]


def test_the_longest_hold_is_a_setting_and_off_by_default():
    rules = rules_of(HypeSettings(max_hold_h=1))
    plan = plan_at(rules=rules)
    state = exits.first_state(plan, 100_000, 1_000)
    assert exits.step(plan, state, 100_000, 3_599_999)[0] == exits.HOLD
    assert exits.step(plan, state, 100_000, 3_600_000)[:2] == (exits.TIME, 1_000)
    assert exits.step(plan_at(), state, 100_000, 10**15)[0] == exits.HOLD


def test_no_price_changes_nothing():
    plan = plan_at()
    state = exits.first_state(plan, 100_000, 1_000)
    assert exits.step(plan, state, 0, 10**15) == (exits.HOLD, 0, state)


def test_coarse_ticks_still_give_rising_targets_above_the_entry():
    plan = plan_at(0.80, entry=3)
    assert plan.tp[:3] == (4, 5, 6)
    assert plan.stop == 2


# --- laws ------------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32))
def test_nothing_is_sold_twice_or_lost_and_stop_and_peak_never_fall(seed):
    rng = random.Random(seed)
    plan, first, entry = random_plan(rng)
    sold = 0
    state = first
    for before, bid, (code, quantity, after) in run(plan, first, walk(rng, entry, 80)):
        sold += quantity
        assert sold + after.quantity == first.quantity
        assert after.quantity >= 0 and quantity >= 0
        assert after.stop >= before.stop and after.peak >= before.peak and after.hit >= before.hit
        assert (code == exits.HOLD) == (quantity == 0)
        assert 0 <= after.owed <= after.quantity
        if code == exits.TARGET and after.quantity:
            assert quantity * bid >= plan.min_value
        if before.quantity and 0 < bid <= before.stop:
            assert code in (exits.STOP, exits.BREAK_EVEN, exits.TRAILING) and after.quantity == 0
        state = after
    code, quantity, state = exits.step(plan, state, 1, 0) if state.stop >= 1 else (0, state.quantity, state)
    assert sold + quantity == first.quantity


@given(st.integers(0, 2**32), st.sampled_from((2, 10, 1000)))
def test_decisions_do_not_depend_on_how_fine_the_quantity_step_is(seed, factor):
    rng = random.Random(seed)
    plan, first, entry = random_plan(rng)
    scale = lambda value: value * factor  # noqa: E731
    fine_plan = plan._replace(slices=tuple(map(scale, plan.slices)), min_value=scale(plan.min_value))
    fine = first._replace(quantity=scale(first.quantity))
    prices = list(walk(rng, entry, 60))
    coarse_codes = [(code, quantity * factor) for _, _, (code, quantity, _) in run(plan, first, iter(prices))]
    fine_codes = [(code, quantity) for _, _, (code, quantity, _) in run(fine_plan, fine, iter(prices))]
    if plan.min_value == 0:
        assert coarse_codes == fine_codes


@given(st.integers(1, 500_000), st.integers(1, 300_000), st.integers(0, 300_000))
def test_more_volatility_never_tightens_the_stop(stop_ppm, low, more):
    tight = exits.stop_distance(stop_ppm, low, 10_000, 700_000, 2_000_000)
    wide = exits.stop_distance(stop_ppm, low + more, 10_000, 700_000, 2_000_000)
    assert tight <= wide
    assert stop_ppm * 7 // 10 - 1 <= tight or tight == exits.WIDEST_STOP_PPM
    assert wide <= min(2 * stop_ppm, exits.WIDEST_STOP_PPM)


@pytest.mark.parametrize(("atr_ppm", "distance"), [(0, 30_000), (10_000, 30_000), (20_000, 60_000), (90_000, 60_000),
                                                   (5_000, 21_000), (100, 21_000), (8_000, 24_000)])
def test_the_stop_follows_the_atr_within_its_clamps(atr_ppm, distance):
    assert exits.stop_distance(30_000, atr_ppm, 10_000, 700_000, 2_000_000) == distance


@given(st.integers(0, 2**32))
def test_targets_rise_above_the_entry_and_the_stop_lies_below(seed):
    plan, first, entry = random_plan(random.Random(seed))
    used = plan.tp[:plan.levels]
    assert plan.levels >= 1 and list(used) == sorted(set(used)) and used[0] > entry > plan.stop
    assert plan.break_even < used[0]
    assert sum(plan.slices[:plan.levels]) < first.quantity or first.quantity == 0


def test_compiled_and_plain_rules_decide_alike(tmp_path):
    environment = {**os.environ, "COXSWAIN_COMPILED": "1", "NUMBA_CACHE_DIR": str(tmp_path),
                   "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-m", "tests.hype.exit_paths"], env=environment, capture_output=True,
                          text=True, timeout=110, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == digest(7, 300)


def test_the_live_rules_need_no_numba():
    code = ("import sys, modules.strategies.hype.exits, modules.strategies.hype.exit_rules as r; "
            "sys.exit(any(name in sys.modules for name in ('numba', 'pandas', 'lightgbm', 'aiogram', 'numpy')))")
    environment = {key: value for key, value in os.environ.items() if key != "COXSWAIN_COMPILED"}
    assert subprocess.run([sys.executable, "-c", code], env=environment, cwd=Path(__file__).parents[2],
                          check=False).returncode == 0


# --- shorts ----------------------------------------------------------------------------------------------------


def short_at(entry: int = 100_000, initial: int = 1_000, rules: exits.Rules = RULES) -> exits.Plan:
    """The plan of a `simple` short: targets 97, 94, 91 thousand, stop 102.5."""
    return exits.make_plan(rules, 0, 800_000, 10_000, entry, initial, entry * 9_975 // 10_000, 0, 0, exits.SHORT)


def test_a_short_is_bought_back_down_the_ladder():
    plan = short_at()
    assert (plan.tp[:3], plan.stop, plan.break_even) == ((-97_000, -94_000, -91_000), -102_500, -99_750)
    assert follow(plan, [100_000, 102_499, 97_000, 94_000, 90_000, 80_000, 82_399, 82_400]) == [
        (exits.TARGET, 400), (exits.TARGET, 300), (exits.TARGET, 200), (exits.TRAILING, 100)]
    assert follow(plan, [102_500]) == [(exits.STOP, 1_000)]
    assert follow(plan, [97_000, 99_749, 99_750]) == [(exits.TARGET, 400), (exits.BREAK_EVEN, 600)]


def test_a_short_has_no_target_below_zero():
    far = RULES._replace(gains=tuple((400_000, 900_000, 1_500_000, 0) for _ in RULES.gains))
    assert short_at(rules=far).tp == (-60_000, -10_000, 0, 0) and short_at(rules=far).levels == 2
    plan = exits.make_plan(RULES, 0, 800_000, 10_000, 2, 10, 2, 0, 0, exits.SHORT)
    assert (plan.tp, plan.levels, plan.stop) == ((-1, 0, 0, 0), 1, -3)


@given(st.integers(0, 2**32), st.integers(1, 10**6))
def test_in_the_mirror_of_the_entry_the_decisions_of_a_short_are_those_of_a_long(seed, path):
    """Prices mirrored around the entry, in ticks. What is a share of the price itself has no mirror: the distance of
    the trailing stop and the venue's minimum are 0 here."""
    rng = random.Random(seed)
    entry = rng.randrange(200_000, 10**8)
    rules = rules_of(HypeSettings(breakeven_after_tp1=rng.random() < 0.7, max_hold_h=rng.choice((0.0, 0.01))))
    # No target further than the entry: below 0 there is no price.
    rules = rules._replace(trail_ppm=0, gains=tuple(
        (gains[0], gains[1], gains[2], min(gains[3], 900_000)) for gains in rules.gains))
    terms = (rng.randrange(4), rng.randrange(0, 1_000_001), rng.choice((0, 2_000, 10_000, 80_000)), entry,
             rng.randrange(1, 10**6))
    away = rng.randrange(0, entry // 300)
    long = exits.make_plan(rules, *terms, entry + away, 0, 0)
    short = exits.make_plan(rules, *terms, entry - away, 0, 0, exits.SHORT)
    state, other = exits.first_state(long, entry, terms[4]), exits.first_state(short, entry, terms[4])
    for look, bid in enumerate(walk(random.Random(path), entry, 80)):
        if not 0 < bid < 2 * entry:
            continue
        code, steps, state = exits.step(long, state, bid, look * 2_000)
        its_code, its_steps, other = exits.step(short, other, 2 * entry - bid, look * 2_000)
        assert (code, steps) == (its_code, its_steps)
        assert (state.stop - entry, state.peak - entry) == (other.stop + entry, other.peak + entry) or not state.stop
        assert (state.quantity, state.hit, state.owed) == (other.quantity, other.hit, other.owed)


@given(st.integers(0, 2**32))
def test_nothing_of_a_short_is_bought_back_twice_or_left_beyond_its_stop(seed):
    rng = random.Random(seed)
    plan, first, entry = random_plan(rng, exits.SHORT)
    bought = 0
    for before, ask, (code, quantity, after) in run(plan, first, walk(rng, entry, 80)):
        bought += quantity
        assert bought + after.quantity == first.quantity and quantity >= 0 and after.quantity >= 0
        assert after.stop >= before.stop and after.peak >= before.peak and after.hit >= before.hit
        assert (code == exits.HOLD) == (quantity == 0)
        if before.quantity and ask >= -before.stop:
            assert code in (exits.STOP, exits.BREAK_EVEN, exits.TRAILING) and after.quantity == 0
        if code == exits.TARGET and after.quantity:
            assert quantity * ask >= plan.min_value
