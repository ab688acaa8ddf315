"""After a start or a doubt: what became of open orders, and whether the coins are there.

1. Every open intent is asked for (P10) and booked or closed; until then its symbol takes no other order.
2. Held coins are compared with the account's balances. A query that fails proves nothing: the position stays (X15).
3. Entries open only after both were done once (X16). Exits never wait for either.
"""

import logging
from decimal import Decimal

from modules.exchange.types import Market, Side, Unavailable
from modules.execution.executor import Unresolved
from modules.execution.journal import Entry
from modules.strategies.hype import tracker_words
from modules.strategies.hype.desk import Desk
from modules.strategies.hype.desk_entry import after_entry
from modules.strategies.hype.desk_exit import after_exit
from modules.strategies.hype.positions import Units

log = logging.getLogger(__name__)


async def check_in(desk: Desk) -> bool:
    """Rules 1–3; True once entries are open."""
    if not desk.closed:
        return True
    if not await desk.ensure_account():
        return False
    try:
        markets = await desk.house.market.markets()
        waiting = sorted(desk.unresolved())
        if waiting:
            resolve_open(desk, markets)
            desk.closed = f"open orders are being looked up: {', '.join(waiting)}"
            return False
        await compare_with_balances(desk, markets)
    except Unavailable as problem:
        desk.closed = f"the exchange does not answer: {problem}"
        return False
    desk.closed = ""
    log.info("%s: checked against the exchange; %d positions", desk.mode.value, len(desk.positions))
    return True


def resolve_open(desk: Desk, markets: dict[str, Market]) -> None:
    """Start looking up every open intent that nobody is seeing through (rule 1)."""
    if desk.executor is None:
        return
    for entry in desk.open_entries():
        if entry.intent.symbol not in desk.busy:
            desk.run(entry.intent.symbol, resolve(desk, entry, markets.get(entry.intent.symbol)))


async def resolve(desk: Desk, entry: Entry, market: Market | None) -> None:
    """One open intent: ask, then book or close it."""
    assert desk.executor is not None
    result = await desk.executor.resume(entry)
    if isinstance(result, Unresolved):
        log.warning("%s %s: still unresolved: %s", desk.mode.value, entry.intent.symbol, result.reason)
        return
    if market is None:
        desk.say(f"{entry.intent.symbol}: an order has ended, but the pair is not listed any more", level="alert",
                 why=f"{entry.intent.side.value} {entry.intent.id}", todo="Check the account on the exchange.",
                 key=f"unlisted-{entry.intent.id}")
        return
    if entry.intent.side is Side.BUY:
        await after_entry(desk, entry.intent, market, result)
    else:
        await after_exit(desk, entry.intent, market, result)


async def compare_with_balances(desk: Desk, markets: dict[str, Market]) -> None:
    """Rule 2: fewer coins than tracked is told and the smaller number guarded; more is none of our business.

    Symbols with an order whose end is not booked are left alone. Raises Unavailable.
    """
    assert desk.account is not None
    if not desk.positions:
        return
    balances = await desk.account.balances()
    unresolved = desk.unresolved()
    for symbol, position in list(desk.positions.items()):
        market = markets.get(symbol)
        if market is None or symbol in unresolved or symbol in desk.busy or position.state == "external":
            continue
        balance = balances.get(market.base)
        there = balance.free + balance.locked if balance else Decimal(0)
        units = Units.of(market)
        if units.steps(there) >= units.steps(position.quantity):
            continue
        if units.steps(there) < 1:
            desk.say(**tracker_words.coins_gone(position), level="alert")
            desk.change(symbol, state="external")
        else:
            desk.say(**tracker_words.coins_fewer(position, there), level="alert")
            desk.change(symbol, quantity=there, owed=min(position.owed, there))
    await desk.flush()
