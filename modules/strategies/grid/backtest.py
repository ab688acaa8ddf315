"""The live rules on past candles: both legs, funding, liquidation; every decision is `rules.decide`'s.

1. A candle is walked open → nearer end → farther end → close: with its close above its open the low comes first.
2. Each condition of the rules holds beyond one price. So where nothing is due at the end of a way that began quietly,
   nothing was due on it; else the first due price is found by bisection, and the order is filled there.
3. What a gap jumps over is filled at the gap's price. Fills are worse by the slippage, and pay the taker's fee.
4. Funding of 8 h is paid by longs and received by shorts (a negative rate turns it).
5. A side's protective stop closes that side (X18), as the exchange would. Equity at or below maintenance: the account
   is liquidated, all of it is lost, the run ends (cross margin).
6. Wallet at the end is what the loop moved: start + Σ realised − Σ fees + Σ funding − lost = end is checked by callers.

Units as in rules.py; a price unit is a tick. Entries of a leg are rows (mirror price, steps), unordered.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from modules.strategies.grid import indicators as i
from modules.strategies.grid import rules as r
from utils.compiled import kernel

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

DAY_MS = 86_400_000
FUNDING_MS = 28_800_000
MINUTE_MS = 60_000
PLENTY = 1 << 40
LIQUIDATED, STOP = 7, 8
# Columns of a deal: candle, code, side, steps, price, realised (money), fee (money), positions of the side afterwards.
D_CANDLE, D_CODE, D_SIDE, D_STEPS, D_PRICE, D_REALISED, D_FEE, D_HELD = range(8)
# What moves within a run: positions held (BUY, SELL), deals, refusals, stops of the day, stopped now, the price, …
HELD, DEALS, LOW_LOTS, NO_MARGIN, STOPS, STOPPED, AT = 0, 2, 3, 4, 5, 6, 7
MAY_BUY, MAY_SELL, DEAD = 8, 9, 10
SLOTS = 11
# More orders within one candle are a fault of the settings, not trading.
MOST_A_CANDLE = 2_000


class Terms(NamedTuple):
    """What a run assumes: money in units; slippage, maintenance and funding of 8 h in ppm."""

    start: int
    slippage_ppm: int
    maintenance_ppm: int
    funding_ppm: int


class Account(NamedTuple):
    """Money of a run as it moves."""

    wallet: int
    day: int
    realised: int
    fees: int
    funding: int
    lost: int


class Walked(NamedTuple):
    """What a run leaves: money, deals made, refusals, candles walked, lowest equity, deepest fall of equity."""

    account: Account
    deals: int
    below_minimum: int
    no_margin: int
    candles: int
    lowest: int
    drawdown: int
    stops: int


@kernel
def leg_of(rows: Ints, held: int) -> r.Leg:
    """The sums of a leg's entries."""
    steps, cost, extreme = 0, 0, 0
    for place in range(held):
        price, size = rows[place, 0], rows[place, 1]
        steps += size
        cost += price * size
        if place == 0 or price < extreme:
            extreme = price
    return r.Leg(held, steps, cost, extreme)


@kernel
def look_at(rules: r.Rules, buy: r.Leg, sell: r.Leg, account: Account, price: int, moment: tuple[int, int, bool],
            may: tuple[bool, bool]) -> r.Look:
    """The look at one price. `moment`: minute, signal, fresh; `may`: whether BUY and SELL may be opened."""
    equity = account.wallet + r.unrealised(buy, price) + r.unrealised(sell, -price)
    used = (abs(buy.cost) + abs(sell.cost)) // rules.leverage
    return r.Look(price, price, account.day, account.wallet, equity - used, moment[0], moment[1], moment[2], may[0],
                  may[1], True)


@kernel
def liquidated(buy: r.Leg, sell: r.Leg, account: Account, price: int, terms: Terms) -> bool:
    """Whether equity has come down to maintenance (rule 5)."""
    equity = account.wallet + r.unrealised(buy, price) + r.unrealised(sell, -price)
    return (buy.held + sell.held > 0
            and equity <= r.share((buy.steps + sell.steps) * price, terms.maintenance_ppm))


