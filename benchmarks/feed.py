"""The whole feed process under load: frames a second on one core, and the time from socket to reader.

    python benchmarks/feed.py [--symbols 100] [--seconds 20] [--flood]

A venue in a process of its own sends, for each symbol, a depth message (24 changes) every 100 ms, as many bookTickers,
an aggTrade and now and then a mark price, over real sockets. A reader process follows the shared memory by `changes`
(a nap of 0.5 ms when nothing happened) and compares time.monotonic_ns, which all processes share, with the instant
written into the frame. --flood sends as fast as the feed takes it: the limit of one core.
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

import aiohttp
import numpy as np
import psutil
from aiohttp import web

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

SCALE_NS = 1000


def venue(symbols: int, flood: bool, port: Any) -> None:
    asyncio.run(_venue(symbols, flood, port))


async def _venue(symbols: int, flood: bool, port: Any) -> None:
    books = [Symbol(n) for n in range(symbols)]
    sockets: dict[web.WebSocketResponse, set[str]] = {}

    async def socket(request: web.Request) -> web.WebSocketResponse:
        made = web.WebSocketResponse(compress=False)
        await made.prepare(request)
        sockets[made] = set(request.query.get("streams", "").split("/"))
        async for _ in made:
            pass
        sockets.pop(made)
        return made

    app = web.Application()
    app.router.add_get("/public/stream", socket)
    app.router.add_get("/market/stream", socket)
    app.router.add_get("/fapi/v1/exchangeInfo", lambda r: _json({"symbols": [b.listed for b in books]}))
    app.router.add_get("/fapi/v1/depth", lambda r: _json(books[int(r.query["symbol"][1:-4])].snapshot()))
    app.router.add_get("/fapi/v1/klines", lambda r: _json([]))
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port.put(runner.addresses[0][1])
    turn, due = 0, time.monotonic()
    while True:
        for at, book in enumerate(books):
            if not flood and at % 10 == 0:
                due += 0.1 * 10 / symbols
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            for stream, raw in book.frames(turn):
                for one, streams in list(sockets.items()):
                    if stream in streams:
                        await one.send_str(raw)
        turn += 1
        if flood:
            await asyncio.sleep(0)


async def _json(body: Any) -> web.Response:
    return web.json_response(body)


class Symbol:
    """Prepared messages; only ids and instants are new in each."""

    def __init__(self, number: int) -> None:
        dice = random.Random(number)
        self.name, self.last = f"S{number}USDT", 1000
        self.listed = {"symbol": self.name, "status": "TRADING", "contractType": "PERPETUAL", "quoteAsset": "USDT",
                       "filters": [{"filterType": "PRICE_FILTER", "tickSize": "0.1"},
                                   {"filterType": "LOT_SIZE", "stepSize": "0.001"}]}
        self.sides = []
        for _ in range(20):
            b, a = (",".join(f'["{6000 + sign * dice.randint(1, 80) / 10:.1f}","{dice.randint(1, 999) / 1000:.3f}"]'
                             for _ in range(12)) for sign in (-1, 1))
            self.sides.append((b, a))

    def snapshot(self) -> dict[str, Any]:
        return {"lastUpdateId": self.last, "E": 1, "T": 1,
                "bids": [[f"{6000 - n / 10:.1f}", "1.000"] for n in range(1, 501)],
                "asks": [[f"{6000 + n / 10:.1f}", "1.000"] for n in range(1, 501)]}

    def frames(self, turn: int) -> list[tuple[str, str]]:
        low, previous = self.name.lower(), self.last
        self.last += 10
        b, a = self.sides[turn % 20]
        now = time.monotonic_ns() // SCALE_NS
        head = f'{{"stream":"{low}@%s","data":{{"e":"%s","E":{now},"s":"{self.name}",'
        return [
            (f"{low}@depth@100ms", head % ("depth@100ms", "depthUpdate")
             + f'"T":{now},"U":{previous + 1},"u":{self.last},"pu":{previous},"b":[{b}],"a":[{a}]}}}}'),
            (f"{low}@bookTicker", head % ("bookTicker", "bookTicker")
             + f'"u":{self.last},"b":"5999.9","B":"1.000","a":"6000.1","A":"2.000","T":{now}}}}}'),
            (f"{low}@aggTrade", head % ("aggTrade", "aggTrade")
             + f'"a":{turn + 1},"p":"6000.0","q":"0.500","f":1,"l":1,"T":{now},"m":true}}}}')]


def reader(home: str, seconds: float, answer: Any) -> None:
    from modules.exchange.feed.reader import FeedReader
    from modules.exchange.orderbook import layout as at
    from utils.paths import Paths

    follow, late, missed = FeedReader(Paths(Path(home))), [], 0
    books = {name: follow._page.book(follow._slot(name)) for name in follow.symbols()}
    end = time.monotonic() + seconds
    follow.changes()
    while time.monotonic() < end:
        found, lost = follow.changes()
        missed += lost
        now = time.monotonic_ns()
        late += [now - int(books[name][at.EVENT_MS]) * SCALE_NS for name, kind in found if kind == "depth"]
        if not found:
            time.sleep(0.0005)
    stale = sum(not follow.book(name).usable for name in books)
    answer.put((np.percentile(np.array(late) / 1e6, [50, 99, 99.9]).tolist() if late else [], missed, stale))


async def measure(options: argparse.Namespace, port: int, home: Path) -> dict[str, Any]:
    from modules.exchange.feed.service import FeedProcess
    from modules.exchange.feed.settings import FeedSettings
    from utils.paths import Paths

    names = tuple(f"S{n}USDT" for n in range(options.symbols))
    settings = FeedSettings(symbols=names, intervals=(), late_after_s=60, compiled=not options.plain)
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        feed = FeedProcess(settings, Paths(home).prepare(), session, f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}",
                           speed=1000.0)
        feed.watch._speed = 1.0
        await feed.start()
        end = time.monotonic() + 60
        while time.monotonic() < end and feed.look().fresh < options.symbols:
            await asyncio.sleep(0.25)
        follower = context.Process(target=reader, args=(str(home), options.seconds, answer))
        follower.start()
        await asyncio.sleep(1.5)
        me = psutil.Process()
        frames, spent, began = feed.engine.counts.frames, sum(me.cpu_times()[:2]), time.monotonic()
        while time.monotonic() < began + options.seconds:
            await asyncio.sleep(0.25)
            feed.look()
        frames, spent = feed.engine.counts.frames - frames, sum(me.cpu_times()[:2]) - spent
        took = time.monotonic() - began
        told = asyncio.create_task(asyncio.to_thread(answer.get))
        while not told.done():  # who reads began later: the feed lives until it has its answer
            await asyncio.sleep(0.25)
            feed.look()
        percentiles, missed, stale = told.result()
        follower.join()
        result = {"symbols": options.symbols, "frames_per_s": round(frames / took), "cpu_share": round(spent / took, 3),
                  "frames_per_cpu_s": round(frames / spent), "ms_venue_to_reader_p50_p99_p999": percentiles,
                  "events_missed": missed, "books_not_usable": stale, "damaged": feed.engine.counts.bad,
                  "rss_mb": round(me.memory_info().rss / 1e6), "page_mb": round(feed.page.words.nbytes / 1e6)}
        await feed.close()
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--flood", action="store_true", help="as fast as the feed takes it")
    parser.add_argument("--plain", action="store_true", help="books without compiled code")
    parser.add_argument("--uvloop", action="store_true", help="with uvloop, where it is installed")
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    port = context.Queue()
    process = context.Process(target=venue, args=(options.symbols, options.flood, port), daemon=True)
    process.start()
    with tempfile.TemporaryDirectory() as home:
        work = measure(options, port.get(timeout=30), Path(home))
        if options.uvloop:
            import uvloop

            result = uvloop.run(work)
        else:
            result = asyncio.run(work)
    process.terminate()
    process.join()
    print(json.dumps(result, indent=1))
    return 0 if not result["books_not_usable"] or options.flood else 1


if __name__ == "__main__":
    sys.exit(main())
