"""The page Backtests: runs under way, results, two side by side, versions; from what the command process keeps."""

import os
from typing import Any

import msgspec
import pytest

from config.crew import crew_for
from modules.dashboard.pages.backtests import BacktestsPage, points, words
from modules.dashboard.pages.sources import Sources
from modules.storage.kept_runs import KeptRun, KeptRuns, UnderWay
from modules.storage.settings_versions import Versions
from tests.telegram.house import NOW_MS, House
from utils.processes import start_mark
from utils.wall import now_ms

ARGV = ("backtest", "hype", "--json", "--progress", "--curve", "600", "--since=2026-11-13", "--set=trail_fall_pct=2")


def page_of(house: House) -> BacktestsPage:
    return BacktestsPage(Sources(house.paths, house.settings, crew_for(house.settings)))


def result(gain: float, **settings: Any) -> dict[str, Any]:
    return {"title": "Backtest hype", "span": "a … b", "metrics": {"start": 1000.0, "result": gain, "trades": 3},
            "units": {"result": "%"}, "definitions": {"result": "end against start"}, "settings": settings,
            "by_month": [], "by_reason": [], "by_symbol": [], "waived": ["depth"], "refused": {},
            "curve": {"time": [NOW_MS, NOW_MS + 1000], "equity": [1000.0, 1000 + 10 * gain], "hold": [5.0, 4.0]}}


def kept(house: House, number: int, kind: str = "backtest", **more: Any) -> None:
    given: dict[str, Any] = {"code": 0, "said": "", "cancelled": False, "result": None, **more}
    KeptRuns(house.paths).keep(KeptRun(f"{kind}-{number}", kind, ARGV, "me", NOW_MS, NOW_MS + 5000, **given))


def test_empty_it_says_so_and_is_json(house: House) -> None:
    shown = page_of(house)({})
    msgspec.json.encode(shown)
    assert shown["runs"] == [] and shown["compare"]["sides"] == [] and shown["versions"]["applied"] == "none"


def test_what_runs_shows_its_progress_and_a_dead_one_does_not(house: House) -> None:
    runs = KeptRuns(house.paths)
    alive = UnderWay("backtest", ARGV, "Ann", now_ms() - 5000, os.getpid(), start_mark(os.getpid()), 0.4, "signals")
    runs.note([alive, msgspec.structs.replace(alive, kind="optimize", mark=1.0)])
    shown = page_of(house)({})["running"]
    assert [(one["kind"], one["share"], one["what"]) for one in shown] == [
        ("backtest", 0.4, "hype --since=2026-11-13 trail_fall_pct=2")]
    assert shown[0]["spent_s"] >= 5


def test_the_newest_result_is_shown_and_two_are_compared(house: House) -> None:
    kept(house, 1, result=result(2.0, a=1, b=1))
    kept(house, 2, result=result(-1.0, a=1, b=2))
    kept(house, 3, code=1, said="no candle lies between")
    page = page_of(house)
    shown = page({})
    msgspec.json.encode(shown)
    assert [row["state"] for row in shown["runs"]] == ["failed", "done", "done"]
    assert [one["id"] for one in shown["compare"]["sides"]] == ["backtest-2"]  # the newest that has a result
    both = page({"a": "backtest-1", "b": "backtest-2"})["compare"]
    assert both["metrics"][1] == {"name": "result", "values": [2.0, -1.0], "unit": "%", "meaning": "end against start"}
    assert both["differ"] == [{"name": "b", "values": [1, 2]}]
    assert both["sides"][0]["equity"][-1] == (NOW_MS // 1000 + 1, pytest.approx(2.0))
    assert both["sides"][0]["hold"][-1][1] == pytest.approx(-20.0)


@pytest.mark.parametrize("name", ["../run/long_runs", "optimize-4", "backtest-99", "/etc/passwd", "x"])
def test_only_a_kept_backtest_is_shown_in_full(house: House, name: str) -> None:
    kept(house, 4, kind="optimize", result={"held_up": False, "version": None, "difference": {"value": 0.1}})
    assert page_of(house)({"a": name, "b": name})["compare"]["sides"] == []


def test_a_search_says_what_it_found(house: House) -> None:
    found = {"held_up": True, "version": 7, "asked": 40, "objective": "net", "difference": {"value": 0.25}}
    kept(house, 5, kind="optimize", result=found)
    kept(house, 6, kind="optimize", result={**found, "held_up": False})
    rows = page_of(house)({})["runs"]
    assert "nothing better" in rows[0]["said"] and rows[1]["said"].startswith("version 7 held up")
    assert "+0.25" in rows[1]["said"]


def test_versions_with_what_they_change_and_which_holds(house: House) -> None:
    versions = Versions(house.paths)
    figures = {"objective": "net", "difference": {"value": 1.0, "low": 0.2, "high": 2.0}, "warning": "it still loses"}
    one = versions.keep("hype", "s", "2026-01-01", {"hype.trail_fall_pct": 2.0}, {"hype.trail_fall_pct": 3.0}, figures)
    versions.keep("hype", "s", "2026-01-02", {"hype.trail_fall_pct": 1.0}, {"hype.trail_fall_pct": 3.0}, figures)
    versions.apply(one.version)
    shown = page_of(house)({})["versions"]
    assert [(row["version"], row["applied"]) for row in shown["rows"]] == [(2, False), (1, True)]
    assert shown["rows"][1]["before"] == {"hype.trail_fall_pct": 3.0} and shown["applied"] == "hype 1"
    assert shown["earlier"] == 1


def test_a_result_of_another_form_harms_nothing(house: House) -> None:
    kept(house, 8, result={"metrics": {}, "curve": {"time": [1], "equity": []}})
    kept(house, 9, result=[1, 2])
    msgspec.json.encode(page_of(house)({"a": "backtest-8", "b": "backtest-9"}))
    assert points({"time": [1000], "equity": [0.0]}, "equity") == [] and points(None, "equity") == []
    assert words(ARGV) == "hype --since=2026-11-13 trail_fall_pct=2"
