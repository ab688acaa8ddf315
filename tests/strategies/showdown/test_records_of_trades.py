"""What is kept of trades: a database that is away loses nothing, money not readable refuses, words have a class."""

from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from modules.exchange import futures_paper
from modules.exchange.types import Mode
from modules.execution.futures import desk, exits
from modules.execution.futures.plan import Word
from modules.storage.damage import StateError
from modules.storage.sql.database import Database
from modules.storage.sql.insert import insert_rows
from modules.storage.sql.migrate import upgrade
from modules.storage.sql.settings import DatabaseSettings
from modules.storage.sql.spool import SpoolFull
from modules.storage.sql.tables import METADATA, equity_curve, orders, trades
from modules.strategies.showdown import chase, store
from modules.strategies.showdown.execution import AccountNow
from modules.strategies.showdown.settings import ShowdownSettings
from modules.strategies.showdown.shelf import Shelf
from modules.strategies.showdown.trade_book import TradeBook, open_trades
from modules.strategies.showdown.trade_words import Voice
from modules.supervision.outbox import Outbox
from tests.strategies.showdown.market import NOW
from tests.strategies.showdown.trading import OWN, SYMBOL, Trading
from utils.paths import Paths


class Pen:
    """A writer that can refuse."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, dict[str, Any]]] = []
        self.full, self.closed = False, False

    def add(self, table: str, rows: list[dict[str, Any]]) -> None:
        if self.full:
            raise SpoolFull("no room")
        self.rows += [(table, row) for row in rows]

    def close(self) -> None:
        self.closed = True


def test_rows_wait_for_the_database_to_be_opened():
    shelf, pen = Shelf(), Pen()
    shelf.put("logs", [{"a": 1}])
    shelf.give(pen)
    shelf.put("logs", [{"a": 2}])
    assert [row["a"] for _, row in pen.rows] == [1, 2]
    pen.full = True
    with pytest.raises(OSError, match="no room"):
        shelf.put("logs", [{"a": 3}])
    shelf.put_quietly("logs", [{"a": 4}])
    shelf.close()
    assert pen.closed and len(pen.rows) == 2


async def test_a_database_lost_in_mid_trade_stops_nothing_and_gets_everything_later(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(futures_paper, "AGAIN_S", -1.0)
    monkeypatch.setattr(desk, "FLAT_FOR_S", 0.0)
    monkeypatch.setattr(exits, "PAUSE_S", 0.001)
    monkeypatch.setattr(chase, "LEAST_REST_S", 0.02)
    at = await Trading(tmp_path, OWN.model_copy(update={"chase_rest_s": 0.02})).open()
    database = Database.of(DatabaseSettings(), at.house.paths)
    upgrade(database)
    away = [False]

    def put(table: str, rows: list[dict[str, Any]]) -> None:
        if away[0]:
            raise OSError("the spool is full")
        with database.begin() as connection:
            insert_rows(connection, METADATA.tables[table], rows)
    at.sql._put = put
    try:
        await at.enter()
        at.sql.follow()
        away[0] = True
        await at.trader.close(SYMBOL, "closed by hand")
        await at.until(lambda: not at.trades)
        with pytest.raises(OSError, match="spool"):
            at.sql.follow()
        away[0] = False
        at.sql.follow()
        at.sql.equity(await at.house.account.wallet(), NOW)
        one = at.ended()[0]
        with database.begin() as connection:
            told = list(connection.execute(select(trades.c.trade_id, trades.c.fee)).all())
            known = list(connection.execute(select(orders.c.leg, orders.c.status)).all())
            curve = connection.execute(select(equity_curve.c.equity)).scalar_one()
        assert {row[0] for row in told} == set(one.fills) and sum(row[1] for row in told) == one.fees
        assert {leg for leg, _ in known} - {"part"} == {"entry", "stop", "take", "exit"}
        assert abs(curve - 10_000 - one.net) < D("1e-6")
    finally:
        database.close()
        await at.close()


@pytest.mark.parametrize(("account", "problem"), [
    (AccountNow(Mode.LIVE, "showdown-live", None, "the LIVE account cannot be read"), "cannot be read"),
    (AccountNow(Mode.LIVE, "showdown-live", D("NaN")), "cannot be"), (AccountNow(Mode.LIVE, "a", D(-1)), "cannot be")])
def test_an_account_that_cannot_be_read_refuses_entries(tmp_path: Path, account, problem):
    database = Database.of(DatabaseSettings(), Paths(tmp_path).prepare())
    upgrade(database)
    try:
        money = store.read_money(database, NOW, ShowdownSettings(), account)
        assert money.mode == "LIVE" and problem in money.problem
        paper = store.read_money(database, NOW, ShowdownSettings(), None)
        assert paper.equity == "10000.00" and not paper.problem
    finally:
        database.close()


@pytest.mark.parametrize(("key", "kind"), [
    ("risk DAY_LOSS 5", "RISK"), ("liquidation BTCUSDT LONG", "RISK"), ("setup BTCUSDT", "RISK"), ("mode", "RISK"),
    ("exit BTCUSDT LONG", "ORDERS"), ("foreign BTCUSDT 5", "ORDERS"), ("stale", "ERROR"), ("gap x", "ERROR")])
def test_every_word_of_the_keeper_has_its_class_and_is_said_once(tmp_path: Path, key, kind):
    rows: list[tuple[str, Any]] = []
    outbox = Outbox(tmp_path / "outbox", "showdown")
    voice = Voice(outbox, lambda table, more: rows.extend((table, one) for one in more), lambda: 7)
    for _ in range(3):
        voice.of("LIVE")(Word(key, "something", "why", "do"))
    voice.of("LIVE")(Word(key, "something", "another why", "do"))
    texts = [notice.text() for _, notice in outbox.pending("x")]
    assert len(texts) == 2 and all(text.startswith(f"[LIVE] {kind} · System C") and "→ do" in text for text in texts)
    assert [row["kind"] for table, row in rows if table == "logs"] == [kind, kind]


def test_a_damaged_file_of_trades_is_no_empty_one(tmp_path: Path):
    paths = Paths(tmp_path).prepare()
    book = TradeBook(paths.data, Mode.LIVE)
    book.pass_over("BTCUSDT", 5)
    assert open_trades(paths.data, Mode.LIVE) == {}
    for name in ("showdown_trades.json", "showdown_trades.json.bak"):
        (paths.data / name).write_text("{ broken")
    with pytest.raises(StateError):
        open_trades(paths.data, Mode.LIVE)
