"""Recorded frames → what the signal bot saw at each look: the feed's own engine and the bot's own desk, at the speed
of the machine.

1. Frames go through `FeedEngine` in the order of their arrival: books by snapshot and diffs, trades, candles, each with
   the live rules of doubt. Snapshots and candles come from recorded answers; nothing is decided on a doubtful book.
2. A symbol is looked at when its book or trades changed, every `look_ms` of market time at most (live: at every
   change). What the settings under search do not touch is measured there once, by the live functions.
3. Looks whose imbalance no searched setting would pass are not kept, only when they began and ended (`LOW_FIRST`,
   `LOW_LAST`): that is all that re-arming needs.
"""

import re
import tempfile
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import count, islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from modules.backtest.ticks.tape import TapeError
from modules.exchange.captures import capture_files, read_capture
from modules.exchange.feed import page as pages
from modules.exchange.feed.engine import FeedEngine, SymbolState, Units
from modules.exchange.feed.page import Shape
from modules.exchange.feed.reader import FeedReader, Liveness
from modules.exchange.feed.rest import candle_rows, listed_of
from modules.exchange.orderbook import layout as at
from modules.exchange.orderbook import ring, trades
from modules.exchange.orderbook.book import opener
from modules.exchange.orderbook.layout import Stale
from modules.exchange.orderbook.messages import Snapshot
from modules.exchange.types import Unavailable
from modules.storage.recordings.format import Frame, Kind
from modules.storage.recordings.reader import Damage
from modules.strategies.signals import context
from modules.strategies.signals.desk import Desk, Seen, Watch
from modules.strategies.signals.follower import Tick
from modules.strategies.signals.market import MarketNow
from modules.strategies.signals.reasons import Refusal
from modules.strategies.signals.settings import SignalSettings
from utils.paths import Paths

Floats = npt.NDArray[np.float64]
# Columns of a look. Prices in quote, times market ms; NaN: not known. TRADES: trades known at the look.
(AT, LEAN, BID, ASK, MID, VWAP, PACE, ATR, LOW, HIGH, TRADES, LOW_FIRST, LOW_LAST) = range(13)
COLUMNS = 13
T_MS, T_PRICE, T_QUOTE, T_SOLD = range(4)
LEVELS, RING, CANDLES, CANDLE_MS = 16_384, 8_192, 101, 900_000
MOST_SYMBOLS = 200
PEEK = 4_000
EDGE_EVERY_NS = 250_000_000
_ASKED = re.compile(r"[?&](symbol|interval|limit)=([A-Za-z0-9_]+)")
_NAMED = re.compile(rb'"s":\s?"([A-Z0-9_]{2,30})"')
_PRICES = re.compile(rb'"p":\s?"\d+\.?(\d*)"|\["\d+\.?(\d*)"')
_AMOUNTS = re.compile(rb'"q":\s?"\d+\.?(\d*)"|\["\d+\.?\d*",\s?"\d+\.?(\d*)"\]')


@dataclass(frozen=True, slots=True)
class Looks:
    """One symbol: looks (n, COLUMNS) in order, trades (m, 4), its price step; what was passed over, for the report."""

    symbol: str
    tick: float
    looks: Floats
    trades: Floats
    seen: int
    counted: Counter[str] = field(default_factory=Counter)


class _Replayed(FeedReader):
    """The feed's memory while frames are played: how old a stream is by this machine's clock means nothing here; holes
    in the numbers of trades, and noted cuts, tell what was lost."""

    def liveness(self, symbol: str) -> Liveness:
        """Always alive."""
        return replace(super().liveness(symbol), mark_age_s=0.0, trade_stale=Stale.FRESH)


class _Nothing:
    """Neither ledger nor follower: a gatherer only watches."""

    totals: Mapping[str, int] = {}

    def __init__(self) -> None:
        self.refusals = self
        self.counted: dict[str, Counter[str]] = {}

    def look(self, symbol: str, code: Refusal, now_ms: int, lean: float, **seen: Any) -> None:
        """A look that came to nothing before it was judged."""
        self.counted.setdefault(symbol, Counter())[code.value] += 1

    def on_ticks(self, symbol: str, ticks: Sequence[Tick]) -> None:
        """Trades are gathered with their size, see `_Gatherer`."""


