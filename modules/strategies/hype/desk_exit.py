"""Selling: the exit rules are asked, and what they say is carried out until it is done.

1. A look at the price is passed to the rules; a target sells a slice, everything else sells all that is left.
2. All symbols sell at the same time; twenty stops at once all get out (A18).
3. A slice goes out as IOC with a floor near the target: what a thin book does not take stays due with the next one.
4. A full exit goes out as a market order; where the pair refuses those, as IOC with a cap that widens with every
   attempt until everything is out, with an alert after the third (X27).
5. A remainder that the exchange will not take is dust: the position ends with that reason, on record.
"""

import logging
import time
from dataclasses import dataclass
from decimal import Decimal

from modules.exchange.types import Market, OrderType, Side, Unavailable
from modules.execution.controls import ExitCode, ExitWorld, RefusedExit, approve_exit
from modules.execution.executor import ABSENT, FAILED, Filled, NothingFilled, NotPlaced, Result, Unresolved
from modules.execution.intents import FeeTerms, Intent, client_id
from modules.execution.refusals import Cure, cure
from modules.strategies.hype import exits, tracker_words
from modules.strategies.hype.desk import SYSTEM, Attempts, Desk
from modules.strategies.hype.positions import Units, book_sale, moved, plan_of, state_of, write_off
from modules.strategies.hype.records import Position
from modules.strategies.hype.sizing import exact

log = logging.getLogger(__name__)

WIDEST_CAP = Decimal("0.5")
ALERT_AFTER = 3
LONGEST_WAIT_S = 2.0
SETTLES_MS = 2_000  # a venue's balances may lag behind its fills, real milliseconds
NAMES = {exits.STOP: "stop", exits.BREAK_EVEN: "break_even", exits.TRAILING: "trailing", exits.TIME: "time"}
GUARDED = ("open", "closing")


@dataclass(frozen=True, slots=True)
class Sale:
    """What is to be sold now: `quantity` coins, why, and what the books must know once it is done."""

    reason: str
    quantity: Decimal
    bid: Decimal
    note: dict[str, str]
    full: bool


def decide(desk: Desk, markets: dict[str, Market], bids: dict[str, Decimal], now_ms: int) -> None:
    """Ask the rules about every position whose price is known, and start the sales (rules 1, 2)."""
    for symbol, position in list(desk.positions.items()):
        bid, market = bids.get(symbol), markets.get(symbol)
        if bid is None or market is None or position.state not in GUARDED or desk.executor is None:
            continue
        if symbol in desk.busy:
            desk.decisions.seen(position, Units.of(market).ticks(bid), now_ms)
            desk.change(symbol, dynamic_peak=max(position.dynamic_peak, bid), last_price=bid, last_seen_ms=now_ms)
            continue
        sale = sale_now(desk, position, market, bid, now_ms)
        attempts = desk.attempts.get(symbol)
        if sale is None or (attempts is not None and time.monotonic() < attempts.not_before):
            continue
        desk.run(symbol, sell(desk, symbol, market, sale))


def sale_now(desk: Desk, position: Position, market: Market, bid: Decimal, now_ms: int) -> Sale | None:
    """What the rules want sold at this price; moves stop and peak on the way."""
    if position.state == "closing":
        desk.change(position.symbol, last_price=bid, last_seen_ms=now_ms)
        return Sale(position.reason, position.quantity, bid, {}, full=True)
    units = Units.of(market)
    before, plan, ticks = state_of(position, units), plan_of(position, desk.house.rules, units), units.ticks(bid)
    code, steps, after = exits.step(plan, before, ticks, now_ms)
    desk.decisions.look(position, units, plan, before, ticks, now_ms, (code, steps, after))
    if code == exits.HOLD:
        desk.urgent |= after.hit != before.hit
        desk.put(moved(position, after, units, bid, now_ms))
        return None
    if code == exits.TARGET:
        # Stop and targets move with the booking of the sale, so that a crash before it loses no slice.
        desk.put(moved(position, before._replace(peak=after.peak), units, bid, now_ms))
        note = {"hit": str(after.hit), "stop": str(units.price(after.stop))}
        return Sale(f"tp{after.hit}", units.quantity(steps), bid, note, full=False)
    reason = NAMES[code]
    desk.put(moved(position, before._replace(stop=after.stop, peak=after.peak), units, bid, now_ms))
    close(desk, position.symbol, reason)
    return Sale(reason, position.quantity, bid, {}, full=True)


def close(desk: Desk, symbol: str, reason: str) -> None:
    """Mark a position for a full exit; from now on every look sells until nothing is left."""
    desk.change(symbol, state="closing", reason=reason)
    known = desk.attempts.get(symbol)
    # Attempts to sell a slice must not make a stop wait; that the pair refuses market orders stays known.
    desk.attempts[symbol] = Attempts(limit_only=known.limit_only if known else False)


