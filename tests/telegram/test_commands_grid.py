"""The grid from a phone: proven before it starts, risk accepted in words, stopped with its protection, shown."""

from decimal import Decimal
from typing import Any

import pytest

from modules.exchange.types import Mode, Unavailable
from modules.strategies.grid import events as ev
from modules.strategies.grid.ledger import GridFill
from modules.strategies.grid.live import standalone
from modules.strategies.grid.reconcile import VenueLeg
from modules.strategies.grid.session import step
from modules.strategies.grid.settings import GridSettings
from modules.strategies.grid.state import SessionState, rulebook, saved
from modules.strategies.grid.store.records import Order, Save, StoreError, Wanted
from modules.strategies.grid.store.store import GridStore
from modules.strategies.grid.units import Contract
from modules.strategies.grid.worst_case import may_start
from modules.telegram.chart_grid import draw
from modules.telegram.markup import plain
from tests.telegram.house import VIEWER, House, telegram

D = Decimal
BTC = Contract("BTCUSDT", D("0.1"), D("0.001"), D("0.001"))


@pytest.fixture
def proven(house: House, monkeypatch: pytest.MonkeyPatch) -> dict[str, Decimal]:
    """The proof at a price and balance that tests set, without an exchange."""
    world = {"balance": D(20_000)}

    async def propose(settings: Any, paths: Any, mode: Mode, chosen: GridSettings, accept: str = "") -> Any:
        contract = Contract(chosen.trading_symbol, BTC.tick, BTC.step, BTC.min_quantity)
        start = may_start(chosen, contract, D(42_000), world["balance"], accept)
        return standalone.Proposal(chosen, start, D(42_000), world["balance"])

    async def nowhere(*_: Any, **__: Any) -> Any:
        raise Unavailable("no exchange here")

    monkeypatch.setattr(standalone, "propose", propose)
    monkeypatch.setattr("modules.strategies.grid.live.service.open_bitget", nowhere)
    return world


@pytest.fixture
def store(house: House) -> Any:
    """The house's store."""
    opened = GridStore.open(house.settings, house.paths)
    yield opened
    opened.close()


def position(store: GridStore, side_check: VenueLeg | None = None) -> None:
    """A saved grid with one BUY, as a worker leaves it."""
    held = store.sessions.claim("worker", 60, 5)[0]
    book = rulebook(GridSettings.model_validate(held.session.settings), BTC)
    state, _ = step(SessionState(), ev.Filled(1_760_000_000_000, GridFill(
        "t1", "b1", 1, True, D(42_000), D("0.001"), D("0.025"), 1_760_000_000_000)), book)
    state = state if state.buy.entries else _opened(book)
    if side_check is not None:
        for _ in range(2):
            state, _ = step(state, ev.Positions(1, side_check, VenueLeg(-1)), book)
    store.sessions.save([Save(held.lease, saved(state), {"bid": "41900", "ask": "41900.1", "mode": "TEST",
                                                         "liquidation": {"1": "21000", "-1": None}})])
    store.sessions.release([held.lease])


def _opened(book: Any) -> SessionState:
    """One BUY of the grid's own."""
    state = SessionState(generations={"b1": 1})
    return step(state, ev.Filled(1_760_000_000_000, GridFill(
        "t1", "b1", 1, True, D(42_000), D("0.001"), D("0.025"), 1_760_000_000_000)), book)[0]


async def test_a_start_is_proven_asked_and_written_down(house: House, proven: dict[str, Decimal],
                                                        store: GridStore) -> None:
    asked = plain(await house.ask("/startgrid"))
    assert "[TEST] Start a grid on BTCUSDT?" in asked and "paper money" in asked and "Within the limits" in asked
    assert "down" in asked and "both" in asked
    assert standalone.standing(store, "standalone") is None, "nothing happens unasked"
    assert "The grid is on" in plain(await house.confirm("/startgrid"))
    session = store.sessions.session("standalone")
    assert session.wanted is Wanted.RUNNING and session.figures is not None and session.accepted is None
    assert ("start", "grid") in house.crew.asked
    assert "is running" in plain(await house.ask("/startgrid"))


