"""Bytes of a message → book → imbalance of the ten best levels: ours, compiled and plain, beside its peers, in one run.

    python benchmarks/book.py [--data DIR] [--messages N] [--json]

Peers: json + ccxt's own order book classes; orjson + dict + sorted. Messages: synthetic diffs of 24 changes on a book
of 1,000 levels a side, and with --data the recorded frames of ticks/binance_usdm (depth, bookTicker, trade mixed).
Each message is timed by itself, three times over on a fresh book, and its least time counts: what a busy machine does
to single messages is no property of a book. Ends with 1 if a goal is missed.
"""

import argparse
import gc
import gzip
import json
import random
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import orjson
from ccxt.async_support.base.ws.order_book import OrderBook

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from modules.exchange.orderbook import layout as at
from modules.exchange.orderbook import ring, trades
from modules.exchange.orderbook.book import load_snapshot, opener, prepare, warm
from modules.exchange.orderbook.messages import Snapshot

Step = Callable[[bytes], Any]
LEVELS = 10
ROUNDS = 3


def synthetic(count: int) -> tuple[bytes, list[bytes]]:
    """A snapshot of 1,000 levels a side and `count` diffs of 24 changes, near the touch mostly."""
    dice, middle, last = random.Random(1), 618_000, 1000
    text = lambda price: f"{price // 10}.{price % 10}0"  # noqa: E731
    side = lambda sign: [[text(middle + sign * n), f"{dice.randint(1, 9999) / 1000:.3f}"] for n in range(1, 1001)]  # noqa: E731
    snapshot = json.dumps({"lastUpdateId": last, "E": 1, "T": 1, "bids": side(-1), "asks": side(1)}).encode()
    out = []
    for n in range(count):
        quantity = lambda: f"{dice.choice((0, 1, 1)) * dice.randint(1, 9999) / 1000:.3f}"  # noqa: E731
        changed = [{middle + sign * (1 + int(dice.expovariate(1 / 60))): quantity() for _ in range(12)}
                   for sign in (-1, 1)]
        changed[0][middle - 1] = changed[1][middle + 1] = "1.000"
        b, a = ([[text(price), qty] for price, qty in sorted(one.items())] for one in changed)
        data = {"e": "depthUpdate", "E": n + 2, "T": n + 1, "s": "BTCUSDT", "U": last + 1, "u": last + 5, "pu": last,
                "b": b, "a": a}
        last += 5
        out.append(json.dumps({"stream": "btcusdt@depth@100ms", "data": data}, separators=(",", ":")).encode())
    return snapshot, out


def recorded(folder: Path) -> tuple[bytes, list[bytes]]:
    """Snapshot and all frames after it."""
    with gzip.open(folder / "ticks/binance_usdm/btcusdt_20240808.gz") as file:
        lines = file.read().splitlines()
    bodies = [line.split(b" ", 1)[1] for line in lines]
    place = next(n for n, body in enumerate(bodies) if body.startswith(b'{"lastUpdateId"'))
    return bodies[place], [body for body in bodies if body.startswith(b'{"stream"')]


def ours(snapshot: bytes, compiled: bool) -> Step:
    make, _ = opener(compiled=compiled)
    on_trade = trades.writer(compiled=compiled)
    if compiled:
        warm(make, on_trade)
    book = make(prepare(np.zeros(at.words(4096), np.int64), 1, 3, strict=False))
    load_snapshot(book, msgspec.json.decode(snapshot, type=Snapshot), 1000)
    book.array[at.STALE] = 0
    tape = trades.prepare(np.zeros(ring.words(8192), np.int64), 1, 3)
    cells = memoryview(book.array.data).cast("B").cast("q")

    def imbalance() -> float:
        bid, ask = cells[at.TOP], cells[at.TOP + 1]
        return (bid - ask) / (bid + ask) if bid + ask else 0.0

    def step(raw: bytes) -> float | None:
        kind = raw[raw.find(b"@", 11) + 1:raw.find(b"@", 11) + 3]
        start = raw.find(b'"', 11) + 9
        if kind == b"de":
            book.on_depth(raw, start, 1)
            return imbalance()
        if kind == b"bo":
            book.on_ticker(raw, start, 1)
        else:
            on_trade(raw, start, tape, 1)
        return None

    return step


def ccxt_book(snapshot: bytes) -> Step:
    said = json.loads(snapshot)
    floats = lambda side: [[float(p), float(q)] for p, q in side]  # noqa: E731
    book = OrderBook({"bids": floats(said["bids"]), "asks": floats(said["asks"])})

    def step(raw: bytes) -> float | None:
        data = json.loads(raw)["data"]
        if data["e"] != "depthUpdate":
            return None
        for name, side in (("b", book["bids"]), ("a", book["asks"])):
            for price, qty in data[name]:
                side.storeArray([float(price), float(qty)])
        book.limit()
        bid, ask = (sum(level[1] for level in book[side][:LEVELS]) for side in ("bids", "asks"))
        return (bid - ask) / (bid + ask) if bid + ask else 0.0

    return step


