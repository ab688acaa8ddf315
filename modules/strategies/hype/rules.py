"""What hype is, which strategy a token belongs to, and what BTC's mood changes (A1, A2, A10). Pure functions.

The screening runs in two stages, because the first sees the whole market and the second costs requests:

1. `screen`: from one tickers call, all symbols at once as arrays: tradable, price, volume, spread, growth.
2. `inspect` and `classify`: for the few that pass, from their own candles and book: depth, surge, strategy.

The strategies are asked in the order of `classify`; the first that fits is the token's (docs/STRATEGIES.md).
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from modules.strategies.hype.mood import EFFECTS, Mood
from modules.strategies.hype.reasons import Refusal
from modules.strategies.hype.records import Strategy
from modules.strategies.hype.settings import HypeSettings

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int8]

# Aggressive: a violent move, in units of the hype bars.
VIOLENT_5M = 2.0
VIOLENT_1H = 3.0
VIOLENT_SURGE = 1.5
# Revival: a deep fall over days, and how much of it must still be open.
REVIVAL_FALL_PCT = 25.0
REVIVAL_BELOW_HIGH_PCT = 12.0
REVIVAL_BOUNCE = 1.0  # bounce from the low, in units of the 1 h bar
# Momentum safe: a trend that is calm and cheap to trade.
SAFE_ATR_PCT = 0.9
SAFE_SPREAD_SHARE = 0.5
SAFE_GROWTH_1H = 0.3
SAFE_GROWTH_24H = 0.5
SAFE_SURGE_SHARE = 0.5
# Simple: steady growth.
STEADY_SHARE = 0.5
FADE_PCT = -0.5  # a fall over 5 minutes beyond this is no growth any more
DAY_WEIGHT = 0.5  # growth over 24 h counts half in the ranking: it may be over already


@dataclass(frozen=True, slots=True)
class Bars:
    """The thresholds of one scan: the settings as the market's mood changed them. Percent and USDT."""

    min_price: float
    max_price: float
    min_quote_volume: float
    max_spread_pct: float
    growth_5m_pct: float
    growth_1h_pct: float
    growth_24h_pct: float
    surge: float
    min_depth_usdt: float


@dataclass(frozen=True, slots=True)
class Board:
    """The whole market at one instant, arrays over symbols. NaN growth: not known yet, which is never hype."""

    price: Floats
    spread_pct: Floats
    quote_volume: Floats
    growth_5m: Floats
    growth_1h: Floats
    growth_24h: Floats
    trading: Bools
    api_allowed: Bools


@dataclass(frozen=True, slots=True)
class Figures:
    """One suspect, exactly. Growths, spread, ATR and falls in percent; surges as multiples of the usual volume.

    `fall_pct` is the deepest fall from the high of the last days to a low after it, `bounce_pct` the rise from that
    low, `below_high_pct` how far the price stands below that high; NaN where the history is too short.
    `rising_share` is the share of the last hour's 5m candles that closed above the one before.
    """

    price: float
    spread_pct: float
    quote_volume: float
    growth_5m: float
    growth_1h: float
    growth_24h: float
    surge_1h: float
    surge_15m: float
    atr_pct: float
    depth_usdt: float
    rising_share: float
    fall_pct: float
    bounce_pct: float
    below_high_pct: float


def bars(settings: HypeSettings, mood: Mood) -> Bars:
    """The settings' thresholds, stricter as the mood asks (A10)."""
    plain = Bars(
        min_price=settings.min_price,
        max_price=settings.max_price,
        min_quote_volume=settings.min_quote_volume,
        max_spread_pct=settings.max_spread_pct,
        growth_5m_pct=settings.growth_5m_pct,
        growth_1h_pct=settings.growth_1h_pct,
        growth_24h_pct=settings.growth_24h_pct,
        surge=settings.volume_surge,
        min_depth_usdt=settings.min_depth_usdt,
    )
    effect = EFFECTS[mood]
    return replace(
        plain,
        max_spread_pct=plain.max_spread_pct * effect.spread,
        growth_5m_pct=plain.growth_5m_pct * effect.growth,
        growth_1h_pct=plain.growth_1h_pct * effect.growth,
        growth_24h_pct=plain.growth_24h_pct * effect.growth,
        surge=plain.surge * effect.surge,
    )


