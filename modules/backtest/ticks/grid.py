"""The hedging grid tick by tick: the live session (`session.step`) on recorded books, as its host would serve it.

1. Every TICK_INTERVAL the session sees the trader's best bid and ask; a book in doubt is no price (it grows old).
2. Its orders travel `ticks.entry_ms`, walk the venue's book, and are answered `ticks.answer_ms` later; only then does
   the session hear of them. Balance and positions are told when it asks, as the venue holds them.
3. A protective stop stands at the venue as soon as it is wanted, fires when the best bid (of a SELL: ask) reaches it,
   and closes at the market. Live it looks at the mark price, which recordings seldom have.
4. Candles: those of files, known when they closed, and whole ones made of the tape's own trades.
5. A tape of trades alone has no book: best prices are taken one tick apart around each trade, as deep as one wants.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from modules.backtest.ticks import arena as ar
from modules.backtest.ticks import grid_kernels as k
from modules.backtest.ticks.arena import EX_ASK, EX_BID, LO_AT, LO_BID, LO_DOUBT, Arena, Ints, T
from modules.backtest.ticks.engine import submit
from modules.backtest.ticks.grid_venue import MONEY, NO_STOP, GridVenue, taken_from
from modules.backtest.ticks.tape import DEPTH, FUNDING, SNAPSHOT, TRADE, Tape
from modules.strategies.grid import events as ev
from modules.strategies.grid.acting import STOP_SLOT
from modules.strategies.grid.ledger import ZERO, Entry, GridFill, LegLedger, booked
from modules.strategies.grid.reconcile import VenueLeg
from modules.strategies.grid.rules import BUY, SELL
from modules.strategies.grid.session import step
from modules.strategies.grid.settings import INTERVAL_MS
from modules.strategies.grid.signals import FILL, Candle
from modules.strategies.grid.state import Rulebook, SessionState

KEPT = FILL + 50
SETTLE_MS = 500  # how long after its end a candle is known, as live
ENDLESS = 1 << 50  # steps at the best prices of a tape without a book


@dataclass(frozen=True, slots=True)
class Sent:
    """An order on its way. A stop's has no generation."""

    order: int
    slot: str
    generation: int
    side: int
    opens: bool
    target: str
    why: str


