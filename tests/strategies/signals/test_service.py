"""Feed and signal bot as services over real sockets: every fault of a stream, and a delisting, while signals are open.

Whatever happens, each signal is of a book that the venue really had, its entry is that book's touch, and its end is
what the venue's own trades say; each is told once.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from config.settings import Settings
from modules.exchange.feed import service as feed_service
from modules.exchange.feed.settings import FeedSettings
from modules.storage.settings import RecorderSettings
from modules.storage.sql.database import Database
from modules.storage.sql.tables import refusals as refusals_table
from modules.storage.sql.tables import signals as signals_table
from modules.storage.sql.writer import Writer
from modules.strategies.signals import crew, follow
from modules.strategies.signals import service as signal_service
from modules.strategies.signals.follow import Rules
from modules.strategies.signals.records import Follow
from modules.strategies.signals.settings import SignalSettings
from modules.supervision.service import ServiceRun
from tests.strategies.signals.venue import SignalVenue
from utils.paths import Paths

SYMBOLS = ("XUSDT", "YUSDT")
PATIENCE_S = 90.0
OWN = {"min_volume_usdt": 0, "min_open_interest_usdt": 0, "max_spread_pct": 5, "imbalance": 0.01, "large_trades": 0,
       "intensity": 0.01, "window_s": 10, "max_book_age_s": 10, "concurrent": 100, "max_correlation": 1.0,
       "hold_back": 0, "rearm_s": 0, "picture_s": 0, "controls": 0, "refusal_every_s": 1, "all_a_day": 1000,
       "high_a_day": 1000, "medium_a_day": 1000, "low_a_day": 1000, "demote_after": 10_000, "tune": False,
       "answer_s": (600, 600, 600)}


class Crew:
    """Both services in this loop, as their entries run them."""

    def __init__(self, folder: Path, venue: SignalVenue, **own: Any) -> None:
        self.paths, self.venue = Paths(folder).prepare(), venue
        feed = FeedSettings(venue="binance_usdm", rest_url=venue.url, ws_url=venue.url.replace("http", "ws"),
                            levels=512, most_symbols=4, trades=2048, candles=100, intervals=("15m",), silence_s=60,
                            stale_after_s=30, late_after_s=60, compiled=False)
        self.settings = Settings(feed=feed, recorder=RecorderSettings(on=False),
                                 signals=SignalSettings.model_validate(OWN | own))
        self.runs: list[ServiceRun] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> "Crew":
        for name, entry in (("feed", feed_service.main), ("signals", signal_service.main)):
            run = ServiceRun(name, self.paths, 1.0)
            self.runs.append(run)
            self._tasks.append(asyncio.create_task(entry(run, self.settings), name=name))
        return self

    async def stop(self) -> None:
        for run in self.runs:
            run.stop.set()
        await asyncio.gather(*self._tasks)
        writer = Writer.open("signals", self.settings.db, self.paths)  # what a slow machine left in the spool
        assert await asyncio.to_thread(writer.drain, PATIENCE_S)
        writer.close()

    def rows(self) -> list[Any]:
        database = Database.of(self.settings.db, self.paths)
        try:
            with database.begin() as connection:
                return list(connection.execute(select(signals_table.c.body, signals_table.c.status)).all())
        finally:
            database.close()

    def refused(self) -> set[str]:
        database = Database.of(self.settings.db, self.paths)
        try:
            with database.begin() as connection:
                return set(connection.execute(select(refusals_table.c.code)).scalars())
        finally:
            database.close()

    def said(self) -> list[str]:
        return [notice.what for _, notice in self.runs[1].outbox.pending("owner")]

    async def state(self) -> dict[str, Any]:
        import msgspec

        with contextlib.suppress(OSError, msgspec.MsgspecError):
            return dict(msgspec.json.decode((self.paths.data / "signals_state.json").read_bytes()))
        return {}

    async def opened(self, count: int = 1) -> dict[str, Any]:
        """Tick on until so many signals are open."""
        end = asyncio.get_running_loop().time() + PATIENCE_S
        while True:
            found = {name: one for name, one in (await self.state()).get("open", {}).items()
                     if not one["follow"].get("outcome")}
            if len(found) >= count:
                return found
            assert asyncio.get_running_loop().time() < end, ("no signal", self.refused(), self.runs[1]._info)
            await self.venue.ticks(20)


@pytest.fixture
async def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[..., Awaitable[Crew]]]:
    monkeypatch.setattr(feed_service, "LIST_EVERY_S", 0.3)
    monkeypatch.setattr(crew, "GONE_AFTER_MS", 5_000)
    venue = await SignalVenue(SYMBOLS).start()
    made: list[Crew] = []

    async def start(**own: Any) -> Crew:
        made.append(await Crew(tmp_path, venue, **own).start())
        return made[-1]

    yield start
    for one in made:
        await one.stop()
    await venue.close()


def lean_of(venue: SignalVenue, symbol: str, book_id: int) -> tuple[float, float, float]:
    """(imbalance of ten levels, best bid, best ask) of the venue's own book."""
    bids, asks = venue.truths[symbol].at_id[book_id]
    best = sorted(bids, reverse=True)[:10], sorted(asks)[:10]
    bid, ask = sum(bids[price] for price in best[0]), sum(asks[price] for price in best[1])
    return (bid - ask) / (bid + ask), best[0][0] / 10, best[1][0] / 10


