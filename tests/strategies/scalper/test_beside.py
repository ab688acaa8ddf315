"""Where the feed hears another venue: a signal is offered at the exchange's own prices, fresh and near, or not."""

from decimal import Decimal
from typing import Any

import pytest

from modules.exchange.types import Book, Unavailable
from modules.strategies.scalper.beside import FRESH_S, Beside, apart, apart_words
from modules.strategies.scalper.eye import Signal
from modules.strategies.scalper.reasons import Code


class Venue:
    """Answers with a book, an empty one, or not at all."""

    def __init__(self) -> None:
        self.levels: tuple[tuple[str, str], ...] | None = (("99.99", "100.01"),)

    async def book(self, symbol: str, limit: int = 50) -> Book:
        if self.levels is None:
            raise Unavailable("no answer")
        one = Decimal(1)
        return Book(symbol, tuple((Decimal(bid), one) for bid, _ in self.levels),
                    tuple((Decimal(ask), one) for _, ask in self.levels), 0)


def signal(bid: float = 100.0, ask: float = 100.02) -> Signal:
    return Signal("ETHUSDT", 1, 0.5, {}, bid, ask, 2.0, 12.0, 0, 0, {})


@pytest.fixture
def bench() -> tuple[Venue, Beside, list[float]]:
    venue, now = Venue(), [100.0]
    market: Any = venue
    return venue, Beside(market, ("ETHUSDT",), 10.0, monotonic=lambda: now[0]), now


async def test_the_exchanges_own_prices_are_the_orders(bench: tuple[Venue, Beside, list[float]]) -> None:
    _, beside, _ = bench
    assert beside.priced(signal())[0] is Code.PRICE_ELSEWHERE, "nothing was asked for yet"
    await beside.turn()
    code, found = beside.priced(signal())
    assert (code, found.bid, found.ask) == (Code.OK, 99.99, 100.01)


@pytest.mark.parametrize("bid, ask, code", [
    (100.08, 100.10, Code.OK), (100.12, 100.14, Code.PRICE_ELSEWHERE), (99.84, 99.86, Code.PRICE_ELSEWHERE),
    (0.0, 0.0, Code.PRICE_ELSEWHERE)], ids=["near", "above", "below", "none"])
async def test_prices_that_lie_apart_refuse(bench: tuple[Venue, Beside, list[float]], bid: float, ask: float,
                                            code: Code) -> None:
    _, beside, _ = bench
    await beside.turn()
    assert beside.priced(signal(bid, ask))[0] is code


@pytest.mark.parametrize("levels", [None, ()], ids=["no answer", "empty book"])
async def test_a_price_that_is_not_answered_grows_old(bench: tuple[Venue, Beside, list[float]],
                                                      levels: tuple[tuple[str, str], ...] | None) -> None:
    venue, beside, now = bench
    await beside.turn()
    venue.levels = levels
    now[0] += FRESH_S - 0.1
    await beside.turn()
    assert beside.priced(signal())[0] is Code.OK
    now[0] += 0.2
    assert beside.priced(signal())[0] is Code.PRICE_ELSEWHERE


@pytest.mark.parametrize(("feed", "futures", "wrong"), [
    ("simulated", "simulated", False), ("binance_usdm", "binance", False), ("binance_usdm", "bybit", False),
    ("simulated", "binance", True), ("simulated", "bybit", True), ("binance_usdm", "simulated", True)])
async def test_flow_of_a_simulated_market_never_moves_real_money(bench: tuple[Venue, Beside, list[float]], feed: str,
                                                                 futures: str, wrong: bool) -> None:
    assert apart(feed, futures) is wrong
    venue, _, now = bench
    market: Any = venue
    beside = Beside(market, ("ETHUSDT",), 10.0, apart(feed, futures), lambda: now[0])
    await beside.turn()
    assert beside.priced(signal())[0] is (Code.PRICE_ELSEWHERE if wrong else Code.OK)
    if wrong:
        right = "simulated" if futures == "simulated" else "binance_usdm"
        assert f"FEED_VENUE={right}," in apart_words(feed, futures)["todo"]
