"""Cards: figures that add up, kept beside their model, and never shown for another training."""

from pathlib import Path

import msgspec
import numpy as np

from modules.learning import cards
from modules.learning.fit import Shown


def shown(count: int = 400, seed: int = 1) -> Shown:
    rng = np.random.default_rng(seed)
    probability = rng.uniform(0.1, 0.6, count)
    confidence = np.argsort(np.argsort(probability)) / count
    probability[:20] = np.nan
    net = rng.normal(-0.5, 3.0, count)
    net[-30:] = np.nan
    return Shown(probability, confidence, (rng.random(count) < 0.3).astype(float), net,
                 np.arange(count, dtype=np.float64) * 3_600_000.0 + 1.7e12)


def test_the_figures_add_up() -> None:
    judged = shown()
    card = cards.make("feedback", "+5 % after 6 h", judged, 0.8, 7)
    assert sum(bar.count for bar in card.reliability) == card.judged == 380
    assert sum(bar.count for bar in card.confidence) == 400
    for bar in (*card.reliability, *card.confidence):
        assert bar.low <= bar.said <= bar.high + 1e-9
        assert bar.right is not None and bar.right.low <= bar.right.mean <= bar.right.high
    known = np.isfinite(judged.net)
    assert np.isclose(card.equity.all[-1], judged.net[known].sum(), atol=1e-3)
    assert np.isclose(card.equity.approved[-1], judged.net[known & (judged.confidence >= 0.8)].sum(), atol=1e-3)
    assert len(card.equity.time) <= cards.MOST_POINTS and list(card.equity.time) == sorted(card.equity.time)


def test_without_net_results_there_is_no_curve() -> None:
    judged = shown(60)
    card = cards.make("T1USDT", "x", Shown(judged.probability, judged.confidence, judged.labels,
                                           np.full(60, np.nan), judged.times), 0.8, 7)
    assert card.equity.time == () and all(bar.net is None for bar in card.confidence)


def test_a_card_of_another_training_is_not_shown(tmp_path: Path) -> None:
    card = msgspec.structs.replace(cards.make("feedback", "x", shown(), 0.8, 7), generation="abc")
    cards.save(tmp_path, card)
    assert cards.read(tmp_path, "feedback", "abc") == card
    assert cards.read(tmp_path, "feedback", "other") is None
    cards.card_path(tmp_path, "feedback").write_bytes(b"{")
    assert cards.read(tmp_path, "feedback", "abc") is None
