"""The parts of the signals process, put together: desk, ledger, follower, universe, past results."""

import asyncio
import logging
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from modules.exchange.feed.reader import FeedReader
from modules.exchange.orderbook.views import Torn
from modules.storage.sql.database import DatabaseAway
from modules.storage.sql.tables import signals as signals_table
from modules.storage.sql.writer import Writer
from modules.strategies.signals import control, picture, stats, universe
from modules.strategies.signals.desk import Desk
from modules.strategies.signals.follower import Follower
from modules.strategies.signals.ledger import Ledger
from modules.strategies.signals.market import MarketNow
from modules.strategies.signals.realtime import Realtime
from modules.strategies.signals.records import Planned, Signal
from modules.strategies.signals.rest import SignalRest
from modules.strategies.signals.selector import Selector
from modules.strategies.signals.settings import SignalSettings
from modules.strategies.signals.stats import Done
from modules.strategies.signals.universe import Known
from modules.supervision.service import ServiceRun
from utils.paths import Paths

if TYPE_CHECKING:
    from config.settings import Settings

log = logging.getLogger(__name__)
MOST_PAST = 20_000
GONE_AFTER_MS = 120_000
LEAST_PICTURE_S = 0.5
DRAIN_S = 10.0


@dataclass
class Parts:
    """Everything of one process."""

    paths: Paths
    settings: SignalSettings
    zone: str
    writer: Writer
    reader: FeedReader
    now: MarketNow
    ledger: Ledger
    follower: Follower
    selector: Selector
    desk: Desk
    realtime: Realtime
    done: list[Done] = field(default_factory=list)
    past_loaded: bool = False
    pauses: dict[str, str] = field(default_factory=dict)
    last_signal_ms: int = 0
    dice: random.Random = field(default_factory=random.Random)
    unheard: dict[str, int] = field(default_factory=dict)

    def begin_again(self) -> None:
        """Follow on what was open before a restart."""
        for signal in self.ledger.state.open.values():
            if not signal.follow.outcome:
                self.follower.begin(signal, again=True)
        self.realtime.begin_again()

    def blind(self) -> None:
        """No feed: nothing is decided; windows will have a hole."""
        for symbol in self.desk.universe:
            self.desk.watch(symbol).suspect = True

    def paused(self) -> str:
        """Why no signals are made, "" if they are."""
        return "; ".join(self.pauses.values())

    def expire(self, now_ms: int) -> None:
        """What time alone ends: only where the trade stream is alive and without a hole. Symbols that the venue does
        not trade any more are closed at their last price."""
        for symbol in self.follower.symbols:
            try:
                silent = self.reader.liveness(symbol).trades_silent
                self.unheard.pop(symbol, None)
            except KeyError:
                self._unheard(symbol, now_ms)
                continue
            if not silent and not self.desk.watch(symbol).suspect:
                self.follower.expire(symbol, now_ms)

    def _unheard(self, symbol: str, now_ms: int) -> None:
        """The feed is asked for it all the time; one that it does not hear for long is not listed."""
        since = self.unheard.setdefault(symbol, now_ms)
        if self.reader.alive and now_ms - since > GONE_AFTER_MS and self.reader.symbols():
            self.follower.gone(symbol, now_ms)
            self.unheard.pop(symbol, None)

    def controls(self, now_ms: int) -> None:
        """Begin the controls that are due."""
        state = self.ledger.state
        if any(one.due_ms <= now_ms for one in state.planned):
            state.planned = control.due(state.planned, now_ms, lambda one: self._begin_control(one, now_ms))

    def _begin_control(self, one: Planned, now_ms: int) -> bool:
        watch = self.desk.watch(one.symbol)
        try:
            book = self.reader.book(one.symbol, 1)
        except (KeyError, Torn):
            return False
        window = watch.window
        if not book.usable or watch.suspect or window is None or window.last_id is None:
            return False
        signal = control.begin(one, book, window.last_id, now_ms,
                               self.selector.tick(one.symbol) or 10.0 ** -book.price_scale)
        self.ledger.born(signal)
        self.follower.begin(signal)
        return True

    def born(self, signal: Signal) -> None:
        """A signal went out: plan its controls."""
        self.last_signal_ms = signal.follow.begun_ms
        self.ledger.state.planned.extend(control.plan(signal, self.settings, self.dice))
        self.ledger.save()

    def closed(self, signal: Signal, net_r: float, net_pct: float) -> None:
        """An end: results, and what they mean for the classes."""
        follow = signal.follow
        self.done.append(Done(signal.symbol, signal.priority, signal.kind == "CTRL", follow.begun_ms, follow.closed_ms,
                              follow.outcome, net_r, net_pct, signal.quality))
        self.ledger.state.demoted = stats.demotions(self.done, self.settings)

    def demoted(self, priority: str) -> str:
        """The class that a signal of this one goes out as."""
        return stats.sent_as(priority, self.ledger.state.demoted)

    async def draw(self, signal: Signal) -> str:
        """The chart of a signal."""
        left_s = (signal.answer_by_ms - self.now()) / 1000 / self.now.speed
        within_s = min(self.settings.picture_s, left_s / 2)  # a picture never makes a signal too late
        if within_s < LEAST_PICTURE_S:
            return ""
        try:
            candles = self.reader.candles(signal.symbol, "15m")
        except (KeyError, Torn):
            return ""
        spec = picture.spec_of(signal, candles, list(self.desk.watch(signal.symbol).samples), self.zone,
                               self.settings.imbalance)
        return await picture.draw(self.paths, spec, within_s)

    async def draw_report(self, found: dict[str, Any], within_s: float) -> str:
        """The picture of a day or week."""
        return await picture.draw(self.paths, found, within_s, "signal_report")

    async def load_past(self) -> None:
        """Earlier results from the database, once; while it is away, later."""
        if self.past_loaded:
            return
        if not await asyncio.to_thread(self.writer.drain, DRAIN_S):  # also: the schema stands by now
            return
        try:
            past = await asyncio.to_thread(_past, self.writer)
        except DatabaseAway:
            await asyncio.sleep(30)
            return
        known = {(one.symbol, one.ms, one.closed_ms, one.net_r) for one in self.done}
        self.done = [*(one for one in past if (one.symbol, one.ms, one.closed_ms, one.net_r) not in known), *self.done]
        self.past_loaded = True
        self.ledger.state.demoted = stats.demotions(self.done, self.settings)

    def close(self) -> None:
        """The end of the process: what is kept is written."""
        self.ledger.refusals.flush(self.now(), force=True)
        try:
            self.ledger.save()
            self.selector.let_go(self.follower.symbols)
        except OSError as problem:
            log.error("the signal bot's last state is not on disk: %s", problem)


