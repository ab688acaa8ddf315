"""The signal bot measured: a simulated day with planted events, and the time from socket to decision.

    python benchmarks/signals.py day [--contracts 15] [--hours 24] [--slice-ms 1000] [--edge 0.06] [--limits]
    python benchmarks/signals.py latency [--symbols 100] [--seconds 20]

`day` runs the simulated venue, its wire, the feed's engine and the bot's own desk, ledger and follower in one process
at the machine's speed. Planted: the model's episodes of leaning flow (contract, side, beginning, end). Found: a signal
of the same contract and side between its beginning and a minute after its end; false: a signal of no episode. Without
`--limits` the limits of D8 are lifted, or they and not the detection would be measured.
`latency` sends 100 symbols × 100 ms over real sockets (benchmarks/feed.py) to a feed process; a second process looks.
"""

import argparse
import asyncio
import json
import multiprocessing
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

GRACE_MS = 60_000


class Day:
    """Venue, wire, feed and bot in one process over a market time of their own."""

    def __init__(self, options: argparse.Namespace, home: Path) -> None:
        from modules.exchange.feed import page as pages
        from modules.exchange.feed.engine import FeedEngine, Units
        from modules.exchange.feed.page import Shape
        from modules.exchange.feed.reader import FeedReader
        from modules.exchange.orderbook import trades
        from modules.exchange.orderbook.book import opener
        from modules.simulator.futures import futures_accounts
        from modules.simulator.perp.venue import PerpVenue
        from modules.simulator.sockets.feed import MarketFeed
        from modules.simulator.sockets.live import PerpFeed, PerpSource
        from modules.simulator.sockets.names import parse
        from utils.paths import Paths

        self.ms, self.slice = 1_780_000_000_000 // 86_400_000 * 86_400_000, options.slice_ms
        speed = options.slice_ms / 25
        self.venue = PerpVenue(options.contracts, options.seed, lambda: self.ms, futures_accounts(), speed=speed,
                               edge=options.edge)
        self.venue.slice_ms = options.slice_ms
        source = PerpSource(self.venue)
        feed = MarketFeed(source, self._publish, slice_ms=options.slice_ms)
        self._wire = PerpFeed(source, feed)
        self.venue.listeners.append(self._wire)
        self.paths = Paths(home).prepare()
        page, _ = pages.create(self.paths, Shape(options.contracts, 16384, 8192, 101, ("15m",)), time.monotonic_ns())
        make, why = opener()
        print(f"books: {why or 'compiled'}", file=sys.stderr)
        self.engine = FeedEngine(page, make, trades.writer(compiled=not why))
        self._beat = pages.H_BEAT_NS
        for spec in self.venue.specs:
            decimals = [max(0, -int(size.normalize().as_tuple().exponent)) for size in (spec.tick, spec.step)]
            self.engine.add(spec.symbol, Units(*decimals))
            for kind in ("depth@100ms", "aggTrade", "markPrice@1s", "kline_15m"):
                stream = parse(f"{spec.symbol.lower()}@{kind}")
                assert stream is not None
                feed.begin(stream)
        self.beat()
        self.reader = FeedReader(self.paths)
        self._join()

    def _publish(self, name: str, data: bytes) -> None:
        self.engine.on_frame(b'{"stream":"' + name.encode() + b'","data":' + data + b"}", time.monotonic_ns())

    def beat(self) -> None:
        self.engine.page.words[self._beat] = time.monotonic_ns()

    def _join(self) -> None:
        """Snapshots and candles, as REST would answer."""
        from modules.exchange.orderbook.messages import Snapshot
        from modules.exchange.orderbook.synchroniser import Wants

        for index, spec in enumerate(self.venue.specs):
            state = self.engine.states[spec.symbol]
            if state.sync.wants is Wants.SNAPSHOT:
                last, bids, asks = self.venue.depth(index, 16384)
                sides = [[[f"{tick * spec.tick:f}", f"{steps * spec.step:f}"] for tick, steps in side]
                         for side in (bids, asks)]
                body = {"lastUpdateId": last, "E": self.ms, "T": self.ms, "bids": sides[0], "asks": sides[1]}
                self.on_snapshot(spec.symbol, body)
                state.sync.on_snapshot(msgspec.convert(body, Snapshot), 16384)
            table = state.candles["15m"]
            if table.wants_rows:
                found = self.venue.market.candles.klines(index, "15m", None, None, 101)
                tick, step = float(spec.tick), float(spec.step)
                rows = np.array([[c.open_ms, c.open * tick, c.high * tick, c.low * tick, c.close * tick,
                                  c.volume * step, c.quote, c.buy_volume * step, 1.0] for c in found])
                rows[-1, 8] = 0.0
                self.on_candles(spec.symbol, found, tick, step)
                table.load(rows, time.monotonic_ns())

    def on_snapshot(self, symbol: str, body: Any) -> None:
        """A book was asked for (for who keeps it, benchmarks/signal_recordings.py)."""

    def on_candles(self, symbol: str, found: Any, tick: float, step: float) -> None:
        """Candles were asked for."""

    def step(self) -> None:
        """One slice of market time."""
        self.ms += self.slice
        self.venue.step(self.ms)
        self._wire.step(self.ms)
        self.beat()
        self._join()


