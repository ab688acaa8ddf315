"""The judgement: contributions sum to the score, sides are symmetric, gates, costs, limits and exits."""

from decimal import Decimal as D

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modules.strategies.scalper import flow as fl
from modules.strategies.scalper import indicators, rules, sizing
from modules.strategies.scalper.reasons import EXITS, WORDS, Code
from modules.strategies.scalper.settings import ScalperSettings
from modules.strategies.scalper.terms import terms_of
from tests.execution.futures.house import contract

SETTINGS = ScalperSettings()
TERMS = terms_of(SETTINGS)
#: a loaded machine is no failure, and a failure is the same everywhere
CALM = settings(deadline=None, max_examples=60, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
share = st.floats(-1, 1)


def seen(value: float = 0.8, **figures: float) -> fl.Floats:
    """A lively market whose signed figures all say `value`."""
    out = np.zeros(fl.FEATURES)
    out[list(fl.SIGNED)] = value
    out[fl.SPREAD_BPS], out[fl.TRADES], out[fl.SPEED_RATIO], out[fl.VOLATILITY_BPS] = 1.0, 50, 1.0, 5.0
    for name, figure in figures.items():
        out[fl.NAMES.index(name)] = figure
    return out


def context(value: float = 0.0, atr_bps: float = 20.0, mood: float | None = None) -> fl.Floats:
    return np.array([value, value, value, atr_bps, mood or 0.0, 0.0 if mood is None else 1.0])


def judged(features: fl.Floats, about: fl.Floats, settings: ScalperSettings = SETTINGS) -> tuple[Code, fl.Floats]:
    parts = np.zeros(rules.PARTS)
    return Code(rules.judge(features, about, terms_of(settings), parts)), parts


def test_codes_of_the_kernels_are_those_of_the_words() -> None:
    for name in ("OK", "NO_CANDLES", "QUIET", "VOLATILE", "COST", "HELD", "MOST_OPEN", "COOL_DOWN", "DAY_LIMIT",
                 "DAY_LOSS"):
        assert getattr(rules, name) == Code[name]
    assert (rules.NOT_WHOLE, rules.WIDE, rules.WEAK) == (Code.FLOW_NOT_WHOLE, Code.SPREAD, Code.SCORE)
    assert [EXITS[code] for code in (rules.HOLD, rules.STOP, rules.TARGET, rules.TIME, rules.FLIP)] == [
        "hold", "stop", "target", "time", "flip"]
    assert set(WORDS) == set(Code)


@CALM
@given(st.lists(share, min_size=fl.FEATURES, max_size=fl.FEATURES), share, share, share, st.none() | share)
def test_contributions_sum_to_the_score_and_swapped_sides_turn_it(figures: list[float], rsi: float, macd: float,
                                                                  bollinger: float, mood: float | None) -> None:
    features, about = np.array(figures), np.array([rsi, macd, bollinger, 20.0, mood or 0.0, float(mood is not None)])
    mirror, other = features.copy(), about.copy()
    mirror[list(fl.SIGNED)] *= -1
    other[[rules.X_RSI, rules.X_MACD, rules.X_BOLLINGER, rules.X_SENTIMENT]] *= -1
    one, two = np.zeros(rules.PARTS), np.zeros(rules.PARTS)
    found = rules.score(features, about, TERMS, True, one)
    assert rules.score(mirror, other, TERMS, True, two) == -found
    assert np.array_equal(one, -two)
    assert found == pytest.approx(one[:rules.SCORE].sum(), abs=1e-12) and abs(found) <= 1 + 1e-9
    assert rules.judge(features, about, TERMS, one) == rules.judge(mirror, other, TERMS, two)


def test_a_strong_market_is_a_signal_for_its_side() -> None:
    for value, side in ((0.8, 1), (-0.8, -1)):
        code, parts = judged(seen(value), context())
        assert code is Code.OK and np.sign(parts[rules.SCORE]) == side


@pytest.mark.parametrize(("figures", "about", "expected"), [
    ({"spread_bps": 3.1}, {}, Code.SPREAD), ({"trades": 4}, {}, Code.QUIET), ({"speed_ratio": 0.4}, {}, Code.QUIET),
    ({"volatility_bps": 61}, {}, Code.VOLATILE), ({"value": 0.1}, {}, Code.SCORE),
    ({}, {"atr_bps": 0.0}, Code.NO_CANDLES)])
def test_what_refuses(figures: dict[str, float], about: dict[str, float], expected: Code) -> None:
    assert judged(seen(**figures), context(**about))[0] is expected


def test_a_signal_that_its_costs_would_eat_is_refused() -> None:
    # 0.63 × 20 bp × 1.5 = 19 bp against 2 + 5 + 0.5 of costs: 2.5 times, not 3
    assert judged(seen(), context(atr_bps=1.0), ScalperSettings(cost_factor=2.0))[0] is Code.OK
    assert judged(seen(), context(atr_bps=1.0), ScalperSettings(cost_factor=3.0))[0] is Code.COST
    assert rules.cost_bps(TERMS, 2.0, True) == pytest.approx(2 + 5 + 1)
    assert rules.cost_bps(TERMS, 2.0, False) == pytest.approx(5 + 5 + 1)


def test_absent_sentiment_is_left_out_and_known_one_counts() -> None:
    without, good, bad = (judged(seen(), context(mood=mood))[1][rules.SCORE] for mood in (None, 1.0, -1.0))
    assert bad < without < good


@pytest.mark.parametrize(("given_", "expected"), [
    ((0, 0, 0, 9, 0, 2, 0.0, 0.02), Code.OK), ((0, 0, 0, 9, 2, 2, 0.0, 0.02), Code.MOST_OPEN),
    ((5, 6, 0, 9, 0, 2, 0.0, 0.02), Code.COOL_DOWN), ((6, 6, 9, 9, 0, 2, 0.0, 0.02), Code.DAY_LIMIT),
    ((6, 6, 0, 9, 0, 2, 0.02, 0.02), Code.DAY_LOSS)])
def test_limits(given_: tuple[int, int, int, int, int, int, float, float], expected: Code) -> None:
    assert Code(rules.limit(*given_)) is expected


@pytest.mark.parametrize(("side", "price", "now", "found", "expected"), [
    (1, 99.0, 0, 0.0, rules.STOP), (1, 102.0, 0, 0.0, rules.TARGET), (1, 100.0, 50, 0.0, rules.TIME),
    (1, 100.0, 0, -0.4, rules.FLIP), (1, 100.0, 0, 0.9, rules.HOLD), (-1, 100.0, 0, 0.4, rules.FLIP)])
def test_exits(side: int, price: float, now: int, found: float, expected: int) -> None:
    stop, take = (99.0, 102.0) if side > 0 else (101.0, 98.0)
    assert rules.exit_of(side, stop, take, 50, price, now, found, TERMS) == expected
    assert rules.exit_of(-side, 200 - stop, 200 - take, 50, 200 - price, now, -found, TERMS) == expected


@CALM
@given(st.sampled_from([1, -1]), st.integers(50_000, 400_000), st.floats(1, 500), st.floats(0.5, 4))
def test_levels_lie_on_the_grid_and_never_nearer_than_the_rule(side: int, ticks: int, bps: float, r: float) -> None:
    price, tick = D(ticks) / 100, D("0.01")
    found = sizing.levels_of(side, price, bps, r, tick)
    assert found.stop % tick == 0 == found.take % tick
    assert (price - found.stop) * side >= price * D(repr(bps)) / 10_000 > 0
    assert (found.take - price) * side >= tick


def test_size_risks_what_the_setting_says_and_no_more() -> None:
    market = contract()
    assert sizing.quantity_of(D(2000), D(1990), D(10_000), 1.0, 1e9, market) == D(10)  # 100 USDT over 10 a piece
    assert sizing.quantity_of(D(2000), D(1990), D(10_000), 1.0, 500.0, market) == D("0.25")
    assert sizing.quantity_of(D(2000), D(1990), D(1), 0.01, 500.0, market) == 0  # less than the smallest order
    assert sizing.quantity_of(D(2000), D(1990), D(-5), 1.0, 500.0, market) == 0


def test_mirrored_candles_turn_every_part() -> None:
    rng = np.random.default_rng(5)
    close = 1000 + np.cumsum(rng.normal(0, 1, 400))
    high, low = close + rng.random(400), close - rng.random(400)
    one = indicators.parts(high, low, close, SETTINGS)
    two = indicators.parts(2000 - low, 2000 - high, 2000 - close, SETTINGS)
    assert np.allclose(one[60:, :3], -two[60:, :3], atol=1e-9)
    assert np.isnan(one[:20]).all() and not np.isnan(one[60:]).any()


def test_a_price_that_stands_still_says_nothing() -> None:
    flat = np.full(200, 100.0)
    assert indicators.latest(flat, flat, flat, SETTINGS) == pytest.approx([0, 0, 0, 0])
