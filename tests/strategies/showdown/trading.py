"""A trader over the paper venue of the futures tests: prices are set, faults injected, it dies and comes back."""

import asyncio
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import numpy as np

from modules.exchange.types import Candles, Mode
from modules.execution.futures.keeper import Keeper, Rhythm
from modules.strategies.showdown.records import Decision
from modules.strategies.showdown.settings import ShowdownSettings
from modules.strategies.showdown.trade_book import Ended, TradeBook
from modules.strategies.showdown.trade_rows import Rows
from modules.strategies.showdown.trade_words import Voice
from modules.strategies.showdown.trader import Trader
from modules.supervision.outbox import Outbox
from tests.execution.futures.house import SYMBOL, House, Venue

OWN = ShowdownSettings(symbols=(SYMBOL,), chase_rest_s=1, chase_requotes=3, execute_s=0.2)


def decision(venue: Venue, side: int = 1, **changes: Any) -> Decision:
    """A long or short at the venue's price: stop 1.5 %, targets 2 and 3.5 % away, risk for about one piece."""
    now, price = venue.clock.now_ms(), venue.price[SYMBOL]

    def at(pct: str) -> str:
        return f"{(price * (1 + side * D(pct) / 100)).quantize(D('0.01')):f}"
    zone = sorted((at("-0.2"), at("0")), key=D)
    given: dict[str, Any] = {
        "symbol": SYMBOL, "ms": now, "mode": "TEST", "action": "long" if side > 0 else "short",
        "entry_zone": (zone[0], zone[1]), "sl": at("-1.5"), "tp1": at("2"), "tp2": at("3.5"), "risk_level": 1,
        "position_size_usdt": "2000", "quantity": "1", "risk_usdt": "40", "capped_by": "", "confidence": 0.9,
        "reason": "trend", "reasons": (), "gates": (), "long": (), "short": (), "absent": (),
        "hash": f"{now:020d}{side:+d}{'0' * 42}"}
    return Decision(**{**given, **changes})


class Trading:
    """One trader at work; `start` reads everything from disk."""

    def __init__(self, home: Path, settings: ShowdownSettings = OWN) -> None:
        self.venue = Venue()
        self.house = House(home, self.venue)
        self.settings = settings
        self.rows: list[tuple[str, dict[str, Any]]] = []
        self.minutes: list[tuple[float, ...]] = []  # 1m candles that the venue has: ms, open, high, low, close, volume
        self.venue.candles = self.candles  # type: ignore[method-assign]

    async def candles(self, symbol: str, interval: str, limit: int, since_ms: int | None = None) -> Candles:
        """What was put into `minutes`, from `since_ms` on."""
        rows = [row for row in self.minutes if row[0] >= (since_ms or 0)]
        return np.array(rows, dtype=np.float64).reshape(-1, 6)[:limit]

    async def open(self) -> "Trading":
        await self.house.open()
        self.outbox = Outbox(self.house.paths.outbox, "showdown")
        await self.start()
        return self

    async def start(self) -> None:
        """As the service does after its start, without its loops."""
        house = self.house
        keeper = Keeper(house.desk, house.reconciler, (SYMBOL,), Rhythm(), house.words.append)
        book = TradeBook(house.paths.data, Mode.TEST)
        book.load()
        self.voice = Voice(self.outbox, self.put, self.venue.clock.now_ms)
        self.trader = Trader(Mode.TEST, keeper, book, self.settings, self.voice)
        self.trader.active = True
        await house.start()
        keeper.guarded.set()
        keeper.opened.set()
        self.sql = Rows(Mode.TEST, house.desk, "simulated", self.put)

    async def die(self) -> None:
        """kill -9 and a new process: only disk and venue stay."""
        tasks = [*self.trader._busy.values(), *self.house.desk._busy]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.house.attach()
        await self.start()

    def put(self, table: str, rows: list[dict[str, Any]]) -> None:
        self.rows += [(table, row) for row in rows]

    async def turns(self, count: int = 1) -> None:
        """Looks of keeper and trader, and whatever they began to its end."""
        for _ in range(count):
            await self.house.desk.look()
            self.house.desk.resume()
            await self.trader.turn()
            await asyncio.gather(*self.trader._busy.values(), return_exceptions=True)

    async def until(self, condition: Any, most: int = 300) -> None:
        """Turns until something holds."""
        for _ in range(most):
            if condition():
                return
            await self.turns()
            await self.house.reconciler.pass_()
            await asyncio.sleep(0.005)
        raise AssertionError(f"never: {self.said()[-3:]} {self.trader.book.trades}")

    async def enter(self, side: int = 1, **changes: Any) -> None:
        """A decision becomes a position."""
        self.trader.offer(decision(self.venue, side, **changes))
        await self.until(lambda: self.trades and not self.trades[0].entering)

    def said(self) -> list[str]:
        return [notice.text() for _, notice in self.outbox.pending("test")]

    @property
    def trades(self) -> list[Any]:
        return list(self.trader.book.trades.open.values())

    def ended(self) -> list[Ended]:
        return list(self.trader.book.history.records())

    async def held(self) -> D:
        found = await self.house.account.positions()
        return sum((one.quantity for one in found), D(0))

    async def close(self) -> None:
        for task in self.trader._busy.values():
            task.cancel()
        await asyncio.gather(*self.trader._busy.values(), return_exceptions=True)
        await self.house.close()
