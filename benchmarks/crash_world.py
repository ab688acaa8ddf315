"""One installation that is killed again and again: a simulated exchange, and trackers that crash where they are told.

The tracker runs as a process of its own (LIVE, on the simulated exchange's key) and gets its work as messages and
files, as in life. Between two cases it is killed, too: nothing may depend on a stop in good order.
"""

from __future__ import annotations

import asyncio
import uuid
from decimal import Decimal
from itertools import cycle
from pathlib import Path

import msgspec

from benchmarks.killed_world import KilledWorld, WorldError
from benchmarks.venue_books import TRADER, Books, Verdict, compare
from modules.exchange.gateway import open_account, open_market
from modules.exchange.settings import ExchangeSettings
from modules.exchange.types import Accepted, Mode, OrderType, Side
from modules.execution.intents import FeeTerms, Intent, client_id
from modules.execution.journal import Journal
from modules.strategies.hype.desk import SYSTEM
from modules.strategies.hype.files import HypeFiles
from modules.strategies.hype.records import Position, Proposal, Strategy
from modules.supervision.messages import Inbox

SPEED = 30
SETTINGS = {
    "HYPE_MAX_OPEN_TRADES": "50", "HYPE_MAX_EXPOSURE_USDT": "8000", "HYPE_MAX_TRADES_PER_DAY": "100000",
    "HYPE_MAX_SLIPPAGE_PCT": "15", "HYPE_MAX_PROPOSAL_AGE_S": "3600", "HYPE_COOLDOWN_AFTER_STOP_S": "0",
    "HYPE_COOLDOWN_AFTER_SELL_S": "0", "EXCHANGE_RECV_WINDOW_MS": "1000", "SUPERVISION_BEAT_EVERY_S": "0.1",
    # The limits of risk have tests of their own; here they would only end the orders.
    "RISK_DAY_LOSS_PCT": "0", "RISK_WEEK_LOSS_PCT": "0", "RISK_DRAWDOWN_PCT": "0", "RISK_EXPOSURE_PCT": "0",
    "RISK_LOSING_STREAK": "0",
}
OURS = ("COXSWAIN_", "EXCHANGE", "TELEGRAM_", "HYPE_", "SIMULATOR_", "LEARNING_", "REPORT_", "SUPERVISION_", "RISK_")


