"""The questions that reconciliation asks of a desk's account, as few as explain what there is to explain (X17, X21)."""

import logging
from collections.abc import Awaitable, Iterator, Mapping
from typing import TypeVar

from modules.exchange.types import Balance, Denied, Fill, OrderState, Unavailable, Unknown
from modules.execution.journal import Entry
from modules.execution.reconcile import LedgerView, Missing, to_ask
from modules.strategies.hype.desk import SYSTEM, Desk
from modules.strategies.hype.desk_view import own_of

log = logging.getLogger(__name__)
T = TypeVar("T")

SLACK_MS = 60_000
INTENTS = 2_000
LOOK_UPS = 5
LOOKED_UP_KEPT = 500
SYMBOLS_A_PASS = 10
Fills = dict[str, list[Fill] | Missing]


def unknown_positions(desk: Desk) -> list[str]:
    """Held symbols of which the ledger knows no fill."""
    return [symbol for symbol in desk.positions if desk.books.ledger.holding(symbol) is None]


class Questions:
    """Fills and ended orders, asked of the account of one desk; it must be open."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._asked: Fills = {}
        self._looked_up: dict[str, None] = {}

    def entries(self) -> list[Entry]:
        """Our newest intents, and every open one."""
        return self.desk.house.journal.newest(SYSTEM, self.desk.mode.value, INTENTS)

    async def fills(self, view: LedgerView, balances: Mapping[str, Balance] | Missing) -> Fills:
        """Fills of the symbols that need explaining, bounded per pass (X21)."""
        desk, account = self.desk, self.desk.account
        assert account is not None
        wanted = dict.fromkeys([*unknown_positions(desk), *desk.books.pending.values(),
                                *to_ask(view, balances)])
        found: Fills = {}
        for symbol in list(wanted)[:SYMBOLS_A_PASS]:
            try:
                found[symbol] = list(await account.fills(symbol, self._since_ms(symbol)))
            except Denied as problem:  # e.g. a pair that is gone: it will not be told by asking again
                log.warning("%s: trades of %s: %s", desk.mode.value, symbol, problem)
            except Unavailable as problem:
                found[symbol] = Missing(str(problem))
        self._asked = found
        return found

    def _since_ms(self, symbol: str) -> int:
        """From when on fills matter: since the last one known, or since our first order that may have some."""
        ledger = self.desk.books.ledger
        slack = round(SLACK_MS * max(1.0, self.desk.house.market.clock.speed))
        waiting = [entry.intent.market_ms for entry in self.entries() if entry.intent.symbol == symbol
                   and (entry.open or entry.intent.id in self.desk.books.pending or entry.verdict == "absent"
                        or ledger.holding(symbol) is None)]
        known = ledger.since_ms(symbol)
        oldest = min([*waiting, *([known] if known else [])], default=self.desk.house.market.clock.now_ms())
        return max(1, oldest - slack, ledger.through_ms(symbol))

    async def ended(self) -> list[OrderState]:
        """Orders that ended since the last pass are looked up once more (X17)."""
        account = self.desk.account
        assert account is not None
        booked = [entry for entry in self.entries()[-4 * LOOK_UPS:] if entry.verdict == "booked"
                  and entry.intent.id not in self._looked_up][-LOOK_UPS:]
        states = []
        for entry in booked:
            intent = entry.intent
            found = await account.order(intent.symbol, intent.id)
            if isinstance(found, Unknown):
                continue
            self._looked_up[intent.id] = None
            if isinstance(found, OrderState):
                states.append(found)
                if entry.executed is not None and found.filled > entry.executed.quantity:
                    self.desk.books.owe(intent.id, intent.symbol)
        for old in list(self._looked_up)[:-LOOKED_UP_KEPT]:
            del self._looked_up[old]
        return states

    def told(self) -> Iterator[tuple[Fill, Entry | None]]:
        """The fills that were told in this pass, each with the entry whose order it belongs to, None for a stranger's.

        By client id or by the venue's order id: not every venue tells the first with a fill.
        """
        by_id, by_order = {}, {}
        for entry in self.entries():
            by_id[entry.intent.id] = entry
            order_id = own_of(entry).order_id
            if order_id:
                by_order[entry.intent.symbol, order_id] = entry
        for answer in self._asked.values():
            for fill in answer if not isinstance(answer, Missing) else ():
                yield fill, by_id.get(fill.client_id) or by_order.get((fill.symbol, fill.order_id))


async def answer(question: Awaitable[T]) -> T | Missing:
    """An answer, or why there is none (X15)."""
    try:
        return await question
    except Unavailable as problem:
        return Missing(str(problem))
