"""Settings of the simulated exchange."""

from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class SimulatorSettings(BaseModel):
    """The market, its pace, its accounts and its limits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="Address to listen on; loopback unless you know why")
    port: int = Field(0, ge=0, le=65535, description="Port to listen on; 0 takes a free one")
    speed: float = Field(1.0, gt=0, le=1000, description="Market seconds for each second of the wall clock")
    tokens: int = Field(300, ge=1, le=2500, description="Tokens beside the majors (BTC, ETH, …)")
    futures: int = Field(
        30, ge=0, le=300,
        description="Perpetual contracts (Binance USD-M's wire), made when somebody first asks for one; 0 offers none"
    )
    bitget_users: int = Field(
        0, ge=0, le=5000,
        description="More accounts behind Bitget's wire: keys sim-key-1 …, secrets sim-secret-1 …, for many users"
    )
    bitget_calls: int = Field(
        6_000, ge=60, le=1_000_000,
        description="Calls a minute of one address behind Bitget's wire; more than Bitget's own stand for several"
    )
    seed: int = Field(1, ge=0, description="The market's seed: same seed, same market")
    start: datetime | None = Field(None, description="Market time at the start, ISO 8601; default the wall clock's")
    replay: Path | None = Field(
        None, description="Recorded candles instead of the market model, or recorded raw frames (docs/SOCKETS.md)")
    faults: Path | None = Field(None, description="Fault plan, a JSON file")
    fault_seed: int | None = Field(None, ge=0, description="Seed of the faults' dice; default the plan's own, or 0")
    fault_rate: float | None = Field(
        None, ge=0, le=1, description="Share of all requests that meet a fault of the default mix"
    )
    record: Path | None = Field(None, description="Append the venue's own truth to this file, JSON lines")
    state: Path | None = Field(None, description="Folder that keeps accounts and orders across restarts")
    start_usdt: float = Field(10_000.0, gt=0, le=1e9, description="USDT in each account at its first start")
    fee_asset: Literal["quote", "received"] = Field(
        "quote", description="Commission is charged in USDT (as MEXC does) or in the coin received"
    )
    weight_limit: int = Field(500, ge=10, description="Request weight per endpoint and 10 s, per IP and per account")
    ban_after: int = Field(
        100, ge=0, description="Refusals (429) in 10 s after which an address is banned (418) for two minutes; 0 never"
    )
    accept_wall_time: bool = Field(
        False, description="Also accept requests signed with the wall clock (clients that cannot follow --speed)"
    )
