"""Settings of the Bitget account of system E (standalone mode), and of the way to the venue for all its users."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class BitgetSettings(BaseModel):
    """Where Bitget is, with which key a single user trades, and how many calls a second this address may make."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Literal["simulated", "bitget"] = Field("simulated", description="Venue of the grid: simulated or bitget")
    api_key: SecretStr = Field(SecretStr(""), description="Bitget key of the standalone grid (no withdrawal right)",
                               json_schema_extra={"env": "BITGET_API_KEY"})
    secret_key: SecretStr = Field(SecretStr(""), description="Secret of that key",
                                  json_schema_extra={"env": "BITGET_SECRET_KEY"})
    passphrase: SecretStr = Field(SecretStr(""), description="Passphrase of that key",
                                  json_schema_extra={"env": "BITGET_PASSPHRASE"})
    demo: bool = Field(False, description="TEST trades on Bitget's demo with a demo key instead of on paper",
                       json_schema_extra={"env": "BITGET_DEMO"})
    base_url: str = Field("", description="Other address of Bitget's REST API, e.g. http://127.0.0.1:8900")
    proxy: str = Field("", description="HTTP proxy for Bitget, e.g. http://127.0.0.1:3128")
    ca_file: str = Field("", description="Certificate file to trust besides the system's")
    timeout_s: float = Field(10.0, gt=0, le=120, description="Longest wait for an answer of Bitget, seconds")
    recv_window_ms: int = Field(30_000, ge=500, le=60000, description="How old a signed request may be (Bitget's own)")
    calls_a_second: float = Field(90.0, ge=1, le=100_000, description="Calls a second of this machine's address, all "
                                  "users together (Bitget allows 6,000 a minute)")
    margin: Literal["CROSSED", "ISOLATED"] = Field("CROSSED", description="Margin mode of the grid's contracts")
