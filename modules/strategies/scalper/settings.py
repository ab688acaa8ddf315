"""Settings of the scalper (B1–B12)."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class ScalperSettings(BaseModel):
    """Symbols, weights, thresholds, exits, costs and limits of system B."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    symbols: tuple[str, ...] = Field(("BTCUSDT", "ETHUSDT", "SOLUSDT"), description="Contracts that are scalped")
    compiled: bool = Field(True, description="Use compiled rules where numba is installed")
    # flow windows (B3)
    flow_s: float = Field(10.0, ge=1, le=300, description="Window of order flow, trades and short volatility, market s")
    fast_s: float = Field(2.0, ge=0.2, le=60, description="Window of the tick speed, market s")
    large_level: float = Field(4.0, gt=1, le=100, json_schema_extra={"search_ticks": [2, 12]},
                               description="A resting order so many times the average level is large")
    large_trade_usdt: float = Field(50_000.0, gt=0, description="A trade from this size on is large, USDT")
    max_book_age_s: float = Field(1.0, gt=0, le=10, description="A book not changed for so long is not decided on")
    # weights of the parts (B5); each part lies in -1..1
    w_imbalance: float = Field(1.0, ge=0, le=10, json_schema_extra={"search_ticks": [0, 3]},
                               description="Weight of the book's imbalance (mean of 1, 5, 10, 20 levels)")
    w_micro: float = Field(0.5, ge=0, le=10, json_schema_extra={"search_ticks": [0, 3]},
                           description="Weight of the microprice's distance from the mid, in half spreads")
    w_ofi: float = Field(1.0, ge=0, le=10, json_schema_extra={"search_ticks": [0, 3]},
                         description="Weight of order-flow imbalance")
    w_cvd: float = Field(1.0, ge=0, le=10, json_schema_extra={"search_ticks": [0, 3]},
                         description="Weight of the volume delta of the window")
    w_large: float = Field(0.5, ge=0, le=10, json_schema_extra={"search_ticks": [0, 3]},
                           description="Weight of large orders, resting and traded")
    w_rsi: float = Field(0.5, ge=0, le=10, json_schema_extra={"search": [0, 3]},
                         description="Weight of RSI, against the move: oversold speaks for buying")
    w_macd: float = Field(0.75, ge=0, le=10, json_schema_extra={"search": [0, 3]},
                          description="Weight of MACD's histogram, with the move")
    w_bollinger: float = Field(0.5, ge=0, le=10, json_schema_extra={"search": [0, 3]},
                               description="Weight of the place within the Bollinger bands, against the move")
    w_sentiment: float = Field(0.5, ge=0, le=10, json_schema_extra={"search": [0, 3]},
                               description="Weight of sentiment (its score tells confidence and age already)")
    sentiment_record: str = Field("", description="Folder of recorded sentiment for backtests; empty: data/sentiment")
    # indicators (B2), of closed 1m candles
    rsi_bars: int = Field(14, ge=2, le=100, json_schema_extra={"search": [5, 30]},
                          description="Candles of RSI (Wilder)")
    macd_fast: int = Field(12, ge=2, le=100, json_schema_extra={"search": [5, 20]}, description="Fast average of MACD")
    macd_slow: int = Field(26, ge=3, le=200, json_schema_extra={"search": [21, 60]},
                           description="Slow average of MACD")
    macd_signal: int = Field(9, ge=2, le=100, description="Average of MACD's signal line")
    bollinger_bars: int = Field(20, ge=5, le=200, json_schema_extra={"search": [10, 60]},
                                description="Candles of the Bollinger bands")
    bollinger_width: float = Field(2.0, gt=0, le=6, description="Width of the bands, in standard deviations")
    atr_bars: int = Field(14, ge=2, le=100, description="Candles of ATR (Wilder)")
    # thresholds
    buy_score: float = Field(0.35, gt=0, le=1, json_schema_extra={"search_ticks": [0.15, 0.7]},
                             description="Score from which it buys; sells from minus this on")
    min_speed: float = Field(0.5, ge=0, le=20, json_schema_extra={"search_ticks": [0, 2]},
                             description="Trades a second, against the window's own mean, at least")
    min_trades: int = Field(5, ge=0, le=10_000, description="Trades in the window, at least")
    max_spread_bps: float = Field(3.0, gt=0, le=500, json_schema_extra={"search_ticks": [0.5, 10, "log"]},
                                  description="Widest spread, 1/100 %")
    max_volatility_bps: float = Field(60.0, gt=0, le=5000, json_schema_extra={"search_ticks": [5, 200, "log"]},
                                      description="Highest short volatility, 1/100 % a window")
    # exits (B11)
    stop_atr: float = Field(2.5, gt=0, le=50, json_schema_extra={"search": [0.5, 6]},
                            description="Stop: so many ATR of 1m candles, within the two limits below")
    min_stop_bps: float = Field(20.0, gt=0, le=2000, description="Nearest stop, 1/100 %")
    max_stop_bps: float = Field(120.0, gt=0, le=5000, description="Farthest stop, 1/100 %")
    take_r: float = Field(1.5, gt=0, le=20, json_schema_extra={"search": [0.5, 4]},
                          description="Take profit: so many times the stop's distance")
    hold_s: float = Field(300.0, ge=1, le=86_400, json_schema_extra={"search": [60, 3600, "log"]},
                          description="Longest hold, market s")
    flip: bool = Field(True, description="A signal the other way closes the position")
    # costs
    maker_fee_pct: float = Field(0.02, ge=-1, le=2, description="Fee of a resting order that is counted on, %")
    taker_fee_pct: float = Field(0.05, ge=-1, le=2, description="Fee of a taker that is counted on, %")
    cost_factor: float = Field(1.0, ge=0, le=20, description="Score × target must be worth so many times fees and "
                                                                "spread")
    # entries
    wait_s: float = Field(3.0, gt=0, le=60, description="How long a limit entry at the best price may rest, market s")
    taker: bool = Field(True, description="Where it was not filled and still worth it at taker's fees: take")
    elsewhere_bps: float = Field(10.0, gt=0, le=200, description="Where the feed hears another exchange than the one "
                                 "traded on: how far their prices may be apart, basis points")
    max_chase_bps: float = Field(3.0, ge=0, le=100, description="How far such a taker may pay above the first price, "
                                                                "1/100 %")
    # size and limits
    risk_pct: float = Field(0.25, gt=0, le=10, description="Loss at the stop, % of equity")
    max_position_usdt: float = Field(500.0, gt=0, le=1e8, description="Largest position, USDT")
    most_open: int = Field(2, ge=1, le=50, description="Positions at once")
    trades_a_day: int = Field(60, ge=0, le=10_000, description="Entries a day (UTC) at most")
    day_loss_pct: float = Field(2.0, gt=0, le=100, description="Loss of a day (UTC) that ends entries, % of equity")
    cooldown_s: float = Field(20.0, ge=0, le=86_400, description="Wait after each trade of a symbol, market s")
    cooldown_loss_s: float = Field(120.0, ge=0, le=86_400, description="Wait after a loss of a symbol, market s")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        """Refuse windows, averages and limits that contradict each other."""
        if self.fast_s > self.flow_s:
            raise ValueError(f"fast_s is {self.fast_s:g}, longer than flow_s {self.flow_s:g}")
        if self.macd_slow <= self.macd_fast:
            raise ValueError(f"macd_slow is {self.macd_slow}, not longer than macd_fast {self.macd_fast}")
        if self.max_stop_bps < self.min_stop_bps:
            raise ValueError(f"max_stop_bps is {self.max_stop_bps:g}, nearer than min_stop_bps {self.min_stop_bps:g}")
        if not self.symbols or len(set(self.symbols)) != len(self.symbols):
            raise ValueError("symbols needs at least one contract, each once")
        if not (self.w_imbalance + self.w_micro + self.w_ofi + self.w_cvd + self.w_large) > 0:
            raise ValueError("all weights of order flow are 0: it would trade without looking at the book")
        return self