@kernel
def stopped_side(rules: r.Rules, buy: r.Leg, sell: r.Leg, price: int) -> int:
    """The side whose protective stop is reached; NEITHER."""
    if rules.protect_ppm > 0:
        if buy.held and price <= r.stop_price(rules, buy):
            return r.BUY
        if sell.held and -price <= r.stop_price(rules, sell):
            return r.SELL
    return r.NEITHER


@kernel
def due(rules: r.Rules, terms: Terms, buy: r.Leg, sell: r.Leg, account: Account, price: int,
        moment: tuple[int, int, bool], may: tuple[bool, bool]) -> bool:
    """Whether anything would be due at a price, margin and caps left aside (rule 2 needs half-lines)."""
    if liquidated(buy, sell, account, price, terms) or stopped_side(rules, buy, sell, price) != r.NEITHER:
        return True
    look = r.Look(price, price, account.day, PLENTY, PLENTY * 1000, moment[0], moment[1], moment[2], may[0], may[1],
                  True)
    return r.decide(rules, buy, sell, look).code != r.NONE


@kernel
def first_due(rules: r.Rules, terms: Terms, buy: r.Leg, sell: r.Leg, account: Account, quiet: int, there: int,
              moment: tuple[int, int, bool], may: tuple[bool, bool]) -> int:
    """The first price from `quiet` (nothing due) towards `there` (something due) at which something is."""
    near, far = quiet, there
    while abs(far - near) > 1:
        middle = (near + far) // 2
        if due(rules, terms, buy, sell, account, middle, moment, may):
            far = middle
        else:
            near = middle
    return far


@kernel
def slipped(price: int, buys: bool, slippage_ppm: int) -> int:
    """The price that an order gets, at least a tick."""
    if buys:
        return price - r.share(-price, slippage_ppm)
    return max(price + r.share(-price, slippage_ppm), 1)


@kernel
def close_rows(rows: Ints, held: int, side: int, only: int, price: int) -> tuple[int, int, int]:
    """Take out the entries (`only` ≥ 0: that one), at a real price: (steps, realised, entries left)."""
    steps, realised, kept = 0, 0, 0
    for place in range(held):
        if only in (-1, place):
            steps += rows[place, 1]
            realised += rows[place, 1] * (side * price - rows[place, 0])
        else:
            rows[kept, 0], rows[kept, 1] = rows[place, 0], rows[place, 1]
            kept += 1
    return steps, realised, kept


@kernel
def noted(deals: Ints, count: int, candle: int, code: int, side: int, steps: int, price: int, realised: int, fee: int,
          held: int) -> int:
    """A deal written down where there is room; returns how many there are."""
    if count < len(deals):
        row = deals[count]
        row[D_CANDLE], row[D_CODE], row[D_SIDE], row[D_STEPS] = candle, code, side, steps
        row[D_PRICE], row[D_REALISED], row[D_FEE], row[D_HELD] = price, realised, fee, held
    return count + 1


@kernel
def paid(account: Account, realised: int, fee: int) -> Account:
    """The money after a deal."""
    return Account(account.wallet + realised - fee, account.day + realised - fee, account.realised + realised,
                   account.fees + fee, account.funding, account.lost)


@kernel
def best_place(rows: Ints, held: int) -> int:
    """Where the furthest entry stands, which has the most profit."""
    best = 0
    for place in range(1, held):
        if rows[place, 0] < rows[best, 0]:
            best = place
    return best


@kernel
def exit_side(rules: r.Rules, terms: Terms, rows: Ints, held: int, side: int, only: int, code: int, price: int,
              account: Account, deals: Ints, count: int, candle: int) -> tuple[Account, int, int]:
    """Close a side (or one entry of it): money, entries left, deals."""
    got = slipped(price, side < 0, terms.slippage_ppm)
    steps, realised, left = close_rows(rows, held, side, only, got)
    fee = -r.share(-steps * got, rules.taker_ppm)
    return (paid(account, realised, fee), left,
            noted(deals, count, candle, code, side, steps, got, realised, fee, left))


@kernel
def enter_side(rules: r.Rules, terms: Terms, rows: Ints, held: int, choice: r.Choice, price: int, account: Account,
               deals: Ints, count: int, candle: int) -> tuple[Account, int, int]:
    """Open one more position: money, entries, deals."""
    got = slipped(price, choice.side > 0, terms.slippage_ppm)
    fee = -r.share(-choice.steps * got, rules.taker_ppm)
    rows[held, 0], rows[held, 1] = choice.side * got, choice.steps
    return (paid(account, 0, fee), held + 1,
            noted(deals, count, candle, choice.code, choice.side, choice.steps, got, 0, fee, held + 1))


