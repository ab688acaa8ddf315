"""Buying: a proposal passes the limits, becomes one order with a price cap, and then a position.

1. A message leads to one order at most: its id is the intent's cause, looked up before anything else (X1).
2. The order is IOC with the worst price that the limits allow; its quantity is what the size buys in the book.
3. From the fill on the position is guarded, whatever the disk does (X7).
"""

import logging
import math
from dataclasses import dataclass
from decimal import Decimal

import msgspec

from modules.exchange.lanes import Lane, in_lane
from modules.exchange.types import Balance, Book, Market, OrderType, Side, Unavailable
from modules.execution.controls import Approved, Refusals, approve_entry
from modules.execution.executor import Filled, NothingFilled, NotPlaced, Result, Unresolved
from modules.execution.intents import FeeTerms, Intent, client_id
from modules.execution.limits import EntryCode, EntryRequest, World
from modules.execution.order_state import Executed
from modules.strategies.hype import tracker_words
from modules.strategies.hype.desk import SYSTEM, Desk
from modules.strategies.hype.positions import Units, buy_record, corrected, open_position
from modules.strategies.hype.records import Proposal
from modules.strategies.hype.sizing import exact, limits_of, trade_size
from modules.strategies.hype.trade_book import day_start

log = logging.getLogger(__name__)

BOOK_LEVELS = 50


@dataclass(frozen=True, slots=True)
class Entered:
    """The outcome of a proposal for logs and /status: a reason code and a sentence; `bought` where it led to coins.

    `every`: all that spoke against it, where more than one thing did.
    """

    bought: bool
    code: str
    text: str
    every: str = ""


@dataclass(frozen=True, slots=True)
class Funds:
    """The account's balances as asked at `asked_ms`; None where they could not be read (X15)."""

    balances: dict[str, Balance] | None
    asked_ms: int

    @property
    def known_ms(self) -> int | None:
        return None if self.balances is None else self.asked_ms

    def free(self, asset: str) -> Decimal | None:
        """An asset that a complete answer leaves out is zero."""
        if self.balances is None:
            return None
        return self.balances[asset].free if asset in self.balances else Decimal(0)

    def total(self, asset: str) -> Decimal | None:
        """Free and locked."""
        if self.balances is None:
            return None
        return self.balances[asset].free + self.balances[asset].locked if asset in self.balances else Decimal(0)


async def enter(desk: Desk, proposal: Proposal, cause: str, paused: str) -> Entered:
    """Carry out a proposal. Raises OSError when the intent cannot be written: nothing was sent then."""
    if desk.house.journal.of_cause(cause):  # rule 1
        return Entered(False, "DONE_BEFORE", "this message has led to an order already")
    if not await desk.ensure_account():
        return Entered(False, EntryCode.CLOSED.value, desk.closed)
    assert desk.executor is not None
    try:
        forbidden = await desk.may_enter(desk.account) if desk.account else desk.closed
        if forbidden:
            return Entered(False, EntryCode.CLOSED.value, forbidden)
        judged = await judge(desk, proposal, cause, paused)
    except Unavailable as problem:
        return Entered(False, EntryCode.CLOSED.value, str(problem))
    if isinstance(judged, Entered):
        return judged
    approved, market = judged
    return await after_entry(desk, approved.order, market, await desk.executor.execute(approved))