def dict_book(snapshot: bytes) -> Step:
    said = orjson.loads(snapshot)
    bids, asks = ({float(p): float(q) for p, q in said[side]} for side in ("bids", "asks"))

    def step(raw: bytes) -> float | None:
        data = orjson.loads(raw)["data"]
        if data["e"] != "depthUpdate":
            return None
        for side, levels in ((bids, data["b"]), (asks, data["a"])):
            for price, qty in levels:
                if float(qty):
                    side[float(price)] = float(qty)
                else:
                    side.pop(float(price), None)
        bid = sum(bids[p] for p in sorted(bids, reverse=True)[:LEVELS])
        ask = sum(asks[p] for p in sorted(asks)[:LEVELS])
        return (bid - ask) / (bid + ask) if bid + ask else 0.0

    return step


def measure(make: Callable[[], Step], frames: list[bytes],
            depth_only: list[bool]) -> tuple[dict[str, float], list[Any]]:
    """Figures, and what was answered to each message."""
    clock, least = time.perf_counter_ns, np.full(len(frames), np.inf)
    for _ in range(ROUNDS):
        step, said = make(), []
        gc.collect()
        for n, raw in enumerate(frames):
            began = clock()
            found = step(raw)
            least[n] = min(least[n], clock() - began)
            said.append(found)
    depth = least[np.array(depth_only)]
    return {"mean_us": least.mean() / 1e3, "depth_mean_us": depth.mean() / 1e3,
            "depth_p50_us": np.percentile(depth, 50) / 1e3, "depth_p99_us": np.percentile(depth, 99) / 1e3}, said


def trade_us(compiled: bool, count: int = 100_000) -> float:
    on_trade = trades.writer(compiled=compiled)
    tape = trades.prepare(np.zeros(ring.words(8192), np.int64), 1, 3)
    frames = [b'{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1723161256322,"s":"BTCUSDT","a":%d,'
              b'"p":"61800.30","q":"0.006","f":100,"l":105,"T":1723161256322,"m":false}}' % n for n in range(1, count)]
    best = float("inf")
    for _ in range(3):
        tape[ring.BEGUN] = 0
        began = time.perf_counter()
        for raw in frames:
            on_trade(raw, 36, tape, 1)
        best = min(best, (time.perf_counter() - began) / count * 1e6)
    return best


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of recorded market data")
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    sets = {"synthetic, 24 changes": synthetic(options.messages)}
    if options.data:
        sets["recorded"] = recorded(options.data)
    report: dict[str, Any] = {}
    for name, (snapshot, frames) in sets.items():
        is_depth = [b"depth" in raw[:40] for raw in frames]
        makers: dict[str, Callable[[], Step]] = {
            "ours, compiled": partial(ours, snapshot, True), "ours, plain": partial(ours, snapshot, False),
            "json + ccxt's book": partial(ccxt_book, snapshot), "orjson + dict": partial(dict_book, snapshot)}
        answers = {}
        for maker, make in makers.items():
            few = frames if maker.startswith("ours") else frames[:max(len(frames) // 2, 3000)]
            report.setdefault(name, {})[maker], answers[maker] = measure(make, few, is_depth[:len(few)])
        if answers["ours, compiled"] != answers["ours, plain"]:
            print("compiled and plain books differ", file=sys.stderr)
            return 1
    report["aggTrade"] = {"compiled_us": trade_us(True), "plain_us": trade_us(False)}
    report["200 books"] = {"MB at 2048 levels": 200 * at.words(2048) * 8 / 1e6}
    if options.json:
        print(json.dumps(report))
        return 0
    for name, rows in report.items():
        print(name)
        for who, figures in rows.items():
            shown = "  ".join(f"{key} {value:.2f}" for key, value in figures.items()) if isinstance(figures, dict) \
                else f"{figures:.2f}"
            print(f"  {who:22s} {shown}")
    missed = []
    for name in sets:
        mine, theirs = report[name]["ours, compiled"], report[name]["json + ccxt's book"]
        for key in ("mean_us", "depth_p99_us"):
            print(f"{name}: {key} {theirs[key] / mine[key]:.1f} times ccxt's book")
            if theirs[key] < 4 * mine[key]:
                missed.append(f"{name} {key}")
    if report["synthetic, 24 changes"]["ours, compiled"]["depth_mean_us"] > 3:
        missed.append("3 us a depth message")
    print("missed: " + ", ".join(missed) if missed else "all goals met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
