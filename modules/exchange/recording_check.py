"""What a recording is worth: every sequence followed by the venue's rules, candles rebuilt from its trades.

Depth diffs of futures chain by ``pu`` = the ``u`` before; those of spot by ``U`` = the ``u`` before + 1 (X28). A new
connection begins a new chain; a diff that is older than what was seen is late or repeated, not a break. Trades count
their ids: what is missing between two is counted.
"""

from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

import msgspec

from modules.storage.recordings.format import Frame, Kind

TIMEFRAMES = {"1m": 60_000, "5m": 300_000, "15m": 900_000, "1h": 3_600_000}


class _Head(msgspec.Struct):
    """What tells the kind of a message; one letter each, as the venue writes them."""

    e: str = ""
    s: str = ""
    lastUpdateId: int | None = None


class _Diff(msgspec.Struct):
    """A depth diff's ids: first, last, and last of the diff before (futures only)."""

    U: int
    u: int
    s: str = ""
    pu: int | None = None


class _Trade(msgspec.Struct):
    """One trade: single (id ``t``) or aggregated (id ``a``)."""

    s: str
    T: int
    p: str
    q: str
    t: int = 0
    a: int = 0


class _Message(msgspec.Struct):
    """A combined stream's envelope."""

    stream: str = ""
    data: msgspec.Raw = msgspec.Raw(b"")


_message = msgspec.json.Decoder(_Message)
_head = msgspec.json.Decoder(_Head)
_diff = msgspec.json.Decoder(_Diff)
_trade = msgspec.json.Decoder(_Trade)


@dataclass(slots=True)
class Chain:
    """One sequence of diffs."""

    last: int | None = None
    breaks: int = 0
    late: int = 0
    diffs: int = 0
    restarts: int = 0

    def follow(self, diff: _Diff) -> bool:
        """Take the next diff; False where the sequence is broken in front of it."""
        first, last, before = diff.U, diff.u, diff.pu
        self.diffs += 1
        if self.last is None:
            self.last = last
            return True
        if last <= self.last:
            self.late += 1
            return True
        whole = before == self.last if before is not None else first == self.last + 1
        self.breaks += not whole
        self.last = last
        return whole


@dataclass(slots=True)
class Candle:
    """One candle rebuilt from trades; exact."""

    open_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    trades: int
    order: tuple[int, int]  # (time, id) of the last trade: files may hold trades of a ms in another order

    def add(self, price: Decimal, quantity: Decimal, order: tuple[int, int]) -> None:
        """Take one more trade."""
        self.high, self.low = max(self.high, price), min(self.low, price)
        self.volume += quantity
        self.trades += 1
        if order >= self.order:
            self.close, self.order = price, order


@dataclass(slots=True)
class Trades:
    """The trades of one symbol, of one kind (single or aggregated)."""

    count: int = 0
    repeated: int = 0
    missing: int = 0
    last: int | None = None
    first_ms: int = 0
    last_ms: int = 0
    candles: dict[tuple[str, int], Candle] = field(default_factory=dict)


@dataclass(slots=True)
class Check:
    """A recording, followed frame by frame with `take`."""

    timeframes: tuple[str, ...] = ("1m", "5m")
    frames: int = 0
    snapshots: int = 0
    garbage: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    symbols: set[str] = field(default_factory=set)
    chains: dict[tuple[str, str], Chain] = field(default_factory=dict)
    trades: dict[tuple[str, str], Trades] = field(default_factory=dict)
    places: list[str] = field(default_factory=list)
    dropped: int = 0
    first_ns: int = 0
    last_ns: int = 0

    def take(self, frame: Frame) -> None:
        """Follow one frame."""
        self.frames += 1
        self.first_ns = min(self.first_ns or frame.ns, frame.ns)
        self.last_ns = max(self.last_ns, frame.ns)
        if frame.kind is Kind.NOTE:
            self._note(frame)
            return
        if frame.kind is Kind.ANSWER and b'"lastUpdateId"' not in frame.payload[:64]:
            self.kinds["answer"] = self.kinds.get("answer", 0) + 1
            return
        try:
            self._one(frame)
        except (msgspec.MsgspecError, InvalidOperation, UnicodeDecodeError):
            self.garbage += 1
            self._place(f"{frame.ns}: {frame.payload[:60]!r} is no message of the venue")

    def _one(self, frame: Frame) -> None:
        message = _message.decode(frame.payload)
        data = message.data or frame.payload
        head = _head.decode(data)
        stream_kind = message.stream.partition("@")[2].partition("@")[0]  # spot's bookTicker has no ``e``
        kind = head.e or ("snapshot" if head.lastUpdateId is not None else stream_kind or "other")
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        self.snapshots += kind == "snapshot"
        if head.s:
            self.symbols.add(head.s)
        if kind == "depthUpdate":
            diff = _diff.decode(data)
            chain = self.chains.setdefault((frame.source, message.stream or diff.s), Chain())
            if not chain.follow(diff):
                self._place(f"{frame.ns}: {diff.s} diff {diff.U}–{diff.u} does not follow what was seen before it")
        elif kind in ("trade", "aggTrade"):
            self._trade(kind, _trade.decode(data))

    def _trade(self, kind: str, data: _Trade) -> None:
        number = data.t if kind == "trade" else data.a
        price, quantity = Decimal(data.p), Decimal(data.q)
        if price <= 0 or quantity <= 0:
            self.kinds["not on the book"] = self.kinds.get("not on the book", 0) + 1
            return  # e.g. insurance fund and ADL, told with a price of 0
        seen = self.trades.setdefault((data.s, kind), Trades())
        if seen.last is not None and number <= seen.last:
            seen.repeated += 1
            return
        if seen.last is not None:
            seen.missing += number - seen.last - 1
        seen.last = number
        seen.count += 1
        seen.first_ms = min(seen.first_ms or data.T, data.T)
        seen.last_ms = max(seen.last_ms, data.T)
        for name in self.timeframes:
            open_ms = data.T - data.T % TIMEFRAMES[name]
            candle = seen.candles.get((name, open_ms))
            if candle is None:
                seen.candles[(name, open_ms)] = Candle(
                    open_ms, price, price, price, price, quantity, 1, (data.T, number))
            else:
                candle.add(price, quantity, (data.T, number))

    def _note(self, frame: Frame) -> None:
        fact = msgspec.json.decode(frame.payload)
        self.dropped += int(fact.get("dropped", 0))
        if fact.get("connected") or fact.get("lost") or fact.get("started"):
            for (source, _), chain in self.chains.items():
                if chain.last is not None and source in ("", frame.source, fact.get("source")):
                    chain.last = None
                    chain.restarts += 1

    def _place(self, text: str) -> None:
        if len(self.places) < 20:
            self.places.append(text)