async def judge(desk: Desk, proposal: Proposal, cause: str, paused: str) -> tuple[Approved[Intent], Market] | Entered:
    """Ask the limits (A18, X10) about a proposal, with fresh figures. Raises Unavailable."""
    if not (math.isfinite(proposal.price) and proposal.price > 0):
        return Entered(False, EntryCode.UNITS.value, f"the proposal's price is {proposal.price}")
    market = await desk.market_of(proposal.symbol)
    if market is None:
        return Entered(False, EntryCode.NOT_LISTED.value, "the exchange does not list it")
    with in_lane(Lane.ENTRY):
        book = await desk.house.market.book(proposal.symbol, BOOK_LEVELS)
    if not book.asks or not book.bids:
        return Entered(False, EntryCode.SLIPPAGE.value, "the order book is empty on one side")
    asked_ms = desk.house.market.clock.now_ms()
    funds = Funds(await balances_of(desk), asked_ms)
    ask = request_of(desk, proposal, market, book, funds)
    intent = entry_intent(desk, market, ask, proposal, cause)
    settings, speed = desk.house.settings, desk.house.market.clock.speed
    seen, limits = world(desk, ask, market, funds, paused), limits_of(settings, speed)
    verdict = approve_entry(intent, ask, seen, limits)
    desk.decisions.judged(intent.id, proposal, ask, seen, limits, verdict)
    if isinstance(verdict, Refusals):
        return Entered(False, verdict.first.code.value, verdict.first.text, verdict.text())
    note_own_coins(desk, market, funds)
    return verdict, market


def request_of(desk: Desk, proposal: Proposal, market: Market, book: Book, funds: Funds) -> EntryRequest:
    """The order that the proposal would become: size, worst price and quantity in whole units (rule 2)."""
    settings, units = desk.house.settings, Units.of(market)
    size = trade_size(settings, (funds.free(market.quote) or Decimal(0)) + desk.worth(), proposal.size_factor)
    price = exact(proposal.price)
    cap = units.price(units.ticks(price * (1 + exact(settings.max_slippage_pct) / 100)))
    offered = affordable(book, size, cap)
    return EntryRequest(symbol=proposal.symbol, quote=size, price=price, proposed_ms=proposal.market_ms,
                        ask=book.asks[0][0], price_ms=book.market_ms, offered=offered,
                        quantity=units.quantity(units.steps(offered)), cap=cap, market=market)


def note_own_coins(desk: Desk, market: Market, funds: Funds) -> None:
    """What the account holds of a token before our first order of it is the person's own."""
    total, books = funds.total(market.base), desk.books
    if total is not None and market.base not in books.external and books.ledger.holding(market.symbol) is None:
        books.note(market.base, total)


async def balances_of(desk: Desk) -> dict[str, Balance] | None:
    """The account's balances; None where they are not known, which is not the same as none (X15)."""
    assert desk.account is not None
    try:
        return await desk.account.balances()
    except Unavailable as problem:
        log.warning("%s balances: %s", desk.mode.value, problem)
        return None


def world(desk: Desk, ask: EntryRequest, market: Market, funds: Funds, paused: str) -> World:
    """What the limits look at, now."""
    now_ms = desk.house.market.clock.now_ms()
    rest = desk.trades.rest(ask.symbol)
    coins = funds.total(market.base)
    assert desk.executor is not None
    return World(
        now_ms=now_ms, closed=desk.entries_closed, paused=paused, held=frozenset(desk.positions),
        unresolved=desk.unresolved(), exposure=desk.exposure(),
        entries_today=desk.trades.entries_on(day_start(now_ms)), free_quote=funds.free(market.quote),
        rests_until_ms=rest.until_ms, rests_why=rest.why, placing=desk.executor.placing,
        token_value=None if coins is None else coins * ask.ask, balance_ms=funds.known_ms,
        second_writer=desk.second_writer, doubted=desk.doubted,
    )


def entry_intent(desk: Desk, market: Market, ask: EntryRequest, proposal: Proposal, cause: str) -> Intent:
    """The order, as it is then checked."""
    symbol = proposal.symbol
    generation = desk.house.journal.next_generation(SYSTEM, desk.mode.value, symbol, "entry", cause)
    return Intent(
        id=client_id(SYSTEM, desk.mode.value, symbol, "entry", cause, generation), system=SYSTEM,
        account=desk.mode.value, symbol=symbol, leg="entry", slot=cause, generation=generation, side=Side.BUY,
        type=OrderType.IOC, quantity=ask.quantity, price=ask.cap, reason=f"hype {proposal.strategy.value}", cause=cause,
        market_ms=desk.house.market.clock.now_ms(), fees=FeeTerms(market.base, market.quote, market.taker_fee),
        note={"proposal": msgspec.json.encode(proposal).decode()},
    )


