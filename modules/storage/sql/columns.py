"""Column types that mean the same on every database: exact money, JSON, text short enough to be a key."""

from decimal import Context, Decimal
from typing import Any

import msgspec
from sqlalchemy import Numeric, String, Text
from sqlalchemy.dialects.mysql import LONGTEXT
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

SCALE = 18  # decimal places
_DIGITS = 38
_WIDE = Context(prec=2 * _DIGITS)  # Python's own 28 digits would round
_LAST = Decimal(1).scaleb(-SCALE)
_MOST = Decimal(10) ** (_DIGITS - SCALE)


class Money(TypeDecorator[Decimal]):
    """Decimal, exactly: NUMERIC(38, 18), and text on SQLite, whose own numbers are floats.

    Raises ValueError for floats, for more than 18 places, for what is not finite or has over 20 digits before
    the point: money is never rounded in silence (X12).
    """

    impl = Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        kind: TypeEngine[Any] = String(60) if dialect.name == "sqlite" else Numeric(_DIGITS, SCALE)
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        if value is None:
            return None
        if isinstance(value, float):
            raise ValueError(f"money {value!r} is a float; give a Decimal or text")
        number = Decimal(value)
        if not number.is_finite() or abs(number) >= _MOST or _WIDE.quantize(number, _LAST) != number:
            raise ValueError(f"money {value} does not fit into {_DIGITS - SCALE} digits and {SCALE} decimal places")
        return format(number, "f") if dialect.name == "sqlite" else number

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else _WIDE.plus(_WIDE.normalize(Decimal(value)))


class Json(TypeDecorator[Any]):
    """Any JSON value as text: readable everywhere, and kept as it was written."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(LONGTEXT() if dialect.name in ("mysql", "mariadb") else Text())

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else msgspec.json.encode(value).decode()

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else msgspec.json.decode(value)


def key(length: int = 40) -> String:
    """Text that is part of a key: compared byte by byte on every database (MariaDB would else fold case)."""
    return String(length).with_variant(String(length, collation="utf8mb4_bin"), "mysql", "mariadb")
