"""/optimize: what it hands to the optimiser, what it tells, and that nothing is applied without a confirmation."""

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from modules.storage.settings_versions import Versions
from modules.supervision.messages import Inbox
from modules.supervision.outbox import Outbox
from modules.telegram.command import Refusal
from modules.telegram.commands.optimize import arguments, told
from modules.telegram.context import Context
from modules.telegram.local_front import serve_inbox
from modules.telegram.long_runs import Ended, Occupied
from modules.telegram.router import Router
from tests.surroundings import until
from tests.telegram.house import CONSOLE, House

FIGURES = {"objective": "net_per_trade", "difference": {"value": 0.3, "low": 0.1, "high": 0.5, "p": 0.01},
           "warning": "They lose less than the present settings, but they lose, out of sample, after costs (-0.66)."}


def found(**other: Any) -> dict[str, Any]:
    """What bot.py optimize --json prints."""
    return {"objective": "net_per_trade", "difference": {"value": 0.3, "low": 0.1, "high": 0.5}, "present": -0.9,
            "own": {"value": -0.6, "low": -0.9, "high": -0.3}, "net_usdt": -200.0, "present_net_usdt": -300.0,
            "drawdown_pct": 20.0, "present_drawdown_pct": 30.0, "asked": 50, "chance_p": 0.04, "held_up": True,
            "version": 3, "reasons": [], "warning": FIGURES["warning"],
            "changed": {"hype.trail_fall_pct": [3.0, 1.8]}} | other


@pytest.fixture
def router(house: House) -> Router:
    """The router of the house."""
    return house.router


@pytest.fixture
def context(house: House) -> Context:
    """Its surroundings."""
    return house.context


class Runs:
    """Long runs that answer what a test gives them."""

    def __init__(self, ended: Ended | Exception) -> None:
        self.ended, self.argv = ended, []  # type: ignore[var-annotated]

    async def run(self, kind: str, argv: list[str], *_: object) -> Ended:
        self.argv = list(argv)
        if isinstance(self.ended, Exception):
            raise self.ended
        return self.ended

    def cancel(self, kind: str) -> bool:
        """None is under way."""
        return False


@pytest.mark.parametrize(("words", "argv"), [
    ("", ["optimize", "hype"]),
    ("rsi trials=300", ["optimize", "rsi", "--trials=300"]),
    ("trials=9 space=trail_fall_pct=1:8:log", ["optimize", "hype", "--trials=9", "--space=trail_fall_pct=1:8:log"]),
    ("signals trials=60 top=6", ["optimize", "signals", "--trials=60", "--top=6"]),
    ("hype objective=sharpe since=2024-03-01", ["optimize", "hype", "--objective=sharpe", "--since=2024-03-01"]),
])
def test_words_become_arguments(words: str, argv: list[str]) -> None:
    assert arguments(words.split()) == [*argv, "--json", "--progress"]


@pytest.mark.parametrize("words", ["../x", "hype trials=0", "hype trials=1e9", "hype candles=/etc/passwd", "hype loud",
                                   "hype space=--again", "hype trials="])
def test_other_words_are_refused(words: str) -> None:
    with pytest.raises(Refusal):
        arguments(words.split())


def test_what_held_up_is_told_with_its_warning_and_not_applied() -> None:
    answer = told(found())
    assert "Version 3 held up" in answer.text and "not applied yet" in answer.text
    assert "they lose, out of sample" in answer.text and "3.0 → 1.8" in answer.text
    assert answer.buttons[0][0].data == "run:/optimize apply 3"


def test_what_did_not_hold_up_is_told_with_its_reasons() -> None:
    answer = told(found(held_up=False, version=None, reasons=["the best of 50 trials is no better than chance"]))
    assert "your settings stay" in answer.text and "no better than chance" in answer.text and not answer.buttons


def kept(context: Context, value: float = 1.8) -> int:
    """A version that held up."""
    return Versions(context.paths).keep("hype", "study", "2024-09-01", {"hype.trail_fall_pct": value},
                                        {"hype.trail_fall_pct": 3.0}, FIGURES).version


async def test_apply_asks_first_and_takes_effect_at_the_next_start(router: Router, context: Context) -> None:
    number = kept(context)
    asked = await router.line(CONSOLE, f"/optimize apply {number}")
    assert asked is not None and "[TEST] Apply version 1 (hype)?" in asked.text and "3.0 → 1.8" in asked.text
    assert "they lose, out of sample" in asked.text
    assert Versions(context.paths).applied().versions == {}
    done = await router.press(CONSOLE, asked.buttons[0][0].data)
    assert done is not None and "Version 1 is applied" in done.text and "/startbot" in done.text
    assert Versions(context.paths).applied().versions == {"hype": 1}
    again = await router.line(CONSOLE, f"/optimize apply {number}")
    assert again is not None and "applied already" in again.text


async def test_rollback_asks_first(router: Router, context: Context) -> None:
    nothing = await router.line(CONSOLE, "/optimize rollback")
    assert nothing is not None and "nothing to roll back" in nothing.text
    Versions(context.paths).apply(kept(context))
    asked = await router.line(CONSOLE, "/optimize rollback")
    assert asked is not None and "After it: none: your own settings" in asked.text
    done = await router.press(CONSOLE, asked.buttons[0][0].data)
    assert done is not None and "Applied now: none" in done.text
    assert Versions(context.paths).applied().versions == {}