class World(KilledWorld):
    """A home, a simulator, at most one tracker. Use as a context."""

    who = "the tracker"
    program = ("tracker.py",)
    patience_s = 60.0

    def __init__(self, home: Path, seed: int = 3) -> None:
        super().__init__(home, OURS, SETTINGS, ("--speed", str(SPEED), "--tokens", "80", "--seed", str(seed), "--start",
                                                "2025-03-01T10:00:00"))
        self.files = HypeFiles(self.paths, Mode.LIVE)
        self.inbox = Inbox(self.paths.inbox, "tracker")
        (self.paths.config / "state.json").write_text('{"test_mode": false}\n', encoding="utf-8")
        self.environment["EXCHANGE_BASE_URL"] = self.url
        self._symbols = cycle(self._tradable())

    # -- the venue

    def _tradable(self) -> list[str]:
        rows = {row["symbol"]: float(row["quoteVolume"] or 0) for row in self.ask("/api/v3/ticker/24hr")}
        by_api = set(self.ask("/api/v3/defaultSymbols")["data"])
        fit = [pair["symbol"] for pair in self.ask("/api/v3/exchangeInfo")["symbols"]
               if pair["symbol"] in by_api and pair["symbol"] in rows and str(pair["status"]) in ("1", "ENABLED")
               and pair["isSpotTradingAllowed"] and "MARKET" in pair["orderTypes"]]
        best = sorted(fit, key=lambda symbol: -rows[symbol])[:45]
        if len(best) < 10:
            raise WorldError(f"only {len(best)} pairs can be traded")
        return best

    def book(self, symbol: str) -> tuple[Decimal, Decimal]:
        """Best bid and ask."""
        found = self.ask(f"/api/v3/depth?symbol={symbol}&limit=5")
        return Decimal(found["bids"][0][0]), Decimal(found["asks"][0][0])

    def verdict(self) -> Verdict:
        """Our files against the venue's truth, now."""
        return compare(Books.read(self.home), self.ask("/sim/truth"))

    def executed(self) -> int:
        """How many orders the venue has taken from us."""
        return len(self.ask("/sim/truth")["accounts"][TRADER]["orders"])

    # -- the tracker

    @property
    def said(self) -> Path:
        """The tracker's heartbeat."""
        return self.paths.run / "tracker.beat.json"

    @property
    def log(self) -> Path:
        """The tracker's log."""
        return self.paths.logs / "tracker.log"

    def ready(self) -> bool:
        """Whether the tracker guards and its entries are open."""
        beat = self.status()
        return bool(beat) and beat["ready"] and not beat["info"].get("closed_live", "?")

    # -- work for it

    def propose(self, symbol: str) -> None:
        """A proposal at the present price."""
        _, ask = self.book(symbol)
        self.inbox.post("buy", {**msgspec.to_builtins(self._proposal(symbol, ask))}, "crash")

    def _proposal(self, symbol: str, price: Decimal) -> Proposal:
        return Proposal(symbol=symbol, strategy=Strategy.SIMPLE, confidence=0.8, probability=0.4, price=float(price),
                        atr_pct=50.0, market_ms=self.ask("/sim/status")["market_ms"], mode="LIVE",
                        candidate_id=uuid.uuid4().hex)

    def next_symbol(self) -> str:
        """A pair that is not held; each in its turn, so that rests after sales are over."""
        held = self.files.tracked.load()
        return next(symbol for symbol in self._symbols if symbol not in held)

    def sell(self, symbol: str) -> None:
        """A person's wish to sell."""
        self.inbox.post("sell", {"symbol": symbol, "mode": "LIVE"}, "crash")

    def position(self) -> Position:
        """An open position; bought by a tracker in health where there is none. Leaves no tracker running."""
        for _ in range(6):
            held = [position for position in self.files.tracked.load().values() if position.state == "open"]
            if held:
                self.kill()
                return held[0]
            if self.process is None:
                self.start()
            self.propose(self.next_symbol())
            self.wait(lambda: not self.inbox.waiting(), "the proposal is carried out")
        raise WorldError(f"no position to be had; {self.log_tail()}")

    def bring_to_target(self, position: Position) -> None:
        """As if the price had risen to the first target: targets below the bid, the stop far away."""
        bid, _ = self.book(position.symbol)
        tick = position.tp_prices[0].as_tuple().exponent
        assert isinstance(tick, int)
        step = Decimal(1).scaleb(tick)
        target = (bid * Decimal("0.9")).quantize(step)
        away = (bid * Decimal("0.2")).quantize(step)
        changed = msgspec.structs.replace(
            position, tp_prices=(target, *(target * 3 * n for n in range(1, len(position.tp_prices)))), tp_hit=0,
            sl_price=away, sl_initial=away)
        self.files.tracked.save({**self.files.tracked.load(), position.symbol: changed})

    def leave_resting(self) -> str:
        """An order of ours that rests at the venue, as after a crash behind its acceptance; returns its id."""
        self.kill()
        return asyncio.run(self._place_resting(self.next_symbol()))

    async def _place_resting(self, symbol: str) -> str:
        settings = ExchangeSettings(base_url=self.url)
        market = await open_market(settings, self.paths)
        try:
            account = await open_account(Mode.LIVE, settings, self.paths, market)
            pair = (await market.markets())[symbol]
            bid = (await market.book(symbol)).bids[0][0]
            price = (bid * Decimal("0.93")) // pair.tick * pair.tick
            cause = uuid.uuid4().hex
            proposal = self._proposal(symbol, price)
            intent = Intent(
                id=client_id(SYSTEM, "LIVE", symbol, "entry", cause, 0), system=SYSTEM, account="LIVE", symbol=symbol,
                leg="entry", slot=cause, generation=0, side=Side.BUY, type=OrderType.LIMIT,
                quantity=(Decimal(60) / price) // pair.step * pair.step, price=price, reason="hype simple", cause=cause,
                market_ms=market.clock.now_ms(), fees=FeeTerms(pair.base, pair.quote, pair.taker_fee),
                note={"proposal": msgspec.json.encode(proposal).decode()})
            journal = Journal(self.paths.data / "intents.jsonl")
            journal.load()
            journal.open(intent)
            outcome = await account.place(intent.request())
            await account.close()
        finally:
            await market.close()
        if not isinstance(outcome, Accepted):
            raise WorldError(f"the venue does not take an order that rests: {outcome}")
        return intent.id
