"""/apikeys and /sentimentfeed: what they tell, and what they never do."""

from pathlib import Path

import msgspec
from pydantic import SecretStr

from modules.apikeys.api_manager import ApiManager, Lease
from modules.apikeys.outcome import Outcome, Verdict
from modules.apikeys.settings import ApiKeySettings
from modules.sentiment.board import FILE, State
from modules.sentiment.mood import Scored, gauges
from tests.telegram.house import NOW_MS, House

KEYS = "main=sk-secret-of-main-1111,spare=sk-secret-of-spare-222"


async def test_without_keys_it_says_what_works(tmp_path: Path) -> None:
    told = await House(tmp_path).ask("/apikeys")
    assert "no API key" in told and "local model" in told and "bot.py apikeys add" in told


async def test_keys_are_masked_and_their_state_told(tmp_path: Path) -> None:
    house = House(tmp_path)
    settings = ApiKeySettings(openai=SecretStr(KEYS))
    house.context.settings = house.context.settings.model_copy(update={"apikeys": settings})
    manager = ApiManager.open(settings, house.context.paths)
    lease = manager.take("openai")
    assert isinstance(lease, Lease)
    manager.report(lease, Outcome(Verdict.LIMITED, 3600.0, why="HTTP 429"))
    assert isinstance(manager.take("openai"), Lease)
    manager.close()
    told = await house.ask("/apikeys")
    for part in ("1 of 2 ready", "⏳ main", "resting", "too many requests", "✅ spare", "serves", "from key",
                 "No key: "):
        assert part in told, part
    assert "secret" not in told


async def test_the_feed_before_anything_was_read(tmp_path: Path) -> None:
    assert "/sentimentfeed on" in await House(tmp_path).ask("/sentimentfeed")


async def test_the_mood_tells_where_it_comes_from_and_escapes_strangers(tmp_path: Path) -> None:
    house = House(tmp_path)
    texts = [Scored(known_ms=NOW_MS - 60_000, score=0.9, label="bullish", confidence=0.9, provider="openai:x",
                    source="rss:example", id="1", symbols=("BTCUSDT",), text="Bitcoin <b>soars</b> & more"),
             Scored(known_ms=NOW_MS - 30_000, score=-0.8, label="bearish", confidence=0.8, provider="headlines-1",
                    source="rss:other", id="2", fallback=True, text="Markets fall")]
    state = State(made_ms=NOW_MS, half_life_s=3600.0, gauges=gauges(texts, 3600.0), recent=texts[::-1],
                  sources={"rss:example": "broken XML in line 3"}, local="scored by the local model")
    (house.context.paths.data / FILE).write_bytes(msgspec.json.encode(state))
    told = await house.ask("/sentimentfeed")
    for part in ("BTCUSDT ▲ bullish", "market ▼ bearish", "fallback", "openai:x", "&lt;b&gt;soars", "broken XML",
                 "local model", "not read at present"):
        assert part in told, part
    assert "Markets fall" not in await house.ask("/sentimentfeed BTCUSDT")
    assert "BTCUSDT ▲ bullish" in await house.ask("/sentimentfeed btc")


async def test_it_is_switched_on_and_off(tmp_path: Path) -> None:
    house = House(tmp_path)
    assert "is read" in await house.ask("/sentimentfeed on")
    assert "no longer" in await house.ask("/sentimentfeed off")
