"""What is searched: settings with their ranges, from their declarations or from the command line.

1. Any number, choice or switch of a strategy's groups can be searched; costs (``backtest.*``) never: a search would
   find that fees of nothing are best.
2. The range is `search` in the declaration (``json_schema_extra={"search": [low, high]}``, a third word ``log`` for
   steps that multiply), else its bounds, where it has both. ``--space name=low:high[:step|log]`` or ``name=a,b,c``
   comes before both.
3. Without ``--space`` the settings with a declared `search` range are searched; on recorded frames those with
   `search_ticks` as well (what candles cannot judge: weights of order flow).
"""

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from utils.mistakes import wrong

Value = int | float | bool | str
Groups = Mapping[str, BaseModel]
NEVER_SEARCHED = ("backtest", "ticks")
MOST_CELLS = 100_000


class SpaceError(Exception):
    """A search space that cannot be; the text names the setting, the value and the mend."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One searched setting: a range (`low` … `high`, both included; `step` 0 for none), or `choices`."""

    name: str
    low: float = 0.0
    high: float = 0.0
    step: float = 0.0
    log: bool = False
    whole: bool = False
    choices: tuple[Value, ...] = ()

    def at(self, place: float) -> Value:
        """The value at `place` of [0, 1)."""
        if self.choices:
            return self.choices[min(int(place * len(self.choices)), len(self.choices) - 1)]
        if self.step:
            count = self.steps()
            return self._tidy(self.low + min(int(place * count), count - 1) * self.step)
        if self.whole and not self.log:
            return min(int(self.low + place * (self.high - self.low + 1)), int(self.high))
        if self.log:
            return self._tidy(math.exp(math.log(self.low) + place * (math.log(self.high) - math.log(self.low))))
        return self._tidy(self.low + place * (self.high - self.low))

    def steps(self) -> int:
        """How many values it can have; 0 for endlessly many."""
        if self.choices:
            return len(self.choices)
        if self.step:
            return int(math.floor((self.high - self.low) / self.step + 1e-9)) + 1
        return int(self.high - self.low) + 1 if self.whole and not self.log else 0

    def values(self) -> list[Value]:
        """All its values. Raises SpaceError where they are endlessly many."""
        count = self.steps()
        if count == 0:
            raise SpaceError(f"{self.name}: a grid needs steps; write {self.name}={self.low:g}:{self.high:g}:STEP")
        return [self.at((place + 0.5) / count) for place in range(count)]

    def _tidy(self, value: float) -> Value:
        """Five digits are enough for a setting, and are read more easily."""
        rounded = float(f"{value:.5g}")
        return round(rounded) if self.whole else min(max(rounded, self.low), self.high)

    def __str__(self) -> str:
        if self.choices:
            return f"{self.name}={','.join(map(str, self.choices))}"
        more = ":log" if self.log else f":{self.step:g}" if self.step else ""
        return f"{self.name}={self.low:g}:{self.high:g}{more}"


def space_of(groups: Groups, asked: Sequence[str], fixed: Mapping[str, Value],
             ticks: bool = False) -> list[Parameter]:
    """The parameters of a search; `ticks`: on recorded frames, where more can be searched.

    Raises SpaceError naming every problem at once.
    """
    problems: list[str] = []
    found: dict[str, Parameter] = {}
    for text in asked:
        try:
            parameter = _asked(groups, text)
            if parameter.name in found:
                raise SpaceError(f"--space {parameter.name}: is given twice")
            found[parameter.name] = parameter
        except SpaceError as problem:
            problems.append(str(problem))
    if not asked:
        found = {parameter.name: parameter for parameter in _declared(groups, ticks)}
    problems += [f"--space {name}: is fixed by --fix as well; keep one of the two" for name in found
                 if name in fixed and asked]
    if problems:
        raise SpaceError("\n".join(problems))
    chosen = [parameter for name, parameter in found.items() if name not in fixed]
    if not chosen:
        raise SpaceError("nothing is left to search; give a setting with --space name=low:high")
    return chosen