def check_signals(crew_: Crew) -> Counter[str]:
    """Every stored signal against the venue's truth; outcomes counted."""
    found: Counter[str] = Counter()
    for body, _ in crew_.rows():
        one, symbol = body["follow"], body["follow"]["symbol"]
        lean, bid, ask = lean_of(crew_.venue, symbol, body["reasons"]["book_id"])
        assert body["imbalance"] == pytest.approx(lean, abs=1e-4), "of a book that the venue had"
        assert one["entry"] == pytest.approx(ask if one["sign"] > 0 else bid)
        found[one.get("outcome", "")] += 1
        if one.get("outcome") in ("SL", "TP1", "TP2", "EXPIRY"):
            names = ("id", "symbol", "sign", "entry", "stop", "tp1", "tp2", "begun_ms", "expires_ms")
            again = Follow(**{key: one[key] for key in names}, stop_now=one["stop"], last_price=one["entry"])
            for number, ms, price in crew_.venue.trades[symbol]:
                if ms >= one["begun_ms"] and number > body["reasons"].get("trade_id", 0):
                    follow.on_trade(again, number, ms, price, Rules())
            assert (again.outcome, again.closed_ms) == (one["outcome"], one["closed_ms"]), body
    return found


async def lost(venue: SignalVenue) -> None:
    for truth in venue.truths.values():
        truth.frame()


async def duplicated(venue: SignalVenue) -> None:
    raw = venue.truths["XUSDT"].frame()
    for _ in range(3):
        await venue.send("xusdt@depth@100ms", raw)


async def reordered(venue: SignalVenue) -> None:
    first, second = venue.truths["XUSDT"].frame(), venue.truths["XUSDT"].frame()
    await venue.send("xusdt@depth@100ms", second)
    await venue.send("xusdt@depth@100ms", first)


async def garbage(venue: SignalVenue) -> None:
    for socket in list(venue.sockets):
        await socket.send_str('{"stream":"xusdt@depth@100ms","data":{"e":"depthUp')


async def crossed(venue: SignalVenue) -> None:
    truth = venue.truths["XUSDT"]
    await venue.send("xusdt@depth@100ms", truth.frame().replace(b'"b":[', b'"b":[["1900.0","5.0"],'))


async def far(venue: SignalVenue) -> None:
    truth = venue.truths["XUSDT"]
    truth.bids[5] = 7
    raw = truth.frame()
    await venue.send("xusdt@depth@100ms", raw.replace(b'"b":[', b'"b":[["0.5","0.7"],'))


async def cut(venue: SignalVenue) -> None:
    await venue.cut()
    await lost(venue)


async def cut_and_refused(venue: SignalVenue) -> None:
    venue.refuse = [429, 418]
    venue.refuse_rest = [429]
    await cut(venue)


async def lost_trades(venue: SignalVenue) -> None:
    venue.mute = {"trade"}
    await venue.ticks(5)
    venue.mute = set()


async def silent_books(venue: SignalVenue) -> None:
    venue.mute = {"depth"}
    await venue.ticks(20)
    venue.mute = set()


FAULTS = (lost, duplicated, reordered, garbage, crossed, far, cut, cut_and_refused, lost_trades, silent_books)


@pytest.mark.timeout(400)
async def test_no_signal_from_a_doubtful_book_whatever_the_streams_do(started: Callable[..., Awaitable[Crew]]) -> None:
    found = await started(hold_min=(0.05, 0.05, 0.05), hold_from_min=(0.01, 0.01, 0.01))
    for fault in FAULTS:
        before = len(await found.opened()) + len(found.rows())
        await fault(found.venue)
        await found.venue.ticks(120)  # the window of trades has to be whole again
        end = asyncio.get_running_loop().time() + PATIENCE_S
        while len(found.rows()) < before + 1:  # it heals: signals are made again
            assert asyncio.get_running_loop().time() < end, (fault.__name__, found.refused(), found.runs[0]._info)
            await found.venue.ticks(20)
    await found.stop()
    ends = check_signals(found)
    assert ends["EXPIRY"] + ends["SL"] + ends["TP1"] + ends["TP2"] >= len(FAULTS)
    assert {"BOOK_STALE", "FLOW_NOT_WHOLE"} <= found.refused()
    said, rows = found.said(), found.rows()
    told, closed = sum(" · quality " in text for text in said), sum(status == "closed" for _, status in rows)
    kept = (await found.state())["open"].values()  # what the stop came before goes out at the next start
    assert told == len(rows) - sum(not one.get("told") for one in kept), "each is told, none twice"
    ended = sum(bool(one["follow"].get("outcome")) and not one.get("end_told") for one in kept)
    assert sum(text.startswith("EXIT ") for text in said) == closed - ended
    assert not any("failed" in text for text in said), said


@pytest.mark.timeout(400)
async def test_a_symbol_is_delisted_with_a_signal_open(started: Callable[..., Awaitable[Crew]]) -> None:
    found = await started(hold_min=(45.0, 45.0, 45.0), hold_from_min=(15.0, 15.0, 15.0),
                          max_stop_pct=20.0, atr_factor=20.0)
    signals = await found.opened(2)
    name, gone = next((key, one) for key, one in signals.items() if one["follow"]["symbol"] == "XUSDT")
    found.venue.delist("XUSDT")
    end = asyncio.get_running_loop().time() + PATIENCE_S
    while name in (await found.state())["open"]:
        assert asyncio.get_running_loop().time() < end, found.runs[1]._info
        await found.venue.ticks(20, 0.005)
    await found.venue.ticks(100)
    await found.stop()
    (row,) = [body for body, _ in found.rows() if body["follow"]["id"] == name]
    assert row["follow"]["outcome"] == "GONE" and row["follow"]["symbol"] == gone["follow"]["symbol"]
    assert sum("no longer traded" in text for text in found.said()) == 1
    others = [body["follow"] for body, _ in found.rows() if body["follow"]["symbol"] == "YUSDT"]
    assert others and all(one.get("outcome", "") != "GONE" for one in others), "the others go on"
    check_signals(found)
