"""Settings of the dashboard: where it listens, who may log in."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

SHORTEST, SHORTEST_TOKEN = 10, 20


class DashboardSettings(BaseModel):
    """The web application; on loopback unless told otherwise (P12)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", min_length=1, description="Address it listens on; others than 127.0.0.1 belong "
                                                             "behind a proxy with TLS")
    port: int = Field(8080, ge=0, le=65535, description="Port it listens on; 0: any free one (/dashboard tells it)")
    public_url: str = Field("", description="Address people open, where a proxy stands before it, e.g. "
                                            "https://bot.example.org")
    password: SecretStr = Field(SecretStr(""), description="Password of the owner, at least 10 characters, or its "
                                "scrypt hash; empty: one is made at the first start and told once")
    viewer_password: SecretStr = Field(SecretStr(""), description="Password of those who may only look, or its hash; "
                                                                  "empty: no such login")
    session_days: float = Field(7.0, gt=0, le=90, description="Days until one has to log in again")
    metrics_token: SecretStr = Field(SecretStr(""), description="Token a Prometheus server shows at /metrics "
                                     "(Bearer), at least 20 characters; empty: it asks for a login like every page")
    metrics_on_loopback: bool = Field(False, description="Give /metrics to programs of this machine without token or "
                                                         "login (never through a proxy)")
    link_minutes: float = Field(10.0, gt=0, le=1440, description="Minutes a one-time link of /dashboard is valid")

    @field_validator("password", "viewer_password")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        """A short password is guessed."""
        if 0 < len(value.get_secret_value()) < SHORTEST:
            raise ValueError(f"is shorter than {SHORTEST} characters")
        return value

    @field_validator("metrics_token")
    @classmethod
    def _hard_to_guess(cls, value: SecretStr) -> SecretStr:
        """A machine keeps it; nobody types it."""
        if 0 < len(value.get_secret_value()) < SHORTEST_TOKEN:
            raise ValueError(f"is shorter than {SHORTEST_TOKEN} characters; make one with: openssl rand -hex 20")
        return value

    @field_validator("public_url")
    @classmethod
    def _address(cls, value: str) -> str:
        """Without a path: the pages' own addresses begin at the root."""
        text = value.rstrip("/")
        if text and (not text.startswith(("http://", "https://")) or text.count("/") != 2):
            raise ValueError("must look like https://bot.example.org")
        return text
