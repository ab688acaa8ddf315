"""A recording made here, its replay on a free port, and a clock that tests move by hand."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, web

from modules.simulator.fault_plan import FaultPlan
from modules.simulator.raw_replay_server import ReplayServer
from modules.simulator.settings import SimulatorSettings

START_MS = 1_770_000_000_000
SKEW_MS = 700


class Maker:
    """Makes frames as USD-M sends them: ids that chain, levels whose quantity 0 means gone, trades, touches."""

    def __init__(self, seed: int = 5) -> None:
        self.rng = random.Random(seed)
        self.bids = {618_000 - k: 10 + k for k in range(40)}
        self.asks = {618_001 + k: 10 + k for k in range(40)}
        self.last = 9_000
        self.trade_id = 500
        self.lines: list[str] = []

    def line(self, ms: int, stream: str, data: dict[str, Any]) -> None:
        body = json.dumps({"stream": f"btcusdt@{stream}", "data": data}, separators=(",", ":"))
        self.lines.append(f"{(ms - SKEW_MS) * 1_000_000} {body}")

    def depth(self, ms: int) -> None:
        first, previous = self.last + self.rng.randrange(1, 4), self.last
        changes: tuple[dict[int, int], dict[int, int]] = ({}, {})
        for side, book in zip(changes, (self.bids, self.asks), strict=True):
            for _ in range(self.rng.randrange(1, 6)):
                tick = self.rng.choice(list(book))
                side[tick] = 0 if self.rng.random() < 0.2 and len(book) > 20 else self.rng.randrange(1, 900)
            for tick, steps in side.items():
                if steps:
                    book[tick] = steps
                else:
                    book.pop(tick, None)
        self.last = first + self.rng.randrange(1, 50)
        self.line(ms, "depth@0ms", {
            "e": "depthUpdate", "E": ms, "T": ms, "s": "BTCUSDT", "U": first, "u": self.last, "pu": previous,
            "b": _texts(changes[0]), "a": _texts(changes[1])})

    def snapshot(self, ms: int) -> None:
        body = {"lastUpdateId": self.last, "E": ms, "T": ms, "bids": _texts(self.bids)[::-1],
                "asks": _texts(self.asks)}
        self.lines.append(f"{(ms - SKEW_MS) * 1_000_000} {json.dumps(body)}")

    def trade(self, ms: int) -> None:
        self.trade_id += 1
        self.line(ms, "trade", {
            "e": "trade", "E": ms, "T": ms, "s": "BTCUSDT", "t": self.trade_id,
            "p": _price(618_000 + self.rng.randrange(-3, 4)), "q": _qty(self.rng.randrange(1, 50)), "X": "MARKET",
            "m": self.rng.random() < 0.5})

    def touch(self, ms: int) -> None:
        bid, ask = max(self.bids), min(self.asks)
        self.line(ms, "bookTicker", {
            "e": "bookTicker", "u": self.last, "s": "BTCUSDT", "b": _price(bid), "B": _qty(self.bids[bid]),
            "a": _price(ask), "A": _qty(self.asks[ask]), "T": ms, "E": ms})

    def run(self, seconds: float) -> None:
        for step in range(int(seconds * 20)):
            ms = START_MS + step * 50
            self.depth(ms + 3)
            if step == 3:
                self.snapshot(ms + 5)
            for at in sorted(self.rng.randrange(6, 50) for _ in range(self.rng.randrange(0, 4))):
                self.trade(ms + at)
            self.touch(ms + 49)


def _price(tick: int) -> str:
    return f"{tick / 10:.2f}"


def _qty(steps: int) -> str:
    return f"{steps / 1000:.3f}"


def _texts(levels: dict[int, int]) -> list[list[str]]:
    return [[_price(tick), _qty(steps)] for tick, steps in sorted(levels.items())]


@dataclass
class Hand:
    """Seconds that pass only when a test says so."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Replaying:
    """A replay that serves, its clock, and a client."""

    server: ReplayServer
    base: str
    clock: Hand
    session: ClientSession
    sockets: list[ClientWebSocketResponse] = field(default_factory=list)

    def play(self, seconds: float, step: float = 0.05) -> None:
        """Let wall time pass in steps, as the running server would."""
        for _ in range(round(seconds / step)):
            self.clock.seconds += step
            self.server.step()

    def play_to(self, every_ms: int) -> None:
        """Up to the next end of windows of this length."""
        now = self.server.clock.now()
        self.clock.seconds += ((now // every_ms + 1) * every_ms + 1 - now) / 1000.0
        self.server.step()

    async def open(self, path: str) -> ClientWebSocketResponse:
        """A socket, its streams joined."""
        one = await self.session.ws_connect(self.base + path, autoping=False)
        self.sockets.append(one)
        await self.told(one, {"method": "GET_PROPERTY", "params": ["combined"], "id": 0})
        return one

    async def told(self, one: ClientWebSocketResponse, message: dict[str, Any] | str) -> dict[str, Any]:
        """Say something, and the answer to it (frames before it are left out)."""
        await one.send_str(message if isinstance(message, str) else json.dumps(message))
        while True:
            got = await self.next(one)
            if isinstance(got, dict) and ("id" in got or "error" in got):
                return got

    async def next(self, one: ClientWebSocketResponse) -> Any:
        """The next frame's content; text that is no JSON as it is; the close code where it ended."""
        async with asyncio.timeout(60):
            message = await one.receive()
        if message.type is WSMsgType.TEXT:
            try:
                return json.loads(message.data)
            except ValueError:
                return message.data
        return message.type

    async def frames(self, one: ClientWebSocketResponse) -> list[Any]:
        """Every frame that was sent so far: a question's answer comes behind them."""
        for connection in self.server.hub.connections:
            connection._said.clear()  # the questions of a test are no part of its story
        await one.send_str('{"method":"GET_PROPERTY","params":["combined"],"id":999}')
        found: list[Any] = []
        while True:
            got = await self.next(one)
            if isinstance(got, dict) and got.get("id") == 999:
                return found
            found.append(got)
            if got in (WSMsgType.CLOSED, WSMsgType.CLOSING, WSMsgType.CLOSE, WSMsgType.ERROR):
                return found

    async def get(self, path: str) -> tuple[int, Any]:
        """An HTTP GET: (status, JSON)."""
        async with self.session.get(self.base + path) as answer:
            return answer.status, await answer.json()

    async def act(self, **act: Any) -> tuple[int, Any]:
        """POST /sim/act."""
        async with self.session.post(self.base + "/sim/act", json=act) as answer:
            return answer.status, await answer.json()


Starter = Callable[..., Awaitable[Replaying]]


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen seconds of a market."""
    maker = Maker()
    maker.run(16)
    path = tmp_path_factory.mktemp("recorded") / "made.gz"
    path.write_bytes(gzip.compress("\n".join(maker.lines).encode() + b"\n"))
    return path


@pytest.fixture
async def start(recording: Path) -> AsyncIterator[Starter]:
    """Starts replays; ends them after the test."""
    running: list[tuple[Replaying, web.AppRunner]] = []

    async def begin(path: Path = recording, plan: dict[str, Any] | None = None, **options: Any) -> Replaying:
        clock = Hand()
        faults = FaultPlan.parse(plan or {}, "test")
        server = ReplayServer(SimulatorSettings(replay=path, **options), faults, elapsed=clock)
        runner = web.AppRunner(server.app(), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        one = Replaying(server, base, clock, ClientSession())
        running.append((one, runner))
        return one

    yield begin
    for one, runner in running:
        for socket in one.sockets:
            await socket.close()
        await one.session.close()
        await runner.cleanup()