async def test_an_unsafe_start_needs_the_word_of_a_person_who_is_named(house: House, proven: dict[str, Decimal],
                                                                      store: GridStore) -> None:
    proven["balance"] = D(1_000)
    asked = plain(await house.ask("/startgrid"))
    assert "It breaks limits" in asked and "liquidated before order" in asked and "accept this risk" in asked
    await house.confirm("/startgrid")
    session = store.sessions.session("standalone")
    assert session.accepted is not None and "console" in session.accepted["by"]


async def test_what_cannot_work_no_acceptance_allows(house: House, proven: dict[str, Decimal],
                                                     store: GridStore) -> None:
    assert "It cannot start" in plain(await house.ask("/startgrid BTCUSDT 0.001 140"))
    assert standalone.standing(store, "standalone") is None
    assert "no grid" in plain(await house.ask("/startgrid BTCUSDT 80"))


async def test_a_stop_leaves_or_closes_and_says_which(house: House, proven: dict[str, Decimal],
                                                      store: GridStore) -> None:
    assert "No grid has run yet" in plain(await house.ask("/stopgrid"))
    await house.confirm("/startgrid")
    position(store)
    asked = plain(await house.ask("/stopgrid"))
    assert "leave its positions" in asked and "BUY: 1 position, 0.001 at 42,000" in asked and "stop" in asked
    await house.confirm("/stopgrid")
    assert store.sessions.session("standalone").wanted is Wanted.STOPPED
    assert not store.sessions.commands("standalone")
    await house.confirm("/stopgrid close")
    assert store.sessions.session("standalone").wanted is Wanted.DRAINING, "a worker has to take it up to close it"
    assert [one.word for one in store.sessions.commands("standalone")] == [Order.FLATTEN]


async def test_the_grid_is_shown_to_viewers_with_a_picture(house: House, proven: dict[str, Decimal],
                                                           store: GridStore) -> None:
    await house.confirm("/startgrid")
    position(store)
    house.worker.answers["grid"] = {"picture": "pictures/grid.png"}
    answer = await house.router.line(telegram(VIEWER), "/grid")
    assert answer is not None and answer.picture == house.paths.data / "pictures/grid.png"
    said = plain(answer.text)
    assert "orders" in said and "1/20" in said and "41,790" in said and "21,000" in said and "Break-even" in said
    task, spec = house.worker.asked[-1]
    assert task == "grid" and spec["buy"]["entries"] == [[42_000.0, 0.001, 1]]
    made = house.paths.data / draw(house.paths, spec)
    assert made.stat().st_size > 10_000


async def test_what_blocks_a_side_is_acknowledged_once_asked(house: House, proven: dict[str, Decimal],
                                                            store: GridStore) -> None:
    await house.confirm("/startgrid")
    position(store, VenueLeg(1, D("0.5"), D(42_000)))
    assert "GREW" in plain(await house.ask("/grid"))
    assert "Nothing waits" in plain(await house.ask("/gridack sell"))
    assert "stays outside" in plain(await house.ask("/gridack buy"))
    await house.confirm("/gridack buy adopt")
    [command] = store.sessions.commands("standalone")
    assert command.word is Order.ACKNOWLEDGE and command.body == {"side": 1, "answer": "adopt"}


async def test_another_account_is_not_taken_while_positions_are_held(house: House, proven: dict[str, Decimal],
                                                                    store: GridStore) -> None:
    await house.confirm("/startgrid")
    position(store)
    await house.confirm("/stopgrid")
    found = await standalone.propose(house.settings, house.paths, Mode.LIVE, house.settings.grid)
    with pytest.raises(StoreError, match="still holds positions"):
        standalone.begin(store, house.settings, Mode.LIVE, found, "test")
    with pytest.raises(Unavailable, match="BITGET_API_KEY"):
        standalone.credentials(house.settings.bitget.model_copy(update={"name": "bitget"}), Mode.LIVE)
