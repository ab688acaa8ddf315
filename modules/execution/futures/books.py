"""The books of one futures account: fills folded by leg, money that moved besides, plans; one file, one writer.

1. A fill counts once (symbol, leg, trade id), whoever told of it first; each leg has its average-cost fold (X11, X19).
2. Money (X20): wallet = opening + Σ realised − Σ fees + Σ other income (funding, transfers, insurance), exactly but for
   the venue's rounding of each realised result to eight decimals.
3. Income is counted once by kind, id, time and amount: a list that once told a row under another symbol is not counted
   again when it tells the right one. Realised results and commissions are left out: fills tell those.
"""

import asyncio
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path

from modules.exchange.futures_types import FuturesMarket, Income, Position, Wallet
from modules.exchange.types import Fill, Mode, PositionSide
from modules.execution.crashpoints import crash_point, declare
from modules.execution.futures.plan import ZERO, Cash, FuturesState, LegKey, LegResult, Plan
from modules.execution.holding import Holding
from modules.execution.ledger import Ledger, Taken
from modules.storage.json_state import JsonFile

declare(__name__, "plan.written", "perp.books.written")

TRADES = frozenset({"REALIZED_PNL", "COMMISSION"})
OVERLAP_MS = 120_000  # rows are asked for again this far back: the venue writes some of them late
ROWS_KEPT = 2_000
FILLS_KEPT_MS = 3 * 86_400_000
MOST_FILLS = 4_000
ORDERS_KEPT = 5_000
RESULTS_KEPT = 200
TRANSFERS = frozenset({"TRANSFER", "INTERNAL_TRANSFER", "CROSS_COLLATERAL_TRANSFER", "COIN_SWAP_DEPOSIT",
                       "COIN_SWAP_WITHDRAW"})
ROUNDING = Decimal("1e-8")


