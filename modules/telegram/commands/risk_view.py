"""What the commands of commands/risk.py look at: trading state, positions, waiting messages, mode by mode."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from modules.exchange.types import Mode
from modules.execution.risk_commands import Exposed
from modules.execution.risk_state import RiskState, Unreadable
from modules.strategies.hype.records import Position
from modules.supervision.service import read_beat
from modules.telegram.command import Request
from modules.telegram.commands.futures_view import FuturesScope, futures_scopes
from modules.telegram.commands.positions import held_in
from modules.telegram.context import SIMULATOR, TRACKER, Context


@dataclass(frozen=True, slots=True)
class Scope:
    """One mode as a word would find it. `entries`, `words`: proposals and words that wait in the tracker's inbox."""

    mode: Mode
    state: RiskState | Unreadable
    held: list[Position]
    entries: int
    words: int

    @property
    def name(self) -> str:
        """How people know it."""
        return self.mode.value

    @property
    def mark(self) -> str:
        """What must not have changed between the preview and the confirmation."""
        state = self.state
        if isinstance(state, Unreadable):
            return f"{self.mode} unreadable"
        told = f"{state.trading} {state.killed} {sorted(state.latched)}"
        return f"{self.mode} {told} " + ",".join(sorted(f"{one.id}:{one.quantity}" for one in self.held))


def modes_of(request: Request) -> list[Mode]:
    """The modes a word concerns: the one named, or both."""
    named = request.text("mode")
    return [Mode(named.upper())] if named else list(Mode)


async def scopes(context: Context, request: Request, unopened: bool = False) -> list[Scope | FuturesScope]:
    """What a word concerns: spot and every futures account, in the mode named or in both.

    `unopened`: futures accounts that nobody has opened yet as well: the word waits for them.
    """
    modes = modes_of(request)
    futures = await context.read(lambda: futures_scopes(context, modes, unopened))
    return [*await spot_scopes(context, modes), *futures]


async def spot_scopes(context: Context, modes: Sequence[Mode]) -> list[Scope]:
    """System A's, mode by mode."""
    waiting = await context.read(lambda: _waiting(context))
    found: list[Scope] = []
    for mode in modes:
        state = await context.read(context.files(mode).read_risk)
        found.append(Scope(mode, state, await held_in(context, mode), waiting["buy", mode.value],
                           waiting["risk", mode.value]))
    return found


def _waiting(context: Context) -> Counter[tuple[str, str]]:
    """Messages in the tracker's inbox by kind and mode; read without touching them."""
    count: Counter[tuple[str, str]] = Counter()
    for path in (context.paths.inbox / TRACKER).glob("[0-9]*.json"):
        try:
            message = json.loads(path.read_text(encoding="utf-8"))
            count[message["kind"], message["body"].get("mode", "")] += 1
        except (OSError, ValueError, KeyError):  # taken meanwhile, or damaged: the tracker sets it aside
            continue
    return count


def exposed(held: Sequence[Position]) -> list[Exposed]:
    """Positions at the last bid seen; the fee of their sale as that of their purchase."""
    rows = []
    for one in held:
        sold = one.cost_usdt * (1 - one.quantity / one.initial_quantity)
        rate = one.fees_usdt / (one.cost_usdt + sold) if one.cost_usdt else Decimal(0)
        rows.append(Exposed(one.symbol, one.quantity, one.last_price, rate, one.state in ("open", "closing")))
    return rows


def speed(context: Context) -> float:
    """How fast market time runs."""
    beat = read_beat(context.paths.run, SIMULATOR) if context.settings.exchange.name == "simulated" else None
    told = beat.info.get("speed") if beat else None
    return float(told) if isinstance(told, int | float) and told > 0 else 1.0
