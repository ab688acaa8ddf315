"""State written by an earlier version is read by this one: nothing is lost, nothing is set aside.

`state_of_step_2.zip` is the home of the version of 2026-11-20 (the first that landed with orders) after four hours:
five open positions, two closed trades, a feedback model. A later form of a file gets another such home beside it.
"""

import zipfile
from decimal import Decimal
from pathlib import Path

import pytest

from modules.exchange.types import Mode
from modules.execution.journal import Journal
from modules.learning import modelfiles
from modules.strategies.hype.files import HypeFiles
from tests.telegram.house import House
from utils.paths import Paths

HOME = Path(__file__).with_name("state_of_step_2.zip")
HELD = {"HUJAMAXUSDT", "XEDUORCUSDT", "YIHAOWLUSDT", "VAKEDEXUSDT", "HIGECATUSDT"}


@pytest.fixture
def home(tmp_path: Path) -> Paths:
    with zipfile.ZipFile(HOME) as packed:
        packed.extractall(tmp_path)
    return Paths(tmp_path).prepare()


def untouched(paths: Paths) -> bool:
    return not list(paths.home.rglob("*damaged*"))


def test_positions_and_money_are_what_they_were(home: Paths) -> None:
    files = HypeFiles(home, Mode.TEST)
    held = files.tracked.load()
    assert set(held) == HELD and held["XEDUORCUSDT"].quantity == Decimal(177525)
    trades = list(files.trades.records())
    assert len(trades) == 13 and {trade.symbol for trade in trades if trade.closes} == {"SETINETUSDT", "HAMOMUNUSDT"}
    assert sum(trade.pnl_usdt or 0 for trade in trades) == Decimal("0.24183774333276000000260840")
    assert files.risk.load() is not None and list(files.activity.records())
    assert untouched(home)


def test_the_journal_of_orders_is_read_and_nothing_is_open(home: Paths) -> None:
    journal = Journal(home.data / "intents.jsonl")
    journal.load()
    assert len(journal.entries) > 5 and not journal.open_entries("hype", "TEST")
    assert untouched(home)


async def test_the_commands_show_it(home: Paths) -> None:
    house = House(home.home)
    tracked = await house.ask("/tracked")
    assert "5 open positions" in tracked and all(symbol in tracked for symbol in HELD)
    assert "2 trades closed" in await house.ask("/summary")
    assert untouched(home)


def test_the_model_still_speaks(home: Paths) -> None:
    found = modelfiles.load(home.models, "feedback")
    assert isinstance(found, modelfiles.Loaded), found
