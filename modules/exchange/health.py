"""How the venue does, read from the shared page by any process: no connection, no lock, no ccxt."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modules.exchange.breaker import Breakers
from modules.exchange.budget import PAGE_SIZE, REFUSALS, SHEDS, Budget
from modules.exchange.lanes import Lane
from modules.exchange.page import Page, peek
from utils.paths import Paths

if TYPE_CHECKING:
    from pathlib import Path

    from modules.exchange.settings import ExchangeSettings


@dataclass(frozen=True, slots=True)
class Health:
    """`failing_s`, `orders_failing_s`: how long the venue, or its order desk, has been failing; 0 while well.

    `rest_s`: how long entries and data must rest still, `banned_s`: how long everything must. `refusals` and `sheds`
    count requests that the venue refused as too many, and those that we did not send, since the page was made.
    """

    failing_s: float
    orders_failing_s: float
    rest_s: float
    banned_s: float
    refusals: int
    sheds: int

    @property
    def text(self) -> str:
        """One line for people."""
        told = []
        if self.failing_s:
            told.append(f"fails for {self.failing_s:.0f} s: entries are refused, exits are tried")
        elif self.orders_failing_s:
            told.append(f"takes no new orders for {self.orders_failing_s:.0f} s: entries are refused, exits are tried")
        if self.banned_s:
            told.append(f"blocks this machine's address for {self.banned_s:.0f} s more (too many requests)")
        elif self.rest_s:
            told.append(f"asks for a rest of {self.rest_s:.0f} s (too many requests)")
        return "; ".join(told) or "well"


def page_file(settings: "ExchangeSettings", paths: Paths) -> "Path":
    """The page that all processes of an installation share. The number is its format's."""
    return paths.run / f"exchange-{settings.name}.budget1"


def health(settings: "ExchangeSettings", paths: Paths) -> Health | None:
    """How the venue does now; None before the first request of any process."""
    cells = peek(page_file(settings, paths), PAGE_SIZE)
    if cells is None:
        return None
    page = Page(0)
    page.cells = cells
    budget = Budget(page, 1.0, 1.0, lambda: 1.0)
    breakers = Breakers(page)
    return Health(breakers.venue.open_s, breakers.orders.open_s, budget.rest_s(Lane.DATA),
                  budget.rest_s(Lane.PROTECT), int(cells[REFUSALS]), int(cells[SHEDS]))
