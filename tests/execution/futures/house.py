"""A desk over a paper venue whose prices tests set; it can be killed at any crash point and opened again from disk."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from modules.exchange.futures_paper import FuturesPaper
from modules.exchange.futures_settings import FuturesSettings
from modules.exchange.futures_types import FuturesMarket, MarginMode, Mark, TriggerRequest, TriggerState
from modules.exchange.types import (
    Absent,
    Accepted,
    Book,
    Candles,
    Failed,
    Lookup,
    Market,
    OrderRequest,
    OrderType,
    Outcome,
    Print,
    Refused,
    Ticker,
    Unknown,
)
from modules.execution.executor import Patience
from modules.execution.futures.books import FuturesBooks
from modules.execution.futures.checklist import PerpAsk
from modules.execution.futures.desk import FuturesDesk
from modules.execution.futures.guard import Identity
from modules.execution.futures.plan import FuturesState, LegKey, Word
from modules.execution.futures.reconcile import PerpReport, Reconciler
from modules.execution.futures.setup import DeskTerms
from modules.execution.journal import Journal
from modules.storage.json_state import JsonFile
from utils.paths import Paths

D = Decimal
START_MS = 1_770_000_000_000
SYMBOL = "ETHUSDT"
QUICK = Patience(first_poll_s=0.001, longest_poll_s=0.005, cancel_after_s=0.02, settle_s=0.5, fills_s=0.05,
                 fills_wait_s=0.0, window_s=0.03, margin_s=0.01)


def contract(symbol: str = SYMBOL) -> FuturesMarket:
    return FuturesMarket(symbol, symbol.removesuffix("USDT"), "USDT", D("0.01"), D("0.001"), D(20), D("0.0005"),
                         D("0.0002"), least=D("0.001"), market_max=D(100), limit_max=D(1000), band_up=D("1.05"),
                         band_down=D("0.95"))


class Clock:
    speed = 1.0

    def __init__(self) -> None:
        self._began = time.monotonic()

    def now_ms(self) -> int:
        return START_MS + round(1000 * (time.monotonic() - self._began))


class Venue:
    """Market data with one price for each symbol; `depth` stands on each side of it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.price = {SYMBOL: D(2000), "SOLUSDT": D(100)}
        self.depth = D(50)
        self.rate = D("0.0001")
        self.next_funding_ms = START_MS + 3_600_000

    async def contracts(self, refresh: bool = False) -> Mapping[str, FuturesMarket]:
        return {symbol: contract(symbol) for symbol in self.price}

    async def markets(self, refresh: bool = False) -> dict[str, Market]:
        return dict(await self.contracts())

    async def marks(self) -> Mapping[str, Mark]:
        return {symbol: Mark(symbol, price, self.rate, self.next_funding_ms, self.clock.now_ms())
                for symbol, price in self.price.items()}

    async def book(self, symbol: str, limit: int = 50) -> Book:
        price = self.price[symbol]
        steps = [D("0.01") * n for n in range(1, 4)]
        return Book(symbol, tuple((price - one, self.depth) for one in steps),
                    tuple((price + one, self.depth) for one in steps), self.clock.now_ms())

    async def trades(self, symbol: str, limit: int = 500) -> Sequence[Print]:
        return ()

    async def tickers(self) -> dict[str, Ticker]:
        return {}

    async def candles(self, symbol: str, interval: str, limit: int, since_ms: int | None = None) -> Candles:
        raise AssertionError("nobody asks for candles here")

    async def close(self) -> None:
        return None