async def test_a_confirmation_of_another_state_is_asked_anew(router: Router, context: Context) -> None:
    one, two = kept(context), kept(context, 2.5)
    asked = await router.line(CONSOLE, f"/optimize apply {one}")
    Versions(context.paths).apply(two)
    assert asked is not None
    told_again = await router.press(CONSOLE, asked.buttons[0][0].data)
    assert told_again is not None and "It changed since you asked" in told_again.text
    assert Versions(context.paths).applied().versions == {"hype": two}


async def test_a_version_that_does_not_suit_any_more_is_not_offered(router: Router, context: Context) -> None:
    answer = await router.line(CONSOLE, f"/optimize apply {kept(context, 99.0)}")
    assert answer is not None and "does not suit your settings" in answer.text and not answer.buttons
    missing = await router.line(CONSOLE, "/optimize apply 77")
    assert missing is not None and "there is no version 77" in missing.text


async def test_the_list_marks_what_is_applied(router: Router, context: Context) -> None:
    empty = await router.line(CONSOLE, "/optimize list")
    assert empty is not None and "No version yet" in empty.text
    Versions(context.paths).apply(kept(context))
    answer = await router.line(CONSOLE, "/optimize list")
    assert answer is not None and "Version 1, hype" in answer.text and "← applied" in answer.text


async def test_a_search_runs_and_tells(router: Router, context: Context) -> None:
    runs = Runs(Ended(0, json.dumps(found()) + "\n", ""))
    context.runs = runs  # type: ignore[assignment]
    answer = await router.line(CONSOLE, "/optimize hype trials=50")
    assert answer is not None and "Version 3 held up" in answer.text
    assert runs.argv == ["optimize", "hype", "--trials=50", "--json", "--progress"]


@pytest.mark.parametrize(("ended", "says"), [
    (Ended(2, "", "usage: x\n  [--top N]\nbot.py optimize: error: argument strategy: invalid choice: 'foo' (choose "
                  "from 'hype', 'rsi')"), "<b>No optimisation.</b>\nstrategy: there is no 'foo'; there are: hype, rsi\n"
                  "Usage"),
    (Ended(1, "", "No optimisation: the candles span 3 days; 4 folds need 23 at least"), "4 folds need 23"),
    (Ended(2, "", "hype.x: there is no such setting."), "there is no such setting"),
    (Ended(-9, "", "", cancelled=True), "was stopped"),
    (Ended(0, "nothing", ""), "no result that can be read"),
    (Occupied("optimize hype, asked for by Ann: 40 %"), "A search is running already"),
])
async def test_what_goes_wrong_is_said(router: Router, context: Context, ended: Ended | Exception, says: str) -> None:
    context.runs = Runs(ended)  # type: ignore[assignment]
    answer = await router.line(CONSOLE, "/optimize")
    assert answer is not None and says in answer.text


async def test_stop_without_a_search(router: Router, context: Context, tmp_path: Path) -> None:
    answer = await router.line(CONSOLE, "/optimize stop")
    assert answer is not None and "No search is running" in answer.text


async def test_why_there_is_none_is_said_once_and_with_a_way_out(router: Router, context: Context) -> None:
    context.runs = Runs(Ended(1, "", "No optimisation: the recordings span 2 days"))  # type: ignore[assignment]
    answer = await router.line(CONSOLE, "/optimize signals")
    assert answer is not None and answer.text.count("No optimisation") == 1 and "RECORDER_KEEP_DAYS" in answer.text


async def test_a_version_of_the_signal_bot_names_the_service_that_takes_it(router: Router, context: Context) -> None:
    number = Versions(context.paths).keep("signals", "study", "2026-11-01", {"signals.imbalance": 0.35},
                                          {"signals.imbalance": 0.28}, FIGURES).version
    asked = await router.line(CONSOLE, f"/optimize apply {number}")
    assert asked is not None and "(signals)?" in asked.text and "0.28 → 0.35" in asked.text
    done = await router.press(CONSOLE, asked.buttons[0][0].data)
    assert done is not None and "It holds from the next start on" in done.text and "/startbot" not in done.text


async def test_a_line_that_takes_long_holds_up_no_other(house: House) -> None:
    """The monthly tuning asks this way: other lines are carried out meanwhile, and each answer becomes a notice."""
    context, begun, goes_on = house.context, asyncio.Event(), asyncio.Event()

    class Slow(Runs):
        async def run(self, kind: str, argv: list[str], *_: object) -> Ended:
            begun.set()
            await goes_on.wait()
            return await super().run(kind, argv)

    context.runs = Slow(Ended(0, json.dumps(found()) + "\n", ""))  # type: ignore[assignment]
    outbox, inbox = Outbox(house.paths.outbox, "test"), Inbox(house.paths.inbox, "bot")
    task = asyncio.create_task(serve_inbox(house.paths, house.router, outbox))

    def said() -> list[str]:
        return [notice.what for _, notice in outbox.pending("owner") if notice.what.startswith("/")]

    try:
        inbox.post("line", {"line": "/optimize signals trials=60", "apart": True}, "signals", "signal-tuning-2026-11")
        await asyncio.wait_for(begun.wait(), 60)
        inbox.post("line", {"line": "/ping"}, "bot.py")
        await until(lambda: said() == ["/ping: pong"])
        goes_on.set()
        await until(lambda: any("Version 3 held up" in text for text in said()))
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
