"""Faults at work: dice, delays, cut connections, lost and spoilt answers, and events at their time.

The dice of a request depend on the plan's seed, the request's class and how many of that class came before it:
same plan, same requests, same faults, whatever the other classes do meanwhile.
"""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from modules.simulator.acts import Act, ActError, NotYet
from modules.simulator.fault_mix import choose
from modules.simulator.fault_plan import FaultPlan, Rule, Trigger
from modules.simulator.sockets.rules import StreamRule

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the dice see it."""

    method: str
    path: str
    group: str
    symbol: str | None


@dataclass(slots=True)
class Drawn:
    """What befalls a request: seconds of delay before and after its execution, and at most one other fault."""

    nth: int
    rng: random.Random
    before_s: float = 0.0
    after_s: float = 0.0
    rule: Rule | None = None
    number: int | None = None  # of the rule in the plan; None for the default mix


class Sockets(Protocol):
    """The faults of the venue's WebSockets, where it has any."""

    def replace(self, rules: Sequence[StreamRule], seed: int) -> None:
        """Take a plan's rules."""

    def add(self, rule: StreamRule) -> None:
        """One more, by an act."""

    def expire_listen_key(self, account: str) -> bool:
        """Let a user stream's key expire; False where there is none."""

    def describe(self) -> dict[str, Any]:
        """Rules and counts."""


