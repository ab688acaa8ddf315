"""Futures account against our books: fills, income, wallet, positions, orders of both families (X13–X22). One pass.

1. The wallet is read before and after fills and income: only where it did not move is anything compared.
2. A fill is counted whoever made it, because the position is the account's; one whose order is neither ours nor became
   of our conditional orders is told as somebody else's. A quantity that stays unexplained for two passes stops entries
   on that leg until a person releases it (X24).
3. A liquidation is booked by its fills and its income, told at once, and nothing is opened on those legs again before a
   person releases them.
4. An open order with our mark that no intent knows is a second writer: entries stop (X14).
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from decimal import Decimal

import msgspec

from modules.exchange.futures_types import Income, TriggerState, Wallet
from modules.exchange.types import Fill, OrderState, PositionSide
from modules.execution.futures.desk import FuturesDesk
from modules.execution.futures.legs import foreign_word
from modules.execution.futures.plan import ZERO, LegKey, Word
from modules.execution.intents import CONDITIONAL, PREFIX
from modules.execution.invariants import Check, Rule, average, equity, quantity
from modules.execution.journal import Entry
from modules.execution.order_state import in_leg

log = logging.getLogger(__name__)

LIQUIDATED = frozenset({"INSURANCE_CLEAR"})
TRIES = 3
LOOKED_UP = 6  # the newest conditional orders of each kind
BELIEVED = 3
_QUANTITY = "Compare with the exchange's page; entries of this leg are stopped until /release"
_MONEY = "Compare with the exchange's page: a transfer, a bonus, a trade by hand? Nothing is stopped by it"


class PerpReport(msgspec.Struct, frozen=True, kw_only=True):
    """One pass: the invariants, what was found, and how many orders' ends are not known."""

    market_ms: int
    checks: tuple[Check, ...]
    notes: tuple[str, ...] = ()
    unresolved: int = 0

    @property
    def clean(self) -> bool:
        """Whether everything could be checked and agrees."""
        return not self.notes and not self.unresolved and all(check.ok for check in self.checks)


