"""Recorded decisions, made again: the same functions, the recorded inputs, and whether the answers are the same bytes.

The records are those of modules/strategies/hype/decisions.py. Answers are compared as the bytes that the record holds
or would hold; a field that a later version added counts with its default.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from modules.execution.limits import EntryRequest, Limits, RefusedEntry, World, check
from modules.execution.order_state import Executed
from modules.storage.decisions import DecisionFileError, read
from modules.strategies.hype import exits
from modules.strategies.hype.decisions import FORM, FORM_VERSION
from modules.strategies.hype.records import Proposal

T = TypeVar("T")
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[Any]).decode


@dataclass(frozen=True, slots=True)
class Head:
    """What a file says of itself."""

    program: str
    system: str
    mode: str
    rules: exits.Rules


@dataclass(frozen=True, slots=True)
class Planned:
    """A position as the looks of a file saw it."""

    position: str
    symbol: str
    tick: Decimal
    step: Decimal
    opened_ms: int
    plan: exits.Plan


@dataclass(frozen=True, slots=True)
class Look:
    """One question to `exits.step`, and its recorded answer."""

    planned: Planned
    ms: int
    bid: int
    before: exits.State
    code: int
    steps: int
    after: exits.State


@dataclass(frozen=True, slots=True)
class Seen:
    """A price while an order was under way."""

    planned: Planned
    ms: int
    bid: int


@dataclass(frozen=True, slots=True)
class Opened:
    """One question to `exits.make_plan`: the entry's fill, and the recorded plan."""

    position: str
    symbol: str
    strategy: str
    confidence: float
    tick: Decimal
    step: Decimal
    rules: exits.Rules
    terms: tuple[int, ...]
    plan: exits.Plan
    executed: Executed

    @property
    def ms(self) -> int:
        """When it filled."""
        return self.executed.market_ms


@dataclass(frozen=True, slots=True)
class Judged:
    """One question to the limits before an entry, and what refused."""

    intent: str
    proposal: Proposal
    ask: EntryRequest
    world: World
    limits: Limits
    refused: tuple[RefusedEntry, ...]

    @property
    def ms(self) -> int:
        """When it was asked."""
        return self.world.now_ms


@dataclass(frozen=True, slots=True)
class Answered:
    """How a proposal ended."""

    message: str
    symbol: str
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Sold:
    """A sale as it was booked."""

    position: str
    symbol: str
    reason: str
    quantity: Decimal
    price: Decimal
    quote: Decimal
    fee: Decimal
    asked_ms: int
    ms: int
    closes: bool


Record = Look | Seen | Opened | Judged | Answered | Sold


@dataclass(frozen=True, slots=True)
class Line:
    """A record and where it stands; `recorded` and `again` are the answers' bytes, empty where nothing was decided."""

    number: int
    record: Record
    recorded: bytes = b""
    again: bytes = b""

    @property
    def decided(self) -> bool:
        """Whether it is a decision, not a fact."""
        return bool(self.recorded)

    @property
    def same(self) -> bool:
        """Whether the rules of today answer the same."""
        return self.recorded == self.again


class Recording:
    """One file. Raises DecisionFileError where it cannot be used, OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._records, self.torn = read(path)
        if not self._records:
            raise DecisionFileError(f"{path.name}: holds no record.")
        self.head = self._head(self._records[0])

    def lines(self) -> Iterator[Line]:
        """Every record after the head, with its decision made again. Raises DecisionFileError."""
        reader = _Reader()
        for number, raw in enumerate(self._records[1:], 2):
            try:
                found = reader.line(number, _decode(raw))
            except (msgspec.MsgspecError, ValueError, KeyError, TypeError, IndexError) as problem:
                raise DecisionFileError(f"{self.path.name}, line {number}: is no record that this version knows "
                                        f"({type(problem).__name__}: {problem}).") from problem
            if found is not None:
                yield found

    def _head(self, raw: bytes) -> Head:
        try:
            kind, form, version, program, system, mode, rules = _decode(raw)
        except (msgspec.MsgspecError, ValueError):
            kind, form, version = "", "", 0
        if kind != "head" or form != FORM:
            raise DecisionFileError(f"{self.path.name}: is not a record of decisions; give a file of data/decisions.")
        if version > FORM_VERSION:
            raise DecisionFileError(f"{self.path.name}: is of a later form ({version}; this version knows "
                                    f"{FORM_VERSION}). Update the program.")
        return Head(program, system, mode, _as(rules, exits.Rules))


class _Reader:
    """Follows what a file's lines refer to: plans by number, and the state that each look left."""

    def __init__(self) -> None:
        self._plans: dict[int, Planned] = {}
        self._left: dict[int, exits.State] = {}

    def line(self, number: int, record: list[Any]) -> Line | None:
        """The record of one line; None for a plan, which only others refer to."""
        kind, *parts = record
        match kind:
            case "plan":
                self._plan(parts)
                return None
            case "look":
                return self._look(number, parts)
            case "seen":
                at, ms, bid = parts
                return Line(number, Seen(self._plans[at], ms, bid))
            case "opened":
                return _opened(number, parts)
            case "judged":
                return _judged(number, parts)
            case "answered":
                return Line(number, Answered(*parts))
            case "sold":
                return Line(number, _as(dict(zip(Sold.__slots__, parts, strict=True)), Sold))
        raise ValueError(f"kind {kind!r}")

    def _plan(self, parts: list[Any]) -> None:
        number, position, symbol, tick, step, opened_ms, plan = parts
        self._plans[number] = Planned(position, symbol, Decimal(tick), Decimal(step), opened_ms, _as(plan, exits.Plan))
        self._left.pop(number, None)

    def _look(self, number: int, parts: list[Any]) -> Line:
        at, ms, bid, before, code, steps, after = parts
        planned = self._plans[at]
        state = self._left[at] if before is None else _as(before, exits.State)
        left = state if after is None else _as(after, exits.State)
        self._left[at] = left
        again = exits.step(planned.plan, state, bid, ms)
        return Line(number, Look(planned, ms, bid, state, code, steps, left), _encode((code, steps, left)),
                    _encode(again))


def _opened(number: int, parts: list[Any]) -> Line:
    position, symbol, strategy, confidence, tick, step, rules, terms, plan, executed = parts
    found = Opened(position, symbol, strategy, confidence, Decimal(tick), Decimal(step), _as(rules, exits.Rules),
                   tuple(terms), _as(plan, exits.Plan), _as(executed, Executed))
    again = exits.make_plan(found.rules, *found.terms)
    return Line(number, found, _encode(found.plan), _encode(again))


def _judged(number: int, parts: list[Any]) -> Line:
    intent, proposal, ask, world, limits, refused = parts
    found = Judged(intent, _as(proposal, Proposal), _as(ask, EntryRequest), _as(world, World), _as(limits, Limits),
                   tuple(_as(one, RefusedEntry) for one in refused))
    return Line(number, found, _encode(found.refused), _encode(check(found.ask, found.world, found.limits)))


def _as(value: Any, kind: type[T]) -> T:
    return msgspec.convert(value, kind)


def positions(recordings: Sequence[Recording]) -> dict[str, str]:
    """Every position in the files, with its symbol."""
    found: dict[str, str] = {}
    for recording in recordings:
        for line in recording.lines():
            record = line.record
            if isinstance(record, Look):
                found[record.planned.position] = record.planned.symbol
            elif isinstance(record, Opened | Sold):
                found[record.position] = record.symbol
    return found
