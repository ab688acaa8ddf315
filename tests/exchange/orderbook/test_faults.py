"""Never wrong while not stale: random mixes of faults, every book compared with the truth at every instant."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.exchange.orderbook import layout as at
from modules.exchange.orderbook.layout import Stale
from modules.exchange.orderbook.synchroniser import Synchroniser, Wants
from tests.exchange.orderbook.test_books import KINDS, levels, new_book, snapshot, start_of
from tests.exchange.orderbook.wire import Truth

FAULTS = ("lost", "twice", "swapped", "late", "cut off", "garbage", "doubt", "old snapshot", "no snapshot", "narrow")


class Wire:
    """Between truth and book: spoils what passes."""

    def __init__(self, kind: str, seed: int, faults: set[str], share: float) -> None:
        self.dice = random.Random(seed)
        self.truth = Truth(random.Random(seed + 1))
        self.sync = Synchroniser(new_book(kind))
        self.faults, self.share = faults, share
        self.held: list[bytes] = []
        self.checked = self.fresh = 0

    def meets(self, fault: str) -> bool:
        return fault in self.faults and self.dice.random() < self.share

    def step(self) -> None:
        for raw in self.spoiled(self.truth.frame()):
            self.sync.on_frame(raw, start_of(raw) or 1, 1)
            self.check()
        if self.meets("doubt"):
            self.sync.doubt(self.dice.choice((Stale.SILENT, Stale.DISCONNECTED, Stale.LATE)))
        if self.sync.wants is Wants.SNAPSHOT and not self.meets("no snapshot"):
            ids = list(self.truth.at_id)
            at_id = self.dice.choice(ids[-8:]) if self.meets("old snapshot") else ids[-1]
            limit = 12 if self.meets("narrow") else 1000
            self.sync.on_snapshot(snapshot(self.truth.snapshot(limit, at_id)), limit)
            self.check()
        if self.dice.random() < 0.05:
            self.sync.look_for_edge()

    def spoiled(self, raw: bytes) -> list[bytes]:
        out = [] if self.meets("lost") else [raw]
        if self.meets("twice"):
            out = [raw, raw]
        if self.meets("cut off"):
            out = [raw[:self.dice.randint(45, len(raw) - 1)]]
        if self.meets("garbage"):
            out.append(bytes(self.dice.randrange(256) for _ in range(60)))
        if self.meets("late"):
            self.held += out
            return []
        out += self.held
        self.held = []
        if self.meets("swapped"):
            self.held = out[-1:]
            return out[:-1]
        return out

    def check(self) -> None:
        """The law."""
        words = self.sync.book.array
        self.checked += 1
        if words[at.STALE] != Stale.FRESH:
            return
        self.fresh += 1
        true = self.truth.at_id[int(words[at.LAST_ID])]
        for side, sign in ((0, 1), (1, -1)):
            edge = int(words[at.BID_EDGE + side])
            held = levels(self.sync.book)[side]
            assert {p: q for p, q in true[side].items() if sign * p >= edge} \
                == {p: q for p, q in held.items() if sign * p >= edge}
            assert held.items() <= true[side].items()  # beyond the edge: unknown, but never wrong


@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 10**6), faults=st.sets(st.sampled_from(FAULTS)), share=st.sampled_from((0.02, 0.1, 0.3)))
@settings(max_examples=40, deadline=None)
def test_never_wrong_while_not_stale(kind: str, seed: int, faults: set[str], share: float) -> None:
    wire = Wire(kind, seed, faults, share)
    for _ in range(120):
        wire.step()
    wire.faults, wire.held = set(), []
    for _ in range(20):
        wire.step()
    assert wire.sync.stale is Stale.FRESH  # and once the faults end it heals
    assert int(wire.sync.book.array[at.LAST_ID]) == wire.truth.last_id and wire.fresh > 10


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_alone(kind: str, fault: str) -> None:
    wire = Wire(kind, 7, {fault}, 0.2)
    for _ in range(150):
        wire.step()
    assert wire.fresh > 10