class Player:
    """One session on one tape. `candles`: all that will be known, oldest first."""

    def __init__(self, arena: Arena, tape: Tape, book: Rulebook, venue: GridVenue, candles: Sequence[Candle],
                 booked: bool) -> None:
        self.a, self.tape, self.book, self.venue, self.booked = arena, tape, book, venue, booked
        self.state = SessionState()
        self.counted: Counter[str] = Counter()
        self.curve: list[tuple[int, int, int, int]] = []  # ms, equity, notional held, last price in ticks
        self.doubtful = 0
        self._candles = list(candles)
        self._closes = np.array([one.time + INTERVAL_MS[book.settings.timeframe] + SETTLE_MS for one in candles],
                                np.int64)
        self._known = self._seen = 0
        self._price = abs(int(tape.key[tape.begin[:-1][tape.kind == TRADE]][0]))
        self._sent: dict[int, Sent] = {}
        self._fills = 0  # rows of the arena's fills that the venue has booked
        self._news: dict[int, list[GridFill]] = {}
        self._queue: list[ev.Event] = []
        self._stepping = False

    def run(self) -> None:
        """The whole tape, or until nothing is left."""
        a = self.a
        look_ns = round(self.book.settings.tick_interval * 1e9)
        following = int(a.now[T]) + look_ns
        while not self.venue.dead:
            low, high = self.venue.bounds(max(int(a.now[EX_ASK] - a.now[EX_BID]), 0) + 2)
            why = k.onward(a, following, low, high)
            self._booked()
            if a.now[ar.FAULT]:
                return
            if why == k.TOUCH:
                self._touched()
            self._hear()
            if why == k.LOOK:
                self._look()
                following += look_ns
            elif why == k.OVER:
                break
        self._end()

    @property
    def now_ms(self) -> int:
        """Market time."""
        return int(self.a.now[T]) // 1_000_000

    # -- the venue ---------------------------------------------------------------------------------

    def _booked(self) -> None:
        """New fills and settlements, into the venue's account."""
        a = self.a
        for row in a.fills[self._fills:a.now[ar.FILLS]].tolist():
            self._fills += 1
            if not row[ar.F_SIDE]:
                continue  # the engine's own note of funding, on the difference of the legs; ours is `_settled`
            sent = self._sent[row[ar.F_ORDER]]
            price, steps, ms = row[ar.F_PRICE], row[ar.F_QTY], row[ar.F_NS] // 1_000_000
            fill = GridFill(f"{self._fills}", sent.slot, sent.side, sent.opens, price * self.tape.tick,
                            steps * self.tape.step, ZERO, ms, sent.target)
            if sent.opens:
                fee = self.venue.opened(sent.side, sent.slot, price, steps, ms)
            else:
                fee = self._closed(sent, fill, price, steps, ms)
            self._news.setdefault(sent.order, []).append(msgspec.structs.replace(fill, fee=fee / MONEY))

    def _closed(self, sent: Sent, fill: GridFill, price: int, steps: int, ms: int) -> int:
        """The entries that a closing fill takes from, by the ledger's own rule on what the venue holds."""
        entries = tuple(Entry(name, 1, lot.steps * self.tape.step, lot.cost / MONEY, lot.opened_ms)
                        for name, lot in self.venue.legs[sent.side].lots.items())
        before = LegLedger(sent.side, entries)
        after, _ = booked(before, fill, 1)
        return self.venue.closed(sent.side, taken_from(before, after, self.tape.step), price, ms, sent.why)

    def _settled(self, since: int) -> None:
        """Settlements among the messages that arrived (the tape holds them by the venue's time)."""
        a = self.a
        for row in range(since, int(a.now[LO_AT])):
            message = a.order[row]
            if a.kind[message] == FUNDING:
                first = a.begin[message]
                received = self.venue.funded(int(a.qty[first]), int(a.key[first]))
                if received:
                    self._tell(ev.Funded(self.now_ms, received / MONEY))
            elif a.kind[message] == TRADE:
                self._price = abs(int(a.key[a.begin[message]]))

    def _touched(self) -> None:
        """A stop, or the end of the margin, may have been reached."""
        a, venue = self.a, self.venue
        bid, ask = int(a.now[EX_BID]) + a.base, int(a.now[EX_ASK]) + a.base
        if venue.broke(bid, ask):
            self.counted["liquidations"] += 1
            venue.liquidate(bid, ask, self.now_ms)
            return
        for side, price in ((BUY, bid), (SELL, ask)):
            leg = venue.legs[side]
            trigger, steps = leg.stop
            if leg.steps and steps and side * (price - trigger) <= 0:
                leg.stop = NO_STOP
                self.counted["protective stops fired"] += 1
                wait, a.rules[ar.R_ENTRY_NS] = a.rules[ar.R_ENTRY_NS], 0
                self._submit(f"{STOP_SLOT}{side}", 0, side, False, min(steps, leg.steps), "", "PROTECTIVE_STOP")
                a.rules[ar.R_ENTRY_NS] = wait

    def _submit(self, slot: str, generation: int, side: int, opens: bool, steps: int, target: str, why: str) -> None:
        way = side if opens else -side
        order = submit(self.a, way, ar.MARKET, 1, steps, 0, k.UNHEARD)
        self._sent[order] = Sent(order, slot, generation, side, opens, target, why)

    # -- the trader --------------------------------------------------------------------------------

    def _hear(self) -> None:
        """Answers that have come."""
        a = self.a
        while (row := k.answered(a)) >= 0:
            a.orders[row, ar.O_NOTE] = k.HEARD
            sent = self._sent[int(a.orders[row, ar.O_ID])]
            fills = self._news.pop(sent.order, [])
            if sent.generation:
                self._tell(ev.Answered(self.now_ms, sent.slot, sent.generation, "accepted"))
            self._tell(*(ev.Filled(self.now_ms, fill) for fill in fills))
            if sent.generation:
                done = sum((fill.quantity for fill in fills), ZERO)
                self._tell(ev.Done(self.now_ms, sent.slot, sent.generation, done))

    def _look(self) -> None:
        """One tick: settlements, candles that closed, the price."""
        a, now_ms = self.a, self.now_ms
        seen = int(a.now[LO_AT])
        self._settled(self._seen)
        self._seen = seen
        known = int(np.searchsorted(self._closes, now_ms, side="right"))
        if known > self._known:
            self._known = known
            self._tell(ev.Candles(now_ms, tuple(self._candles[max(known - KEPT, 0):known])))
        bid, ask = int(a.now[LO_BID]), int(a.now[ar.LO_ASK])
        if a.now[LO_DOUBT] or bid < 0 or ask >= len(a.lo_asks):
            self.doubtful += 1
            return
        tick, bid, ask = self.tape.tick, bid + a.base, ask + a.base
        made = int(a.exch[a.order[seen - 1]]) // 1_000_000 if self.booked and seen else now_ms
        self._tell(ev.Quote(now_ms, made, bid * tick, ask * tick))
        if self.state.refusal:
            self.counted[f"looks: {self.state.refusal}"] += 1
        self.curve.append((now_ms, self.venue.equity(bid, ask), self.venue.held(bid), self._price))

    def _tell(self, *events: ev.Event) -> None:
        """Events into the session, and what it decides carried out."""
        self._queue += events
        if self._stepping:
            return
        self._stepping = True
        while self._queue:
            self.state, decisions = step(self.state, self._queue.pop(0), self.book)
            for decision in decisions:
                self._decide(decision)
        self._stepping = False

    def _decide(self, said: ev.Decision) -> None:
        if isinstance(said, ev.Place):
            self._place(said)
        elif isinstance(said, ev.Ask):
            self._asked(said)
        elif isinstance(said, ev.Protect):
            steps = int(said.quantity / self.tape.step)
            self.venue.legs[said.side].stop = (int(said.trigger / self.tape.tick), steps) if steps else NO_STOP
        elif isinstance(said, ev.Notice):
            self.counted[f"told: {said.what}"] += 1
        elif isinstance(said, ev.LimitHit):
            self.counted[f"days ended by a daily limit ({said.limit_type})"] += 1

    def _place(self, order: ev.Place) -> None:
        trigger, steps = self.venue.legs[order.side].stop
        if order.opens and steps and order.side * (order.price - trigger * self.tape.tick) <= 0:
            # As the live host: its stop is firing, nothing is added.
            self._tell(ev.Answered(self.now_ms, order.slot, order.generation, "refused", "the stop's price is passed"))
            return
        self._submit(order.slot, order.generation, order.side, order.opens, int(order.quantity / self.tape.step),
                     order.target, str(order.reason))

    def _asked(self, ask: ev.Ask) -> None:
        venue, a = self.venue, self.a
        if ask.what is ev.What.BALANCE:
            bid, ask_ = int(a.now[EX_BID]) + a.base, int(a.now[EX_ASK]) + a.base
            self._tell(ev.Balance(self.now_ms, venue.wallet / MONEY, venue.available(bid, ask_) / MONEY))
        elif ask.what is ev.What.POSITIONS:
            self._tell(ev.Positions(self.now_ms, *(self._leg(side) for side in (BUY, SELL))))
        elif ask.what is ev.What.CANDLES and self._known >= ask.count:
            self._tell(ev.Candles(self.now_ms, tuple(self._candles[max(self._known - KEPT, 0):self._known])))

    def _leg(self, side: int) -> VenueLeg:
        leg = self.venue.legs[side]
        quantity = leg.steps * self.tape.step
        return VenueLeg(side, quantity, leg.cost / MONEY / quantity if quantity else ZERO)

    def _end(self) -> None:
        """What is held at the end of the tape is sold at the book, as a taker would."""
        a, ms = self.a, self.now_ms
        bid, ask = int(a.now[EX_BID]) + a.base, int(a.now[EX_ASK]) + a.base
        for side, price in ((BUY, bid), (SELL, ask)):
            leg = self.venue.legs[side]
            if leg.steps:
                self.venue.closed(side, {name: lot.steps for name, lot in leg.lots.items()}, price, ms, "END")
        self.curve.append((max(ms, self.curve[-1][0] + 1 if self.curve else 0), self.venue.wallet, 0, self._price))