class Account(FuturesPaper):
    """The paper account with faults: each name in `faults` is used up by the next fitting request."""

    def __init__(self, *given: object) -> None:
        super().__init__(*given)  # type: ignore[arg-type]
        self.faults: list[str] = []
        self.placed: list[OrderRequest | TriggerRequest] = []
        self.blind = 0

    def _fault(self, *names: str) -> str:
        found = next((name for name in self.faults if name in names), "")
        if found:
            self.faults.remove(found)
        return found

    async def place(self, request: OrderRequest) -> Outcome:
        self.placed.append(request)
        match self._fault("lost", "swallowed", "unsent"):
            case "lost":
                await super().place(request)
                return Unknown("no answer")
            case "swallowed":
                return Unknown("no answer")
            case "unsent":
                return Failed("not sent")
        return await super().place(request)

    async def place_trigger(self, request: TriggerRequest) -> Outcome:
        self.placed.append(request)
        match self._fault("guard lost", "guard swallowed", "guard refused", "guard passed"):
            case "guard lost":
                await super().place_trigger(request)
                return Unknown("no answer")
            case "guard swallowed":
                return Unknown("no answer")
            case "guard refused":
                return Refused("-1013", "a filter")
            case "guard passed":
                return Refused("-2021", "it would trigger at once")
        return await super().place_trigger(request)

    async def order(self, symbol: str, client_id: str) -> Lookup:
        if self.blind:
            self.blind -= 1
            return Absent(client_id)
        return await super().order(symbol, client_id)

    def orders_of(self, leg: str) -> list[OrderRequest]:
        """Ordinary orders that were sent, entries or exits."""
        return [one for one in self.placed if isinstance(one, OrderRequest) and one.reduce_only == (leg == "exit")]


class House:
    """One desk. `open` reads everything from disk, `die` forgets what only memory held."""

    def __init__(self, home: Path, venue: Venue, hedge: bool = True, leverage: int = 5,
                 margin: MarginMode = MarginMode.ISOLATED) -> None:
        self.paths, self.venue = Paths(home).prepare(), venue
        self.settings = FuturesSettings(paper_latency_ms=0, hedge=hedge, leverage=leverage, margin=margin.value)
        self.words: list[Word] = []
        self.terms = DeskTerms(hedge, margin, leverage, patience=QUICK, unprotected_s=0.5)

    async def open(self) -> "House":
        self.account = await Account.open(self.venue, self.settings, self.paths)
        await self.attach()
        return self

    async def attach(self) -> None:
        """A new process over the same venue and the same disk."""
        self.journal = Journal(self.paths.data / "intents.jsonl")
        self.journal.load()
        self.books = FuturesBooks(JsonFile(self.paths.data / "futures.json", FuturesState, FuturesState), "paper", "T")
        self.books.load()
        self.desk = FuturesDesk(self.account, self.venue, self.journal, self.books, Identity("b", "T"), self.terms,
                                self.words.append)
        self.reconciler = Reconciler(self.desk, self.words.append)

    async def start(self) -> None:
        """As the keeper does it."""
        await self.desk.guard_first()
        await self.reconciler.open([SYMBOL])

    async def settle(self, passes: int = 40) -> PerpReport:
        """Passes until nothing is under way."""
        for _ in range(passes):
            await self.desk.look()
            report = await self.reconciler.pass_()
            await asyncio.sleep(0.01)
            held = {LegKey.of(one) for one in await self.account.positions()}  # an exit may have filled since the look
            flat = self.books.plans.keys() - held
            if report.clean and not flat and not self.desk._busy:
                return report
        return report

    def ask(self, quantity: str = "1", stop: str = "1900", take: str | None = "2200",
            kind: OrderType = OrderType.MARKET, price: str | None = None, long: bool = True) -> PerpAsk:
        return PerpAsk(SYMBOL, long, D(quantity), kind, D(price) if price else None, D(stop), D(take) if take else None)

    @property
    def leg(self) -> LegKey:
        return self.desk.leg_of(SYMBOL, True)

    async def triggers(self) -> list[TriggerState]:
        return list(await self.account.open_triggers())

    async def naked(self) -> list[str]:
        """Legs that no waiting stop covers, by the venue."""
        out = []
        for held in await self.account.positions():
            stops = [one for one in await self.triggers() if one.kind == "STOP_MARKET" and one.symbol == held.symbol
                     and one.position_side is held.side]
            fixed = sum((one.quantity for one in stops if one.quantity is not None), D(0))
            if fixed < abs(held.quantity) and not any(one.quantity is None for one in stops):
                out.append(held.symbol)
        return out

    async def close(self) -> None:
        await self.desk.shut()
        await self.account.close()


def accepted(outcome: Outcome) -> str:
    assert isinstance(outcome, Accepted), outcome
    return outcome.order_id
