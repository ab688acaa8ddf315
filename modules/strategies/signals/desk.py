"""One look at a symbol: book, flow and candles in, a signal or a refusal out (D4–D9). No waiting, no input or output
but the feed's memory and the ledger.

Nothing is decided on a stale, old or partial book, on a trade window with a hole, or while the trade stream is silent;
the book is read once more right before a signal is born, and any doubt then refuses it.
"""

import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from modules.exchange.orderbook import ring
from modules.exchange.orderbook.views import BookView, Torn
from modules.strategies.signals import context, risk, rules
from modules.strategies.signals.flow import Flow, FlowWindow
from modules.strategies.signals.follower import Follower, Tick
from modules.strategies.signals.ledger import Ledger
from modules.strategies.signals.market import MarketNow, Source
from modules.strategies.signals.reasons import Refusal
from modules.strategies.signals.records import Follow, Signal
from modules.strategies.signals.rules import Direction, Inputs, Plan, Priority, Verdict
from modules.strategies.signals.settings import SignalSettings

STEP_MS = 900_000
SAMPLES, SAMPLE_MS = 300, 3000
MARKET_SLACK_MS = 2000


@dataclass(slots=True)
class Watch:
    """What is kept of one symbol between looks."""

    symbol: str
    window: FlowWindow | None = None
    number: int = 0
    suspect: bool = False
    episode: int = 0  # sign of the move that was judged already
    gone_since: int = 0
    spread_since: int = 0
    samples: deque[tuple[int, float, float, float]] = field(default_factory=lambda: deque(maxlen=SAMPLES))


@dataclass(frozen=True, slots=True)
class Seen:
    """All that one look saw, for the record."""

    view: BookView
    now_ms: int
    lean: float
    flow: Flow