class _Gatherer(Desk):
    """The live desk up to where it would judge; there the look is kept instead."""

    def __init__(self, settings: SignalSettings, source: FeedReader, nothing: _Nothing) -> None:
        super().__init__(settings, nothing, nothing, MarketNow(1.0, lambda: 0.0), source)  # type: ignore[arg-type]
        self.rows: dict[str, array[float]] = {}
        self.traded: dict[str, array[float]] = {}
        self.counts: dict[str, int] = {}
        self._low: dict[str, tuple[int, int]] = {}
        self._from: dict[str, int] = {}

    def look(self, symbol: str) -> Refusal | None:
        """Take in what is new, trades with their sizes first."""
        self.counts[symbol] = self.counts.get(symbol, 0) + 1
        self._gather_trades(symbol)
        return super().look(symbol)

    def judge(self, watch: Watch, seen: Seen) -> Refusal | None:
        """Keep it."""
        symbol, bars = watch.symbol, self.settings.swing_bars
        rows, volume, vwap = self.around(symbol, seen)
        low_first, low_last = self._low.pop(symbol, (0, 0))
        known = len(self.traded[symbol]) // 4
        self.rows.setdefault(symbol, array("d")).extend((
            seen.now_ms, seen.lean, seen.view.bids[0, 0], seen.view.asks[0, 0], seen.view.mid, _number(vwap),
            _number(volume), _number(context.atr(rows)), _number(context.swing(rows, bars, 1)),
            _number(context.swing(rows, bars, -1)), known, low_first, low_last))
        return None

    def rearm(self, watch: Watch, now_ms: int) -> None:
        """A look that no searched setting would pass (rule 3)."""
        first, _ = self._low.get(watch.symbol, (now_ms, now_ms))
        self._low[watch.symbol] = (first, now_ms)

    def _gather_trades(self, symbol: str) -> None:
        found = self.source.trades(symbol, self._from.get(symbol, 0))
        self._from[symbol] = found.next_number
        kept = self.traded.setdefault(symbol, array("d"))
        if not len(found.trades):
            return
        book = self.source.book(symbol, 1)
        tick, step = 10.0 ** -book.price_scale, 10.0 ** -(book.price_scale + book.qty_scale)
        for row in found.trades.tolist():
            price, qty = row[ring.T_PRICE], row[ring.T_QTY]
            kept.extend((row[ring.T_MS], price * tick, price * qty * step, row[ring.T_BUYER_IS_MAKER]))


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


