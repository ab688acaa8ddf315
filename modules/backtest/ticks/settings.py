"""Settings of tick backtests: what an order's way costs, how a queue moves, and the plain rule set's own figures."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class TickSettings(BaseModel):
    """The venue between a decision and its fill."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start_usdt: float = Field(10_000.0, gt=0, le=1e7, description="Cash at the start, USDT")
    maker_fee_pct: float = Field(0.02, ge=-1, le=5, description="Fee of a resting order's fill, %")
    taker_fee_pct: float = Field(0.05, ge=-1, le=5, description="Fee of a taker's fill, %")
    entry_ms: float = Field(5.0, ge=0, le=60_000, description="An order's way to the venue, ms")
    answer_ms: float = Field(5.0, ge=0, le=60_000, description="The answer's way back, ms")
    feed_ms: float = Field(1.0, ge=0, le=60_000, description="Least time that a market message travels, ms")
    queue: Literal["back", "power"] = Field("back", description="How a resting order moves forward: back = by trades "
                                                                "only; power = by cancellations before it as well")
    queue_power: float = Field(3.0, gt=0, le=20, description="Exponent of the power queue")
    slip_ticks: int = Field(0, ge=0, le=10_000, description="Ticks that every taker pays on top of the book's price")
    partial: bool = Field(True, description="A resting order gets only what traded beyond its place in the queue")
    look_ms: float = Field(1000.0, ge=20, le=60_000, description="signals: a symbol is looked at so often at most, "
                                                                 "market ms")
    maintenance_pct: float = Field(0.5, ge=0, le=50, description="grid: maintenance margin, % of what is held")
    lot_usdt: float = Field(0.0, ge=0, le=1e7, description="grid: scale all lots so that the first is worth this, "
                                                           "USDT; 0 = as they are")
    trust: bool = Field(False, description="Decide before the first snapshot as well")


class ImbalanceSettings(BaseModel):
    """A plain rule set for ticks: enter with the book's imbalance, leave by the live exit rules."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trade_usdt: float = Field(200.0, gt=0, le=1e6, description="Size of a trade, USDT")
    look_ms: float = Field(100.0, gt=0, le=60_000, description="Time between two looks, ms")
    levels: int = Field(10, ge=1, le=1000, description="Best levels of each side that count")
    enter: float = Field(0.5, gt=0, lt=1, description="Imbalance beyond which it enters")
    both: bool = Field(True, description="Sells short as well")
    maker: bool = Field(False, description="Enters with a post-only order at the touch instead of a market order")
    wait_s: float = Field(5.0, gt=0, le=3600, description="How long such an order may wait, seconds")
    target_pct: float = Field(0.10, ge=0, le=100, description="Target, % of the entry; 0: none")
    stop_pct: float = Field(0.10, gt=0, lt=50, description="Stop, % of the entry")
    trail_pct: float = Field(0.05, gt=0, lt=50, description="Fall from the peak after the target that ends it, %")
    hold_s: float = Field(60.0, ge=0, le=86_400, description="Longest hold, seconds; 0: none")