class Desk:
    """Looks at symbols. `paused()`: why signals are paused, "" if they are not."""

    def __init__(self, settings: SignalSettings, ledger: Ledger, follower: Follower, now: MarketNow,
                 source: Source, paused: Callable[[], str] = lambda: "") -> None:
        self.settings, self.ledger, self.follower, self.now = settings, ledger, follower, now
        self.source, self.paused = source, paused
        self.universe: set[str] = set()
        self.excluded: Callable[[str, str], None] = lambda symbol, why: None
        self.demoted: Callable[[str], str] = lambda priority: priority
        self.born: Callable[[Signal], None] = lambda signal: None
        self.tick: Callable[[str], float] = lambda symbol: 0.0  # price step; 0: not known, the book's decimals serve
        self.looks = 0
        self._watches: dict[str, Watch] = {}

    def reset(self, source: Source) -> None:
        """Another feed's memory: windows begin anew, what is followed asks for what lies between."""
        self.source = source
        self._watches.clear()

    def watch(self, symbol: str) -> Watch:
        """What is kept of a symbol."""
        return self._watches.setdefault(symbol, Watch(symbol))

    def forget(self, symbols: set[str]) -> None:
        """Drop what is kept of symbols that nobody watches any more."""
        for symbol in symbols & self._watches.keys():
            del self._watches[symbol]

    def look(self, symbol: str) -> Refusal | None:
        """Take in what is new, decide; None where a signal was born or the symbol is only followed."""
        watch = self.watch(symbol)
        try:
            view = self.source.book(symbol, max(20, self.settings.levels))
            self._take_trades(watch, view)
            silent = self.source.liveness(symbol).trades_silent
        except (KeyError, Torn):
            watch.suspect = True
            return self._refuse(symbol, Refusal.BOOK_STALE, 0.0) if symbol in self.universe else None
        if view.event_ms:
            self.now.heard(view.event_ms)
        if symbol not in self.universe:
            return None
        self.looks += 1
        code = self._doubt(view)
        if code is not None:
            return self._refuse(symbol, code, 0.0)
        window = watch.window
        assert window is not None
        now_ms, lean = max(view.event_ms, self.now() - MARKET_SLACK_MS), view.imbalance(self.settings.levels)
        flow = window.flow(now_ms)
        self._sample(watch, now_ms, lean, flow)
        self._spread(watch, view, now_ms)
        if abs(lean) <= self.settings.imbalance:  # the usual case, without the cost of candles
            self.rearm(watch, now_ms)
            return self._refuse(symbol, Refusal.IMBALANCE, lean)
        if silent:
            watch.suspect = True
        if watch.suspect or not window.whole(now_ms):
            return self._refuse(symbol, Refusal.FLOW_NOT_WHOLE, lean)
        try:
            return self.judge(watch, Seen(view, now_ms, lean, flow))
        except (KeyError, Torn):  # the symbol or the feed went away in between
            return self._refuse(symbol, Refusal.BOOK_CHANGED, lean)

    def _doubt(self, view: BookView) -> Refusal | None:
        if not view.usable:
            return Refusal.BOOK_STALE
        if view.age_s > self.settings.max_book_age_s:
            return Refusal.BOOK_OLD
        if min(len(view.bids), len(view.asks)) < self.settings.levels:
            return Refusal.BOOK_PARTIAL
        return None

    def _take_trades(self, watch: Watch, view: BookView) -> None:
        rows = self.source.trades(watch.symbol, watch.number)
        scale = view.price_scale + view.qty_scale
        if watch.window is None or watch.window.scale != scale:
            watch.window = FlowWindow(self.settings.window_s, self.settings.large_trade_usdt, scale)
        first = watch.number == 0
        watch.number = rows.next_number
        if not len(rows.trades):
            return
        unit = 10.0 ** view.price_scale
        ticks = []
        for number, ms, price, qty, sold, _ in rows.trades.tolist():
            if watch.window.add(number, ms, price, qty, sold == 1):
                watch.suspect = False
            ticks.append(Tick(number, ms, price / unit))
        if rows.overrun and not first:
            watch.window.lost(int(rows.trades[0, ring.T_MS]))
        self.now.heard(ticks[-1].ms)
        self.follower.on_ticks(watch.symbol, ticks)

    def judge(self, watch: Watch, seen: Seen) -> Refusal | None:
        """A look whose book leans enough and whose window is whole."""
        symbol, settings = watch.symbol, self.settings
        side = Direction.LONG if seen.lean > 0 else Direction.SHORT
        entry = float(seen.view.asks[0, 0] if side is Direction.LONG else seen.view.bids[0, 0])
        rows, volume, vwap = self.around(symbol, seen)
        flow = seen.flow
        inputs = Inputs(seen.lean, flow.large_buys, flow.large_sells, volume, seen.view.mid, vwap)
        verdict = rules.judge(inputs, settings)
        if verdict.refusal is not None or verdict.direction is None or verdict.priority is None:
            self.rearm(watch, seen.now_ms)
            large = flow.large_buys if side is Direction.LONG else flow.large_sells
            return self._refuse(symbol, verdict.refusal or Refusal.QUALITY, seen.lean, large=large,
                                intensity=round(volume or 0.0, 2))
        watch.gone_since = 0
        atr, swing = context.atr(rows), context.swing(rows, settings.swing_bars, side.sign)
        if atr is None or swing is None:
            return self._refuse(symbol, Refusal.NO_CONTEXT, seen.lean)
        tick = self.tick(symbol) or 10.0 ** -seen.view.price_scale
        made = rules.plan(side, entry, atr, swing, settings, tick)
        if made is None:
            return self._refuse(symbol, Refusal.STOP_TOO_FAR, seen.lean)
        if watch.episode == side.sign:
            return self._refuse(symbol, Refusal.SAME_EPISODE, seen.lean)
        if self.paused():
            return self._refuse(symbol, Refusal.PAUSED, seen.lean)
        signal = self._signal(symbol, seen, verdict, made, volume or 0.0, vwap or 0.0, atr)
        signal.confirmations = context.confirmations(rows, entry, atr / 4, side.sign)
        signal.confidence = rules.confidence(verdict.quality, self._confirmed(signal), settings)
        return self._limits(watch, signal, seen)

    def around(self, symbol: str, seen: Seen) -> tuple[context.Rows, float | None, float | None]:
        """(15m candles, volume intensity, 1 h VWAP) at a look. Raises KeyError, Torn."""
        rows = self.source.candles(symbol, "15m").rows
        average = context.quote_24h(rows, seen.now_ms, STEP_MS)
        volume = rules.intensity(seen.flow.quote, self.settings.window_s, average or 0.0)
        return rows, volume, context.vwap(rows, seen.now_ms, STEP_MS)

    def _confirmed(self, signal: Signal) -> int:
        return len(signal.confirmations) + (signal.intensity >= self.settings.confirmation_multiplier)

    def _limits(self, watch: Watch, signal: Signal, seen: Seen) -> Refusal | None:
        """D8, then the last look at the book, then the birth."""
        symbol, state = signal.symbol, self.ledger.state
        target = self.demoted(signal.priority)
        found = risk.refuse(state, symbol, signal.follow.sign, Priority(target or Priority.LOW), seen.now_ms,
                            self.settings, self._correlation)
        if found is not None and found[0] is Refusal.SYMBOL_OPEN:
            return self._refuse(symbol, Refusal.SYMBOL_OPEN, seen.lean)
        again = self.source.book(symbol, self.settings.levels)
        if self._doubt(again) is not None or again.epoch != seen.view.epoch:
            self.ledger.refusals.single(symbol, Refusal.BOOK_CHANGED, seen.now_ms, stale=again.stale.name)
            return Refusal.BOOK_CHANGED
        watch.episode = signal.follow.sign
        if found is not None:
            if found[0] is Refusal.HELD_BACK:
                self.ledger.held_back(symbol)
            self._single(symbol, found[0], seen, signal, why=found[1])
            return found[0]
        if not target:
            self._single(symbol, Refusal.DEMOTED, seen, signal, why=f"{signal.priority} is no better than its control")
        signal.sent_as = target
        self.ledger.born(signal)
        self.follower.begin(signal)
        self.born(signal)
        return None

    def _single(self, symbol: str, code: Refusal, seen: Seen, signal: Signal, why: str) -> None:
        self.ledger.refusals.single(symbol, code, seen.now_ms, why=why, direction=signal.direction,
                                    priority=signal.priority, quality=signal.quality, imbalance=signal.imbalance,
                                    large=signal.large_trades, intensity=signal.intensity)

    def _signal(self, symbol: str, seen: Seen, verdict: Verdict, made: Plan, volume: float, vwap: float,
                atr: float) -> Signal:
        assert verdict.direction is not None and verdict.priority is not None
        settings, place, sign = self.settings, verdict.priority.place, verdict.direction.sign
        side = seen.view.bids if sign > 0 else seen.view.asks
        window = self.watch(symbol).window
        follow = Follow(
            id=str(uuid.uuid4()), symbol=symbol, sign=sign, entry=made.entry, stop=made.stop, tp1=made.tp1,
            tp2=made.tp2, begun_ms=seen.now_ms, stop_now=made.stop,
            expires_ms=seen.now_ms + int(settings.hold_min[place] * 60_000),
            last_id=(window.last_id or 0) if window else 0, last_price=made.entry)
        return Signal(
            follow=follow, priority=verdict.priority.value, quality=verdict.quality, imbalance=round(seen.lean, 4),
            large_trades=seen.flow.large_buys if sign > 0 else seen.flow.large_sells, intensity=round(volume, 3),
            confidence=0.0, large_orders=len(rules.large_orders(side, settings.large_order_factor)),
            size_pct=round(made.size_pct, 2), risk_reward=made.risk_reward,
            hold_min=(int(settings.hold_from_min[place]), int(settings.hold_min[place])), vwap=vwap, atr=atr,
            answer_by_ms=seen.now_ms + int(settings.answer_s[place] * 1000),
            reasons={"book_id": seen.view.last_id, "epoch": seen.view.epoch, "buy_quote": round(seen.flow.buy_quote),
                     "sell_quote": round(seen.flow.sell_quote), "large_buys": seen.flow.large_buys,
                     "large_sells": seen.flow.large_sells})

    def _correlation(self, one: str, other: str) -> float | None:
        bars = self.settings.correlation_bars
        try:
            a, b = (context.returns(self.source.candles(name, "15m").rows, bars) for name in (one, other))
        except (KeyError, Torn):
            return None
        return risk.correlation(a, b, bars)

    def _refuse(self, symbol: str, code: Refusal, lean: float, **seen: float) -> Refusal:
        self.ledger.refusals.look(symbol, code, self.now(), lean, **seen)
        return code

    def rearm(self, watch: Watch, now_ms: int) -> None:
        """A look without the conditions. A judged move is over once they were gone for a while."""
        if not watch.episode:
            return
        watch.gone_since = watch.gone_since or now_ms
        if now_ms - watch.gone_since >= self.settings.rearm_s * 1000:
            watch.episode, watch.gone_since = 0, 0

    def _sample(self, watch: Watch, now_ms: int, lean: float, flow: Flow) -> None:
        if not watch.samples or now_ms - watch.samples[-1][0] >= SAMPLE_MS:
            watch.samples.append((now_ms, lean, flow.buy_quote, flow.sell_quote))

    def _spread(self, watch: Watch, view: BookView, now_ms: int) -> None:
        """A spread that stays too wide excludes at once (D2)."""
        if view.spread_pct <= self.settings.max_spread_pct:
            watch.spread_since = 0
        elif not watch.spread_since:
            watch.spread_since = now_ms
        elif now_ms - watch.spread_since > self.settings.spread_for_s * 1000:
            watch.spread_since = 0
            self.excluded(watch.symbol, f"spread {view.spread_pct:.3f}% > {self.settings.max_spread_pct:g}%")
