"""One rule, two places: the same events end a trade alike, live (paper venue) and in the backtest (candles)."""

from collections.abc import AsyncIterator
from decimal import Decimal as D
from pathlib import Path

import msgspec
import numpy as np
import pytest

from modules.backtest import showdown_fills as fills
from modules.exchange import futures_paper
from modules.exchange.types import Side
from modules.execution.futures import desk, exits
from modules.strategies.showdown import chase
from modules.strategies.showdown.positions import Trade, Units
from tests.execution.futures.house import SYMBOL, contract
from tests.strategies.showdown.trading import OWN, Trading

WORDS = {"SL": "stop", "BE": "break-even", "TP2": "second target", "TIME": "it was held for the longest time"}
NO_FUNDING = np.empty((0, 2))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(futures_paper, "AGAIN_S", -1.0)
    monkeypatch.setattr(desk, "FLAT_FOR_S", 0.0)
    monkeypatch.setattr(exits, "PAUSE_S", 0.001)
    monkeypatch.setattr(chase, "LEAST_REST_S", 0.02)
    monkeypatch.setattr(chase, "PAUSE_S", 0.005)


@pytest.fixture
async def trading(tmp_path: Path) -> AsyncIterator[Trading]:
    made = await Trading(tmp_path, OWN.model_copy(update={"chase_rest_s": 0.02, "tp1_share_pct": 30.0})).open()
    yield made
    await made.close()


def price(trade: Trade, average: D, name: str) -> D:
    """A point of a path: a level of the trade, its entry, or a bit before or beyond one."""
    level, _, more = name.partition(" ")
    at = average if level == "entry" else getattr(trade, level)
    return at + trade.sign * D(more or 0)


def candles(points: list[D], began_ms: int):
    """A minute from each price to the next."""
    rows = [[began_ms + 60_000 * place, float(a), float(max(a, b)), float(min(a, b)), float(b), 1.0, 0.5]
            for place, (a, b) in enumerate(zip(points, points[1:], strict=False))]
    return np.array(rows)


@pytest.mark.parametrize("side", [1, -1], ids=["long", "short"])
@pytest.mark.parametrize(("path", "ends"), [
    (("tp1", "tp2"), "TP2"), (("tp1", "entry 3", "entry -1"), "BE"), (("tp1 -1", "sl"), "SL"), (("sl",), "SL"),
    (("tp1 2", "entry 6", "tp1 1", "tp2 1"), "TP2")], ids=lambda value: value if isinstance(value, str) else "")
async def test_the_same_events_end_alike(trading, side, path, ends):
    await trading.enter(side)
    await trading.turns(3)
    begun = trading.trades[0]
    held = trading.house.desk.positions[trading.trader.leg(begun)]
    points = [held.entry, held.entry]
    for name in path:
        at = price(begun, held.entry, name)
        points.append(at)
        trading.venue.price[SYMBOL] = at
        await trading.turns(2)
        if trading.trades and trading.trades[0].leave is not None:
            await trading.until(lambda: not trading.trades or trading.trades[0].stop != begun.sl)
    await trading.until(lambda: not trading.trades)
    (live,) = trading.ended()
    closed = [fill for fill in trading.house.books.ledgers[trading.trader.leg(begun).side].fills(SYMBOL)
              if fill.side is (Side.SELL if side > 0 else Side.BUY)]

    market = contract()
    units = Units(market.tick, market.step, market.min_notional, market.taker_fee)
    start = begun.decided_ms // 60_000 * 60_000
    entry = fills.Entry(0, held.entry, abs(held.quantity), fills.MAKER)
    fresh = msgspec.structs.replace(begun, stays=None, leave=None, part_done=False, stop=begun.sl)
    past = fills.follow(candles(points, start), NO_FUNDING, fresh, entry, units, trading.settings)

    assert (past.ended, live.ended) == (ends, WORDS[ends])
    assert [D(str(quantity)) for *_, quantity in past.fills] == parts(closed)
    assert past.fills[-1][1] == pytest.approx(float(closed[-1].price), rel=0.0025)
    assert past.net == pytest.approx(float(live.net), abs=float(begun.risk) / 10)


def parts(closed: list) -> list[D]:
    """Quantities by order: a market order may take several levels."""
    sums: dict[str, D] = {}
    for fill in closed:
        sums[fill.order_id] = sums.get(fill.order_id, D(0)) + fill.quantity
    return list(sums.values())


@pytest.mark.parametrize("side", [1, -1], ids=["long", "short"])
async def test_the_longest_time_ends_both(trading, side):
    await trading.enter(side)
    begun = trading.trades[0]
    held = trading.house.desk.positions[trading.trader.leg(begun)]
    short = OWN.model_copy(update={"max_hold_s": 0.0})
    trading.trader.settings = short
    await trading.until(lambda: not trading.trades)
    market = contract()
    units = Units(market.tick, market.step, market.min_notional, market.taker_fee)
    past = fills.follow(candles([held.entry] * 4, begun.decided_ms // 60_000 * 60_000), NO_FUNDING, begun,
                        fills.Entry(0, held.entry, abs(held.quantity), fills.MAKER), units, short)
    assert (WORDS[past.ended], [much for *_, much in past.fills]) == (trading.ended()[0].ended,
                                                                      [float(abs(held.quantity))])