def quoted(tape: Tape) -> Tape:
    """A tape of trades alone with a book around each of them (rule 5)."""
    trades = np.flatnonzero(tape.kind == TRADE)
    key = tape.key[tape.begin[:-1][trades]].astype(np.int64)
    price = np.abs(key)
    bid, ask = np.where(key > 0, price, price - 1), np.where(key > 0, price + 1, price)
    old_bid, old_ask = np.append(bid[0], bid[:-1]), np.append(ask[0], ask[:-1])
    n, rises = len(trades), bid > old_bid
    gone_bid, gone_ask = np.where(bid == old_bid, ENDLESS, 0), np.where(ask == old_ask, ENDLESS, 0)
    full = np.full(n, ENDLESS)
    # The new level before the old one goes, the side that the price moves away from first: no level is searched for.
    up = np.column_stack((-ask, -old_ask, bid, old_bid))
    down = np.column_stack((bid, old_bid, -ask, -old_ask))
    up_sizes = np.column_stack((full, gone_ask, full, gone_bid))
    down_sizes = np.column_stack((full, gone_bid, full, gone_ask))
    changes = np.column_stack((np.where(rises[:, None], up, down), key))
    sizes = np.column_stack((np.where(rises[:, None], up_sizes, down_sizes), tape.qty[tape.begin[:-1][trades]]))
    kind = np.tile(np.array([DEPTH, TRADE], np.uint8), n)
    kind[0] = SNAPSHOT
    begin = np.concatenate(([0], np.cumsum(np.tile([4, 1], n))))
    exch, local = np.repeat(tape.exch_ns[trades], 2), np.repeat(tape.local_ns[trades], 2)
    return replace(tape, kind=kind, exch_ns=exch, local_ns=local, begin=begin, key=changes.ravel().astype(np.int32),
                   qty=sizes.ravel(), local_order=np.argsort(local, kind="stable").astype(np.int32))


def candles_of(tape: Tape, interval: int) -> list[Candle]:
    """The whole candles of the tape's trades; one without a trade goes on at the last price."""
    traded = tape.kind == TRADE
    ms: Ints = tape.exch_ns[traded] // 1_000_000
    price = np.abs(tape.key[tape.begin[:-1][traded]]) * float(tape.tick)
    found: list[Candle] = []
    for bucket in range(int(ms[0]) // interval + 1, int(ms[-1]) // interval) if len(ms) else ():
        low, high = np.searchsorted(ms, (bucket * interval, (bucket + 1) * interval))
        part = price[low:high] if high > low else price[low - 1:low]
        found.append(Candle(bucket * interval, float(part[0]), float(part.max()), float(part.min()), float(part[-1])))
    return found
