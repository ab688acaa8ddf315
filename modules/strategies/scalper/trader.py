"""Signals → positions of one mode: limits, limit-first entries, longest hold, ends. Stops stand on the venue (B11).

1. A trade is in the state file before its first order leaves; its id is the cause of its orders. After a kill it is
   resumed from there and from the desk's journal: nothing is ordered a second time for one cause (X40).
2. The entry is a limit order at the best price for `wait_s`; what it did not fill may be taken once, at a price cap,
   where the signal still stands and is worth a taker's fees.
3. Stop and target are the futures desk's: on the venue from the first fill on. Here only time and the opposite signal
   end a position; the desk goes on closing until the venue is flat.
4. A trade ends when the desk has let go of its leg; its result is that of its fills. One that is held but not known
   here (a lost state file) is taken on, with the longest hold from now.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import msgspec

from modules.exchange.futures_types import FuturesMarket
from modules.exchange.types import Mode, OrderType, PositionSide, Unavailable
from modules.execution.controls import PerpRefusals
from modules.execution.crashpoints import crash_point, declare
from modules.execution.executor import Filled, NothingFilled, NotPlaced, Unresolved
from modules.execution.futures.checklist import PerpAsk
from modules.execution.futures.keeper import Keeper
from modules.execution.futures.plan import LegKey
from modules.storage.json_state import JsonFile
from modules.strategies.scalper import results, rules, sizing, words
from modules.strategies.scalper.eye import Eye, Signal
from modules.strategies.scalper.named_tasks import NamedTasks
from modules.strategies.scalper.reasons import EXITS, Code
from modules.strategies.scalper.records import LAST, ZERO, State, Trade
from modules.strategies.scalper.settings import ScalperSettings
from modules.strategies.scalper.trade_log import TradeLog

log = logging.getLogger(__name__)

declare(__name__, "trade.noted", "trade.taken", "trade.opened", "trade.closing", "trade.closed")

DAY_MS = 86_400_000
SLACK_S = 1.0
FILLS_WAIT_MS = 60_000
WALLET_EVERY_MS = 30_000
ASK_AGAIN_S = 3.0
REFUSED_S = 30.0  # after a refusal of the venue or its checklist the contract waits so long, market s
Say = Callable[[str, str, str, str], None]  # what, why, what to do, level


@dataclass(frozen=True, slots=True)
class Refused:
    """The newest refusal of a contract that a person may want to know."""

    symbol: str
    code: Code
    text: str
    ms: int


class Trader:
    """One mode's trades. `eyes` by contract; `say` tells people."""

    def __init__(self, mode: Mode, settings: ScalperSettings, keeper: Keeper, file: JsonFile[State],
                 eyes: dict[str, Eye], lines: TradeLog, say: Say) -> None:
        self.mode, self.settings, self.keeper, self.desk = mode, settings, keeper, keeper.desk
        self.eyes, self._file, self._lines, self._say = eyes, file, lines, say
        self.state = file.load()
        self.equity = ZERO
        self.refused: Counter[Code] = Counter()
        self.newest_refusal: Refused | None = None
        self.came_to_nothing: Callable[[Signal, Code], None] = lambda signal, code: None  # an entry that had begun
        self.priced: Callable[[Signal], tuple[Code, Signal]] = lambda signal: (Code.OK, signal)  # see `beside`
        self._wallet_ms = 0
        self._tasks = NamedTasks(self._ended)
        self._saving = asyncio.Lock()
        self._asked_at = 0.0

    # -- signals -------------------------------------------------------------------------------------------

    def now_ms(self) -> int:
        """Market time. Raises Unavailable while it is not known."""
        return self.desk.market.clock.now_ms()

    @property
    def stopped(self) -> str:
        """Why a person wants no entries in this mode."""
        return self.state.stopped

    def offer(self, signal: Signal) -> Code:
        """A signal: OK where an entry begins, else why not."""
        code = self._limits(signal)
        if code is Code.OK:
            self._tasks.start(f"enter {signal.symbol}", self._enter(signal))
        else:
            self.refused[code] += 1
        return code

    def _limits(self, signal: Signal) -> Code:
        own, state = self.settings, self.state
        if self.stopped or not self.keeper.opened.is_set() or self.desk.closed:
            return Code.PAUSED
        if f"enter {signal.symbol}" in self._tasks:
            return Code.BUSY
        if any(trade.symbol == signal.symbol for trade in state.open.values()):
            return Code.HELD
        self._new_day(signal.ms)
        lost = float(-state.day_pnl / state.day_equity) if state.day_equity > 0 else 0.0
        return Code(int(rules.limit(signal.ms, state.free_ms.get(signal.symbol, 0), state.today, own.trades_a_day,
                                    len(state.open), own.most_open, lost, own.day_loss_pct / 100)))

    def _new_day(self, now_ms: int) -> None:
        day = now_ms // DAY_MS
        if day != self.state.day:
            self.state.day, self.state.today, self.state.day_pnl = day, 0, ZERO
            self.state.day_equity = self.equity

    # -- entries (rules 1 and 2) ---------------------------------------------------------------------------

    async def _enter(self, signal: Signal) -> None:
        try:
            contract = (await self.desk.market.contracts()).get(signal.symbol)
            if contract is None:
                self._refuse(signal, Code.VENUE, "the exchange does not list it")
                return
            trade = await self._trade_of(signal, contract)
            if trade is None:
                self._refuse(signal, Code.SIZE, "")
                return
            self.state.open[trade.id] = trade
            self.state.today += 1
        except Unavailable as problem:
            self._refuse(signal, Code.VENUE, str(problem))
            return
        noted = asyncio.create_task(self._note())  # rule 1: on disk while the desk asks its questions
        wait_s = max(self.settings.wait_s / self.desk.market.clock.speed, 0.05)
        again = await self._order(signal, trade, PerpAsk(trade.symbol, trade.side > 0, trade.quantity, OrderType.LIMIT,
                                                         trade.price, trade.stop, trade.take), wait_s, noted)
        if again:
            taken = self._taker(signal, trade, contract)
            if taken is not None:
                self.state.open[trade.id] = taken[0]
                crash_point("trade.taken")
                again = await self._order(signal, taken[0], taken[1], 0.0)
        if again:
            self._drop(signal, trade.id)
            self._refuse(signal, Code.NOT_FILLED, "")
        await self._save_or_log()

    async def _trade_of(self, signal: Signal, contract: FuturesMarket) -> Trade | None:
        own, eye = self.settings, self.eyes[signal.symbol]
        if self.equity <= 0:
            await self._wallet()
        price = sizing.entry_price(signal.bid if signal.side > 0 else signal.ask, contract.tick)
        found = sizing.levels_of(signal.side, price, rules.stop_bps(eye.terms, signal.atr_bps), own.take_r,
                                 contract.tick)
        quantity = sizing.quantity_of(price, found.stop, self.equity, own.risk_pct, own.max_position_usdt, contract)
        if not quantity:
            return None
        self.state.number += 1
        mood = msgspec.to_builtins(eye.mood) if eye.mood is not None and signal.parts.get("sentiment") else None
        return Trade(
            id=f"b{self.state.number}-{signal.ms}", symbol=signal.symbol, side=signal.side,
            position_side=str(self.desk.leg_of(signal.symbol, signal.side > 0).side), asked_ms=self.now_ms(),
            score=signal.score, quantity=quantity, price=price, stop=found.stop, take=found.take, parts=signal.parts,
            mood=mood)

    async def _note(self) -> None:
        await self._save()
        crash_point("trade.noted")

    async def _order(self, signal: Signal, trade: Trade, ask: PerpAsk, rest_s: float,
                     *noted: "asyncio.Task[None]") -> bool:
        """Send one entry; True where nothing of it was filled and nothing is under way."""
        reason = f"{trade.word} score {trade.score:+.2f}"
        code = Code.VENUE
        try:
            result = await self.desk.enter(ask, trade.id, trade.id, reason, rest_s, *noted)
        except (Unavailable, OSError) as problem:  # nothing was sent then
            code = Code.DISK if isinstance(problem, OSError) else code
            result = NotPlaced("NOT_SENT", str(problem))
        await asyncio.gather(*noted, return_exceptions=True)  # one that the desk refused before is done as well
        if isinstance(result, Filled | Unresolved):
            return False  # `turn` sees what is held
        if isinstance(result, NothingFilled):
            return True
        self._drop(signal, trade.id)
        text = result.text() if isinstance(result, PerpRefusals) else f"{result.code}: {result.text}"
        self._refuse(signal, code, text)
        return False

    def _taker(self, signal: Signal, trade: Trade, contract: FuturesMarket) -> tuple[Trade, PerpAsk] | None:
        """Rule 2: the same trade as a taker, where it is still wanted and worth it."""
        eye, own = self.eyes[signal.symbol], self.settings
        if not own.taker or eye.code is not Code.OK:
            return None
        code, now = self.priced(eye.signal())
        if code is not Code.OK or now.side != trade.side:
            return None
        if not rules.worth_it(eye.terms, now.score, now.atr_bps, now.spread_bps, False):
            return None
        cap = trade.price * (1 + trade.side * Decimal(repr(own.max_chase_bps)) / sizing.BPS)
        cap = sizing.on_grid(cap, contract.tick, ROUND_HALF_EVEN)
        touch = sizing.entry_price(now.ask if trade.side > 0 else now.bid, contract.tick)
        if (touch - cap) * trade.side > 0:
            return None
        found = sizing.levels_of(trade.side, touch, rules.stop_bps(eye.terms, now.atr_bps), own.take_r, contract.tick)
        made = msgspec.structs.replace(trade, price=cap, stop=found.stop, take=found.take)
        return made, PerpAsk(trade.symbol, trade.side > 0, trade.quantity, OrderType.IOC, cap, found.stop, found.take)

    def _drop(self, signal: Signal, trade_id: str) -> None:
        """A trade that never came to be."""
        self.state.open.pop(trade_id, None)
        self.state.today = max(0, self.state.today - 1)

    def _refuse(self, signal: Signal, code: Code, text: str) -> None:
        self.refused[code] += 1
        self.newest_refusal = Refused(signal.symbol, code, text, signal.ms)
        self.came_to_nothing(signal, code)
        if code in (Code.VENUE, Code.SIZE, Code.DISK):
            self.state.free_ms[signal.symbol] = signal.ms + round(REFUSED_S * 1000)
            log.info("%s %s refused: %s %s", self.mode, signal.symbol, code.name, text)

    # -- positions (rules 3 and 4) -------------------------------------------------------------------------

    async def turn(self) -> None:
        """Look at everything that is open. Raises Unavailable while market time is not known."""
        now_ms = self.now_ms()
        if now_ms - self._wallet_ms >= WALLET_EVERY_MS * self.desk.market.clock.speed:
            self._tasks.start("wallet", self._wallet())
        if not self.keeper.guarded.is_set():
            return
        self._adopt(now_ms)
        changed = False
        for trade in list(self.state.open.values()):
            if f"enter {trade.symbol}" not in self._tasks:
                changed |= self._attend(trade, now_ms)
        if changed:
            await self._save_or_log()

    def leg(self, trade: Trade) -> LegKey:
        """Where a trade is held."""
        return LegKey(trade.symbol, PositionSide(trade.position_side))

    def _attend(self, trade: Trade, now_ms: int) -> bool:
        """One open trade; True where the state changed."""
        desk, leg = self.desk, self.leg(trade)
        fills = self._fills(trade)
        under_way = any(entry.open for entry in desk.journal.of_cause(trade.id))
        held = bool(desk.books.held(leg)) or leg in desk.positions
        if not trade.opened_ms and results.folded(trade, fills).filled:
            self._opened(results.folded(trade, fills), now_ms)
            return True
        if held and trade.opened_ms:
            if leg not in desk.positions and self.desk.read_at - self._asked_at > ASK_AGAIN_S:
                self._asked_at = self.desk.read_at  # the venue is flat, the fills that tell so are not read yet
                self.keeper.hurry()
            return self._end_of(trade, leg, now_ms)
        if held or under_way or leg in desk.books.plans:
            return False
        if not fills:  # it never came to be: dropped after a restart, or proven absent
            self.state.open.pop(trade.id, None)
            return True
        if results.left(trade, fills) and now_ms - max(fill.market_ms for fill in fills) < FILLS_WAIT_MS:
            return False  # the exit's fills are not read yet
        self._closed(results.ended(trade, fills, desk.books.cash.rows if desk.books.cash else (), now_ms), now_ms)
        return True

    def _fills(self, trade: Trade) -> list[Any]:
        ledger = self.desk.books.ledgers[PositionSide(trade.position_side)]
        return results.own(ledger.fills(trade.symbol), trade, round(SLACK_S * 1000 * self.desk.market.clock.speed))

    def _end_of(self, trade: Trade, leg: LegKey, now_ms: int) -> bool:
        """Rule 3: time and the opposite signal; stop and target are the venue's."""
        if trade.closing:
            plan = self.desk.books.plans.get(leg)
            if plan is not None and not plan.closing:
                self._tasks.start(f"close {leg}", self._close(leg, trade.closing))
            return False
        eye = self.eyes.get(trade.symbol)
        known = eye is not None and eye.bid > 0
        price = (eye.bid if trade.side > 0 else eye.ask) if eye is not None and known else float(trade.entry)
        code = int(rules.exit_of(trade.side, -trade.side * 1e18, trade.side * 1e18, trade.deadline_ms, price, now_ms,
                                 eye.score if eye is not None and known else 0.0,
                                 eye.terms if eye is not None else next(iter(self.eyes.values())).terms))
        if code == rules.HOLD:
            return False
        self.state.open[trade.id] = msgspec.structs.replace(trade, closing=EXITS[code])
        self._tasks.start(f"close {leg}", self._close(leg, EXITS[code]))
        crash_point("trade.closing")
        return True

    async def _close(self, leg: LegKey, reason: str) -> None:
        try:
            out = await self.desk.close(leg, reason)
        except (Unavailable, OSError) as problem:
            log.warning("%s: not closed yet: %s", leg, problem)  # the desk's plan says closing: its look goes on
            return
        if not out.flat:
            log.info("%s: not closed yet: %s", leg, out.why)

    def _opened(self, trade: Trade, now_ms: int) -> None:
        made = msgspec.structs.replace(trade, opened_ms=now_ms, deadline_ms=now_ms + round(self.settings.hold_s * 1000))
        self.state.open[trade.id] = made
        crash_point("trade.opened")
        self._lines.opened(made, str(self.mode))
        self._say(*words.opened(made, self.mode), "", "info")

    def _closed(self, trade: Trade, now_ms: int) -> None:
        state = self.state
        state.open.pop(trade.id, None)
        self._new_day(now_ms)
        state.day_pnl += trade.pnl
        state.pnl += trade.pnl
        state.fees += trade.fees
        state.trades += 1
        state.wins += trade.pnl > 0
        wait_s = self.settings.cooldown_s if trade.pnl > 0 else self.settings.cooldown_loss_s
        state.free_ms[trade.symbol] = now_ms + round(wait_s * 1000)
        state.last = [*state.last, trade][-LAST:]
        self._wallet_ms = 0
        crash_point("trade.closed")
        self._lines.closed(trade, str(self.mode))
        self._say(*words.closed(trade, state.day_pnl), "", "info")

    def _adopt(self, now_ms: int) -> None:
        """Rule 4: what is held with a plan of ours and unknown here."""
        known = {self.leg(trade) for trade in self.state.open.values()}
        for leg, plan in self.desk.books.plans.items():
            held = self.desk.books.held(leg)
            if leg in known or not held or leg.symbol not in self.eyes:
                continue
            side = 1 if plan.long else -1
            holding = self.desk.books.holding(leg)
            entry = holding.average if holding is not None and holding.average is not None else plan.stop
            trade = Trade(id=f"found-{leg.symbol}-{plan.opened_ms}", symbol=leg.symbol, side=side,
                          position_side=str(leg.side), asked_ms=plan.opened_ms, score=0.0, quantity=abs(held),
                          price=entry, stop=plan.stop, take=plan.take or entry * (1 + Decimal(side)), opened_ms=now_ms,
                          deadline_ms=now_ms + round(self.settings.hold_s * 1000), entry=entry, filled=abs(held))
            self.state.open[trade.id] = trade
            self._say(f"{leg.symbol}: a position that the scalper had lost track of is watched again",
                      words.levels(trade, self.mode), "", "warning")

    # -- beside --------------------------------------------------------------------------------------------

    async def flatten(self, reason: str = "hand") -> list[LegKey]:
        """Close everything and enter nothing more (X36, X37); the legs that are not flat yet."""
        self.state.stopped = "closed by hand; /startscalper lets it enter again"
        for trade in list(self.state.open.values()):
            self.state.open[trade.id] = msgspec.structs.replace(trade, closing=trade.closing or reason)
        await self._save_or_log()
        return await self.keeper.flatten(reason)

    async def resume(self) -> None:
        """Entries are wanted again. Raises OSError: the wish comes again."""
        self.state.stopped = ""
        await self._save()

    async def _wallet(self) -> None:
        try:
            self.equity = (await self.desk.account.wallet()).equity
            self._wallet_ms = self.now_ms()
        except Unavailable as problem:
            log.info("the wallet cannot be read: %s", problem)
        if self.state.day_equity <= 0:
            self.state.day_equity = self.equity

    def _ended(self, name: str, problem: BaseException | None) -> None:
        """A task's border: what ended it is logged; `turn` goes on from the state."""
        if problem is not None:
            log.error("%s of the scalper failed", name, exc_info=problem)

    async def _save(self) -> None:
        """The state on disk. Raises OSError."""
        async with self._saving:
            snapshot = msgspec.json.decode(msgspec.json.encode(self.state), type=State)
            await asyncio.to_thread(self._file.save, snapshot)

    async def _save_or_log(self) -> None:
        try:
            await self._save()
        except OSError as problem:
            log.error("the scalper's state cannot be written: %s", problem)

    async def shut(self) -> None:
        """The process ends: orders that rest are cancelled by the desk's next start, stops stay on the venue."""
        await self._tasks.end()
        await self._save_or_log()
