"""What the tracker records of every decision: its inputs as the rules got them, and what they answered.

Each record is a JSON array that begins with its kind. Prices are ticks, quantities steps, times market ms.

``head``    form, version, program, system, mode, rules
``judged``  intent, proposal, entry request, world, limits, refusals: what the limits before an entry were asked
``answered`` message, symbol, code, text: how a proposal ended
``opened``  position, symbol, strategy, confidence, tick, step, rules, terms, plan, fill: `exits.make_plan`
``plan``    number, position, symbol, tick, step, opened, plan: what looks with this number were decided by
``look``    number, time, bid, state, code, steps, state after: `exits.step`. A state of null is the one that the look
            before left; a state after of null is the state before.
``seen``    number, time, bid: a price while an order was under way; only the peak may follow it
``sold``    position, symbol, reason, steps' worth in coins, price, quote, fee, time of order, time of fill, closes

A plan is written again in every file, so that each file can be replayed alone.
"""

import logging
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

import msgspec

from modules.execution.controls import Refusals
from modules.storage.decisions import DecisionLog
from modules.strategies.hype import exits
from modules.strategies.hype.positions import Units, plan_terms
from utils.version import version

if TYPE_CHECKING:
    from modules.exchange.types import Mode
    from modules.execution.controls import Approved
    from modules.execution.intents import Intent
    from modules.execution.limits import EntryRequest, Limits, World
    from modules.execution.order_state import Executed
    from modules.storage.settings import DecisionSettings
    from modules.strategies.hype.records import Position, Proposal, Trade
    from utils.paths import Paths

FORM = "coxswain-decisions"
FORM_VERSION = 1
SYSTEM = "hype"

P = ParamSpec("P")
Decided = tuple[int, int, exits.State]
log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode


def _apart(note: Callable[Concatenate["Decisions", P], None]) -> Callable[Concatenate["Decisions", P], None]:
    """A record that cannot be made must not become a fault of guarding: logged with its stack, counted, left out."""
    @wraps(note)
    def noted(self: "Decisions", /, *args: P.args, **kwargs: P.kwargs) -> None:
        if self.log is None:
            return
        try:
            note(self, *args, **kwargs)
        except Exception:  # the border between what trades and what only looks on
            self.faults += 1
            log.exception("a decision could not be recorded (%d so far)", self.faults)
    return noted


class _Known:
    """What the present file knows of a position."""

    __slots__ = ("left", "number", "plan")

    def __init__(self, number: int, plan: exits.Plan) -> None:
        self.number = number
        self.plan = plan
        self.left: exits.State | None = None


class Decisions:
    """One desk's record; without a log it notes nothing."""

    def __init__(self, log: DecisionLog | None = None) -> None:
        self.log = log
        self.faults = 0
        self._told = False
        self._file = 0
        self._known: dict[str, _Known] = {}
        self._plans = 0

    @classmethod
    def to(cls, paths: "Paths", mode: "Mode", settings: "DecisionSettings", rules: exits.Rules) -> "Decisions":
        """A record in ``data/decisions`` as the settings say."""
        if not settings.record:
            return cls()
        head = _encode(("head", FORM, FORM_VERSION, version(), SYSTEM, mode.value, rules))
        return cls(DecisionLog(paths.data / "decisions", f"{SYSTEM}-{mode.value.lower()}", head,
                               disk_mb=settings.disk_mb, keep_days=settings.keep_days, file_mb=settings.file_mb))

    @_apart
    def look(self, position: "Position", units: Units, plan: exits.Plan, before: exits.State, bid: int, now_ms: int,
             decided: Decided) -> None:
        """One answer of `exits.step`."""
        self._turn()
        known, records = self._known.get(position.id), []
        if known is None or known.plan != plan:
            self._plans += 1
            known = _Known(self._plans, plan)
            records.append(_encode(("plan", self._plans, position.id, position.symbol, units.tick, units.step,
                                    position.opened_ms, plan)))
        code, steps, after = decided
        records.append(_encode(("look", known.number, now_ms, bid, None if before == known.left else before, code,
                                steps, None if after == before else after)))
        assert self.log is not None  # _apart
        self.log.append(*records)
        self._known[position.id] = known  # not before its plan is among the lines
        known.left = after

    @_apart
    def seen(self, position: "Position", bid: int, now_ms: int) -> None:
        """A price while an order of this position is under way."""
        self._turn()
        known = self._known.get(position.id)
        if known is not None:
            self._note("seen", known.number, now_ms, bid)

    @_apart
    def judged(self, intent_id: str, proposal: "Proposal", ask: "EntryRequest", world: "World", limits: "Limits",
               verdict: "Approved[Intent] | Refusals") -> None:
        """What the limits answered."""
        self._note("judged", intent_id, proposal, ask, world, limits,
                   verdict.found if isinstance(verdict, Refusals) else ())

    @_apart
    def answered(self, message: str, symbol: str, code: str, text: str) -> None:
        """How a proposal ended."""
        self._note("answered", message, symbol, code, text)

    @_apart
    def opened(self, position: "Position", units: Units, rules: exits.Rules, executed: "Executed",
               proposal: "Proposal") -> None:
        """The plan of a filled entry."""
        terms = plan_terms(executed, proposal, units)
        self._note("opened", position.id, position.symbol, proposal.strategy, proposal.confidence, units.tick,
                   units.step, rules, terms, exits.make_plan(rules, *terms), executed)

    @_apart
    def sold(self, trade: "Trade", asked_ms: int) -> None:
        """A sale as it was booked, or the end of what could not be sold. `asked_ms`: when its order was made."""
        self._note("sold", trade.position_id, trade.symbol, trade.reason, trade.quantity, trade.price, trade.quote_usdt,
                   trade.fee_usdt, asked_ms, trade.market_ms, trade.closes)
        if trade.closes:
            self._known.pop(trade.position_id, None)

    def flush(self) -> str:
        """Have what was recorded written, without waiting. Why that fails, once for each time that it begins to."""
        if self.log is None:
            return ""
        self.log.flush()
        if not self.log.problem:
            self._told = False
            return ""
        first, self._told = not self._told, True
        return self.log.problem if first else ""

    async def close(self) -> None:
        """Write the rest."""
        if self.log is not None:
            await self.log.close()

    def _note(self, *record: Any) -> None:
        if self.log is not None:
            self.log.append(_encode(record))

    def _turn(self) -> None:
        """A file knows only its own plans (storage/decisions.py, rule 4)."""
        if self.log is not None and self._file != self.log.turn():
            self._file, self._known = self.log.file, {}