def field_of(groups: Groups, name: str) -> tuple[str, str, FieldInfo]:
    """(group, field, declaration) of a setting, with or without its group. Raises SpaceError."""
    known = {f"{group}.{field}" for group, model in groups.items() for field in type(model).model_fields}
    full = name if "." in name else next((f"{group}.{name}" for group in groups if f"{group}.{name}" in known), name)
    if full not in known:
        short = {each.partition(".")[2]: each for each in known}
        near = [*difflib.get_close_matches(full, known, 3, 0.6),
                *(short[each] for each in difflib.get_close_matches(name, short, 3, 0.6))]
        hint = f" Near to it: {', '.join(dict.fromkeys(near))}." if near else ""
        raise SpaceError(f"{name}: there is no such setting.{hint} docs/SETTINGS.md lists all.")
    group, _, field = full.partition(".")
    return group, field, type(groups[group]).model_fields[field]


def fixed_of(groups: Groups, texts: Sequence[str]) -> dict[str, Value]:
    """Settings set for the whole search, by full name. Raises SpaceError for one that cannot be."""
    found: dict[str, Value] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign:
            raise SpaceError(f"--fix {text}: write name=value")
        group, field, _ = field_of(groups, name.strip())
        try:
            made = with_values(groups, {f"{group}.{field}": value.strip()})
        except ValueError as problem:
            raise SpaceError(f"--fix {text}: {problem}") from None
        found[f"{group}.{field}"] = getattr(made[group], field)
    return found


def with_values(groups: Groups, values: Mapping[str, Value]) -> dict[str, BaseModel]:
    """The groups with some settings replaced. Raises ValueError where the settings refuse them."""
    changes: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        group, _, field = name.partition(".")
        changes.setdefault(group, {})[field] = value
    made = dict(groups)
    for group, fields in changes.items():
        model = groups[group]
        try:
            made[group] = type(model).model_validate({**dict(model), **fields})
        except ValidationError as problem:
            told = "; ".join(f"{'.'.join(map(str, each['loc'])) or group}: {wrong(each)}"
                             for each in problem.errors(include_url=False))
            raise ValueError(told) from None
    return made


def _declared(groups: Groups, ticks: bool) -> list[Parameter]:
    """Settings that their declaration offers for a search (rule 3)."""
    offers = ("search", "search_ticks") if ticks else ("search",)
    first = next(iter(groups))
    model = type(groups[first])
    return [_parameter(f"{first}.{field}", info) for field, info in model.model_fields.items()
            if isinstance(info.json_schema_extra, dict) and any(offer in info.json_schema_extra for offer in offers)]


def _asked(groups: Groups, text: str) -> Parameter:
    """A parameter of the command line: ``name``, ``name=low:high[:step|log]`` or ``name=a,b,c``."""
    name, sign, body = text.partition("=")
    group, field, info = field_of(groups, name.strip())
    full = f"{group}.{field}"
    if group in NEVER_SEARCHED:
        raise SpaceError(f"{full}: costs and assumptions are not searched; set it for the run with --fix")
    if not sign:
        return _parameter(full, info)
    kind = info.annotation
    if "," in body or kind is bool or get_origin(kind) is Literal:
        words = [word.strip() for word in body.split(",") if word.strip()]
        if len(set(words)) < 2:
            raise SpaceError(f"--space {text}: needs two values at least, e.g. {full}=a,b")
        return Parameter(full, choices=tuple(_checked(groups, full, word) for word in words))
    low, high, step, log = _range(full, body)
    if kind not in (int, float):
        raise SpaceError(f"--space {text}: {full} is no number; give its values: {full}=a,b")
    for bound in (low, high):
        _checked(groups, full, int(bound) if kind is int else bound)
    if kind is int and (low % 1 or high % 1 or step % 1):
        raise SpaceError(f"--space {text}: {full} takes whole numbers")
    return Parameter(full, low, high, step, log, kind is int)