def screen(board: Board, at: Bars) -> Codes:
    """For every symbol the first reason against it, as `Refusal` numbers; 0 marks a suspect (A1)."""
    with np.errstate(invalid="ignore"):
        grown = (
            (board.growth_5m >= at.growth_5m_pct)
            | (board.growth_1h >= at.growth_1h_pct)
            | (board.growth_24h >= at.growth_24h_pct)
        )
        refused = (
            (~board.trading, Refusal.NOT_TRADING),
            (~board.api_allowed, Refusal.API_CLOSED),  # A11
            (~(board.price >= at.min_price), Refusal.PRICE_LOW),
            (~(board.price <= at.max_price), Refusal.PRICE_HIGH),
            (~(board.quote_volume >= at.min_quote_volume), Refusal.VOLUME_LOW),
            (~(board.spread_pct <= at.max_spread_pct), Refusal.SPREAD_WIDE),
            (~grown, Refusal.GROWTH_LOW),
        )
    codes = np.zeros(len(board.price), np.int8)
    for mask, reason in reversed(refused):
        codes[mask] = int(reason)
    return codes


def strength(board: Board, at: Bars) -> Floats:
    """How far each symbol is above its bars: the larger of its growths in units of their bars; -inf if unknown."""
    parts = np.stack((
        board.growth_5m / at.growth_5m_pct,
        board.growth_1h / at.growth_1h_pct,
        DAY_WEIGHT * board.growth_24h / at.growth_24h_pct,
    ))
    best: Floats = np.max(np.where(np.isnan(parts), -np.inf, parts), axis=0)
    return best


def inspect(figures: Figures, at: Bars) -> tuple[Refusal, ...]:
    """Everything that stands against a suspect now that its book is known; empty where nothing does."""
    found: list[Refusal] = []
    if not figures.spread_pct <= at.max_spread_pct:
        found.append(Refusal.SPREAD_WIDE)
    if not figures.depth_usdt >= at.min_depth_usdt:
        found.append(Refusal.DEPTH_LOW)
    return tuple(found)


def classify(figures: Figures, at: Bars) -> Strategy | None:
    """The strategy of a suspect, or None. Asked in this order; the first that fits is the token's (A2)."""
    if is_aggressive(figures, at):
        return Strategy.AGGRESSIVE
    if is_revival(figures, at):
        return Strategy.REVIVAL
    if is_momentum_safe(figures, at):
        return Strategy.MOMENTUM_SAFE
    if is_simple(figures, at):
        return Strategy.SIMPLE
    return None


def why_unclassified(figures: Figures, at: Bars) -> tuple[Refusal, ...]:
    """What keeps a suspect out of every strategy, most telling first."""
    found: list[Refusal] = []
    if figures.growth_5m < FADE_PCT:
        found.append(Refusal.FADING)
    if max(figures.surge_1h, figures.surge_15m) < at.surge:
        found.append(Refusal.SURGE_LOW)
    return (*found, Refusal.NO_STRATEGY)


def is_aggressive(figures: Figures, at: Bars) -> bool:
    """A violent move of 5 minutes or 1 hour with a burst of volume, and still rising."""
    violent = (
        figures.growth_5m >= VIOLENT_5M * at.growth_5m_pct
        or figures.growth_1h >= VIOLENT_1H * at.growth_1h_pct
    )
    surge = max(figures.surge_1h, figures.surge_15m)
    return violent and surge >= VIOLENT_SURGE * at.surge and figures.growth_5m >= FADE_PCT


def is_revival(figures: Figures, at: Bars) -> bool:
    """Fell deeply over days, recovers now with volume, and much of the fall is still open."""
    return (
        figures.fall_pct >= REVIVAL_FALL_PCT
        and figures.below_high_pct >= REVIVAL_BELOW_HIGH_PCT
        and figures.bounce_pct >= REVIVAL_BOUNCE * at.growth_1h_pct
        and figures.growth_1h >= 0.5 * at.growth_1h_pct
        and figures.surge_1h >= at.surge
        and figures.growth_5m >= FADE_PCT
    )


def is_momentum_safe(figures: Figures, at: Bars) -> bool:
    """Trends over an hour and a day, calmly, in a tight book."""
    return (
        figures.growth_1h >= SAFE_GROWTH_1H * at.growth_1h_pct
        and figures.growth_24h >= SAFE_GROWTH_24H * at.growth_24h_pct
        and FADE_PCT <= figures.growth_5m < at.growth_5m_pct
        and figures.atr_pct <= SAFE_ATR_PCT
        and figures.spread_pct <= SAFE_SPREAD_SHARE * at.max_spread_pct
        and figures.surge_1h >= SAFE_SURGE_SHARE * at.surge
    )


def is_simple(figures: Figures, at: Bars) -> bool:
    """Grows steadily, with volume."""
    return (
        (figures.growth_1h >= at.growth_1h_pct or figures.growth_5m >= at.growth_5m_pct)
        and figures.growth_5m >= FADE_PCT
        and figures.rising_share >= STEADY_SHARE
        and max(figures.surge_1h, figures.surge_15m) >= at.surge
    )
