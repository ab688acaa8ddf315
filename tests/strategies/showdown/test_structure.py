"""Market structure, ATR, momentum, sessions: what is said of the past never changes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.strategies.showdown import indicators, structure
from modules.strategies.showdown.records import CLOSE, HIGH, LOW, OPEN_MS, Bars
from tests.strategies.showdown.market import NOW, waves

STEP = 300_000
walks = st.lists(st.tuples(st.floats(-3, 3), st.floats(0, 2), st.floats(0, 2)), min_size=12, max_size=80)


def bars_of(moves: list[tuple[float, float, float]]) -> Bars:
    close = 1000 + np.cumsum([move for move, _, _ in moves])
    first = np.concatenate(([1000.0], close[:-1]))
    high = np.maximum(first, close) + [up for _, up, _ in moves]
    low = np.minimum(first, close) - [down for _, _, down in moves]
    opens = NOW + STEP * np.arange(len(moves))
    return np.column_stack((opens, first, high, low, close, np.ones(len(moves)), np.ones(len(moves))))


def mirrored(bars: Bars) -> Bars:
    out = bars.copy()
    out[:, 1], out[:, CLOSE] = 5000 - bars[:, 1], 5000 - bars[:, CLOSE]
    out[:, HIGH], out[:, LOW] = 5000 - bars[:, LOW], 5000 - bars[:, HIGH]
    return out


@given(walks, st.integers(1, 3))
def test_no_repainting(moves, k):
    """What was known at each close is exactly what the whole history says had been confirmed by then."""
    bars = bars_of(moves)
    whole = structure.swings(bars, STEP, k)
    for count in range(2 * k + 1, len(bars) + 1):
        closed = int(bars[count - 1, OPEN_MS]) + STEP
        assert structure.swings(bars[:count], STEP, k) == tuple(one for one in whole if one.confirmed_ms <= closed)


@given(walks, st.integers(1, 3))
def test_a_swing_is_confirmed_k_bars_after_it(moves, k):
    for swing in structure.swings(bars_of(moves), STEP, k):
        assert swing.confirmed_ms == swing.at_ms + (k + 1) * STEP


@given(walks)
def test_up_and_down_are_mirrors(moves):
    bars = bars_of(moves)
    bars[:, 1:5] = np.round(bars[:, 1:5], 3)  # so that 5000 − x is as exact as x
    other = np.round(mirrored(bars), 3)
    trend, broken = structure.trend(structure.swings(bars, STEP, 2), bars)
    swapped, also = structure.trend(structure.swings(other, STEP, 2), other)
    assert (swapped, also) == ({"up": "down", "down": "up"}.get(trend, trend), broken)


def test_names_and_trend_of_rising_waves():
    bars = waves(STEP)
    found = structure.swings(bars, STEP, 2)
    assert {one.label for one in found[2:]} == {"HH", "HL"}
    assert structure.trend(found, bars) == ("up", False)


def test_a_close_under_the_last_low_breaks_the_trend():
    bars = waves(STEP)
    found = structure.swings(bars, STEP, 2)
    low = next(one.price for one in reversed(found) if one.kind == "low")
    bars[-1, CLOSE] = bars[-1, LOW] = low - 1
    assert structure.trend(structure.swings(bars, STEP, 2), bars) == ("range", True)


def test_without_two_swings_of_each_kind_nothing_is_said():
    assert structure.trend((), waves(STEP)) == ("unknown", False)


def test_atr_of_known_ranges():
    """Ranges of 2 for ever: the average is 2; one of 9 among three moves Wilder's by (9 − 2)/3."""
    bars = bars_of([(0.0, 1.0, 1.0)] * 6 + [(0.0, 8.0, 1.0)])
    found = indicators.atr(bars, 3)
    assert np.isnan(found[:3]).all()
    assert found[3:6] == pytest.approx([2, 2, 2])
    assert found[6] == pytest.approx(2 + 7 / 3)


@given(walks)
def test_momentum_is_bounded_and_turns_with_the_market(moves):
    bars = bars_of(moves)
    value = indicators.momentum(bars, indicators.atr(bars, 5), 5)
    other = mirrored(bars)
    assert -1 <= value <= 1
    assert indicators.momentum(other, indicators.atr(other, 5), 5) == pytest.approx(-value, abs=1e-6)


@pytest.mark.parametrize(("now", "before", "fades"), [
    (0.5, 0.5, False), (0.29, 0.5, True), (-0.5, 0.5, True), (-0.29, -0.5, True), (0.05, 0.15, False),
    (0.9, 0.5, False)])
def test_fading(now, before, fades):
    assert indicators.is_fading(now, before) is fades


@pytest.mark.parametrize(("hour", "name"), [(0, "Asia"), (6, "Asia"), (7, "EU"), (12, "EU"), (13, "US"), (21, "US"),
                                            (22, "Asia")])
def test_sessions(hour, name):
    assert indicators.session(NOW // 86_400_000 * 86_400_000 + hour * 3_600_000) == name
