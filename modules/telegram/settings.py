"""Settings of Telegram and of reports to people."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class TelegramSettings(BaseModel):
    """The bot's token, who is served, and how."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    token: SecretStr = Field(SecretStr(""), description="Bot token from @BotFather; empty = console only")
    owners: tuple[int, ...] = Field((), description="User ids that may do everything, e.g. 123456789,987654321")
    viewers: tuple[int, ...] = Field((), description="User ids that may only read")
    api_base: str = Field("https://api.telegram.org", description="Address of the Bot API")
    confirm_s: float = Field(60.0, gt=0, le=3600, description="Seconds a confirmation stays valid")
    stale_after_s: float = Field(120.0, gt=0, description="Age in seconds at which a command that moves money, sent "
                                 "while the bot was away, is no longer carried out")
    second_after_s: float = Field(300.0, gt=0, description="Seconds Telegram is down until alerts go to the second "
                                  "channel")
    poll_timeout_s: int = Field(25, ge=1, le=50, description="Seconds of one long poll")


class ReportSettings(BaseModel):
    """Reports and the worst day (P16)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    timezone: str = Field("UTC", description="Time zone of reports, e.g. Europe/Riga")
    heartbeat_url: str = Field("", description="Dead-man URL pinged while all is well (HEARTBEAT_URL)",
                               json_schema_extra={"env": "HEARTBEAT_URL"})
    heartbeat_every_s: float = Field(60.0, ge=5, description="Seconds between pings")
    webhook_url: SecretStr = Field(SecretStr(""), description="Second alert channel: a URL that takes JSON")
    smtp_url: SecretStr = Field(SecretStr(""), description="Second channel: smtp://user:password@host:port")
    email_to: str = Field("", description="Address for alerts by e-mail")
