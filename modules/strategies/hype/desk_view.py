"""A desk as reconciliation sees it, and what /reconcile shows of it (X20). Pure but for reading the desk."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from modules.exchange.types import Balance, Market, OrderState
from modules.execution import invariants
from modules.execution.holding import ZERO, Holding
from modules.execution.invariants import Check, Guarded, Report, Row, Rule
from modules.execution.journal import Entry
from modules.execution.reconcile import Coins, LedgerView, Missing, Own, Pass
from modules.strategies.hype.desk import Desk
from modules.strategies.hype.desk_exit import GUARDED

QUOTE = "USDT"
# A venue rounds every amount of cash somewhere beyond the eighth digit; a cent is far above the sum of that.
CASH_STEP = Decimal("0.01")
SMALLEST = Decimal("1e-8")
LOOK_ALLOWED_MS = 5_000  # real milliseconds


def ledger_view(desk: Desk, entries: Sequence[Entry], markets: Mapping[str, Market]) -> LedgerView:
    """Our side, read at one instant."""
    books = desk.books
    touched: dict[str, int] = {}
    bases: dict[str, str] = {}  # of every pair that we sent an order for, whatever became of it
    for entry in entries:
        bases[entry.intent.symbol] = entry.intent.fees.base
        touched[entry.intent.symbol] = max(touched.get(entry.intent.symbol, 0), entry.intent.market_ms)
    coins: dict[str, Coins] = {}
    assets = books.ledger.assets()
    holdings = books.ledger.holdings()
    for symbol in {**bases, **holdings, **desk.positions}:
        holding, market = holdings.get(symbol), markets.get(symbol)
        base = holding.base if holding else market.base if market else bases.get(symbol, "")
        if base:
            last = max(touched.get(symbol, 0), holding.last_ms if holding else 0)
            coins[base] = Coins(base, assets.get(base, ZERO), market.step if market else SMALLEST,
                                books.external.get(base, ZERO), last, (symbol,))
    for asset, amount in assets.items():
        if asset not in coins and asset != QUOTE:  # a fee in a third coin
            last = max(touched.values(), default=0)
            coins[asset] = Coins(asset, amount, SMALLEST, books.external.get(asset, ZERO), last)
    pairs = tuple(symbol for one in coins.values() for symbol in one.symbols)
    latest = max([*touched.values(), *(one.touched_ms for one in coins.values())], default=0)
    cash = assets.get(QUOTE, ZERO)
    coins[QUOTE] = Coins(QUOTE, cash, CASH_STEP, books.external.get(QUOTE, ZERO), latest, pairs, cash=True)
    return LedgerView(coins, {entry.intent.id: own_of(entry) for entry in entries}, books.known(),
                      tuple(books.conflicts), round(60_000 * max(1.0, desk.house.market.clock.speed)))


def own_of(entry: Entry) -> Own:
    """One of our intents."""
    answer, executed, intent = entry.answer, entry.executed, entry.intent
    order_id = executed.order_id if executed else answer.order_id if answer else ""
    return Own(intent.id, intent.symbol, intent.side, intent.market_ms, entry.open,
               answer is not None and answer.phase == "accepted", order_id)


def total(balances: Mapping[str, Balance], asset: str) -> Decimal:
    """Free and locked; an asset that a complete answer leaves out is zero."""
    balance = balances.get(asset)
    return balance.free + balance.locked if balance else ZERO


def report_of(desk: Desk, view: LedgerView, passed: Pass, markets: Mapping[str, Market],
              balances: Mapping[str, Balance] | Missing, ended: Sequence[OrderState], held_ms: Mapping[str, int],
              now_ms: int, recent_ms: int) -> tuple[Report, dict[str, int]]:
    """What /reconcile shows, and when each invariant last held. Of what is in motion nothing is concluded (X21)."""
    flying = {own.symbol for own in view.intents.values() if own.open}
    still = [one for one in view.coins.values()
             if now_ms - one.touched_ms >= recent_ms and not flying.intersection(one.symbols)]
    there = {one.asset: None if isinstance(balances, Missing) else total(balances, one.asset)
             for one in view.coins.values()}
    checks = [invariants.quantity(one.asset, one.ours + one.external, there[one.asset], one.step) for one in still]
    checks += _positions(desk, markets, flying)
    if len(still) == len(view.coins):
        checks.append(_equity(desk, view, there))
    checks += invariants.remainders(ended, {symbol: market.step for symbol, market in markets.items()})
    allowed = round(max(desk.house.settings.stale_after_s * 1000, LOOK_ALLOWED_MS * desk.house.market.clock.speed))
    checks += invariants.protected([Guarded(symbol=symbol, looked_ms=position.last_seen_ms or position.opened_ms,
                                            exempt="" if position.state in GUARDED else position.state)
                                    for symbol, position in desk.positions.items()], now_ms, allowed)
    told, moments = invariants.last_held(checks, held_ms, now_ms)
    rows = tuple(Row(asset=one.asset, ours=one.ours, external=one.external, venue=there[one.asset])
                 for one in sorted(view.coins.values(), key=lambda one: (one.cash, one.asset))
                 if one.cash or one.ours or one.external or there[one.asset])
    report = Report(mode=desk.mode.value, market_ms=now_ms, rows=rows, findings=passed.findings, checks=tuple(told),
                    unresolved=len(desk.open_entries()))
    return report, {**held_ms, **moments}


def _positions(desk: Desk, markets: Mapping[str, Market], flying: set[str]) -> list[Check]:
    """Each position against the fold of its own fills: quantity within one step, average within 0.01 %."""
    checks = []
    for symbol, position in desk.positions.items():
        market, held = markets.get(symbol), desk.books.held(symbol)
        if symbol in flying or market is None or held is None:
            continue
        short = max(ZERO, position.quantity - held)  # more in the ledger is dust of earlier positions
        checks.append(Check(rule=Rule.QUANTITY, subject=f"position {symbol}", value=short, tolerance=market.step,
                            ok=short < market.step))
        checks.append(invariants.average(symbol, position.entry_price, _average(desk, symbol, position.id)))
    return checks


def _average(desk: Desk, symbol: str, entry_id: str) -> Decimal | None:
    """Average price of the fills that made a position; of the whole holding where they are folded already."""
    fills = [fill for fill in desk.books.ledger.fills(symbol) if fill.client_id == entry_id]
    quantity = sum((fill.quantity for fill in fills), ZERO)
    if quantity:
        return sum((fill.price * fill.quantity for fill in fills), ZERO) / quantity
    holding = desk.books.ledger.holding(symbol)
    return holding.average if holding else None


def _equity(desk: Desk, view: LedgerView, there: Mapping[str, Decimal | None]) -> Check:
    """X20: the result by the fills against what the account gained, person's coins and cash aside."""
    result = change = allowed = ZERO
    for symbol, holding in desk.books.ledger.holdings().items():
        mark, one = _mark(desk, symbol, holding), view.coins[holding.base]
        amount = there[holding.base]
        if amount is None:
            return invariants.equity(desk.mode.value, None, None, CASH_STEP)
        result += holding.net(mark)
        change += (amount - one.external + holding.surplus) * mark - holding.inflow
        allowed += one.step * mark
    cash = there[QUOTE]
    gained = None if cash is None else change + cash - view.coins[QUOTE].external
    return invariants.equity(desk.mode.value, result, gained, CASH_STEP + allowed)


def _mark(desk: Desk, symbol: str, holding: Holding) -> Decimal:
    """A price for both sides of the comparison; any will do that is near."""
    position = desk.positions.get(symbol)
    return (position.last_price if position else None) or holding.average or ZERO
