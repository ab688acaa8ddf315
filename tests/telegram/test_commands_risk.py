"""The words of X36, the kill switch, /risk and the trading state in /status, against state files of their own."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from modules.exchange.types import Mode
from modules.execution.risk_state import Limit, Trading, futures_risk_file
from modules.strategies.hype.files import HypeFiles, TestMode, mode_file
from modules.telegram.commands.futures_view import TRADERS
from modules.telegram.markup import plain
from tests.telegram.bot_api import parsed
from tests.telegram.house import NOW_MS, VIEWER, House, position, telegram

D = Decimal
WORDS = ("pause", "drain", "flatten", "kill", "shutdown")


def set_risk(house: House, mode: Mode = Mode.TEST, **fields: Any) -> None:
    file = HypeFiles(house.paths, mode).risk
    file.save(msgspec.structs.replace(file.load(), **fields))


def tear(house: House, mode: Mode = Mode.TEST) -> None:
    HypeFiles(house.paths, mode).risk.path.write_text("{torn", encoding="utf-8")


def words(house: House) -> list[tuple[str, str, bool]]:
    return [(body["mode"], body["command"], body.get("accept", False)) for kind, body in house.inbox("tracker")
            if kind == "risk"]


@pytest.mark.parametrize("word", WORDS)
async def test_each_word_is_previewed_with_the_exact_exposure_before_it_acts(house: House, word: str) -> None:
    house.hold(position(), position("DOGEUSDT", quantity=D(50), fees_usdt=D("0.05")))
    house.hold(position("BTCUSDT", "LIVE"), mode=Mode.LIVE)
    asked = plain(await house.ask(f"/{word}"))
    assert "yes or no" in asked and words(house) == [] and house.crew.asked == []
    assert "52.00" in asked, asked
    if word != "kill":
        assert "[TEST]" in asked and "[LIVE]" in asked and "2 position(s) worth ≈ 77.9" in asked


@pytest.mark.parametrize("word", WORDS[:4])
async def test_a_confirmed_word_goes_to_both_modes_or_to_the_one_named(house: House, word: str) -> None:
    house.hold(position())
    assert plain(await house.confirm(f"/{word}"))
    assert words(house) == [("TEST", word.upper(), False), ("LIVE", word.upper(), False)]
    await house.confirm(f"/{word} live")
    assert words(house)[2:] == [("LIVE", word.upper(), False)]


async def test_a_confirmation_expires_and_a_viewer_may_only_look(house: House) -> None:
    answer = await house.router.line(telegram(111), "/flatten")
    assert answer is not None
    house.clock.now += house.settings.telegram.confirm_s + 1
    expired = await house.router.press(telegram(111), answer.buttons[0][0].data)
    assert expired is not None and words(house) == []
    for word in (*WORDS, "resume"):
        assert "for owners" in await house.ask(f"/{word}", telegram(VIEWER))
    assert "Trading" in plain(await house.ask("/risk", telegram(VIEWER)))


async def test_flatten_names_every_sale_and_asks_again_when_the_exposure_changed(house: House) -> None:
    house.hold(position(), position("HALTUSDT", state="halted"), position("NEWUSDT", last_price=None))
    answer = await house.router.line(telegram(111), "/flatten")
    assert answer is not None
    told = plain(answer.text)
    for part in ("Sells PEPEUSDT 100: ≈ 52.00 USDT", "Cannot sell HALTUSDT", "NEWUSDT", "no price now"):
        assert part in told, told
    house.hold(position(quantity=D(40)))
    again = await house.router.press(telegram(111), answer.buttons[0][0].data)
    assert again is not None and "It changed since you asked" in plain(again.text) and words(house) == []
    done = await house.router.press(telegram(111), again.buttons[0][0].data)
    assert done is not None and "Selling everything" in plain(done.text)
    assert ("TEST", "FLATTEN", False) in words(house) and ("start", "tracker") in house.crew.asked


async def test_waiting_entries_are_counted(house: House) -> None:
    for mode in ("TEST", "TEST", "LIVE"):
        house.context.post("tracker", "buy", {"mode": mode})
    told = plain(await house.ask("/drain"))
    assert "Cancels 2 waiting entries" in told and "Cancels 1 waiting entries" in told


async def test_shutdown_says_what_stays_unguarded_and_stops_all(house: House) -> None:
    house.hold(position(), mode=Mode.LIVE)
    asked = plain(await house.ask("/shutdown"))
    assert "UNGUARDED until the next start, no stop rests on the exchange: PEPEUSDT" in asked and "On spot" in asked
    assert "Everything is stopped" in plain(await house.confirm("/shutdown")) and house.crew.asked == [("stop_all",)]


async def test_resume_asks_for_what_it_accepts(house: House) -> None:
    assert "nothing to resume" in plain(await house.ask("/resume"))
    set_risk(house, trading=Trading.HALTED, killed=True, latched={Limit.DRAWDOWN: 0}, peak=D(10_000), equity=D(7900))
    asked = plain(await house.ask("/resume test"))
    assert "kill switch is on; this takes it off" in asked and "peak 10,000.00, equity 7,900.00" in asked
    await house.confirm("/resume test")
    assert words(house) == [("TEST", "RESUME", True)]


async def test_resume_does_not_lift_a_loss_limit_and_says_until_when(house: House) -> None:
    house.crew.states["tracker"] = "ready"  # it tells what time it is on the market
    set_risk(house, latched={Limit.DAY_LOSS: NOW_MS + 3_600_000})
    told = plain(await house.ask("/resume test"))
    assert "the limit DAY_LOSS is broken, until 2025-10-09 09:53 UTC" in told and words(house) == []


async def test_pause_off_is_resume(house: House) -> None:
    set_risk(house, trading=Trading.PAUSED)
    assert "Buy again?" in plain(await house.ask("/pause off test"))
    await house.confirm("/pause off test")
    assert words(house) == [("TEST", "RESUME", True)]


async def test_a_word_that_cannot_be_followed_is_refused_at_once(house: House) -> None:
    for mode in Mode:
        set_risk(house, mode, trading=Trading.FLATTENING)
    assert "stricter" in plain(await house.ask("/pause")) and "being sold" in plain(await house.ask("/resume"))
    for mode in Mode:
        set_risk(house, mode, killed=True)
        for system in TRADERS:
            file = futures_risk_file(house.paths.data, system, mode)
            file.save(msgspec.structs.replace(file.load(), killed=True))
    assert "on already" in plain(await house.ask("/kill"))


async def test_words_on_their_way_are_judged_by_the_tracker_which_knows_what_they_led_to(house: House) -> None:
    await house.confirm("/pause")
    await house.confirm("/resume")
    assert [word for _, word, _ in words(house)] == ["PAUSE", "PAUSE", "RESUME", "RESUME"]


async def test_an_unreadable_state_takes_flatten_and_resume_only(house: House) -> None:
    for mode in Mode:
        tear(house, mode)
    assert "cannot be read" in plain(await house.ask("/pause"))
    assert "starts anew" in plain(await house.ask("/resume"))
    assert "Selling everything" in plain(await house.confirm("/flatten"))
    assert "cannot be read" in plain(await house.ask("/risk")) and "risk state unreadable" in plain(
        await house.ask("/status"))


async def test_risk_shows_every_limit_with_share_state_peak_and_since(house: House) -> None:
    house.crew.states["tracker"] = "ready"
    set_risk(house, equity=D(9500), equity_ms=NOW_MS, peak=D(10_500), day="2025-10-09", day_start=D(9900),
             week="2025-W41", week_start=D(10_000), exposure=D(950), data_ms=NOW_MS, streak=2, since_ms=NOW_MS,
             trading=Trading.PAUSED, reason="holiday", by="Ann", latched={Limit.DAY_LOSS: NOW_MS + 60_000})
    told = plain(parsed_text(await house.ask("/risk")))
    for part in ("[TEST] Trading: PAUSED since 2025-10-09 08:53 UTC, by Ann", "holiday", "peak 10,500.00",
                 "Kill switch: off", "day loss", "81% STOP", "week loss", "50% ok", "drawdown", "48% ok",
                 "exposure", "10.00 /50.00%  20% ok", "losses", "20% ok", "price age", "equity age",
                 "Until 2025-10-09 08:54 UTC no entries: day loss"):
        assert part in told, (part, told)
    assert all(len(line) <= 34 for line in told.splitlines() if "/" in line and "%" in line)
    assert "[LIVE]" not in told and "[LIVE]" in plain(await house.ask("/risk live"))


def parsed_text(answer: str) -> str:
    parsed(answer, "HTML")
    return answer


async def test_risk_says_when_its_figures_are_old(house: House) -> None:
    assert "not running" in plain(await house.ask("/risk"))


async def test_status_shows_the_trading_state_of_each_mode(house: House) -> None:
    house.hold(position("BTCUSDT", "LIVE"), mode=Mode.LIVE)
    set_risk(house, Mode.LIVE, trading=Trading.HALTED, reason="equity fell too far")
    told = plain(await house.ask("/status"))
    assert "TEST: 0 open positions, trading ACTIVE" in told
    assert "LIVE: 1 open position, trading HALTED" in told and "no entries: HALTED: equity fell too far" in told


async def test_status_tells_a_broken_limit_that_a_tracker_which_began_just_now_has_not_told_yet(house: House) -> None:
    set_risk(house, latched={Limit.DAY_LOSS: NOW_MS + 60_000})
    house.crew.states["tracker"] = "ready"
    house.crew.info["tracker"] = {"stopped_test": ""}
    told = plain(await house.ask("/status"))
    assert "no entries: the limit DAY_LOSS is broken (/risk)" in told
    set_risk(house, latched={Limit.DAY_LOSS: NOW_MS - 60_000})
    assert "no entries" not in plain(await house.ask("/status")), "its time is over"
    set_risk(house, Mode.LIVE, latched={Limit.DRAWDOWN: 0})
    told = plain(await house.ask("/status"))
    assert "LIVE: 0 open positions" in told and "DRAWDOWN is broken" in told, "also in the mode that is not on"


async def test_startbot_says_that_nothing_is_bought(house: House) -> None:
    house.crew.info["tracker"] = {"stopped_test": "PAUSED: holiday", "stopped_live": ""}
    assert "Nothing is bought now: PAUSED: holiday" in plain(await house.ask("/startbot"))
    mode_file(house.paths).save(TestMode(test_mode=False))
    assert "Nothing is bought now" not in plain(await house.ask("/startbot"))


async def test_backup_says_what_is_in_it_and_what_is_not(house: House) -> None:
    house.hold(position())
    (house.paths.home / ".env").write_text("EXCHANGE_API_KEY=topsecret\n", encoding="utf-8")
    told = plain(await house.ask("/backup"))
    made = list((house.paths.home / "backups").glob("*.zip"))
    assert len(made) == 1 and f"backups/{made[0].name}" in told and "Not in it: keys" in told
    assert b"topsecret" not in made[0].read_bytes()


async def test_a_backup_that_fails_is_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("modules.telegram.commands.data.make_backup", full)
    told = plain(await house.ask("/backup"))
    assert "No backup was made" in told and "No space left" in told