class _Player:
    """Frames into the engine, and looks at what they changed."""

    def __init__(self, home: Path, settings: SignalSettings, symbols: frozenset[str], look_ms: int) -> None:
        paths = Paths(home).prepare()
        self._page, _ = pages.create(paths, Shape(len(symbols), LEVELS, RING, CANDLES, ("15m",)), time.monotonic_ns())
        make, why = opener()
        self.engine = FeedEngine(self._page, make, trades.writer(compiled=not why))
        self._beat()
        self.nothing = _Nothing()
        self.desk = _Gatherer(settings, _Replayed(paths), self.nothing)
        self.symbols, self._look_ms = symbols, look_ms
        self.listed: dict[str, tuple[Units, float]] = {}
        self.counted: Counter[str] = Counter()
        self._looked: dict[str, int] = {}
        self._edge_ns = 0
        self.candles: dict[str, Floats] = {}
        self._names = {f"{symbol.lower()}@".encode(): symbol for symbol in symbols}

    def _beat(self) -> None:
        self._page.words[pages.H_BEAT_NS] = time.monotonic_ns()

    def play(self, frame: Frame) -> None:
        """One frame, whatever it is."""
        if frame.kind is Kind.MESSAGE:
            self._message(frame)
        elif frame.kind is Kind.ANSWER:
            self._answer(frame)
        else:
            self._note(frame)

    def _message(self, frame: Frame) -> None:
        raw = frame.payload
        start = raw.find(b'"stream":"') + 10
        symbol = self._names.get(raw[start:raw.find(b"@", start, start + 40) + 1])
        if start < 10 or symbol is None:
            return
        state = self.engine.states.get(symbol) or self._begin(symbol)
        self.engine.on_frame(raw, time.monotonic_ns())
        if frame.ns - self._edge_ns > EDGE_EVERY_NS:
            self._edge_ns = frame.ns
            self._beat()
            for each in self.engine.states.values():
                each.sync.look_for_edge()
        now_ms = int(state.book[at.EVENT_MS])
        if now_ms and symbol in self.candles:
            rows = self.candles.pop(symbol)
            known = rows[rows[:, context.MS] + CANDLE_MS <= now_ms][-CANDLES:]
            state.candles["15m"].load(known, time.monotonic_ns())
        if not 0 <= now_ms - self._looked.get(symbol, 0) < self._look_ms:
            self._looked[symbol] = now_ms
            self.desk.look(symbol)

    def _begin(self, symbol: str) -> SymbolState:
        units, _ = self.listed.get(symbol, (None, 0.0))
        if units is None:
            raise TapeError(f"{symbol}: neither a list of the venue's symbols nor a price tells its decimals")
        self.desk.universe.add(symbol)
        return self.engine.add(symbol, units)

    def _answer(self, frame: Frame) -> None:
        path, _, _ = frame.source.partition("?")
        asked = dict(_ASKED.findall(frame.source))
        symbol = asked.get("symbol", next(iter(self.symbols)) if len(self.symbols) == 1 else "")
        try:
            if path.endswith("exchangeInfo"):
                for name, one in listed_of(frame.payload).items():
                    self.listed[name] = (one.units, one.tick)
            elif symbol not in self.symbols:
                return
            elif path.endswith("depth"):
                state = self.engine.states.get(symbol) or self._begin(symbol)
                snapshot = msgspec.json.decode(frame.payload, type=Snapshot)
                if "limit" not in asked:  # others' captures: one snapshot, and nobody to ask for the next
                    self.counted["snapshots taken for the whole book"] += 1
                state.sync.on_snapshot(snapshot, int(asked.get("limit", len(snapshot.bids) + 1)))
            elif path.endswith("klines") and asked.get("interval") == "15m":
                state = self.engine.states.get(symbol) or self._begin(symbol)
                state.candles["15m"].load(candle_rows(frame.payload), time.monotonic_ns())
        except (msgspec.MsgspecError, ValueError, Unavailable):
            self.counted["answers that cannot be read"] += 1

    def _note(self, frame: Frame) -> None:
        """A cut line, frames that are missing, another life of the feed: what they touched is in doubt."""
        self.counted["cuts and gaps of the recording"] += 1
        names = [name for symbol in self.engine.states for name in self.engine.streams_of(symbol)]
        self.engine.doubt(names, Stale.DISCONNECTED)
        for symbol in self.engine.states:
            self.desk.watch(symbol).suspect = True

    def told(self) -> list[Looks]:
        """All that was gathered, by symbol."""
        found = []
        for symbol in sorted(self.engine.states):
            units, tick = self.listed[symbol]
            rows = np.array(self.desk.rows.get(symbol, array("d"))).reshape(-1, COLUMNS)
            sizes = np.array(self.desk.traded.get(symbol, array("d"))).reshape(-1, 4)
            counted = Counter({f"looks refused: {code}": n for code, n in
                               self.nothing.counted.get(symbol, Counter()).items() if code != Refusal.IMBALANCE})
            found.append(Looks(symbol, tick or _finest(sizes[:, T_PRICE], units.price_scale), rows, sizes,
                               self.desk.counts.get(symbol, 0), counted))
        return found


def _finest(prices: Floats, places: int) -> float:
    """The price step where no list told it: the largest that every traded price is a multiple of."""
    units = np.rint(prices * 10.0 ** places).astype(np.int64)
    return round(max(int(np.gcd.reduce(units)) if len(units) else 1, 1) * 10.0 ** -places, places)


Progress = Callable[[float, str], None]


def gather(files: Sequence[Path], symbols: Sequence[str], settings: SignalSettings, floor: float, look_ms: int,
           candles: Mapping[str, Floats], tell: Progress = lambda share, what: None) -> list[Looks]:
    """Looks of `symbols` (none: all that the files name). `floor`: the least imbalance that any setting asks for.

    `candles`: 15m rows (n, 9) by symbol that were known before the recording; recorded ones come on top.
    Raises TapeError, CaptureError.
    """
    paths = capture_files(files)
    scales = _scales(paths)
    wanted = frozenset(symbols or scales)
    if not wanted or len(wanted) > MOST_SYMBOLS:
        raise TapeError(f"the files name {len(wanted)} symbols; give some with --symbols (at most {MOST_SYMBOLS})")
    if unknown := sorted(wanted - scales.keys()):
        raise TapeError(f"the files do not name {', '.join(unknown[:8])}; they name {', '.join(sorted(scales)[:12])}")
    damage, garbage, numbers = Damage(), list[str](), count(1)
    own = settings.model_copy(update={"imbalance": floor, "max_book_age_s": 10.0})
    with tempfile.TemporaryDirectory(prefix="coxswain-looks-") as home:
        player = _Player(Path(home), own, wanted, look_ms)
        player.listed = {name: (units, 0.0) for name, units in scales.items()}
        player.candles = dict(candles)
        for number, path in enumerate(paths):
            tell(number / len(paths), f"file {number + 1} of {len(paths)}")
            for frame in _plain(read_capture(path, damage, garbage), numbers):
                player.play(frame)
        found = player.told()
    for one in found:
        one.counted.update(player.counted)
        one.counted.update({"damaged blocks of recordings": damage.blocks + (damage.torn_bytes > 0),
                            "strange lines": len(garbage)})
    return found


