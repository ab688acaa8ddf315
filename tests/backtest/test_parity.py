"""The live tracker's books and the engine, fed with the same looks: the same decisions, the same money.

The live side here is what desk_exit.py does with a look: `plan_of` and `state_of` of the stored position, `exits.step`,
`moved` or `book_sale`, all in Decimal. The engine gets the same looks as candles of one price each.
"""

from dataclasses import dataclass
from decimal import ROUND_UP, Decimal

import numpy as np
import pytest

from modules.backtest import arrays as a
from modules.backtest.engine import run
from modules.exchange.types import Market, Mode, OrderType, Side
from modules.execution.intents import FeeTerms, Intent
from modules.execution.order_state import Executed
from modules.strategies.hype import exits
from modules.strategies.hype.exit_rules import ppm, rules_of, strategy_index
from modules.strategies.hype.positions import Units, book_sale, moved, open_position, plan_of, state_of
from modules.strategies.hype.records import Proposal, Strategy
from modules.strategies.hype.settings import HypeSettings
from tests.backtest.maker import FREE

LOOK_MS = 2_000
BEGIN_MS = 1_700_000_000_000
FEE = Decimal("0.001")


def executed(quantity, price, now_ms):
    quote = quantity * price
    return Executed(order_id="o", quantity=quantity, quote=quote, market_ms=now_ms,
                    fee_usdt=(quote * FEE).quantize(Decimal("1e-12"), ROUND_UP))


def intent(number, position, quantity, code, state, units):
    note = {"hit": str(state.hit), "stop": str(units.price(state.stop))} if code == exits.TARGET else {}
    return Intent(id=f"s{number}", system="A", account="TEST", symbol="TUSDT", leg="exit", slot=position.id,
                  generation=number, side=Side.SELL, type=OrderType.MARKET, quantity=quantity, market_ms=0,
                  reason=f"tp{state.hit}" if code == exits.TARGET else "stop", note=note,
                  fees=FeeTerms("T", "USDT", FEE))


def live(market, rules, proposal, bids, quantity, begin_ms):
    """What the tracker would do: [(look, code, steps)], and its result in USDT."""
    units = Units.of(market)
    bought = executed(quantity, bids[0], begin_ms)
    entry = Intent(id="e", system="A", account="TEST", symbol="TUSDT", leg="entry", slot="c", generation=0,
                   side=Side.BUY, type=OrderType.IOC, quantity=quantity, reason="hype", market_ms=begin_ms,
                   fees=FeeTerms("T", "USDT", FEE))
    position = open_position(entry, bought, proposal, market, Mode.TEST, rules)
    found, result = [], Decimal(0)
    for look, bid in enumerate(bids):
        now_ms = begin_ms + look * LOOK_MS
        code, steps, state = exits.step(plan_of(position, rules, units), state_of(position, units), units.ticks(bid),
                                        now_ms)
        position = moved(position, state_of(position, units)._replace(stop=state.stop, peak=state.peak)
                         if steps else state, units, bid, now_ms)
        if steps:
            found.append((look, code, steps))
            sold = intent(look, position, units.quantity(steps), code, state, units)
            position, trade = book_sale(position, sold, executed(units.quantity(steps), bid, now_ms), market)
            assert trade.pnl_usdt is not None
            result += trade.pnl_usdt
            if trade.closes:
                break
    return found, result, units.steps(position.quantity)


def looks_of(rng, tick):
    """A path of bids that drifts, jumps and turns, in whole ticks."""
    price = 10 ** rng.uniform(-5, 3)
    drift = rng.choice((-0.0008, 0.0, 0.001, 0.004))
    moves = rng.normal(drift, 0.006, 600) + (rng.random(600) < 0.01) * rng.normal(0, 0.06, 600)
    path = price * np.exp(np.cumsum(moves))
    return [max(int(value / float(tick)), 50) for value in path]


SEEDS = range(40)


@dataclass(frozen=True)
class Case:
    """A market, an entry and a path of looks."""

    rules: exits.Rules
    market: Market
    proposal: Proposal
    ticks: list[int]
    steps: int

    @classmethod
    def of(cls, seed):
        rng = np.random.default_rng(seed)
        settings = HypeSettings(
            tp_preset=str(rng.choice(("seed", "gain"))), breakeven_after_tp1=bool(rng.random() < 0.7),
            trail_fall_pct=float(rng.choice((1.0, 3.0))), max_hold_h=float(rng.choice((0.0, 0.25))))
        tick = Decimal(1).scaleb(-int(rng.integers(4, 9)))
        ticks = looks_of(rng, tick)
        price = ticks[0] * tick
        step = Decimal(1).scaleb(int(np.floor(np.log10(0.01 / float(price)))))
        market = Market("TUSDT", "T", "USDT", tick, step, Decimal(str(rng.choice((1, 5, 20)))), FEE, FEE)
        proposal = Proposal(
            symbol="TUSDT", strategy=Strategy(str(rng.choice([each.value for each in Strategy]))),
            confidence=round(float(rng.uniform(0.7, 1.0)), 4), probability=None, price=float(price),
            atr_pct=round(float(rng.uniform(0.2, 4.0)), 3), market_ms=BEGIN_MS, mode="TEST", candidate_id="c")
        return cls(rules_of(settings), market, proposal, ticks, int(Decimal(50) / price / step))

    def live(self):
        bids = [number * self.market.tick for number in self.ticks]
        return live(self.market, self.rules, self.proposal, bids, self.steps * self.market.step, BEGIN_MS)

    def engine(self):
        time = BEGIN_MS + np.arange(len(self.ticks)) * LOOK_MS
        column = np.array(self.ticks, np.int64)
        unit = float(self.market.tick * self.market.step) * a.MONEY
        tokens = np.array([[0, len(self.ticks), Units.of(self.market).min_value()]])
        series = a.Series(np.array([time, column, column, column, column], np.int64), np.full(len(column), 1e9), tokens,
                          np.array([unit]), np.zeros(0, np.int64), int(time[-1]))
        entry = np.zeros((1, a.E_COLUMNS), np.int64)
        entry[0, [a.E_KNOWN, a.E_PRICE, a.E_QUANTITY]] = BEGIN_MS, column[0], self.steps
        entry[0, a.E_STRATEGY] = strategy_index(self.proposal.strategy)
        entry[0, [a.E_CONFIDENCE, a.E_ATR]] = ppm(self.proposal.confidence), ppm(self.proposal.atr_pct, 100)
        return run(series, entry, self.rules, FREE._replace(fee_ppm=1000))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_looks_lead_to_the_same_decisions_and_money(seed):
    case = Case.of(seed)
    expected, result, left = case.live()
    made = case.engine()
    sold = [row for row in made.sales if row[a.S_CODE] not in (a.END, a.DELISTED)]
    assert [(int(row[a.S_AT]), int(row[a.S_CODE]), int(row[a.S_QUANTITY])) for row in sold] == expected
    if left == 0:
        got = Decimal(int(made.totals[a.T_CASH]) - FREE.start) / a.MONEY
        assert abs(got - result) < Decimal("0.0000002")


def test_these_paths_reach_every_kind_of_exit():
    """The parity above would prove little if nothing happened on its paths."""
    decisions = [case.live()[0] for case in map(Case.of, SEEDS)]
    assert {code for each in decisions for _, code, _ in each} == {
        exits.STOP, exits.BREAK_EVEN, exits.TRAILING, exits.TARGET, exits.TIME}
    assert sum(len(each) >= 3 for each in decisions) >= 5
