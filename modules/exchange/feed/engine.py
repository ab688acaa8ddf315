"""The feed without sockets: a frame comes in, the right book, ring or table of the shared page changes.

1. Every frame finds its stream by its name; one that has none is damaged: all books that its socket carries are in
   doubt until their next message proves that nothing was lost.
2. Nothing is queued. What cannot be taken in makes its book stale, and is counted.
3. `look` runs a few times a second: silence, lateness, edges of what is known (X28, X29).

No asyncio, no clock of its own: the same engine runs over recordings.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import msgspec

from modules.exchange.feed import page as pages
from modules.exchange.feed.candles import CandleTable
from modules.exchange.feed.consumer import Consumer
from modules.exchange.feed.liveness import Clocks
from modules.exchange.feed.page import Page
from modules.exchange.orderbook import layout as at
from modules.exchange.orderbook import trades
from modules.exchange.orderbook.book import Book, Ints, prepare
from modules.exchange.orderbook.layout import Stale
from modules.exchange.orderbook.messages import Kline, MarkPrice, units
from modules.exchange.orderbook.plain import payload
from modules.exchange.orderbook.synchroniser import Synchroniser

log = logging.getLogger(__name__)

Handler = Callable[[bytes, int, int], None]
_KLINE, _MARK = msgspec.json.Decoder(Kline), msgspec.json.Decoder(MarkPrice)
_HEAD, _JOINT = b'{"stream":"', b'","data":'
_GARBAGE = (msgspec.MsgspecError, ValueError)


@dataclass(frozen=True, slots=True)
class Units:
    """Decimals of a symbol's prices and quantities."""

    price_scale: int
    qty_scale: int


@dataclass(slots=True)
class SymbolState:
    """All of one symbol."""

    symbol: str
    slot: int
    units: Units
    sync: Synchroniser
    book: Ints
    ring: Ints
    candles: dict[str, CandleTable]
    clocks: Clocks


@dataclass(slots=True)
class Counts:
    """Of the whole feed."""

    frames: int = 0
    strays: int = 0  # of streams that are not heard any more
    garbage: int = 0
    bad: int = 0  # damaged messages of a known stream
    forced: int = 0  # liquidations on the market
    consumers_dropped: int = 0
    by_kind: dict[str, int] = field(default_factory=dict)


