"""The same grid on another kind of account: nothing of paper money is carried over to real money, and no id repeats."""

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from modules.exchange.types import Mode
from modules.storage.damage import StateError
from modules.strategies.grid.ledger import Entry, LegLedger
from modules.strategies.grid.live.memory import Memory, Stop
from modules.strategies.grid.live.moved import settle_in
from modules.strategies.grid.reconcile import Case, LegCheck
from modules.strategies.grid.settings import GridSettings
from modules.strategies.grid.signals import Signals
from modules.strategies.grid.state import Mode as Wish
from modules.strategies.grid.state import SessionState

D = Decimal
USED = SessionState(buy=LegLedger(1, fees=D(3), realised=D(-400)), serial=7, generations={"b6": 2},
                    day_realised=D(-400), wish=Wish.PAUSED, stopped_day=3)


def host(account: str, mode: Mode, state: SessionState = USED, **chosen: Any) -> Any:
    """What `settle_in` looks at."""
    settings = GridSettings(**chosen)
    memory = Memory(stops=(Stop("cx1", 1, D(1), D(1), 4),), generation=4, orders={"1": "b6"}, arranged=True,
                    fills_ms=5, started_ms=5, account=account, terms="BTCUSDT 10", series="BTCUSDT 1H 7 0.1 0.8 0")
    return SimpleNamespace(account=SimpleNamespace(mode=mode), memory=memory, state=state, changed=False,
                           book=SimpleNamespace(settings=settings), symbol=settings.trading_symbol,
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


def test_another_contract_begins_its_signals_anew_and_carries_nothing_left_outside() -> None:
    """A SAR of BTC at 60,000 above an ETH of 3,000 would be a signal for days."""
    used = SessionState(buy=LegLedger(1, fees=D(3), realised=D(-4), fold_quantity=D(1), fold_cost=D(9), external=D(1),
                                      external_known=D(1)), signals=Signals(time=5, trend=1, signal=1),
                        buy_check=LegCheck(Case.GREW), serial=7)
    moved = host("live", Mode.LIVE, used, trading_symbol="ETHUSDT")
    settle_in(moved)
    assert moved.state.signals == Signals() and moved.state.buy == LegLedger(1, fees=D(3), realised=D(-4))
    assert moved.state.buy_check.blocked is None and moved.state.serial == 7 and not moved.memory.arranged


def test_positions_of_one_contract_are_never_read_as_anothers() -> None:
    held = SessionState(buy=LegLedger(1, (Entry("b6", 1, D(1), D(60_000), 0),)))
    with pytest.raises(StateError, match="holds positions of BTCUSDT.*for ETHUSDT"):
        settle_in(host("live", Mode.LIVE, held, trading_symbol="ETHUSDT"))


@pytest.mark.parametrize("chosen", [{"timeframe": "5m"}, {"sma_period": 9}, {"sar_af": 0.2}, {"cci_period": 20}])
def test_other_candles_or_periods_begin_the_signals_anew_and_keep_what_is_held(chosen: dict[str, Any]) -> None:
    held = SessionState(buy=LegLedger(1, (Entry("b6", 1, D(1), D(9), 0),)), signals=Signals(time=5, trend=1, signal=1))
    other = host("live", Mode.LIVE, held, **chosen)
    settle_in(other)
    assert other.state.signals == Signals() and other.state.buy == held.buy and other.memory.arranged


def test_another_leverage_is_arranged_again() -> None:
    other = host("live", Mode.LIVE, leverage=20)
    settle_in(other)
    assert not other.memory.arranged and other.state is USED
