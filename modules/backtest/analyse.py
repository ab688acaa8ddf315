"""Does a strategy look ahead, and how many candles does it need before its figures are settled? For any declared one.

Look-ahead: all wishes and figures are made once from all candles, and again from candles that end at some time. What
was known by then must be the same to the last bit; what is not was made from candles that live do not exist yet.
Warm-up: the figures of the last candles are made from all candles, and again with only N candles before them.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from modules.backtest.arrays import Floats, Ints
from modules.backtest.frames import DataError, Frame
from modules.backtest.strategies import Groups, Strategy
from modules.backtest.wishes import Wishes

COLUMNS = ("price", "kind", "side", "atr_pct", "size", "strength", "confidence", "goal", "stop")
LEAST = 10  # candles of a token below which nothing can be told
LAST = 30  # candles at the end whose figures are compared for the warm-up
ENDS = 3  # places of a token's history at which that is done
TOLERANCE = 1e-6  # relative; a recursive mean never forgets wholly


@dataclass(frozen=True, slots=True)
class Difference:
    """Something known at `time_ms` that became different once the candles after `cut_ms` were there.

    `what`: ``wish``, ``sell``, ``cover``, or a figure's name. `rows`: how many candles of that token and cut differ.
    """

    symbol: str
    what: str
    time_ms: int
    cut_ms: int
    told: str
    rows: int = 1


@dataclass(frozen=True, slots=True)
class Lookahead:
    """What was compared, and what differed."""

    cuts: int
    wishes: int
    figures: int
    differences: list[Difference]


@dataclass(frozen=True, slots=True)
class WarmUp:
    """Of each figure: the fewest candles before it that leave it unchanged; None where all there are do not do.

    `curve`: the largest relative change of any figure by the number of candles before. `declared`: the strategy's word.
    """

    declared: int
    needed: dict[str, int | None]
    curve: dict[int, float]
    places: int

    @property
    def enough(self) -> bool:
        """Whether what the strategy declares is enough for every figure."""
        return all(each is not None and each <= self.declared for each in self.needed.values())


def lookahead(strategy: Strategy, frames: Sequence[Frame], groups: Groups, cuts: int,
              tell: Callable[[int, int], None], seed: int = 7) -> Lookahead:
    """Compare at `cuts` times: half of them at closes with a wish, the others anywhere. Raises DataError."""
    _enough(frames)
    whole = strategy.wishes(frames, groups, Counter())
    figures = [strategy.figures(frame, groups) for frame in frames]
    found: list[Difference] = []
    times = cut_times(frames, whole, cuts, seed)
    compared = 0
    for number, cut in enumerate(times):
        shorter = [frame.rows(frame.time + frame.interval_ms <= cut) for frame in frames]
        kept = [place for place, frame in enumerate(shorter) if len(frame) >= LEAST]
        found += _wishes_apart(frames, kept, whole, strategy.wishes([shorter[each] for each in kept], groups,
                                                                    Counter()), cut)
        for place in kept:
            again = strategy.figures(shorter[place], groups)
            compared += sum(len(values) for values in again.values())
            found += _figures_apart(frames[place], figures[place], again, cut)
        tell(number + 1, len(times))
    return Lookahead(len(times), len(whole) + len(whole.sell_ms) + len(whole.cover_ms), compared, found)


def cut_times(frames: Sequence[Frame], whole: Wishes, cuts: int, seed: int) -> list[int]:
    """Times at which candles end: of wishes, and of any candle but the first ones; ascending, none twice."""
    rng = np.random.default_rng(seed)
    every = np.unique(np.concatenate([frame.time[LEAST:] + frame.interval_ms for frame in frames]))
    asked = np.unique(whole.known_ms)
    asked = asked[asked >= every[0]]
    some = rng.choice(asked, min(len(asked), cuts // 2), replace=False)
    others = rng.choice(every, min(len(every), cuts - len(some)), replace=False)
    return [int(ms) for ms in np.unique(np.concatenate((some, others)))]


def _enough(frames: Sequence[Frame]) -> None:
    if not any(len(frame) > LEAST for frame in frames):
        raise DataError(f"no token has more than {LEAST} candles: nothing can be told from them")


def _wishes_apart(frames: Sequence[Frame], kept: Sequence[int], whole: Wishes, again: Wishes,
                  cut: int) -> Iterator[Difference]:
    """Wishes and sells up to the cut that are not in both, or not the same."""
    before = _keyed(whole, range(len(frames)), cut)
    after = _keyed(again, kept, cut)
    for token, known_ms in sorted(before.keys() | after.keys()):
        if token not in kept:
            continue
        one, other = before.get((token, known_ms)), after.get((token, known_ms))
        if one == other:
            continue
        told = ("it is only there with later candles" if other is None else
                "it vanishes with later candles" if one is None else
                ", ".join(f"{name} {_value(a)} with later candles, {_value(b)} without"
                          for name, a, b in zip(COLUMNS, one, other, strict=True) if a != b))
        yield Difference(frames[token].symbol, "wish", known_ms, cut, told)
    for what in ("sell", "cover"):
        sells, others = _sells(whole, what, range(len(frames)), cut), _sells(again, what, kept, cut)
        for token, known_ms in sorted(each for each in sells ^ others if each[0] in kept):
            there = "only there" if (token, known_ms) in sells else "not there"
            yield Difference(frames[token].symbol, what, known_ms, cut, f"it is {there} with later candles")


def _keyed(wishes: Wishes, tokens: Sequence[int], cut: int) -> dict[tuple[int, int], tuple[object, ...]]:
    """Wishes by (token, time); NaN becomes None, so that it equals itself."""
    rows = np.flatnonzero(wishes.known_ms <= cut)
    columns = [[None if value != value else value for value in getattr(wishes, name)[rows].tolist()]
               for name in COLUMNS]
    keys = zip(wishes.token[rows].tolist(), wishes.known_ms[rows].tolist(), strict=True)
    return {(tokens[token], known): values
            for (token, known), values in zip(keys, zip(*columns, strict=True), strict=True)}


def _sells(wishes: Wishes, what: str, tokens: Sequence[int], cut: int) -> set[tuple[int, int]]:
    token, known = getattr(wishes, f"{what}_token").tolist(), getattr(wishes, f"{what}_ms").tolist()
    return {(tokens[each], ms) for each, ms in zip(token, known, strict=True) if ms <= cut}


def _figures_apart(frame: Frame, whole: dict[str, Floats], again: dict[str, Floats], cut: int) -> Iterator[Difference]:
    """Figures of candles up to the cut that are not the same to the last bit."""
    for name, values in again.items():
        before = whole[name][:len(values)]
        rows = np.flatnonzero((before != values) & ~(np.isnan(before) & np.isnan(values)))
        if len(rows):
            row = int(rows[-1])
            yield Difference(frame.symbol, name, int(frame.time[row]) + frame.interval_ms, cut,
                             f"{_value(before[row])} with later candles, {_value(values[row])} without", len(rows))


def _value(value: object) -> str:
    return "unknown" if value is None or value != value else f"{value:.10g}" if isinstance(value, float) else str(value)


def warm_up(strategy: Strategy, frames: Sequence[Frame], groups: Groups, tell: Callable[[int, int], None]) -> WarmUp:
    """How many candles before it each figure needs. Raises DataError where no token has more than are declared."""
    declared = strategy.warm_up(groups)
    usable = [frame for frame in frames if len(frame) > declared + LAST + 1]
    if not usable:
        longest = max((len(frame) for frame in frames), default=0)
        raise DataError(f"the longest token has {longest} candles; to judge a warm-up of {declared}, more than "
                        f"{declared + LAST + 1} are needed")
    places = [(frame, end) for frame in usable for end in _ends(frame, declared)]
    needed: dict[str, int | None] = {}
    curve: dict[int, float] = {}
    for number, (frame, end) in enumerate(places):
        figures = {name: values[-LAST:] for name, values in strategy.figures(frame.rows(slice(0, end)), groups).items()}
        one = _Place(strategy, frame, groups, end, figures)
        for count in _steps(min(end - LAST, max(5 * declared, 1000))):
            curve[count] = max(curve.get(count, 0.0), max(one.apart(count).values(), default=0.0))
        for name in figures:
            fewest = one.fewest(name)
            before = needed.get(name, 0)
            needed[name] = None if fewest is None or before is None else max(before, fewest)
        tell(number + 1, len(places))
    return WarmUp(declared, needed, dict(sorted(curve.items())), len(places))


def _ends(frame: Frame, declared: int) -> list[int]:
    """Rows at which a token's history is taken to end: its end, and some before."""
    least = declared + LAST + 1
    return sorted({int(end) for end in np.linspace(least + (len(frame) - least) / ENDS, len(frame), ENDS)})


