"""What the server takes and gives, as OpenAPI tells it: names of the seed's section 5, money as numbers in USDT."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, create_model

from modules.gridserver.targets import LONGEST
from modules.strategies.grid.custom import ALSO, NAMES
from modules.strategies.grid.settings import GridSettings

ID = r"^[A-Za-z0-9_.:@-]{1,64}$"
_PRINTABLE = r"^[\x21-\x7e]+$"
_TEXT = r"^[\x20-\x7e]*$"
Name = Annotated[str, Field(pattern=ID, min_length=1, max_length=64, examples=["user123"])]


def custom_schema() -> dict[str, Any]:
    """JSON schema of `customSettings`: the whole camelCase map of the grid's settings (E10), by their own limits."""
    fields: dict[str, Any] = {}
    for name, field in NAMES.items():
        info = GridSettings.model_fields[field]
        text = info.description or ""
        fields[name] = (info.rebuild_annotation(), Field(
            info.default, description=f"Same as {_first(field)}" if name in ALSO else text))
    made = create_model("CustomSettings", __config__=ConfigDict(extra="forbid"), **fields)
    schema = made.model_json_schema()
    schema.pop("title", None)
    schema["maxProperties"] = len(NAMES)
    return schema


def _first(field: str) -> str:
    return next(name for name, one in NAMES.items() if one == field and name not in ALSO)


CUSTOM_SCHEMA = custom_schema()
Custom = Annotated[dict[str, Any], WithJsonSchema(CUSTOM_SCHEMA)]


class _In(BaseModel):
    """Bodies: nothing unknown, no guessing of types."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class ExchangeBody(_In):
    """A key of the exchange that may trade futures and may not withdraw. It is sealed at rest and never given back."""

    name: Literal["bitget"] = "bitget"
    apiKey: str = Field(pattern=_PRINTABLE, min_length=1, max_length=256, examples=["bg_1a2b3c"],
                        description="A name that begins with paper: a paper account of this user, nobody's money")
    apiSecret: str = Field(pattern=_PRINTABLE, min_length=1, max_length=256, examples=["secret"])
    passphrase: str = Field(pattern=_PRINTABLE, min_length=1, max_length=128, examples=["passphrase"])
    isDemo: bool = Field(description="Bitget's demo trading with a demo key; false: the user's real money")


class SettingsBody(_In):
    """What the grid does; what is not said has the server's default."""

    tradingPair: str = Field("", pattern=r"^([A-Z0-9]{2,30})?$", examples=["BTCUSDT"],
                             description="Contract; empty: the server's default")
    leverage: int | None = Field(None, ge=1, le=150, examples=[10])
    customSettings: Custom = Field(default_factory=dict, examples=[{"spacePercent": 0.5, "multiplier": 1.5}])


class WebhookBody(_In):
    """Where events go."""

    webhookUrl: str = Field("", max_length=LONGEST, examples=["https://platform.example/hooks/1"],
                            description="https address in public reach; empty: no webhooks")
    webhookSecret: str = Field("", pattern=_TEXT, max_length=256, examples=["hook-secret"],
                               description="Signs the webhooks; empty: the server's BOT_SECRET does")


class UserBody(WebhookBody):
    """A user, its key and its grid."""

    userId: Name
    userBotId: Name
    exchange: ExchangeBody
    settings: SettingsBody = Field(default_factory=lambda: SettingsBody())


class StartBody(_In):
    """How to start."""

    acceptRisk: bool = Field(False, description="Start although the worst case breaks a limit; it is recorded")
    dryRun: bool = Field(False, description="Only tell the worst case")


class StopBody(_In):
    """What is wanted instead of trading. Without a body: stop, positions stay with their protective stops."""

    action: Literal["stop", "pause", "drain", "close"] = Field(
        "stop", description="stop: nothing is done any more, positions stay with their stops on the exchange; pause: "
        "no entries, exits run; drain: the same until it is flat; close: cancel entries, close all at the market")
    confirm: str = Field("", max_length=64, description="close only: the code of the preview answered with 409")
    dryRun: bool = Field(False, description="Only tell what is open")


