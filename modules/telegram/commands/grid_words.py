"""What /pause, /drain, /flatten and /kill mean for the standalone grid: it obeys as well, in the mode of its account.

1. Its wish is written to the store, where whoever trades it reads it. A store that is away is said, and never keeps a
   word from the others.
2. /resume alone lets no grid go on: /startgrid does, and proves one that is flat anew.
3. Grids of the server's users are theirs: named, and left alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from modules.exchange.types import Mode
from modules.strategies.grid.live.standing import Standing
from modules.strategies.grid.store.records import Order, Wanted
from modules.telegram import grids_held
from modules.telegram.command import Refusal, Request
from modules.telegram.commands.crew import troubles
from modules.telegram.commands.grid import _with_store
from modules.telegram.context import GRID, Context
from modules.telegram.markup import b, esc
from utils.figures import plural

KILL = "KILL"
_WISHES = {"PAUSE": Wanted.PAUSED, KILL: Wanted.PAUSED, "DRAIN": Wanted.DRAINING, "FLATTEN": Wanted.DRAINING}
_MEANS = {Wanted.PAUSED: "opens no more orders; its positions keep their stops",
          Wanted.DRAINING: "opens no more orders until its positions have left"}
_CLOSES = "cancels its orders and closes everything at the market"
_UNREACHED = "⚠️ The grid could not be told: {} → /service grid stop ends who trades it."


@dataclass(frozen=True, slots=True)
class Concerned:
    """The grid that a word concerns: lines for a preview, and what the preview stands on."""

    told: tuple[str, ...] = ()
    mark: str = ""
    one: Standing | None = None


async def concerned(context: Context, modes: Sequence[Mode], word: str) -> Concerned:
    """The standalone grid, where the word changes anything for it; what users' grids do."""
    if word not in _WISHES:
        return Concerned()
    found, away = await context.read(context.grids.seen)
    own = context.settings.gridlive.user
    told = [grids_held.AWAY.format(esc(away))] if away else []
    others = sum(one.user_id != own and one.wanted is Wanted.RUNNING for one in found)
    note = [f"Grids of {plural(others, 'user')} of the grid server are theirs and go on."] if others else []
    one = next((one for one in found if one.user_id == own and _changes(one, modes, word)), None)
    if one is None:
        return Concerned((*told, *note))
    does = _CLOSES if word == "FLATTEN" else _MEANS[_WISHES[word]]
    rows = (f"{_name(one)} {does}", *grids_held.exposure_lines([one], own), *told, *note)
    return Concerned(rows, f"grid {one.positions}", one)


async def obey(context: Context, request: Request, modes: Sequence[Mode], word: str) -> list[str]:
    """Tell the grid; lines of what follows."""
    found = await concerned(context, modes, word)
    if found.one is None:
        return list(found.told)
    who, own, closes = request.sender.name or request.sender.channel, found.one.user_id, word == "FLATTEN"
    order = Order.FLATTEN if closes else None
    try:
        await _with_store(context, lambda store: store.sessions.want(own, _WISHES[word], who, order=order))
        trouble = troubles(await context.crew.start(GRID)) if closes else ""
    except Refusal as problem:
        return [_UNREACHED.format(problem)]
    return [*found.told, *([trouble] if trouble else []), "→ /startgrid lets the grid go on, once entries are allowed."]


async def waits(context: Context, modes: Sequence[Mode]) -> str | None:
    """Said at /resume: a grid that goes on only by its own word."""
    found, _ = await context.read(context.grids.seen)
    held = next((one for one in found if one.user_id == context.settings.gridlive.user
                 and one.wanted in _MEANS and _in(one, modes)), None)
    return f"{_name(held)} is {held.wanted.lower()}: → /startgrid lets it go on." if held is not None else None


def _changes(one: Standing, modes: Sequence[Mode], word: str) -> bool:
    leaves = word == "FLATTEN" and one.wanted is not Wanted.STOPPED and one.positions > 0
    return (one.wanted is Wanted.RUNNING or leaves) and _in(one, modes)


def _in(one: Standing, modes: Sequence[Mode]) -> bool:
    """One that has not begun yet has told no mode: every word is meant for it."""
    return one.seen is None or not one.seen.word or one.seen.word in {mode.value for mode in modes}


def _name(one: Standing) -> str:
    mode = f"[{one.seen.word}] " if one.seen is not None and one.seen.word else ""
    return f"{mode}{b('Grid')} {esc(one.symbol)}:"
