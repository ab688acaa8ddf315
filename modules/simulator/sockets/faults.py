"""Faults on sockets at work: frames lost, doubled, swapped, late, cut short, spoilt; silences, cuts, refusals.

Faults befall a stream, not a reader: everybody who listens gets the same wrong frames, as when the venue's own
gateway fails. The dice of a frame depend on the plan's seed, the rule, the stream's name and how many of its frames
came before. Every fault is counted in /sim/faults under `streams`, by kind and stream.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from aiohttp import web

from modules.simulator.sockets.book_frames import BookFrames
from modules.simulator.sockets.rules import StreamRule

_GARBAGE = b'{"e":"depthUp\x01\xef\xbf\xbd},,'
_TOO_MANY = '{"code":-1003,"msg":"Too many requests; current connection attempts exceed the limit."}'
_KEEP_S = 0.5  # how often a snapshot is put aside while old ones may be asked for
Send = Callable[[bytes], None]
Snapshot = Callable[[str, int], bytes | None]  # symbol, levels → the body of GET /fapi/v1/depth


class Cuttable(Protocol):
    """One client's socket."""

    @property
    def is_users(self) -> bool:
        """Whether it hears an account."""

    def listening(self) -> list[str]:
        """Names of the streams it hears."""

    def abort(self, why: str, *, reset: bool = False) -> None:
        """Cut it without a close frame."""


class Carrier(Protocol):
    """The hub of one wire."""

    book_frames: BookFrames
    faults: StreamFaults | None

    @property
    def now(self) -> Callable[[], int]:
        """Market ms."""

    @property
    def elapsed(self) -> Callable[[], float]:
        """Wall seconds."""

    @property
    def connections(self) -> Iterable[Cuttable]:
        """All sockets."""


@dataclass(slots=True, eq=False)
class _Armed:
    """A rule with what it has done."""

    rule: StreamRule
    number: int
    done: int = 0
    until: float = 0.0  # silence, refusal
    left: int = 0  # frames of a gap still to come
    fits: dict[str, bool] = field(default_factory=dict)

    def matches(self, name: str) -> bool:
        """Whether the rule is about a stream (or event, or path); kept, as it is asked for each frame."""
        found = self.fits.get(name)
        if found is None:
            found = self.fits[name] = re.search(self.rule.stream, name) is not None
        return found

    @property
    def spent(self) -> bool:
        """Whether it has happened as often as it may."""
        return self.rule.max_times is not None and self.done >= self.rule.max_times


