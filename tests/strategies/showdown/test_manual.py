"""Manual sources: every error named, versions, undo, files put by hand, how long they live."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from modules.strategies.showdown.files import ShowdownFiles
from modules.strategies.showdown.inputs import freshness
from modules.strategies.showdown.manual import EXAMPLES, KINDS, Invalid, check, parse
from modules.strategies.showdown.manual_store import ManualStore, sql_rows
from modules.strategies.showdown.settings import ShowdownSettings
from modules.strategies.showdown.us_days import holidays, is_trading_day, lives_until_ms, next_trading_day
from tests.strategies.showdown.market import NOW, inputs
from utils.paths import Paths

LATE = round(datetime(2026, 11, 21, tzinfo=UTC).timestamp() * 1000)


@pytest.fixture
def store(tmp_path: Path) -> ManualStore:
    return ManualStore(ShowdownFiles(Paths(tmp_path).prepare(), "BTCUSDT", True))


@pytest.mark.parametrize("kind", KINDS)
def test_the_examples_are_taken(kind):
    assert parse(kind, EXAMPLES[kind], 90_000.0, LATE)


def test_text_and_json_say_the_same():
    zones = [{"side": "long", "low": 88000, "high": 88500, "size_usd": 120e6},
             {"side": "short", "low": 93000, "high": 93500, "size_usd": 80e6}]
    want = parse("liqmap", json.dumps({"zones": zones}), 90_000.0, LATE)
    for text in (EXAMPLES["liqmap"], "long 88000-88500 120M short 93000-93500 80M", json.dumps(zones)):
        assert parse("liqmap", text, 90_000.0, LATE) == want


@pytest.mark.parametrize(("kind", "text", "named"), [
    ("liqmap", "long 93000-93500 80M", "wrong side of the price"),
    ("liqmap", "short 88000-88500 80M", "wrong side of the price"),
    ("liqmap", "long 88500-88000 80M", "under its low"),
    ("liqmap", '{"price": 50000, "zones": [{"side": "long", "low": 1, "high": 2, "size_usd": 5}]}', "10 % away"),
    ("liqmap", '{"zones": []}', "at least 1 item"),
    ("liqmap", '{"zones": [{"side": "up", "low": 1, "high": 2, "size_usd": NaN}]}', "finite"),
    ("liqmap", "long 1..2 5M", "zones.0.low"),
    ("etf", "2026-11-20 IBIT=120M total=90M", "the total says"),
    ("etf", "2026-11-20 IBIT=1M\n2026-11-20 IBIT=2M", "more than once"),
    ("etf", "2026-11-21 5M", "no US trading day"),
    ("etf", "2026-11-26 5M", "no US trading day"),
    ("etf", "2026-11-27 5M", "future"),
    ("etf", "2026-11-20 IBIT=lots", "no amount"),
    ("etf", "2026-11-20", "neither flows nor a total"),
    ("etf", "{", "no JSON"),
    ("etf", "[" * 5000, "no JSON"),
    ("sentiment", "1.5", "goes from -1"),
    ("sentiment", "great", "no number"),
    ("sentiment", '{"score": Infinity}', "finite"),
    ("sentiment", '{"score": 0, "colour": "red"}', "colour")])
def test_every_error_is_named(kind, text, named):
    with pytest.raises(Invalid) as refused:
        parse(kind, text, 90_000.0, LATE)
    assert named in str(refused.value)


def test_all_errors_are_named_at_once():
    with pytest.raises(Invalid) as refused:
        check("sentiment", {"score": 5, "note": 7, "x": 1}, None, NOW)
    assert len(refused.value.problems) == 3


@pytest.mark.parametrize(("kind", "text", "named"), [
    ("liqmap", '{"price": 90000, "zones": [{"side": "long", "low": 93000, "high": 93500, "size_usd": 1},'
               '{"side": "short", "low": 1, "high": NaN, "size_usd": 1}, {"side": "short", "low": 80000, "high": 81000,'
               '"size_usd": 1}, {"side": "long", "low": 2, "high": 1, "size_usd": -1}]}',
     ("zones.0 (long 93000–93500), zones.2 (short 80000–81000) on the wrong side", "zones.1.high", "zones.3.size_usd")),
    ("liqmap", "long 88000-88500 1M; long 88000-88500 2M; short 95000-96000 1M",
     ("zones.0, zones.1 are the same zone (long 88000–88500)",)),
    ("liqmap", "up 5M; long 1-2 lots", ("'up 5M' is no zone", "'lots' is no amount")),
    ("etf", "2026-11-20 IBIT=x FBTC=y IBIT=1M IBIT=2M; 2026-11-19 5M 6M",
     ("'x' is no amount", "'y' is no amount", "IBIT is given twice", "2026-11-19: the total is given twice")),
    ("etf", '[{"date": "2026-11-20", "total": 1}, {"date": "2026-11-20", "total": 2},'
            '{"date": "2026-11-21", "total": 1}, {"date": "2026-11-19", "flows": {"IBIT": Infinity}}]',
     ("2026-11-20: given more than once", "2026-11-21 is no US trading day", "days.3.flows.IBIT")),
    ("etf", '{"days": [{"date": "2026-11-20", "flows": {"IBIT": 1, "IBIT": 2}, "total": 1, "total": 3}]}',
     ("IBIT: given twice", "total: given twice"))])
def test_contradictions_are_all_named_at_once(kind, text, named):
    with pytest.raises(Invalid) as refused:
        parse(kind, text, 90_000.0, LATE)
    for words in named:
        assert words in str(refused.value)
    assert len(refused.value.problems) == len(set(refused.value.problems)) >= len(named)


def test_a_map_without_a_price_needs_the_markets():
    with pytest.raises(Invalid, match="not known now"):
        parse("liqmap", EXAMPLES["liqmap"], None, LATE)


def test_versions_count_up_and_undo_goes_back(store):
    store.enter("sentiment", "0.5 first", "console", None, NOW)
    store.enter("sentiment", "-0.5 second", "console", None, NOW + 1000)
    assert store.current()["sentiment"].body["score"] == -0.5
    undone, left = store.undo("sentiment", NOW + 2000)
    assert (undone.version, left.version, store.current()["sentiment"].entered_ms) == (2, 1, NOW)
    assert json.loads((store._files.folder / "news_sentiment.json").read_text())["score"] == 0.5
    store.undo("sentiment", NOW + 3000)
    assert store.current() == {} and not (store._files.folder / "news_sentiment.json").exists()
    with pytest.raises(Invalid):
        store.undo("sentiment", NOW + 4000)


def test_etf_days_of_before_stay(store):
    store.enter("etf", "2026-11-19 IBIT=1M", "console", None, LATE)
    store.enter("etf", "2026-11-20 IBIT=2M", "console", None, LATE)
    assert [day["date"] for day in store.current()["etf"].body["days"]] == ["2026-11-19", "2026-11-20"]


def test_a_file_put_by_hand_becomes_a_version_once(store):
    path = store._files.folder / "btc_liquidation_map.json"
    path.write_text('{"zones": [{"side": "long", "low": 88000, "high": 88500, "size_usd": 1000}]}')
    assert store.by_hand("liqmap", 90_000.0, NOW).source == "file"
    assert store.by_hand("liqmap", 90_000.0, NOW) is None
    path.write_text('{"zones": "none"}')
    with pytest.raises(Invalid):
        store.by_hand("liqmap", 90_000.0, NOW)
    assert store.current()["liqmap"].version == 1
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(Invalid, match="UTF-8"):
        store.by_hand("liqmap", 90_000.0, NOW)


def test_history_in_sql_has_every_version(store):
    store.enter("etf", "2026-11-20 IBIT=2M FBTC=-1M", "console", None, LATE)
    store.enter("sentiment", "0.1", "telegram", None, LATE)
    store.undo("sentiment", LATE + 5)
    rows = sql_rows("BTCUSDT", store.versions())
    assert [table for table, _ in rows] == ["etp_flows", "etp_flows", "news_sentiment_history"]
    assert len({row["uid"] for _, row in rows}) == 3
    assert rows[2][1]["undone_ms"] == LATE + 5


def test_holidays_of_a_year():
    assert holidays(2026) == {date(2026, 1, 1), date(2026, 1, 19), date(2026, 2, 16), date(2026, 4, 3),
                              date(2026, 5, 25), date(2026, 6, 19), date(2026, 7, 3), date(2026, 9, 7),
                              date(2026, 11, 26), date(2026, 12, 25)}
    assert not is_trading_day(date(2026, 11, 22))
    assert next_trading_day(date(2026, 11, 25)) == date(2026, 11, 27)


@pytest.mark.parametrize(("day", "until"), [(date(2026, 11, 20), datetime(2026, 11, 23, 21, tzinfo=UTC)),
                                            (date(2026, 7, 2), datetime(2026, 7, 6, 20, tzinfo=UTC))])
def test_flows_live_until_the_next_trading_days_close(day, until):
    assert lives_until_ms(day) == round(until.timestamp() * 1000)


def test_manual_sources_grow_stale():
    own = ShowdownSettings()
    made = inputs()
    assert freshness(made, own)["etf"].state == "live"
    from dataclasses import replace
    later = replace(made, ms=NOW + 4 * 86_400_000)
    fresh = freshness(later, own)
    assert {fresh[kind].state for kind in KINDS} == {"stale"}