def day(options: argparse.Namespace) -> dict[str, Any]:
    """A day of planted episodes."""
    from modules.strategies.signals import control, stats
    from modules.strategies.signals.desk import Desk
    from modules.strategies.signals.follower import Follower, Tick
    from modules.strategies.signals.ledger import Ledger
    from modules.strategies.signals.market import MarketNow
    from modules.strategies.signals.settings import SignalSettings
    from modules.strategies.signals.stats import Done
    from modules.supervision.outbox import Outbox

    class Memory:
        def __init__(self) -> None:
            self.rows: list[tuple[str, dict[str, Any]]] = []

        def add(self, table: str, rows: list[dict[str, Any]], durable: bool = False) -> None:
            self.rows.extend((table, row) for row in rows)

    free = {} if options.limits else {"high_a_day": 1000, "medium_a_day": 1000, "low_a_day": 1000, "all_a_day": 1000,
                                      "concurrent": 100, "max_correlation": 1.0, "hold_back": 0}
    settings = SignalSettings(max_book_age_s=10, demote_after=10_000, **free)  # the machine may be slow
    with tempfile.TemporaryDirectory() as home:
        world, memory = Day(options, Path(home)), Memory()
        ledger = Ledger(world.paths, settings, memory, Outbox(world.paths.outbox, "signals"), "UTC")
        ledger.save = lambda: None  # type: ignore[method-assign]  # the disk is not what is measured here

        async def nothing(symbol: str, from_id: int, limit: int) -> list[Tick]:
            return []

        follower = Follower(ledger.rules, nothing, ledger.ended)
        market_now = MarketNow(1.0, lambda: 0.0)
        desk = Desk(settings, ledger, follower, market_now, world.reader)
        done: list[Done] = []
        births: list[tuple[str, int, int, str]] = []
        dice = random.Random(options.seed)

        def closed(signal: Any, net_r: float, net_pct: float) -> None:
            follow = signal.follow
            done.append(Done(signal.symbol, signal.priority, signal.kind == "CTRL", follow.begun_ms, follow.closed_ms,
                             follow.outcome, net_r, net_pct))
            ledger.state.open.pop(signal.id, None)

        def born(signal: Any) -> None:
            births.append((signal.symbol, signal.follow.sign, signal.follow.begun_ms, signal.priority))
            ledger.state.planned.extend(control.plan(signal, settings, dice))

        def begin(one: Any) -> bool:
            book, window = world.reader.book(one.symbol, 1), desk.watch(one.symbol).window
            if not book.usable or window is None or window.last_id is None:
                return False
            signal = control.begin(one, book, window.last_id, world.ms)
            ledger.state.open[signal.id] = signal
            follower.begin(signal)
            return True

        ledger.on_closed, desk.born = closed, born
        names = [spec.symbol for spec in world.venue.specs]
        desk.universe = set(names)
        episodes: list[dict[str, Any]] = []
        running: dict[int, dict[str, Any]] = {}
        began, spent, slices = time.monotonic(), 0.0, int(options.hours * 3_600_000 / options.slice_ms)
        for number in range(slices):
            if time.monotonic() - began > options.minutes * 60:
                options.hours = round(number * options.slice_ms / 3_600_000, 2)
                break
            world.step()
            _note_episodes(world, names, running, episodes)
            at = time.process_time()
            changed, missed = world.reader.changes()
            told = dict.fromkeys(name for name, kind in changed if kind in ("depth", "trade"))
            for symbol in names if missed else told:
                desk.look(symbol)
            spent += time.process_time() - at
            if number % max(1, 1000 // options.slice_ms) == 0:
                for symbol in list(follower.symbols):
                    follower.expire(symbol, world.ms)
                ledger.state.planned = control.due(ledger.state.planned, world.ms, begin)
            if options.verbose and number % (600_000 // options.slice_ms) == 0:
                print(f"{number / slices:.0%} {time.monotonic() - began:.0f} s, {len(births)} signals, "
                      f"{len(episodes)} episodes, {ledger.refusals.totals}", file=sys.stderr, flush=True)
        return _verdict(options, episodes, births, done, stats, desk, spent, time.monotonic() - began, ledger)


def _note_episodes(world: Day, names: list[str], running: dict[int, dict[str, Any]],
                   episodes: list[dict[str, Any]]) -> None:
    """What the model plants now, as the only truth there is."""
    lean = world.venue.market.model.lean
    for index in range(len(names)):
        sign = int(np.sign(lean[index]))
        if index in running and running[index]["sign"] != sign:
            running.pop(index)["end"] = world.ms
        if sign and index not in running:
            running[index] = {"symbol": names[index], "sign": sign, "begin": world.ms, "end": 1 << 62}
            episodes.append(running[index])


def _verdict(options: argparse.Namespace, episodes: list[dict[str, Any]], births: list[tuple[str, int, int, str]],
             done: list[Any], stats: Any, desk: Any, spent: float, took: float, ledger: Any) -> dict[str, Any]:
    def fits(birth: tuple[str, int, int, str], one: dict[str, Any]) -> bool:
        within = one["begin"] <= birth[2] <= one["end"] + GRACE_MS
        return within and birth[0] == one["symbol"] and birth[1] == one["sign"]

    found = [one for one in episodes if any(fits(birth, one) for birth in births)]
    true = [birth for birth in births if any(fits(birth, one) for one in episodes)]
    waits = sorted(min(birth[2] for birth in births if fits(birth, one)) - one["begin"] for one in found)
    own, against = stats.figures(one for one in done if not one.control), stats.figures(
        one for one in done if one.control)
    lead = stats.lead([one.net_r for one in done if not one.control], [one.net_r for one in done if one.control])
    by_symbol: dict[str, list[int]] = {}
    for one in episodes:
        pair = by_symbol.setdefault(one["symbol"], [0, 0])
        pair[0] += one in found
        pair[1] += 1
    return {
        "contracts": options.contracts, "hours": options.hours, "slice_ms": options.slice_ms, "edge": options.edge,
        "limits": options.limits, "planted": len(episodes), "found": len(found), "missed": len(episodes) - len(found),
        "signals": len(births), "true": len(true), "false": len(births) - len(true),
        "classes": {name: sum(birth[3] == name for birth in births) for name in ("HIGH", "MEDIUM", "LOW")},
        "seconds_to_signal_p50_p90": [float(np.percentile(waits, q)) / 1000 for q in (50, 90)] if waits else [],
        "found_of_planted": {name: f"{a}/{n}" for name, (a, n) in by_symbol.items()},
        "signals_ended": own.count, "win_rate": round(own.win_rate, 3), "mean_r": round(own.mean_r, 3),
        "mean_r_90": [round(x, 3) for x in own.r_between], "control_ended": against.count,
        "control_win_rate": round(against.win_rate, 3), "control_mean_r": round(against.mean_r, 3),
        "control_r_90": [round(x, 3) for x in against.r_between], "lead_r_and_error": [round(x, 3) for x in lead],
        "looks": desk.looks, "us_per_look": round(spent / max(desk.looks, 1) * 1e6, 1),
        "refusals": ledger.refusals.totals, "took_s": round(took, 1)}


def looker(home: str, seconds: float, answer: Any) -> None:
    """The bot's desk in a process of its own, as the service loops."""
    from modules.exchange.feed.reader import FeedReader
    from modules.exchange.orderbook import layout as at
    from modules.strategies.signals.desk import Desk
    from modules.strategies.signals.follower import Follower
    from modules.strategies.signals.ledger import Ledger
    from modules.strategies.signals.market import MarketNow
    from modules.strategies.signals.service import IDLE_S
    from modules.strategies.signals.settings import SignalSettings
    from modules.supervision.outbox import Outbox
    from utils.paths import Paths

    class Nowhere:
        def add(self, table: str, rows: list[dict[str, Any]], durable: bool = False) -> None:
            """Rows are not what is measured."""

    paths, settings = Paths(Path(home)), SignalSettings(imbalance=0.01, large_trades=0)
    reader = FeedReader(paths)
    ledger = Ledger(paths, settings, Nowhere(), Outbox(paths.outbox, "signals"), "UTC")
    follower = Follower(ledger.rules, None, ledger.ended)  # type: ignore[arg-type]
    desk = Desk(settings, ledger, follower, MarketNow(), reader)
    desk.universe = set(reader.symbols())
    books = {name: reader._page.book(reader._slot(name)) for name in desk.universe}
    me, late = psutil.Process(), []
    reader.changes()
    spent, end = sum(me.cpu_times()[:2]), time.monotonic() + seconds
    while time.monotonic() < end:
        found, _ = reader.changes()
        for symbol in dict.fromkeys(name for name, kind in found if kind in ("depth", "trade")):
            told = int(books[symbol][at.EVENT_MS])
            desk.look(symbol)
            late.append(time.monotonic_ns() - told * 1000)
        if not found:
            time.sleep(IDLE_S)
    spent = sum(me.cpu_times()[:2]) - spent
    answer.put({"decisions": len(late), "ms_socket_to_decision_p50_p99_p999":
                [round(x, 2) for x in np.percentile(np.array(late) / 1e6, [50, 99, 99.9]).tolist()],
                "bot_cpu_share": round(spent / seconds, 3), "bot_rss_mb": round(me.memory_info().rss / 1e6),
                "us_per_look": round(spent / max(desk.looks, 1) * 1e6, 1), "codes": ledger.refusals.totals})


def latency(options: argparse.Namespace) -> dict[str, Any]:
    """The feed's own benchmark with the bot as the reader."""
    from benchmarks import feed

    feed.reader = _as_reader
    context = multiprocessing.get_context("spawn")
    port = context.Queue()
    process = context.Process(target=feed.venue, args=(options.symbols, False, port), daemon=True)
    process.start()
    with tempfile.TemporaryDirectory() as home:
        options.plain = False
        try:
            found = asyncio.run(feed.measure(options, port.get(timeout=30), Path(home)))
        finally:
            process.terminate()
            process.join()
    bot = found.pop("events_missed")
    found.pop("ms_venue_to_reader_p50_p99_p999")
    return {**{f"feed_{name}": value for name, value in found.items()}, **bot}


def _as_reader(home: str, seconds: float, answer: Any) -> None:
    """In the place of the feed benchmark's reader: its answer has three parts."""

    class Into:
        def put(self, told: dict[str, Any]) -> None:
            answer.put(([], told, 0))

    looker(home, seconds, Into())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("day", "latency"))
    parser.add_argument("--contracts", type=int, default=15)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--minutes", type=float, default=600.0, help="end after so many real minutes")
    parser.add_argument("--slice-ms", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--edge", type=float, default=0.06)
    parser.add_argument("--limits", action="store_true", help="with the limits of D8")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--symbols", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    print(json.dumps(day(options) if options.what == "day" else latency(options), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
