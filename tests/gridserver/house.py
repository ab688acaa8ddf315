"""The server without a socket: the application called directly, a venue of fixed figures, and a plain way to ask."""

import json
import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from modules.gridserver.app import application
from modules.gridserver.desk import Desk
from modules.gridserver.guard import Guard
from modules.gridserver.settings import GridServerSettings
from modules.gridserver.venue import KeyRefused, NoContract, VenueAway
from modules.strategies.grid.events import Quote
from modules.strategies.grid.ledger import Entry, LegLedger
from modules.strategies.grid.settings import GridSettings
from modules.strategies.grid.state import SessionState, saved
from modules.strategies.grid.store.records import Credentials, Event, Save
from modules.strategies.grid.store.store import GridStore
from modules.strategies.grid.units import Contract
from utils.buckets import Buckets

PLATFORM, ADMIN = "platform-key-of-tests", "admin-key-of-the-tests"
D = Decimal
BTC = Contract("BTCUSDT", D("0.1"), D("0.001"), D("0.001"), max_leverage=50)
_DOCUMENT: dict[str, Any] = {}
SECRETS = ("bg-key-1", "bg-secret-1", "bg-pass-1", "hook-secret-1")


class FixedVenue:
    """BTCUSDT at 42,000; every account has `money`. `away`, `refuse`: what the next questions meet."""

    def __init__(self) -> None:
        self.money = D("20000")
        self.away = self.refuse = ""
        self.wrong: tuple[str, ...] = ()
        self.asked = 0

    async def symbols(self) -> list[str]:
        if self.away:
            raise VenueAway(self.away)
        return ["BTCUSDT"]

    async def contract(self, symbol: str) -> Contract:
        if self.away:
            raise VenueAway(self.away)
        if symbol != "BTCUSDT":
            raise NoContract(f"Bitget has no contract {symbol}.")
        return BTC

    async def price(self, symbol: str) -> Decimal:
        self.asked += 1
        return D("42000")

    async def balance(self, user_id: str, keys: Credentials, settings: GridSettings) -> tuple[Decimal, tuple[str, ...]]:
        if self.refuse:
            raise KeyRefused(self.refuse)
        return self.money, self.wrong

    async def close(self) -> None:
        return


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: Any

    @property
    def problems(self) -> str:
        return "\n".join(self.body["problems"])


@dataclass
class House:
    """The parts, and `ask`."""

    store: GridStore
    server: GridServerSettings
    venue: FixedVenue = field(default_factory=FixedVenue)
    tokens: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.desk = Desk(self.store, self.venue, GridSettings(), self.server)
        self.app = application(self.desk, lambda: {"status": "healthy", "uptime": 1})
        self.guard = Guard(self.app, Buckets(self.server.address_s, self.server.address_s), self.server.body_kb * 1024)

    async def ask(self, method: str, path: str, body: Any = None, raw: bytes | None = None, **headers: str) -> Answer:
        data = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        sent = {"content-type": "application/json", "content-length": str(len(data))} | headers
        path, _, query = path.partition("?")
        scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(),
                 "query_string": query.encode(), "headers": [(k.replace("_", "-").encode(), v.encode())
                                                             for k, v in sent.items()],
                 "client": ("192.0.2.1", 1), "server": ("test", 80), "scheme": "http", "http_version": "1.1",
                 "root_path": ""}
        told: list[Any] = []
        given = iter([{"type": "http.request", "body": data, "more_body": False}])

        async def receive() -> Any:
            return next(given, {"type": "http.disconnect"})

        async def send(message: Any) -> None:
            told.append(message)

        await self.guard(scope, receive, send)
        answer = b"".join(one.get("body", b"") for one in told[1:])
        self._declared(method, path, told[0]["status"])
        return Answer(told[0]["status"], {k.decode().lower(): v.decode() for k, v in told[0]["headers"]},
                      json.loads(answer) if answer else None)

    def _declared(self, method: str, path: str, status: int) -> None:
        """What the OpenAPI document does not tell of may not happen (a mistake, 500, apart)."""
        for template, methods in self.documented().items():
            if method.lower() in methods and re.fullmatch(template.replace("{id}", "[^/]*"), path) and status != 500:
                assert str(status) in methods[method.lower()]["responses"], f"{method} {path}: {status} is not declared"

    def documented(self) -> dict[str, Any]:
        """The paths of the OpenAPI document; the same in every house, so it is made once."""
        if not _DOCUMENT:
            _DOCUMENT.update(self.app.state.document()["paths"])
        return _DOCUMENT

    async def add(self, number: int = 1, custom: dict[str, Any] | None = None, **more: Any) -> Answer:
        """POST /users of `user-NUMBER`; its token is kept."""
        answer = await self.ask("POST", "/api/v1/users", person(number, custom, **more), x_platform_key=PLATFORM)
        if answer.status == 201:
            self.tokens[answer.body["userId"]] = answer.body["token"]
        return answer

    async def user(self, method: str, path: str, body: Any = None, name: str = "user-1") -> Answer:
        """A call of a user to its own grid."""
        return await self.ask(method, f"/api/v1/users/{name}{path}", body,
                              authorization=f"Bearer {self.tokens[name]}")


def person(number: int = 1, custom: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """The body of a user, as the seed's section 5.2 has it."""
    return {"userId": f"user-{number}", "userBotId": f"bot-{number}",
            "exchange": {"name": "bitget", "apiKey": f"bg-key-{number}", "apiSecret": f"bg-secret-{number}",
                         "passphrase": f"bg-pass-{number}", "isDemo": True},
            "settings": {"tradingPair": "BTCUSDT", "leverage": 10,
                         "customSettings": {"multiplier": 1.5, "spacePercent": 0.5, "smaPeriod": 7,
                                            "useSmaEntry": True} | (custom or {})},
            "webhookUrl": "https://hooks.example.org/bot/1", "webhookSecret": f"hook-secret-{number}"} | more


def server(**more: Any) -> GridServerSettings:
    return GridServerSettings.model_validate(
        {"platform_key": PLATFORM, "admin_key": ADMIN, "requests_s": 10_000, "burst": 10_000,
         "address_s": 10_000} | more)


OPEN = SessionState(
    buy=LegLedger(1, (Entry("B1", 1, D("0.001"), D("41.5"), 1), Entry("B2", 1, D("0.002"), D("82"), 2))),
    quote=Quote(3, 3, D("41000"), D("41001")), balance=D("900"), tick=7,
    protected=((D("30000"), D("0.003")), (D(0), D(0))))


def hold(house: House, state: SessionState = OPEN, *events: Event) -> None:
    """A worker runs the session of user-1 and has saved this state."""
    held = house.store.sessions.claim("worker-1", 60, 1)[0]
    house.store.sessions.save([Save(held.lease, saved(state), {"host": {"started_ms": 5}}, events)])
