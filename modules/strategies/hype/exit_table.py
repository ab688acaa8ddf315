"""The table of exits (A13): targets and stop by strategy and confidence, in two presets, with overrides read from text.

``seed`` is the table as the specification prints it. ``gain`` applies the seed's factors (1.2, 0.9, 1.05) to the
*gain* of the simple row instead of to the price; its stops are those of ``seed``.
"""

from decimal import Decimal, InvalidOperation
from typing import NamedTuple

STRATEGIES = ("simple", "aggressive", "revival", "momentum_safe")
CONFIDENCES = ("0.80", "0.85", "0.90", "0.95")
MAX_LEVELS = 4
_FACTORS = {"simple": Decimal(1), "aggressive": Decimal("1.2"), "revival": Decimal("0.9"),
            "momentum_safe": Decimal("1.05")}


class Row(NamedTuple):
    """Targets as multiples of the entry price, stop in percent below it."""

    targets: tuple[Decimal, ...]
    stop_pct: Decimal


Table = dict[tuple[str, str], Row]

_SEED_TEXT = """
simple 0.80: 1.03 1.06 1.09 / 2.5
simple 0.85: 1.05 1.10 1.20 / 3.5
simple 0.90: 1.05 1.10 1.20 / 3.5
simple 0.95: 1.10 1.20 1.30 1.40 / 5
aggressive 0.80: 1.236 1.272 1.308 / 3
aggressive 0.85: 1.26 1.32 1.44 / 4.2
aggressive 0.90: 1.26 1.32 1.44 / 4.2
aggressive 0.95: 1.32 1.44 1.56 1.68 / 6
revival 0.80: 1.027 1.054 1.081 / 2.25
revival 0.85: 1.045 1.09 1.18 / 3.15
revival 0.90: 1.045 1.09 1.18 / 3.15
revival 0.95: 1.09 1.18 1.27 1.36 / 4.5
momentum_safe 0.80: 1.059 1.091 1.143 / 2.1
momentum_safe 0.85: 1.1025 1.155 1.26 / 2.8
momentum_safe 0.90: 1.1025 1.155 1.26 / 2.8
momentum_safe 0.95: 1.155 1.26 1.365 1.47 / 4
"""


def parse_row(text: str) -> tuple[tuple[str, str], Row]:
    """Read ``simple 0.80: 1.03 1.06 1.09 / 2.5``. Raises ValueError that names the row and what is wrong with it."""
    try:
        head, body = text.split(":")
        strategy, confidence = head.split()
        targets_text, stop_text = body.split("/")
        row = Row(tuple(Decimal(part) for part in targets_text.split()), Decimal(stop_text.strip().rstrip("%").strip()))
    except (ValueError, InvalidOperation):
        raise ValueError(f"exit level {text!r} cannot be read; write: simple 0.80: 1.03 1.06 1.09 / 2.5") from None
    if strategy not in STRATEGIES:
        raise ValueError(f"exit level {text!r}: no strategy {strategy!r}; one of {', '.join(STRATEGIES)}")
    if confidence not in CONFIDENCES:
        raise ValueError(f"exit level {text!r}: confidence {confidence} is no row; one of {', '.join(CONFIDENCES)}")
    check_row(f"{strategy} {confidence}", row)
    return (strategy, confidence), row


def check_row(name: str, row: Row) -> None:
    """Raises ValueError for targets at or below the entry, targets that do not rise, or a stop that is none (A13)."""
    shown = " ".join(str(target) for target in row.targets)
    if not 1 <= len(row.targets) <= MAX_LEVELS:
        raise ValueError(f"exits of {name}: {len(row.targets)} targets; there must be 1 to {MAX_LEVELS}")
    for target in row.targets:
        if not target.is_finite() or target <= 1 or target > 10:
            raise ValueError(f"exits of {name}: target {target} × entry must lie above 1 (a gain) and at most at 10")
    if any(later <= earlier for earlier, later in zip(row.targets, row.targets[1:], strict=False)):
        raise ValueError(f"exits of {name}: targets {shown} must rise from one to the next")
    if not row.stop_pct.is_finite() or not 0 < row.stop_pct < 50:
        raise ValueError(f"exits of {name}: stop {row.stop_pct} % must lie between 0 and 50 %")


def table(preset: str, overrides: tuple[str, ...] = ()) -> Table:
    """The whole table of a preset with the rows of `overrides` in place. Raises ValueError (see `parse_row`)."""
    rows = dict(parse_row(line) for line in _SEED_TEXT.strip().splitlines())
    if preset == "gain":
        rows = {key: Row(_gains(rows[("simple", key[1])].targets, _FACTORS[key[0]]), row.stop_pct)
                for key, row in rows.items()}
    rows.update(parse_row(text) for text in overrides)
    return rows


def _gains(targets: tuple[Decimal, ...], factor: Decimal) -> tuple[Decimal, ...]:
    return tuple(1 + (target - 1) * factor for target in targets)


def check_shares(name: str, shares: tuple[float, ...]) -> None:
    """Raises ValueError when the slices of a ladder leave nothing to trail (A15)."""
    if any(not 0 < share <= 100 for share in shares):
        raise ValueError(f"{name}: every share must lie above 0 and at most at 100 %")
    if sum(shares) >= 100:
        told = " + ".join(f"{share:g}" for share in shares)
        raise ValueError(f"{name}: {told} = {sum(shares):g} % sold at the targets; less than 100 % must be sold there, "
                         "because a remainder always trails")
