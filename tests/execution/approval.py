"""Orders that passed their checklist, for tests of what comes after it."""

from decimal import Decimal

from modules.exchange.types import Side
from modules.execution.controls import Approved, ExitWorld, approve_entry, approve_exit
from modules.execution.intents import Intent
from modules.execution.limits import EntryRequest, Limits, World
from tests.execution.venue import START_MS, market

D = Decimal
LIMITS = Limits(max_open=5, max_exposure=D(500), max_token=D(100), max_per_day=50, max_age_ms=120_000,
                max_slippage=D("0.015"), max_fall=D("0.05"), max_data_age_ms=5_000)
WORLD = World(now_ms=START_MS, closed="", paused="", held=frozenset(), unresolved=frozenset(), exposure=D(0),
              entries_today=0, free_quote=D(1000), rests_until_ms=0, rests_why="", token_value=D(0),
              balance_ms=START_MS)


def approved(intent: Intent) -> Approved[Intent]:
    """`intent` as the checklists let it through."""
    passed: object
    if intent.side is Side.SELL:
        passed = approve_exit(intent, ExitWorld(market(intent.symbol), None, None))
    else:
        assert intent.quantity is not None and intent.price is not None
        ask = EntryRequest(symbol=intent.symbol, quote=intent.quantity * intent.price, price=intent.price,
                           proposed_ms=intent.market_ms, ask=intent.price, price_ms=intent.market_ms,
                           offered=intent.quantity, quantity=intent.quantity, cap=intent.price,
                           market=market(intent.symbol))
        passed = approve_entry(intent, ask, WORLD, LIMITS)
    assert isinstance(passed, Approved), passed
    return passed
