"""A person's words to the scalper: messages of its inbox, each done once, none in the way of the next.

``flatten`` {mode, by}: close everything of a mode and end its entries · ``resume`` {by}: let every mode enter again.
"""

import asyncio
import logging
from typing import TYPE_CHECKING

from modules.exchange.types import Mode
from modules.strategies.scalper.records import State, state_file
from modules.supervision.messages import Message

if TYPE_CHECKING:
    from modules.strategies.scalper.live import Scalper

log = logging.getLogger(__name__)


async def obey(scalper: "Scalper") -> None:
    """Everything that waits. Raises StateError, OSError by the disk: the message then comes again."""
    for path, message in scalper.run.inbox.take():
        try:
            done = await _follow(scalper, message)
        except (KeyError, ValueError) as problem:
            log.warning("a message that the scalper does not understand: %s %s", message.kind, message.body)
            scalper.run.outbox.say("A word to the scalper was not understood", mode=str(scalper.mode), level="warning",
                                   why=f"{message.kind} {message.body}: {problem!r}",
                                   todo="/stopscalper close closes everything, /startscalper lets it enter again.")
            done = True
        if done:
            scalper.run.inbox.done(path, message)


async def _follow(scalper: "Scalper", message: Message) -> bool:
    """False where the wish has to wait."""
    if message.kind == "flatten":
        return await _flatten(scalper, Mode(message.body["mode"]))
    if message.kind == "resume":
        await _resume(scalper)
        return True
    raise ValueError(f"nobody here knows the word {message.kind!r}")


async def _flatten(scalper: "Scalper", mode: Mode) -> bool:
    running = scalper.modes.get(mode)
    if running is None:  # its account is not opened yet
        return not (await asyncio.to_thread(state_file(scalper.run.paths, mode).load)).open
    left = await running.trader.flatten()
    if left:
        scalper.run.outbox.say("Not everything of the scalper is closed yet; it goes on", mode=str(mode),
                               why=", ".join(map(str, left)), level="warning")
    return True


async def _resume(scalper: "Scalper") -> None:
    """In every mode, the account open or not."""
    for mode in Mode:
        running = scalper.modes.get(mode)
        if running is not None:
            await running.trader.resume()
            continue
        file = state_file(scalper.run.paths, mode)
        if (await asyncio.to_thread(file.load)).stopped:
            await asyncio.to_thread(file.update, _taken_back)


def _taken_back(state: State) -> State:
    state.stopped = ""
    return state