async def sell(desk: Desk, symbol: str, market: Market, sale: Sale) -> None:
    """Send one order of a sale and book what came of it. A full exit goes on with the next look (rule 4)."""
    position = desk.positions[symbol]
    assert desk.executor is not None
    intent = sale_intent(desk, position, market, sale)
    if intent is None:  # less than a step is left
        await end_as(desk, position, "dust")
        return
    approved = approve_exit(intent, exit_world(desk, market, desk.executor.placing))
    if isinstance(approved, RefusedExit):
        await on_refused_exit(desk, symbol, market, approved)
        return
    smaller = approved.order.quantity != intent.quantity
    if smaller and await shrink_to_balance(desk, symbol, market):  # told, and sold with the next look
        return
    intent = approved.order
    try:
        result = await desk.executor.execute(approved)
    except OSError as problem:
        not_sent(desk, symbol, "the order could not be written down, so it was not sent (X1): " + str(problem))
        return
    await after_exit(desk, intent, market, result)


def exit_world(desk: Desk, market: Market, placing: frozenset[str]) -> ExitWorld:
    """What an exit is held against (X25). Free coins count as known only if nothing of ours has moved them since."""
    holding = desk.books.ledger.holding(market.symbol)
    settled_ms = desk.free_ms - round(SETTLES_MS * desk.house.market.clock.speed)
    fresh = holding is not None and desk.books.complete(market.symbol) and settled_ms > holding.last_ms
    free = desk.free.get(market.base, Decimal(0)) if fresh else None
    return ExitWorld(market, desk.books.held(market.symbol), free, placing)


async def on_refused_exit(desk: Desk, symbol: str, market: Market, refused: RefusedExit) -> None:
    """An exit that its checklist stopped: nothing left to sell is looked into, the rest is tried again."""
    if refused.code is ExitCode.HALTED:
        desk.doubts_markets = True
    if refused.code is ExitCode.NOTHING and await shrink_to_balance(desk, symbol, market):
        return
    not_sent(desk, symbol, refused.text)


def sale_intent(desk: Desk, position: Position, market: Market, sale: Sale) -> Intent | None:
    """The order for a sale (rules 3, 4)."""
    units = Units.of(market)
    steps = min(units.steps(sale.quantity), units.steps(position.quantity))
    if steps < 1:
        return None
    kind, price = OrderType.MARKET, None
    settings = desk.house.settings
    attempts = desk.attempts.setdefault(position.symbol, Attempts())
    if not sale.full:
        kind, price = OrderType.IOC, floor_price(sale.bid, exact(settings.max_slippage_pct) / 100, units)
    elif attempts.limit_only or not market.market_orders:
        cap = min(exact(settings.exit_first_slippage_pct) / 100 * 2**attempts.count, WIDEST_CAP)
        kind, price = OrderType.IOC, floor_price(sale.bid, cap, units)
    generation = desk.house.journal.next_generation(SYSTEM, desk.mode.value, position.symbol, "exit", position.id)
    return Intent(
        id=client_id(SYSTEM, desk.mode.value, position.symbol, "exit", position.id, generation), system=SYSTEM,
        account=desk.mode.value, symbol=position.symbol, leg="exit", slot=position.id, generation=generation,
        side=Side.SELL, type=kind, quantity=units.quantity(steps), price=price, reason=sale.reason,
        position_id=position.id, market_ms=desk.house.market.clock.now_ms(), note=sale.note,
        fees=FeeTerms(market.base, market.quote, market.taker_fee),
    )


def floor_price(bid: Decimal, cap: Decimal, units: Units) -> Decimal:
    """The lowest price a limit sale accepts: `cap` below the bid, in whole ticks, at least one tick."""
    return max(units.price(units.ticks(bid * (1 - cap))), units.tick)


async def after_exit(desk: Desk, intent: Intent, market: Market, result: Result) -> None:
    """Book a sale, or arrange for the next attempt."""
    symbol = intent.symbol
    match result:
        case Filled():
            await book_exit(desk, intent, result, market)
        case NothingFilled():
            not_sent(desk, symbol, "nobody bought within the price cap", wait=False)
        case Unresolved(reason):
            log.warning("%s %s: sale %s is unresolved (%s)", desk.mode.value, symbol, intent.id, reason)
        case NotPlaced(code, text):
            await on_refusal(desk, intent, market, code, text)