def affordable(book: Book, quote: Decimal, worst: Decimal) -> Decimal:
    """How many coins `quote` buys, walking the offers up to `worst`."""
    coins, left = Decimal(0), quote
    for price, quantity in book.asks:
        if price > worst or left <= 0:
            break
        taken = min(quantity, left / price)
        coins += taken
        left -= taken * price
    return coins


async def after_entry(desk: Desk, intent: Intent, market: Market, result: Result) -> Entered:
    """Book an entry, or say why there is none."""
    match result:
        case Filled(executed):
            await book_entry(desk, intent, result, market)
            return Entered(True, "BOUGHT", f"{executed.quantity.normalize():f} at {executed.price:.10g}")
        case NothingFilled():
            return Entered(False, EntryCode.SLIPPAGE.value, "the offer was gone before the order arrived")
        case NotPlaced(code, text):
            return Entered(False, f"VENUE_{code}", text)
        case Unresolved(reason, executed) if executed is not None:
            await hold(desk, intent, executed, market, reason)
            return Entered(True, "BOUGHT", f"{executed.quantity.normalize():f} at {executed.price:.10g}; {reason}")
        case Unresolved(reason):
            desk.say(f"It is not known whether {intent.symbol} was bought", level="alert", why=reason,
                     todo="I keep asking the exchange; nothing is ordered again.", key=f"unresolved-{intent.id}")
            return Entered(False, EntryCode.UNRESOLVED.value, reason)


async def hold(desk: Desk, intent: Intent, executed: Executed, market: Market, reason: str) -> None:
    """Guard a purchase by its order's own figures at once (rule 3). It is recorded, and made exact, with its fills."""
    if intent.symbol in desk.positions or desk.trades.closed(intent.id):
        return
    desk.books.owe(intent.id, intent.symbol)  # until then nobody can say how many coins an exit may sell at most
    proposal = msgspec.json.decode(intent.note["proposal"], type=Proposal)
    position = open_position(intent, executed, proposal, market, desk.mode, desk.house.rules)
    desk.decisions.opened(position, Units.of(market), desk.house.rules, executed, proposal)
    desk.put(position)
    desk.say(f"{intent.symbol}: bought and guarded, not on record yet", level="warning", why=reason,
             todo="Nothing: the trade is told when the exchange shows its fills.", key=f"provisional-{intent.id}")
    await desk.flush()


async def book_entry(desk: Desk, intent: Intent, done: Filled, market: Market) -> None:
    """Make the position once, write it, tell it (rule 3)."""
    executed = done.executed
    desk.count(intent, done, market)
    proposal = msgspec.json.decode(intent.note["proposal"], type=Proposal)
    if desk.trades.closed(intent.id):  # sold and closed before its fills were told, or before a crash took the mark
        sold = open_position(intent, executed, proposal, market, desk.mode, desk.house.rules)
        desk.stage(buy_record(sold, executed, intent.reason), intent.id)  # once: the history knows its id
        await desk.flush()
        return
    known = desk.positions.get(intent.symbol)
    if known is None:
        known = open_position(intent, executed, proposal, market, desk.mode, desk.house.rules)
        desk.decisions.opened(known, Units.of(market), desk.house.rules, executed, proposal)
        desk.put(known)
    elif known.id != intent.id:
        desk.say(f"{intent.symbol} was bought while it was held", level="alert",
                 why=f"{executed.quantity.normalize():f} coins of order {intent.id} belong to no position",
                 todo="Sell them on the exchange, or /resync.", key=f"stray-{intent.id}")
        desk.stage(None, intent.id)
        await desk.flush()
        return
    else:
        known = corrected(known, executed, intent.fees)
        desk.put(known)
    words = {**tracker_words.bought(known), "key": intent.id}
    desk.stage(buy_record(known, executed, intent.reason), intent.id, words)
    await desk.flush()
