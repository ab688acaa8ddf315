"""Things that happen to a venue: told by a plan's events, by rules, or on demand by POST /sim/act.

Here is only what can be asked for; `deeds.py` does it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from modules.simulator.act_checks import fitting, power_of_ten
from modules.simulator.sockets.rules import StreamRule

#: action → (what it needs, what it may have)
ACTIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "manual_buy": (("symbol",), ("qty", "usdt", "price", "account")),
    "manual_sell": (("symbol",), ("qty", "price", "account")),
    "manual_cancel": ((), ("symbol", "order_id", "client_id", "account")),
    "transfer_in": (("asset", "amount"), ("account",)),
    "transfer_out": (("asset", "amount"), ("account",)),
    "halt": (("symbol",), ("account",)),
    "resume": (("symbol",), ("account",)),
    "sell_only": (("symbol",), ("account",)),
    "delist": (("symbol",), ("account", "shown")),
    "close_api": (("symbol",), ("account", "told")),
    "refuse_market_orders": (("symbol",), ("account", "told")),
    "tick_size": (("symbol",), ("tick", "step", "account")),
    "revoke_key": ((), ("account", "how")),
    "restore_key": ((), ("account",)),
    "clock_jump": (("ms",), ("for_ms",)),
    "outage": (("for_ms",), ()),
    "stream": (("fault",), ()),
    "expire_listen_key": ((), ("account",)),
}
Action = Literal[
    "manual_buy", "manual_sell", "manual_cancel", "transfer_in", "transfer_out", "halt", "resume", "sell_only",
    "delist", "close_api", "refuse_market_orders", "tick_size", "revoke_key", "restore_key", "clock_jump", "outage",
    "stream", "expire_listen_key"]
HELD, ORDERED = "@held", "@ordered"


class ActError(Exception):
    """An act cannot be done; the message says why."""


class NotYet(ActError):
    """There is nothing yet that the act could be done to."""


class Act(BaseModel):
    """One thing to do. Amounts are decimals in text; "all" is everything that is free."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    action: Action
    account: str = "trader"
    symbol: str | None = Field(None, min_length=1, max_length=40)
    asset: str | None = Field(None, min_length=1, max_length=40)
    qty: Decimal | Literal["all"] | None = None
    amount: Decimal | Literal["all"] | None = None
    usdt: Decimal | None = Field(None, gt=0, le=10**9)
    price: Decimal | None = Field(None, gt=0, le=10**12)
    order_id: str | None = None
    client_id: str | None = None
    tick: Annotated[Decimal, power_of_ten(18)] | None = None
    step: Annotated[Decimal, power_of_ten(18)] | None = None
    how: Literal["unknown", "address", "expired", "permission"] = "unknown"
    told: bool | None = None
    shown: bool = True
    ms: float | None = Field(None, ge=-3_600_000, le=3_600_000)
    for_ms: float | None = Field(None, gt=0, le=3_600_000)
    fault: StreamRule | None = None

    @field_validator("qty", "amount")
    @classmethod
    def _above_zero(cls, value: Decimal | str | None) -> Decimal | str | None:
        if isinstance(value, Decimal) and not (value.is_finite() and 0 < value <= 10**15):
            raise ValueError("has to be above 0, or \"all\"")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        given = fitting(self, self.action, ACTIONS)
        if self.action == "manual_buy" and (self.qty is None) == (self.usdt is None):
            raise ValueError("'manual_buy' needs qty or usdt")
        if self.action == "manual_buy" and (self.qty == "all" or (self.price is not None and self.qty is None)):
            raise ValueError("'manual_buy' takes a qty in numbers, and with a price only that")
        if self.action == "manual_cancel" and not given & {"symbol", "order_id", "client_id"}:
            raise ValueError("'manual_cancel' needs symbol, order_id or client_id")
        return self

    @classmethod
    def parse(cls, data: object) -> Act:
        """An act from JSON values. Raises ActError."""
        try:
            return cls.model_validate(data)
        except ValidationError as problem:
            raise ActError(told(problem)) from problem


def told(problem: ValidationError) -> str:
    """The first thing that is wrong, on one line: its place, and why."""
    first = problem.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    place = place if place.isprintable() else ascii(place)
    why = "no such name here" if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Value error, ")
    return f"{place}: {why}" if place else why
