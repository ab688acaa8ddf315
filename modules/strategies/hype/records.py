"""Records of system A as they lie in its files: positions, trades, activity. Prices and money are Decimal."""

from decimal import Decimal
from enum import StrEnum
from typing import Literal

import msgspec


class Strategy(StrEnum):
    """How a hype token is traded; the figures of each are in rules.py and docs/STRATEGIES.md."""

    SIMPLE = "simple"
    AGGRESSIVE = "aggressive"
    REVIVAL = "revival"
    MOMENTUM_SAFE = "momentum_safe"


class Position(msgspec.Struct, kw_only=True, frozen=True):
    """One tracked token in ``tracked_tokens.json``; only the tracker writes it.

    `cost_usdt` is all that the entry cost, its fees included; `quantity` what is left of `initial_quantity`, both net
    of fees taken in the coin. `slices` are the quantities due at each target, `owed` what was due but too small to
    be sold alone. `reason` says why a position is being closed. `applied` names the orders already booked in here, so
    that none is booked twice after a crash.
    """

    id: str
    symbol: str
    mode: Literal["TEST", "LIVE"]
    strategy: Strategy
    confidence: float
    probability: float | None = None
    opened_ms: int
    entry_price: Decimal
    quantity: Decimal
    initial_quantity: Decimal
    cost_usdt: Decimal
    fees_usdt: Decimal = Decimal(0)
    tp_prices: tuple[Decimal, ...]
    tp_hit: int = 0
    sl_price: Decimal
    sl_initial: Decimal
    dynamic_peak: Decimal
    trailing: bool = False
    realized_usdt: Decimal = Decimal(0)
    state: Literal["open", "closing", "halted", "delisted", "external"] = "open"
    last_price: Decimal | None = None
    last_seen_ms: int = 0
    atr_pct: float | None = None
    cause: str = ""
    slices: tuple[Decimal, ...] = ()
    owed: Decimal = Decimal(0)
    reason: str = ""
    applied: tuple[str, ...] = ()


class Trade(msgspec.Struct, kw_only=True, frozen=True):
    """One executed order in ``trade_history.json``. `pnl_usdt` is net of both sides' fees; only on sells."""

    id: str
    position_id: str
    symbol: str
    mode: Literal["TEST", "LIVE"]
    side: Literal["BUY", "SELL"]
    market_ms: int
    price: Decimal
    quantity: Decimal
    quote_usdt: Decimal
    fee_usdt: Decimal
    strategy: Strategy
    confidence: float
    reason: str
    pnl_usdt: Decimal | None = None
    pnl_pct: float | None = None
    closes: bool = False
    opened_ms: int = 0


class Activity(msgspec.Struct, kw_only=True, frozen=True):
    """One judgement or event in ``bot_log.json`` (the models' activity log)."""

    market_ms: int
    event: str
    symbol: str = ""
    strategy: str = ""
    verdict: Literal["approved", "rejected", "waiting", "info", "error"] = "info"
    codes: tuple[str, ...] = ()
    probability: float | None = None
    confidence: float | None = None
    price: float | None = None
    text: str = ""


class Proposal(msgspec.Struct, kw_only=True, frozen=True):
    """Body of a ``buy`` message from the scanner to the tracker's inbox.

    `size_factor` is what the market's mood makes of the size of a trade (A10): 1 as set, 0.5 half.
    """

    symbol: str
    strategy: Strategy
    confidence: float
    probability: float | None
    price: float
    atr_pct: float
    market_ms: int
    mode: Literal["TEST", "LIVE"]
    candidate_id: str
    size_factor: float = 1.0
