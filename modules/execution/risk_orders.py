"""A person's words to a risk service (X36), spot or futures: carried out once, durable before they count as done.

1. A state that cannot be read takes no word but two: FLATTEN closes (exits never depend on it), and a RESUME that was
   accepted expressly starts the state anew; the damaged file is set aside.
2. The kill switch comes off with an accepted RESUME only.
"""

import asyncio

from modules.execution import risk_words
from modules.execution.risk_driver import RiskDriver
from modules.execution.risk_state import Command, Commanded, KillSwitch, Limit, RiskState, Unreadable


async def follow(risk: RiskDriver, word: str, by: str, reason: str = "", accept: bool = False) -> None:
    """Carry out PAUSE, RESUME, DRAIN, FLATTEN or KILL.

    Raises ValueError for another word, OSError when the state cannot be made durable: the message then comes again.
    """
    if isinstance(risk.state, Unreadable):
        await _without_state(risk, risk.state, word, accept)
    else:
        _follow(risk, risk.state, word, by, reason, accept)
    await risk.closing_written()
    if not await risk.save():
        raise OSError(f"the risk state cannot be written: {risk.problem}")


def _follow(risk: RiskDriver, state: RiskState, word: str, by: str, reason: str, accept: bool) -> None:
    now_ms = risk.now_ms()
    if word == "KILL":
        if state.killed:
            risk.decline("the kill switch is on already")
        risk.feed(KillSwitch(now_ms, True, reason or f"kill switch, by {by}"))
        return
    command = Command(word)
    if command is Command.RESUME and accept and state.killed:
        risk.feed(KillSwitch(now_ms, False))  # rule 2
    risk.feed(Commanded(now_ms, command, by, reason, accept_drawdown=accept and Limit.DRAWDOWN in state.latched))


async def _without_state(risk: RiskDriver, state: Unreadable, word: str, accept: bool) -> None:
    """Rule 1."""
    if word == "RESUME" and accept:
        await asyncio.to_thread(risk.set_aside)
        risk.load()
        risk.tell(risk_words.anew(state.reason), "anew")
    elif word == "FLATTEN":
        risk.close_all()
        risk.tell(risk_words.closing_all(risk.wording), "closing")
    else:
        risk.tell(risk_words.unreadable(state.reason), "unreadable")
