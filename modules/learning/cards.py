"""The card of a model: what it did out of sample, in figures that can be drawn. ``NAME_card.json`` beside its files.

Nothing is decided by a card; a card that is missing or of another training is simply not shown. Intervals resample
whole days (promise.by_day); None is not known.
"""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import numpy.typing as npt

from modules.learning.modelfiles import check_name
from modules.learning.promise import by_day
from modules.learning.validation import Interval
from utils.files import write_atomic

if TYPE_CHECKING:
    from modules.learning.fit import Shown

Floats = npt.NDArray[np.float64]

MOST_BINS = 8
LEAST_IN_BIN = 15
LEAST_APART = 0.01
STEPS = (0.0, 0.5, 0.8, 0.85, 0.9, 0.95, 1.0)  # of confidence: below the table of exits, then its rows
MOST_POINTS = 120
DAY_MS = 86_400_000


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """Judgements between two figures: how many, what was said on average, what came true, what they earned."""

    low: float
    high: float
    count: int
    said: float
    right: Interval | None
    net: Interval | None


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """Sums of net percent, one equal stake a candidate, at the end of days (ms): all, and the approved."""

    time: tuple[int, ...]
    all: tuple[float, ...]
    approved: tuple[float, ...]


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """What /model draws. `judged` are out-of-sample candidates with a calibrated chance, `from_ms` … `to_ms`."""

    name: str
    generation: str
    label: str
    judged: int
    base_rate: float
    from_ms: int
    to_ms: int
    reliability: tuple[Bar, ...]
    confidence: tuple[Bar, ...]
    equity: Curve


def make(name: str, label: str, shown: "Shown", bar: float, seed: int) -> Card:
    """The card of out-of-sample judgements; `bar` is the confidence that counts as approved."""
    known = np.isfinite(shown.probability)
    said, of = shown.probability[known], _edges(shown.probability[known])
    reliability = _bars(said, of, shown.labels[known], shown.net[known], shown.times[known], seed)
    sure = np.isfinite(shown.confidence)
    confidence = _bars(shown.confidence[sure], np.array(STEPS), shown.labels[sure], shown.net[sure],
                       shown.times[sure], seed)
    return Card(
        name=name, generation="", label=label, judged=int(known.sum()), base_rate=float(shown.labels.mean()),
        from_ms=int(shown.times.min()), to_ms=int(shown.times.max()), reliability=reliability, confidence=confidence,
        equity=_curve(shown.net[sure], shown.confidence[sure] >= bar, shown.times[sure]),
    )  # fmt: skip


def card_path(folder: Path, name: str) -> Path:
    """``NAME_card.json``."""
    return folder / f"{check_name(name)}_card.json"


def save(folder: Path, card: Card) -> None:
    """Write a card. Raises OSError."""
    write_atomic(card_path(folder, card.name), msgspec.json.encode(card) + b"\n")


def read(folder: Path, name: str, generation: str) -> Card | None:
    """The card of this very training; None where there is none that can be read."""
    try:
        card = msgspec.json.decode(card_path(folder, name).read_bytes(), type=Card)
    except (OSError, msgspec.MsgspecError):
        return None
    return card if card.name == name and card.generation == generation else None


def _edges(said: Floats) -> Floats:
    """Borders between bins of about as many judgements each."""
    if not len(said):
        return np.array([0.0, 1.0])
    bins = max(1, min(MOST_BINS, len(said) // LEAST_IN_BIN))
    found: Floats = np.unique(np.quantile(said, np.linspace(0.0, 1.0, bins + 1)))
    apart = [found[0]]
    for edge in found[1:-1]:  # points that lie on each other tell nothing more
        if edge - apart[-1] >= LEAST_APART and found[-1] - edge >= LEAST_APART:
            apart.append(edge)
    return np.array([*apart, found[-1]])


def _bars(said: Floats, edges: Floats, labels: Floats, net: Floats, times: Floats, seed: int) -> tuple[Bar, ...]:
    """Judgements by what was said, lower edge included (the last bin: both)."""
    place = np.clip(np.searchsorted(edges[1:-1], said, side="right"), 0, len(edges) - 2)
    groups = np.stack([place == number for number in range(len(edges) - 1)])
    right, earned = by_day(labels, groups, times, seed), by_day(net, groups, times, seed)
    return tuple(
        Bar(low=float(edges[number]), high=float(edges[number + 1]), count=int(member.sum()),
            said=float(said[member].mean()), right=_finite(right[number]), net=_finite(earned[number]))
        for number, member in enumerate(groups) if member.any()
    )


def _finite(interval: Interval) -> Interval | None:
    return interval if math.isfinite(interval.mean) else None


def _curve(net: Floats, approved: npt.NDArray[np.bool_], times: Floats) -> Curve:
    known = np.isfinite(net)
    if not known.any():
        return Curve(time=(), all=(), approved=())
    days, day = np.unique(np.floor_divide(times[known], DAY_MS), return_inverse=True)
    every = np.cumsum(np.bincount(day, net[known], len(days)))
    chosen = np.cumsum(np.bincount(day, np.where(approved[known], net[known], 0.0), len(days)))
    at = np.unique(np.linspace(0, len(days) - 1, min(len(days), MOST_POINTS)).astype(int))
    ends = ((days[at] + 1) * DAY_MS).astype(np.int64)
    return Curve(time=tuple(ends.tolist()), all=tuple(_plain(every[at])), approved=tuple(_plain(chosen[at])))


def _plain(values: Floats) -> list[float]:
    return [round(float(value), 4) if math.isfinite(value) else 0.0 for value in values]