class Reconciler:
    """Passes over one desk's account."""

    def __init__(self, desk: FuturesDesk, say: Callable[[Word], None]) -> None:
        """`agreed` becomes the newest wallet that fills and income explain."""
        self._desk, self._say = desk, say
        self._seen: dict[str, int] = {}
        self._one = asyncio.Lock()
        self._lists: dict[str, list[Fill]] = {}
        self._owed: set[str] = set()
        self.agreed: Decimal | None = None

    async def open(self, symbols: Iterable[str]) -> None:
        """The rest of the start (X16): everything is read and applied, then entries may go. Raises Unavailable."""
        desk = self._desk
        await desk.verify(list(symbols))
        if desk.books.cash is None:
            await self._begin()
        await self.pass_()
        desk.closed = ""

    async def _begin(self) -> None:
        """The opening of the books: at an instant at which the wallet stood still."""
        desk = self._desk
        for _ in range(TRIES):
            before = await desk.account.wallet()
            now_ms = desk.market.clock.now_ms()
            positions = await desk.account.positions()
            rows = await desk.account.incomes(now_ms - 1000)
            if (await desk.account.wallet()).balance == before.balance and not rows:
                break
        desk.books.begin(before, max([now_ms, *(row.market_ms for row in rows)]), positions)
        await desk.books.flush()

    async def pass_(self) -> PerpReport:
        """One pass. Raises Unavailable where the venue does not answer: then nothing is concluded (X15)."""
        async with self._one:
            desk = self._desk
            desk.resume()
            self._lists = {}
            wallet, still, notes = await self._read()
            orders, triggers = await asyncio.gather(desk.account.open_orders(), desk.account.open_triggers())
            notes += self._orders(orders, triggers)
            await desk.look()
            checks = self._checks(wallet if still else None)
            notes += self._unexplained(checks)
            if still and self._explained(checks):
                self.agreed = wallet.balance
                if not self._doubted(checks):
                    desk.books.was_read(self._lists)
                    self._owed.clear()
            now_ms = desk.market.clock.now_ms()
            await desk.books.flush(now_ms)
            open_ = desk.journal.open_entries(desk.who.system, desk.who.account)
            return PerpReport(market_ms=now_ms, checks=tuple(checks), notes=tuple(notes), unresolved=len(open_))

    async def _read(self) -> tuple[Wallet, bool, list[str]]:
        """Fills and income into the books; the wallet, and whether it stood still meanwhile (rule 1)."""
        desk, notes = self._desk, list[str]()
        for _ in range(TRIES):
            before = await desk.account.wallet()
            rows = await desk.account.incomes(desk.books.income_since_ms())
            notes += await self._fills(rows)
            notes += self._income(desk.books.earn(rows))
            after = await desk.account.wallet()
            if before.balance == after.balance:
                return after, True, notes
        return after, False, notes

    async def _fills(self, rows: Iterable[Income]) -> list[str]:
        desk = self._desk
        contracts = await desk.market.contracts()
        self._owed |= {row.symbol for row in rows if row.kind in ("REALIZED_PNL", "COMMISSION") and row.symbol}
        self._owed |= {leg.symbol for leg in desk.positions}  # one opened by hand may be held by no books yet
        if any(name.startswith("gap ") for name in self._seen):
            self._owed |= desk.books.read_ms.keys()
        under_way = {entry.intent.symbol for entry in desk.journal.open_entries(desk.who.system, desk.who.account)}
        symbols = sorted((desk.books.symbols() | self._owed | under_way) & contracts.keys())
        found = await asyncio.gather(*(desk.account.fills(one, desk.books.since_ms(one)) for one in symbols))
        new = desk.books.take([self._in_its_leg(fill) for fills in found for fill in fills], contracts)
        self._lists |= dict(zip(symbols, map(list, found), strict=True))
        return self._told_differently() + desk.strayed(new) + await self._foreign(new)

    def _in_its_leg(self, fill: Fill) -> Fill:
        entry = self._desk.journal.entries.get(fill.client_id)
        ours = entry is not None and entry.intent.symbol == fill.symbol
        return in_leg(fill, entry.intent.position_side) if entry is not None and ours else fill

    def _told_differently(self) -> list[str]:
        """A trade that is known with other figures: the first telling stands (X11), a person has to look."""
        notes = []
        for fill in self._desk.books.conflicts:
            text = f"{fill.symbol} {fill.position_side}: trade {fill.id} is told differently than before"
            notes.append(text)
            self._say(Word(f"conflict {fill.symbol} {fill.id}", text, "The exchange's lists contradict each other",
                           "Compare position and trades with the exchange's page"))
        self._desk.books.conflicts.clear()
        return notes

    async def _foreign(self, new: Iterable[Fill]) -> list[str]:
        """Rule 2."""
        desk = self._desk
        desk.books.ours(entry.answer.order_id for entry in desk.journal.entries.values()
                        if entry.answer is not None and entry.intent.leg in ("entry", "exit"))
        strange = [fill for fill in new if fill.order_id not in desk.books.order_ids]
        for leg in {LegKey(fill.symbol, fill.position_side) for fill in strange}:
            guards = [entry for entry in desk.journal.entries.values() if entry.verdict in ("", "standing")
                      and LegKey(entry.intent.symbol, entry.intent.position_side) == leg]
            for entry in [one for kind in CONDITIONAL for one in _of(kind, guards)[-LOOKED_UP:]]:
                state = await desk.account.trigger(leg.symbol, entry.intent.id)
                if isinstance(state, TriggerState) and state.order_id:
                    desk.books.ours([state.order_id])
        notes = []
        for fill in strange:
            if fill.order_id in desk.books.order_ids:
                continue
            text = f"{fill.symbol} {fill.position_side}: {fill.side} {fill.quantity} at {fill.price} was not ours"
            notes.append(text)
            leg = LegKey(fill.symbol, fill.position_side)
            self._say(foreign_word(fill, text, desk.books.plans.get(leg), desk.books.held(leg)))
        return notes

    def _income(self, new: Iterable[Income]) -> list[str]:
        """Rule 3, and transfers for the record."""
        desk, notes = self._desk, []
        for row in new:
            if row.kind in LIQUIDATED:
                legs = [leg for leg in desk.books.plans if leg.symbol == row.symbol]
                for leg in legs:
                    desk.books.block(leg, "it was liquidated")
                text = f"{row.symbol}: LIQUIDATED by the exchange, fee {-row.amount}"
                notes.append(text)
                self._say(Word(f"liquidated {row.symbol} {row.id}", text, "The margin was used up",
                               "Nothing is opened there again until you release it"))
            elif row.kind != "FUNDING_FEE":
                log.warning("money moved on the futures account: %s %s %s", row.kind, row.amount, row.asset)
        return notes

    def _orders(self, orders: Iterable[OrderState], triggers: Iterable[TriggerState]) -> list[str]:
        """Rule 4, and others' orders after two sightings (X13)."""
        desk, notes, now = self._desk, [], set()
        standing = [(one.client_id, one.symbol) for one in orders] + [(one.client_id, one.symbol) for one in triggers]
        for client_id, symbol in standing:
            if client_id in desk.journal.entries:
                continue
            now.add(client_id)
            if self._again(f"order {client_id}"):
                if client_id.startswith(PREFIX) and len(client_id) == 28:
                    desk.closed = "another copy of this program uses the account"
                    notes.append(f"{symbol}: an order with our mark that we did not send")
                    self._say(Word("second writer", f"{symbol}: an order with our mark that we did not send",
                                   "A second copy of this program uses the account", "Stop it, then restart this one"))
                else:
                    log.info("%s: an order that is not ours stands on the exchange", symbol)
        for name in [name for name in self._seen if name.startswith("order ") and name[6:] not in now]:
            del self._seen[name]
        return notes

    def _again(self, name: str) -> bool:
        """Whether this was seen in an earlier pass, too."""
        self._seen[name] = self._seen.get(name, 0) + 1
        return self._seen[name] >= 2

    def _checks(self, wallet: Wallet | None) -> list[Check]:
        desk, books = self._desk, self._desk.books
        checks = []
        external = {LegKey(*_parts(name)) for name, amount in books.external.items() if amount}
        for leg in sorted(books.legs() | desk.positions.keys() | external, key=str):
            held = desk.positions.get(leg)
            venue = held.quantity if held else ZERO
            step = desk.step(leg.symbol)
            checks.append(quantity(str(leg), books.expected(leg), venue, step))
            mine = books.holding(leg)
            if mine is not None and mine.quantity and held is not None and leg not in external:
                checks.append(average(str(leg), mine.average, held.entry))
        expected = books.wallet()
        checks.append(equity("wallet", expected, wallet.balance if wallet else None, books.rounding()))
        for leg in desk.books.plans:
            bare = leg in desk.bare_since or leg in desk.turned
            checks.append(Check(rule=Rule.PROTECTED, subject=str(leg), value=Decimal(int(bare)), tolerance=ZERO,
                                ok=not bare))
        return checks

    def _explained(self, checks: Iterable[Check]) -> bool:
        """Whether the wallet is what fills and income make it. A gap that lasts counts as what it is, too."""
        gaps = [f"gap {one.rule} {one.subject}" for one in checks if one.rule is Rule.EQUITY and one.ok is not True]
        return all(self._seen.get(name, 0) >= BELIEVED for name in gaps)

    def _doubted(self, checks: Iterable[Check]) -> bool:
        """Whether a quantity is not what fills make it, and not for long: a list may have left one out, so the next
        pass asks from as far back again."""
        return any(check.rule is Rule.QUANTITY and check.ok is False
                   and self._seen.get(f"gap {check.rule} {check.subject}", 0) < BELIEVED for check in checks)

    def _unexplained(self, checks: Iterable[Check]) -> list[str]:
        notes = []
        for check in checks:
            name = f"gap {check.rule} {check.subject}"
            if check.ok is not False or check.rule not in (Rule.QUANTITY, Rule.EQUITY):
                self._seen.pop(name, None)
            elif self._again(name):
                money = check.rule is Rule.EQUITY
                text = (f"{check.subject} of {self._desk.who.system}: books and exchange differ by "
                        f"{check.value}{' USDT' if money else ''}")
                notes.append(text)
                if not money:
                    self._desk.books.block(LegKey(*_parts(check.subject)), "its quantity is not explained by fills")
                self._say(Word(name, text, "Fills and income do not explain it", _MONEY if money else _QUANTITY))
        return notes


def _of(kind: str, entries: Iterable[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.intent.leg == kind]


def _parts(name: str) -> tuple[str, PositionSide]:
    symbol, _, side = name.partition(" ")
    return symbol, PositionSide(side)
