"""The settings as the kernels take them: plain numbers of one contract."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from modules.strategies.scalper.settings import ScalperSettings


class Terms(NamedTuple):
    """Windows in ms, weights, thresholds, distances in bps (1/100 %). `large_units`: price × quantity, whole units."""

    flow_ms: int
    fast_ms: int
    large_level: float
    large_units: int
    w_imbalance: float
    w_micro: float
    w_ofi: float
    w_cvd: float
    w_large: float
    w_rsi: float
    w_macd: float
    w_bollinger: float
    w_sentiment: float
    buy_score: float
    min_speed: float
    min_trades: int
    max_spread_bps: float
    max_volatility_bps: float
    stop_atr: float
    min_stop_bps: float
    max_stop_bps: float
    take_r: float
    hold_ms: int
    flip: bool
    maker_bps: float
    taker_bps: float
    cost_factor: float


def terms_of(settings: "ScalperSettings", scale: int = 0) -> Terms:
    """`scale`: decimals of price and of quantity together, of whole units."""
    own = settings
    return Terms(
        round(own.flow_s * 1000), round(own.fast_s * 1000), own.large_level, round(own.large_trade_usdt * 10 ** scale),
        own.w_imbalance, own.w_micro, own.w_ofi, own.w_cvd, own.w_large, own.w_rsi, own.w_macd, own.w_bollinger,
        own.w_sentiment, own.buy_score, own.min_speed, own.min_trades, own.max_spread_bps, own.max_volatility_bps,
        own.stop_atr, own.min_stop_bps, own.max_stop_bps, own.take_r, round(own.hold_s * 1000), own.flip,
        own.maker_fee_pct * 100, own.taker_fee_pct * 100, own.cost_factor)
