"""What people see of the limiters: the same weights that the processes count, read without lock or connection."""

from pathlib import Path

import pytest

from config.settings import load_settings
from modules.exchange import futures_gateway
from modules.exchange.binance_codes import LIMIT_A_MINUTE
from modules.exchange.budget import PAGE_SIZE, REFUSALS, SHEDS, Budget, Ticket
from modules.exchange.budget_view import budgets
from modules.exchange.bybit_codes import CALLS_A_SECOND
from modules.exchange.lanes import Lane
from modules.exchange.mexc_codes import LIMIT, WINDOW_S
from modules.exchange.page import Page, SharedPage
from utils.paths import Paths


class Seconds:
    """A monotonic clock that the test moves."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def test_the_fullest_endpoint_of_each_venue_is_told(tmp_path: Path) -> None:
    paths = Paths(tmp_path).prepare()
    settings = load_settings(paths, {})
    assert budgets(settings, paths) == [], "nobody has asked anything"
    page = SharedPage(paths.run / "exchange-simulated.budget1", PAGE_SIZE)
    budget = Budget(page, LIMIT, WINDOW_S, lambda: 1.0)
    for key, weight in (("ticker", 40), ("order", 1), ("ticker", 40)):
        assert isinstance(budget.claim(key, weight, Lane.DATA, 5.0), Ticket)
    budget.rest("ticker", 60.0, everything=False)
    budget.count(SHEDS)
    [told] = budgets(settings, paths)
    assert (told.venue, told.used, told.limit) == ("exchange", 80.0, LIMIT)
    assert 50 < told.rest_s <= 60 and told.banned_s == 0
    assert (told.refusals, told.sheds) == (int(page.cells[REFUSALS]), 1) == (1, 1)
    page.close()


def test_weight_is_forgotten_with_its_window_and_with_a_reboot() -> None:
    page, clock = Page(PAGE_SIZE), Seconds(5000.0)
    budget = Budget(page, LIMIT, WINDOW_S, lambda: 1.0, clock)
    ticket = budget.claim("ticker", 30, Lane.DATA, 1.0)
    assert isinstance(ticket, Ticket) and budget.used() == [30.0]
    budget.settle(ticket)
    clock.now += WINDOW_S + 1
    assert budget.used() == []
    assert isinstance(budget.claim("ticker", 30, Lane.DATA, 1.0), Ticket) and budget.used() == [30.0]
    clock.now = 12.0  # the machine was started again
    assert budget.used() == []


@pytest.mark.parametrize(("name", "dialect", "page", "limit"), [
    ("simulated", "binance", "simulated", (LIMIT_A_MINUTE, 60.0)),
    ("simulated", "bybit", "simulated-bybit", (CALLS_A_SECOND, 1.0)),
    ("bybit", "binance", "bybit", (CALLS_A_SECOND, 1.0)), ("binance", "binance", "binance", (LIMIT_A_MINUTE, 60.0))])
def test_the_futures_venue_is_told_by_its_own_page_and_measure(tmp_path: Path, name: str, dialect: str, page: str,
                                                               limit: tuple[float, float]) -> None:
    """The page that the processes write, and what the venue of that page grants."""
    paths = Paths(tmp_path).prepare()
    settings = load_settings(paths, {"FUTURES_NAME": name, "FUTURES_DIALECT": dialect})
    shared = futures_gateway._page(settings.futures, paths)
    Budget(shared, *limit, lambda: 1.0).claim("address", 3, Lane.DATA, 5.0)
    [told] = budgets(settings, paths)
    shared.close()
    assert (told.used, told.limit, told.window_s) == (3.0, *limit)
    assert (paths.run / f"futures-{page}.budget1").exists()
