"""Surroundings for tests of commands: a crew that only notes what is asked of it, and state files of one's own."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from config.crew import CREW
from config.settings import Settings, load_settings
from modules.exchange.types import Mode, Unavailable
from modules.strategies.hype.files import HypeFiles
from modules.strategies.hype.records import Position, Strategy, Trade
from modules.supervision.status import ServiceStatus, State
from modules.telegram.command import Sender
from modules.telegram.commands import all_commands
from modules.telegram.context import Context
from modules.telegram.gate import Gate
from modules.telegram.router import Router
from utils.paths import Paths

OWNER, VIEWER, STRANGER = 111, 222, 333
DAY_MS = 86_400_000
NOW_MS = 1_760_000_000_000  # 2025-10-09 08:53:20 UTC
CONSOLE = Sender("console", "console", "console")


def telegram(user: int, chat: int | None = None) -> Sender:
    """A Telegram user in a private chat, or in another."""
    return Sender(str(user), "telegram", f"User{user}", user if chat is None else chat)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class FakeCrew:
    """Services that start and stop at once. `broken` names some that fail; `must` goes on running (A17)."""

    def __init__(self) -> None:
        self.states: dict[str, State] = {service.name: "stopped" for service in CREW}
        self.asked: list[tuple[str, ...]] = []
        self.broken: set[str] = set()
        self.must: set[str] = set()
        self.info: dict[str, dict[str, Any]] = {}

    async def start(self, *names: str) -> list[ServiceStatus]:
        self.asked.append(("start", *names))
        for name in names:
            self.states[name] = "crash-loop" if name in self.broken else "ready"
        return [one for one in self.status() if one.name in names]

    async def stop(self, *names: str) -> list[str]:
        self.asked.append(("stop", *names))
        kept = [name for name in names if name in self.must]
        for name in names:
            if name not in kept:
                self.states[name] = "stopped"
        return kept

    async def restart(self, *names: str) -> list[ServiceStatus]:
        self.asked.append(("restart", *names))
        return await self.start(*names)

    async def stop_all(self) -> None:
        self.asked.append(("stop_all",))
        self.states = dict.fromkeys(self.states, "stopped")

    def status(self, load: bool = True) -> Sequence[ServiceStatus]:
        titles = {service.name: service.title for service in CREW}
        return [ServiceStatus(
            name=name, title=titles[name], state=state, wanted=state != "stopped",
            pid=None if state == "stopped" else 4242, uptime_s=65.0, rss_mb=80.0,
            info={"market_ms": NOW_MS, **self.info.get(name, {})},
            last_error="it fell over" if name in self.broken else "",
        ) for name, state in self.states.items()]


class FakeWorker:
    """Answers of workers by task; a task without one fails as a worker does."""

    def __init__(self) -> None:
        self.answers: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []

    async def __call__(self, task: str, spec: dict[str, Any]) -> dict[str, Any]:
        self.asked.append((task, spec))
        if task not in self.answers:
            raise Unavailable("The exchange cannot be reached.")
        return self.answers[task]


class House:
    """A router with everything around it."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.paths = Paths(home).prepare()
        self.clock = Clock()
        self.crew = FakeCrew()
        self.worker = FakeWorker()
        self.restarts = 0
        self.ends: list[str] = []
        variables = {"TELEGRAM_OWNERS": str(OWNER), "TELEGRAM_VIEWERS": str(VIEWER), **settings}
        self.settings: Settings = load_settings(self.paths, variables)
        self.context = Context(self.paths, self.settings, self.crew, self.worker, self._restart, self.ends.append)
        self.context.commands = all_commands([service.name for service in CREW])
        self.gate = Gate(self.settings.telegram.owners, self.settings.telegram.viewers, self.clock)
        self.router = Router(self.context.commands, self.context, self.gate, self.settings.telegram.confirm_s,
                             self.settings.telegram.stale_after_s, self.clock)

    def _restart(self) -> None:
        self.restarts += 1

    async def ask(self, line: str, sender: Sender = CONSOLE, **more: Any) -> str:
        """The answer's text, as HTML."""
        answer = await self.router.line(sender, line, **more)
        return answer.text if answer is not None else ""

    async def confirm(self, line: str, sender: Sender = CONSOLE) -> str:
        """Ask, and press the first button (yes)."""
        answer = await self.router.line(sender, line)
        assert answer is not None and answer.buttons, answer
        confirmed = await self.router.press(sender, answer.buttons[0][0].data)
        return confirmed.text if confirmed is not None else ""

    def hold(self, *positions: Position, mode: Mode = Mode.TEST) -> None:
        """Put positions into the tracked file of a mode."""
        HypeFiles(self.paths, mode).tracked.save({position.symbol: position for position in positions})

    def trade(self, *trades: Trade, mode: Mode = Mode.TEST) -> None:
        """Append to the trade history of a mode."""
        for trade in trades:
            HypeFiles(self.paths, mode).trades.append(trade)

    def inbox(self, service: str) -> list[tuple[str, dict[str, Any]]]:
        """Messages that wait for a service."""
        from modules.supervision.messages import Inbox

        return [(message.kind, message.body) for _, message in Inbox(self.paths.inbox, service).take()]


def position(symbol: str = "PEPEUSDT", mode: str = "TEST", **changes: Any) -> Position:
    """An open position worth about 52 USDT, bought for 50."""
    values: dict[str, Any] = {
        "id": f"p-{symbol}", "symbol": symbol, "mode": mode, "strategy": Strategy.SIMPLE, "confidence": 0.9,
        "opened_ms": NOW_MS - 3_600_000, "entry_price": Decimal("0.5"), "quantity": Decimal(100),
        "initial_quantity": Decimal(100), "cost_usdt": Decimal(50),
        "tp_prices": (Decimal("0.525"), Decimal("0.55"), Decimal("0.6")),
        "sl_price": Decimal("0.4825"), "sl_initial": Decimal("0.4825"), "dynamic_peak": Decimal("0.53"),
        "last_price": Decimal("0.52"), "last_seen_ms": NOW_MS}
    return Position(**{**values, **changes})


def bought_and_sold(number: int, pnl: str, at_ms: int, symbol: str = "PEPEUSDT", mode: str = "TEST",
                    strategy: Strategy = Strategy.SIMPLE, reason: str = "take_profit_1") -> tuple[Trade, Trade]:
    """A whole trade: 50 USDT in, closed an hour later at `at_ms` with that net result."""
    common: dict[str, Any] = {"position_id": f"p{number}", "symbol": symbol, "mode": mode, "price": Decimal("0.5"),
                              "quantity": Decimal(100), "strategy": strategy, "confidence": 0.9,
                              "fee_usdt": Decimal("0.05"), "opened_ms": at_ms - 3_600_000}
    return (
        Trade(id=f"b{number}", side="BUY", market_ms=at_ms - 3_600_000, quote_usdt=Decimal(50), reason="entry",
              **common),
        Trade(id=f"s{number}", side="SELL", market_ms=at_ms, quote_usdt=Decimal(50) + Decimal(pnl), reason=reason,
              pnl_usdt=Decimal(pnl), pnl_pct=float(pnl) * 2, closes=True, **common))
