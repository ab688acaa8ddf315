"""What a tick of the hedging grid costs in the rules: ``python benchmarks/grid_rules.py [--data DIR] [--ticks N]``.

Plain Python, as a live server runs it: `decide` alone, and a session's whole step, with both sides empty, half and
full; then the time and size of saving a state. With `--data DIR` (a folder with the recorded 1m candles) prices are
recorded ones; without, a seeded random walk.
"""

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from modules.strategies.grid import events as ev
from modules.strategies.grid import rules as r
from modules.strategies.grid.ledger import GridFill, booked
from modules.strategies.grid.session import step
from modules.strategies.grid.settings import GridSettings
from modules.strategies.grid.state import SessionState, legs_of, restored, rulebook, saved, with_ledger
from modules.strategies.grid.units import Contract

BTC = Contract("BTCUSDT", Decimal("0.1"), Decimal("0.001"), Decimal("0.001"))
BOOK = rulebook(GridSettings(pair_global_profit=0.0, single_order_profit=900.0, protect_pct=3.0), BTC)
NOW = 20_000 * 86_400_000


def prices(count: int, folder: Path | None) -> list[Decimal]:
    """Recorded closes of BTC, or a random walk."""
    if folder is not None:
        import pyarrow.parquet as pq
        table = pq.read_table(folder / "ohlcv" / "binance_usdm_1m_202505_16sym_MIT.parquet",
                              filters=[("symbol", "=", "BTC_USDT")])
        closes = table.column("close").to_pylist()
        return [Decimal(str(closes[place % len(closes)])) for place in range(count)]
    draw, price, found = random.Random(7), 60_000.0, []
    for _ in range(count):
        price *= 1 + draw.gauss(0, 0.0001)
        found.append(Decimal(str(round(price, 1))))
    return found


def state_with(positions: int, first: Decimal) -> SessionState:
    """A session with so many positions on both sides, far from any trigger."""
    state = SessionState(day=NOW // 86_400_000)
    for number in range(positions):
        for side in (1, -1):
            price = (first * (1 - side * Decimal("0.004") * number)).quantize(Decimal("0.1"))
            fill = GridFill(f"{side}.{number}", f"{side}.{number}", side, True, price, Decimal("0.004"), Decimal("0.1"),
                            NOW)
            ledger, _ = booked(state.ledger(side), fill, 1)
            state = with_ledger(state, ledger, BOOK)
    return state


def timed(each: Callable[[int], object], count: int) -> tuple[float, float, float]:
    """(median, p99, mean) in µs of `each(number)`."""
    clock, took = time.perf_counter_ns, []
    for number in range(count):
        begin = clock()
        each(number)
        took.append(clock() - begin)
    took.sort()
    return took[count // 2] / 1000, took[count * 99 // 100] / 1000, statistics.fmean(took) / 1000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path)
    parser.add_argument("--ticks", type=int, default=20_000)
    chosen = parser.parse_args()
    seen = prices(chosen.ticks, chosen.data)
    print(f"{'positions a side':<18}{'what':<22}{'median µs':>10}{'p99 µs':>9}{'mean µs':>9}")
    for positions in (0, 10, 20):
        state = state_with(positions, seen[0])
        buy, sell = legs_of(state)
        bids = [BOOK.scale.prices(price) for price in seen]

        def rule(number: int, buy: r.Leg = buy, sell: r.Leg = sell, bids: list[int] = bids) -> object:
            look = r.Look(bids[number], bids[number], 0, 1 << 60, 1 << 60, 600, 1, False, True, True, True)
            return r.decide(BOOK.rules, buy, sell, look)

        held = [state]
        quotes = [ev.Quote(NOW + number * 1000, NOW + number * 1000, price, price) for number, price in
                  enumerate(seen)]

        def tick(number: int, held: list[SessionState] = held, quotes: list[ev.Quote] = quotes) -> object:
            held[0], said = step(held[0], quotes[number], BOOK)
            return said

        for what, each in (("decide", rule), ("session step (tick)", tick)):
            median, p99, mean = timed(each, chosen.ticks)
            print(f"{positions:<18}{what:<22}{median:>10.2f}{p99:>9.2f}{mean:>9.2f}")

        def save(_: int, held: list[SessionState] = held) -> object:
            return saved(held[0])

        median, p99, mean = timed(save, 500)
        print(f"{positions:<18}{'save state':<22}{median:>10.2f}{p99:>9.2f}{mean:>9.2f}   {len(saved(held[0]))} bytes")
        assert restored(saved(held[0])).buy == held[0].buy


if __name__ == "__main__":
    main()
