"""Settings of the grid's server: where it listens, its keys, limits and webhooks."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

SHORTEST = 16


class GridServerSettings(BaseModel):
    """The REST server of system E; on loopback unless told otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", min_length=1, description="Address it listens on; others than 127.0.0.1 belong "
                                                             "behind a proxy with TLS")
    port: int = Field(8082, ge=0, le=65535, description="Port it listens on; 0: any free one",
                      json_schema_extra={"env": "SERVER_PORT"})
    bot_id: str = Field("hedging-grid-bot", min_length=1, max_length=64, description="Id told by /info",
                        json_schema_extra={"env": "BOT_ID"})
    bot_name: str = Field("Hedging Grid Robot", min_length=1, max_length=80, description="Name told by /info",
                          json_schema_extra={"env": "BOT_NAME"})
    bot_version: str = Field("1.0.0", min_length=1, max_length=20, description="Version told by /health and /info",
                             json_schema_extra={"env": "BOT_VERSION"})
    bot_secret: SecretStr = Field(SecretStr(""), description="Signs webhooks of users who gave no webhookSecret",
                                  json_schema_extra={"env": "BOT_SECRET"})
    platform_key: SecretStr = Field(SecretStr(""), description="Key of the platform that may add users (header "
                                                               "X-Platform-Key), at least 16 characters; empty: nobody",
                                    json_schema_extra={"env": "PLATFORM_API_KEY"})
    admin_key: SecretStr = Field(SecretStr(""), description="Key for the admin endpoints (header X-Admin-Key), at "
                                                            "least 16 characters; empty: nobody",
                                 json_schema_extra={"env": "ADMIN_API_KEY"})
    secret_key: SecretStr = Field(SecretStr(""), description="Fernet key that users' exchange keys are sealed with; "
                                  "several with commas, newest first; empty: config/grid.key, made at first start")
    requests_s: float = Field(20.0, gt=0, le=100_000, description="Requests a second that one caller may make for long")
    burst: float = Field(60.0, ge=1, le=1_000_000, description="Requests that one caller may make at once")
    address_s: float = Field(400.0, gt=0, le=1_000_000, description="Requests a second from one address, all its "
                             "users together, and for the platform's and the admin's key")
    body_kb: int = Field(64, ge=1, le=10_000, description="Largest body taken, kB")
    status_s: float = Field(30.0, ge=0.2, le=86_400, description="Seconds between status_update webhooks of a grid")
    webhook_loopback: bool = Field(False, description="Let webhooks go to this machine and private networks "
                                                      "(tests, a platform beside the server)")
    webhook_http: bool = Field(False, description="Let webhooks go to http:// addresses, not only https://")
    webhook_timeout_s: float = Field(10.0, gt=0, le=60, description="Longest wait for a webhook's answer, seconds")
    webhook_tries: int = Field(8, ge=1, le=50, description="Tries until an event becomes a dead letter")
    webhook_first_wait_s: float = Field(2.0, gt=0, le=600, description="Wait after the first failed try, seconds; "
                                                                       "doubles with each, at most 10 minutes")
    webhook_at_once: int = Field(50, ge=1, le=1000, description="Webhooks sent at once, each to another user")
    price_s: float = Field(2.0, ge=0, le=60, description="Seconds that a price serves several previews")

    @field_validator("platform_key", "admin_key")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        """A short key is guessed."""
        if 0 < len(value.get_secret_value()) < SHORTEST:
            raise ValueError(f"is shorter than {SHORTEST} characters")
        return value
