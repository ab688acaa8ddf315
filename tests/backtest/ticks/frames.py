"""Raw frames for tests, written as the venue writes them."""

import gzip
import json
from pathlib import Path
from typing import Any

T0 = 1_723_161_255_000  # ms


Levels = list[tuple[str, str]]


def depth(ms: int, ids: tuple[int, int, int], bids: Levels, asks: Levels) -> dict[str, Any]:
    first, last, before = ids
    return {"e": "depthUpdate", "E": T0 + ms, "T": T0 + ms, "s": "BTCUSDT", "U": first, "u": last, "pu": before,
            "b": [list(row) for row in bids], "a": [list(row) for row in asks]}


def trade(ms: int, price: str, qty: str, maker: bool, kind: str = "trade") -> dict[str, Any]:
    number = "t" if kind == "trade" else "a"
    return {"e": kind, "E": T0 + ms, "T": T0 + ms, "s": "BTCUSDT", number: ms, "p": price, "q": qty, "X": "MARKET",
            "m": maker}


def snapshot(ms: int, last: int, bids: Levels, asks: Levels) -> dict[str, Any]:
    return {"lastUpdateId": last, "E": T0 + ms, "T": T0 + ms, "bids": [list(row) for row in bids],
            "asks": [list(row) for row in asks]}


def write(path: Path, messages: list[dict[str, Any]], travel_ms: int = 2) -> Path:
    """Combined-stream lines; each message arrives `travel_ms` after it was sent."""
    rows = []
    for message in messages:
        ns = (message["T"] + travel_ms) * 1_000_000
        body = message if "lastUpdateId" in message else {"stream": f"btcusdt@{message['e']}", "data": message}
        rows.append(f"{ns} {json.dumps(body, separators=(',', ':'))}\n")
    with gzip.open(path, "wt") as out:
        out.writelines(rows)
    return path


def session(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A snapshot at 100.0 / 100.2 with ten of each, then `steps`, then a last trade an hour later."""
    return [snapshot(0, 10, [("100.0", "10.00"), ("99.9", "20.00")], [("100.2", "10.00"), ("100.3", "20.00")]),
            *steps, trade(3_600_000, "100.1", "1.00", True)]
