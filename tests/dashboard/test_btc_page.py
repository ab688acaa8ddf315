"""The page BTC: decision, inputs, manual sources, a trade's chain; from files and rows that system C itself writes."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from config.crew import crew_for
from config.settings import load_settings
from modules.dashboard.pages.btc import BtcPage, nearer
from modules.dashboard.pages.sources import Sources
from modules.dashboard.pages.sql import Sql
from modules.exchange import futures_paper
from modules.execution.futures import desk, exits
from modules.storage.sql.database import Database
from modules.storage.sql.insert import insert_rows
from modules.storage.sql.migrate import upgrade
from modules.storage.sql.settings import DatabaseSettings
from modules.storage.sql.tables import METADATA
from modules.strategies.showdown import chase, files, stages
from modules.strategies.showdown.files import ShowdownFiles
from modules.strategies.showdown.manual_store import ManualStore
from modules.strategies.showdown.settings import ShowdownSettings
from modules.supervision.service import ServiceRun
from tests.strategies.showdown.market import NOW, inputs, without
from tests.strategies.showdown.trading import OWN, SYMBOL, Trading
from tests.telegram.house import House


def page_of(house: House) -> BtcPage:
    sources = Sources(house.paths, house.settings, crew_for(house.settings))
    return BtcPage(sources, Sql(sources))


def decide(house: House, made: Any) -> Any:
    """What the service writes after a decision."""
    outcome = stages.run(made, ShowdownSettings())
    own = ShowdownFiles(house.paths, "BTCUSDT", True)
    for path, record in ((own.snapshot, outcome.snapshot), (own.flow, outcome.flow), (own.decision, outcome.decision)):
        files.write(path, record)
    return outcome


def running(house: House, seconds: int = 0) -> None:
    ServiceRun("showdown", house.paths, 1.0).ready(market_ms=NOW + seconds * 1000, error="", entries_stopped="")


def test_before_anything_ran_it_says_why_and_is_json(house: House) -> None:
    shown = page_of(house)({})
    msgspec.json.encode(shown)
    assert shown["why"]["headline"] == "Not trading because the service showdown is stopped"
    assert "no database yet" in shown["problem"] and shown["chart"]["candles"] == []


def test_a_long_with_its_levels_on_candles(house: House) -> None:
    decide(house, inputs())
    running(house, 10)
    shown = page_of(house)({"interval": "5m"})
    msgspec.json.encode(shown)
    assert shown["head"]["action"] == "long" and shown["head"]["age_s"] == 10
    assert {line["text"] for line in shown["chart"]["lines"]} == {"SL", "TP1", "TP2"}
    assert {band["tone"] for band in shown["chart"]["bands"]} == {"down", "accent"}  # longs' pool below, entry zone
    times = [row[0] for row in shown["chart"]["candles"]]
    assert times == sorted(set(times)) and shown["chart"]["marks"]
    assert shown["why"]["headline"] == "Nothing stands in the way: long."
    assert page_of(house)({"interval": "3w", "symbol": "../X"})["chart"]["interval"] == "15m"


def test_what_is_stale_grows_older_and_is_named(house: House) -> None:
    decide(house, without(inputs(), "funding_now", "funding"))
    running(house, 100)
    shown = page_of(house)({})
    rows = {row["name"]: row for row in shown["inputs"]}
    assert rows["funding"]["state"] == "missing" and rows["funding"]["required"]
    assert rows["candles 1m"]["age_s"] == 100  # their last close was the decision's instant
    assert shown["why"]["headline"].startswith("Not trading because") and "funding" in shown["why"]["headline"]
    running(house, 100_000)
    assert any(row["name"] == "age" and not row["ok"] for row in page_of(house)({})["why"]["checks"])


def test_the_nearer_side_is_the_one_that_fails_less(house: House) -> None:
    outcome = decide(house, inputs(-1))
    assert nearer(outcome.decision) == "short"


def test_manual_sources_with_their_history(house: House) -> None:
    store = ManualStore(ShowdownFiles(house.paths, "BTCUSDT", True))
    store.enter("sentiment", "0.4 good", "dashboard x", 50_000.0, NOW)
    store.enter("sentiment", "-0.2 bad", "telegram", 50_000.0, NOW + 1)
    store.undo("sentiment", NOW + 2)
    shown = page_of(house)({})["manual"]["sentiment"]
    assert shown["counts"] == 1 and [one["version"] for one in shown["versions"]] == [2, 1]
    assert shown["versions"][0]["undone_ms"] == NOW + 2


async def test_a_trades_chain_from_decision_to_cost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(futures_paper, "AGAIN_S", -1.0)
    monkeypatch.setattr(desk, "FLAT_FOR_S", 0.0)
    monkeypatch.setattr(exits, "PAUSE_S", 0.001)
    monkeypatch.setattr(chase, "LEAST_REST_S", 0.02)
    at = await Trading(tmp_path, OWN.model_copy(update={"chase_rest_s": 0.02})).open()
    database = Database.of(DatabaseSettings(), at.house.paths)
    upgrade(database)

    def put(table: str, rows: list[dict[str, Any]]) -> None:
        with database.begin() as connection:
            insert_rows(connection, METADATA.tables[table], rows)

    at.sql._put = put
    settings = load_settings(at.house.paths, {"SHOWDOWN_SYMBOLS": SYMBOL})

    def looked() -> dict[str, Any]:
        sources = Sources(at.house.paths, settings, crew_for(settings))
        return BtcPage(sources, Sql(sources))({})

    try:
        await at.enter()
        shown = looked()
        assert [row["side"] for row in shown["held"]] == ["LONG"] and shown["held"][0]["mode"] == "TEST"
        await at.trader.close(SYMBOL, "closed by hand")
        await at.until(lambda: not at.trades)
        at.sql.follow()
        at.sql.equity(await at.house.account.wallet(), NOW)
    finally:
        await at.close()
    shown = looked()
    msgspec.json.encode(shown)
    one = shown["chains"][0]
    ended = at.ended()[0]
    assert [order["id"] for order in one["orders"]] == list(ended.orders) and one["orders"][0]["leg"] == "entry"
    assert [fill["id"] for fill in one["fills"]] == list(ended.fills)
    assert sum(fill["fee"] for fill in one["fills"]) == pytest.approx(one["fees"])
    assert one["net"] == pytest.approx(one["realised"] - one["fees"] + one["funding"], abs=1e-6)
    assert shown["held"] == [] and shown["totals"][0]["n"] == 1 and shown["curve"][0][0] == NOW // 1000
    database.close()