async def book_exit(desk: Desk, intent: Intent, done: Filled, market: Market) -> None:
    """Book a sale once, write it, tell it."""
    executed = done.executed
    desk.count(intent, done, market)
    position = desk.positions.get(intent.symbol)
    if position is None or position.id != intent.position_id or intent.id in position.applied:
        trade = desk.trades.find(intent.id)
        words = tracker_words.sold_before(trade) if trade else tracker_words.stray_sale(intent, executed)
        desk.stage(None, intent.id, {**words, "key": intent.id})
        await desk.flush()
        return
    after, trade = book_sale(position, intent, executed, market)
    desk.decisions.sold(trade, intent.market_ms)
    desk.stage(trade, intent.id, {**tracker_words.sold(after, trade), "key": intent.id})
    if trade.closes:
        desk.drop(intent.symbol)
    else:
        desk.put(after)
        attempts = desk.attempts.setdefault(intent.symbol, Attempts())
        attempts.count = 0 if trade.reason.startswith("tp") else attempts.count + 1
    await desk.flush()


async def on_refusal(desk: Desk, intent: Intent, market: Market, code: str, text: str) -> None:
    """What a refused exit needs."""
    symbol = intent.symbol
    needed = Cure.RETRY if code in (FAILED, ABSENT) else cure(code)
    if needed is Cure.LIMIT_ORDER:
        attempts = desk.attempts.setdefault(symbol, Attempts())
        attempts.limit_only = True
        if intent.type is OrderType.MARKET:  # the next look sends a limit order at once
            return
    if needed is Cure.TOO_SMALL:
        await on_too_small(desk, intent, market)
        return
    if needed is Cure.CHECK_BALANCE and await shrink_to_balance(desk, symbol, market):
        return
    if needed is Cure.CHECK_MARKET:
        desk.doubts_markets = True
    not_sent(desk, symbol, text)


async def on_too_small(desk: Desk, intent: Intent, market: Market) -> None:
    """Rule 5 for a remainder; a slice joins the next one (A15)."""
    position = desk.positions.get(intent.symbol)
    if position is None:
        return
    if not intent.reason.startswith("tp"):
        await end_as(desk, position, "dust")
        return
    hit = max(position.tp_hit, int(intent.note["hit"]))
    last = hit >= len(position.tp_prices)
    desk.change(position.symbol, tp_hit=hit, sl_price=max(position.sl_price, Decimal(intent.note["stop"])),
                owed=Decimal(0) if last else min(intent.quantity or Decimal(0), position.quantity), trailing=last)
    await desk.flush()


async def shrink_to_balance(desk: Desk, symbol: str, market: Market) -> bool:
    """The exchange says that there is not enough: sell what is there (X25). True if the position was changed.

    A position whose coins are all gone is only marked: removing a record needs more than one look.
    """
    assert desk.account is not None
    try:
        balances = await desk.account.balances()
    except Unavailable as problem:  # X15: not known is not gone
        log.warning("%s: balances: %s", symbol, problem)
        return False
    position = desk.positions[symbol]
    balance = balances.get(market.base)
    there = balance.free if balance else Decimal(0)
    if there // market.step >= position.quantity // market.step:
        return False
    attempts = desk.attempts.setdefault(symbol, Attempts())
    if there < market.step:
        if attempts.count < ALERT_AFTER:
            return False
        desk.change(symbol, state="external")
        desk.say(**tracker_words.coins_gone(position), level="alert")
    else:
        desk.say(**tracker_words.coins_fewer(position, there), level="alert")
        desk.change(symbol, quantity=there, owed=min(position.owed, there))
    await desk.flush()
    return True


def not_sent(desk: Desk, symbol: str, why: str, wait: bool = True) -> None:
    """Count a failed attempt, wait a little longer each time (not for a healthy venue), tell after the third."""
    attempts = desk.attempts.setdefault(symbol, Attempts())
    attempts.count += 1
    attempts.not_before = time.monotonic() + min(0.1 * 2 ** min(attempts.count, 6), LONGEST_WAIT_S) if wait else 0.0
    log.warning("%s %s: exit attempt %d: %s", desk.mode.value, symbol, attempts.count, why)
    position = desk.positions.get(symbol)
    if attempts.count >= ALERT_AFTER and not attempts.told and position is not None and position.state == "closing":
        attempts.told = True
        desk.say(**tracker_words.exit_stuck(position, attempts.count, why), level="alert")


async def end_as(desk: Desk, position: Position, reason: str) -> None:
    """End a position that cannot be sold (rule 5)."""
    trade = write_off(position, reason, desk.house.market.clock.now_ms())
    desk.decisions.sold(trade, trade.market_ms)
    desk.stage(trade, words={**tracker_words.written_off(position, trade), "key": trade.id})
    desk.drop(position.symbol)
    await desk.flush()
