"""The page Scalper: view and state as the scalper writes them, moods and where from, masked keys, why it waits."""

from decimal import Decimal

import msgspec
from pydantic import SecretStr

from config.crew import crew_for
from modules.apikeys.api_manager import ApiManager, Lease
from modules.apikeys.outcome import Outcome, Verdict
from modules.apikeys.settings import ApiKeySettings
from modules.dashboard.pages.scalper import ScalperPage, curve
from modules.dashboard.pages.sources import Sources
from modules.exchange.types import Mode
from modules.sentiment.board import FILE
from modules.sentiment.board import State as Said
from modules.sentiment.mood import Scored, gauges
from modules.strategies.scalper.records import VIEW, State, state_file
from modules.supervision.service import ServiceRun
from tests.telegram.house import NOW_MS, House
from tests.telegram.test_scalper import trade, view

D = Decimal
KEYS = "main=sk-secret-of-main-1111,spare=sk-secret-of-spare-222"


def page_of(house: House) -> ScalperPage:
    return ScalperPage(Sources(house.paths, house.settings, crew_for(house.settings)))


def running(house: House) -> None:
    for name in ("scalper", "feed"):
        ServiceRun(name, house.paths, 1.0).ready()


def test_before_its_first_run_it_says_how_to_start(house: House) -> None:
    shown = page_of(house)({})
    msgspec.json.encode(shown)
    assert shown["why"]["headline"] == "Not trading because the service scalper is stopped"
    assert shown["head"]["modes"] == [] and shown["sentiment"]["rows"] == [] and shown["trades"] == []


def test_positions_flow_and_refusals_of_the_view(house: House) -> None:
    (house.paths.data / VIEW).write_bytes(view())
    running(house)
    shown = page_of(house)({})
    msgspec.json.encode(shown)
    held = shown["open"][0]
    assert held["now"] == 2001.0 and held["left_s"] == 60 and round(held["move"], 3) == 0.05
    assert shown["contracts"][0]["flow"]["ofi"] == 0.6 and shown["refused"] == [("COOL_DOWN", 4)]
    assert shown["why"]["headline"].startswith("It holds 1")


def test_why_it_waits_is_told_by_its_code(house: House) -> None:
    body = msgspec.json.decode(view())
    body["modes"]["TEST"]["open"] = []
    (house.paths.data / VIEW).write_bytes(msgspec.json.encode(body))
    running(house)
    assert page_of(house)({})["why"]["headline"] == "Not trading because the parts together speak too weakly"
    body["modes"]["TEST"]["problem"] = "the limit LOSING_STREAK is broken"
    (house.paths.data / VIEW).write_bytes(msgspec.json.encode(body))
    assert "LOSING_STREAK" in page_of(house)({})["why"]["headline"]


def test_trades_of_both_modes_from_their_state_and_the_sum(house: House) -> None:
    done = [trade(id=f"b{n}", pnl=D(n), closed_ms=NOW_MS + n * 1000, why="stop") for n in (1, -3, 5)]
    state_file(house.paths, Mode.TEST).save(State(last=done, trades=3))
    state_file(house.paths, Mode.LIVE).save(State(last=[trade(id="x", pnl=D(9), closed_ms=NOW_MS, why="time")]))
    shown = page_of(house)({})
    assert [row["id"] for row in shown["trades"]] == ["b5", "b1", "x", "b-3"]
    assert shown["trades"][0]["why"] == "stop reached"
    assert [value for _, value in shown["curve"]] == [0.0, -3.0, -2.0, 3.0]  # TEST alone, by the time of their end
    assert curve([], "TEST") == []


def test_moods_say_who_scored_them_and_texts_stay_text(house: House) -> None:
    texts = [Scored(known_ms=NOW_MS - 60_000, score=0.9, label="bullish", confidence=0.9, provider="openai:x",
                    source="rss:example", id="1", symbols=("BTCUSDT",), text="Bitcoin <b>soars</b>"),
             Scored(known_ms=NOW_MS - 30_000, score=-0.8, label="bearish", confidence=0.8, provider="headlines-1",
                    source="rss:other", id="2", fallback=True, text="Markets fall")]
    state = Said(made_ms=NOW_MS, half_life_s=3600.0, gauges=gauges(texts, 3600.0), recent=texts[::-1],
                 sources={"rss:example": "broken XML in line 3"}, local="scored by the local model")
    (house.paths.data / FILE).write_bytes(msgspec.json.encode(state))
    shown = page_of(house)({})
    msgspec.json.encode(shown)
    rows = {row["symbol"]: row for row in shown["sentiment"]["rows"]}
    assert rows["BTCUSDT"]["score"] > 0 > rows["*"]["score"] and rows["*"]["fallback"]
    assert shown["texts"][0]["fallback"] and shown["texts"][1]["age_s"] == 60
    assert shown["sentiment"]["sources"] == {"rss:example": "broken XML in line 3"}


def test_keys_are_masked_with_rests_and_counts(house: House) -> None:
    settings = ApiKeySettings(openai=SecretStr(KEYS))
    house.settings = house.settings.model_copy(update={"apikeys": settings})
    manager = ApiManager.open(settings, house.paths)
    lease = manager.take("openai")
    assert isinstance(lease, Lease)
    manager.report(lease, Outcome(Verdict.LIMITED, 3600.0, why="HTTP 429"))
    assert isinstance(manager.take("openai"), Lease)
    manager.close()
    shown = page_of(house)({})
    rows = {row["owner"]: row for row in shown["keys"]["rows"]}
    assert rows["main"]["state"] == "resting" and rows["main"]["rest_s"] > 3000 and rows["spare"]["serves"]
    assert shown["switches"] and "secret" not in msgspec.json.encode(shown).decode()
