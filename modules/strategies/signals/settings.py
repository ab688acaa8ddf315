"""Settings of the signal bot (D2–D12)."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class SignalSettings(BaseModel):
    """Universe, conditions, limits, exits and health of system D."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # universe (D2)
    universe_size: int = Field(100, ge=1, le=200, description="Symbols watched at most: those with the highest score")
    min_volume_usdt: float = Field(50e6, ge=0, description="Least 24 h volume of a symbol, USDT")
    min_open_interest_usdt: float = Field(10e6, ge=0, description="Least open interest (contracts x mark), USDT")
    max_spread_pct: float = Field(0.02, gt=0, le=5, description="Widest spread of a symbol, %")
    rescan_h: float = Field(6.0, gt=0, le=168, description="Market hours between full scans of the universe")
    check_h: float = Field(1.0, gt=0, le=24, description="Market hours between quick checks of the minimums")
    spread_for_s: float = Field(10.0, ge=0, le=3600, description="A spread too wide for so long excludes at once, "
                                                                  "market s")
    depth_levels: int = Field(500, description="Levels of the snapshot that measures depth: 100, 500 or 1000")
    # conditions (D4-D6)
    levels: int = Field(10, ge=1, le=20, description="Levels of the imbalance")
    imbalance: float = Field(0.28, gt=0, lt=1, json_schema_extra={"search": [0.1, 0.6]},
                             description="Imbalance that a signal needs, either side")
    large_trade_usdt: float = Field(50_000.0, gt=0, json_schema_extra={"search": [5e3, 5e5, "log"]},
                                    description="A trade from this size on is large, USDT")
    large_trades: int = Field(3, ge=0, le=100, json_schema_extra={"search": [1, 8]},
                              description="Large trades of the signal's side in the window, at least")
    intensity: float = Field(1.5, gt=0, le=100, json_schema_extra={"search": [0.8, 4]},
                             description="Volume intensity that a signal needs")
    confirmation_multiplier: float = Field(1.8, gt=0, le=100,
                                           description="Volume intensity that counts as a confirmation (D5)")
    window_s: float = Field(300.0, ge=10, le=3600, description="Window of the trade flow, market s")
    large_order_factor: float = Field(5.0, gt=1, le=100, description="A resting order so many times the average level "
                                                                     "is large")
    max_book_age_s: float = Field(1.0, gt=0, le=10, description="A book not changed for so long is not decided on")
    # quality (D7)
    quality_high: int = Field(80, ge=0, le=100, description="Quality of a HIGH signal, at least")
    quality_medium: int = Field(65, ge=0, le=100, description="Quality of a MEDIUM signal, at least")
    quality_low: int = Field(50, ge=0, le=100, description="Quality of a LOW signal, at least; below it none is sent")
    confirm_bonus: float = Field(0.05, ge=0, le=0.3, description="Confidence that each optional confirmation adds")
    # levels (D9)
    atr_factor: float = Field(1.5, gt=0, le=20, json_schema_extra={"search": [0.5, 5]},
                              description="Stop: so many ATR(15m), or the last swing where that is wider")
    swing_bars: int = Field(8, ge=2, le=50, description="Closed 15m candles that the last swing is looked for in")
    max_stop_pct: float = Field(5.0, gt=0, le=50, description="A stop further away than this is no signal, %")
    tp1_r: float = Field(1.0, gt=0, le=20, description="First target, in R")
    tp2_r: float = Field(1.67, gt=0, le=20, description="Second target, in R")
    tp1_share: float = Field(0.5, ge=0, le=1, description="Share closed at the first target; the rest goes on")
    breakeven: bool = Field(True, description="After the first target the stop moves to the entry")
    fee_pct: float = Field(0.05, ge=0, le=1, description="Fee of each side in results, % of the value")
    risk_pct: float = Field(1.0, gt=0, le=10, description="Loss at the stop with the suggested size, % of capital")
    max_size_pct: float = Field(100.0, gt=0, le=1000, description="Suggested size at most, % of capital")
    # limits (D8)
    high_a_day: int = Field(20, ge=0, le=1000, description="HIGH signals a day (UTC) at most")
    medium_a_day: int = Field(40, ge=0, le=1000, description="MEDIUM signals a day (UTC) at most")
    low_a_day: int = Field(20, ge=0, le=1000, description="LOW signals a day (UTC) at most")
    all_a_day: int = Field(80, ge=0, le=1000, description="Signals a day (UTC) at most, all classes")
    concurrent: int = Field(5, ge=1, le=100, description="Signals open at once at most")
    max_correlation: float = Field(0.6, ge=-1, le=1, description="Correlation with an open signal at most, signed by "
                                                                 "direction")
    correlation_bars: int = Field(96, ge=20, le=500, description="15m returns that the correlation is taken of")
    hold_back: int = Field(3, ge=0, le=100, description="Signals held back after a loss")
    hold_back_scope: Literal["all", "symbol"] = Field("all", description="Whose signals a loss holds back")
    rearm_s: float = Field(60.0, ge=0, le=3600, description="A symbol's conditions must be gone for so long before its "
                                                            "next signal, market s")
    # answer times and holds (D8)
    answer_s: tuple[float, ...] = Field((60.0, 300.0, 900.0), description="HIGH, MEDIUM, LOW: sent within so many "
                                                                          "market s, or not at all")
    hold_min: tuple[float, ...] = Field((45.0, 90.0, 180.0), description="HIGH, MEDIUM, LOW: longest hold, market min")
    hold_from_min: tuple[float, ...] = Field((15.0, 30.0, 60.0), description="HIGH, MEDIUM, LOW: least expected hold, "
                                                                             "market min")
    picture_s: float = Field(8.0, ge=0, le=120, description="Longest wait for a signal's chart; then it goes without. "
                                                             "0: no charts")
    # judging itself (D10)
    controls: int = Field(3, ge=0, le=20, description="Control trades for each signal: same symbol, side and exits, "
                                                      "random time")
    control_within_h: float = Field(6.0, gt=0, le=48, description="Controls begin within so many market hours")
    demote_after: int = Field(50, ge=5, le=10_000, description="Closed signals of a class before it can be demoted")
    demote_z: float = Field(1.0, ge=0, le=4, description="Standard errors by which a class must beat its control")
    refusal_every_s: float = Field(300.0, ge=1, le=86_400, description="Refusals of a symbol are summed up so long, "
                                                                       "market s")
    # tuning (D13)
    tune: bool = Field(True, description="Search better settings on the recordings once a market month; "
                                         "applied only by /optimize apply")
    tune_trials: int = Field(60, ge=5, le=20_000, description="Trials of the monthly search")
    tune_symbols: int = Field(6, ge=1, le=50, description="Symbols of the monthly search: those with the most recorded "
                                                          "messages")
    # health (D12)
    connect_every_s: float = Field(30.0, gt=0, le=600, description="Connectivity is checked every so many seconds")
    connect_failures: int = Field(5, ge=1, le=100, description="Failures in a row that open the second connections")
    backup_ws_url: str = Field("", description="Streams of the second connections; empty: the feed's address")
    quality_every_s: float = Field(60.0, gt=0, le=600, description="Data quality is checked every so many seconds")
    anomaly_sigma: float = Field(3.0, gt=1, le=20, description="Deviation that pauses signals, in σ of its own past")
    cpu_pct: float = Field(80.0, gt=5, le=100, description="CPU (niced work left out) that shrinks the universe, %")
    memory_pct: float = Field(85.0, gt=5, le=100, description="Memory that shrinks the universe, %")
    lag_ms: float = Field(1000.0, gt=0, le=60_000, description="Lag of the feed that shrinks the universe, ms")
    load_for_s: float = Field(60.0, gt=0, le=3600, description="How long a load must last, s")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        """Refuse classes, targets and lists that contradict each other."""
        if not self.quality_low <= self.quality_medium <= self.quality_high:
            raise ValueError("quality_low, quality_medium and quality_high have to rise")
        if self.tp2_r < self.tp1_r:
            raise ValueError(f"tp2_r is {self.tp2_r}, nearer than tp1_r {self.tp1_r}")
        for name in ("answer_s", "hold_min", "hold_from_min"):
            if len(getattr(self, name)) != 3 or min(getattr(self, name)) <= 0:
                raise ValueError(f"{name} needs three positive numbers: HIGH, MEDIUM, LOW")
        for name, least, most in zip(("HIGH", "MEDIUM", "LOW"), self.hold_from_min, self.hold_min, strict=True):
            if least > most:
                raise ValueError(f"hold_from_min of {name} is {least:g}, longer than its hold_min {most:g}")
        if self.depth_levels not in (100, 500, 1000):
            raise ValueError("depth_levels should be 100, 500 or 1000")
        return self
