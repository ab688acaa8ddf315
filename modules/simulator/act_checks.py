"""Checks that the acts on either venue share."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from pydantic import AfterValidator, BaseModel

#: action → (what it needs, what it may have)
Actions = Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]


def power_of_ten(places: int) -> AfterValidator:
    """For the type of a tick or step: a power of ten up to 1, with at most `places` decimals."""
    def checked(value: Decimal) -> Decimal:
        if not value.is_finite() or value.normalize().as_tuple().digits != (1,) or not -places <= value.adjusted() <= 0:
            raise ValueError("has to be a power of ten up to 1, e.g. 0.001")
        return value

    return AfterValidator(checked)


def fitting(act: BaseModel, action: str, actions: Actions) -> set[str]:
    """The names that were given with `action`, where they fit it. Raises ValueError in the asker's words."""
    needs, may = actions[action]
    given = act.model_fields_set - {"action"}
    missing = sorted(name for name in needs if getattr(act, name) is None)
    if missing:
        raise ValueError(f"'{action}' needs {', '.join(missing)}")
    odd = sorted(given - set(needs) - set(may))
    if odd:
        raise ValueError(f"'{odd[0]}' means nothing to '{action}' (it takes: {', '.join(needs + may)})")
    if action == "tick_size" and all(getattr(act, name, None) is None for name in ("tick", "step")):
        raise ValueError("'tick_size' needs tick or step")
    return given
