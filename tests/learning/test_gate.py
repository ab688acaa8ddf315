"""A model speaks only with a lift whose whole interval lies above 0; chance alone rarely gets there."""

import math

import msgspec
import numpy as np
import pytest

from modules.learning import gate

DAY = 86_400_000


def market(lift: float, seed: int, days: int = 60, each: int = 20) -> gate.Evidence:
    """Candidates in clustered days, of which the approved fifth earns `lift` percent more."""
    rng = np.random.default_rng(seed)
    times = np.repeat(np.arange(days) * DAY, each)
    net = rng.normal(-0.8, 2.0, len(times)) + np.repeat(rng.normal(0.0, 1.0, days), each)
    approved = rng.random(len(times)) < 0.2
    return gate.evidence(net + lift * approved, approved, times)


def test_a_real_lift_speaks_and_says_so_with_its_interval() -> None:
    found = market(1.5, 1)
    decision = gate.decide(found)
    assert decision.speaks and decision.refusal() == ""
    assert found.lift.low > 0
    assert f"{found.lift.low:+.2f}" in decision.reason and f"{found.all.mean:+.2f}" in decision.reason


def test_chance_alone_rarely_speaks() -> None:
    assert sum(gate.decide(market(0.0, seed)).speaks for seed in range(60)) <= 4


def test_what_loses_in_any_case_is_told() -> None:
    reason = gate.decide(market(0.0, 3)).reason
    assert "does not beat" in reason and "loses" in reason


@pytest.mark.parametrize(("days", "each", "word"), [(60, 1, "judged"), (9, 40, "days"), (12, 10, "approved")])
def test_little_evidence_is_none(days: int, each: int, word: str) -> None:
    decision = gate.decide(market(9.0, 1, days, each))
    assert not decision.speaks and word in decision.reason


def test_nothing_known_is_no_evidence_and_goes_through_json() -> None:
    empty = gate.evidence(np.full(5, np.nan), np.ones(5, bool), np.arange(5))
    none_approved = gate.evidence(np.ones(500), np.zeros(500, bool), np.arange(500) * DAY)
    for found in (empty, none_approved):
        assert not gate.decide(found).speaks
        assert msgspec.json.decode(msgspec.json.encode(found), type=gate.Evidence) == found
    assert not gate.decide(None).speaks


def test_more_configurations_ask_for_more() -> None:
    assert gate.expected_best(1) == 0.0
    bests = [gate.expected_best(tried) for tried in (2, 10, 100, 1000)]
    assert bests == sorted(bests)
    assert gate.expected_best(100) == pytest.approx(2.53, abs=0.01), "of a hundred normal draws"
    rng = np.random.default_rng(2)
    net, approved, times = rng.normal(size=900), rng.random(900) < 0.3, np.arange(900) * (DAY // 10)
    assert gate.evidence(net, approved, times, tried=50).least < gate.evidence(net, approved, times).least


def test_clustered_days_widen_the_interval() -> None:
    rng = np.random.default_rng(5)
    net, approved = np.repeat(rng.normal(size=30), 20), np.repeat(rng.random(30) < 0.5, 20)
    apart = gate.evidence(net, approved, np.arange(600) * DAY)
    together = gate.evidence(net, approved, np.repeat(np.arange(30) * DAY, 20))
    assert together.lift.high - together.lift.low > 2 * (apart.lift.high - apart.lift.low)


def test_a_challenger_needs_a_larger_lift_and_a_champion_that_may_not_speak_yields() -> None:
    weak, strong, none = market(1.2, 1), market(2.5, 1), market(0.0, 3)
    assert gate.replaces(None, none) and gate.replaces(none, weak) and gate.replaces(weak, strong)
    assert not gate.replaces(strong, weak) and not gate.replaces(weak, none) and not gate.replaces(weak, None)


def test_a_tokens_own_model_weighs_by_its_evidence() -> None:
    weights = [gate.token_weight(n, 1.0, 0.5) for n in (0, 20, 200, 2000)]
    assert weights == sorted(weights) and weights[0] == 0.0 and weights[2] == 0.5
    assert gate.token_weight(500, 0.3, 0.5) == 0.0, "worse than the global one"
    assert gate.token_weight(500, -0.3, -0.5) == 0.0 and gate.token_weight(500, math.nan, 0.5) == 0.0
    assert gate.lean(0.9, 0.5, 0.0) == 0.5 and gate.lean(0.9, 0.5, 1.0) == 0.9
