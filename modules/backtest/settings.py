"""Settings of a backtest: the account it starts with, what trading costs, and the two rule sets' own figures."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class BacktestSettings(BaseModel):
    """Cash, costs and assumptions where candles do not tell."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start_usdt: float = Field(1000.0, gt=0, le=1e7, description="Cash at the start, USDT")
    fee_pct: float = Field(0.1, ge=0, le=5, description="Taker fee on each side, %")
    spread_pct: float = Field(0.1, ge=0, le=10, description="Distance of best bid and offer, % of price")
    slippage_pct: float = Field(0.05, ge=0, le=10, description="Slippage of every fill, %")
    impact_pct: float = Field(10.0, ge=0, le=1000, description="Slippage of an order as big as its candle's volume, %")
    most_slippage_pct: float = Field(5.0, ge=0, le=50, description="Slippage of one fill at most, %")
    short_cost_pct_day: float = Field(
        0.05, ge=-5, le=50, description="What a short costs a day (borrowing, funding), % of it; negative = received"
    )
    min_notional_usdt: float = Field(5.0, ge=0, description="Smallest order that the venue takes, USDT")
    confidence: float = Field(0.80, ge=0, le=1, description="Confidence of every entry while no model judges")
    models: Literal["off", "walk-forward"] = Field(
        "off", description="walk-forward: a feedback model fitted on the past of each fold judges the entries"
    )
    model_every_days: float = Field(14.0, ge=0.25, le=3650, description="Days of a fold: how often a model is fitted")
    model_embargo_h: float = Field(
        6.0, ge=0, le=720, description="Hours between the last label that a model learns from and its fold"
    )
    latency_bars: int = Field(1, ge=1, le=100, description="Bars from the signal's candle to the one that fills")


class RsiSettings(BaseModel):
    """A plain rule set to compare engines with: RSI in, target, stop or RSI out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rsi_period: int = Field(14, ge=2, le=500, json_schema_extra={"search": [3, 50]},
                            description="Candles of the RSI")
    rsi_buy: float = Field(30.0, gt=0, lt=100, json_schema_extra={"search": [10, 50]},
                           description="Buys when the RSI falls below")
    rsi_sell: float = Field(70.0, gt=0, lt=100, json_schema_extra={"search": [50, 95]},
                            description="Sells when the RSI rises above")
    target_pct: float = Field(2.0, ge=0, le=500, json_schema_extra={"search": [0.3, 10, "log"]},
                              description="Target above the signal's close, %; 0 = none")
    stop_pct: float = Field(1.0, ge=0, lt=100, json_schema_extra={"search": [0.3, 10, "log"]},
                            description="Stop below the signal's close, %; 0 = none")
    direction: Literal["long", "short", "both"] = Field(
        "long", description="short: the mirror, sold short when the RSI rises above rsi_sell"
    )
