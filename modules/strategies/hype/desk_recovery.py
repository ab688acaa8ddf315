"""After a start or a doubt: what became of open orders, and whether books and account agree.

1. Every open intent is asked for (P10) and booked or closed; until then its symbol takes no other order.
2. Then books and account are compared (desk_reconcile), and again every few seconds.
3. Entries open only after both were done once (X16). Exits never wait for either.
"""

import logging

from modules.exchange.types import Market, Side, Unavailable
from modules.execution.executor import Unresolved
from modules.execution.journal import Entry
from modules.strategies.hype.desk import Desk
from modules.strategies.hype.desk_entry import after_entry
from modules.strategies.hype.desk_exit import after_exit
from modules.strategies.hype.desk_reconcile import Auditor

log = logging.getLogger(__name__)


async def check_in(desk: Desk, auditor: Auditor) -> bool:
    """Rules 1–3; True once entries are open."""
    if not await desk.ensure_account():
        return False
    try:
        markets = await desk.house.market.markets()
    except Unavailable as problem:
        if desk.closed:
            desk.closed = f"the exchange does not answer: {problem}"
        return not desk.closed
    if not desk.closed:
        auditor.begin(markets)
        return True
    waiting = sorted(desk.unresolved())
    if waiting:
        resolve_open(desk, markets)
        desk.closed = f"open orders are being looked up: {', '.join(waiting)}"
        return False
    await auditor.first(markets)
    return not desk.closed


def resolve_open(desk: Desk, markets: dict[str, Market]) -> None:
    """Start looking up every open intent that nobody is seeing through (rule 1)."""
    if desk.executor is None:
        return
    for entry in desk.open_entries():
        symbol, held = entry.intent.symbol, desk.positions.get(entry.intent.symbol)
        # A purchase that is guarded already and waits for its fills alone must not keep its exits waiting.
        name = f"{symbol} fills" if held is not None and held.id == entry.intent.id else symbol
        if name not in desk.busy and (name != symbol or symbol not in desk.busy):
            desk.run(name, resolve(desk, entry, markets.get(symbol)))


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
