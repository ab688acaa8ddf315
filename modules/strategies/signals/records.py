"""What the signal bot remembers: a signal from birth to end, and the state that survives a restart (D8–D10)."""

from typing import Any

import msgspec


class Follow(msgspec.Struct, kw_only=True):
    """A signal, or a control trade, being followed tick by tick. Prices are floats as sent; times market ms.

    `left`: share still open; `gross_pct`: result of what was closed, % of the entry, before fees; `stop_now`: where the
    stop stands; `last_id`: the last aggregate trade that was looked at. `first` and `outcome`: TP1, TP2, SL, EXPIRY,
    GONE; empty until then.
    """

    id: str
    symbol: str
    sign: int
    entry: float
    stop: float
    tp1: float
    tp2: float
    begun_ms: int
    expires_ms: int
    stop_now: float
    last_id: int = 0
    last_ms: int = 0
    last_price: float = 0.0
    left: float = 1.0
    gross_pct: float = 0.0
    first: str = ""
    outcome: str = ""
    closed_ms: int = 0
    best_pct: float = 0.0
    worst_pct: float = 0.0


class Signal(msgspec.Struct, kw_only=True):
    """One signal (D9) or control trade (`kind` CTRL, `of` its signal). `priority` as judged, `sent_as` after demotion
    (empty: not sent). `told`, `end_told`: its messages lie in the outbox."""

    follow: Follow
    kind: str = "ENTRY"
    of: str = ""
    priority: str
    sent_as: str = ""
    quality: int
    imbalance: float
    large_trades: int
    intensity: float
    confidence: float
    confirmations: list[str] = []
    large_orders: int = 0
    size_pct: float
    risk_reward: float
    hold_min: tuple[int, int]
    vwap: float = 0.0
    atr: float = 0.0
    answer_by_ms: int = 0
    told: bool = False
    end_told: bool = False
    reasons: dict[str, Any] = {}

    @property
    def id(self) -> str:
        return self.follow.id

    @property
    def symbol(self) -> str:
        return self.follow.symbol

    @property
    def direction(self) -> str:
        return "LONG" if self.follow.sign > 0 else "SHORT"


class Planned(msgspec.Struct, kw_only=True):
    """A control trade that begins at a random time; distances are shares of its entry."""

    of: str
    symbol: str
    sign: int
    due_ms: int
    risk: float
    tp1_r: float
    tp2_r: float
    hold_ms: int
    priority: str
    quality: int


class Counts(msgspec.Struct, kw_only=True):
    """Limits of D8 as they stand. `day`: UTC day number; `hold_back`: signals to be held back, by scope."""

    day: int = 0
    sent: dict[str, int] = {}
    hold_back: dict[str, int] = {}
    held_back: int = 0


class State(msgspec.Struct, kw_only=True):
    """Everything that one write keeps together: what is open, what is counted, what is planned."""

    open: dict[str, Signal] = {}
    counts: Counts = msgspec.field(default_factory=Counts)
    planned: list[Planned] = []
    demoted: dict[str, str] = {}
    sent_symbols: dict[str, int] = {}


def row_of(signal: Signal, result: "tuple[float, float] | None" = None) -> dict[str, Any]:
    """The row of table `signals`. `result`: (net R, net %) of an ended one."""
    follow = signal.follow
    return {
        "id": follow.id, "symbol": follow.symbol, "direction": signal.direction, "kind": signal.kind,
        "priority": signal.priority, "ms": follow.begun_ms, "entry": follow.entry, "stop_loss": follow.stop,
        "tp1": follow.tp1, "tp2": follow.tp2, "quality": float(signal.quality),
        "status": "closed" if follow.outcome else "open", "outcome": follow.outcome or None,
        "closed_ms": follow.closed_ms or None, "net_r": result[0] if result else None,
        "net_pct": result[1] if result else None, "body": msgspec.to_builtins(signal)}
