"""Spoils the content of an answer: fields that are no numbers, rows that come twice, rows out of order.

Every function returns the new text, or None where there is nothing in the answer that it could spoil.
"""

from __future__ import annotations

import json
import random
from decimal import Decimal, InvalidOperation
from typing import Any

from modules.simulator.fault_words import MANDATORY

_IDS = ("id", "orderId", "asset", "symbol")
_NAMES = frozenset({*_IDS, "clientOrderId", "origClientOrderId"})  # never numbers, whatever they look like
_SIGNED = ("priceChange", "priceChangePercent")  # may be negative: that would not be a fault


def spoil(text: str, kind: str, how: str | None, field: str | None, rng: random.Random) -> str | None:
    """An answer's text spoilt in the way of `kind`."""
    try:
        content = json.loads(text)
    except ValueError:
        return None
    if kind == "bad_field":
        done = _bad_field(content, how, field, rng)
    else:
        done = _rows_changed(content, kind, how, rng)
    return json.dumps(content) if done else None


def truncate(text: str, rng: random.Random) -> str | None:
    """The beginning of a text, so cut that it is not JSON any more."""
    return text[: rng.randint(1, len(text) - 1)] if len(text) > 2 and text[0] in "[{" else None


# -- rows ------------------------------------------------------------------------------------------------------


def _rows(content: Any) -> list[Any] | None:
    """The list that an answer is about, wherever it is."""
    if isinstance(content, list):
        return content
    if isinstance(content, dict):
        for name in ("balances", "symbols", "data", "bids"):
            rows = content.get(name)
            if isinstance(rows, list):
                return rows
    return None


def _rows_changed(content: Any, kind: str, how: str | None, rng: random.Random) -> bool:
    rows = _rows(content)
    if not rows:
        return False
    if kind == "empty_list":
        rows.clear()
        return True
    if kind == "shuffle_rows":
        before = list(rows)
        rng.shuffle(rows)
        return rows != before
    how = how or ("id" if len(rows) > 1 and rng.random() < 0.3 else "row")
    if how == "row":
        row = rng.choice(rows)
        rows.insert(rng.randrange(len(rows) + 1), row)
        return True
    return _same_id(rows, rng)


def _same_id(rows: list[Any], rng: random.Random) -> bool:
    """Give a row the id of another one that says something else."""
    if len(rows) < 2:
        return False
    first, second = rng.sample(range(len(rows)), 2)
    one, other = rows[first], rows[second]
    if isinstance(one, dict) and isinstance(other, dict):
        name = next((name for name in _IDS if one.get(name) is not None and other.get(name) != one[name]), None)
        if name is None:
            return False
        rows[second] = {**other, name: one[name]}
        return True
    if isinstance(one, list) and isinstance(other, list) and one and other:
        rows[second] = [one[0], *other[1:]]
        return True
    return False


# -- fields ----------------------------------------------------------------------------------------------------


def _numeric(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    if isinstance(value, int | float):
        return True
    if not isinstance(value, str) or not value:
        return False
    try:
        return Decimal(value).is_finite()
    except InvalidOperation:
        return False


def _amount(name: Any, value: Any) -> bool:
    return name not in _NAMES and _numeric(value)


def _bad_field(content: Any, how: str | None, field: str | None, rng: random.Random) -> bool:
    """Spoil one field of one row (or of the answer itself)."""
    rows = _rows(content)
    row = rng.choice(rows) if rows else content
    if isinstance(row, list):
        places: list[Any] = [place for place, value in enumerate(row) if _numeric(value)]
    elif isinstance(row, dict):
        places = [name for name, value in row.items()
                  if (name == field if field else _amount(name, value) or (name in MANDATORY and value is not None))]
    else:
        return False
    if not places:
        return False
    place = rng.choice(places)
    value = row[place]
    # A garbled id or coin could pass for another one, and a huge number for a number: those only on demand.
    ways = ["null", "absent"]
    if _amount(place, value):
        ways += ["garbage", "nan"] if place in _SIGNED else ["garbage", "nan", "negative"]
    how = how or rng.choice(ways)
    if how == "absent":
        del row[place]
        return True
    spoilt = _spoilt(value, how)
    if spoilt == value:
        return False
    row[place] = spoilt
    return True


def _spoilt(value: Any, how: str) -> Any:
    text = isinstance(value, str)
    if how == "null":
        return None
    if how == "nan":
        return "NaN" if text else float("nan")
    if how == "garbage" or not _numeric(value):
        return "--" if text else "soon"
    if how == "huge":
        return "1e400" if text else 10**400
    number = Decimal(value) if text else value
    negative = -abs(number) if number else -1
    return f"{negative:f}" if text else negative
