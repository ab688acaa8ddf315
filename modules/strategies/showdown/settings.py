"""Settings of system C, the decision engine on BTCUSDT perpetuals (C1–C6, C12). Times are market time."""

import re
from typing import Literal, Self

from pydantic import ConfigDict, Field, model_validator

from modules.strategies.showdown.trade_settings import TradeSettings


class ShowdownSettings(TradeSettings):
    """Collector, analytics, flow, decision and execution of system C."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    symbols: tuple[str, ...] = Field(("BTCUSDT",), description="Contracts decided on; the first one's files are named "
                                                               "without doubt: btc_snapshot.json, decision.json")
    # collector
    collect_s: float = Field(30.0, ge=5, le=300, description="Market seconds between two looks of the collector")
    history_bars: int = Field(600, ge=200, le=20_000, description="Closed candles of each interval fetched at first")
    trade_pages: int = Field(20, ge=1, le=100, description="Pages of 1,000 trades a look at most; what is more is "
                                                           "taken from the candles' taker volume")
    # analytics
    decide_s: float = Field(300.0, ge=60, le=3600, description="Market seconds between two decisions")
    swing_bars: int = Field(2, ge=1, le=10, json_schema_extra={"search": [1, 5]},
                            description="Bars on each side that confirm a swing")
    atr_bars: int = Field(14, ge=2, le=200, description="Bars of the average true range (Wilder)")
    momentum_bars: int = Field(12, ge=3, le=100, description="Bars over which momentum is measured")
    # rules
    min_momentum: float = Field(0.25, ge=0, le=1, json_schema_extra={"search": [0.05, 0.7]},
                                description="Least momentum in the trade's direction, 0 to 1 (5m)")
    max_funding_pct: float = Field(0.05, gt=0, le=2, description="Highest funding that the side would pay, % a time")
    max_oi_fall_pct: float = Field(1.0, ge=0, le=50, description="Largest fall of open interest over an hour, %")
    max_risk_score: float = Field(0.65, gt=0, le=1, description="Highest global risk score that may trade, 0 to 1")
    min_confidence: float = Field(0.45, ge=0, le=1, description="Least confidence that may trade, 0 to 1")
    liquidations: Literal["swept", "magnet"] = Field("swept", description="How liquidation pools are read: swept (the "
                                                     "pool behind was just taken) or magnet (pools ahead pull)")
    swept_bars: int = Field(12, ge=1, le=100, description="5m bars within which a pool counts as just swept")
    # stops, size (C6)
    sl_atr: float = Field(1.5, gt=0, le=10, json_schema_extra={"search": [0.8, 4]},
                          description="Distance of the stop from the entry, in ATR of 15m")
    tp1_atr: float = Field(2.0, gt=0, le=20, json_schema_extra={"search": [0.8, 6]},
                           description="First target, in ATR of 15m")
    tp2_atr: float = Field(3.5, gt=0, le=40, json_schema_extra={"search": [1, 12]},
                           description="Second target, in ATR of 15m")
    entry_atr: float = Field(0.3, gt=0, le=3, description="Width of the entry zone behind the price, in ATR of 15m")
    risk_pct: float = Field(0.5, gt=0, le=5, description="Equity lost at the stop, fees included, % (risk per trade)")
    max_position_usdt: float = Field(10_000.0, gt=0, description="Largest position, USDT of notional")
    leverage: int = Field(5, ge=1, le=125, description="Leverage for sizes, at most FUTURES_LEVERAGE")
    margin_share_pct: float = Field(50.0, gt=0, le=100, description="Share of the equity that may be margin, %")
    day_drawdown_pct: float = Field(3.0, gt=0, le=100, description="Fall from the day's highest equity (UTC) that ends "
                                                                   "entries until the next day, %")
    week_drawdown_pct: float = Field(6.0, gt=0, le=100, description="The same from the week's highest (Monday UTC), %")
    paper_usdt: float = Field(10_000.0, gt=0, description="Equity that sizes are reckoned with until an account trades")
    # times to live (C12), market seconds
    ttl_open_interest_s: float = Field(1200.0, gt=0, description="Open interest older than this is stale")
    ttl_funding_s: float = Field(900.0, gt=0, description="The funding rate of now older than this is stale")
    ttl_cvd_s: float = Field(600.0, gt=0, description="Traded volume delta older than this is stale")
    ttl_basis_s: float = Field(900.0, gt=0, description="Basis older than this is stale")
    ttl_liqmap_s: float = Field(43_200.0, gt=0, description="A liquidation map older than this is stale")
    ttl_sentiment_s: float = Field(28_800.0, gt=0, description="Sentiment older than this is stale")
    waive: tuple[Literal["open_interest", "funding"], ...] = Field(
        (), description="Required inputs that may be missing; for backtests, which say so")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not self.symbols:
            raise ValueError("symbols is empty; name at least one contract, e.g. BTCUSDT")
        strange = [name for name in self.symbols if not re.fullmatch(r"[A-Z0-9]{2,20}USDT", name)]
        if strange:
            raise ValueError(f"symbols: {', '.join(strange)} is no USDT contract; write e.g. BTCUSDT")
        if len(set(self.symbols)) < len(self.symbols):
            raise ValueError("symbols: a contract is named twice")
        if self.tp2_atr <= self.tp1_atr:
            raise ValueError(f"tp2_atr {self.tp2_atr:g} must be above tp1_atr {self.tp1_atr:g}")
        if self.week_drawdown_pct < self.day_drawdown_pct:
            raise ValueError("week_drawdown_pct must not be below day_drawdown_pct")
        return self
