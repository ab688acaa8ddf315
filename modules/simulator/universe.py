"""The universe of simulated tokens: which pair lives in which slot on which day, and what it is like.

A *slot* is a place on the venue. Tokens succeed each other in it (listed, traded, delisted), so the
number of pairs stays about the same for ever and the whole calendar is a pure function of the seed.
The first slots are majors (BTC, ETH, …): never delisted, never closed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from modules.simulator.randomness import generator, key64

DAY_MS = 86_400_000
MINUTE_MS = 60_000
QUOTE = "USDT"

#: name, reference price, average daily quote volume, beta to the market, idiosyncratic daily sigma
MAJORS: tuple[tuple[str, float, float, float, float], ...] = (
    ("BTC", 64_000.0, 9.0e8, 1.00, 0.0000),
    ("ETH", 3_200.0, 4.5e8, 1.15, 0.0090),
    ("SOL", 148.0, 1.6e8, 1.30, 0.0180),
    ("XRP", 0.58, 1.1e8, 1.05, 0.0170),
    ("BNB", 585.0, 4.0e7, 0.90, 0.0120),
    ("DOGE", 0.124, 7.0e7, 1.25, 0.0210),
    ("ADA", 0.41, 3.0e7, 1.15, 0.0190),
    ("TRX", 0.137, 2.5e7, 0.60, 0.0130),
    ("LINK", 13.6, 2.2e7, 1.20, 0.0200),
    ("LTC", 71.0, 2.0e7, 0.95, 0.0160),
)
_SYLLABLES = tuple(c + v for c in "BDFGHJKLMNPRSTVWXYZ" for v in "AEIOU")
_ENDINGS = (
    "END", "ING", "DOG", "CAT", "INU", "PEP", "WIF", "FOX", "OWL", "BEE", "YAK", "APE", "ELF",
    "ORC", "IMP", "NFT", "DAO", "DEX", "FIN", "PAY", "BIT", "NET", "SOL", "ETH", "AIX", "GPT",
    "BOT", "LAB", "RUN", "ZAP", "POP", "FUN", "JOY", "WOW", "LOL", "GEM", "ORB", "STA", "MUN",
    "MAX", "PRO", "TOK",
)


@dataclass(frozen=True, slots=True)
class Token:
    """One pair in its lifetime. Prices move in ticks of 10^-price_scale, amounts in 10^-base_scale."""

    slot: int
    generation: int
    base: str
    ref_price: float
    price_scale: int
    base_scale: int
    beta: float
    sigma_day: float
    adv: float  # average daily volume, USDT
    rel_spread: float
    depth1: float  # USDT standing within 1 % of the mid, one side
    hot: float  # rate of events against the average token
    maker: Decimal
    taker: Decimal
    api_open: bool  # may be traded through the API at all
    in_defaults: bool  # is in the list of API-tradable symbols
    market_orders: bool
    list_ms: int
    delist_ms: int | None
    tick_scale: int | None = None  # decimals of prices and amounts that are taken, where fewer than the scales say
    step_scale: int | None = None

    @property
    def order_scales(self) -> tuple[int, int]:
        """Decimals that an order's price and amount may have."""
        return (self.price_scale if self.tick_scale is None else self.tick_scale,
                self.base_scale if self.step_scale is None else self.step_scale)

    @property
    def symbol(self) -> str:
        return self.base + QUOTE

    @property
    def tick(self) -> float:
        return float(10.0**-self.price_scale)


@dataclass(frozen=True, slots=True)
class Calendar:
    """What stands in every slot on one day, as arrays over the slots."""

    tokens: tuple[Token, ...]
    log_ref: NDArray[np.float64]
    beta: NDArray[np.float64]
    sigma: NDArray[np.float64]
    adv: NDArray[np.float64]
    tick: NDArray[np.float64]
    step: NDArray[np.float64]
    rel_spread: NDArray[np.float64]
    depth1: NDArray[np.float64]
    hot: NDArray[np.float64]
    listed_day: NDArray[np.int64]


