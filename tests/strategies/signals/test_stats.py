"""Intervals, the control group, demotion; and the checks of health that are pure."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.strategies.signals import control, stats
from modules.strategies.signals.health import Load
from modules.strategies.signals.quality import Anomalies
from modules.strategies.signals.settings import SignalSettings
from modules.strategies.signals.stats import Done
from tests.strategies.signals.test_follow import one, signal

SETTINGS = SignalSettings(demote_after=50)


def done(net_r: float, control_group: bool = False, priority: str = "HIGH", at: int = 0) -> Done:
    return Done("XUSDT", priority, control_group, at, at + 1000, "TP1", net_r, net_r)


@given(st.integers(1, 500), st.data())
def test_wilson_holds_the_share_and_stays_within_0_and_1(count: int, data: st.DataObject) -> None:
    wins = data.draw(st.integers(0, count))
    low, high = stats.wilson(wins, count)
    assert 0 <= low <= wins / count <= high <= 1 and low < high


def test_the_means_interval_covers_about_nine_in_ten() -> None:
    dice, hits = random.Random(7), 0
    for _ in range(400):
        low, high = stats.figures([done(dice.gauss(0.2, 1)) for _ in range(12)]).r_between
        hits += low <= 0.2 <= high
    assert 0.86 <= hits / 400 <= 0.95


def test_figures_drawdown_and_groups() -> None:
    found = stats.figures([done(r, at=n) for n, r in enumerate((1.0, -2.0, 0.5, -1.0, 3.0))])
    assert (found.count, found.wins, found.total_pct) == (5, 3, 1.5) and found.drawdown_pct == 2.5
    groups = stats.by([done(1), done(-1, True), done(2, priority="LOW")], lambda d: d.priority)
    assert groups["HIGH"][0].count == groups["HIGH"][1].count == 1 and groups["LOW"][1].count == 0


def test_a_class_no_better_than_its_control_is_demoted_and_comes_back() -> None:
    own, against = [done((-1.0) ** n) for n in range(60)], [done((-1.0) ** n, True) for n in range(60)]
    assert set(stats.demotions(own + against, SETTINGS)) == {"HIGH"}
    assert stats.demotions(own[:49] + against, SETTINGS) == {}, "too few for a judgement"
    better = [done(d.net_r + 0.5) for d in own]
    assert stats.demotions(better + against, SETTINGS) == {}


def test_controls_keep_the_signals_distances_at_random_times() -> None:
    born = signal(one())
    found = control.plan(born, SETTINGS, random.Random(1))
    assert len(found) == 3 and len({c.due_ms for c in found}) == 3
    for planned in found:
        assert 0 <= planned.due_ms - 1000 <= 6 * 3_600_000 and planned.sign == 1 and planned.risk == 0.01
        assert planned.tp2_r == pytest.approx(1.67) and planned.hold_ms == born.follow.expires_ms - 1000
    left = control.due(found, found[0].due_ms, lambda planned: planned is found[0])
    assert found[0] not in left
    assert control.due(found, 10**9, lambda planned: False) == [], "given up an hour after their time"


def test_load_must_last_to_shrink_and_calm_longer_to_grow() -> None:
    load = Load((80, 85, 1000), 60)
    assert [load.look((90, 10, 0), t) for t in (0, 59, 60, 61, 119, 120)] == [0, 0, -1, 0, 0, -1]
    assert [load.look((10, 10, 0), t) for t in (130, 429, 430, 431)] == [0, 0, 1, 0]
    assert load.look((10, 10, 1500), 500) == 0 and load.look((10, 10, 1500), 560) == -1, "the feed's lag counts"


def told(looks: list[tuple[int, int]]) -> list[str]:
    """What the check says for (frames, damaged) a minute, in order."""
    check, frames, damaged, found = Anomalies(3.0), 0, 0, []
    for minute, (more, bad) in enumerate(looks):
        frames, damaged = frames + more, damaged + bad
        info = {"frames": frames, "damaged": damaged, "snapshots": 0, "symbols": 10, "fresh": 10}
        found.append(check.look(minute * 60.0, info, [1.0, 2.0]))
    return found


def test_an_anomaly_is_told_and_heals_and_a_new_normal_is_learned() -> None:
    usual = [(10_000 + 100 * (n % 3), n % 2) for n in range(30)]
    assert not any(told(usual))
    strange = told([*usual, (10_000, 40), (10_000, 1), (2_000, 0)])
    assert "damaged" in strange[30] and not strange[31] and "frames" in strange[32]
    lasting = told([*usual, *[(3_000, 0)] * 40])
    assert lasting[35] and not lasting[-1], "after half an hour it is the new normal"
