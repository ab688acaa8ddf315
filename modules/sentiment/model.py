"""Our own small model: hashed words and pairs, our lexicon, logistic regressions. Needs numpy only.

The file is a plain .npz without pickle: index (n,) uint32 of the words known, weight (n, 3) float16 with idf folded in,
idf (n,), dense (3, 3), bias (3,), temperature, classes bearish/bullish/neutral. scripts/train_sentiment.py makes it.
"""

import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from modules.sentiment.features import SIZE, dense, grams
from modules.sentiment.language import UNKNOWN, language
from modules.sentiment.lexicon import hits
from modules.sentiment.score import Label, Score
from modules.sentiment.text import clean

FILE = Path(__file__).with_name("headlines.npz")
CLASSES = (Label.BEARISH, Label.BULLISH, Label.NEUTRAL)
UNSURE = 1 / 3  # confidence of a label that was not read from words
_FOREIGN = 0.45  # and of one read from our lexicon (emojis, ATH …) alone, in a language that was not trained


class ModelFault(ValueError):
    """The model file cannot be used; the text says why."""


class HeadlineModel:
    """Scores English headlines; of other languages only what our lexicon knows, with little confidence."""

    def __init__(self, path: Path = FILE) -> None:
        """Raises ModelFault for a file that is missing, damaged or of another shape."""
        try:
            with np.load(path, allow_pickle=False) as held:
                index, weight, idf = held["index"], held["weight"], held["idf"]
                self._dense, self._bias = held["dense"].astype(np.float64), held["bias"].astype(np.float64)
                self._temperature, self._version = float(held["temperature"]), str(held["version"])
        except Exception as problem:  # numpy and zipfile raise a dozen kinds for damaged bytes
            raise ModelFault(f"The sentiment model {path.name} cannot be read ({type(problem).__name__}: {problem}). "
                             "Get the file again from the repository.") from problem
        shapes = (weight.shape == (len(index), 3), idf.shape == index.shape, self._dense.shape == (3, 3),
                  self._bias.shape == (3,), len(index) > 0 and int(index.max()) < SIZE, self._temperature > 0)
        if not all(shapes) or not all(np.isfinite(part).all() for part in (weight, idf, self._dense, self._bias)):
            raise ModelFault(f"The sentiment model {path.name} has another shape than expected or numbers that are "
                             "none. Get the file again from the repository.")
        self._place = {int(at): row for row, at in enumerate(index)}
        self._weight, self._idf = weight.astype(np.float32), idf.astype(np.float32)

    @property
    def name(self) -> str:
        """Name and version."""
        return f"headlines-{self._version}"

    def probabilities(self, text: str) -> tuple[float, float, float]:
        """Calibrated chances (bearish, bullish, neutral) of a cleaned English text; they sum to 1."""
        rows = [row for row in map(self._place.get, grams(text)) if row is not None]
        total = self._bias + np.asarray(dense(text)) @ self._dense
        if rows:
            length = math.sqrt(float(np.square(self._idf[rows]).sum()))
            total = total + self._weight[rows].sum(axis=0) / length
        a, b, c = (float(each) / self._temperature for each in total)
        top = max(a, b, c)
        parts = math.exp(a - top), math.exp(b - top), math.exp(c - top)
        whole = sum(parts)
        return parts[0] / whole, parts[1] / whole, parts[2] / whole

    def score(self, text: str) -> Score:
        """The sentiment of any text."""
        words = clean(text)
        spoken = language(words)
        if spoken not in ("en", UNKNOWN) or (spoken == UNKNOWN and words):
            return self._foreign(words, spoken)
        if not words:
            return Score(0.0, Label.NEUTRAL, UNSURE, self.name, language=UNKNOWN)
        chances = self.probabilities(words)
        best = chances.index(max(chances))
        return Score(chances[1] - chances[0], CLASSES[best], chances[best], self.name, language=spoken)

    def _foreign(self, words: str, spoken: str) -> Score:
        up, down = hits(words)
        side = max(-1.0, min(1.0, (up - down) / 8.0))
        if abs(up - down) < 1.0:
            return Score(side, Label.NEUTRAL, UNSURE, self.name, language=spoken)
        return Score(side, Label.BULLISH if side > 0 else Label.BEARISH, _FOREIGN, self.name, language=spoken)


@cache
def shipped() -> HeadlineModel:
    """The model that ships, loaded once in a process."""
    return HeadlineModel()


def save(path: Path, **arrays: Any) -> None:
    """Write a model file (arrays as in this module's first lines)."""
    parts: dict[str, npt.NDArray[Any]] = {name: np.asarray(value) for name, value in arrays.items()}
    np.savez_compressed(path, allow_pickle=False, **parts)
