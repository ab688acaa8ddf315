"""How much to spend on a trade (A18): fixed or a share of equity, made smaller by the market's mood."""

from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING

from modules.execution.limits import Limits

if TYPE_CHECKING:
    from modules.strategies.hype.settings import HypeSettings

CENT = Decimal("0.01")
# A proposal is void when the price has fallen this far below it, or twice as far as it may have risen.
FALL = Decimal("0.05")
# Book and balance of an order are at most so old, real milliseconds.
DATA_AGE_MS = 5_000


def trade_size(settings: "HypeSettings", equity: Decimal, factor: float) -> Decimal:
    """USDT to spend: the fixed size or the share of `equity`, times the mood's factor, capped per token, in cents."""
    if settings.trade_share_pct > 0:
        size = equity * exact(settings.trade_share_pct) / 100
    else:
        size = exact(settings.trade_usdt)
    size = min(size * exact(factor), exact(settings.max_token_usdt))
    return max(size, Decimal(0)).quantize(CENT, rounding=ROUND_DOWN)


def limits_of(settings: "HypeSettings", speed: float = 1.0) -> Limits:
    """The figures of the entry limits; `speed` of market time, because answers take real time."""
    slippage = exact(settings.max_slippage_pct) / 100
    return Limits(
        max_open=settings.max_open_trades, max_exposure=exact(settings.max_exposure_usdt),
        max_token=exact(settings.max_token_usdt), max_per_day=settings.max_trades_per_day,
        max_age_ms=round(settings.max_proposal_age_s * 1000), max_slippage=slippage,
        max_fall=min(max(FALL, 2 * slippage), Decimal("0.5")), max_data_age_ms=round(DATA_AGE_MS * max(speed, 1.0)),
    )


def exact(value: float) -> Decimal:
    """A float as a person wrote it: 0.1 is 0.1."""
    return Decimal(repr(value))