@kernel
def funded(account: Account, buy: r.Leg, sell: r.Leg, price: int, terms: Terms) -> Account:
    """The money after a settlement of funding (rule 4)."""
    amount = -r.share((buy.steps - sell.steps) * price, terms.funding_ppm)
    return Account(account.wallet + amount, account.day + amount, account.realised, account.fees,
                   account.funding + amount, account.lost)


@kernel
def way(candle: Ints, leg: int) -> int:
    """The price at the end of a leg of the candle's way: open, nearer end, farther end, close (rule 1)."""
    if leg == 0:
        return int(candle[0])
    if leg == 3:
        return int(candle[3])
    rises = candle[3] >= candle[0]
    return int(candle[2]) if rises == (leg == 1) else int(candle[1])


@kernel
def refuse(choice: r.Choice, now: Ints) -> None:
    """Due, but the caps or the margin say no: not again in this candle."""
    now[LOW_LOTS] += choice.refused == r.LOT_BELOW_MINIMUM
    now[NO_MARGIN] += choice.refused == r.NO_MARGIN
    if choice.side != r.SELL:
        now[MAY_BUY] = 0
    if choice.side != r.BUY:
        now[MAY_SELL] = 0


@kernel
def act(rules: r.Rules, terms: Terms, legs: Ints, now: Ints, account: Account, choice: r.Choice, deals: Ints,
        candle: int) -> Account:
    """One choice of the rules, filled at the present price."""
    code, price = choice.code, now[AT]
    if code in (r.FIRST, r.ADD):
        place = 0 if choice.side > 0 else 1
        account, now[HELD + place], now[DEALS] = enter_side(
            rules, terms, legs[place], now[HELD + place], choice, price, account, deals, now[DEALS], candle)
        return account
    for place in range(2):
        side = 1 - 2 * place
        held = now[HELD + place]
        if held and choice.side in (side, r.NEITHER):
            only = best_place(legs[place], held) if code == r.SINGLE else -1
            account, now[HELD + place], now[DEALS] = exit_side(
                rules, terms, legs[place], held, side, only, code, price, account, deals, now[DEALS], candle)
    if code in (r.DAY_TARGET, r.DAY_LOSS):
        now[STOPPED] = 1
        now[STOPS] += 1
    return account


@kernel
def travel(rules: r.Rules, terms: Terms, legs: Ints, now: Ints, account: Account, to: int,
           moment: tuple[int, int, bool], deals: Ints, candle: int) -> Account:
    """The price moves from where it is to `to`, through everything that falls due (rule 2)."""
    for _ in range(MOST_A_CANDLE):
        buy, sell = leg_of(legs[0], now[HELD]), leg_of(legs[1], now[HELD + 1])
        if now[STOPPED] and not buy.held + sell.held:
            break
        may = (now[MAY_BUY] > now[STOPPED], now[MAY_SELL] > now[STOPPED])
        if not due(rules, terms, buy, sell, account, now[AT], moment, may):
            if now[AT] == to or not due(rules, terms, buy, sell, account, to, moment, may):
                break
            now[AT] = first_due(rules, terms, buy, sell, account, now[AT], to, moment, may)
        if liquidated(buy, sell, account, now[AT], terms):
            now[DEALS] = noted(deals, now[DEALS], candle, LIQUIDATED, 0, buy.steps + sell.steps, now[AT],
                               -account.wallet, 0, 0)
            now[HELD], now[HELD + 1], now[DEAD] = 0, 0, 1
            return Account(0, 0, account.realised, account.fees, account.funding, account.wallet)
        hit = stopped_side(rules, buy, sell, now[AT])
        if hit != r.NEITHER:
            account = act(rules, terms, legs, now, account, r.Choice(STOP, hit, 0, 0), deals, candle)
            continue
        choice = r.decide(rules, buy, sell, look_at(rules, buy, sell, account, now[AT], moment, may))
        if choice.code == r.NONE:
            refuse(choice, now)
        else:
            account = act(rules, terms, legs, now, account, choice, deals, candle)
    now[AT] = to
    return account


