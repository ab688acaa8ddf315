"""Hype with its chart and models, Overview with accounts and buy-and-hold, System with limits."""

from decimal import Decimal

import msgspec
import pytest

from config.crew import crew_for
from modules.dashboard.pages.hype import HypePage
from modules.dashboard.pages.overview import HOLD, overview
from modules.dashboard.pages.sources import Sources
from modules.dashboard.pages.system import SystemPage
from modules.exchange.budget import PAGE_SIZE, Budget
from modules.exchange.health import page_file
from modules.exchange.lanes import Lane
from modules.exchange.page import SharedPage
from modules.exchange.types import Mode
from modules.execution.risk_state import Limit, RiskState, futures_risk_file, futures_scope
from modules.learning.promise import Watch
from modules.strategies.hype.files import Kept, LearningFiles
from tests.telegram.house import NOW_MS, House, bought_and_sold, position
from tests.telegram.test_model import trained


@pytest.fixture
def sources(house: House) -> Sources:
    return Sources(house.paths, house.settings, crew_for(house.settings))


def rows(first_ms: int, count: int, step_s: int) -> list[tuple[int, float, float, float, float, float]]:
    begin = first_ms // 1000 // step_s * step_s
    return [(begin + n * step_s, 1.0, 1.0, 1.0, 1.0 + n / 100, 1.0) for n in range(count)]


def test_a_positions_levels_and_fills_on_candles(house: House, sources: Sources) -> None:
    house.hold(position(tp_hit=1, trailing=True))
    house.trade(*bought_and_sold(1, "-2", NOW_MS, "PEPEUSDT"), *bought_and_sold(2, "3", NOW_MS - 9_000_000, "WIFUSDT"))
    page = HypePage(sources)
    assert page({})["chart"]["problem"] == "candles are being fetched"
    known = sources.candles.look("PEPEUSDT", "5m")
    known.rows, known.problem = rows(NOW_MS - 7_200_000, 40, 300), ""
    shown = page({})["chart"]
    msgspec.json.encode(page({}))
    assert (shown["symbol"], shown["symbols"], shown["held"]) == ("PEPEUSDT", ["PEPEUSDT", "WIFUSDT", "BTCUSDT"], True)
    assert [line["text"] for line in shown["lines"]] == ["TEST in", "TEST SL", "TEST TP2", "TEST TP3", "TEST peak"]
    assert [(mark["up"], mark["text"]) for mark in shown["marks"]] == [(True, "buy"), (False, "sell -2.00")]
    times = {row[0] for row in shown["candles"]}
    assert all(mark["s"] in times for mark in shown["marks"])


def test_a_token_without_position_and_a_name_that_is_none(house: House, sources: Sources) -> None:
    house.trade(*bought_and_sold(2, "3", NOW_MS, "WIFUSDT"))
    shown = HypePage(sources)({"symbol": "../../x", "interval": "9y"})["chart"]
    assert (shown["symbol"], shown["interval"], shown["lines"], shown["held"]) == ("WIFUSDT", "5m", [], False)
    empty = Sources(House(house.paths.home / "other").paths, house.settings, ())
    assert HypePage(empty)({})["chart"]["symbol"] == "BTCUSDT"  # nothing was traded yet


def test_models_and_a_card_with_what_was_promised_and_kept(house: House, sources: Sources) -> None:
    page = HypePage(sources)
    assert page({})["card"]["problem"] == "there is no such model yet: /starttrain"
    trained(house.paths.models)
    trained(house.paths.models, "PEPEUSDT", aside="it does not beat a constant")
    LearningFiles(house.paths).watch.save({"feedback": Kept(looked_ms=1, watch=Watch(
        resolved=40, approved=10, right=4, priced=10, net_all_pct=-1.0, net_approved_pct=0.5, limit=720.0))})
    page = HypePage(Sources(house.paths, house.settings, crew_for(house.settings)))
    shown = page({})
    msgspec.json.encode(shown)
    assert [(row["name"], row["state"]) for row in shown["models"]] == [("feedback", "good"), ("PEPEUSDT", "aside")]
    card = shown["card"]
    assert card["state"] == "votes" and card["judged"] == 500 and "4 of 10" in card["kept"]
    assert sum(one["count"] for one in card["reliability"]) == 500 and card["approved"][-1][0] == card["all"][-1][0]
    aside = page({"model": "PEPEUSDT"})["card"]
    assert aside["state"] == "stands aside" and aside["aside"] == "it does not beat a constant"
    assert page({"model": "../feedback"})["card"]["name"] == "feedback"


def test_the_same_money_in_bitcoin_beside_the_equity(house: House, sources: Sources) -> None:
    house.trade(*bought_and_sold(1, "5", NOW_MS))
    file = sources.files(Mode.TEST).risk
    file.save(RiskState(scope="hype/TEST", equity=Decimal(1005), equity_ms=NOW_MS + 60_000, day="2025-10-09",
                        day_start=Decimal(1000), week_start=Decimal(1000), peak=Decimal(1005)))
    points = overview(sources)["equity"]["points"]
    known = sources.candles.look(HOLD, "1m")
    known.rows, known.problem = rows(points[0][0] * 1000, 61, 60), ""
    shown = overview(sources)["hold"]["points"]
    assert shown[0] == (points[0][0], pytest.approx(points[0][1]))
    assert shown[-1][1] == pytest.approx(points[0][1] * 1.6) and shown[-1][0] <= points[-1][0]


def test_every_account_with_its_day_and_limits(house: House, sources: Sources) -> None:
    sources.files(Mode.TEST).risk.save(RiskState(scope="hype/TEST", equity=Decimal(990), equity_ms=NOW_MS,
                                                 day="2025-10-09", day_start=Decimal(1000)))
    futures_risk_file(house.paths.data, "scalper", Mode.LIVE).save(RiskState(
        scope=futures_scope("scalper", Mode.LIVE), equity=Decimal(2000), equity_ms=NOW_MS, day="2025-10-09",
        day_start=Decimal(1900), exposure=Decimal(50), latched={Limit.LOSING_STREAK: 0}))
    (house.paths.data / "test_futures_showdown_risk.json").write_text("{", encoding="utf-8")
    found = {(row["name"], row["mode"]): row for row in overview(sources)["accounts"]}
    assert found["hype (spot)", "TEST"]["day"] == -10 and found["hype (spot)", "TEST"]["day_pct"] == -1
    assert found["scalper (futures)", "LIVE"]["latched"] == "losing streak"
    assert found["showdown (futures)", "TEST"]["trading"] == "UNREADABLE"
    assert ("hype (spot)", "LIVE") not in found


def test_request_weight_of_each_venue_and_rows_on_their_way(house: House, sources: Sources) -> None:
    assert SystemPage(sources, dict)({})["limits"] == []
    page = SharedPage(page_file(house.settings.exchange, house.paths), PAGE_SIZE)
    Budget(page, 450.0, 10.0, lambda: 1.0).claim("GET /x", 45, Lane.DATA, 60.0)
    folder = house.paths.data / "spool" / "signals"
    folder.mkdir(parents=True)
    (folder / "1.spool").write_bytes(b"x" * 2000)
    shown = SystemPage(Sources(house.paths, house.settings, ()), dict)({})
    page.close()
    assert shown["limits"][0]["venue"] == "exchange" and shown["limits"][0]["share_pct"] == pytest.approx(10)
    assert shown["spool"] == [{"name": "signals", "files": 1, "kb": 2.0}]
