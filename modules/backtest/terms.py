"""The account's terms in whole numbers, from the live limits (A18) and the costs of the backtest."""

from modules.backtest import arrays as a
from modules.backtest.settings import BacktestSettings
from modules.strategies.hype.exit_rules import ppm
from modules.strategies.hype.settings import HypeSettings


def terms_of(hype: HypeSettings, costs: BacktestSettings, plain: bool = False) -> a.Terms:
    """The account's terms; `plain` leaves out the limits of the hype bot."""
    start = round(costs.start_usdt * a.MONEY)
    most = a.NEVER // 4
    return a.Terms(
        start=start, trade_size=_units(hype.trade_usdt), share_ppm=ppm(hype.trade_share_pct, 100),
        max_token=most if plain else _units(hype.max_token_usdt), max_open=hype.max_open_trades,
        max_exposure=most if plain else _units(hype.max_exposure_usdt),
        max_per_day=1 << 40 if plain else hype.max_trades_per_day,
        cool_stop_ms=0 if plain else round(hype.cooldown_after_stop_s * 1000),
        cool_sell_ms=0 if plain else round(hype.cooldown_after_sell_s * 1000),
        rejudge_ms=0 if plain else round(hype.rejudge_after_s * 1000),
        max_age_ms=most if plain else round(hype.max_proposal_age_s * 1000),
        max_slippage_ppm=10 ** 9 if plain else ppm(hype.max_slippage_pct, 100), fee_ppm=ppm(costs.fee_pct, 100),
        half_spread_ppm=ppm(costs.spread_pct / 2, 100), slippage_ppm=ppm(costs.slippage_pct, 100),
        impact_ppm=ppm(costs.impact_pct, 100), most_slippage_ppm=ppm(costs.most_slippage_pct, 100),
        carry_ppm=ppm(costs.short_cost_pct_day, 100),
    )


def _units(usdt: float) -> int:
    return round(usdt * a.MONEY)