@kernel
def equity_at(legs: Ints, now: Ints, account: Account) -> int:
    """Wallet and what is open, at the present price."""
    buy, sell = leg_of(legs[0], now[HELD]), leg_of(legs[1], now[HELD + 1])
    return account.wallet + r.unrealised(buy, now[AT]) + r.unrealised(sell, -now[AT])


@kernel
def dawn(account: Account, legs: Ints, now: Ints, before_ms: int, ms: int, terms: Terms) -> Account:
    """What the clock alone does between two candles: a new UTC day, a settlement of funding."""
    if ms // DAY_MS != before_ms // DAY_MS:
        now[STOPPED] = 0
        account = Account(account.wallet, 0, account.realised, account.fees, account.funding, account.lost)
    if ms // FUNDING_MS != before_ms // FUNDING_MS:
        account = funded(account, leg_of(legs[0], now[HELD]), leg_of(legs[1], now[HELD + 1]), now[AT], terms)
    return account


@kernel
def run(rules: r.Rules, terms: Terms, times: Ints, candles: Ints, signals: Ints, fresh: npt.NDArray[np.bool_],
        deals: Ints, curve: Ints) -> Walked:
    """All candles of one contract. `times` open in ms; `candles` (n, 4) open high low close in ticks; `signals` and
    `fresh` as known at each candle's open; `deals` (m, 8) and `curve` (n,) equity at each close are filled."""
    legs, now = np.zeros((2, rules.orders, 2), np.int64), np.zeros(SLOTS, np.int64)
    account = Account(terms.start, 0, 0, 0, 0, 0)
    now[AT] = candles[0, 0]
    lowest, highest, drawdown = terms.start, terms.start, 0
    for k in range(len(candles)):
        account = dawn(account, legs, now, times[max(k - 1, 0)], times[k], terms)
        now[MAY_BUY], now[MAY_SELL] = 1, 1
        for leg in range(4):
            to = way(candles[k], leg)
            if leg == 0:
                now[AT] = to  # rule 3: a gap is jumped
            moment = (times[k] // MINUTE_MS % 1440, signals[k], fresh[k] and leg == 0)
            account = travel(rules, terms, legs, now, account, to, moment, deals, k)
            equity = equity_at(legs, now, account)
            lowest, highest = min(lowest, equity), max(highest, equity)
            drawdown = max(drawdown, highest - equity)
            if now[DEAD]:
                curve[k:] = 0
                return Walked(account, now[DEALS], now[LOW_LOTS], now[NO_MARGIN], k + 1, lowest, drawdown, now[STOPS])
        curve[k] = equity_at(legs, now, account)
    return Walked(account, now[DEALS], now[LOW_LOTS], now[NO_MARGIN], len(candles), lowest, drawdown, now[STOPS])


@kernel
def signals_over(times: Ints, highs: Floats, lows: Floats, closes: Floats, interval: int, average: int,
                 steps: tuple[float, float], turned: bool, by_sar: bool, cci: tuple[int, float, float]) -> Ints:
    """The signal after each closed candle, as signals.py has it: begun anew after a gap. `steps`: SAR's start and most;
    `cci`: period, low, high."""
    found = np.zeros(len(times), np.int64)
    weighted = (highs + lows + 2 * closes) / 4
    typical = (highs + lows + closes) / 3
    begin, before = 0, 0.0
    state = i.Sar(0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    for k in range(len(times)):
        if k and times[k] != times[k - 1] + interval:
            begin = k
        seen = k - begin + 1
        if seen > i.FIRST:
            state = i.next_sar(state, highs[k], lows[k], steps[0], steps[1])
        elif seen == i.FIRST:
            state = i.first_sar(highs[begin:k + 1], lows[begin:k + 1], closes[k], closes[k - 1], steps[0])
        if by_sar and seen >= max(average, i.FIRST):
            found[k] = i.signal_of(i.lwma(weighted, k + 1, average), state.sar, turned)
        if cci[0] and seen >= cci[0]:
            now = i.cci(typical, k + 1, cci[0])
            crossed = i.crossing(before, now, cci[1], cci[2]) if seen > cci[0] else i.NEITHER
            if crossed != i.NEITHER:
                found[k] = crossed
            before = now
    return found
