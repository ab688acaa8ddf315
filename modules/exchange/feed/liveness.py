"""Each stream's own clock (X29): trades, bookTicker, mark price and candles become stale by themselves, not only books.

A quiet market sends no trades, so age alone proves nothing. What does:

1. Mark price comes every second whatever happens: its silence is the stream's, and puts in doubt what shares its socket
   family and is silent too (trades, candles). Depth does the same for bookTicker.
2. Streams tell of each other: a candle whose volume grew means a trade that should have come, a trade means a candle,
   another best level in a fresh book means a bookTicker. Who stays behind for `silent_after_s` is silent.
3. A cut line, a damaged frame of the socket: in doubt until the stream speaks again.
4. Never heard: STARTING.

The verdicts lie in the shared page (`TRADE_STALE` … of the book's header, `C_STALE` of a table of candles).
"""

from dataclasses import dataclass, field

from modules.exchange.feed import page as pages
from modules.exchange.orderbook import layout as at
from modules.exchange.orderbook import ring
from modules.exchange.orderbook.book import Ints
from modules.exchange.orderbook.layout import Stale

WORDS = {"aggTrade": at.TRADE_STALE, "bookTicker": at.TICKER_STALE, "markPrice": at.MARK_STALE}
_LOOKS = 2  # another best level has to be seen so often in a row: the two streams' frames come one after the other


@dataclass(slots=True)
class Clocks:
    """What is remembered of one symbol's streams. `traded_ns`: when a candle told of trades last."""

    book: Ints
    ring: Ints
    tables: dict[str, Ints]
    traded_ns: int = 0
    volume: float = -1.0
    apart: int = 0
    doubts: dict[str, tuple[Stale, int]] = field(default_factory=dict)

    def begin(self) -> None:
        """Nothing was heard yet."""
        for word in WORDS.values():
            self.book[word] = Stale.STARTING
        for table in self.tables.values():
            table[pages.C_STALE] = Stale.STARTING

    def heard_ns(self, kind: str) -> int:
        """When a stream spoke last; 0: never. `kind` as in its name: aggTrade, bookTicker, markPrice, kline_15m."""
        if kind == "aggTrade":
            return int(self.ring[ring.LAST_LOCAL_NS])
        if kind == "bookTicker":
            return int(self.book[at.TICKER + 6])
        if kind == "markPrice":
            return int(self.book[at.MARK + 5])
        return int(self.tables[kind.removeprefix("kline_")][pages.C_HEARD_NS])

    def on_candle(self, volume: float, local_ns: int) -> None:
        """A candle came: did it tell of a trade?"""
        if volume > 0 and volume != self.volume and self.volume >= 0:
            self.traded_ns = local_ns
        self.volume = volume

    def doubt(self, kind: str, reason: Stale) -> None:
        """Rule 3; `kind` as in the stream's name, with its pace."""
        kind = kind.partition("@")[0]
        if kind in WORDS or kind.removeprefix("kline_") in self.tables:
            self.doubts[kind] = (reason, self.heard_ns(kind))
            self._tell(kind, reason)

    def look(self, now_ns: int, silent_ns: float) -> int:
        """Judge every stream; how many are stale."""
        mark = self._judge("markPrice", now_ns - self.heard_ns("markPrice") > silent_ns)
        traded, age = self.heard_ns("aggTrade"), now_ns - self.heard_ns("aggTrade")
        deaf = mark is not Stale.FRESH
        verdicts = [mark, self._judge("aggTrade", (deaf and age > silent_ns) or self.traded_ns - traded > silent_ns)]
        for name in self.tables:
            heard = self.heard_ns(f"kline_{name}")
            verdicts.append(self._judge(f"kline_{name}", (deaf and now_ns - heard > silent_ns)
                                        or (traded - heard > silent_ns and now_ns - heard > silent_ns)))
        verdicts.append(self._judge("bookTicker", self._ticker_behind(now_ns, silent_ns)))
        return sum(one is not Stale.FRESH for one in verdicts)

    def _ticker_behind(self, now_ns: int, silent_ns: float) -> bool:
        """Rule 2 for bookTicker; a stale book proves nothing but its own silence."""
        book, age = self.book, now_ns - self.heard_ns("bookTicker")
        if book[at.STALE] != Stale.FRESH:
            return age > silent_ns and now_ns - int(book[at.LOCAL_NS]) > silent_ns
        size = int(book[at.CAPACITY])
        bids, asks = int(book[at.BIDS]), int(book[at.ASKS])
        best = (int(book[at.HEADER + bids - 1]), -int(book[at.HEADER + 2 * size + asks - 1])) if bids and asks else None
        self.apart = self.apart + 1 if best != (int(book[at.TICKER]), int(book[at.TICKER + 2])) else 0
        return age > silent_ns and self.apart >= _LOOKS

    def _judge(self, kind: str, silent: bool) -> Stale:
        heard = self.heard_ns(kind)
        doubted = self.doubts.get(kind)
        if doubted is not None and heard > doubted[1]:
            del self.doubts[kind]
            doubted = None
        found = doubted[0] if doubted else Stale.STARTING if not heard else Stale.SILENT if silent else Stale.FRESH
        self._tell(kind, found)
        return found

    def _tell(self, kind: str, found: Stale) -> None:
        word = WORDS.get(kind)
        if word is not None:
            self.book[word] = found
        else:
            self.tables[kind.removeprefix("kline_")][pages.C_STALE] = found