class FeedEngine:
    """Books, trades and candles of all symbols over one page. `make_book`, `on_trade`: compiled or plain."""

    def __init__(self, page: Page, make_book: Callable[[Ints], Book], on_trade: trades.OnTrade) -> None:
        self.page = page
        self.states: dict[str, SymbolState] = {}
        self.counts = Counts()
        self.consumers: list[Consumer] = []
        self._make_book, self._on_trade = make_book, on_trade
        self._routes: dict[bytes, Handler] = {}
        self._events = memoryview(page.events.data).cast("B").cast("q")
        self._header = memoryview(page.words[:pages.HEADER].data).cast("B").cast("q")

    # -- symbols -------------------------------------------------------------------------------------------

    def add(self, symbol: str, scales: Units) -> SymbolState:
        """Begin with a symbol; its book is stale until it is joined. Raises PageError when all slots are taken."""
        if symbol in self.states:
            return self.states[symbol]
        taken = {state.slot for state in self.states.values()}
        slot = next((n for n in range(self.page.shape.slots) if n not in taken), None)
        if slot is None:
            raise pages.PageError(f"{symbol}: all {self.page.shape.slots} places of the feed are taken; "
                                  "raise feed.most_symbols or ask for fewer")
        book = prepare(self.page.book(slot), scales.price_scale, scales.qty_scale)
        ring = trades.prepare(self.page.ring(slot), scales.price_scale, scales.qty_scale)
        tables = {}
        for number, interval in enumerate(self.page.shape.intervals):
            tables[interval] = CandleTable(*self.page.candles(slot, number), interval)
            tables[interval].clear()
        clocks = Clocks(book, ring, {interval: self.page.candles(slot, number)[0]
                                     for number, interval in enumerate(self.page.shape.intervals)})
        state = SymbolState(symbol, slot, scales, Synchroniser(self._make_book(book)), book, ring, tables, clocks)
        clocks.begin()
        self.states[symbol] = state
        self._route(state)
        self.page.set_name(slot, symbol)
        return state

    def remove(self, symbol: str, reason: Stale = Stale.GONE) -> None:
        """End with a symbol: its book is stale for whoever still looks, its place is free."""
        state = self.states.pop(symbol)
        for name in self.streams_of(symbol):
            self._routes.pop(name.encode(), None)
        state.sync.restart(reason)
        self._stale(state)
        self.page.set_name(state.slot, "")

    def rescale(self, symbol: str, scales: Units) -> None:
        """The tick or step size changed: book and trades begin anew in other units (same place)."""
        self.remove(symbol, Stale.GRID)
        self.add(symbol, scales)

    def streams_of(self, symbol: str) -> list[str]:
        """Names of all streams of a symbol."""
        low = symbol.lower()
        return [f"{low}@depth@100ms", f"{low}@aggTrade", f"{low}@bookTicker", f"{low}@markPrice@1s",
                f"{low}@forceOrder", *(f"{low}@kline_{interval}" for interval in self.page.shape.intervals)]

    def _route(self, state: SymbolState) -> None:
        depth, trade, ticker, mark, forced, *klines = (name.encode() for name in self.streams_of(state.symbol))
        self._routes[depth] = self._depth_handler(state)
        self._routes[trade] = self._trade_handler(state)
        self._routes[ticker] = self._ticker_handler(state)
        self._routes[mark] = self._mark_handler(state)
        self._routes[forced] = self._on_forced
        for name in klines:
            self._routes[name] = self._kline_handler(state)

    # -- frames --------------------------------------------------------------------------------------------

    def on_frame(self, raw: bytes, local_ns: int, carried: Iterable[str] = ()) -> None:
        """One frame as it came. `carried`: streams of the socket, for a frame that does not say whose it is."""
        self.counts.frames += 1
        if raw.startswith(_HEAD):
            end = raw.find(b'"', 11)
            handler = self._routes.get(raw[11:end])
            if handler is not None and raw.startswith(_JOINT, end):
                handler(raw, end + 9, local_ns)
                return
            if end > 0 and handler is None and raw.startswith(_JOINT, end):
                self.counts.strays += 1
                return
        self._unnamed(raw, local_ns, carried)

    def _unnamed(self, raw: bytes, local_ns: int, carried: Iterable[str]) -> None:
        """Another layout of the same envelope, or damage (rule 1)."""
        try:
            said = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
            name, body = msgspec.json.decode(said["stream"], type=str), bytes(said["data"])
        except (*_GARBAGE, KeyError):
            self.counts.garbage += 1
            self.doubt(carried, Stale.MALFORMED_FRAME)
            return
        handler = self._routes.get(name.encode())
        if handler is None:
            self.counts.strays += 1
        else:
            handler(body, 0, local_ns)

    def doubt(self, streams: Iterable[str], reason: Stale) -> None:
        """Something of these streams may be lost."""
        for name in streams:
            symbol, _, kind = name.partition("@")
            state = self.states.get(symbol.upper())
            if state is None:
                continue
            if not kind.startswith("depth"):
                state.clocks.doubt(kind, reason)
            elif state.sync.stale is Stale.FRESH:
                state.sync.doubt(reason)
                self._stale(state)

    def _depth_handler(self, state: SymbolState) -> Handler:
        on_frame, code, note = state.sync.on_frame, state.slot * pages.KINDS + pages.DEPTH, self._note

        def handle(raw: bytes, start: int, local_ns: int) -> None:
            found = on_frame(raw, start, local_ns)
            if found == at.APPLIED_OK:
                note(code)
                if self.consumers:
                    self._to_consumers(lambda c: c.on_depth(state.symbol, state.book, int(state.book[at.EVENT_MS])))
            elif found != at.OLD:
                self.counts.bad += found == at.BAD_FRAME
                self._stale(state)

        return handle

    def _trade_handler(self, state: SymbolState) -> Handler:
        on_trade, ring, code, note = self._on_trade, state.ring, state.slot * pages.KINDS + pages.TRADE, self._note

        def handle(raw: bytes, start: int, local_ns: int) -> None:
            found = on_trade(raw, start, ring, local_ns)
            if found == at.APPLIED_OK:
                note(code)
                if self.consumers:
                    self._to_consumers(lambda c: c.on_trade(state.symbol, ring, local_ns))
            elif found == at.OFF_GRID:
                state.sync.on_off_grid()
                self._stale(state)
            elif found == at.BAD_FRAME:
                self.counts.bad += 1

        return handle

    def _ticker_handler(self, state: SymbolState) -> Handler:
        on_ticker, code, note = state.sync.book.on_ticker, state.slot * pages.KINDS + pages.TICKER, self._note

        def handle(raw: bytes, start: int, local_ns: int) -> None:
            found = on_ticker(raw, start, local_ns)
            if found == at.APPLIED_OK:
                note(code)
            elif found == at.OFF_GRID:
                state.sync.on_off_grid()
                self._stale(state)
            elif found == at.BAD_FRAME:
                self.counts.bad += 1

        return handle

    def _mark_handler(self, state: SymbolState) -> Handler:
        words, scale = state.book, state.units.price_scale + MARK_EXTRA

        def handle(raw: bytes, start: int, local_ns: int) -> None:
            try:
                said = _MARK.decode(payload(raw, start))
                row = (_rounded(said.p, scale), _rounded(said.i, scale), _rounded(said.r, 8), said.T, said.E, local_ns)
            except _GARBAGE:
                self.counts.bad += 1
                return
            words[at.SEQ] += 1
            words[at.MARK:at.MARK + len(row)] = row
            words[at.SEQ] += 1
            self._note(state.slot * pages.KINDS + pages.MARK)

        return handle

    def _kline_handler(self, state: SymbolState) -> Handler:
        shortest = self.page.shape.intervals[0] if self.page.shape.intervals else ""

        def handle(raw: bytes, start: int, local_ns: int) -> None:
            try:
                said = _KLINE.decode(payload(raw, start))
                k = said.k
                row = (float(k.t), *(float(text) for text in (k.o, k.h, k.l, k.c, k.v, k.q, k.V)), float(k.x))
                table = state.candles[k.i]
            except (*_GARBAGE, KeyError):
                self.counts.bad += 1
                return
            state.clocks.tables[k.i][pages.C_HEARD_NS] = local_ns
            if k.i == shortest:
                state.clocks.on_candle(row[5], local_ns)
            if table.on_row(row, said.E, local_ns):
                self._note(state.slot * pages.KINDS + pages.CANDLE)

        return handle

    def _on_forced(self, raw: bytes, start: int, local_ns: int) -> None:
        """A liquidation on the market: counted (and recorded); no table of ours holds it."""
        self.counts.forced += 1

    # -- what others see -----------------------------------------------------------------------------------

    def _note(self, code: int) -> None:
        """One more event in the ring that readers follow."""
        header = self._header
        count = header[pages.H_EVENT_COUNT]
        self._events[count % pages.EVENTS] = code
        header[pages.H_EVENT_COUNT] = count + 1

    def _stale(self, state: SymbolState) -> None:
        self._note(state.slot * pages.KINDS + pages.STALE)
        if self.consumers:
            reason = state.sync.stale
            self._to_consumers(lambda c: c.on_stale(state.symbol, reason))

    def _to_consumers(self, call: Callable[[Consumer], None]) -> None:
        for consumer in list(self.consumers):
            try:
                call(consumer)
            except Exception:  # border to a plug-in: it goes, the books stay
                log.exception("a consumer of the feed failed and is dropped: %r", consumer)
                self.consumers.remove(consumer)
                self.counts.consumers_dropped += 1


MARK_EXTRA = 4  # more decimals of mark and index prices than the symbol's own


def _rounded(text: str, scale: int) -> int:
    """Mark, index and funding have more decimals than needed; rounded, they may be negative."""
    if not text:
        return 0
    try:
        return units(text, scale)
    except ValueError:
        return int(round(float(text) * 10**scale))
