"""Prometheus' text format 0.0.4: families with help, type and samples."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Labels = Mapping[str, str]


@dataclass
class Exposition:
    """Families in the order in which they were first told. Names carry their unit (seconds, bytes, ratio)."""

    _families: dict[str, list[str]] = field(default_factory=dict)

    def gauge(self, name: str, told: str, value: float | None, /, **labels: str) -> None:
        """One sample of something that goes up and down; None is left out: nothing is guessed."""
        self._sample(name, "gauge", told, value, labels)

    def counter(self, name: str, told: str, value: float | None, /, **labels: str) -> None:
        """One sample of something that only grows (until its process starts anew); `name` ends with _total."""
        self._sample(name, "counter", told, value, labels)

    def text(self) -> str:
        """The whole answer."""
        return "".join(f"{line}\n" for lines in self._families.values() for line in lines)

    def _sample(self, name: str, kind: str, told: str, value: float | None, labels: Labels) -> None:
        if value is None:
            return
        head = [f"# HELP {name} {_escaped(told)}", f"# TYPE {name} {kind}"]
        inner = ",".join(f'{key}="{_quoted(word)}"' for key, word in labels.items())
        self._families.setdefault(name, head).append(f"{name}{{{inner}}} {_number(value)}" if inner else
                                                     f"{name} {_number(value)}")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', '\\"')


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))
