"""Settings of the market-data feed."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator


class FeedSettings(BaseModel):
    """What the feed process hears, and how long it waits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    venue: Literal["simulated", "binance_usdm"] = Field(
        "simulated", description="Whose futures streams: simulated (needs nothing) or binance_usdm")
    rest_url: str = Field("", description="Other address of the venue's REST API, e.g. http://127.0.0.1:8900")
    ws_url: str = Field("", description="Other address of the venue's streams, e.g. ws://127.0.0.1:8900")
    symbols: tuple[str, ...] = Field((), description="Symbols that are always heard; others are asked for by systems")
    top: int = Field(30, ge=0, le=200, description="Without symbols and wishes: so many with the largest 24 h volume")
    most_symbols: int = Field(200, ge=1, le=400, description="Symbols heard at once, at most")
    levels: int = Field(2048, ge=256, le=16384, description="Levels kept on each side of a book, at most")
    snapshot_levels: int = Field(500, description="Levels of a snapshot: 100, 500 or 1000 (weight 5, 10, 20)")
    trades: int = Field(8192, ge=256, le=131072, description="Latest trades kept for each symbol")
    candles: int = Field(100, ge=10, le=1000, description="Closed candles of context for each interval")
    intervals: tuple[str, ...] = Field(("15m", "1h"), description="Candle intervals heard")
    stale_after_s: float = Field(3.0, gt=0.2, le=60, description="A book without messages for so long is in doubt")
    silent_after_s: float = Field(5.0, gt=0.5, le=120, description="Trades, tickers, marks or candles that should have "
                                  "come for so long make that stream stale")
    late_after_s: float = Field(2.0, gt=0.1, le=60, description="A message later than the quickest by this is too late")
    silence_s: float = Field(10.0, ge=2, le=120, description="A connection without data for so long is opened anew")
    life_h: float = Field(23.0, gt=0, le=23.9, description="Connections are renewed before this many market hours")
    compiled: bool = Field(True, description="Use compiled books where numba is installed")
    consumers: tuple[str, ...] = Field((), description="Plug-ins that get every message, as module:function")
    redis_url: SecretStr = Field(SecretStr(""), description="Redis for fan-out, e.g. redis://127.0.0.1:6379/0",
                                 json_schema_extra={"env": "REDIS_URL"})
    redis_every_s: float = Field(0.25, ge=0.05, le=10, description="How often changed symbols go to Redis")
    weight_limit: int = Field(2400, ge=100, description="Request weight that the venue grants an address in a minute")

    @field_validator("snapshot_levels")
    @classmethod
    def _as_the_venue_answers(cls, value: int) -> int:
        if value not in (100, 500, 1000):
            raise ValueError("should be 100, 500 or 1000")
        return value

    @field_validator("intervals")
    @classmethod
    def _known_intervals(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        known = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d")
        if unknown := [one for one in value if one not in known]:
            raise ValueError(f"{', '.join(unknown)} is no interval of the venue; choose from {', '.join(known)}")
        return value
