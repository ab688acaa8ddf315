"""Settings of the exchange gateway."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class ExchangeSettings(BaseModel):
    """Which venue, with which keys, by which addresses."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Literal["simulated", "mexc"] = Field(
        "simulated", description="Venue: simulated (needs nothing) or mexc", json_schema_extra={"env": "EXCHANGE"}
    )
    api_key: SecretStr = Field(SecretStr(""), description="Key for live trading (no withdrawal right)")
    api_secret: SecretStr = Field(SecretStr(""), description="Secret of that key")
    base_url: str = Field("", description="Other address of the venue's REST API, e.g. http://127.0.0.1:8900")
    proxy: str = Field("", description="HTTP proxy for the venue, e.g. http://127.0.0.1:3128")
    ca_file: str = Field("", description="Certificate file to trust besides the system's")
    timeout_s: float = Field(10.0, gt=0, le=120, description="Longest wait for an answer, seconds")
    recv_window_ms: int = Field(5000, ge=500, le=60000, description="How old a signed request may be")
    paper_usdt: float = Field(10_000.0, gt=0, description="Starting balance of the paper account, USDT")
    paper_latency_ms: int = Field(150, ge=0, le=10_000, description="Latency of the paper account, market ms")
