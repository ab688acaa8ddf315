"""One contract on the live feed: every message goes into the windows, and out comes a signal or a reason (B3, B5).

1. Nothing is decided on a stale, old or partial book, nor on a window with a hole: a torn read, a skipped trade id, a
   new epoch, a dead feed or a silent trade stream each make one.
2. Two numbers of the shared memory tell whether anything is new: a look without news costs a fraction of a µs.
"""

import threading
import time
from dataclasses import dataclass
from typing import Any

from modules.exchange.feed.reader import FeedReader
from modules.exchange.orderbook import layout as at
from modules.exchange.orderbook import ring as rg
from modules.sentiment.mood import Mood
from modules.strategies.scalper import flow as fl
from modules.strategies.scalper import rules, taking
from modules.strategies.scalper.reasons import Code
from modules.strategies.scalper.settings import ScalperSettings
from modules.strategies.scalper.taking import Desk
from modules.strategies.scalper.terms import terms_of

_barrier = threading.Lock()
_TRIES = 4


@dataclass(frozen=True, slots=True)
class Signal:
    """BUY (`side` +1) or SELL (−1), with what each part contributed. Prices in USDT, times ms of the venue."""

    symbol: str
    side: int
    score: float
    parts: dict[str, float]
    bid: float
    ask: float
    spread_bps: float
    atr_bps: float
    ms: int
    local_ns: int
    features: dict[str, Any]


