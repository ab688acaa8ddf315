"""The perpetual venue behind the market streams: its events into the feed, the feed's questions to it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Protocol

from modules.simulator.perp.api import ForceOrder, Levels, Listener, Print, Spec
from modules.simulator.perp.candles import Candle as VenueCandle
from modules.simulator.sockets.digits import Digits
from modules.simulator.sockets.feed import MarketFeed
from modules.simulator.sockets.frames import Candle, Day, Mark, Writer
from modules.simulator.sockets.merger import Levels as Pairs

_MINUTE_MS = 60_000


class PerpMarket(Protocol):
    """What the streams ask of `perp.venue.PerpVenue`."""

    specs: list[Spec]
    candles: Any
    marks: Any
    tape: Any

    def now(self) -> int:
        """Market time, ms."""

    def depth(self, index: int, limit: int) -> tuple[int, Sequence[tuple[int, int]], Sequence[tuple[int, int]]]:
        """(last update id, bids, asks), best first."""

    def day(self, index: int) -> Any:
        """24 h figures."""


def writer_of(spec: Spec) -> Writer:
    """How a contract's numbers are written."""
    return Writer(spec.symbol, Digits(spec.tick), Digits(spec.step), Digits(spec.tick * spec.step))


class PerpSource:
    """The feed's questions, answered by the venue."""

    def __init__(self, venue: PerpMarket) -> None:
        self._venue = venue
        self._specs = list(venue.specs)
        self.writers: list[Writer] = [writer_of(spec) for spec in self._specs]
        self._unit = [float(spec.tick * spec.step) for spec in self._specs]
        self._folded: dict[tuple[int, str], tuple[int, VenueCandle]] = {}  # whole minutes of an open candle

    def changed(self, index: int) -> bool:
        """Whether a contract got another tick, step or name since it was last asked; taken notice of then."""
        spec = self._venue.specs[index]
        if spec is self._specs[index]:
            return False
        self._specs[index] = spec
        self.writers[index] = writer_of(spec)
        self._unit[index] = float(spec.tick * spec.step)
        self._folded = {key: value for key, value in self._folded.items() if key[0] != index}
        return True

    def book(self, index: int, limit: int) -> tuple[int, int, Pairs, Pairs]:
        """(last update id, now, bids, asks)."""
        last, bids, asks = self._venue.depth(index, limit)
        return last, self._venue.now(), list(bids), list(asks)

    def candle(self, index: int, interval: str, open_ms: int) -> Candle | None:
        """A candle, the open one or a closed one."""
        candles = self._venue.candles
        minute = candles.minute * _MINUTE_MS
        if interval == "1m":
            if open_ms >= minute:
                return self._candle(index, candles.current(index, "1m"), newest=True)
            rows = candles.klines(index, "1m", open_ms, open_ms, 1)
            return self._candle(index, rows[0], newest=False) if rows else None
        # Longer ones are asked for four times a second while they are open: their whole minutes are folded once.
        kept = self._folded.get((index, interval))
        if kept is None or kept[0] != minute or kept[1].open_ms != open_ms:
            rows = candles.klines(index, interval, open_ms, open_ms, 1)
            if not rows:
                return None
            if rows[0].close_ms < minute:
                return self._candle(index, rows[0], newest=False)
            now = candles.current(index, "1m")
            kept = self._folded[index, interval] = (minute, _without(rows[0], now))
            return self._candle(index, rows[0], newest=True)
        return self._candle(index, _with(kept[1], candles.current(index, "1m")), newest=True)

    def _candle(self, index: int, one: VenueCandle, *, newest: bool) -> Candle:
        unit = self._unit[index]
        candle = Candle(
            one.open_ms, one.open, one.high, one.low, one.close, one.volume, round(one.quote / unit), one.trades,
            one.buy_volume, round(one.buy_quote / unit))
        if newest and one.trades:  # the tape knows trade ids of now; nobody keeps those of closed candles
            candle.last = self._venue.tape.next_trade[index] - 1
            candle.first = candle.last - one.trades + 1
        return candle

    def day(self, index: int) -> Day | None:
        """The last 24 hours."""
        day, now = self._venue.day(index), self._venue.now()
        candle = Candle(
            now - 86_400_000, day.open, day.high, day.low, day.last, day.volume, round(day.quote / self._unit[index]),
            day.trades, first=day.first_id, last=day.last_id)
        return Day(candle, now, day.last_steps)

    def mark(self, index: int) -> Mark | None:
        """Mark and index price, funding."""
        marks = self._venue.marks
        price = _eight(marks.index[index])
        return Mark(_eight(marks.mark[index]), price, price, _eight(marks.rate[index]), marks.next_funding(index))


class PerpFeed(Listener):
    """Market events of the venue, handed to the feed; `step` is called when the venue has advanced."""

    def __init__(self, source: PerpSource, feed: MarketFeed) -> None:
        self._source, self._feed = source, feed
        self._slice_ms = 0

    def _to(self, ms: int) -> None:
        """A venue that had to catch up plays several slices at a go: each is ended before the next begins."""
        if ms > self._slice_ms:
            if self._slice_ms:
                self._feed.step(self._slice_ms)
            self._slice_ms = ms

    def step(self, ms: int) -> None:
        """The venue has advanced to `ms`."""
        self._to(ms)
        self._feed.step(ms)

    def depth(
        self, index: int, ms: int, bids: Levels, asks: Levels, first_id: int, last_id: int, prev_last_id: int
    ) -> None:
        """Changed levels."""
        self._to(ms)
        if self._source.changed(index):
            self._feed.renamed(index)
        self._feed.depth(index, ms, list(bids), list(asks), first_id, last_id, prev_last_id)

    def book_ticker(
        self, index: int, ms: int, update_id: int, bid: int, bid_qty: int, ask: int, ask_qty: int
    ) -> None:
        """The touch."""
        self._feed.book_ticker(index, ms, update_id, (bid, bid_qty), (ask, ask_qty))

    def trade(self, index: int, one: Print) -> None:
        """An aggregate trade."""
        self._feed.trade(index, one.ms, (one.id, one.first, one.last), one.tick, one.steps, one.buyer_is_maker)

    def force_order(self, one: ForceOrder) -> None:
        """A liquidation."""
        self._feed.force_order(one.index, one.ms, str(one.side), one.tick, one.average, one.steps)


def _without(whole: VenueCandle, now: VenueCandle) -> VenueCandle:
    """A candle less its open minute; prices may keep that minute's extremes, which `_with` puts back anyway."""
    return VenueCandle(
        whole.open_ms, whole.close_ms, whole.open, whole.high, whole.low, whole.close, whole.volume - now.volume,
        whole.quote - now.quote, whole.trades - now.trades, whole.buy_volume - now.buy_volume,
        whole.buy_quote - now.buy_quote)


def _with(before: VenueCandle, now: VenueCandle) -> VenueCandle:
    traded = now.volume > 0
    return VenueCandle(
        before.open_ms, before.close_ms, before.open if before.volume or not traded else now.open,
        max(before.high, now.high) if traded else before.high, min(before.low, now.low) if traded else before.low,
        now.close if traded else before.close, before.volume + now.volume, before.quote + now.quote,
        before.trades + now.trades, before.buy_volume + now.buy_volume, before.buy_quote + now.buy_quote)


def _eight(value: Decimal) -> str:
    return f"{value:.8f}"
