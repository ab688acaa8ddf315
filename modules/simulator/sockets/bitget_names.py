"""Bitget's channels: their names, who may hear them, and what is no channel."""

from __future__ import annotations

from typing import Any, NamedTuple

from modules.simulator.dialects.bitget_market import GRANULARITIES, PRODUCT

BOOKS = {"books": 200, "books1": 1, "books5": 5, "books15": 15}
#: how often a channel tells, market ms; what is not here tells as it happens
PACES = {"books": 200, "books1": 100, "books5": 200, "books15": 200, "ticker": 300}
CANDLE_MS = 500
CANDLES = frozenset(f"candle{granularity}" for granularity in GRANULARITIES)
PRIVATE = ("account", "positions", "orders", "orders-algo", "fill", "positions-history", "equity")
#: of these, instId default means all contracts; `account` names a coin instead
DEFAULT = "default"


class Topic(NamedTuple):
    """A channel of a contract (`of` its name), or of an account (`of` default)."""

    inst: str
    channel: str
    of: str

    @property
    def arg(self) -> dict[str, str]:
        """As it is asked for and told."""
        key = "coin" if self.channel == "account" else "instId"
        return {"instType": self.inst, "channel": self.channel, key: self.of}

    @property
    def private(self) -> bool:
        """Whether only an account's owner hears it."""
        return self.channel in PRIVATE

    def __str__(self) -> str:
        return f"instType:{self.inst},channel:{self.channel},instId:{self.of}"


def topic_of(arg: Any) -> Topic | None:
    """The channel that an argument names; None where it is none, whatever contract it names."""
    if not isinstance(arg, dict):
        return None
    inst, channel = arg.get("instType"), arg.get("channel")
    of = arg.get("coin", arg.get("instId", DEFAULT)) if channel == "account" else arg.get("instId", DEFAULT)
    if not (isinstance(inst, str) and isinstance(channel, str) and isinstance(of, str)):
        return None
    topic = Topic(inst.upper(), channel, of)
    known = channel in BOOKS or channel in CANDLES or channel in ("ticker", "trade") or channel in PRIVATE
    return topic if known and topic.inst == PRODUCT else None