class Eye:
    """Looks at one contract."""

    def __init__(self, symbol: str, settings: ScalperSettings) -> None:
        self.symbol, self.settings = symbol, settings
        self.desk = Desk()
        self.flow = fl.empty()
        self.terms = terms_of(settings)
        self.code = Code.NO_FEED
        self.looks = 0
        self.mood: Mood | None = None
        self.context_ms = 0  # open time of the newest closed candle in the context
        self._words: tuple[fl.Ints, fl.Ints] | None = None
        self._key = (-1, -1)
        self._seen = (-1, -1)
        self._number, self._epoch, self._missed = -1, -1, 0
        self._price = self._scale = 1.0

    # -- what comes from beside the book -------------------------------------------------------------------

    def know(self, candles: "fl.Floats | None", opened_ms: int) -> None:
        """Parts of the indicators (`indicators.latest`); None: they are not known."""
        context = self.desk.context
        if candles is None:
            context[rules.X_ATR_BPS] = 0.0
            return
        context[:4] = candles
        self.context_ms = opened_ms

    def feel(self, mood: Mood | None) -> None:
        """The newest sentiment; what has faded counts as nothing known."""
        self.mood = mood
        known = mood is not None and mood.confidence >= rules.LEAST_CONFIDENCE
        self.desk.context[rules.X_HAS_SENTIMENT] = 1.0 if known else 0.0
        self.desk.context[rules.X_SENTIMENT] = mood.score if mood is not None and known else 0.0

    # -- the feed ------------------------------------------------------------------------------------------

    def attach(self, reader: FeedReader) -> bool:
        """Find the contract in the feed's memory; False where it is not heard."""
        key = (reader.life, reader.table)
        if key == self._key:
            return self._words is not None
        self._key = key
        try:
            found = reader.words(self.symbol)
        except KeyError:
            self.blind()
            self._words = None
            return False
        if self._words is None or found[0].ctypes.data != self._words[0].ctypes.data:
            self._words = found
            self._scales()
            self.blind()
        return True

    def _scales(self) -> None:
        assert self._words is not None
        book = self._words[0]
        self._price = 10.0 ** -int(book[at.PRICE_SCALE])
        scale = int(book[at.PRICE_SCALE]) + int(book[at.QTY_SCALE])
        self.terms, self._scale = terms_of(self.settings, scale), scale

    def blind(self) -> None:
        """Messages are missed: the windows begin anew."""
        self._seen, self._number, self._epoch = (-1, -1), -1, -1
        fl.hole(self.flow, int(self.flow.cells[fl.NOW]))
        self.flow.cells[fl.WHOLE_FROM] = fl.NEVER

    def suspect(self) -> None:
        """The trade stream is silent: what it should have told is missing."""
        fl.hole(self.flow, int(self.flow.cells[fl.NOW]))

    def news(self) -> bool:
        """Something was written since the last look (rule 2)."""
        if self._words is None:
            return False
        book, ring = self._words
        return (int(book[at.SEQ]), int(ring[rg.WRITTEN])) != self._seen

    def look(self) -> Code:
        """Take in what is new and judge; OK: `signal` tells it."""
        assert self._words is not None
        book, ring = self._words
        desk = self.desk
        while True:
            if not self._copied(book, ring):
                self.blind()
                self.code = Code.BOOK_STALE
                return self.code
            doubt = self._doubt()
            if self._number == -1:
                break
            found = int(taking.take_in(self.flow, self.terms, desk.levels, desk.trades, desk.head, desk.context,
                                       desk.features, desk.parts))  # trades count, whatever the book is worth
            if doubt is Code.BOOK_STALE:
                fl.hole(self.flow, int(desk.head[taking.LAST_MS]))
            if desk.head[taking.COUNT] < taking.MOST:
                doubt = Code(found) if doubt is None else doubt
                break
        self.looks += 1
        self.code = Code.BOOK_STALE if doubt is None else doubt
        return self.code

    def _copied(self, book: fl.Ints, ring: fl.Ints) -> bool:
        """One whole state in our own arrays; False where the writer stopped in the middle of a change."""
        desk = self.desk
        for _ in range(_TRIES):
            before = int(book[at.SEQ])
            if not before & 1:
                with _barrier:
                    taking.copy(book, ring, self._number, desk.levels, desk.trades, desk.head)
                with _barrier:  # on processors that read out of order as well (views.py)
                    after = int(book[at.SEQ])
                if before == after:
                    self._seen = (before, int(desk.head[taking.NEXT]))
                    return True
            time.sleep(0)
        return False

    def _doubt(self) -> Code | None:
        """Rule 1."""
        head = self.desk.head
        if int(self._words[0][at.PRICE_SCALE]) + int(self._words[0][at.QTY_SCALE]) != self._scale:  # type: ignore[index]
            self._scales()
            self.blind()
            return Code.BOOK_STALE
        epoch, missed = int(head[taking.EPOCH]), int(head[taking.MISSED])
        broken = (epoch != self._epoch or missed != self._missed or head[taking.OVERRUN] > 0) and self._epoch != -1
        self._epoch, self._missed, self._number = epoch, missed, int(head[taking.NEXT])
        if head[taking.STALE]:
            return Code.BOOK_STALE
        if broken:
            fl.hole(self.flow, int(head[taking.EVENT_MS]))
        if (time.monotonic_ns() - int(head[taking.LOCAL_NS])) / 1e9 > self.settings.max_book_age_s:
            return Code.BOOK_OLD
        return None

    # -- what it says --------------------------------------------------------------------------------------

    @property
    def score(self) -> float:
        """The last score; 0 where nothing could be judged."""
        judged = self.code in (Code.OK, Code.COST, Code.SCORE)
        return float(self.desk.parts[rules.SCORE]) if judged else 0.0

    @property
    def bid(self) -> float:
        """Best bid at the last look."""
        return float(self.desk.levels[fl.BID_PRICE, 0]) * self._price

    @property
    def ask(self) -> float:
        """Best offer at the last look."""
        return float(self.desk.levels[fl.ASK_PRICE, 0]) * self._price

    def parts(self) -> dict[str, float]:
        """Contributions by name; they sum to the score."""
        return {name: round(float(value), 4) for name, value in zip(rules.PART_NAMES, self.desk.parts, strict=False)}

    def figures(self) -> dict[str, Any]:
        """The features by name."""
        cvd = float(self.flow.cells[fl.CVD]) * 10.0 ** -self._scale
        return fl.told(self.desk.features, cvd_usdt=round(cvd, 2))

    def signal(self) -> Signal:
        """The signal of the last look."""
        desk = self.desk
        found = float(desk.parts[rules.SCORE])
        return Signal(self.symbol, 1 if found > 0 else -1, round(found, 4), self.parts(), self.bid, self.ask,
                      float(desk.features[fl.SPREAD_BPS]), float(desk.context[rules.X_ATR_BPS]),
                      int(desk.head[taking.LAST_MS]), int(desk.head[taking.LOCAL_NS]), self.figures())
