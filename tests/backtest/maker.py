"""Candles, entries and terms written down in a line, for the tests of the engine."""

from collections.abc import Sequence

import numpy as np

from modules.backtest import arrays as a
from modules.backtest.arrays import Ints, Made, Series, Terms
from modules.strategies.hype import exits
from modules.strategies.hype.exit_rules import rules_of
from modules.strategies.hype.settings import HypeSettings

STEP_MS = 300_000
RULES = rules_of(HypeSettings())
FREE = Terms(start=1000 * a.MONEY, trade_size=100 * a.MONEY, share_ppm=0, max_token=1000 * a.MONEY, max_open=5,
             max_exposure=5000 * a.MONEY, max_per_day=1000, cool_stop_ms=0, cool_sell_ms=0, rejudge_ms=0,
             max_age_ms=120_000, max_slippage_ppm=500_000, fee_ppm=0, half_spread_ppm=0, slippage_ppm=0, impact_ppm=0,
             most_slippage_ppm=50_000)

Candle = tuple[int, int, int, int]


def series(*tokens: Sequence[Candle], quote: float = 1e6, unit: float = 100.0, min_value: int = 1,
           sell_at: Sequence[int] = (), starts: Sequence[int] = ()) -> Series:
    """Tokens as lists of (open, high, low, close) in ticks, one candle each five minutes. A tick·step is 1e-6 USDT."""
    rows = np.array([candle for token in tokens for candle in token], np.int64).reshape(-1, 4)
    begin = np.cumsum([0, *(len(token) for token in tokens)])
    first = list(starts) or [0] * len(tokens)
    time = np.concatenate([(np.arange(len(token)) + start) * STEP_MS
                           for token, start in zip(tokens, first, strict=True)])
    table = np.column_stack((begin[:-1], begin[1:], np.full(len(tokens), min_value))).astype(np.int64)
    return Series(np.ascontiguousarray(np.column_stack((time, rows)).T), np.full(len(rows), quote), table,
                  np.full(len(tokens), unit), np.array(sell_at, np.int64), int(time.max()))


def entries(market: Series, *wishes: tuple[int, int], confidence: float = 0.80, strategy: int = 0, atr: float = 1.0,
            target: int = 0, stop: int = 0, quantity: int = 0, size: float = 1.0, side: int = a.LONG) -> Ints:
    """(token, candle of that token at whose open to buy) each; the signal's price is that open."""
    rows = []
    for token, candle in wishes:
        at = int(market.tokens[token, a.K_BEGIN]) + candle
        rows.append((at, token, market.candles[a.TIME, at], strategy, round(confidence * 1e6), round(atr * 1e4),
                     market.candles[a.OPEN, at], round(size * 1e6), target, stop, quantity, side, 0))
    return np.array(rows, np.int64).reshape(-1, a.E_COLUMNS)


def sales(made: Made) -> list[tuple[int, int, int]]:
    """(reason code, steps, price looked at) of each sale."""
    columns = made.sales[:, [a.S_CODE, a.S_QUANTITY, a.S_LOOK]]
    return [(int(code), int(steps), int(price)) for code, steps, price in columns]


def money_gap(made: Made, terms: Terms) -> int:
    """start + Σ pnl − end, in units; every test of the engine wants 0."""
    got = int(made.sales[:, a.S_VALUE].sum() - made.sales[:, [a.S_FEE, a.S_CARRY]].sum()
              - made.positions[:, a.P_COST].sum())
    return terms.start + got - int(made.totals[a.T_CASH])


def random_market(rng: np.random.Generator, tokens: int, length: int) -> Series:
    """Jumpy tokens of different lengths, with gaps between candles."""
    made = []
    for _ in range(tokens):
        count = int(length * rng.uniform(0.4, 1.0))
        moves = rng.normal(0.0, 0.012, count) + (rng.random(count) < 0.02) * rng.normal(0.0, 0.08, count)
        close = np.exp(np.cumsum(moves)) * 10 ** rng.uniform(3, 6)
        opened = np.concatenate((close[:1], close[:-1])) * (1 + rng.normal(0, 0.004, count))
        high = np.maximum(opened, close) * (1 + abs(rng.normal(0, 0.006, count)))
        low = np.minimum(opened, close) * (1 - abs(rng.normal(0, 0.006, count)))
        table = np.maximum(np.column_stack((opened, high, low, close)), 2).astype(np.int64)
        made.append([(row[0], row[1], row[2], row[3]) for row in table.tolist()])
    return series(*made)


def random_entries(rng: np.random.Generator, market: Series, count: int,
                   sides: Sequence[int] = (a.LONG,)) -> Ints:
    """Entries anywhere, of every strategy and confidence."""
    at = np.sort(rng.choice(len(market.quote), count, replace=False))
    at = at[np.argsort(market.candles[a.TIME, at], kind="stable")]
    token = np.searchsorted(market.tokens[:, a.K_BEGIN], at, side="right") - 1
    zero = np.zeros(count, np.int64)
    return np.column_stack((at, token, market.candles[a.TIME, at], rng.integers(0, 4, count),
                            rng.integers(700_000, 1_000_000, count), rng.integers(0, 40_000, count),
                            market.candles[a.OPEN, at], np.full(count, 1_000_000), zero, zero, zero,
                            rng.choice(sides, count), zero))


def plan_at(entry: int, quantity: int = 1000, confidence: float = 0.80) -> exits.Plan:
    """The tracker's plan of a `simple` position."""
    return exits.make_plan(RULES, 0, round(confidence * 1e6), 10_000, entry, quantity, entry, 1, 0)
