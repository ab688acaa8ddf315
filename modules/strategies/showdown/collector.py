"""The collector (C1): candles and derivatives into SQL, gaps repaired, going on where the last run stopped.

1. Every look asks the database what it lacks of each interval's last `history_bars` closed candles, and fetches just
   those ranges. A range that the venue answers without rows (it was closed, or the contract is younger) is asked again
   an hour later at the soonest.
2. Only closed candles are stored; rows are put in once, repeating is harmless (`storage.sql.insert`).
3. Open interest, basis and settled funding go on from the last stored value, at most as far back as the venue keeps
   them. The funding rate of now is a sample at every look.
4. CVD is taker buys less taker sells of each closed minute, from trades. Trades go on from the last id; minutes that
   were missed (a restart, more trades than `trade_pages`) are filled from the candles' taker volume and marked so.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from modules.storage.sql.database import Database
from modules.strategies.showdown import store
from modules.strategies.showdown.records import OPEN_MS, TAKER_BUY, TIMEFRAMES, VOLUME, Bars, Series
from modules.strategies.showdown.settings import ShowdownSettings
from modules.strategies.showdown.venue import KLINES_A_CALL, TRADES_A_CALL, Source, Trade

log = logging.getLogger(__name__)
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
ASK_EMPTY_AGAIN_MS = HOUR_MS
FIRST_BACK_MS = {"open_interest": DAY_MS, "basis": DAY_MS, "funding": 30 * DAY_MS}
EVERY_MS = {"open_interest": 300_000, "basis": 300_000, "funding": HOUR_MS}
CVD_BACK = 180  # minutes of CVD that are kept whole

Put = Callable[[str, list[dict[str, object]]], None]


@dataclass(slots=True)
class Tape:
    """Trades of one contract on their way into minutes. `next_id` None: begin anew at `since_ms`."""

    next_id: int | None = None
    since_ms: int = 0
    open_minute: int = 0
    buys: float = 0.0
    sells: float = 0.0
    whole: bool = False  # the open minute was seen from its beginning


@dataclass(slots=True)
class Looked:
    """What one look brought, for status."""

    candles: int = 0
    values: int = 0
    gaps: int = 0
    problems: list[str] = field(default_factory=list)


class Collector:
    """One contract's collector. `put(table, rows)` hands rows to the database's writer."""

    def __init__(self, source: Source, database: Database, put: Put, symbol: str, settings: ShowdownSettings) -> None:
        self._source, self._database, self._put = source, database, put
        self._symbol, self._settings = symbol, settings
        self._tape = Tape()
        self._empty: dict[tuple[str, int], int] = {}
        self._series_at: dict[str, int] = {}

    async def look(self) -> Looked:
        """Fetch what is lacking now. Raises Unavailable (nothing is lost), DatabaseAway, OSError."""
        looked = Looked()
        now = self._source.now_ms()
        minutes = await self._candles("1m", now, looked)
        for name in ("5m", "15m", "1h"):
            await self._candles(name, now, looked)
        rate, basis = await self._source.funding_now(self._symbol)
        self._values("funding_now", np.array([[now, rate]]), looked)
        self._values("basis", np.array([[now, basis]]), looked)
        for kind in ("open_interest", "basis", "funding"):
            await self._series(kind, now, looked)
        await self._cvd(now, minutes, looked)
        return looked

    async def _candles(self, name: str, now: int, looked: Looked) -> Bars:
        """Fetch missing closed candles of an interval; returns those fetched."""
        step = TIMEFRAMES[name]
        end = now // step * step  # opens before this have closed
        first = end - self._settings.history_bars * step
        have = await asyncio.to_thread(store.open_times, self._database, self._symbol, name, first)
        fetched: list[Bars] = []
        for start, stop in store.missing_ranges(have, first, end, step):
            asked = self._empty.get((name, start))
            if asked is not None and now - asked < ASK_EMPTY_AGAIN_MS:
                continue
            looked.gaps += bool(len(have)) and stop <= int(have[-1])
            found = await self._range(name, start, stop, step)
            if len(found):
                self._put("candles", store.candle_rows(self._symbol, name, found))
                looked.candles += len(found)
                fetched.append(found)
            if len(found) < (stop - start) // step:
                self._empty[(name, start)] = now
        self._empty = {key: at for key, at in self._empty.items() if now - at < ASK_EMPTY_AGAIN_MS}
        return np.concatenate(fetched) if fetched else np.empty((0, 7))

    async def _range(self, name: str, start: int, stop: int, step: int) -> Bars:
        """Candles that open in [start, stop), page by page; only what the venue has."""
        pages: list[Bars] = []
        while start < stop:
            page = await self._source.candles(self._symbol, name, start, min(KLINES_A_CALL, (stop - start) // step))
            page = page[(page[:, OPEN_MS] >= start) & (page[:, OPEN_MS] < stop)]
            if not len(page):
                break
            pages.append(page)
            start = int(page[-1, OPEN_MS]) + step
        return np.concatenate(pages) if pages else np.empty((0, 7))

    def _values(self, kind: str, series: Series, looked: Looked) -> None:
        if len(series):
            self._put("derivatives", store.series_rows(self._symbol, kind, series))
            looked.values += len(series)

    async def _series(self, kind: str, now: int, looked: Looked) -> None:
        """Go on from the last stored value (rule 3), no more often than new ones can be there."""
        every = EVERY_MS[kind]
        if now // every == self._series_at.get(kind):
            return
        have = await asyncio.to_thread(store.times, self._database, self._symbol, kind, now - FIRST_BACK_MS[kind])
        regular = [ms for ms in have if ms % every < 1000]  # samples between do not say that history is there
        start = self._after_gap(regular, now, kind)
        found: Series = await getattr(self._source, kind)(self._symbol, start)
        self._values(kind, found, looked)
        if kind == "funding" or (len(found) and int(found[-1, 0]) >= now // every * every):
            self._series_at[kind] = now // every

    @staticmethod
    def _after_gap(have: list[int], now: int, kind: str) -> int:
        """Where to go on: behind the last value before the first hole."""
        if not have or have[0] > now - FIRST_BACK_MS[kind] + 9 * HOUR_MS:
            return now - FIRST_BACK_MS[kind]
        if kind == "funding":
            return have[-1] + 1
        holes = np.flatnonzero(np.diff(np.array(have)) > EVERY_MS[kind] + 1000)
        return (have[int(holes[0])] if len(holes) else have[-1]) + 1

    # -- CVD (rule 4) ------------------------------------------------------------------------------------------

    async def _cvd(self, now: int, minutes: Bars, looked: Looked) -> None:
        if self._tape.next_id is None and not self._tape.since_ms:
            await self._resume(now)
        done: list[dict[str, object]] = []
        for _ in range(self._settings.trade_pages):
            page = await self._source.trades(self._symbol, self._tape.next_id, self._tape.since_ms)
            for trade in page:
                self._take(trade, done)
            if len(page) < TRADES_A_CALL:
                self._pass_to(now // MINUTE_MS * MINUTE_MS, done)
                break
        else:
            log.info("%s: more trades than %d pages; its minutes come from candles", self._symbol,
                     self._settings.trade_pages)
            minute = now // MINUTE_MS * MINUTE_MS
            self._tape = Tape(since_ms=minute, open_minute=minute, whole=True)
        if done:
            self._put("derivatives", done)
            looked.values += len(done)
        await self._fill(now, minutes, looked)

    async def _resume(self, now: int) -> None:
        """Behind the last minute from trades where that is recent, else with the minute that is open now."""
        last = await asyncio.to_thread(store.last_row, self._database, self._symbol, "cvd")
        minute = now // MINUTE_MS * MINUTE_MS
        if last is not None and isinstance(last[1], dict) and "last_id" in last[1] and now - last[0] < 10 * MINUTE_MS:
            self._tape = Tape(next_id=int(last[1]["last_id"]) + 1, open_minute=last[0] + MINUTE_MS, whole=True)
        else:
            self._tape = Tape(since_ms=minute, open_minute=minute, whole=True)

    def _take(self, trade: Trade, done: list[dict[str, object]]) -> None:
        tape = self._tape
        if trade.ms < tape.open_minute or (tape.next_id is not None and trade.id < tape.next_id):
            tape.next_id = max(tape.next_id or 0, trade.id + 1)
            return
        self._pass_to(trade.ms // MINUTE_MS * MINUTE_MS, done)
        tape.next_id = trade.id + 1
        if trade.buy:
            tape.buys += trade.quantity
        else:
            tape.sells += trade.quantity

    def _pass_to(self, minute: int, done: list[dict[str, object]]) -> None:
        """Close the open minute where a later one has begun."""
        tape = self._tape
        if minute <= tape.open_minute:
            return
        if tape.whole and tape.next_id is not None:
            body = {"buys": tape.buys, "sells": tape.sells, "last_id": tape.next_id - 1, "from": "trades"}
            done += [dict(row) for row in store.series_rows(
                self._symbol, "cvd", np.array([[tape.open_minute, tape.buys - tape.sells]]), body)]
        tape.open_minute, tape.buys, tape.sells, tape.whole = minute, 0.0, 0.0, True

    async def _fill(self, now: int, fetched: Bars, looked: Looked) -> None:
        """Minutes without a row, from the candles' taker volume: 2 × taker buys − volume."""
        end = self._tape.open_minute or now // MINUTE_MS * MINUTE_MS
        first = end - CVD_BACK * MINUTE_MS
        have = await asyncio.to_thread(store.times, self._database, self._symbol, "cvd", first)
        lacking = store.missing_ranges(np.array(have, dtype=np.int64), first, end, MINUTE_MS)
        if not lacking:
            return
        bars = np.concatenate((await asyncio.to_thread(self._minutes, now), fetched))
        for start, stop in lacking:
            part = bars[(bars[:, OPEN_MS] >= start) & (bars[:, OPEN_MS] < stop)]
            if len(part):
                series = np.column_stack((part[:, OPEN_MS], 2 * part[:, TAKER_BUY] - part[:, VOLUME]))
                self._put("derivatives", store.series_rows(self._symbol, "cvd", series, {"from": "candles"}))
                looked.values += len(part)

    def _minutes(self, now: int) -> Bars:
        with self._database.begin() as connection:
            return store.read_bars(connection, self._symbol, "1m", now, CVD_BACK + 5)
