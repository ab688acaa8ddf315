"""What the limiters of all venues have used, read from their shared pages: no connection, no lock, no ccxt."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modules.exchange.binance_codes import LIMIT_A_MINUTE
from modules.exchange.budget import PAGE_SIZE, REFUSALS, SHEDS, Budget
from modules.exchange.bybit_codes import CALLS_A_SECOND
from modules.exchange.lanes import Lane
from modules.exchange.mexc_codes import LIMIT, WINDOW_S
from modules.exchange.page import Page, peek
from utils.paths import Paths

if TYPE_CHECKING:
    from config.settings import Settings



@dataclass(frozen=True, slots=True)
class BudgetUse:
    """One venue. `used`: weight that counts now at its fullest endpoint, of `limit` in `window_s` of the venue's time.

    `rest_s`: how long entries and data must rest, `banned_s`: how long everything must. `refusals`, `sheds`: since the
    page was made: refused by the venue as too many, and not sent by us.
    """

    venue: str
    used: float
    limit: float
    window_s: float
    rest_s: float
    banned_s: float
    refusals: int
    sheds: int


def budgets(settings: "Settings", paths: Paths) -> list[BudgetUse]:
    """Every venue that anybody has asked something. `used` is in the same weights as `limit`."""
    futures = (CALLS_A_SECOND, 1.0) if settings.futures.speaks == "bybit" else (LIMIT_A_MINUTE, 60.0)
    kinds = (("exchange", settings.exchange.name, LIMIT, WINDOW_S),
             ("futures", settings.futures.counted_as, *futures),
             ("bitget", settings.bitget.name, settings.bitget.calls_a_second, 1.0))
    found = []
    for kind, name, limit, window_s in kinds:
        cells = peek(paths.run / f"{kind}-{name}.budget1", PAGE_SIZE)
        if cells is None:
            continue
        page = Page(0)
        page.cells = cells
        budget = Budget(page, limit, window_s, lambda: 1.0)
        found.append(BudgetUse(kind, max(budget.used(), default=0.0), limit, window_s, budget.rest_s(Lane.DATA),
                               budget.rest_s(Lane.PROTECT), int(cells[REFUSALS]), int(cells[SHEDS])))
    return found
