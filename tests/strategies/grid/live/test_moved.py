"""The same grid on another kind of account: nothing of paper money is carried over to real money, and no id repeats."""

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from modules.exchange.types import Mode
from modules.strategies.grid.ledger import Entry, LegLedger
from modules.strategies.grid.live.memory import Memory, Stop
from modules.strategies.grid.live.moved import settle_in
from modules.strategies.grid.state import Mode as Wish
from modules.strategies.grid.state import SessionState

D = Decimal
USED = SessionState(buy=LegLedger(1, fees=D(3), realised=D(-400)), serial=7, generations={"b6": 2},
                    day_realised=D(-400), wish=Wish.PAUSED, stopped_day=3)


def host(account: str, mode: Mode, state: SessionState = USED) -> Any:
    """What `settle_in` looks at."""
    memory = Memory(stops=(Stop("cx1", 1, D(1), D(1), 4),), generation=4, orders={"1": "b6"}, arranged=True,
                    fills_ms=5, started_ms=5, account=account)
    return SimpleNamespace(account=SimpleNamespace(mode=mode), memory=memory, state=state, changed=False,
                           flat=not (state.buy.entries or state.sell.entries or state.pending),
                           lease=SimpleNamespace(user_id="ann"))


def test_paper_results_do_not_count_towards_limits_of_real_money() -> None:
    moved = host("paper", Mode.LIVE)
    settle_in(moved)
    assert (moved.state.day_realised, moved.state.buy.fees, moved.state.stopped_day) == (0, 0, -1)
    assert moved.state.serial == 7 and moved.state.generations == {"b6": 2} and moved.state.wish is Wish.PAUSED
    assert not moved.memory.arranged and not moved.memory.started_ms and not moved.memory.stops
    assert moved.memory.generation == 4 and moved.memory.account == "live" and moved.changed


@pytest.mark.parametrize("account, mode, entries", [
    ("live", Mode.LIVE, ()), ("", Mode.LIVE, ()), ("paper", Mode.LIVE, (Entry("b6", 1, D(1), D(9), 0),))])
def test_another_key_of_the_same_account_loses_nothing(account: str, mode: Mode, entries: tuple[Entry, ...]) -> None:
    """Nor does what was saved before kinds were noted, nor anything that is held."""
    kept = SessionState(buy=LegLedger(1, entries, fees=D(3)), serial=7, day_realised=D(-400))
    same = host(account, mode, kept)
    settle_in(same)
    assert same.state is kept and same.memory.arranged and same.memory.account == "live" and not same.changed
