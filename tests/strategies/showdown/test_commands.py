"""Commands of system C as a person uses them, and the picture."""

from pathlib import Path

import msgspec
import pytest

from modules.exchange.settings import ExchangeSettings
from modules.strategies.showdown import files, stages
from modules.strategies.showdown.settings import ShowdownSettings
from modules.telegram.chart_showdown import showdown
from modules.telegram.commands import showdown as commands
from tests.strategies.showdown.market import NOW, inputs, without
from tests.telegram.house import CONSOLE, House


@pytest.fixture
def house(tmp_path: Path, monkeypatch) -> House:
    async def now(_: object) -> int:
        return NOW + 60_000
    monkeypatch.setattr(commands, "market_time", now)
    return House(tmp_path)


def decide(house: House, made=None):
    outcome = stages.run(made or inputs(), ShowdownSettings())
    own = commands.files_of(house.context)
    for path, record in ((own.snapshot, outcome.snapshot), (own.flow, outcome.flow), (own.decision, outcome.decision)):
        files.write(path, record)
    return outcome


async def said(house: House, line: str) -> str:
    answer = await house.router.line(CONSOLE, line)
    assert answer is not None
    return answer.text


async def test_start_and_stop_say_mode_and_whose_money(house):
    text = await said(house, "/startbtc")
    assert "[TEST]" in text and "paper money" in text
    assert ("start", "showdown") in house.crew.asked
    assert "[TEST]" in await said(house, "/stopbtc")


async def test_btc_before_anything_was_decided(house):
    assert "/startbtc" in await said(house, "/btc")


async def test_btc_tells_levels_size_reasons_and_what_is_absent(house):
    house.worker.answers["showdown"] = {"picture": "pictures/x.png"}
    decision = decide(house, without(inputs(), "etf")).decision
    text = await said(house, "/btc 5m")
    for part in ("[TEST]", "LONG", decision.sl, decision.tp1, "Size 10,000 USDT (0.2 BTC)", "STRUCTURE_5M", "etf",
                 "No position"):
        assert part in text
    task, spec = house.worker.asked[0]
    assert (task, spec["interval"], spec["symbol"]) == ("showdown", "5m", "BTCUSDT")
    assert "too old" not in text


async def test_an_old_decision_is_said_to_be_old(house):
    decide(house, inputs(ms=NOW - 3_600_000))
    assert "too old to act on" in await said(house, "/btc")


async def test_another_contract_is_refused_by_name(house):
    assert "ETHUSDT is not decided on" in await said(house, "/btc ETH")


@pytest.mark.parametrize(("line", "want"), [
    ("/etf 2025-12-31 IBIT=120M", "version 1"), ("/etf 2025-11-03 IBIT=120M", "out of date already"),
    ("/etf 2026-01-01 IBIT=120M", "no US trading day"),
    ("/liqmap long 48000-48500 120M short 52000 5M", "version 1"), ("/liqmap long 52000 5M", "wrong side"),
    ('/sentiment {"score": 0.2, "note": "a  <b>"}', "version 1"), ("/sentiment 7", "nothing changed"),
    ("/sentiment undo", "nothing can be taken back"), ("/etf", "nothing was entered")])
async def test_manual_sources_by_command(house, line, want):
    decide(house)
    assert want in await said(house, line)


async def test_undo_and_show(house):
    await said(house, "/sentiment 0.5 first")
    assert "first" in await said(house, "/sentiment")
    assert "neutral" in await said(house, "/sentiment undo")


@pytest.mark.parametrize("side", [1, -1])
async def test_the_picture_is_drawn(house, side):
    outcome = decide(house, inputs(side))
    spec = commands._spec(house.context, outcome.snapshot, outcome.flow, outcome.decision, "15m")
    told = await showdown(house.context.paths, ExchangeSettings(), msgspec.json.decode(msgspec.json.encode(spec)))
    assert (house.context.paths.data / told["picture"]).stat().st_size > 20_000
