"""What the models' words make of a candidate: a token's own model leans on the global one by its evidence."""

import pytest

from modules.learning.predictor import Judgement, NoModel
from modules.strategies.hype.reasons import Refusal
from modules.strategies.hype.records import Strategy
from modules.strategies.hype.scanner_judge import Verdict, judge
from modules.strategies.hype.settings import HypeSettings


class Voices:
    """Models that say what they are told to."""

    def __init__(self, overall: Judgement | NoModel, own: Judgement | NoModel) -> None:
        self.overall, self.own = overall, own

    def feedback(self, row: object, context: object = ()) -> Judgement | NoModel:
        return self.overall

    def token(self, symbol: str, row: object, context: object = ()) -> Judgement | NoModel:
        return self.own

    def card(self, name: str) -> NoModel:
        return NoModel("none")


def said(confidence: float, approves: bool | None, weight: float = 1.0, model: str = "feedback") -> Judgement:
    return Judgement(0.3, confidence, model, approves, "chance 30 %", weight)


def verdict(overall: Judgement | NoModel, own: Judgement | NoModel) -> Verdict:
    return judge(Voices(overall, own), "PEPEUSDT", Strategy.SIMPLE, [], [], HypeSettings())


@pytest.mark.parametrize(("weight", "kind", "confidence"), [
    (0.0, "approved", 0.90),   # worse than the global one: not heard
    (0.25, "rejected", 0.75),  # its doubt is heard in part
    (1.0, "rejected", 0.30),
])  # fmt: skip
def test_confidence_leans_by_the_weight(weight: float, kind: str, confidence: float) -> None:
    found = verdict(said(0.90, True), said(0.30, True, weight, "PEPEUSDT"))
    assert found.kind == kind and found.confidence == pytest.approx(confidence)


def test_a_no_counts_only_with_half_the_weight() -> None:
    assert verdict(said(0.95, True), said(0.95, False, 0.4, "PEPEUSDT")).kind == "approved"
    refused = verdict(said(0.95, True), said(0.95, False, 0.6, "PEPEUSDT"))
    assert refused.kind == "rejected" and refused.codes == (Refusal.TOKEN_NO,)


def test_a_small_voice_alone_stands_aside_and_a_large_one_speaks() -> None:
    aside = said(0.5, None)
    quiet = verdict(aside, said(0.95, False, 0.2, "PEPEUSDT"))
    assert quiet.kind == "approved" and quiet.codes == (Refusal.STANDS_ASIDE,) and quiet.confidence == 0.80
    assert verdict(aside, said(0.95, False, 0.8, "PEPEUSDT")).kind == "rejected"