class AcknowledgeBody(_In):
    """What a position is that the grid did not open."""

    side: Literal["buy", "sell"]
    answer: Literal["leave", "adopt"] = Field(description="leave: not the grid's; adopt: it becomes an entry of it")


class Problem(BaseModel):
    """A refusal: what is wrong, everything at once."""

    error: str
    problems: list[str]
    worstCase: dict[str, Any] | None = None
    exposure: dict[str, Any] | None = None
    confirm: str | None = None


class EndOut(BaseModel):
    """One end of the road: the price fell (down), rose (up), or both sides are full."""

    orders: int
    lastPrice: float
    size: float
    averagePrice: float
    notional: float
    margin: float
    fees: float
    funding: float
    loss: float
    liquidationPrice: float | None
    stopPrice: float | None
    lossAtStop: float
    ordersTheBalancePays: int
    liquidatedBeforeOrder: int | None
    stoppedByMaxLossBeforeOrder: int | None


class WorstCaseOut(BaseModel):
    """What a grid can lose before it starts (X38). Losses are negative, USDT."""

    symbol: str
    price: float
    balance: float
    leverage: int
    lossLimit: float
    down: EndOut
    up: EndOut
    both: EndOut
    safe: bool
    unsafe: list[str]
    impossible: list[str]


class StartOut(BaseModel):
    """A start, or what it would be."""

    userId: str
    status: Literal["started", "running", "preview"]
    allowed: bool
    worstCase: WorstCaseOut
    acceptedRisk: dict[str, Any] | None
    exposure: "ExposureOut"


class LegOut(BaseModel):
    """One side that is open."""

    entries: int
    quantity: float
    averagePrice: float
    unrealised: float
    stopPrice: float | None
    external: float


class ExposureOut(BaseModel):
    """What is open, as last seen by the grid's worker."""

    symbol: str
    buy: LegOut
    sell: LegOut
    seenAt: str | None


class StopOut(BaseModel):
    """A stop, or what it would leave."""

    userId: str
    action: str
    status: Literal["done", "preview"]
    exposure: ExposureOut
    left: str
    confirm: str | None = None


class UserOut(BaseModel):
    """A user without anything secret."""

    userId: str
    userBotId: str
    symbol: str
    wanted: str
    isDemo: bool
    keyVersion: int
    keyRefused: str
    webhook: bool
    customSettings: dict[str, Any]
    settingsVersion: int


class NewUserOut(UserOut):
    """A user just added. `token` is told this once; it is the Bearer token of all its calls."""

    token: str


class TokenOut(BaseModel):
    """A token, told this once."""

    userId: str
    token: str


class StatusOut(UserOut):
    """How a grid stands. `data` is that of the webhook `status_update`; null: it has never run."""

    mode: str
    held: bool
    blocked: list[str]
    problem: str
    savedAt: str | None
    startedAt: str | None
    acceptedRisk: dict[str, Any] | None
    data: dict[str, Any] | None


class DoneOut(BaseModel):
    """It was done."""

    userId: str
    status: str
    count: int | None = None


class RemovedOut(BaseModel):
    """A user was removed; what it left open on the exchange."""

    userId: str
    status: Literal["removed"]
    exposure: ExposureOut


class HealthOut(BaseModel):
    """Whether the server does its work."""

    status: Literal["healthy", "degraded"]
    version: str
    uptime: int
    sessions: dict[str, int]


class InfoOut(BaseModel):
    """What this robot is."""

    name: str
    version: str
    strategy: str
    description: str
    supportedPairs: list[str]
    supportedExchanges: list[str]
    capabilities: dict[str, bool]
    defaultSettings: dict[str, Any]
    customSettingsSchema: dict[str, Any]
    botId: str


class SessionsOut(BaseModel):
    """Sessions by user; `next`: give it as `after` for the following page."""

    total: int
    sessions: list[dict[str, Any]]
    next: str | None


class LinesOut(BaseModel):
    """Lines of the audit or dead letters, as they stand in SQL."""

    lines: list[dict[str, Any]]