def most_told(files: Sequence[Path], top: int) -> list[str]:
    """The `top` symbols that the beginnings of the files tell most of; none for 0 (all). Raises CaptureError."""
    if not top:
        return []
    told: Counter[str] = Counter()
    for path in capture_files(files):
        for frame in islice(read_capture(path, Damage(), []), PEEK):
            if frame.kind is Kind.MESSAGE and (name := _NAMED.search(frame.payload[:400])) is not None:
                told[name[1].decode()] += 1
    return [symbol for symbol, _ in told.most_common(top)]


def _scales(paths: Sequence[Path]) -> dict[str, Units]:
    """Symbols and the decimals they use: the venue's list where it was recorded, else the first frames of each file."""
    found: dict[str, list[int]] = {}
    for path in paths:
        listed: dict[str, Units] = {}
        for number, frame in enumerate(read_capture(path, Damage(), [])):
            if frame.kind is Kind.ANSWER and "exchangeInfo" in frame.source:
                listed = {name: one.units for name, one in listed_of(frame.payload).items()}
            elif frame.kind is Kind.MESSAGE and (name := _NAMED.search(frame.payload[:400])) is not None:
                pair = found.setdefault(name[1].decode(), [0, 0])
                if name[1].decode() not in listed:
                    for place, pattern in enumerate((_PRICES, _AMOUNTS)):
                        places = (len(a or b) for a, b in pattern.findall(frame.payload[:20_000]))
                        pair[place] = max(pair[place], max(places, default=0))
            if number > PEEK:
                break
        for symbol, units in listed.items():
            if symbol in found:
                found[symbol] = [units.price_scale, units.qty_scale]
    return {symbol: Units(*pair) for symbol, pair in found.items()}


def _plain(frames: Iterator[Frame], numbers: Iterator[int]) -> Iterator[Frame]:
    """Frames as the feed knows them: other captures name depth differently, and tell single trades, which are joined
    as the venue joins them (one taker, one price, one instant) and numbered."""
    held: dict[str, Any] | None = None
    for frame in frames:
        head = frame.payload[:80] if frame.kind is Kind.MESSAGE else b""
        if b'@trade"' in head:
            said = msgspec.json.decode(frame.payload)["data"]
            if said.get("X", "MARKET") != "MARKET":
                continue
            if held is not None and all(held["data"][key] == said[key] for key in ("s", "T", "p", "m")):
                held["quantity"] += Decimal(said["q"])
                continue
            if held is not None:
                yield _joined(held, next(numbers))
            held = {"ns": frame.ns, "data": said, "quantity": Decimal(said["q"]), "source": frame.source}
            continue
        if held is not None and b"@bookTicker" not in head:
            yield _joined(held, next(numbers))
            held = None
        if b"@depth" in head and b"@depth@100ms" not in head:
            name, _, body = frame.payload.partition(b'","data":')
            frame = frame._replace(payload=name.partition(b"@")[0] + b'@depth@100ms","data":' + body)
        yield frame
    if held is not None:
        yield _joined(held, next(numbers))


def _joined(held: dict[str, Any], number: int) -> Frame:
    said = held["data"]
    body = {"e": "aggTrade", "E": said["E"], "s": said["s"], "a": number, "p": said["p"],
            "q": f"{held['quantity']:f}", "T": said["T"], "m": said["m"]}
    text = b'{"stream":"%b@aggTrade","data":%b}' % (said["s"].lower().encode(), msgspec.json.encode(body))
    return Frame(held["ns"], held["source"], Kind.MESSAGE, text)
