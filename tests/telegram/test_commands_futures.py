"""Futures accounts from a phone: what stands on disk is shown, words go to the account's keeper, nothing unasked."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from modules.exchange.types import Fill, Mode, PositionSide, Side
from modules.execution.futures.plan import FuturesState, Plan
from modules.execution.ledger import Ledger
from modules.execution.risk_state import Limit, Trading, futures_risk_file
from modules.storage.json_state import JsonFile
from modules.telegram.commands.futures_view import TRADERS
from modules.telegram.markup import plain
from tests.execution.futures.house import contract
from tests.telegram.house import NOW_MS, VIEWER, House, telegram

D = Decimal
WORDS = ("pause", "drain", "flatten", "kill")


def account(house: House, mode: Mode = Mode.TEST, system: str = "showdown", held: str = "0.5",
            blocked: dict[str, str] | None = None, **risk: Any) -> None:
    """The files that a keeper leaves."""
    file = futures_risk_file(house.paths.data, system, mode)
    state = {"equity": D(10_000), "peak": D(10_500), "exposure": D(200), "equity_ms": NOW_MS, "data_ms": NOW_MS}
    file.save(msgspec.structs.replace(file.load(), **{**state, **risk}))
    ledger = Ledger("simulated", str(mode), signed=True)
    if held != "0":
        ledger.take(Fill("1", "ETHUSDT", "7", "c", Side.BUY, D(2000), D(held), D("0.5"), "USDT", NOW_MS,
                         position_side=PositionSide.LONG), contract())
    plan = Plan(symbol="ETHUSDT", side=PositionSide.LONG, long=True, stop=D(1900))
    books = FuturesState(plans={"ETHUSDT LONG": plan} if held != "0" else {}, ledgers={"LONG": ledger.pages()},
                         blocked=blocked or {})
    prefix = "test_" if mode is Mode.TEST else ""
    JsonFile(house.paths.data / f"{prefix}futures_{system}.json", FuturesState, FuturesState).save(books)


def told(house: House, mode: str = "test", system: str = "showdown") -> list[tuple[str, dict[str, Any]]]:
    return house.inbox(f"futures-{system}-{mode}")


async def test_risk_shows_a_futures_account_beside_spot(house: House) -> None:
    house.crew.states["tracker"] = "ready"  # it tells the time of the market
    account(house, latched={Limit.DAY_LOSS: NOW_MS + 60_000}, day="2025-10-09", day_start=D(10_600))
    said = plain(await house.ask("/risk"))
    assert "[TEST] Trading: ACTIVE" in said and "[TEST futures showdown] Trading: ACTIVE" in said
    assert "10,000.00 USDT" in said and "STOP" in said and "Open: ETHUSDT LONG 0.5, average 2000" in said
    assert "futures" not in plain(await house.ask("/risk live"))


@pytest.mark.parametrize("word", WORDS)
async def test_each_word_shows_the_legs_and_reaches_the_keeper(house: House, word: str) -> None:
    account(house)
    account(house, Mode.LIVE)
    asked = plain(await house.ask(f"/{word}"))
    assert "[TEST futures showdown]" in asked or word == "kill"
    assert "ETHUSDT LONG 0.5" in asked or word in ("pause", "drain")
    assert not told(house) and not told(house, "live")
    await house.confirm(f"/{word} test")
    assert [(kind, body["command"]) for kind, body in told(house)] == [("risk", word.upper())]
    assert not told(house, "live"), "only the mode that was named"


async def test_the_kill_switch_reaches_accounts_that_nobody_has_opened_yet(house: House) -> None:
    assert "LIVE futures scalper" in plain(await house.ask("/kill live"))
    said = plain(await house.confirm("/kill live"))
    assert "scalper is not running; it will read this when it starts." in said and "stops stand" not in said
    for system in TRADERS:
        assert [body["command"] for _, body in told(house, "live", system)] == ["KILL"]
        assert not told(house, "test", system)
    assert "LIVE futures scalper" in plain(await house.ask("/resume live"))  # found again by the word that waits
    await house.confirm("/resume live")
    assert [body["command"] for _, body in told(house, "live", "scalper")] == ["KILL", "RESUME"]


async def test_resume_has_the_drawdown_accepted_expressly(house: House) -> None:
    account(house, trading=Trading.HALTED, reason="equity fell too far", latched={Limit.DRAWDOWN: 0})
    asked = plain(await house.ask("/resume test"))
    assert "drawdown limit is broken (peak 10,500.00, equity 10,000.00 USDT)" in asked
    await house.confirm("/resume test")
    assert told(house)[0][1] == {"mode": "TEST", "command": "RESUME", "by": "console", "accept": True}


async def test_flatten_starts_the_service_that_has_to_close(house: House) -> None:
    account(house)
    await house.confirm("/flatten test")
    assert ("start", "showdown") in house.crew.asked


async def test_a_stopped_leg_is_shown_and_released_after_asking(house: House) -> None:
    account(house, blocked={"ETHUSDT LONG": "it was liquidated"})
    for line in ("/futures", "/risk"):
        said = plain(await house.ask(line))
        assert "ETHUSDT LONG takes no entries: it was liquidated. → /release ethusdt long" in said, said
    asked = plain(await house.ask("/release eth long"))
    assert "it was liquidated" in asked and "0.5 are held" in asked and not told(house)
    await house.confirm("/release eth")
    assert told(house) == [("release", {"symbol": "ETHUSDT", "side": "LONG", "by": "console"})]


async def test_a_leg_is_closed_after_asking(house: House) -> None:
    account(house)
    asked = plain(await house.ask("/closeleg eth"))
    assert "Close ETHUSDT LONG?" in asked and "paper money" in asked
    await house.confirm("/closeleg eth")
    assert told(house) == [("close", {"symbol": "ETHUSDT", "side": "LONG", "by": "console"})]


async def test_what_fits_twice_or_not_at_all_is_refused_in_words(house: House) -> None:
    account(house)
    account(house, Mode.LIVE)
    assert "Several fit" in plain(await house.ask("/closeleg eth"))
    assert "is not stopped" in plain(await house.ask("/release eth"))
    assert "No futures position in SOLUSDT is open" in plain(await house.ask("/closeleg sol"))
    assert "REAL" in plain(await house.ask("/closeleg eth live")) or "🔴" in await house.ask("/closeleg eth live")


async def test_viewers_look_and_do_not_touch(house: House) -> None:
    account(house, blocked={"ETHUSDT LONG": "it was liquidated"})
    assert "ETHUSDT LONG" in plain(await house.ask("/futures", telegram(VIEWER)))
    for line in ("/release eth", "/closeleg eth"):
        assert "for owners" in await house.ask(line, telegram(VIEWER))
    assert not told(house)


async def test_books_that_cannot_be_read_are_not_nothing_held(house: House) -> None:
    account(house)
    for path in house.paths.data.glob("test_futures_showdown.json*"):
        path.write_text("{torn", encoding="utf-8")
    assert "books cannot be read" in plain(await house.ask("/futures"))
    assert "books cannot be read" in plain(await house.ask("/flatten test"))


async def test_without_any_futures_account_it_says_so(house: House) -> None:
    assert "No system has traded futures here yet" in plain(await house.ask("/futures"))


@pytest.mark.parametrize(("mode", "word"), [(Mode.TEST, "nobody looks at them until"),
                                            (Mode.LIVE, "stay on the exchange")])
async def test_stopall_asks_while_a_futures_position_is_open(house: House, mode: Mode, word: str) -> None:
    """A17: a paper stop lives in the process that is about to end."""
    account(house, mode, held="0")
    assert "Everything is stopped" in plain(await house.ask("/stopall"))
    account(house, mode)
    asked = plain(await house.ask("/stopall"))
    assert f"[{mode} futures showdown]" in asked and "ETHUSDT LONG 0.5" in asked and word in asked
    told = plain(await house.confirm("/stopall"))
    assert "Everything is stopped" in told and "ETHUSDT LONG 0.5" in told and word in told


async def test_stopall_never_takes_books_that_cannot_be_read_for_flat(house: House) -> None:
    account(house)
    for path in house.paths.data.glob("test_futures_showdown.json*"):
        path.write_bytes(b"{")
    assert "cannot be read" in plain(await house.ask("/stopall"))