class StreamFaults:
    """The rules of one hub. `note` gets a row for the record of each fault."""

    def __init__(self, hub: Carrier, note: Callable[[dict[str, Any]], None] = lambda row: None) -> None:
        self._hub, self._note = hub, note
        self._rules: list[_Armed] = []
        self._seed = 0
        self._nth: Counter[str] = Counter()
        self._held: dict[str, tuple[Send, bytes]] = {}  # reorder: waits for the next frame of its stream
        self._late: list[tuple[float, Send, bytes]] = []
        self._kept: dict[str, deque[tuple[float, bytes]]] = {}
        self._kept_at = 0.0
        self.counts: dict[str, Counter[str]] = {}
        self.snapshot: Snapshot = lambda symbol, levels: None
        self.symbols: Sequence[str] = ()
        self.expire: Callable[[str], bool] = lambda account: False
        self.also: list[StreamFaults] = []  # other wires, which the same rules befall, each counting its own
        hub.faults = self

    @property
    def active(self) -> bool:
        """Whether any rule is there; without one a frame costs nothing here."""
        return bool(self._rules)

    def replace(self, rules: Sequence[StreamRule], seed: int) -> None:
        """Take a plan's rules; counters and dice begin anew, what is held back is let go."""
        for other in self.also:
            other.replace(rules, seed)
        self._let_go()
        self._rules = [_Armed(rule, number) for number, rule in enumerate(rules)]
        self._seed = seed
        self._nth.clear()

    def add(self, rule: StreamRule) -> None:
        """One more rule, by an act: it happens once unless it says how often."""
        for other in self.also:
            other.add(rule)
        if rule.max_times is None:
            rule = rule.model_copy(update={"max_times": 1})
        self._rules.append(_Armed(rule, len(self._rules)))
        if rule.kind in ("cut", "reset"):
            self._cut_now(self._rules[-1])

    def expire_listen_key(self, account: str) -> bool:
        """Let a user stream's key expire before its hour; False where the account has none."""
        return self.expire(account)

    def describe(self) -> dict[str, Any]:
        """Rules with how often each happened, and all counts."""
        all_of_them = (self, *self.also)
        by_kind: dict[str, Counter[str]] = {}
        for one in all_of_them:
            for kind, by_name in one.counts.items():
                by_kind.setdefault(kind, Counter()).update(by_name)
        return {
            "rules": [armed.rule.model_dump(mode="json", exclude_defaults=True) | {
                "done": sum(one._rules[place].done for one in all_of_them)} for place, armed in enumerate(self._rules)],
            "by_kind": {kind: dict(by_name) for kind, by_name in sorted(by_kind.items())}}

    # -- frames --------------------------------------------------------------------------------------------

    def befall(self, name: str, data: bytes, send: Send, *, user: bool) -> bool:
        """A frame of a stream, or (`user`) an account's event, on its way to `send`; True where it was dealt with."""
        held = self._held.pop(name, None)
        dealt = self._throw(name, data, send, user)
        if held is not None:  # the frame that was held back follows the one behind it
            if not dealt:
                send(data)
            held[0](held[1])
            return True
        return dealt

    def _throw(self, name: str, data: bytes, send: Send, user: bool) -> bool:
        now = self._hub.elapsed()
        rng: random.Random | None = None
        for armed in self._rules:
            rule = armed.rule
            if rule.user is not user or rule.kind in ("old_snapshot", "refuse") or not armed.matches(name):
                continue
            if armed.until > now:
                return True  # a silence goes on
            if armed.left > 0:
                armed.left -= 1
                return True
            if armed.spent:
                continue
            if rng is None:
                self._nth[name] += 1
                rng = random.Random(f"{self._seed}:{name}:{self._nth[name]}")
            if rng.random() >= rule.probability or not self._do(armed, name, data, send, rng, now):
                continue
            return True
        return False

    def _do(self, armed: _Armed, name: str, data: bytes, send: Send, rng: random.Random, now: float) -> bool:
        """Let a fault happen to a frame; False where it could not."""
        rule = armed.rule
        if rule.kind == "duplicate":
            send(data)
            send(data)
        elif rule.kind == "reorder":
            self._held[name] = (send, data)
        elif rule.kind == "late":
            self._late.append((now + rule.delay_s, send, data))
        elif rule.kind == "truncate":
            send(data[:rng.randrange(1, len(data))])
        elif rule.kind == "garbage":
            send(_GARBAGE)
        elif rule.kind == "gap":
            if not self._hub.book_frames.tells(data):
                return False
            armed.left = (rule.frames or 3) - 1
        elif rule.kind == "cross":
            spoilt = self._hub.book_frames.crossed(data)
            if spoilt is None:
                return False
            send(spoilt)
        elif rule.kind == "silence":
            armed.until = now + rule.lasts_s
        elif rule.kind in ("cut", "reset"):
            self._cut(name, rule)
        self._count(armed, name)
        return True

    def _count(self, armed: _Armed, name: str) -> None:
        armed.done += 1
        self.counts.setdefault(armed.rule.kind, Counter())[name] += 1
        self._note({"kind": "fault", "ms": self._hub.now(), "fault": armed.rule.kind, "stream": name})

    # -- connections ---------------------------------------------------------------------------------------

    def _cut_now(self, armed: _Armed) -> None:
        """Cut by an act: at once, without waiting for a frame."""
        names = {name for one in self._hub.connections for name in one.listening()}
        users = any(one.is_users for one in self._hub.connections)
        if armed.rule.user and users:
            self._cut("", armed.rule)
            self._count(armed, "user")
        elif not armed.rule.user:
            for name in sorted(filter(armed.matches, names)):
                self._cut(name, armed.rule)
                self._count(armed, name)

    def _cut(self, name: str, rule: StreamRule) -> None:
        for connection in list(self._hub.connections):
            if (connection.is_users if rule.user else name in connection.listening()):
                connection.abort("cut by a fault", reset=rule.kind == "reset")

    def refusal(self, path: str) -> web.Response | None:
        """What a new socket is told instead of being opened; None lets it in."""
        now = self._hub.elapsed()
        for armed in self._rules:
            if armed.rule.kind != "refuse" or not armed.matches(path):
                continue
            begins = armed.until <= now and not armed.spent
            if begins and random.Random(f"{self._seed}:{path}:{armed.done}").random() < armed.rule.probability:
                armed.until = now + armed.rule.lasts_s
                self._count(armed, path)
            elif armed.until <= now:
                continue
            wait = max(1, round(armed.until - now))
            return web.Response(
                status=429, text=_TOO_MANY, headers={"Retry-After": str(wait)}, content_type="application/json")
        return None

    # -- what waits for its time ---------------------------------------------------------------------------

    def check(self) -> None:
        """Send what is late enough; put snapshots aside where old ones may be asked for."""
        for other in self.also:
            other.check()
        now = self._hub.elapsed()
        due = [one for one in self._late if one[0] <= now]
        if due:
            self._late = [one for one in self._late if one[0] > now]
            for _, send, data in due:
                send(data)
        wanted = [armed for armed in self._rules if armed.rule.kind == "old_snapshot" and not armed.spent]
        if wanted and now - self._kept_at >= _KEEP_S:
            self._kept_at = now
            for symbol in self.symbols:
                if any(armed.matches(symbol) for armed in wanted):
                    self._keep(symbol, now)

    def _keep(self, symbol: str, now: float) -> None:
        body = self.snapshot(symbol, 1000)
        if body is not None:
            self._kept.setdefault(symbol, deque(maxlen=240)).append((now, body))

    def old_snapshot(self, symbol: str, limit: int) -> bytes | None:
        """The body of a depth answer that is older than it should be, if a rule says so."""
        now = self._hub.elapsed()
        for armed in self._rules:
            if armed.rule.kind != "old_snapshot" or armed.spent or not armed.matches(symbol):
                continue
            old = [body for at, body in self._kept.get(symbol, ()) if now - at >= armed.rule.delay_s]
            if old:
                self._count(armed, symbol)
                body = json.loads(old[-1])
                body["bids"], body["asks"] = body["bids"][:limit], body["asks"][:limit]
                return json.dumps(body, separators=(",", ":")).encode()
        return None

    def _let_go(self) -> None:
        for send, data in self._held.values():
            send(data)
        for _, send, data in self._late:
            send(data)
        self._held.clear()
        self._late.clear()
