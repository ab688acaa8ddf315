"""The desk: each text once, what was known when, and all of it there again after a restart."""

import json
from pathlib import Path

import pytest

from modules.sentiment import desk as desks
from modules.sentiment.board import FOLDER, Board, History, read_state
from modules.sentiment.desk import Desk
from modules.sentiment.model import shipped
from modules.sentiment.providers import Judge
from modules.sentiment.settings import SentimentSettings
from modules.sentiment.sources import Item
from utils.paths import Paths
from utils.wall import now_ms

START = 1_700_000_000_000


class Market:
    ms = START

    def __call__(self) -> int:
        return self.ms


class House:
    def __init__(self, home: Path) -> None:
        self.paths, self.market = Paths(home).prepare(), Market()
        self.settings = SentimentSettings()

    def desk(self) -> Desk:
        made = Desk(self.settings, self.paths, Judge(shipped(), {}, {}, 16, {}), self.market)
        made.begin()
        return made


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def item(text: str, age_s: float | None = None, extra: str = "") -> Item:
    return Item(text, extra, None if age_s is None else now_ms() - int(age_s * 1000))


async def test_a_text_counts_once_over_sources_and_restarts(house: House) -> None:
    desk = house.desk()
    assert await desk.take("a", [item("Bitcoin surges to record high"), item("BITCOIN surges, to record high!")]) == 1
    assert await desk.take("b", [item("Bitcoin surges to record high https://t.co/x")]) == 0
    await desk.close()
    again = house.desk()
    assert await again.take("a", [item("Bitcoin surges to record high")]) == 0
    assert again.doubles == 1
    await again.close()


async def test_every_score_tells_where_it_came_from(house: House) -> None:
    desk = house.desk()
    await desk.take("rss:x", [item("Bitcoin surges to record high", 100.0), item("Traders wait")])
    await desk.close()
    first, second = sorted(History.read(house.paths.data / FOLDER, 3600.0).texts, key=lambda text: text.text)
    assert first.symbols == ("BTCUSDT",) and first.source == "rss:x" and first.provider == shipped().name
    assert first.age_s is not None and 100 <= first.age_s < 160 and not first.fallback and first.confidence > 0.3
    assert first.language == "en" and first.known_ms == START
    assert second.symbols == () and second.age_s is None


async def test_the_board_and_the_record_tell_the_same(house: House) -> None:
    desk = house.desk()
    for number, text in enumerate(("Bitcoin soars", "Bitcoin plunges after hack", "Ether is late", "Market up")):
        house.market.ms = START + number * 60_000
        await desk.take("s", [item(text)])
    await desk.close()
    board, history = Board(house.paths), History.read(house.paths.data / FOLDER, house.settings.half_life_s)
    for symbol in ("BTCUSDT", "ETHUSDT", "DOGEUSDT", "*"):
        for later in (0, 10_000, 4_000_000):
            now = house.market.ms + later
            here, there = board.mood(symbol, now), history.mood(symbol, now)
            assert here is not None and there is not None
            assert here.score == pytest.approx(there.score) and here.sources == there.sources


async def test_a_restart_goes_on_with_what_was_known(house: House) -> None:
    desk = house.desk()
    await desk.take("s", [item("Bitcoin soars to new record")])
    await desk.close()
    before = Board(house.paths).mood("BTCUSDT", START)
    again = house.desk()
    again.write()
    assert Board(house.paths).mood("BTCUSDT", START) == before
    (house.paths.data / "sentiment.json").unlink()  # killed before it was written: the record is left
    house.desk().write()
    assert Board(house.paths).mood("BTCUSDT", START) == before
    await again.close()


async def test_what_is_too_old_or_empty_is_left_out(house: House) -> None:
    desk = house.desk()
    assert await desk.take("s", [item("Old news", 90_000.0), item("  <b></b> "), item("")]) == 0
    assert desk.old == 1
    await desk.close()


async def test_a_simulated_market_that_begins_anew_forgets(house: House) -> None:
    desk = house.desk()
    await desk.take("s", [item("Bitcoin soars to new record")])
    house.market.ms = START - 10_000_000
    await desk.take("s", [item("Ether rises")])
    assert set(desk.state.gauges) == {"ETHUSDT"}
    await desk.close()
    other = house.desk()
    assert other.state.made_ms == START - 10_000_000
    await other.close()


async def test_texts_of_megabytes_and_of_any_language_are_scored(house: House) -> None:
    desk = house.desk()
    texts = ["Bitcoin " + "x" * 3_000_000, "比特币创历史新高", "Биткоин обвалился", "ارتفاع بيتكوين", "🚀" * 5000,
             "\ud800 broken", "a\x00b\u202ec"]
    assert await desk.take("s", [item(text) for text in texts]) == len(texts)
    desk.write()
    state = read_state(house.paths)
    assert state is not None and len(state.recent) == len(texts)
    assert all(len(text.text) <= desks.SHOWN for text in state.recent)
    assert {"zh", "ru", "ar"} <= {text.language for text in state.recent}
    await desk.close()


async def test_a_disk_that_refuses_is_told_and_scoring_goes_on(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = house.desk()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(desks, "write_atomic", full)
        assert await desk.take("s", [item("Bitcoin soars")]) == 1
        desk.write()
        assert "No space" in desk.problem
    desk.write()
    assert desk.problem == "" and json.loads((house.paths.data / "sentiment.json").read_bytes())["recent"]
    await desk.close()