class Universe:
    """All slots of one seed. `tokens` counts those beside the majors."""

    def __init__(self, seed: int, tokens: int) -> None:
        self.seed = seed
        self.slots = len(MAJORS) + tokens
        rng = generator(seed, "slots", tokens)
        count = self.slots
        self._period = rng.integers(90, 700, count)  # days a slot's token lives
        self._phase = rng.integers(0, 700, count)
        self._names = rng.permutation(len(_SYLLABLES) ** 2)
        self._calendar_cached = lru_cache(maxsize=64)(self._make_calendar)
        self.halt = lru_cache(maxsize=20_000)(self._halt)
        self._token_cached: dict[tuple[int, int], Token] = {}

    def generation(self, slot: int, day: int) -> int:
        """Which token of the slot lives on that day (0 for majors)."""
        if slot < len(MAJORS):
            return 0
        return int((day - self._phase[slot]) // self._period[slot])

    def generations(self, day: int) -> NDArray[np.int64]:
        """`generation` of every slot at once."""
        result: NDArray[np.int64] = (day - self._phase) // self._period
        result[: len(MAJORS)] = 0
        return result

    def first_day(self, slot: int, generation: int) -> int:
        """First day of a token's lifetime (majors: the year 2017)."""
        if slot < len(MAJORS):
            return 17_167
        return int(self._phase[slot] + generation * self._period[slot])

    def token(self, slot: int, generation: int) -> Token:
        """The token of a slot's generation; made once."""
        found = self._token_cached.get((slot, generation))
        if found is None:
            found = _major(slot) if slot < len(MAJORS) else self._make_token(slot, generation)
            self.halt = lru_cache(maxsize=20_000)(self._halt)
        self._token_cached[(slot, generation)] = found
        return found

    def calendar(self, day: int) -> Calendar:
        """The tokens of one day. Cached by content: few days differ."""
        generations = self.generations(day)
        return self._calendar_cached(generations.tobytes())

    def _make_calendar(self, key: bytes) -> Calendar:
        generations = np.frombuffer(key, dtype=np.int64)
        tokens = tuple(self.token(slot, int(g)) for slot, g in enumerate(generations))

        def column(name: str) -> NDArray[np.float64]:
            return np.array([getattr(token, name) for token in tokens], dtype=np.float64)

        return Calendar(
            tokens=tokens,
            log_ref=np.log(column("ref_price")),
            beta=column("beta"),
            sigma=column("sigma_day"),
            adv=column("adv"),
            tick=10.0 ** -column("price_scale"),
            step=10.0 ** -column("base_scale"),
            rel_spread=column("rel_spread"),
            depth1=column("depth1"),
            hot=column("hot"),
            listed_day=np.array([t.list_ms // DAY_MS for t in tokens], dtype=np.int64),
        )

    def _name(self, slot: int, generation: int) -> str:
        """Two syllables of the slot's own and an ending of the generation's: unique by construction."""
        first, second = divmod(int(self._names[slot]), len(_SYLLABLES))
        ending = _ENDINGS[(slot + generation) % len(_ENDINGS)]
        return _SYLLABLES[first] + _SYLLABLES[second] + ending

    def _make_token(self, slot: int, generation: int) -> Token:
        rng = generator(self.seed, "token", slot, generation)
        adv = float(np.clip(math.exp(rng.normal(math.log(2.2e5), 1.75)), 3e3, 6e7))
        price = float(10.0 ** np.clip(rng.normal(-2.0, 1.9), -7.6, 3.0))
        thin = (1e6 / adv) ** 0.12
        sigma = float(np.clip(0.040 * thin * math.exp(rng.normal(0.0, 0.30)), 0.015, 0.14))
        price_scale = int(np.clip(math.ceil(-math.log10(price)) + rng.integers(3, 5), 1, 12))
        first = self.first_day(slot, generation)
        last = self.first_day(slot, generation + 1) - 1
        fee = Decimal("0.0005") if rng.random() < 0.8 else Decimal("0.001")
        closed, market_ok = rng.random() < 0.07, rng.random() >= 0.03
        base = self._name(slot, generation)
        return Token(
            slot=slot,
            generation=generation,
            base=base,
            ref_price=price,
            price_scale=price_scale,
            base_scale=int(np.clip(math.ceil(math.log10(price)) + 2, 0, 6)),
            beta=float(np.clip(rng.normal(1.0, 0.35), 0.1, 2.0)),
            sigma_day=sigma,
            adv=adv,
            rel_spread=float(np.clip(0.0009 * (1e6 / adv) ** 0.40, 0.0003, 0.035)),
            depth1=15_000.0 * (adv / 1e6) ** 0.82,
            hot=float(math.exp(rng.normal(-0.2, 0.6))),
            maker=Decimal("0"),
            taker=fee,
            api_open=not closed,
            in_defaults=not closed and rng.random() >= 0.02,
            market_orders=bool(market_ok),
            list_ms=first * DAY_MS + int(rng.integers(4, 18)) * 3_600_000,
            delist_ms=last * DAY_MS + int(rng.integers(6, 20)) * 3_600_000,
        )

    def _halt(self, slot: int, day: int) -> tuple[int, int] | None:
        """Minutes [from, to) of the day in which trading of the slot's pair stands still, if any."""
        if slot < len(MAJORS):
            return None
        cell = key64(self.seed, "halt", slot, day)
        if cell % 10_000 >= 40:  # 0.4 % of the days
            return None
        start = 60 + (cell >> 20) % 1_100
        return int(start), int(start + 15 + (cell >> 40) % 180)


def _major(slot: int) -> Token:
    base, price, adv, beta, sigma = MAJORS[slot]
    decimals = max(2, math.ceil(-math.log10(price)) + 4)
    return Token(
        slot=slot,
        generation=0,
        base=base,
        ref_price=price,
        price_scale=decimals,
        base_scale=int(np.clip(math.ceil(math.log10(price)) + 2, 1, 6)),
        beta=beta,
        sigma_day=sigma,
        adv=adv,
        rel_spread=float(np.clip(0.0003 * (1e6 / adv) ** 0.40, 0.000005, 0.01)),
        depth1=15_000.0 * (adv / 1e6) ** 0.82,
        hot=0.04,
        maker=Decimal("0"),
        taker=Decimal("0.0005"),
        api_open=True,
        in_defaults=True,
        market_orders=True,
        list_ms=17_167 * DAY_MS,
        delist_ms=None,
    )
