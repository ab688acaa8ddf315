"""A symbol's latest trades in shared memory: the writer, compiled where it can be, and what readers take from it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
import numpy as np

from modules.exchange.orderbook import layout, ring
from modules.exchange.orderbook.book import Ints
from modules.exchange.orderbook.messages import OffGrid, Trade, units
from modules.exchange.orderbook.plain import payload

OnTrade = Callable[[bytes, int, Ints, int], int]
_TRADE = msgspec.json.Decoder(Trade)


def prepare(words: Ints, price_scale: int, qty_scale: int) -> Ints:
    """An empty ring in an array of ``ring.words(size)``. The running numbers go on, so that no reader is misled."""
    written = int(words[ring.WRITTEN])
    words[:ring.RING_HEADER] = 0
    words[ring.SIZE] = (len(words) - ring.RING_HEADER) // ring.SLOT
    words[ring.R_PRICE_SCALE], words[ring.R_QTY_SCALE] = price_scale, qty_scale
    words[ring.FIRST_NUMBER] = words[ring.WRITTEN] = written
    return words


def writer(*, compiled: bool) -> OnTrade:
    """``on_trade(raw, start, ring, now_ns)``: APPLIED_OK, OLD, BAD_FRAME or OFF_GRID of `layout`."""
    if not compiled:
        return on_trade_plain
    from modules.exchange.orderbook.trade_kernels import on_trade

    found: OnTrade = on_trade
    return found


def on_trade_plain(raw: bytes, start: int, words: Ints, now_ns: int) -> int:
    """The same as the compiled `on_trade`."""
    try:
        said = _TRADE.decode(payload(raw, start))
        number = said.a if said.a is not None else said.t
        if number is None:
            raise ValueError("a trade without id")
        price, qty = (units(text, int(words[scale])) for text, scale in (
            (said.p, ring.R_PRICE_SCALE), (said.q, ring.R_QTY_SCALE)))
    except OffGrid:
        words[ring.BAD_TRADES] += 1
        return layout.OFF_GRID
    except (msgspec.MsgspecError, ValueError):
        words[ring.BAD_TRADES] += 1
        return layout.BAD_FRAME
    if words[ring.BEGUN]:
        if number <= words[ring.LAST_TRADE_ID]:
            words[ring.OLD_TRADES] += 1
            return layout.OLD
        words[ring.MISSED] += number - words[ring.LAST_TRADE_ID] - 1
    place = ring.RING_HEADER + int(words[ring.WRITTEN] % words[ring.SIZE]) * ring.SLOT
    words[place:place + ring.SLOT] = (number, said.T, price, qty, said.m, now_ns)
    words[ring.BEGUN], words[ring.LAST_TRADE_ID], words[ring.LAST_LOCAL_NS] = 1, number, now_ns
    words[ring.WRITTEN] += 1
    return layout.APPLIED_OK


class Rows(NamedTuple):
    """Trades in their order. `trades` (n, SLOT) in whole units as in `ring`; `next_number` goes into the next call;
    `overrun` trades were overwritten before they were read."""

    trades: Ints
    next_number: int
    overrun: int


def since(words: Ints, number: int) -> Rows:
    """All trades from running number `number` on; none is told twice, none torn."""
    size = int(words[ring.SIZE])
    written = int(words[ring.WRITTEN])
    oldest = max(int(words[ring.FIRST_NUMBER]), written - size)
    first = min(max(number, oldest), written)
    places = np.arange(first, written) % max(size, 1)
    slots = words[ring.RING_HEADER:].reshape(size, ring.SLOT)[places] if size else np.empty((0, ring.SLOT), np.int64)
    # Slots that the writer reached meanwhile, and the one that it may be in, are not to be trusted.
    safe = int(words[ring.WRITTEN]) - size + 1
    torn = min(max(0, safe - first), len(slots)) if size else 0
    return Rows(slots[torn:], written, max(0, first - number) + torn)


@dataclass(frozen=True, slots=True)
class Window:
    """The trades of the latest seconds. Not `whole`: the ring does not reach back so far, or trades were lost."""

    buys: int
    sells: int
    large_buys: int
    large_sells: int
    buy_quote: float
    sell_quote: float
    whole: bool


def window(words: Ints, since_ms: int, large_quote: float) -> Window:
    """Trades not older than `since_ms` (venue's time); large: of at least `large_quote`. m = true is a sell (D5)."""
    rows = since(words, 0).trades
    inside = rows[rows[:, ring.T_MS] >= since_ms]
    unit = 10.0 ** -(int(words[ring.R_PRICE_SCALE]) + int(words[ring.R_QTY_SCALE]))
    worth = inside[:, ring.T_PRICE].astype(np.float64) * inside[:, ring.T_QTY] * unit
    sold = inside[:, ring.T_BUYER_IS_MAKER] == 1
    large = worth >= large_quote
    reaches = len(rows) > len(inside)
    return Window(int((~sold).sum()), int(sold.sum()), int((large & ~sold).sum()), int((large & sold).sum()),
                  float(worth[~sold].sum()), float(worth[sold].sum()), reaches and not words[ring.MISSED])


def as_floats(words: Ints, rows: Ints) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(n, 4): time ms, price, quantity, 1 where the taker sold."""
    out = np.empty((len(rows), 4))
    out[:, 0] = rows[:, ring.T_MS]
    out[:, 1] = rows[:, ring.T_PRICE] / 10.0 ** int(words[ring.R_PRICE_SCALE])
    out[:, 2] = rows[:, ring.T_QTY] / 10.0 ** int(words[ring.R_QTY_SCALE])
    out[:, 3] = rows[:, ring.T_BUYER_IS_MAKER]
    return out
