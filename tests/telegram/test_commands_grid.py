"""The grid from a phone: proven before it starts, risk accepted in words, stopped with its protection, shown."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from modules.exchange.types import Mode, Unavailable
from modules.execution.risk_state import RiskState, scope_of
from modules.storage.sql.database import DatabaseAway
from modules.strategies.grid import events as ev
from modules.strategies.grid.ledger import GridFill
from modules.strategies.grid.live import standalone
from modules.strategies.grid.live.memory import Memory, Stop
from modules.strategies.grid.reconcile import VenueLeg
from modules.strategies.grid.session import step
from modules.strategies.grid.settings import GridSettings
from modules.strategies.grid.state import SessionState, rulebook, saved
from modules.strategies.grid.store.records import Credentials, NewUser, Order, Save, StoreError, Wanted, Webhook
from modules.strategies.grid.store.store import GridStore
from modules.strategies.grid.units import Contract
from modules.strategies.grid.worst_case import may_start
from modules.strategies.hype.files import SYSTEM, TestMode, mode_file
from modules.telegram import grids_held
from modules.telegram.chart_grid import draw
from modules.telegram.markup import plain
from tests.surroundings import until
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


def position(store: GridStore, side_check: VenueLeg | None = None, stop: bool = True, mode: str = "TEST") -> None:
    """A saved grid with one BUY, as a worker leaves it."""
    held = store.sessions.claim("worker", 60, 5)[0]
    book = rulebook(GridSettings.model_validate(held.session.settings), BTC)
    state, _ = step(SessionState(), ev.Filled(1_760_000_000_000, GridFill(
        "t1", "b1", 1, True, D(42_000), D("0.001"), D("0.025"), 1_760_000_000_000)), book)
    state = state if state.buy.entries else _opened(book)
    if side_check is not None:
        for _ in range(2):
            state, _ = step(state, ev.Positions(1, side_check, VenueLeg(-1)), book)
    memory = Memory(stops=(Stop("s1", 1, D(40_000), D("0.001"), 1, sure=stop),))
    facts = {"host": memory.packed(), "bid": "41900", "ask": "41900.1", "mode": mode,
             "liquidation": {"1": "21000", "-1": None}}
    store.sessions.save([Save(held.lease, saved(state), facts)])
    store.sessions.release([held.lease])


def flat(store: GridStore) -> None:
    """The grid as a worker leaves it once everything is closed."""
    held = store.sessions.claim("worker", 60, 5)[0]
    store.sessions.save([Save(held.lease, saved(SessionState(serial=3)), {"host": Memory().packed(), "mode": "TEST"})])
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
    assert "The risk was accepted; noted: console" in plain(await house.confirm("/startgrid"))
    session = store.sessions.session("standalone")
    assert session.accepted is not None and "console" in session.accepted["by"]


@pytest.mark.parametrize("line, says", [
    ("/startgrid BTCUSDT -1", "lot is '-1'; it must be 0 or more"), ("/startgrid BTCUSDT 0", "greater than 0"),
    ("/startgrid BTCUSDT nan", "must be a number"), ("/startgrid BTCUSDT 0.001 0", "must be from 1 to 150"),
    ("/startgrid $$$", "symbol"), ("/gridack", "side"), ("/gridack both", "buy, sell"),
    ("/stopgrid maybe", "leave, close")])
async def test_bad_input_is_answered_and_starts_nothing(house: House, proven: dict[str, Decimal], store: GridStore,
                                                        line: str, says: str) -> None:
    assert says in plain(await house.ask(line))
    assert standalone.standing(store, "standalone") is None


async def test_a_start_never_goes_on_with_another_account_or_values_than_were_said(
        house: House, proven: dict[str, Decimal], store: GridStore) -> None:
    await house.confirm("/startgrid")
    assert "keeps its own settings" in plain(await house.ask("/startgrid BTCUSDT 0.005"))
    position(store)
    store.sessions.want("standalone", Wanted.DRAINING, "test")
    held = plain(await house.ask("/startgrid BTCUSDT 0.005"))
    assert "[TEST] Let the grid on BTCUSDT open orders again?" in held and "keeps its own settings" in held
    mode_file(house.paths).save(TestMode(test_mode=False))
    assert "[TEST] The grid on BTCUSDT is draining" in plain(await house.ask("/startgrid"))
    mode_file(house.paths).save(TestMode(test_mode=True))
    flat(store)
    asked = plain(await house.ask("/startgrid BTCUSDT 0.005"))
    assert "[TEST] Start a grid on BTCUSDT?" in asked, "flat: proven and begun anew, with what was said"
    await house.confirm("/startgrid BTCUSDT 0.005")
    assert store.sessions.session("standalone").settings["base_lot"] == 0.005


async def test_another_account_waits_until_the_worker_has_given_the_grid_back(
        house: House, proven: dict[str, Decimal], store: GridStore) -> None:
    await house.confirm("/startgrid")
    flat(store)
    store.sessions.want("standalone", Wanted.STOPPED, "test")
    found = await standalone.propose(house.settings, house.paths, Mode.LIVE, house.settings.grid)
    store.sessions.want("standalone", Wanted.RUNNING, "test")
    held = store.sessions.claim("worker", 60, 5)[0]
    store.sessions.want("standalone", Wanted.STOPPED, "test")
    with pytest.raises(StoreError, match="still holds the grid"):
        standalone.begin(store, house.settings, Mode.LIVE, found, "test")
    store.sessions.release([held.lease])
    standalone.begin(store, house.settings, Mode.LIVE, found, "test")
    assert store.sessions.session("standalone").wanted is Wanted.RUNNING


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
    assert "BUY: somebody else opened more on the exchange; no new levels" in plain(await house.ask("/grid"))
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


async def test_another_contract_is_not_taken_while_positions_are_held(house: House, proven: dict[str, Decimal],
                                                                     store: GridStore) -> None:
    """Entries of one contract would be read as those of another: its price would look like a ruin or a fortune."""
    await house.confirm("/startgrid")
    position(store)
    await house.confirm("/stopgrid")
    refused = plain(await house.confirm("/startgrid ETHUSDT 0.01"))
    assert "still holds positions of BTCUSDT" in refused and "/stopgrid close" in refused
    session = store.sessions.session("standalone")
    assert session.symbol == "BTCUSDT" and session.wanted is Wanted.STOPPED
    store.sessions.want("standalone", Wanted.DRAINING, "test")
    flat(store)
    store.sessions.want("standalone", Wanted.STOPPED, "test")
    await house.confirm("/startgrid ETHUSDT 0.01")
    assert store.sessions.session("standalone").symbol == "ETHUSDT"


# -- others that have to know of grids (A17, X36) ---------------------------------------------------------------------


@pytest.fixture
async def running(house: House, proven: dict[str, Decimal], store: GridStore) -> House:
    """A standalone grid with one BUY, its service running."""
    await house.ask("/startgrid")
    await house.confirm("/startgrid")
    position(store)
    return house


async def test_stopall_names_what_a_grid_leaves_with_its_stop(running: House) -> None:
    asked = plain(await running.ask("/stopall"))
    assert "[TEST] Stop everything with positions open?" in asked and "Grid BTCUSDT [TEST]: 1 position" in asked
    assert "is on paper, its stops too" in asked and "on the exchange" not in asked and "/stopgrid close" in asked
    told = plain(await running.confirm("/stopall"))
    assert "Everything is stopped" in told and "1 position" in told and "/startgrid goes on" in told
    assert "on paper" in told and "on the exchange" not in told
    assert running.crew.states["grid"] == "stopped"


async def test_stops_of_a_grid_on_the_exchange_are_said_to_stand_there(running: House, store: GridStore) -> None:
    position(store, mode="LIVE")
    asked = plain(await running.ask("/stopall"))
    assert "Positions of grids stay on the exchange with their stops" in asked and "paper" not in asked


async def test_a_live_grid_goes_on_in_test_mode_and_is_named(running: House, store: GridStore) -> None:
    position(store, mode="LIVE")
    for line in ("/testmode_on", "/teststatus"):
        assert "🔴 The grid on BTCUSDT goes on LIVE, new levels too" in plain(await running.ask(line)), line
    store.sessions.want("standalone", Wanted.STOPPED, "test")
    assert "still holds its LIVE positions" in plain(await running.ask("/teststatus"))


async def test_testmode_off_names_every_system_that_will_trade(running: House, store: GridStore) -> None:
    running.worker.answers["key_report"] = {"refused": "", "usdt": "812.5"}
    position(store)
    asked = plain(await running.ask("/testmode_off"))
    assert "The scalper trades BTCUSDT, ETHUSDT, SOLUSDT on the futures account once it is started" in asked
    assert "The next /startgrid trades LIVE" in asked
    assert "The grid on BTCUSDT goes on TEST, new levels too" in asked
    store.sessions.want("standalone", Wanted.DRAINING, "test")
    assert "The grid on BTCUSDT is draining in TEST" in plain(await running.ask("/testmode_off"))
    running.crew.states["scalper"] = "ready"
    assert "on the futures account at once" in plain(await running.ask("/testmode_off"))


async def test_testmode_off_says_who_cannot_trade_for_want_of_keys(tmp_path: Path) -> None:
    house = House(tmp_path, EXCHANGE="mexc", EXCHANGE_API_KEY="k" * 20, EXCHANGE_API_SECRET="s" * 20,
                  FUTURES_NAME="bybit", BITGET_NAME="bitget")
    house.worker.answers["key_report"] = {"refused": "", "usdt": "812.5"}
    asked = plain(await house.ask("/testmode_off"))
    assert "The scalper opens nothing LIVE: BYBIT_API_KEY and BYBIT_API_SECRET are not set" in asked
    assert "The grid cannot trade LIVE: BITGET_API_KEY" in asked


async def test_a_side_without_a_stop_is_said(running: House, store: GridStore) -> None:
    assert "each side with its stop" in plain(await running.ask("/stopall"))
    position(store, stop=False)  # the exchange never said that it stands
    assert "BUY without a stop" in plain(await running.ask("/stopall"))


async def test_an_open_grid_keeps_its_service(running: House, store: GridStore) -> None:
    context = running.context
    context.grids.read()
    assert "grid" in context.must_run()
    running.crew.states["grid"] = "stopped"
    assert "grid" in context.must_run(), "nobody holds its lease: it has to be started"
    held = store.sessions.claim("elsewhere", 60, 5)
    context.grids.read()
    assert "grid" not in context.must_run(), "another machine trades it"
    store.sessions.release([one.lease for one in held])
    store.sessions.want("standalone", Wanted.STOPPED, "test")
    context.grids.read()
    assert "grid" not in context.must_run(), "left with its protection because somebody said so"


async def test_who_must_run_is_asked_in_the_background(running: House) -> None:
    await until(lambda: "grid" in running.context.must_run(), "it is read by itself", 60)


async def test_a_database_that_is_away_is_not_no_grids(running: House, monkeypatch: pytest.MonkeyPatch) -> None:
    context = running.context
    context.grids.read()

    def away(database: object) -> list[Any]:
        raise DatabaseAway("sqlite: gone")

    monkeypatch.setattr(grids_held, "grids", away)
    with pytest.raises(DatabaseAway):
        context.grids.read()
    assert "grid" in context.must_run()
    asked = plain(await running.ask("/stopall"))
    assert "1 position" in asked and "cannot be seen" in asked


async def test_stopbot_summary_and_why_tell_of_the_grid(running: House, store: GridStore) -> None:
    assert "The grid robot goes on; /stopgrid stops it." in plain(await running.ask("/stopbot"))
    assert "Grid BTCUSDT [TEST]: 1 position" in plain(await running.ask("/summary"))
    assert "no worker trades it" in plain(await running.ask("/why"))
    store.sessions.claim("worker", 60, 5)
    assert "Grid BTCUSDT" not in plain(await running.ask("/why PEPE"))


async def test_users_of_the_server_are_one_line(running: House, store: GridStore) -> None:
    settings = running.settings.grid.model_dump()
    store.users.add(NewUser("ann", "bot", "hash", Credentials("key-ann", "secret-ann", "phrase", False),
                            Webhook("", ""), "BTCUSDT", {}, settings), "test")
    store.sessions.want("ann", Wanted.RUNNING, "test")
    position(store)
    assert "Grids of 1 user: 1 position" in plain(await running.ask("/stopall"))


async def test_where_no_grid_ever_was_nothing_is_made(house: House) -> None:
    assert house.context.grids.read() == [] and not list(house.paths.data.glob("*.db"))
    assert "Everything is stopped" in await house.ask("/stopall")


# -- words that stop entries: the grid obeys as well ------------------------------------------------------------------


@pytest.mark.parametrize(("line", "wanted", "orders"), [
    ("/kill", Wanted.PAUSED, []), ("/pause", Wanted.PAUSED, []), ("/kill test", Wanted.PAUSED, []),
    ("/drain", Wanted.DRAINING, []), ("/flatten", Wanted.DRAINING, [Order.FLATTEN])])
async def test_the_grid_obeys_what_stops_entries(running: House, store: GridStore, line: str, wanted: Wanted,
                                                 orders: list[Order]) -> None:
    asked = plain(await running.ask(line))
    assert "[TEST] Grid BTCUSDT:" in asked and "1 position" in asked, asked
    assert store.sessions.session("standalone").wanted is Wanted.RUNNING, "nothing happens unasked"
    told = plain(await running.confirm(line))
    assert "→ /startgrid lets the grid go on" in told
    assert store.sessions.session("standalone").wanted is wanted
    assert [one.word for one in store.sessions.commands("standalone")] == orders


async def test_a_word_for_the_other_mode_leaves_the_grid(running: House, store: GridStore) -> None:
    assert "Grid BTCUSDT" not in plain(await running.confirm("/kill live"))
    assert store.sessions.session("standalone").wanted is Wanted.RUNNING


async def test_no_grid_starts_while_the_kill_switch_is_on(running: House, store: GridStore) -> None:
    await running.confirm("/kill")
    running.context.files(Mode.TEST).risk.save(RiskState(scope=scope_of(SYSTEM, Mode.TEST), killed=True))
    assert "The kill switch is on" in plain(await running.ask("/startgrid"))
    assert store.sessions.session("standalone").wanted is Wanted.PAUSED
    assert "Grid BTCUSDT: is paused: → /startgrid" in plain(await running.confirm("/resume"))


async def test_a_store_that_is_away_keeps_no_word_from_the_others(running: House,
                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    await running.ask("/summary")  # the grid is known from before

    def away(*_: Any) -> Any:
        raise DatabaseAway("the server does not answer")

    monkeypatch.setattr(grids_held, "grids", away)
    monkeypatch.setattr("modules.telegram.commands.grid._store", away)
    told = plain(await running.confirm("/kill"))
    assert "The grid could not be told" in told and "/service grid stop" in told
    assert {body["command"] for _, body in running.inbox("tracker")} == {"KILL"}
