"""What pages show, from files and SQL of the tests' own."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from config.crew import crew_for
from modules.dashboard.pages.bar import bar, money_of
from modules.dashboard.pages.hype import hype
from modules.dashboard.pages.logs import chosen, logs
from modules.dashboard.pages.overview import curve, overview
from modules.dashboard.pages.signals import SignalsPage, wilson
from modules.dashboard.pages.sources import Sources
from modules.dashboard.pages.sql import Sql
from modules.dashboard.pages.system import SystemPage, is_latency
from modules.exchange.types import Mode
from modules.execution.risk_settings import RiskSettings
from modules.execution.risk_state import Limit, RiskState, Unreadable
from modules.storage.history import History
from modules.storage.sql import tables
from modules.storage.sql.database import Database
from modules.storage.sql.migrate import upgrade
from modules.supervision.service import ServiceRun
from tests.telegram.house import DAY_MS, NOW_MS, House, bought_and_sold, position


@pytest.fixture
def sources(house: House) -> Sources:
    return Sources(house.paths, house.settings, crew_for(house.settings))


def risk(**more: Any) -> RiskState:
    return RiskState(scope="hype/TEST", equity=Decimal(9600), equity_ms=NOW_MS, day="2025-10-09",
                     day_start=Decimal(10_000), week_start=Decimal(10_000), peak=Decimal(10_000), **more)


def test_pages_without_any_state_say_so_and_are_json(sources: Sources) -> None:
    system = SystemPage(sources, dict)
    for built in (bar(sources), overview(sources), hype(sources), logs(sources, {}), system({}),
                  SignalsPage(sources, system, Sql(sources))({})):
        msgspec.json.encode(built)
    shown = bar(sources)["bar"]
    assert shown["mode"] == "TEST" and not shown["real"] and not shown["bot"] and "pnl" not in shown
    assert "no database yet" in SignalsPage(sources, system, Sql(sources))({})["problem"]


def test_pnl_of_today_and_limits_near() -> None:
    shown = money_of(risk(), RiskSettings(), NOW_MS)
    assert shown["pnl"] == -400 and shown["pnl_pct"] == pytest.approx(-4)
    assert [row["name"] for row in shown["limits"]] == ["loss of the day"]  # 4 of 5 %
    assert "pnl" not in money_of(risk(), RiskSettings(), NOW_MS + DAY_MS)  # yesterday's start is not today's
    latched = money_of(risk(latched={Limit.EXPOSURE: 0}), RiskSettings(), NOW_MS)
    assert {row["name"]: row["latched"] for row in latched["limits"]}["exposure"]
    unreadable = money_of(Unreadable("damaged"), RiskSettings(), NOW_MS)
    assert unreadable["trading"] == "UNREADABLE" and "pnl" not in unreadable


def test_live_money_is_marked(house: House, sources: Sources) -> None:
    house.paths.config.joinpath("state.json").write_text(json.dumps({"test_mode": False}))
    assert bar(sources)["bar"]["mode"] == "LIVE" and not bar(sources)["bar"]["real"]  # simulated money
    venue = House(house.paths.home, EXCHANGE="mexc")
    assert bar(Sources(venue.paths, venue.settings, crew_for(venue.settings)))["bar"]["real"]


def test_a_damaged_mode_is_neither_test_nor_live(house: House, sources: Sources) -> None:
    house.paths.config.joinpath("state.json").write_text("{")
    shown = bar(sources)["bar"]
    assert shown["mode"] == "?" and shown["trading"] == "UNREADABLE"


def test_services_by_their_beats(house: House, sources: Sources) -> None:
    run = ServiceRun("tracker", house.paths, 1.0)
    run.ready(exchange="ok", look_p50_ms=12)
    (house.paths.run / "desired.json").write_text('["tracker","scanner"]')
    rows = {row["name"]: row for row in overview(sources)["services"]}
    assert rows["tracker"]["state"] == "ready" and rows["tracker"]["pid"]
    assert rows["scanner"]["state"] == "backoff" and rows["trainer"]["state"] == "stopped"
    shown = bar(sources)["bar"]
    assert shown["running"] == 1 and shown["wanted"] == 2
    assert {"name": "tracker", "ok": True, "text": "ok"} in shown["links"]
    latency = SystemPage(sources, dict)({})["latency"]
    assert {"service": "Tracker", "name": "look p50", "ms": 12} in latency


def test_the_equity_curve_ends_where_equity_is() -> None:
    trades = [*bought_and_sold(1, "5", NOW_MS), *bought_and_sold(2, "-2", NOW_MS + 60_000)]
    points = curve(trades, [], Decimal(1003), NOW_MS + 120_000)
    assert points[0][1] == 1000 and points[-1] == ((NOW_MS + 120_000) // 1000, 1003)
    times = [at for at, _ in points]
    assert times == sorted(set(times))
    assert curve([], [], None, 0) == []


def test_overview_and_hype_show_what_is_held_traded_and_said(house: House, sources: Sources) -> None:
    house.hold(position())
    house.trade(*bought_and_sold(1, "-2", NOW_MS, "PEPEUSDT"))
    History(house.paths.data / "notices.json", dict[str, Any]).append({"ms": 1, "text": "hello", "loud": True})
    shown = overview(sources)
    assert shown["positions"][0]["symbol"] == position().symbol and shown["alerts"][0]["text"] == "hello"
    assert shown["why"]["headline"].startswith("Not trading because")
    assert [row["side"] for row in hype(sources)["trades"]] == ["SELL", "BUY"]
    house.hold()
    assert overview(sources)["positions"] == []  # read again: the file changed


def test_log_lines_are_filtered_with_their_tracebacks() -> None:
    lines = ["2025-01-01T00:00:00.000Z INFO a.b: fine", "2025-01-01T00:00:01.000Z ERROR a.c: broke", "Traceback",
             "ValueError: x", "2025-01-01T00:00:02.000Z WARNING a.d: hm"]
    assert [row[1] for row in chosen(lines, 2, "")] == ["ERROR", "ERROR", "ERROR", "WARNING"]
    assert [row[2] for row in chosen(lines, 0, "BROKE")] == ["a.c: broke", "Traceback", "ValueError: x"]


@pytest.mark.parametrize("name", ["../../config/.env", "/etc/passwd", "nobody", ""])
def test_a_log_beside_the_crews_is_not_shown(sources: Sources, name: str) -> None:
    assert logs(sources, {"service": name})["lines"]["service"] == "bot"


def test_what_counts_as_a_latency() -> None:
    assert is_latency("scan_p99_ms", 3) and not is_latency("seen_ms", 3) and not is_latency("x_ms", "3")


@pytest.mark.parametrize(("wins", "count"), [(0, 0), (0, 5), (5, 5), (3, 10), (500, 1000)])
def test_wilsons_interval_holds_the_share(wins: int, count: int) -> None:
    low, high = wilson(wins, count)
    share = wins / count if count else 0.5
    assert 0 <= low <= share + 1e-12 and share - 1e-12 <= high <= 1
    lost_low, lost_high = wilson(count - wins, count)
    assert lost_low == pytest.approx(1 - high) and lost_high == pytest.approx(1 - low)


def signal(number: int, kind: str, net_r: float | None, **more: Any) -> dict[str, Any]:
    return {"id": f"{kind}{number}", "symbol": "BTCUSDT", "direction": "LONG", "kind": kind, "priority": "HIGH",
            "ms": NOW_MS + number * 1000, "entry": 100.0, "stop_loss": 99.0, "tp1": 101.0, "tp2": 101.67,
            "quality": 85.0, "status": "open" if net_r is None else "closed",
            "outcome": None if net_r is None else "TP1", "closed_ms": None if net_r is None else NOW_MS,
            "net_r": net_r, "net_pct": net_r, "body": {"imbalance": 0.4, "follow": {"last_price": 100.5}}, **more}


def test_signals_by_priority_with_results_beside_control(house: House, sources: Sources) -> None:
    database = Database.of(house.settings.db, house.paths)
    upgrade(database)
    rows = [signal(1, "ENTRY", 1.0), signal(2, "ENTRY", -1.0), signal(3, "ENTRY", 0.9), signal(4, "CTRL", -0.5),
            signal(5, "ENTRY", None, priority="LOW"), signal(6, "ENTRY", None), signal(7, "CTRL", None)]
    seen = [{"ms": NOW_MS, "symbol": f"S{n}", "chosen": n < 2, "score": 50.0 + n, "reason": reason, "body": None}
            for n, reason in enumerate(["CHOSEN", "CHOSEN", "DEPTH", "VOLUME", "VOLUME"])]
    old = {"ms": NOW_MS - 1, "symbol": "OLD", "chosen": True, "score": 1.0, "reason": "CHOSEN", "body": None}
    with database.begin() as connection:
        connection.execute(tables.signals.insert(), rows)
        connection.execute(tables.universe.insert(), [*seen, old])
        connection.execute(tables.refusals.insert(), [
            {"uid": str(n), "symbol": "X", "ms": NOW_MS, "code": code, "body": None} for n, code in enumerate("aab")])
        connection.execute(tables.metrics.insert(), [{"name": "p99_ms", "ms": NOW_MS, "value": 3.5}])
    database.close()
    shown = SignalsPage(sources, SystemPage(sources, dict), Sql(sources))({})
    assert shown["problem"] == "" and [row["id"] for row in shown["open"]] == ["ENTRY6", "ENTRY5"]
    assert shown["open"][0]["last_price"] == 100.5 and shown["open"][0]["imbalance"] == 0.4
    high = shown["classes"][0]
    assert (high["name"], high["n"]) == ("HIGH", 3) and high["net_r"] == pytest.approx(0.9)
    assert high["control"]["n"] == 1 and high["mean_low"] < high["mean_r"] < high["mean_high"]
    assert shown["today"]["counts"] == {"HIGH": 4, "MEDIUM": 0, "LOW": 1}
    assert shown["universe"]["funnel"] == [("VOLUME", 2), ("DEPTH", 1)]
    assert [row["symbol"] for row in shown["universe"]["chosen"]] == ["S1", "S0"]
    assert shown["refusals"] == [("a", 2), ("b", 1)] and shown["metrics"]["p99_ms"] == [(NOW_MS // 1000, 3.5)]
    assert [row["hour"] for row in shown["hours"]] == [NOW_MS // 3_600_000 % 24]
    assert len(shown["quality"]) == 5


def test_a_database_that_is_away_is_said_and_nothing_else_fails(house: House) -> None:
    away = House(house.paths.home, DB_URL="postgresql://u:hunter2hunter2@127.0.0.1:9/x", DB_CONNECT_S="0.2")
    sources = Sources(away.paths, away.settings, crew_for(away.settings))
    shown = SignalsPage(sources, SystemPage(sources, dict), Sql(sources))({})
    assert "does not answer" in shown["problem"] and "hunter2" not in shown["problem"]
    assert shown["why"]["headline"] == "No signal because the service signals is stopped"


def test_the_dashboard_changes_no_file_of_trading(house: House, sources: Sources) -> None:
    house.hold(position())
    before = {path: path.read_bytes() for path in house.paths.home.rglob("*") if path.is_file()}
    for _ in range(2):
        overview(sources), hype(sources), bar(sources)
    after = {path: path.read_bytes() for path in house.paths.home.rglob("*") if path.is_file()}
    assert before == after
    assert sources.mode() is Mode.TEST
