"""What every provider of sentiment answers with, and what it must be able to do."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol


class Label(StrEnum):
    """The side a text takes."""

    BEARISH = "bearish"
    NEUTRAL = "neutral"
    BULLISH = "bullish"


@dataclass(frozen=True, slots=True)
class Score:
    """The sentiment of one text.

    `score` is -1 (bearish) … 1 (bullish), `confidence` 0 … 1 how often such a label is right, `age_s` seconds from
    publication to scoring (None: unknown), `fallback` whether a better provider was wanted and could not be had.
    Raises ValueError when a number lies outside its range (NaN included).
    """

    score: float
    label: Label
    confidence: float
    provider: str
    source: str = ""
    age_s: float | None = None
    fallback: bool = False
    language: str = "und"

    def __post_init__(self) -> None:
        if not -1 <= self.score <= 1:
            raise ValueError(f"score is {self.score}; a sentiment lies in -1 … 1")
        if not 0 <= self.confidence <= 1:
            raise ValueError(f"confidence is {self.confidence}; it lies in 0 … 1")
        if self.age_s is not None and not self.age_s >= 0:
            raise ValueError(f"age_s is {self.age_s}; an age is not negative")

    def of(self, source: str, age_s: float | None, fallback: bool = False) -> "Score":
        """The same score with where the text came from and how old it was."""
        return replace(self, source=source, age_s=age_s, fallback=fallback)


class LocalProvider(Protocol):
    """Scores texts on this machine: no network, no state, the same answer for the same text."""

    @property
    def name(self) -> str:
        """Name and version, as recorded with every score."""

    def score(self, text: str) -> Score:
        """The sentiment of any text; never raises for what the text says, however long or broken."""
