"""/signals, /universe, /signalstats show what the signal bot wrote; its chart is made."""

from pathlib import Path

import matplotlib.image
import msgspec
import pytest

from modules.strategies.signals import report, report_words
from modules.strategies.signals.board import FILE, statistics
from modules.strategies.signals.report import Row
from modules.strategies.signals.reporter import FILE as REPORT_FILE
from modules.strategies.signals.stats import Done
from modules.telegram.chart_signal import draw
from modules.telegram.chart_signal_report import draw as draw_report
from modules.telegram.chart_style import DOWN, STOP, TARGET, UP
from modules.telegram.commands.signals import REPORT, VIEW
from tests.telegram.house import NOW_MS, House
from tests.telegram.test_charts import candles, share
from utils.paths import Paths


def view(**changes: object) -> bytes:
    past = [Done("BTCUSDT", "HIGH", control, NOW_MS - 9000, NOW_MS - 1000, "TP2", r, r)
            for control, r in ((False, 1.5), (False, -1.1), (True, -0.4))]
    body = {
        "ms": NOW_MS, "controls": 3, "counts": {"sent": {"HIGH": 2}, "hold_back": {"": 3}, "held_back": 0},
        "open": [{"id": "a", "symbol": "SOLUSDT", "direction": "SHORT", "priority": "HIGH", "sent_as": "MEDIUM",
                  "quality": 88, "entry": 150.0, "stop": 152.0, "tp1": 148.0, "tp2": 146.66, "ms": NOW_MS,
                  "expires_ms": NOW_MS + 2_700_000, "last": 148.5, "first": "", "outcome": ""}],
        "demoted": {"HIGH": "+0.010 R against its control"}, "paused": "data look strange",
        "refusals": {"HELD_BACK": 2, "IMBALANCE": 99}, "past_loaded": True,
        "universe": {"ms": NOW_MS, "weight": 1234, "funnel": {"VOLUME": 300, "SPREAD": 20, "CHOSEN": 1}, "size": 100,
                     "excluded": {"XUSDT": "VOLUME"}, "watched": ["BTCUSDT"], "problem": "",
                     "places": [{"symbol": "BTCUSDT", "reason": "CHOSEN", "score": 88.5, "volume": 1.2e10,
                                 "spread_pct": 0.001}]},
        "health": {"trouble": {"load": "CPU 95%"}, "failures": 0, "load": [0, 0, 0], "backup": False},
        "stats": statistics(past, NOW_MS), **changes}
    return msgspec.json.encode(body)


async def test_before_its_first_run_it_says_how_to_start(tmp_path: Path) -> None:
    house = House(tmp_path)
    for name in ("signals", "universe", "signalstats"):
        assert "/startsignals" in await house.ask(f"/{name}")


async def test_what_is_open_and_watched_and_what_it_was_worth(tmp_path: Path) -> None:
    assert VIEW == FILE, "written and read under one name"
    house = House(tmp_path)
    (house.context.paths.data / VIEW).write_bytes(view())
    told = await house.ask("/signals")
    for part in ("SOLUSDT", "MEDIUM", "+1.00%", "2 HIGH", "next 3 are held back", "data look strange", "HELD_BACK 2",
                 "CPU 95%", "does not run"):
        assert part in told, part
    told = await house.ask("/universe")
    for part in ("1 symbol watched", "88.5", "24 h volume 300", "XUSDT", "1,234"):
        assert part in told, part
    told = await house.ask("/signalstats")
    for part in ("2 signals ended", "50%", "Too few for a verdict", "HIGH is demoted", "+0.20", "−0.40"):
        assert part.replace("−", "-") in told.replace("−", "-").replace("<b>", "").replace("</b>", ""), part
    assert "BTC" in await house.ask("/signalstats symbol")


async def test_start_and_stop(tmp_path: Path) -> None:
    house = House(tmp_path)
    assert "never trades" in await house.ask("/startsignals")
    assert "stopped" in await house.ask("/stopsignals")


@pytest.mark.parametrize("long", [True, False])
@pytest.mark.parametrize("samples", [0, 200])
def test_the_chart_shows_levels_book_and_flow(tmp_path: Path, long: bool, samples: int) -> None:
    rows = candles(long)
    side, entry = (1 if long else -1), float(rows[-1, 4])
    told = [[NOW_MS + n * 3000, 0.5 * side, 2e6 + side * 1e6, 2e6] for n in range(samples)]
    spec = {"symbol": "PEPEUSDT", "direction": "LONG" if long else "SHORT", "priority": "HIGH", "quality": 90,
            "entry": entry, "sl": entry * (1 - side * 0.02), "tp1": entry * (1 + side * 0.02),
            "tp2": entry * (1 + side * 0.03), "vwap": entry, "at": NOW_MS, "candles": rows.tolist(), "samples": told,
            "zone": "UTC", "threshold": 0.28}
    picture = tmp_path / "data" / draw(Paths(tmp_path), spec)
    assert matplotlib.image.imread(picture).shape[:2] == (1000, 1125)
    assert share(picture, TARGET) > 0.001 and share(picture, STOP) > 0.001
    assert (share(picture, UP) > share(picture, DOWN)) == long


def reported(count: int) -> dict[str, object]:
    """A day's report as the signal bot keeps it."""
    span = report.period("day", NOW_MS, "UTC")
    rows = [Row(f"{'ABC'[n % 3]}USDT", "HIGH", control, span.begin_ms + n * 60_000, 80, True,
                span.begin_ms + (n + 9) * 60_000, "TP2" if n % 2 else "SL", "", 1.2 if n % 2 else -1.0,
                0.6 if n % 2 else -0.5, 0.7) for n in range(count) for control in (False, True)]
    found = report.build(span, rows, {"HELD_BACK": 2}, NOW_MS, "UTC")
    return {**found, "lived": True, "headline": report_words.headline(found), "lines": report_words.lines(found, "")}


async def test_the_report_of_a_day_in_words(tmp_path: Path) -> None:
    assert REPORT == REPORT_FILE, "written and read under one name"
    house = House(tmp_path)
    assert "/startsignals" in await house.ask("/signalreport")
    kept = {"ms": NOW_MS, "day": reported(0), "day1": reported(0), "week": reported(0), "week1": reported(0)}
    (house.context.paths.data / REPORT).write_bytes(msgspec.json.encode(kept))
    for which in ("", " yesterday", " week", " lastweek"):
        told = await house.ask(f"/signalreport{which}")
        assert "none ended" in told and "held back after a loss 2" in told and "does not run" in told


@pytest.mark.parametrize("count", [1, 12])
def test_the_report_of_a_day_as_a_picture(tmp_path: Path, count: int) -> None:
    paths = Paths(tmp_path).prepare()
    picture = paths.data / draw_report(paths, reported(count))
    assert picture.stat().st_size > 20_000
    assert (share(picture, UP) > share(picture, DOWN)) is (count > 1), "gain and loss are told apart"
