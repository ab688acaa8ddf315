"""VADER with our lexicon of crypto and finance: rules instead of training. Needs requirements-sentiment.txt.

Source: Hutto, Gilbert (2014), VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text.
"""

import math
from typing import Any

from modules.sentiment.language import language
from modules.sentiment.lexicon import joined, lexicon
from modules.sentiment.score import Label, Score
from modules.sentiment.text import clean
from utils.environment import to_install

THRESHOLD = 0.25  # |compound| from which a text takes a side; chosen on the training file (scripts/train_sentiment.py)
# Chance that the label is right = 1 / (1 + exp(-(a + b |compound|))): fitted on the training file, sides and neutral.
SIDE, NEUTRAL = (-1.51, 2.05), (1.14, -2.73)


class VaderMissing(ImportError):
    """vaderSentiment is not installed."""


class Vader:
    """VADER's rules over its own words and ours."""

    def __init__(self) -> None:
        """Raises VaderMissing."""
        try:
            from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer
        except ImportError as problem:
            raise VaderMissing("vaderSentiment is not installed. Install it with: "
                               f"{to_install('requirements-sentiment.txt')}, or use SENTIMENT provider "
                               "'headlines'.") from problem
        self._analyzer: Any = SentimentIntensityAnalyzer()
        own = lexicon()
        self._analyzer.lexicon.update({word.replace(" ", "_"): value for word, value in own.valence.items()})
        for sign in (word for word in own.valence if not word.isascii()):
            self._analyzer.emojis.pop(sign, None)  # VADER would put its description in the place of the sign
        self._version = own.version
        self._signs = [word for word in own.valence if not word.isascii()]

    @property
    def name(self) -> str:
        """Name and version of the lexicon."""
        return f"vader-{self._version}"

    def compound(self, text: str) -> float:
        """VADER's compound valence (-1 … 1) of a cleaned text."""
        for sign in self._signs:
            if sign in text:
                text = text.replace(sign, f" {sign} ")
        return float(self._analyzer.polarity_scores(joined(text))["compound"])

    def score(self, text: str) -> Score:
        """The sentiment of any text."""
        words = clean(text)
        side = self.compound(words) if words else 0.0
        label = Label.NEUTRAL if abs(side) < THRESHOLD else Label.BULLISH if side > 0 else Label.BEARISH
        a, b = NEUTRAL if label is Label.NEUTRAL else SIDE
        sure = 1 / (1 + math.exp(-(a + b * abs(side))))
        return Score(max(-1.0, min(1.0, side)), label, sure if words else 1 / 3, self.name, language=language(words))
