"""The mood of a symbol out of scored texts: one recursion for the live board and for backtests. Pure.

1. A text weighs its confidence, half of that `half_life_s` later, and so on; what was old when we heard of it begins
   with what its age left. Only the time at which *we* knew it counts: a backtest that asks for an instant sees what the
   live bot saw then, nothing later.
2. score = sum(weight x score) / (PRIOR + sum(weight)): one weak text moves little, many that agree move much.
3. confidence = sum(weight) / (PRIOR + sum(weight)).
4. Texts that name no symbol speak of the whole market: they count `MARKET_SHARE` for every symbol.
"""

import math
from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

MARKET = "*"
MARKET_SHARE = 0.3
PRIOR = 1.0
MOST_NAMES = 4


class Scored(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One text as it was scored; a line of the record. `known_ms` is market time, when the score was there.

    `symbols` empty: the whole market. `age_s`: seconds from publication to scoring (calendar time), None: unknown.
    `fallback`: a better provider was wanted and could not be had. `text`: the first words, for people.
    """

    known_ms: int
    score: float
    label: str
    confidence: float
    provider: str
    source: str
    id: str
    symbols: tuple[str, ...] = ()
    age_s: float | None = None
    fallback: bool = False
    language: str = "und"
    text: str = ""


class Gauge(msgspec.Struct):
    """The decayed sums of one symbol at `at_ms`, and where the newest texts came from."""

    at_ms: int = 0
    weight: float = 0.0
    value: float = 0.0
    texts: int = 0
    newest_ms: int = 0
    fallback: bool = False
    providers: list[str] = []
    sources: list[str] = []

    def add(self, text: Scored, half_life_s: float) -> None:
        """Take one text in; texts come in the order of `known_ms` (an earlier one counts as known at `at_ms`)."""
        at = max(text.known_ms, self.at_ms)
        fade = faded(at - self.at_ms, half_life_s) if self.at_ms else 0.0
        weight = text.confidence * faded((text.age_s or 0.0) * 1000.0, half_life_s)
        self.weight = self.weight * fade + weight
        self.value = self.value * fade + weight * text.score
        self.at_ms = self.newest_ms = at
        self.texts += 1
        self.fallback = text.fallback
        self.providers = _front(text.provider, self.providers)
        self.sources = _front(text.source, self.sources)


class Mood(msgspec.Struct, frozen=True, kw_only=True):
    """The sentiment of a symbol at an instant.

    `score` -1 … 1, `confidence` 0 … 1, `age_s`: seconds of market time since the newest text. `providers` and
    `sources`: those of the newest texts, the newest first. `fallback`: the newest text was scored by the fallback.
    """

    symbol: str
    score: float
    confidence: float
    texts: int
    age_s: float
    providers: tuple[str, ...]
    sources: tuple[str, ...]
    fallback: bool


def faded(passed_ms: float, half_life_s: float) -> float:
    """What is left of a weight after `passed_ms`."""
    return math.exp(-math.log(2.0) * max(0.0, passed_ms) / 1000.0 / half_life_s)


def mood(symbol: str, own: Gauge | None, market: Gauge | None, now_ms: int, half_life_s: float) -> Mood | None:
    """The mood at `now_ms` (at or after the gauges' instants); None where no text was ever known."""
    parts = [(gauge, share) for gauge, share in ((own, 1.0), (market, MARKET_SHARE if own is not market else 0.0))
             if gauge is not None and gauge.texts and share]
    if not parts:
        return None
    weight = sum(gauge.weight * share * faded(now_ms - gauge.at_ms, half_life_s) for gauge, share in parts)
    value = sum(gauge.value * share * faded(now_ms - gauge.at_ms, half_life_s) for gauge, share in parts)
    by_age = sorted((gauge for gauge, _ in parts), key=lambda gauge: -gauge.newest_ms)
    newest = by_age[0]
    score = value / (PRIOR + weight)
    return Mood(symbol=symbol, score=max(-1.0, min(1.0, score)), confidence=weight / (PRIOR + weight),
                texts=sum(gauge.texts for gauge, _ in parts), age_s=max(0, now_ms - newest.newest_ms) / 1000.0,
                providers=tuple(dict.fromkeys(name for gauge in by_age for name in gauge.providers)),
                sources=tuple(dict.fromkeys(name for gauge in by_age for name in gauge.sources)),
                fallback=newest.fallback)


def gauges(texts: Iterable[Scored], half_life_s: float) -> dict[str, Gauge]:
    """The gauges of all symbols (``*``: the market) after `texts`, which come in the order of `known_ms`."""
    found: dict[str, Gauge] = {}
    for text in texts:
        for symbol in text.symbols or (MARKET,):
            found.setdefault(symbol, Gauge()).add(text, half_life_s)
    return found


def series(symbol: str, texts: Sequence[Scored], times_ms: npt.NDArray[np.int64],
           half_life_s: float) -> npt.NDArray[np.float64]:
    """(n, 3) score, confidence and age in seconds of `symbol` at each of `times_ms` (which rise): as `mood` tells them.

    Before the first text the row is 0, 0, inf. `texts` in the order of `known_ms`.
    """
    out = np.zeros((len(times_ms), 3))
    out[:, 2] = np.inf
    own, market = Gauge(), Gauge()
    place = 0
    for row, now_ms in enumerate(times_ms.tolist()):
        while place < len(texts) and texts[place].known_ms <= now_ms:
            text = texts[place]
            if not text.symbols:
                market.add(text, half_life_s)
            elif symbol in text.symbols:
                own.add(text, half_life_s)
            place += 1
        found = mood(symbol, own, market, now_ms, half_life_s)
        if found is not None:
            out[row] = found.score, found.confidence, found.age_s
    return out


def _front(name: str, names: list[str]) -> list[str]:
    return [name, *(each for each in names if each != name)][:MOST_NAMES]
