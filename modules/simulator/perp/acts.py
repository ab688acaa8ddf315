"""What POST /sim/act with `"futures": true` can do to the perpetual venue: by the owner's hand or by the venue's."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from modules.simulator.act_checks import fitting, power_of_ten
from modules.simulator.acts import ActError, told
from modules.simulator.perp.words import Leg

#: action → (what it needs, what it may have)
ACTIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "buy": (("symbol", "qty"), ("price", "leg", "account")),
    "sell": (("symbol", "qty"), ("price", "leg", "account")),
    "close": (("symbol",), ("leg", "account")),
    "cancel": ((), ("symbol", "order_id", "client_id", "account")),
    "cancel_algo": ((), ("symbol", "order_id", "client_id", "account")),
    "hedge": (("on",), ("account",)),
    "leverage": (("symbol", "leverage"), ("account",)),
    "isolated": (("symbol", "on"), ("account",)),
    "transfer": (("amount",), ("account",)),
    "liquidate": ((), ("symbol", "leg", "account")),
    "halt": (("symbol",), ()),
    "resume": (("symbol",), ()),
    "delist": (("symbol",), ("shown",)),
    "rename": (("symbol", "to"), ()),
    "tick_size": (("symbol",), ("tick", "step")),
    "jump": (("symbol", "pct"), ()),
    "funding_rate": (("symbol", "rate"), ()),
    "settle_funding": ((), ()),
    "revoke_key": ((), ("account",)),
    "restore_key": ((), ("account",)),
}
Action = Literal[
    "buy", "sell", "close", "cancel", "cancel_algo", "hedge", "leverage", "isolated", "transfer", "liquidate", "halt",
    "resume", "delist", "rename", "tick_size", "jump", "funding_rate", "settle_funding",
    "revoke_key", "restore_key"]


class PerpAct(BaseModel):
    """One thing to do. Amounts are decimals in text."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    action: Action
    account: str = "trader"
    symbol: str | None = Field(None, min_length=1, max_length=40)
    to: str | None = Field(None, pattern=r"^[A-Z0-9]{2,20}USDT$")
    leg: Leg | None = None
    qty: Decimal | None = Field(None, gt=0, le=10**12)
    price: Decimal | None = Field(None, gt=0, le=10**12)
    amount: Decimal | None = Field(None, ge=-(10**12), le=10**12)
    order_id: int | None = None
    client_id: str | None = None
    on: bool | None = None
    leverage: int | None = Field(None, ge=1, le=125)
    shown: bool = False
    tick: Annotated[Decimal, power_of_ten(12)] | None = None
    step: Annotated[Decimal, power_of_ten(12)] | None = None
    pct: Decimal | None = Field(None, gt=-99, le=1000)
    rate: Decimal | None = Field(None, ge=-1, le=1)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        fitting(self, self.action, ACTIONS)
        return self

    @classmethod
    def parse(cls, data: object) -> PerpAct:
        """An act from JSON values, without its `futures` mark. Raises ActError."""
        try:
            return cls.model_validate(data)
        except ValidationError as problem:
            raise ActError(told(problem)) from problem