class FuturesBooks:
    """What is held and meant, by our own counting. Not safe between threads."""

    def __init__(self, file: JsonFile[FuturesState], venue: str, account: str) -> None:
        self._file = file
        self._venue, self._account = venue, account
        self.ledgers = {side: Ledger(venue, account, signed=True) for side in PositionSide}
        self.plans: dict[LegKey, Plan] = {}
        self.cash: Cash | None = None
        self.external: dict[str, Decimal] = {}
        self.blocked: dict[str, str] = {}
        self.order_ids: dict[str, None] = {}
        self.nets: dict[str, Decimal] = {}
        self.read_ms: dict[str, int] = {}
        self.results: tuple[LegResult, ...] = ()
        self.conflicts: list[Fill] = []
        self.fills_counted = 0
        self._dirty = False
        self._saving = asyncio.Lock()

    def load(self) -> None:
        """Read what lies on disk. Raises StateError where it is damaged beyond its copy."""
        state = self._file.load()
        for side in PositionSide:
            if str(side) in state.ledgers:
                self.ledgers[side] = Ledger.restore(state.ledgers[str(side)], signed=True)
        self.plans = {LegKey.of(plan): plan for plan in state.plans.values()}
        self.cash, self.external, self.blocked = state.cash, dict(state.external), dict(state.blocked)
        self.order_ids = dict.fromkeys(state.order_ids)
        self.nets, self.results = dict(state.nets), state.results
        self.read_ms = dict(state.read_ms)

    async def plan(self, plan: Plan) -> None:
        """A plan, durable (rule 1 of `plan`). Raises OSError: then nothing may be opened by it."""
        before = self.plans.get(LegKey.of(plan))
        self.plans[LegKey.of(plan)] = plan
        self._dirty = True
        try:
            await self.flush()
        except OSError:
            if before is None:
                del self.plans[LegKey.of(plan)]
            else:
                self.plans[LegKey.of(plan)] = before
            raise
        crash_point("plan.written")

    def adopt(self, plan: Plan) -> None:
        """A plan made again from what is on disk already."""
        self.plans[LegKey.of(plan)] = plan
        self._dirty = True

    def drop(self, leg: LegKey) -> None:
        """The leg is flat and nothing is under way: what it brought is its result."""
        plan = self.plans.pop(leg, None)
        if plan is None:
            return
        self._dirty = True
        held = self.holding(leg)
        if held is None:
            return
        net = held.realised - held.fees
        brought = net - self.nets.get(str(leg), ZERO)
        self.nets[str(leg)] = net
        if brought:
            one = LegResult(id=f"{leg} {held.last_ms}", symbol=leg.symbol, side=leg.side, net=brought,
                            opened_ms=plan.opened_ms, closed_ms=held.last_ms)
            self.results = (*self.results, one)[-RESULTS_KEPT:]

    def block(self, leg: LegKey, why: str) -> None:
        """No entries on this leg until a person releases it."""
        if self.blocked.get(str(leg)) != why:
            self.blocked[str(leg)] = why
            self._dirty = True

    def release(self, leg: LegKey, held: Decimal | None = None) -> None:
        """A person has explained it; `held`: what the venue holds beyond our fills is theirs from now on."""
        self.blocked.pop(str(leg), None)
        if held is not None:
            self.external[str(leg)] = held - self.held(leg)
        self._dirty = True

    # -- fills ---------------------------------------------------------------------------------------------

    def take(self, fills: Iterable[Fill], markets: Mapping[str, FuturesMarket]) -> list[Fill]:
        """Count fills (rule 1); returns those that were new. One that another leg has stays there: told twice with
        different legs it is one trade, whose fee was paid once.
        """
        new = []
        for fill in fills:
            elsewhere = any(ledger.has(fill) for side, ledger in self.ledgers.items() if side is not fill.position_side)
            taken = Taken.CONFLICT if elsewhere else \
                self.ledgers[fill.position_side].take(fill, markets.get(fill.symbol))
            if taken is Taken.NEW:
                new.append(fill)
                self._dirty = True
            elif taken is Taken.CONFLICT and fill not in self.conflicts:
                self.conflicts.append(fill)
        self.fills_counted += len(new)
        return new

    def ours(self, order_ids: Iterable[str]) -> None:
        """Orders of ours, by the venue's ids."""
        for order_id in order_ids:
            if order_id and order_id not in self.order_ids:
                self.order_ids[order_id] = None
                self._dirty = True
        for old in list(self.order_ids)[:-ORDERS_KEPT]:
            del self.order_ids[old]

    def holding(self, leg: LegKey) -> Holding | None:
        """The fold of a leg's fills; None where there were none."""
        return self.ledgers[leg.side].holding(leg.symbol)

    def held(self, leg: LegKey) -> Decimal:
        """Signed quantity by our fills."""
        found = self.holding(leg)
        return found.quantity if found is not None else ZERO

    def expected(self, leg: LegKey) -> Decimal:
        """What the venue should hold: by fills, and what stood there before us."""
        return self.held(leg) + self.external.get(str(leg), ZERO)

    def since_ms(self, symbol: str) -> int:
        """From when fills of a symbol are to be asked for. Not from the newest one known: its order may have told that
        one, while older ones of others (a stop, a person) were never read.
        """
        return max(self.read_ms.get(symbol, 0) - OVERLAP_MS, self.cash.opening_ms if self.cash else 0)

    def was_read(self, lists: Mapping[str, Iterable[Fill]]) -> None:
        """The venue's fills of these symbols from `since_ms` on, after which books and account agree: only then is what
        lies before them never asked for again. The venue's times count, no clock of ours.
        """
        for symbol, fills in lists.items():
            newest = max((fill.market_ms for fill in fills), default=0)
            if newest > self.read_ms.get(symbol, 0):
                self.read_ms[symbol] = newest
                self._dirty = True

    def symbols(self) -> set[str]:
        """Every symbol with a plan, or with something held by our fills."""
        held = {symbol for ledger in self.ledgers.values() for symbol, one in ledger.holdings().items() if one.quantity}
        return held | {leg.symbol for leg in self.plans}

    def legs(self) -> set[LegKey]:
        """Every leg with something held by our fills."""
        return {LegKey(symbol, side) for side, ledger in self.ledgers.items()
                for symbol, one in ledger.holdings().items() if one.quantity}

    # -- money ---------------------------------------------------------------------------------------------

    def begin(self, wallet: Wallet, now_ms: int, positions: Iterable[Position]) -> None:
        """The opening: what is there now is not ours to explain."""
        self.cash = Cash(opening=wallet.balance, opening_ms=now_ms, through_ms=now_ms)
        self.external = {str(LegKey.of(one)): one.quantity for one in positions}
        self._dirty = True

    def earn(self, rows: Iterable[Income]) -> list[Income]:
        """Count income (rule 3); returns what was new."""
        if self.cash is None:
            return []
        known = {income_key(row) for row in self.cash.rows}
        told = {income_key(row): row for row in rows if row.kind not in TRADES and row.market_ms > self.cash.opening_ms}
        new = [row for key, row in told.items() if key not in known]
        if not new:
            return []
        other = dict(self.cash.other)
        for row in new:
            name = row.kind if row.asset == "USDT" else f"{row.kind} {row.asset}"
            other[name] = other.get(name, ZERO) + row.amount
        kept = (*self.cash.rows, *new)[-ROWS_KEPT:]
        self.cash = Cash(opening=self.cash.opening, opening_ms=self.cash.opening_ms, other=other, rows=kept,
                         through_ms=max(self.cash.through_ms, max(row.market_ms for row in new)))
        self._dirty = True
        return new

    def income_since_ms(self) -> int:
        """From when income is to be asked for."""
        return max(self.cash.through_ms - OVERLAP_MS, self.cash.opening_ms) if self.cash else 0

    def realised(self) -> Decimal:
        """Σ results of what was closed, by our average-cost folds."""
        return sum((one.realised for ledger in self.ledgers.values() for one in ledger.holdings().values()), ZERO)

    def fees(self) -> Decimal:
        """Σ commissions in USDT."""
        return sum((one.fees for ledger in self.ledgers.values() for one in ledger.holdings().values()), ZERO)

    def transferred(self) -> Decimal:
        """Σ of what persons moved in and out since the opening, USDT."""
        other = self.cash.other if self.cash is not None else {}
        return sum((amount for kind, amount in other.items() if kind in TRANSFERS), ZERO)

    def wallet(self) -> Decimal | None:
        """What the wallet should hold (rule 2)."""
        if self.cash is None:
            return None
        other = sum((amount for kind, amount in self.cash.other.items() if " " not in kind), ZERO)
        return self.cash.opening + self.realised() - self.fees() + other

    def rounding(self) -> Decimal:
        """By how much the venue's rounding of results may move `wallet`."""
        return ROUNDING * (self.fills_seen() + 1)

    def fills_seen(self) -> int:
        """Fills that are still kept one by one."""
        return max(self.fills_counted, sum(len(ledger.fills(symbol)) for ledger in self.ledgers.values()
                                           for symbol in ledger.holdings()))

    # -- disk ----------------------------------------------------------------------------------------------

    async def flush(self, now_ms: int = 0) -> None:
        """Write what changed. Raises OSError: it stays, and goes with the next write."""
        async with self._saving:
            if not self._dirty:
                return
            if now_ms and self.fills_seen() > MOST_FILLS:
                for ledger in self.ledgers.values():
                    ledger.shorten(now_ms - FILLS_KEPT_MS)
                self.fills_counted = 0
            state = FuturesState(
                plans={str(leg): plan for leg, plan in self.plans.items()}, cash=self.cash,
                ledgers={str(side): ledger.pages() for side, ledger in self.ledgers.items() if ledger.holdings()},
                external=dict(self.external), blocked=dict(self.blocked), order_ids=tuple(self.order_ids),
                nets=dict(self.nets), results=self.results, read_ms=dict(self.read_ms))
            self._dirty = False
            try:
                await asyncio.to_thread(self._file.save, state)
            except OSError:
                self._dirty = True
                raise
            crash_point("perp.books.written")


def income_key(row: Income) -> tuple[str, str, int, Decimal]:
    """What tells a row of income from all others (rule 3)."""
    return row.kind, row.id, row.market_ms, row.amount


def planned(folder: Path, system: str, mode: Mode) -> bool:
    """Whether a system's books of a mode know something that has to be guarded. Raises StateError, OSError."""
    return bool(books_file(folder, system, mode).load().plans)


def books_file(folder: Path, system: str, mode: Mode) -> JsonFile[FuturesState]:
    """Where a system's books of a mode lie, in the data folder."""
    prefix = "test_" if mode is Mode.TEST else ""
    return JsonFile(folder / f"{prefix}futures_{system}.json", FuturesState, FuturesState)
