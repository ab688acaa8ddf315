"""Why is nothing bought? Ordered checks; the first that fails is the headline (``/why [SYMBOL]``).

The order is that of cause: a stopped scanner explains stale data, stale data explain missing candidates. For one
token its own checks stand between the crew's life and the limits of the account.

Nothing is asked of the exchange: the checks read heartbeats, state files and the scanner's report.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from modules.strategies.hype import why_account, why_crew, why_market, why_token
from modules.strategies.hype.why_view import Check, View, gather
from modules.supervision.status import ServiceStatus
from utils.paths import Paths

if TYPE_CHECKING:
    from config.settings import Settings

__all__ = ["Check", "explain", "headline"]

_ALIVE: tuple[Callable[[View], Check], ...] = (
    why_crew.started, why_crew.alive, why_crew.fresh,
)
_ACCOUNT: tuple[Callable[[View], Check], ...] = (
    why_account.mode, why_account.trading, why_account.limits, why_market.mood, why_account.open_trades,
    why_account.exposure, why_account.day_trades, why_market.models,
)


def explain(paths: Paths, settings: "Settings", services: Sequence[ServiceStatus],
            symbol: str | None = None) -> list[Check]:
    """Every check in order; the first with ``ok`` False is the cause.

    `symbol` as a person typed it (pepe, PEPE/USDT). Raises StateError where a state file cannot be read.
    """
    view = gather(paths, settings, services)
    checks = [check(view) for check in _ALIVE]
    if symbol is not None:
        checks += why_token.checks(view, symbol)
    checks += [check(view) for check in _ACCOUNT]
    if symbol is None:
        checks.append(why_market.funnel(view))
        checks.append(why_market.purchases(view))
    return checks


def headline(checks: Sequence[Check], symbol: str = "") -> str:
    """One sentence: what stands in the way, or that nothing does."""
    failed = next((check for check in checks if not check.ok), None)
    about = f"{symbol} is not bought" if symbol else "Not trading"
    if failed is not None:
        return f"{about} because {failed.text}"
    return f"Nothing stands in the way of {symbol}." if symbol else "Nothing stands in the way of trading."
