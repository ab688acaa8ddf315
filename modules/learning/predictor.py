"""Judging with trained models, in a process that has no machine-learning package loaded.

Models are read when first needed, checked (modelfiles.py), kept while they are used, and read again when their
manifest changes. A model that is refused is a missing model with a reason, never an exception in the scan.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from modules.learning import modelfiles
from modules.learning.features import CONTEXT, FEATURES
from modules.learning.gate import token_weight
from modules.learning.modelfiles import FEEDBACK, Loaded, NoneNow
from modules.learning.treecode import written
from modules.learning.trees import BadModel

log = logging.getLogger(__name__)

WRITTEN_AFTER = 20  # questions to one model: writing its trees as a function costs as much as a thousand walks
KEPT = 300  # token models in memory at once, about 0.35 MB each
_KNOWN = FEATURES + CONTEXT


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a model says of one candidate.

    `probability` is the calibrated chance of the label (about +5 % in 6 h), `confidence` the percentile among earlier
    out-of-sample candidates (0 … 1). `approves`: True yes, False no, None: the model stands aside, because it has not
    shown that it beats a constant; `reason` says so and must be shown to people.
    """

    probability: float
    confidence: float
    model: str
    approves: bool | None
    reason: str
    weight: float = 1.0  # of a token's own model beside the global one (gate.py, rule 4)

    @property
    def stands_aside(self) -> bool:
        return self.approves is None


@dataclass(frozen=True, slots=True)
class NoModel:
    """No model can judge. `wanted`: ask the trainer for one and wait; else it was tried, none can be made now."""

    reason: str
    wanted: bool = True


class Predictor:
    """Judgements of the models in one folder. One object a process; not for several threads at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._models: OrderedDict[str, tuple[tuple[int, int] | None, Loaded | NoModel, tuple[int, ...]]] = OrderedDict()
        self._walks: dict[str, tuple[int, Callable[[list[float]], float] | None, Loaded | None]] = {}

    def feedback(self, row: Sequence[float], context: Sequence[float] = ()) -> Judgement | NoModel:
        """The global model's view. `row` as of features.compute, `context` as of features.context_row."""
        return self._judge(FEEDBACK, row, context)

    def token(self, symbol: str, row: Sequence[float], context: Sequence[float] = ()) -> Judgement | NoModel:
        """The token's own model's view, with its weight beside the global one."""
        found = self._judge(symbol, row, context)
        if isinstance(found, NoModel) or found.stands_aside:
            return found
        return replace(found, weight=self._weight(symbol))

    def card(self, name: str) -> modelfiles.Manifest | NoModel:
        """The manifest of the model in use (``feedback`` or a symbol)."""
        found, _ = self._model(name)
        return found if isinstance(found, NoModel) else found.manifest

    def _judge(self, name: str, row: Sequence[float], context: Sequence[float]) -> Judgement | NoModel:
        model, places = self._model(name)
        if isinstance(model, NoModel):
            return model
        if len(row) != len(FEATURES) or len(context) not in (0, len(CONTEXT)):
            raise ValueError(f"{len(row)} features and {len(context)} context values given, "
                             f"{len(FEATURES)} and {len(CONTEXT)} are expected")
        values = [*row, *(context if len(context) else (float("nan"),) * len(CONTEXT))]
        raw = self._raw(name, model)([values[place] for place in places])
        probability, confidence = model.scaler.probability(raw), model.scaler.confidence(raw)
        limit = model.scaler.threshold
        if model.scaler.aside:
            return Judgement(probability, confidence, name, None, f"stands aside: {model.scaler.aside}")
        approves = probability > limit
        sign = "above" if approves else "not above"
        return Judgement(probability, confidence, name, approves, f"chance {probability:.1%}, {sign} {limit:.1%}")

    def _weight(self, symbol: str) -> float:
        """How much the token's own model counts, by the net results of both out of sample."""
        own, overall = self.card(symbol), self.card(FEEDBACK)
        if isinstance(own, NoModel) or own.gate is None:
            return 0.0
        lift = 0.0 if isinstance(overall, NoModel) or overall.gate is None else overall.gate.lift.mean
        return token_weight(own.gate.judged, own.gate.lift.mean, lift)

    def _raw(self, name: str, model: Loaded) -> Callable[[list[float]], float]:
        """The walk through the model's trees; one that is asked again and again is written as a function."""
        asked, function, of = self._walks.get(name, (0, None, None))
        if of is not model:
            asked, function = 0, None
        if function is None and asked == WRITTEN_AFTER:
            function = written(model.trees)
        self._walks[name] = asked + 1, function, model
        return function or model.trees.raw

    def _model(self, name: str) -> tuple[Loaded | NoModel, tuple[int, ...]]:
        """The model as it is on disk now, and where its features lie in a row."""
        state = self._state(name)
        kept = self._models.get(name)
        if kept is not None and kept[0] == state:
            self._models.move_to_end(name)
            return kept[1], kept[2]
        model, places = self._read(name)
        self._models[name] = (state, model, places)
        self._models.move_to_end(name)
        while len(self._models) > KEPT:
            self._walks.pop(self._models.popitem(last=False)[0], None)
        return model, places

    def _state(self, name: str) -> tuple[int, int] | None:
        """What changes when a manifest is replaced; None where there is none."""
        try:
            found = modelfiles.manifest_path(self._folder, name).stat()
        except FileNotFoundError:
            return None
        return found.st_mtime_ns, found.st_size

    def _read(self, name: str) -> tuple[Loaded | NoModel, tuple[int, ...]]:
        try:
            loaded = modelfiles.load(self._folder, name)
        except (BadModel, OSError) as problem:
            log.error("model %s is refused: %s", name, problem)
            return NoModel(f"the model of {name} is refused: {problem}"), ()
        if loaded is None:
            return NoModel("the feedback model is not trained yet" if name == FEEDBACK
                           else f"{name} has no model yet"), ()
        if isinstance(loaded, NoneNow):
            return NoModel(f"no model of {name} can be made now: {loaded.reason}", wanted=False), ()
        unknown = [feature for feature in loaded.manifest.features if feature not in _KNOWN]
        if unknown:
            return NoModel(f"the model of {name} is refused: it wants {unknown[0]}, which is not known here"), ()
        return loaded, tuple(_KNOWN.index(feature) for feature in loaded.manifest.features)
