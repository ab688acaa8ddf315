"""Settings of futures: which venue, with which keys, and what must be true of the account before it trades."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class FuturesSettings(BaseModel):
    """The USD-M futures account and how its positions are kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Literal["simulated", "binance", "bybit"] = Field(
        "simulated", description="Venue: simulated, binance or bybit (bybit: the scalper alone)")
    dialect: Literal["binance", "bybit"] = Field(
        "binance", description="Whose protocol is spoken with the simulated venue: binance or bybit")
    api_key: SecretStr = Field(SecretStr(""), description="Key for live futures trading (no withdrawal right)",
                               json_schema_extra={"env": "BINANCE_API_KEY"})
    api_secret: SecretStr = Field(SecretStr(""), description="Secret of that key",
                                  json_schema_extra={"env": "BINANCE_API_SECRET"})
    testnet: bool = Field(False, description="Binance's test network instead of the real exchange",
                          json_schema_extra={"env": "BINANCE_TESTNET"})
    bybit_api_key: SecretStr = Field(SecretStr(""), description="Key of Bybit for live trading (no withdrawal right)",
                                     json_schema_extra={"env": "BYBIT_API_KEY"})
    bybit_api_secret: SecretStr = Field(SecretStr(""), description="Secret of that key",
                                        json_schema_extra={"env": "BYBIT_API_SECRET"})
    bybit_testnet: bool = Field(False, description="Bybit's test network instead of the real exchange",
                                json_schema_extra={"env": "BYBIT_TESTNET"})
    base_url: str = Field("", description="Other address of the venue's REST API, e.g. http://127.0.0.1:8900")
    ws_url: str = Field("", description="Other address of the venue's streams, e.g. ws://127.0.0.1:8900")
    proxy: str = Field("", description="HTTP proxy for the venue, e.g. http://127.0.0.1:3128")
    ca_file: str = Field("", description="Certificate file to trust besides the system's")
    timeout_s: float = Field(10.0, gt=0, le=120, description="Longest wait for an answer, seconds")
    recv_window_ms: int = Field(5000, ge=500, le=60000, description="How old a signed request may be")
    hedge: bool = Field(True, description="Position mode that is required: hedge (true) or one-way (false)")
    margin: Literal["CROSSED", "ISOLATED"] = Field("ISOLATED", description="Margin mode that is required")
    leverage: int = Field(5, ge=1, le=125, description="Leverage that is required of every symbol traded")
    arrange: bool = Field(False, description="Set mode and leverage by itself where no position and no order is open")
    liquidation_warn_pct: float = Field(15.0, ge=0, le=100, description="Warn when liquidation is nearer than this, %")
    liquidation_act_pct: float = Field(5.0, ge=0, le=100, description="Close when liquidation is nearer than this, %")
    exit_slippage_pct: float = Field(0.3, gt=0, le=4, description="First price cap of an exit, %; widens until out")
    unprotected_s: float = Field(15.0, ge=1, le=600, description="A position without a stop for so long is closed")
    margin_share_pct: float = Field(90.0, gt=0, le=100, description="Share of the available margin that may be used")
    paper_usdt: float = Field(10_000.0, gt=0, description="Starting balance of the paper account, USDT")
    paper_latency_ms: int = Field(100, ge=0, le=10_000, description="Latency of the paper account, market ms")

    @property
    def speaks(self) -> str:
        """Whose protocol the venue is spoken to in: binance or bybit."""
        return self.dialect if self.name == "simulated" else self.name

    @property
    def counted_as(self) -> str:
        """Under which name all processes count their requests to the venue: one for each address (X31)."""
        return "simulated-bybit" if self.name == "simulated" and self.speaks == "bybit" else self.name
