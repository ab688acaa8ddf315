"""Buying: a proposal passes the limits, becomes one order with a price cap, and then a position.

1. A message leads to one order at most: its id is the intent's cause, looked up before anything else (X1).
2. The order is IOC with the worst price that the limits allow; its quantity is what the size buys in the book.
3. From the fill on the position is guarded, whatever the disk does (X7).
"""

import logging
from dataclasses import dataclass
from decimal import Decimal

import msgspec

from modules.exchange.lanes import Lane, in_lane
from modules.exchange.types import Balance, Book, Market, OrderType, Side, Unavailable
from modules.execution.executor import Filled, NothingFilled, NotPlaced, Result, Unresolved
from modules.execution.intents import FeeTerms, Intent, client_id
from modules.execution.limits import Approved, EntryCode, EntryRequest, RefusedEntry, World, check
from modules.execution.order_state import Executed
from modules.strategies.hype import tracker_words
from modules.strategies.hype.desk import SYSTEM, Desk
from modules.strategies.hype.positions import Units, UnitsError, buy_record, check_price, open_position
from modules.strategies.hype.records import Proposal
from modules.strategies.hype.sizing import exact, limits_of, trade_size
from modules.strategies.hype.trade_book import day_start

log = logging.getLogger(__name__)

BOOK_LEVELS = 50


@dataclass(frozen=True, slots=True)
class Entered:
    """The outcome of a proposal for logs and /status: a reason code and a sentence; `bought` where it led to coins."""

    bought: bool
    code: str
    text: str


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
        judged = await judge(desk, proposal, paused)
    except Unavailable as problem:
        return Entered(False, EntryCode.CLOSED.value, str(problem))
    if isinstance(judged, Entered):
        return judged
    approved, book = judged
    intent = entry_intent(desk, approved, book, proposal, cause)
    if intent is None:
        return Entered(False, EntryCode.SLIPPAGE.value, "too little is offered up to the worst price allowed")
    return await after_entry(desk, intent, approved.market, await desk.executor.execute(intent))


async def judge(desk: Desk, proposal: Proposal, paused: str) -> tuple[Approved, Book] | Entered:
    """Ask the limits (A18, X10) about a proposal, with fresh figures. Raises Unavailable."""
    market = await desk.market_of(proposal.symbol)
    if market is None:
        return Entered(False, EntryCode.NOT_LISTED.value, "the exchange does not list it")
    with in_lane(Lane.ENTRY):
        book = await desk.house.market.book(proposal.symbol, BOOK_LEVELS)
    if not book.asks or not book.bids:
        return Entered(False, EntryCode.SLIPPAGE.value, "the order book is empty on one side")
    balances = await balances_of(desk)
    free = None if balances is None else quote_free(balances, market.quote)
    size = trade_size(desk.house.settings, (free or Decimal(0)) + desk.worth(), proposal.size_factor)
    request = EntryRequest(symbol=proposal.symbol, quote=size, price=exact(proposal.price),
                           proposed_ms=proposal.market_ms, ask=book.asks[0][0], market=market)
    verdict = check(request, world(desk, proposal.symbol, free, paused), limits_of(desk.house.settings))
    if isinstance(verdict, RefusedEntry):
        return Entered(False, verdict.code.value, verdict.text)
    try:
        check_price(request.ask, Units.of(market))
    except UnitsError as problem:
        return Entered(False, "UNITS", str(problem))
    return verdict, book


async def balances_of(desk: Desk) -> dict[str, Balance] | None:
    """The account's balances; None where they are not known, which is not the same as none (X15)."""
    assert desk.account is not None
    try:
        return await desk.account.balances()
    except Unavailable as problem:
        log.warning("%s balances: %s", desk.mode.value, problem)
        return None


def quote_free(balances: dict[str, Balance], quote: str) -> Decimal:
    """Free quote; an asset that a complete answer leaves out is zero."""
    return balances[quote].free if quote in balances else Decimal(0)


def world(desk: Desk, symbol: str, free: Decimal | None, paused: str) -> World:
    """What the limits look at, now."""
    now_ms = desk.house.market.clock.now_ms()
    rest = desk.trades.rest(symbol)
    return World(
        now_ms=now_ms, closed=desk.entries_closed, paused=paused, held=frozenset(desk.positions),
        unresolved=desk.unresolved(), exposure=desk.exposure(),
        entries_today=desk.trades.entries_on(day_start(now_ms)), free_quote=free,
        rests_until_ms=rest.until_ms, rests_why=rest.why,
    )


def entry_intent(desk: Desk, approved: Approved, book: Book, proposal: Proposal, cause: str) -> Intent | None:
    """The order (rule 2); None where the book offers less than the venue's minimum up to the worst price."""
    market, symbol = approved.market, proposal.symbol
    units = Units.of(market)
    worst = units.price(units.ticks(approved.worst_price))
    quantity = units.quantity(units.steps(affordable(book, approved.request.quote, worst)))
    if quantity <= 0 or quantity * approved.request.ask < market.min_notional:
        return None
    generation = desk.house.journal.next_generation(SYSTEM, desk.mode.value, symbol, "entry", cause)
    return Intent(
        id=client_id(SYSTEM, desk.mode.value, symbol, "entry", cause, generation), system=SYSTEM,
        account=desk.mode.value, symbol=symbol, leg="entry", slot=cause, generation=generation, side=Side.BUY,
        type=OrderType.IOC, quantity=quantity, price=worst, reason=f"hype {proposal.strategy.value}", cause=cause,
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
            await book_entry(desk, intent, executed, market)
            return Entered(True, "BOUGHT", f"{executed.quantity.normalize():f} at {executed.price:.10g}")
        case NothingFilled():
            return Entered(False, EntryCode.SLIPPAGE.value, "the offer was gone before the order arrived")
        case NotPlaced(code, text):
            return Entered(False, f"VENUE_{code}", text)
        case Unresolved(reason):
            desk.say(f"It is not known whether {intent.symbol} was bought", level="alert", why=reason,
                     todo="I keep asking the exchange; nothing is ordered again.", key=f"unresolved-{intent.id}")
            return Entered(False, EntryCode.UNRESOLVED.value, reason)


async def book_entry(desk: Desk, intent: Intent, executed: Executed, market: Market) -> None:
    """Make the position once, write it, tell it (rule 3)."""
    if desk.trades.closed(intent.id):  # booked, sold and closed before a crash took the mark that says so
        desk.stage(None, intent.id)
        await desk.flush()
        return
    proposal = msgspec.json.decode(intent.note["proposal"], type=Proposal)
    known = desk.positions.get(intent.symbol)
    if known is None:
        known = open_position(intent, executed, proposal, market, desk.mode, desk.house.rules)
        desk.put(known)
    elif known.id != intent.id:
        desk.say(f"{intent.symbol} was bought while it was held", level="alert",
                 why=f"{executed.quantity.normalize():f} coins of order {intent.id} belong to no position",
                 todo="Sell them on the exchange, or /resync.", key=f"stray-{intent.id}")
        desk.stage(None, intent.id)
        await desk.flush()
        return
    words = {**tracker_words.bought(known), "key": intent.id}
    desk.stage(buy_record(known, executed, intent.reason), intent.id, words)
    await desk.flush()
