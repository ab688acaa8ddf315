"""A person's words to a desk's risk service (X36): carried out once, durable before they count as done.

1. A state that cannot be read takes no word but two: FLATTEN sells (exits never depend on it), and a RESUME that was
   accepted expressly starts the state anew; the damaged file is set aside.
2. The kill switch comes off with an accepted RESUME only.
"""

import asyncio
import logging
from typing import Literal

from modules.execution.risk_state import Command, Commanded, KillSwitch, Limit, RiskState, Unreadable
from modules.storage.damage import set_aside_name
from modules.strategies.hype import risk_words
from modules.strategies.hype.desk_risk import DeskRisk

log = logging.getLogger(__name__)

Word = Literal["PAUSE", "RESUME", "DRAIN", "FLATTEN", "KILL"]


async def follow(risk: DeskRisk, word: Word, by: str, reason: str = "", accept: bool = False) -> None:
    """Carry out a word. Raises OSError when the state cannot be made durable: the message then comes again."""
    if isinstance(risk.state, Unreadable):
        await _without_state(risk, risk.state, word, accept)
    else:
        _follow(risk, risk.state, word, by, reason, accept)
    if risk.desk.urgent:
        await risk.desk.flush()
    if not await risk.save():
        raise OSError(f"the risk state cannot be written: {risk.problem}")


def _follow(risk: DeskRisk, state: RiskState, word: Word, by: str, reason: str, accept: bool) -> None:
    now_ms = risk.desk.house.market.clock.now_ms()
    if word == "KILL":
        if state.killed:
            risk.desk.say(**risk_words.declined("the kill switch is on already"))
        risk.feed(KillSwitch(now_ms, True, reason or f"kill switch, by {by}"))
        return
    if word == "RESUME" and accept and state.killed:
        risk.feed(KillSwitch(now_ms, False))  # rule 2
    drawdown = accept and Limit.DRAWDOWN in state.latched
    risk.feed(Commanded(now_ms, Command(word), by, reason, accept_drawdown=drawdown))


async def _without_state(risk: DeskRisk, state: Unreadable, word: Word, accept: bool) -> None:
    """Rule 1."""
    if word == "RESUME" and accept:
        await asyncio.to_thread(_set_aside, risk)
        risk.load()
        risk.desk.say("The risk state starts anew", why=f"It could not be read: {state.reason}", level="warning",
                      todo="Losses of today and the peak count from now. /risk shows every limit.")
    elif word == "FLATTEN":
        risk.sell_all()
        risk.desk.say("Selling everything", why="The risk state cannot be read; exits do not need it", level="warning",
                      todo="/tracked shows what is left.")
    else:
        risk.desk.say(**risk_words.unreadable(state.reason))


def _set_aside(risk: DeskRisk) -> None:
    file = risk.desk.files.risk
    if file.path.exists():
        file.path.replace(set_aside_name(file.path))
    file.remove()