class Faults:
    """The plan, its counters and its dice. `note` is told of everything that is done, as a row for the record."""

    def __init__(
        self, plan: FaultPlan, *, elapsed: Callable[[], float], market_ms: Callable[[], int],
        orders: Callable[[], int], note: Callable[[dict[str, Any]], None], act: Callable[[Act], None],
    ) -> None:
        self._elapsed, self._market_ms, self._orders = elapsed, market_ms, orders
        self._note, self._act = note, act
        self._sockets: Sockets | None = None
        self.injected: dict[str, Counter[str]] = {}
        self.acts: Counter[str] = Counter()
        self.requests = 0
        self.in_bursts = 0  # requests that met a burst or an outage which went on already
        self.replace(plan)

    def replace(self, plan: FaultPlan) -> None:
        """Take another plan: its counters, dice and times begin anew; the sums of what was injected stay."""
        self.plan = plan
        self.done = [0] * len(plan.rules)
        self.events_done = [False] * len(plan.events)
        self._nth: Counter[str] = Counter()
        self._began = (self._elapsed(), self._market_ms(), self._orders())
        self._burst: tuple[float, Rule] | None = None
        if self._sockets is not None:
            self._sockets.replace(plan.streams, plan.seed)

    def attach(self, sockets: Sockets) -> None:
        """Let the plan reach the venue's sockets as well."""
        self._sockets = sockets
        sockets.replace(self.plan.streams, self.plan.seed)

    def describe(self) -> dict[str, Any]:
        """The plan, how often each rule acted, which events happened."""
        plan = self.plan.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
        return {
            "seed": self.plan.seed, "rate": self.plan.rate, "rules": plan.get("rules", []),
            "events": plan.get("events", []), "done": self.done, "events_done": self.events_done, **self.counts()}

    def counts(self) -> dict[str, Any]:
        """What was injected since the start, by kind and class."""
        streams = {"streams": self._sockets.describe()} if self._sockets is not None else {}
        total = sum(count for by_class in self.injected.values() for count in by_class.values())
        return {
            "requests": self.requests, "injected": total, "in_bursts": self.in_bursts, "acts": dict(self.acts),
            "by_kind": {kind: dict(by_class) for kind, by_class in sorted(self.injected.items())},
            **streams}

    # -- dice ----------------------------------------------------------------------------------------------

    def draw(self, asked: Asked) -> Drawn:
        """Throw the dice for a request. What is drawn counts as done; `take_back` undoes that."""
        self.requests += 1
        self._nth[asked.group] += 1
        nth = self._nth[asked.group]
        drawn = Drawn(nth, random.Random(f"{self.plan.seed}:{asked.group}:{nth}"))
        for number, rule in enumerate(self.plan.rules):
            if rule.max_times is not None and self.done[number] >= rule.max_times:
                continue
            if not rule.fits(asked.method, asked.path, asked.group, asked.symbol):
                continue
            if drawn.rng.random() >= rule.probability:
                continue
            self.done[number] += 1
            if rule.kind != "latency":
                drawn.rule, drawn.number = rule, number
                return drawn
            self._delay(drawn, rule, asked)
        if self.plan.rate and drawn.rng.random() < self.plan.rate:
            rule = choose(asked.group, drawn.rng)
            if rule.kind == "latency":
                self._delay(drawn, rule, asked)
            else:
                drawn.rule = rule
        return drawn

    def _delay(self, drawn: Drawn, rule: Rule, asked: Asked) -> None:
        seconds = rule.ms / 1000.0
        if rule.params.sigma:
            seconds *= drawn.rng.lognormvariate(0.0, rule.params.sigma)
        seconds = min(seconds, rule.params.max_ms / 1000.0)
        if rule.params.when == "before":
            drawn.before_s += seconds
        else:
            drawn.after_s += seconds
        self.count("latency", asked, drawn.nth, ms=round(seconds * 1000))

    def take_back(self, drawn: Drawn) -> None:
        """The fault found nothing that it could have done."""
        if drawn.number is not None:
            self.done[drawn.number] -= 1

    def count(self, kind: str, asked: Asked, nth: int, **more: Any) -> None:
        """Note that a fault was injected."""
        self.injected.setdefault(kind, Counter())[asked.group] += 1
        self._note({
            "kind": "fault", "ms": self._market_ms(), "fault": kind, "class": asked.group, "nth": nth,
            "method": asked.method, "path": asked.path, **more})

    # -- bursts --------------------------------------------------------------------------------------------

    def begin_burst(self, rule: Rule) -> None:
        """Answer everything like this for a while."""
        if rule.params.for_ms:
            self._burst = (self._elapsed() + rule.params.for_ms / 1000.0, rule)

    def burst(self) -> Rule | None:
        """The rule that answers everything now, if one does."""
        if self._burst is not None and self._elapsed() >= self._burst[0]:
            self._burst = None
        return self._burst[1] if self._burst is not None else None

    # -- events and acts -----------------------------------------------------------------------------------

    def act(self, act: Act, by: str) -> None:
        """Do something to the venue. Raises ActError."""
        if act.action in ("stream", "expire_listen_key"):
            self._act_on_sockets(act)
        else:
            self._act(act)
        self.acts[act.action] += 1
        told = act.model_dump(mode="json", exclude_unset=True)
        self._note({"kind": "act", "ms": self._market_ms(), "by": by, **told})

    def _act_on_sockets(self, act: Act) -> None:
        if self._sockets is None:
            raise ActError(f"{act.action}: this venue has no sockets; start it with --futures or a recording")
        if act.fault is not None:
            self._sockets.add(act.fault)
        elif not self._sockets.expire_listen_key(act.account):
            raise NotYet(f"{act.action}: the account '{act.account}' has no listen key")

    def try_act(self, act: Act) -> bool:
        """Do something to the venue if it can be done now."""
        try:
            self.act(act, "rule")
        except ActError as problem:
            log.warning("an act of the fault plan: %s", problem)
            return False
        return True

    def check_events(self) -> None:
        """Let the events happen whose time has come."""
        for number, event in enumerate(self.plan.events):
            if self.events_done[number] or not self._due(event.after):
                continue
            try:
                self.act(event.act, "event")
            except NotYet:
                continue  # "@held" while nothing is held: the event waits
            except ActError as problem:
                log.warning("event %d of the fault plan: %s", number, problem)
            self.events_done[number] = True

    def _due(self, after: Trigger) -> bool:
        elapsed, market_ms, orders = self._began
        if after.wall_s is not None:
            return self._elapsed() - elapsed >= after.wall_s
        if after.market_s is not None:
            return self._market_ms() - market_ms >= after.market_s * 1000.0
        return after.orders is not None and self._orders() - orders >= after.orders
