"""Settings of system A, the hype-token bot (A1, A3, A10, A13–A18). Times are market time."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from modules.strategies.hype.exit_table import check_shares, table


class HypeSettings(BaseModel):
    """Scanner, tracker and exits of the hype-token bot."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # scanner
    scan_interval_s: float = Field(30.0, ge=1, le=3600, description="Market seconds between scans")
    min_price: float = Field(1e-9, gt=0, description="Lowest price looked at, USDT")
    max_price: float = Field(1000.0, gt=0, description="Highest price looked at, USDT")
    min_quote_volume: float = Field(100_000.0, ge=0, description="Least 24 h volume, USDT")
    growth_5m_pct: float = Field(3.0, gt=0, le=100, json_schema_extra={"search": [1, 12, "log"]},
                                 description="Growth over 5 minutes that counts as hype, %")
    growth_1h_pct: float = Field(5.0, gt=0, le=500, json_schema_extra={"search": [2, 25, "log"]},
                                 description="Growth over 1 hour that counts as hype, %")
    growth_24h_pct: float = Field(15.0, gt=0, le=1000, json_schema_extra={"search": [5, 60, "log"]},
                                  description="Growth over 24 hours that counts as hype, %")
    volume_surge: float = Field(2.0, ge=1, le=100, json_schema_extra={"search": [1.2, 8, "log"]},
                                description="Last hour's volume over its usual, at least")
    max_spread_pct: float = Field(0.8, gt=0, le=10, description="Widest spread, % of price")
    min_depth_usdt: float = Field(300.0, ge=0, description="Least book depth within 1 % a side, USDT")
    max_candidates: int = Field(8, ge=1, le=100, description="Candidates judged in one scan, strongest first")
    rejudge_after_s: float = Field(900.0, ge=0, description="Market seconds before a refused token is judged again")
    max_probes: int = Field(12, ge=1, le=200, description="Suspects whose candles and book one scan fetches, at most")
    warmup_symbols: int = Field(300, ge=0, le=2500, description="Symbols whose last hour is fetched at the start")
    # models
    veto_strategies: tuple[Literal["simple", "aggressive", "revival", "momentum_safe"], ...] = Field(
        ("simple", "revival"), description="Strategies that the models may veto (A3)"
    )
    min_confidence: float = Field(0.80, ge=0, le=1, description="Least confidence for simple and revival (A15)")
    # mood
    mood_pause_1h_pct: float = Field(-3.0, le=0, description="BTC change over 1 h that pauses entries, %")
    mood_careful_1h_pct: float = Field(-1.0, le=0, description="BTC change over 1 h that halves size, raises bars, %")
    mood_recover_pct: float = Field(0.5, ge=0, le=10, description="Rise above the bar that ends a bad mood, %")
    # size and limits (A18)
    trade_usdt: float = Field(50.0, gt=0, description="USDT per trade (fixed)")
    trade_share_pct: float = Field(0.0, ge=0, le=100, description="Share of equity per trade, %; 0 = fixed size")
    max_open_trades: int = Field(5, ge=1, le=500, description="Open trades at most, per mode")
    max_exposure_usdt: float = Field(500.0, gt=0, description="Total exposure at most, USDT, per mode")
    max_token_usdt: float = Field(100.0, gt=0, description="Exposure per token at most, USDT")
    cooldown_after_stop_s: float = Field(14_400.0, ge=0, description="Market seconds without entry after a stop, token")
    cooldown_after_sell_s: float = Field(3600.0, ge=0, description="Market seconds without entry after any sale (X37)")
    max_trades_per_day: int = Field(50, ge=1, description="Entries a day at most (UTC), per mode")
    max_proposal_age_s: float = Field(120.0, gt=0, description="Oldest proposal still bought, market seconds")
    max_slippage_pct: float = Field(1.5, gt=0, le=20, description="Highest price above the proposal's, %")
    # exits
    look_interval_s: float = Field(2.0, gt=0, le=60, description="Market seconds between the tracker's looks")
    stale_after_s: float = Field(30.0, gt=0, le=3600, description="Price older than this raises an alert, market s")
    tp_preset: Literal["seed", "gain"] = Field("seed", json_schema_extra={"search": True},
                                               description="Table of take-profits (A13)")
    exit_levels: tuple[str, ...] = Field(
        (), description="Rows of the exit table replaced, e.g. simple 0.80: 1.03 1.06 1.09 / 2.5"
    )
    tp_share_slow_pct: float = Field(15.0, gt=0, le=100, description="Sold per TP level at confidence >= 0.95, %")
    tp_share_mid_pct: float = Field(25.0, gt=0, le=100, description="Sold per TP level between, %")
    tp_shares_fast_pct: tuple[float, ...] = Field((40.0, 30.0, 20.0), description="Sold per level at <= 0.85, %")
    trail_fall_pct: float = Field(3.0, gt=0, lt=50, json_schema_extra={"search": [1, 12, "log"]},
                                  description="Fall from the peak that sells the rest, %")
    breakeven_after_tp1: bool = Field(True, json_schema_extra={"search": True},
                                      description="Stop to entry plus fees after the first TP")
    atr_sl_reference_pct: float = Field(1.0, gt=0, json_schema_extra={"search": [0.3, 3, "log"]},
                                        description="ATR/price (5m) that leaves the stop as printed, %")
    atr_sl_min_factor: float = Field(0.7, gt=0, le=1, description="Tightest correction of the stop by ATR")
    atr_sl_max_factor: float = Field(2.0, ge=1, le=10, description="Widest correction of the stop by ATR")
    max_hold_h: float = Field(0.0, ge=0, le=8760, json_schema_extra={"search": [1, 96, "log"]},
                              description="Longest hold in market hours; 0 = no limit")
    exit_first_slippage_pct: float = Field(1.0, gt=0, le=20, description="First price cap of an exit by limit order, %")

    @model_validator(mode="after")
    def _exits_can_be(self) -> Self:
        """Refuse a table that could sell at a loss as "profit", or sell more than there is (A13, A15)."""
        rows = table(self.tp_preset, self.exit_levels)
        for (strategy, confidence), row in rows.items():
            levels = len(row.targets)
            name = f"{strategy} {confidence}"
            if confidence == "0.95":
                check_shares(f"tp_share_slow_pct at {name}", (self.tp_share_slow_pct,) * levels)
            elif confidence in ("0.85", "0.90"):
                check_shares(f"tp_share_mid_pct at {name}", (self.tp_share_mid_pct,) * levels)
            if confidence in ("0.80", "0.85"):
                check_shares(f"tp_shares_fast_pct at {name}", self.tp_shares_fast_pct[:levels])
        if len(self.tp_shares_fast_pct) > 4:
            raise ValueError(f"tp_shares_fast_pct: {len(self.tp_shares_fast_pct)} shares, but 4 targets at most")
        return self
