"""The same figures of `flow.py` in one go, from lists of what happened: for tests and for whoever has the past."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modules.strategies.scalper.flow import Ints
from modules.strategies.scalper.terms import Terms


@dataclass(frozen=True, slots=True)
class Tick:
    """One trade in whole units."""

    ms: int
    price: int
    qty: int
    sold: bool


@dataclass(frozen=True, slots=True)
class Best:
    """Best prices after a message, in whole units."""

    ms: int
    bid: int
    bid_qty: int
    ask: int
    ask_qty: int


def order_flow(before: Best, after: Best) -> int:
    """e of Cont, Kukanov, Stoikov (2014), eq. 2.3."""
    return ((after.bid >= before.bid) * after.bid_qty - (after.bid <= before.bid) * before.bid_qty
            - (after.ask <= before.ask) * after.ask_qty + (after.ask >= before.ask) * before.ask_qty)


def features_of(trades: Sequence[Tick], books: Sequence[Best], levels: Ints, now_ms: int, terms: Terms
                ) -> dict[str, float]:
    """All figures by name at `now_ms`; `levels` as in `flow.features`."""
    known = [(after.ms, order_flow(before, after), (after.bid + after.ask - before.bid - before.ask) ** 2)
             for before, after in zip(books[:-1], books[1:], strict=True)
             if (before.bid, before.bid_qty, before.ask, before.ask_qty)
             != (after.bid, after.bid_qty, after.ask, after.ask_qty)]
    times: Sequence[int] = np.maximum.accumulate([row[0] for row in known]).tolist() if known else []
    changes = [row for row, ms in zip(known, times, strict=True) if ms >= now_ms - terms.flow_ms]
    heard: Sequence[int] = np.maximum.accumulate([one.ms for one in trades]).tolist() if trades else []
    inside = [one for one, ms in zip(trades, heard, strict=True) if ms >= now_ms - terms.flow_ms]
    fast = sum(ms >= now_ms - terms.fast_ms for ms in heard)
    buys, sells = ([one.price * one.qty for one in inside if one.sold is side] for side in (False, True))
    bids, asks = levels[1].tolist(), levels[3].tolist()
    spread, middle2 = int(levels[2, 0] - levels[0, 0]), int(levels[2, 0] + levels[0, 0])
    micro, spread_bps = _ratio(bids[0], asks[0]), spread * 2e4 / middle2
    flowed = sum(abs(row[1]) for row in changes)
    return {
        **{f"imbalance_{depth}": _ratio(sum(bids[:depth]), sum(asks[:depth])) for depth in (1, 5, 10, 20)},
        "micro": micro, "micro_bps": micro * spread_bps / 2,
        "ofi": sum(row[1] for row in changes) / flowed if flowed else 0.0,
        "delta": _ratio(sum(buys), sum(sells)), "trades": len(inside), "speed": fast * 1000 / terms.fast_ms,
        "speed_ratio": fast * terms.flow_ms / (len(inside) * terms.fast_ms) if inside else 0.0,
        "large_resting": _ratio(_large(bids, terms.large_level), _large(asks, terms.large_level)),
        "large_traded": _ratio(sum(one for one in buys if one >= terms.large_units),
                               sum(one for one in sells if one >= terms.large_units)),
        "spread_bps": spread_bps, "volatility_bps": math.sqrt(sum(row[2] for row in changes)) * 1e4 / middle2,
        "mid2": middle2,
    }


def _ratio(up: float, down: float) -> float:
    return (up - down) / (up + down) if up + down > 0 else 0.0


def _large(sizes: Sequence[int], factor: float) -> int:
    known = [size for size in sizes if size > 0]
    return sum(size for size in known if size * len(known) > factor * sum(known))
