"""A user's ``customSettings`` (E9, E10): the camelCase map of the seed onto the settings, every error listed (E6)."""

import math
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from modules.strategies.grid.settings import GridSettings

# The seed names these two differently in its two sections.
ALSO = {"useSmaEntry": "use_sma_sar", "tradingPair": "trading_symbol"}
# Told by the whole program or by the account, never by a user.
NOT_A_USERS = frozenset({"paper_usdt"})


class WrongSettings(Exception):
    """A map that makes no grid: `problems` has one line for every error, by the name that the user gave."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def camel(field: str) -> str:
    """``space_percent`` → ``spacePercent``."""
    return to_camel(field)


NAMES: dict[str, str] = {camel(field): field for field in GridSettings.model_fields if field not in NOT_A_USERS} | ALSO


def customised(base: GridSettings, given: Mapping[str, Any]) -> GridSettings:
    """`base` with a user's changes. Raises WrongSettings naming everything that is wrong, not only the first."""
    problems: list[str] = []
    values = base.model_dump()
    said: dict[str, str] = {}
    for name, value in given.items():
        field = NAMES.get(name)
        if field is None:
            problems.append(f"{name[:80]}: there is no such setting")
        elif field in said:
            problems.append(f"{name}: says the same as {said[field]}; give one of them")
        elif isinstance(value, float) and not math.isfinite(value):
            problems.append(f"{name}: {value} is no number to trade with")
        elif isinstance(value, bool) is not (GridSettings.model_fields[field].annotation is bool):
            problems.append(f"{name}: {str(value)[:80]!r} is not " + ("a number or text" if isinstance(value, bool)
                                                                      else "true or false"))
        else:
            said[field] = name
            values[field] = value
    try:
        chosen = GridSettings.model_validate(values)
    except ValidationError as errors:
        told = [_told(error, said) for error in errors.errors(include_url=False, include_context=False)]
        # Pydantic looks at the whole only once each part is right; the user shall see both lists at once.
        if not any(error["type"] == "value_error" for error in errors.errors(include_url=False)):
            told += _also(base, values, errors)
        raise WrongSettings(problems + [line for text in told for line in text.split("; ")]) from None
    if problems:
        raise WrongSettings(problems)
    return chosen


def _told(error: Any, said: Mapping[str, str]) -> str:
    message = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:
        return str(message)
    field = str(error["loc"][0])
    return f"{said.get(field, camel(field))}: {message}"


def _also(base: GridSettings, values: Mapping[str, Any], errors: ValidationError) -> list[str]:
    """Contradictions among what is right, with the wrong ones left as they were before."""
    wrong = {error["loc"][0] for error in errors.errors(include_url=False) if error["loc"]}
    sound = {field: getattr(base, field) if field in wrong else value for field, value in values.items()}
    try:
        GridSettings.model_validate(sound)
    except ValidationError as others:
        return [_told(error, {}) for error in others.errors(include_url=False, include_context=False)]
    return []