def _past(writer: Writer) -> list[Done]:
    t = signals_table
    query = (select(t.c.symbol, t.c.priority, t.c.kind, t.c.ms, t.c.closed_ms, t.c.outcome, t.c.net_r, t.c.net_pct,
                    t.c.quality).where(t.c.net_r.is_not(None)).order_by(t.c.ms.desc()).limit(MOST_PAST))
    with writer.database.begin() as connection:
        rows = connection.execute(query).all()
    return [Done(r[0], r[1], r[2] == "CTRL", r[3], r[4], r[5], r[6], r[7], r[8]) for r in reversed(rows)]


def put_together(run: ServiceRun, settings: "Settings", writer: Writer, rest: SignalRest, reader: FeedReader,
                 speed: float) -> Parts:
    """All parts, wired."""
    own, paths, now = settings.signals, run.paths, MarketNow(speed)
    market = "Simulated market." if settings.feed.venue == "simulated" else ""
    ledger = Ledger(paths, own, writer, run.outbox, settings.report.timezone, market)
    follower = Follower(ledger.rules, rest.trades_from, ledger.ended)

    def known(symbol: str) -> Known:
        try:
            book, rows = parts.reader.book(symbol, 1), parts.reader.candles(symbol, "15m").rows
            if not book.usable:
                return Known()
            depth = parts.reader.depth_within(symbol, universe.DEPTH_PCT)
        except (KeyError, Torn):
            return Known()
        return Known(depth.bid_quote + depth.ask_quote, depth.whole, rows if len(rows) > 20 else None)

    selector = Selector(paths, own, rest, lambda table, rows: writer.add(table, rows), known)
    desk = Desk(own, ledger, follower, now, reader)
    realtime = Realtime(settings.feed.redis_url.get_secret_value(), ledger.rules,
                        lambda: [one for one in ledger.state.open.values() if one.kind == "ENTRY"])
    ledger.on_told = realtime.told
    parts = Parts(paths, own, settings.report.timezone, writer, reader, now, ledger, follower, selector, desk, realtime)
    desk.paused, desk.demoted, desk.born = parts.paused, parts.demoted, parts.born
    desk.excluded, desk.tick = lambda symbol, why: selector.exclude(symbol, why, now()), selector.tick
    ledger.on_closed = parts.closed
    return parts