def _range(name: str, body: str) -> tuple[float, float, float, bool]:
    parts = [part.strip() for part in body.split(":")]
    if not 2 <= len(parts) <= 3:
        raise SpaceError(f"--space {name}={body}: write {name}=low:high, low:high:step or low:high:log")
    log = len(parts) == 3 and parts[2] == "log"
    try:
        numbers = [float(part) for part in (parts[:2] if log else parts)]
    except ValueError:
        raise SpaceError(f"--space {name}={body}: {body!r} holds something that is no number") from None
    low, high, step = numbers[0], numbers[1], numbers[2] if len(numbers) == 3 else 0.0
    if not all(map(math.isfinite, numbers)) or not low < high:
        raise SpaceError(f"--space {name}={body}: the range is empty; the first number must be the smaller one")
    if step < 0 or step > high - low or (len(numbers) == 3 and step == 0):
        raise SpaceError(f"--space {name}={body}: a step must lie above 0 and at most at {high - low:g}")
    if log and low <= 0:
        raise SpaceError(f"--space {name}={body}: with log the range must lie above 0")
    return low, high, step, log


def _checked(groups: Groups, full: str, value: Value) -> Value:
    """A value as its setting takes it. Raises SpaceError where it does not."""
    group, _, field = full.partition(".")
    info = type(groups[group]).model_fields[field]
    try:
        from pydantic import TypeAdapter
        return TypeAdapter(_annotated(info)).validate_python(value)
    except ValidationError as problem:
        raise SpaceError(f"--space {full}: {value}: {wrong(problem.errors()[0])}") from None


def _annotated(info: FieldInfo) -> Any:
    from typing import Annotated
    kind: Any = info.annotation
    for rule in info.metadata:
        kind = Annotated[kind, rule]
    return kind


def _parameter(full: str, info: FieldInfo) -> Parameter:
    """The range of a declaration (rule 2). Raises SpaceError where it has none."""
    kind = info.annotation
    if kind is bool:
        return Parameter(full, choices=(False, True))
    if get_origin(kind) is Literal:
        return Parameter(full, choices=tuple(get_args(kind)))
    if kind not in (int, float):
        raise SpaceError(f"{full}: is neither a number nor a choice; it cannot be searched")
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    told = extra.get("search", extra.get("search_ticks"))
    if isinstance(told, list | tuple):
        low, high = (float(str(each)) for each in told[:2])
        return Parameter(full, low, high, log="log" in told, whole=kind is int)
    bounds = {side: float(getattr(rule, name)) for rule in info.metadata
              for name, side in (("ge", "low"), ("gt", "low"), ("le", "high"), ("lt", "high"))
              if getattr(rule, name, None) is not None}
    if len(bounds) < 2:
        raise SpaceError(f"{full}: has no range of its own; write {full}=low:high")
    open_low = any(getattr(rule, "gt", None) is not None for rule in info.metadata)
    open_high = any(getattr(rule, "lt", None) is not None for rule in info.metadata)
    width = bounds["high"] - bounds["low"]
    edge = 1.0 if kind is int else width / 1000
    return Parameter(full, bounds["low"] + edge * open_low, bounds["high"] - edge * open_high, whole=kind is int)


def grid_of(space: Sequence[Parameter]) -> list[dict[str, Value]]:
    """Every combination. Raises SpaceError where they are endlessly or far too many."""
    combinations: list[dict[str, Value]] = [{}]
    for parameter in space:
        combinations = [{**known, parameter.name: value} for known in combinations for value in parameter.values()]
        if len(combinations) > MOST_CELLS:
            raise SpaceError(f"the grid has more than {MOST_CELLS:,} combinations; take wider steps")
    return combinations


def spread_of(space: Sequence[Parameter], count: int, seed: int) -> list[dict[str, Value]]:
    """`count` combinations spread evenly over the space (scrambled Sobol points): the same for the same seed."""
    import warnings

    from scipy.stats import qmc
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of counts that are no powers of two: balance to the last point is not needed
        points = qmc.Sobol(len(space), scramble=True, rng=seed).random(count)
    return [{parameter.name: parameter.at(float(place)) for parameter, place in zip(space, row, strict=True)}
            for row in points]
