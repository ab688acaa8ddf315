"""What the beginning of a recording tells: symbols, their decimals and grids, the skew of clocks, its streams."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import gcd
from typing import Any

from modules.simulator.raw_replay_market import ReplaySymbol, writer_for
from modules.simulator.raw_replay_reader import RawFrame

#: what a replay understands; every other stream is passed on as it was recorded
UNDERSTOOD = ("depth", "trade", "aggTrade", "bookTicker", "markPrice")
_PLAIN = re.compile(r"\d+(?:\.\d+)?")


@dataclass(slots=True)
class Scan:
    """What the beginning of a recording tells."""

    decimals: dict[str, tuple[int, int]] = field(default_factory=dict)
    numbers: dict[str, tuple[set[str], set[str]]] = field(default_factory=dict)  # prices and quantities seen
    skew_ms: int | None = None
    native: set[str] = field(default_factory=set)
    depth: set[str] = field(default_factory=set)
    snapshots: bool = False
    aggregates: set[str] = field(default_factory=set)


def look(head: Sequence[RawFrame]) -> Scan:
    """Look at the first frames."""
    scan = Scan()
    for frame in head:
        if not frame.stream:
            scan.snapshots = True
            continue
        name, _, kind = frame.stream.partition("@")
        if frame.data and not kind.startswith(UNDERSTOOD[:4]):
            scan.native.add(frame.stream)
            continue
        try:
            content = json.loads(frame.data)
            symbol, texts = str(content["s"]), _numbers(content, kind)
        except (ValueError, KeyError, TypeError):
            continue  # garbage on the wire: counted when it is played
        if name != symbol.lower():
            continue
        scan.native |= {frame.stream} if _usdm(content, kind) else set()
        if "E" in content:
            skew = int(content["E"]) - frame.at_ns // 1_000_000
            scan.skew_ms = skew if scan.skew_ms is None else max(scan.skew_ms, skew)
        if kind.startswith("depth"):
            scan.depth.add(symbol)
        elif kind == "aggTrade":
            scan.aggregates.add(symbol)
        price, qty = scan.decimals.get(symbol, (0, 0))
        prices, sizes = scan.numbers.setdefault(symbol, (set(), set()))
        for text in texts:
            prices.add(text[0])
            sizes.add(text[1])
            price, qty = max(price, _decimals(text[0])), max(qty, _decimals(text[1]))
        scan.decimals[symbol] = (price, qty)
    return scan


def _numbers(content: dict[str, Any], kind: str) -> list[list[str]]:
    """The (price, quantity) pairs of a frame. Raises ValueError where one is no plain number."""
    if kind.startswith("depth"):
        pairs = [level for side in ("b", "a") for level in content[side]]
    elif kind == "bookTicker":
        pairs = [[content["b"], content["B"]], [content["a"], content["A"]]]
    else:
        pairs = [[content["p"], content["q"]]]
    if not all(_PLAIN.fullmatch(text) for pair in pairs for text in pair):
        raise ValueError("not a plain number")
    return pairs


def _usdm(content: dict[str, Any], kind: str) -> bool:
    """Whether a frame is as USD-M futures send it, so that it can be passed on as it is."""
    needs = {"trade": ("X", "E"), "bookTicker": ("e", "E", "T"), "aggTrade": ("f", "l")}
    return all(name in content for name in needs.get(kind, ("pu", "T")))


def _decimals(text: str) -> int:
    return len(text.partition(".")[2])


def symbol_of(symbol: str, scan: Scan) -> ReplaySymbol:
    """A symbol as its numbers show it."""
    writer, tick, step = writer_for(symbol, *scan.decimals[symbol])
    prices, sizes = scan.numbers[symbol]
    # The grid is coarser than the decimals where all numbers seen are multiples of more: 0.10 written as 61800.20.
    tick *= gcd(*map(writer.price.units, prices)) or 1
    step *= gcd(*map(writer.qty.units, sizes)) or 1
    return ReplaySymbol(writer, tick, step, has_depth=symbol in scan.depth)
