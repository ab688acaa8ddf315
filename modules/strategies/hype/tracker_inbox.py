"""Messages to the tracker: each is checked, carried out once, and answered for.

1. ``buy`` goes to its desk's queue; all others are carried out at once.
2. A message is marked as handled after its effect is durable. Doing one twice after a crash in between changes
   nothing more: entries look up the message's id, the others describe a state, not a step.
3. A message that cannot be understood is told to a person and marked as handled.
"""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import msgspec

from modules.exchange.types import Mode, Unavailable
from modules.execution.risk_orders import follow
from modules.strategies.hype.desk import Desk
from modules.strategies.hype.desk_exit import GUARDED, close
from modules.strategies.hype.positions import write_off
from modules.strategies.hype.records import Proposal
from modules.strategies.hype.resync import Change, changes, clearable
from modules.supervision.messages import Message

if TYPE_CHECKING:
    from modules.strategies.hype.tracker import Tracker

log = logging.getLogger(__name__)

ModeName = Literal["TEST", "LIVE"]


class Sell(msgspec.Struct, frozen=True):
    symbol: str
    mode: ModeName
    reason: str = "manual"


class SellAll(msgspec.Struct, frozen=True):
    mode: ModeName
    reason: str = "manual"


class Resync(msgspec.Struct, frozen=True):
    mode: ModeName


class ClearTracked(msgspec.Struct, frozen=True):
    """`symbols` empty: every token that is no longer held."""

    mode: ModeName
    symbols: tuple[str, ...] = ()


class Pause(msgspec.Struct, frozen=True):
    """Both modes at once."""

    on: bool
    reason: str = ""


class Risk(msgspec.Struct, frozen=True):
    """A word of X36, or the kill switch. `accept`: what a RESUME has to be told expressly was confirmed."""

    mode: ModeName
    command: Literal["PAUSE", "RESUME", "DRAIN", "FLATTEN", "KILL"]
    by: str
    reason: str = ""
    accept: bool = False


Body = Proposal | Sell | SellAll | Resync | ClearTracked | Pause | Risk
KINDS: dict[str, type] = {"buy": Proposal, "sell": Sell, "sell_all": SellAll, "resync": Resync,
                          "clear_tracked": ClearTracked, "pause": Pause, "risk": Risk}


def read(message: Message) -> Body | str:
    """The body of a message, or a sentence that says what is wrong with it (rule 3)."""
    kind = KINDS.get(message.kind)
    if kind is None:
        return f"there is no such command: {message.kind}"
    try:
        body: Body = msgspec.convert(message.body, kind)
    except msgspec.ValidationError as problem:
        return f"{message.kind}: {problem}"
    return body


async def carry_out(tracker: "Tracker", body: Body) -> None:
    """Everything but ``buy`` (rule 1). Raises OSError when the effect cannot be made durable."""
    match body:
        case Sell(symbol, mode, _):
            await sell(tracker.desks[Mode(mode)], [symbol])
        case SellAll(mode, _):
            desk = tracker.desks[Mode(mode)]
            await sell(desk, list(desk.positions))
        case Resync(mode):
            await resync(tracker, tracker.desks[Mode(mode)])
        case ClearTracked(mode, symbols):
            await clear(tracker, tracker.desks[Mode(mode)], frozenset(symbols))
        case Pause(on, reason):
            for risk in tracker.risks.values():
                await follow(risk, "PAUSE" if on else "RESUME", reason, reason)
        case Risk(mode, command, by, reason, accept):
            await follow(tracker.risks[Mode(mode)], command, by, reason, accept)
        case Proposal():
            raise AssertionError("a proposal goes to its desk's queue")


async def sell(desk: Desk, symbols: list[str]) -> None:
    """Close positions by a person's wish; the next looks sell them until nothing is left."""
    held = [symbol for symbol in symbols if symbol in desk.positions]
    if not held:
        desk.say("Nothing to sell", why=", ".join(symbols) + " not held" if symbols else "No position is open")
        return
    for symbol in held:
        if desk.positions[symbol].state in GUARDED:
            close(desk, symbol, "manual")
        else:  # halted or gone: remembered for the day it trades again
            desk.change(symbol, reason="manual")
            desk.say(f"{symbol} cannot be sold now", why=f"It is {desk.positions[symbol].state}", level="warning",
                     todo="It is sold as soon as it trades again.")
    if not await desk.flush():
        raise OSError("positions could not be written")


async def resync(tracker: "Tracker", desk: Desk) -> None:
    """Rebuild the tracked tokens from history and balances."""
    try:
        desk_ready = await desk.ensure_account()
        if not desk_ready or desk.account is None:
            raise Unavailable(desk.closed)
        markets = await desk.house.market.markets(refresh=True)
        balances = await desk.account.balances()
    except Unavailable as problem:
        desk.say("/resync changed nothing", why=str(problem), level="warning", todo="Try again later.")
        return
    noted = await tracker.auditors[desk.mode].confirm(markets)
    history = list(desk.files.trades.records())
    found = changes(desk.positions, history, balances, markets, desk.house.settings, desk.mode)
    await apply(tracker, desk, found, "/resync", noted)


async def clear(tracker: "Tracker", desk: Desk, symbols: frozenset[str]) -> None:
    """Drop tokens that are no longer held, after a look at the balances."""
    try:
        if not await desk.ensure_account() or desk.account is None:
            raise Unavailable(desk.closed)
        markets = await desk.house.market.markets(refresh=True)
        balances = await desk.account.balances()
    except Unavailable as problem:
        desk.say("/cleartracked changed nothing", why=str(problem), level="warning", todo="Try again later.")
        return
    found = [change for change in clearable(desk.positions, balances, markets)
             if not symbols or change.symbol in symbols]
    await apply(tracker, desk, found, "/cleartracked")


async def apply(tracker: "Tracker", desk: Desk, found: list[Change], command: str, noted: Sequence[str] = ()) -> None:
    """Carry out changes, except where an order's end is not known; then tell what was done, and what was `noted`."""
    skipped = [change for change in found if change.symbol in desk.busy or change.symbol in desk.unresolved()]
    done = [change for change in found if change not in skipped]
    for change in done:
        if change.position is not None:
            desk.put(change.position)
            continue
        desk.stage(write_off(desk.positions[change.symbol], "external", tracker.now_ms()))
        desk.drop(change.symbol)
    if not await desk.flush():
        raise OSError("positions could not be written")
    lines = [change.line() for change in done]
    lines += [f"{change.symbol}: left alone, an order is under way" for change in skipped]
    lines += noted
    changed = len(done) + len(noted)
    desk.say(f"{command}: {changed} changes" if found or noted else f"{command}: nothing to change",
             why="\n".join(lines) or f"{len(desk.positions)} tracked tokens agree with history and account")
