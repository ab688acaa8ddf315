"""What is wrong with a value, in words for a person, from one error of pydantic. Knows no model.

The commonest kinds have words of their own; what a validator of ours said stands as it is.
"""

from collections.abc import Mapping
from typing import Any

_WHOLE, _NUMBER = "must be a whole number", "must be a number"
_WORDS = {
    "int_parsing": _WHOLE, "int_type": _WHOLE, "int_from_float": _WHOLE, "int_parsing_size": _WHOLE,
    "float_parsing": _NUMBER, "float_type": _NUMBER, "decimal_parsing": _NUMBER, "decimal_type": _NUMBER,
    "finite_number": "must be a finite number", "bool_parsing": "must be true or false",
    "bool_type": "must be true or false", "string_type": "must be text", "missing": "is missing",
    "extra_forbidden": "is not known here", "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}", "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}", "literal_error": "must be {expected}", "enum": "must be {expected}",
}


def wrong(error: Mapping[str, Any]) -> str:
    """The words of an element of ``ValidationError.errors()``, e.g. ``must be at most 100``."""
    known = _WORDS.get(error["type"])
    if known is None:
        return str(error["msg"]).removeprefix("Value error, ")
    try:
        return known.format(**{name: _plain(value) for name, value in error.get("ctx", {}).items()})
    except KeyError:  # asked for without its context
        return str(error["msg"])


def _plain(value: Any) -> Any:
    """``0`` for 0.0: a bound is told as people write it."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
