"""The simulated contracts: real majors first, then made-up ones, each with filters and leverage brackets."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

from modules.simulator.perp.records import Bracket, Spec
from modules.simulator.randomness import generator

ONBOARD_MS = 1_569_398_400_000  # BTCUSDT's first day on Binance USD-M; older history is not offered


@dataclass(frozen=True, slots=True)
class Character:
    """How a contract's market behaves; floats, the model's side only."""

    price: float  # USDT at the venue's birth
    turnover: float  # USDT a day
    sigma_day: float  # standard deviation of a day's log return
    beta: float  # pull of the market factor on it, 0 … 1.2


#: symbol, price, turnover of a day, volatility of a day, beta, decimals of price and of quantity
_MAJORS: tuple[tuple[str, float, float, float, float, int, int], ...] = (
    ("BTC", 61_800.0, 12e9, 0.026, 1.0, 1, 3), ("ETH", 2_650.0, 9e9, 0.034, 1.0, 2, 3),
    ("SOL", 148.0, 2.6e9, 0.044, 0.95, 2, 0), ("XRP", 0.5712, 1.1e9, 0.038, 0.8, 4, 1),
    ("BNB", 528.0, 8e8, 0.026, 0.8, 2, 2), ("DOGE", 0.10412, 9e8, 0.046, 0.9, 5, 0),
    ("ADA", 0.3451, 3.2e8, 0.042, 0.85, 4, 0), ("AVAX", 22.31, 2.6e8, 0.047, 0.9, 3, 0),
    ("LINK", 10.412, 2.8e8, 0.043, 0.85, 3, 2), ("LTC", 61.25, 2.4e8, 0.034, 0.7, 2, 3),
    ("TRX", 0.15312, 9e7, 0.022, 0.4, 5, 0), ("DOT", 4.512, 1.4e8, 0.041, 0.85, 3, 1),
    ("NEAR", 3.912, 2.2e8, 0.056, 0.9, 3, 0), ("SUI", 0.9123, 5.5e8, 0.062, 0.9, 4, 1),
    ("1000PEPE", 0.0078120, 7.5e8, 0.058, 1.0, 7, 0), ("WIF", 1.5312, 4.5e8, 0.072, 1.0, 4, 1),
    ("OP", 1.4231, 2.0e8, 0.056, 0.95, 4, 1), ("ARB", 0.5312, 1.8e8, 0.053, 0.95, 4, 1),
    ("APT", 6.1231, 1.6e8, 0.05, 0.9, 4, 1), ("INJ", 18.312, 1.2e8, 0.056, 0.9, 3, 1),
    ("FIL", 3.612, 1.5e8, 0.045, 0.85, 3, 1), ("ATOM", 4.612, 9e7, 0.038, 0.8, 3, 2),
    ("UNI", 6.012, 1.1e8, 0.044, 0.85, 3, 0), ("AAVE", 108.42, 1.3e8, 0.048, 0.85, 2, 1),
    ("TIA", 5.1231, 1.7e8, 0.062, 0.95, 4, 0), ("SEI", 0.28121, 1.3e8, 0.06, 0.95, 5, 0),
    ("ORDI", 29.412, 1.9e8, 0.068, 1.0, 3, 1), ("LDO", 1.0231, 8e7, 0.052, 0.9, 4, 0),
    ("ETC", 18.512, 1.2e8, 0.036, 0.8, 3, 2), ("BCH", 331.2, 1.9e8, 0.038, 0.75, 2, 3),
)
_SYLLABLES = ("AR", "BO", "CRA", "DEX", "EL", "FLO", "GRI", "HEX", "IR", "JO", "KAI", "LUM", "MO", "NEX", "OR", "PY",
              "QU", "RA", "SO", "TUR", "UM", "VEL", "WO", "XI", "YA", "ZEN")

#: (notional cap USDT, highest leverage, maintenance rate); the cap is scaled by a contract's size
_TIERS: tuple[tuple[int, int, str], ...] = (
    (50_000, 125, "0.004"), (600_000, 100, "0.005"), (3_000_000, 75, "0.0065"), (12_000_000, 50, "0.01"),
    (70_000_000, 25, "0.02"), (100_000_000, 20, "0.025"), (230_000_000, 10, "0.05"), (480_000_000, 5, "0.1"),
    (600_000_000, 4, "0.125"), (800_000_000, 3, "0.15"), (1_200_000_000, 2, "0.25"), (1_800_000_000, 1, "0.5"),
)


def brackets(turnover: float) -> tuple[Bracket, ...]:
    """Leverage brackets by size: a thin contract starts at lower leverage and smaller caps.

    `cum` makes maintenance continuous over the borders: cum_n = cum_{n−1} + floor_n × (rate_n − rate_{n−1}).
    """
    skip = 0 if turnover >= 5e9 else 1 if turnover >= 1e9 else 2 if turnover >= 2e8 else 3
    scale = {0: 1, 1: 2, 2: 20, 3: 200}[skip]
    found: list[Bracket] = []
    floor, cum, last = 0, Decimal(0), Decimal(0)
    for number, (cap, leverage, rate) in enumerate(_TIERS[skip:], start=1):
        rate_now = Decimal(rate)
        cum += floor * (rate_now - last)
        cap = max(cap // scale, 5_000)
        found.append(Bracket(number, floor, cap, leverage, rate_now, cum))
        floor, last = cap, rate_now
    return tuple(found)


def _made_up(seed: int, count: int) -> list[tuple[str, float, float, float, float, int, int]]:
    rng = generator(seed, "perp-specs")
    taken = {row[0] for row in _MAJORS}
    rows: list[tuple[str, float, float, float, float, int, int]] = []
    while len(rows) < count:
        name = "".join(_SYLLABLES[int(k)] for k in rng.integers(0, len(_SYLLABLES), int(rng.integers(2, 4))))[:7]
        price = float(10 ** rng.uniform(-2.5, 1.5))
        turnover = float(10 ** rng.uniform(7.0, 8.5))
        sigma, beta = float(rng.uniform(0.04, 0.09)), float(rng.uniform(0.5, 1.1))
        if name in taken:
            continue
        taken.add(name)
        figures = 4 if turnover > 4e7 else 3  # after the first: a tick is 0.1 … 1 bp, of the thin ones 1 … 10 bp
        decimals = max(0, figures - math.floor(math.log10(price)))
        qty_decimals = max(0, min(3, math.floor(math.log10(price)) + 1))
        rows.append((name, float(f"{price:.4g}"), turnover, sigma, beta, decimals, qty_decimals))
    return rows


def make_specs(count: int, seed: int) -> tuple[list[Spec], list[Character]]:
    """`count` contracts, the same for the same seed; the majors in their order, then made-up ones."""
    rows = [*_MAJORS[:count], *_made_up(seed, max(0, count - len(_MAJORS)))]
    return [_spec(row) for row in rows], [Character(row[1], row[2], row[3], row[4]) for row in rows]


def _spec(row: tuple[str, float, float, float, float, int, int]) -> Spec:
    name, price, turnover, _, _, decimals, qty_decimals = row
    tick, step = Decimal(1).scaleb(-decimals), Decimal(1).scaleb(-qty_decimals)
    most = max(1000.0, turnover / 1000) / price  # largest order by quantity
    large = 10 ** max(1, round(math.log10(most / float(step))))
    big = turnover >= 5e9
    return Spec(
        symbol=name + "USDT", base=name, quote="USDT", tick=tick, step=step, min_qty=1, max_qty=large,
        max_market_qty=max(10, large // 8), min_notional=Decimal(100 if name == "BTC" else 20 if name == "ETH" else 5),
        min_price=max(1, int(price / 200 / float(tick))), max_price=int(price * 75 / float(tick)),
        band=Decimal("0.05") if big else Decimal("0.1"), market_band=Decimal("0.05") if big else Decimal("0.1"),
        brackets=brackets(turnover), liquidation_fee=Decimal("0.0125") if big else Decimal("0.015"),
        onboard_ms=ONBOARD_MS)
