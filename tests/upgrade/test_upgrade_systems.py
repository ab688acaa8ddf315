"""The home of the version of 2026-11-21 (commit 6c26ef5), all five systems killed in the middle of their work, is read
by this one: `state_of_step_10.zip`, its long files cut short. Nothing is lost, nothing is set aside.
"""

import zipfile
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import func, select

from config.crew import crew_for
from modules.dashboard.pages import PAGES
from modules.dashboard.pages.every import builders
from modules.dashboard.pages.sources import Sources
from modules.exchange.futures_paper_state import PaperFutures
from modules.exchange.types import Mode, PositionSide
from modules.execution.futures.plan import FuturesState
from modules.execution.journal import read_journal
from modules.execution.ledger import Ledger
from modules.execution.risk_state import RiskState, futures_risk_file, futures_scope, load_risk
from modules.learning import modelfiles
from modules.storage.backup import make_backup
from modules.storage.json_state import JsonFile
from modules.storage.sql.address import url_of
from modules.storage.sql.database import Database
from modules.storage.sql.migrate import differences, upgrade
from modules.storage.sql.spool import Spool
from modules.storage.sql.tables import METADATA
from modules.strategies.grid.store.store import GridStore
from modules.strategies.hype.files import HypeFiles
from modules.strategies.scalper.records import state_file
from modules.strategies.showdown.files import ShowdownFiles, last
from modules.strategies.showdown.trade_book import TradeBook
from modules.strategies.signals.records import State as SignalsState
from tests.telegram.house import House
from utils.paths import Paths

HOME = Path(__file__).with_name("state_of_step_10.zip")


@pytest.fixture
def home(tmp_path: Path) -> Paths:
    with zipfile.ZipFile(HOME) as packed:
        packed.extractall(tmp_path)
    (tmp_path / "config" / "grid.key").chmod(0o600)  # a key made for this home alone
    return Paths(tmp_path).prepare()


def untouched(paths: Paths) -> bool:
    return not list(paths.home.rglob("*damaged*"))


def test_system_a_holds_what_it_held(home: Paths) -> None:
    files = HypeFiles(home, Mode.TEST)
    held = files.tracked.load()
    assert set(held) == {"BAZONETUSDT"} and held["BAZONETUSDT"].quantity == Decimal(12354)
    risk = files.read_risk()
    assert isinstance(risk, RiskState) and risk.equity == Decimal("10000.445522302000")
    assert list(files.trades.records()) and isinstance(modelfiles.load(home.models, "feedback"), modelfiles.Loaded)
    assert untouched(home)


@pytest.mark.parametrize(("system", "legs"), [("showdown", {"BTCUSDT LONG", "SOLUSDT SHORT"}), ("scalper", set())],
                         ids=["showdown", "scalper"])
def test_futures_books_risk_journal_and_paper_account(home: Paths, system: str, legs: set[str]) -> None:
    books = JsonFile(home.data / f"test_futures_{system}.json", FuturesState, FuturesState).load()
    held = {f"{symbol} {PositionSide(side)}" for side, pages in books.ledgers.items()
            for symbol, one in Ledger.restore(pages, signed=True).holdings().items() if one.quantity}
    assert held == legs and books.cash is not None
    risk = load_risk(futures_risk_file(home.data, system, Mode.TEST), futures_scope(system, Mode.TEST))
    assert isinstance(risk, RiskState) and risk.equity is not None
    assert read_journal(home.data / f"test_futures_{system}_intents.jsonl")
    account = JsonFile(home.data / f"test_futures_account_{system}.json", PaperFutures,
                       lambda: PaperFutures(wallet=Decimal(0), hedge=True)).load()
    assert account.wallet > 9_000 and untouched(home)


def test_trades_under_way_of_b_c_and_d(home: Paths) -> None:
    book = TradeBook(home.data, Mode.TEST)
    book.load()
    assert set(book.trades.open) == {"BTCUSDT", "SOLUSDT"} and book.trades.open["BTCUSDT"].sl == Decimal("60715.1")
    scalper = state_file(home, Mode.TEST).load()
    assert (scalper.trades, scalper.pnl, scalper.fees) == (10, Decimal("-4.37055297"), Decimal("4.56739297"))
    signals = JsonFile(home.data / "signals_state.json", SignalsState, SignalsState).load()
    assert len(signals.open) == len(msgspec.json.decode((home.data / "signals_state.json").read_bytes())["open"]) > 0
    snapshot, flow, decision = last(ShowdownFiles(home, "BTCUSDT", True))
    assert snapshot is not None and flow is not None and decision is not None
    assert untouched(home)


def test_rows_in_sql_and_rows_that_waited(home: Paths) -> None:
    house = House(home.home)
    database = Database(url_of(house.settings.db, home))
    upgrade(database)
    with database.begin() as connection:
        assert differences(connection) == []
        counts = {table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                  for table in METADATA.sorted_tables}
    database.close()
    assert min(counts[name] for name in ("candles", "decisions", "orders", "signals", "grid_users", "grid_states")) > 0
    for name in ("showdown", "signals"):
        spool = Spool(home.data / "spool" / name)
        rows, _ = spool.take(100)
        assert len(rows) == 12 and spool.damaged == 0
        spool.close()
    store = GridStore.open(house.settings, home)
    assert store.users.credentials("alice").api_key, "what is sealed opens with the key that lies beside it"
    store.close()
    assert untouched(home)


async def test_commands_pages_and_a_backup(home: Paths) -> None:
    house = House(home.home)
    for line, words in (("/tracked", "BAZONETUSDT"), ("/scalper", "4.37"), ("/btc", "BTCUSDT"), ("/futures", "SOLUSDT"),
                        ("/risk", "10,000")):
        assert words in await house.ask(line), line
    sources = Sources(home, house.settings, crew_for(house.settings))
    for name, build in builders(sources, dict).items():
        msgspec.json.encode(build({}))
        assert name == "bar" or name in PAGES
    made = make_backup(home, home.home / "backup.zip")
    assert made.files and untouched(home)
