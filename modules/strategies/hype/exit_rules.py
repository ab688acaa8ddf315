"""From settings to the integers that the exit rules work with."""

from decimal import Decimal
from typing import TYPE_CHECKING

from modules.strategies.hype.exit_table import CONFIDENCES, STRATEGIES, table
from modules.strategies.hype.exits import MAX_LEVELS, PPM, Levels, Rules
from modules.strategies.hype.records import Strategy

if TYPE_CHECKING:
    from modules.strategies.hype.settings import HypeSettings


def ppm(value: Decimal | float, of: int = 1) -> int:
    """`value` in parts per million; `of` = 100 for percent. Rounded to the nearest."""
    return round(Decimal(repr(value) if isinstance(value, float) else value) * PPM / of)


def strategy_index(strategy: Strategy) -> int:
    """Place of a strategy in the table."""
    return STRATEGIES.index(strategy.value)


def rules_of(settings: "HypeSettings") -> Rules:
    """The rules that these settings mean. Raises ValueError for a table that cannot be (the settings check it too)."""
    rows = table(settings.tp_preset, settings.exit_levels)
    ordered = [rows[(strategy, confidence)] for strategy in STRATEGIES for confidence in CONFIDENCES]
    return Rules(
        gains=tuple(_four([ppm(target - 1) for target in row.targets]) for row in ordered),
        stops=tuple(ppm(row.stop_pct, 100) for row in ordered),
        share_slow=_four([ppm(settings.tp_share_slow_pct, 100)] * MAX_LEVELS),
        share_mid=_four([ppm(settings.tp_share_mid_pct, 100)] * MAX_LEVELS),
        share_fast=_four([ppm(share, 100) for share in settings.tp_shares_fast_pct]),
        trail_ppm=ppm(settings.trail_fall_pct, 100),
        break_even=settings.breakeven_after_tp1,
        atr_reference_ppm=ppm(settings.atr_sl_reference_pct, 100),
        atr_least_ppm=ppm(settings.atr_sl_min_factor),
        atr_most_ppm=ppm(settings.atr_sl_max_factor),
        max_hold_ms=round(settings.max_hold_h * 3_600_000),
    )


def _four(values: list[int]) -> Levels:
    padded = [*values, 0, 0, 0, 0]
    return padded[0], padded[1], padded[2], padded[3]
