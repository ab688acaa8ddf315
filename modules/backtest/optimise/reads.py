"""Which settings a computation has looked at, so that its result serves every trial in which those are the same.

A strategy need not declare which settings its entries depend on: they are watched while they are read. A computation
that read the same values takes the same way and comes to the same result.
"""

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

T = TypeVar("T")
Groups = Mapping[str, BaseModel]
MOST_KEPT = 4


class _Watched(dict[str, BaseModel]):
    """Groups whose fields note that they were read."""

    def __init__(self, groups: Groups) -> None:
        self.seen: set[tuple[str, str]] = set()
        super().__init__({name: _watching(name, model, self.seen) for name, model in groups.items()})


def _watching(group: str, model: BaseModel, seen: set[tuple[str, str]]) -> BaseModel:
    kind = type(model)
    fields = frozenset(kind.model_fields)

    def looked(self: BaseModel, name: str) -> Any:
        if name in fields:
            seen.add((group, name))
        elif name == "__dict__" or name.startswith("model_"):  # a whole copy: everything may be read from it
            seen.update((group, field) for field in fields)
        return kind.__getattribute__(self, name)

    watcher: type[BaseModel] = type(kind.__name__, (kind,), {"__getattribute__": looked, "__module__": kind.__module__})
    made = watcher.model_construct(**{field: getattr(model, field) for field in fields})
    seen.clear()
    return made


class Remembered(Generic[T]):
    """Results of `work(groups)`, the newest few, each with the settings that it read."""

    def __init__(self, work: Callable[[Groups], T], most: int = MOST_KEPT) -> None:
        self._work = work
        self._most = most
        self._known: list[tuple[dict[tuple[str, str], Any], T]] = []
        self.computed = 0

    def __call__(self, groups: Groups) -> T:
        """The result for these settings, computed or remembered."""
        for place, (read, result) in enumerate(self._known):
            if all(getattr(groups[group], field) == value for (group, field), value in read.items()):
                self._known.append(self._known.pop(place))
                return result
        watched = _Watched(groups)
        watched.seen.clear()
        result = self._work(watched)
        read = {(group, field): getattr(groups[group], field) for group, field in watched.seen}
        self._known = [*self._known[-self._most + 1:], (read, result)]
        self.computed += 1
        return result
