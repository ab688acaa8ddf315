"""A recorded run of the live tracker, fed to the backtester: the same steps sold at the same looks, for like reasons.

What the backtester cannot know is how an order fared: a slice that filled only in part, or a price that passed while
an order was under way and would have been a decision. Such positions are left out and counted. Fills: the engine sells
at the look's price; the live fill came `ms` later at the book's price. The distance is what docs/BACKTEST.md states.
"""

import asyncio
from dataclasses import dataclass, field
from decimal import Decimal
from statistics import median

import numpy as np
import pytest

from modules.backtest import arrays as a
from modules.backtest.engine import run
from modules.backtest.replay import Line, Look, Opened, Recording, Seen, Sold
from modules.strategies.hype import exits
from tests.backtest.maker import FREE
from tests.backtest.recorded_run import record

Decision = tuple[int, int, int]  # look's market ms, reason code, steps


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[Line]:
    """Every recorded line of one run of the tracker."""
    paths = asyncio.run(record(tmp_path_factory.mktemp("live")))
    return [line for path in paths for line in Recording(path).lines()]


@dataclass
class Life:
    """A position from its entry on, as recorded."""

    opened: Opened
    looks: list[tuple[int, int]] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    fills: list[Sold] = field(default_factory=list)
    at: list[Look] = field(default_factory=list)
    after: exits.State | None = None
    unlike: str = ""

    def take(self, record: Look | Seen | Sold) -> None:
        match record:
            case Sold():
                self.fills.append(record)
            case Look():
                self._look(record)
            case Seen():
                assert self.after is not None
                code, _, state = exits.step(record.planned.plan, self.after, record.bid, record.ms)
                if code == exits.HOLD and state.hit == self.after.hit:
                    self.looks.append((record.ms, record.bid))
                    self.after = state
                else:
                    self.unlike = self.unlike or "price under way"

    def _look(self, look: Look) -> None:
        if self.after is not None and look.before._replace(stop=self.after.stop) != self.after:
            self.unlike = self.unlike or "partial fill"
        self.after = look.after
        self.looks.append((look.ms, look.bid))
        if look.code != exits.HOLD:
            self.decisions.append((look.ms, look.code, look.steps))
            self.at.append(look)


def lives(lines: list[Line]) -> list[Life]:
    """Every position whose entry is in the record."""
    found: dict[str, Life] = {}
    for line in lines:
        match line.record:
            case Opened() as opened:
                found[opened.position] = Life(opened)
            case Look() | Seen() as looked if looked.planned.position in found:
                found[looked.planned.position].take(looked)
            case Sold() as sold if sold.position in found:
                found[sold.position].take(sold)
    return [life for life in found.values() if life.looks]


def engine(life: Life) -> list[Decision]:
    """The backtester on the looks of one position, one candle of one price each; the entry is a candle before them."""
    opened = life.opened
    strategy, confidence, atr, entry, steps, _, least, opened_ms, *_ = opened.terms
    looks = [(opened_ms, entry), *(look for look in life.looks if look[0] > opened_ms)]
    time, price = np.array(looks, np.int64).T
    unit = float(opened.tick * opened.step) * a.MONEY
    tokens = np.array([[0, len(time), least]])
    series = a.Series(np.array([time, price, price, price, price]), np.full(len(time), 1e12), tokens,
                      np.array([unit]), np.zeros(0, np.int64), int(time[-1]))
    row = np.zeros((1, a.E_COLUMNS), np.int64)
    row[0, [a.E_KNOWN, a.E_PRICE, a.E_QUANTITY]] = opened_ms, entry, steps
    row[0, [a.E_STRATEGY, a.E_CONFIDENCE, a.E_ATR]] = strategy, confidence, atr
    paid = opened.executed.price / (entry * opened.tick) - 1  # the fill's average lies between two ticks
    fee = opened.executed.fee_usdt / opened.executed.quote
    terms = FREE._replace(fee_ppm=round(fee * 10**6), half_spread_ppm=round(paid * 10**6))
    made = run(series, row, opened.rules, terms)
    return [(int(time[sale[a.S_AT]]), int(sale[a.S_CODE]), int(sale[a.S_QUANTITY])) for sale in made.sales
            if sale[a.S_CODE] not in (a.END, a.DELISTED)]


def test_what_was_recorded_is_decided_again_byte_for_byte(lines):
    decisions = [line for line in lines if line.decided]
    assert len(decisions) > 200 and all(line.same for line in decisions)


def test_the_backtester_decides_as_the_live_tracker_did(lines):
    every = lives(lines)
    like = [life for life in every if not life.unlike]
    assert len(like) >= 12 and len(like) >= 0.6 * len(every), [life.unlike for life in every]
    for life in like:
        assert engine(life) == life.decisions, life.opened.symbol
    assert len({code for life in like for _, code, _ in life.decisions}) >= 3
    assert sum(len(life.decisions) for life in like) >= 12


def test_fills_lie_within_the_stated_distance_of_the_look(lines):
    """The engine sells at the look; the live order filled a moment later in the book."""
    away, late = [], []
    for life in lives(lines):
        for look, sold in zip(life.at, life.fills, strict=False):
            if sold.quantity:
                at = Decimal(look.bid) * look.planned.tick
                away.append(abs(float(sold.price / at - 1)) * 100)
                late.append(sold.ms - look.ms)
    assert len(away) >= 12
    assert median(away) < 0.1 and max(away) < 2.0 and min(late) >= 0, (median(away), max(away), min(late))