def _steps(most: int) -> list[int]:
    """Numbers of candles that are tried: 0, 1, 2, 5, 10, 20, 50 …"""
    return [0, *(base * 10**power for power in range(8) for base in (1, 2, 5) if base * 10**power <= most)]


class _Place:
    """One end of one token: figures from fewer candles, each computed once."""

    def __init__(self, strategy: Strategy, frame: Frame, groups: Groups, end: int, whole: dict[str, Floats]) -> None:
        self._strategy, self._frame, self._groups = strategy, frame, groups
        self._end, self._whole = end, whole
        self._known: dict[int, dict[str, float]] = {}

    def apart(self, count: int) -> dict[str, float]:
        """The largest relative change of each figure with `count` candles before those compared."""
        if count not in self._known:
            part = self._frame.rows(slice(self._end - LAST - count, self._end))
            again = self._strategy.figures(part, self._groups)
            self._known[count] = {name: _change(values, again[name][-LAST:]) for name, values in self._whole.items()}
        return self._known[count]

    def fewest(self, name: str) -> int | None:
        """The fewest candles from which on nothing changes any more (by halving); None if even all but one do."""
        low, high = -1, self._end - LAST - 1
        if self.apart(high)[name] > TOLERANCE:
            return None
        for count in sorted(self._known):  # what is known already narrows it
            if self._known[count][name] > TOLERANCE:
                low = max(low, count)
        while high - low > 1:
            middle = (low + high) // 2
            if self.apart(middle)[name] > TOLERANCE:
                low = middle
            else:
                high = middle
        return high


def _change(whole: Floats, again: Floats) -> float:
    """Largest relative change; what was known and is not (or the other way) counts as 1."""
    known, other = np.isfinite(whole), np.isfinite(again)
    both = known & other
    same = (whole == again) | (np.isnan(whole) & np.isnan(again))
    scale = np.maximum(np.abs(whole[both]), 1e-300)
    moved = float((np.abs(whole[both] - again[both]) / scale).max(initial=0.0))
    lost: Ints = np.flatnonzero(~both & ~same)
    return max(moved, 1.0 if len(lost) else 0.0)
