"""What the models say of a candidate (A3, A4, A15).

1. The feedback model is asked first; only if it says yes, the token's own (A4).
2. A strategy under veto (`veto_strategies`) needs a yes of both and a confidence of `min_confidence` (A15). While a
   model is missing, its candidate waits; where the trainer found that none can be made, it is refused.
3. A model without a proven edge stands aside: it neither vetoes nor gives confidence, and this is said.
4. A strategy that is not under veto is always approved; the models' confidence sizes its exits.
5. Confidence is the lower of the models' that spoke; where none spoke it is that of the table's row 0.80.
6. A token's own model leans on the global one by the weight of its evidence (learning/gate.py): its confidence is
   mixed with the global one's, and its no counts only from half the weight on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from modules.learning.gate import lean
from modules.learning.modelfiles import Manifest
from modules.learning.predictor import Judgement, NoModel
from modules.strategies.hype.reasons import Refusal
from modules.strategies.hype.records import Strategy
from modules.strategies.hype.settings import HypeSettings

ROW_WITHOUT_MODEL = 0.80  # A15
VETO_WEIGHT = 0.5
Need = Literal["", "feedback", "token"]


class Models(Protocol):
    """The part of the predictor that a judgement needs. `row` as of features.compute, `context` of context_row."""

    def feedback(self, row: Sequence[float], context: Sequence[float] = ()) -> Judgement | NoModel:
        """The global model's view."""

    def token(self, symbol: str, row: Sequence[float], context: Sequence[float] = ()) -> Judgement | NoModel:
        """The view of the token's own model."""

    def card(self, name: str) -> Manifest | NoModel:
        """The manifest of a model (``feedback`` or a symbol)."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome. `need` names the model a waiting candidate waits for, or one worth training."""

    kind: Literal["approved", "rejected", "waiting"]
    codes: tuple[Refusal, ...]
    confidence: float
    probability: float | None
    need: Need = ""
    text: str = ""


def judge(models: Models, symbol: str, strategy: Strategy, row: Sequence[float], context: Sequence[float],
          settings: HypeSettings) -> Verdict:
    """Ask the models about a candidate with these features."""
    veto = strategy.value in settings.veto_strategies
    first = models.feedback(row, context)
    refused = _veto(first, "feedback") if veto else None
    if refused is not None:
        return refused
    second = _leaning(models.token(symbol, row, context), first)
    refused = _veto(second, "token") if veto else None
    if refused is not None:
        return refused
    return _confident(first, second, veto, settings)


def _leaning(own: Judgement | NoModel, overall: Judgement | NoModel) -> Judgement | NoModel:
    """The token's own view, leaning on the global one where both speak (rule 6)."""
    if isinstance(own, NoModel) or own.stands_aside or own.weight >= 1.0:
        return own
    if isinstance(overall, NoModel) or overall.stands_aside:
        return replace(own, approves=None, reason="stands aside: too little evidence of its own") \
            if own.weight < VETO_WEIGHT else own
    mixed = lean(own.confidence, overall.confidence, own.weight)
    approves = own.approves if own.weight >= VETO_WEIGHT else overall.approves
    return replace(own, confidence=mixed, approves=approves, reason=f"{own.reason}, weight {own.weight:.2f}")


_MISSING = {"feedback": Refusal.NO_FEEDBACK_MODEL, "token": Refusal.NO_TOKEN_MODEL, "": Refusal.NONE}
_SAID_NO = {"feedback": Refusal.FEEDBACK_NO, "token": Refusal.TOKEN_NO, "": Refusal.NONE}


def _veto(voice: Judgement | NoModel, model: Need) -> Verdict | None:
    """The verdict where this model stops a strategy under veto; None where it does not (rules 2, 3)."""
    if isinstance(voice, NoModel):
        if voice.wanted:
            return Verdict("waiting", (_MISSING[model],), 0.0, None, model, voice.reason)
        return Verdict("rejected", (Refusal.MODEL_NEVER_CAME,), 0.0, None, model, voice.reason)
    if voice.approves is False:
        return Verdict("rejected", (_SAID_NO[model],), voice.confidence, voice.probability, "", voice.reason)
    return None


def _confident(first: Judgement | NoModel, second: Judgement | NoModel, veto: bool, settings: HypeSettings) -> Verdict:
    """The verdict of models that do not stop it (rules 4, 5)."""
    need: Need = ""
    if isinstance(first, NoModel):
        need = "feedback"
    elif isinstance(second, NoModel):
        need = "token"
    judged = [voice for voice in (first, second) if isinstance(voice, Judgement)]
    aside = [voice for voice in judged if voice.stands_aside]
    voices = [voice for voice in judged if not voice.stands_aside]
    codes = (Refusal.STANDS_ASIDE,) if aside else ()
    if not voices:
        who = " and ".join(f"{_title(voice.model)} model" for voice in aside)
        said = f"{who} stand{'s' if len(aside) == 1 else ''} aside (no proven edge)" if aside else "no model yet"
        return Verdict("approved", codes, ROW_WITHOUT_MODEL, None, need, f"{said}: exits of row 0.80")
    lowest = min(voices, key=lambda voice: voice.confidence)
    text = "; ".join(f"{_title(voice.model)} model: {voice.reason}" for voice in judged)
    if veto and lowest.confidence < settings.min_confidence:  # A15
        return Verdict("rejected", (Refusal.CONFIDENCE_LOW,), lowest.confidence, lowest.probability, "",
                       f"confidence {lowest.confidence:.2f}, needed {settings.min_confidence:.2f}; {text}")
    return Verdict("approved", codes, lowest.confidence, lowest.probability, need, text)


def _title(model: str) -> str:
    return "feedback" if model == "feedback" else "own"
