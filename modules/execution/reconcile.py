"""Venue against ledger: pure functions ``(ledger view, venue view, sightings, now) → findings`` (X13–X21, X25).

1. Absent is never zero: an answer is a value or ``Missing``; an empty list of balances while coins are held is not
   believed (X15).
2. Order of truth: orders, then fills, then balances (X17). A fill that is ours by intent is counted; that is the only
   change made without a person, together with asking what became of an own order.
3. What is left of a difference after the own fills is the work of somebody else: explained by foreign fills it was a
   trade, otherwise a transfer. Coins noted as external are gone first; then our own are touched. A symbol whose fills
   were not asked for explains nothing: ``to_ask`` names them first.
4. What moved within ``recent_ms``, and coins of an order in flight, are left alone (X21).
5. A disagreement is confirmed at its second sighting, at least ``apart_ms`` after the first; one that is gone for a
   pass begins anew. Nothing at the venue is ever cancelled or traded from here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from modules.exchange.types import Balance, Fill, OrderState, Side
from modules.execution.findings import Change, ChangeKind, Code, Finding
from modules.execution.intents import PREFIX

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Missing:
    """No trustworthy answer to a query, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Own:
    """One of our intents. `order_id` once the venue told it; `open` until its result is booked."""

    client_id: str
    symbol: str
    side: Side
    market_ms: int
    open: bool
    accepted: bool = False
    order_id: str = ""


@dataclass(frozen=True, slots=True)
class Coins:
    """What we know of one asset. `ours` from the ledger; `external` what a person's coins were last noted as.

    `step` is the smallest quantity that counts; `touched_ms` our last order or fill; `symbols` the pairs it is traded
    in. `cash` says that it is what these pairs are paid with. Below zero, `external` are coins of ours that
    are known to have left by another door.
    """

    asset: str
    ours: Decimal
    step: Decimal
    external: Decimal = ZERO
    touched_ms: int = 0
    symbols: tuple[str, ...] = ()
    cash: bool = False


@dataclass(frozen=True, slots=True)
class LedgerView:
    """Our side. `known_fills` are those in the ledger, by `name_of`, and foreign ones that were explained before;
    `conflicts` what the ledger refused as such. `clock_slack_ms`: a fill older than our signature by more than this is
    not ours (X5); wide, as the executor's own, because ids are never used twice while clocks may jump by seconds.
    """

    coins: Mapping[str, Coins]
    intents: Mapping[str, Own]
    known_fills: frozenset[tuple[str, str]] = frozenset()
    conflicts: tuple[Fill, ...] = ()
    clock_slack_ms: int = 60_000


@dataclass(frozen=True, slots=True)
class VenueView:
    """The venue's side, each answer or why there is none. `fills` by symbol, `asked_ms` the market time of asking."""

    balances: Mapping[str, Balance] | Missing
    orders: Sequence[OrderState] | Missing
    fills: Mapping[str, Sequence[Fill] | Missing]
    asked_ms: int


@dataclass(frozen=True, slots=True)
class Patience:
    """Market milliseconds: what is younger than `recent_ms` is left alone; sightings at least `apart_ms` apart."""

    recent_ms: int = 5_000
    apart_ms: int = 2_000


@dataclass(frozen=True, slots=True)
class Sighting:
    first_ms: int
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Pass:
    """Findings of one pass, those of them to tell a person about now (once an episode), and the next sightings."""

    findings: tuple[Finding, ...]
    news: tuple[Finding, ...] = ()
    sightings: Mapping[str, Sighting] = field(default_factory=dict)

    @property
    def stops_entries(self) -> bool:
        """Whether something found forbids new entries."""
        return any(finding.stops_entries for finding in self.findings)


def reconcile(ledger: LedgerView, venue: VenueView, sightings: Mapping[str, Sighting], now_ms: int,
              patience: Patience = Patience()) -> Pass:
    """One pass over orders, fills and balances (rule 2). `now_ms` is market time."""
    found = [*_orders(ledger, venue, now_ms, patience), *_fills(ledger, venue, now_ms, patience),
             *_balances(ledger, venue, now_ms, patience)]
    kept: dict[str, Sighting] = {}
    out, news = [], []
    for finding in found:
        before = sightings.get(finding.key, Sighting(now_ms))
        confirmed = before.confirmed or finding.confirmed or now_ms - before.first_ms >= patience.apart_ms
        kept[finding.key] = Sighting(before.first_ms, confirmed)
        out.append(_with(finding, confirmed))
        if confirmed and not before.confirmed:
            news.append(out[-1])
    return Pass(tuple(out), tuple(news), kept)


def to_ask(ledger: LedgerView, balances: Mapping[str, Balance] | Missing, most: int = 10) -> list[str]:
    """Symbols whose fills would explain a difference, the largest number of pairs bounded per cycle (X21)."""
    if isinstance(balances, Missing) or not believable(ledger, balances):
        return []
    wanted = {symbol: None for coins in ledger.coins.values() if not coins.cash and _gap(coins, balances)
              for symbol in coins.symbols}
    wanted |= {own.symbol: None for own in ledger.intents.values() if own.open}
    return list(wanted)[:most]


def believable(ledger: LedgerView, balances: Mapping[str, Balance]) -> bool:
    """Whether an answer about balances can be right: numbers all through, and not empty while coins are held (X15)."""
    return not _impossible(balances) and not _empty(ledger, balances)


def _impossible(balances: Mapping[str, Balance]) -> list[str]:
    return [b.asset for b in balances.values()
            if not (b.free.is_finite() and b.locked.is_finite() and b.free >= 0 and b.locked >= 0)]


def _empty(ledger: LedgerView, balances: Mapping[str, Balance]) -> bool:
    return not balances and any(coins.ours + coins.external >= coins.step for coins in ledger.coins.values())


def _with(finding: Finding, confirmed: bool) -> Finding:
    """A doubt stops entries only once it is confirmed, but for a missing answer, which does so at once (X15, X16)."""
    at_once = finding.code in (Code.ANSWER_MISSING, Code.ANSWER_EMPTY, Code.ANSWER_INVALID)
    return msgspec.structs.replace(finding, confirmed=confirmed,
                                   stops_entries=finding.stops_entries and (confirmed or at_once))


def _orders(ledger: LedgerView, venue: VenueView, now_ms: int, patience: Patience) -> list[Finding]:
    if isinstance(venue.orders, Missing):
        return [_unanswered("open orders", venue.orders)]
    out = []
    live = {order.client_id: order for order in venue.orders if order.client_id}
    for order in venue.orders:
        if now_ms - order.created_ms < patience.recent_ms:
            continue  # rule 4
        own = ledger.intents.get(order.client_id)
        if own is None:
            out.append(_stranger(order))
        elif not own.open and not order.status.terminal:
            out.append(_about(Code.ORDER_STILL_OPEN, own, f"{order.client_id}", stops=True))
    for own in ledger.intents.values():
        quiet = now_ms - own.market_ms >= patience.recent_ms
        if own.open and own.accepted and quiet and own.client_id not in live:
            out.append(_about(Code.ORDER_MISSING, own, own.client_id))
    return out


def _stranger(order: OrderState) -> Finding:
    """An order of nobody here: by our prefix it is a second writer (X14), else somebody else's business (X13)."""
    twin = order.client_id.startswith(PREFIX)
    name = order.client_id or order.order_id
    return Finding(code=Code.SECOND_WRITER if twin else Code.UNKNOWN_ORDER, key=f"order:{order.symbol}:{name}",
                   subject=order.symbol, confirmed=False, stops_entries=twin,
                   detail=f"{order.side} {order.quantity} as {name}")


def _about(code: Code, own: Own, detail: str, stops: bool = False) -> Finding:
    change = Change(kind=ChangeKind.LOOK_UP_ORDER, symbol=own.symbol, ids=(own.client_id,), automatic=True)
    return Finding(code=code, key=f"{code}:{own.client_id}", subject=own.symbol, confirmed=False, stops_entries=stops,
                   detail=detail, change=change)


def _fills(ledger: LedgerView, venue: VenueView, now_ms: int, patience: Patience) -> list[Finding]:
    out = [Finding(code=Code.FILL_CONFLICT, key=f"conflict:{fill.symbol}:{fill.id}", subject=fill.symbol,
                   confirmed=True, stops_entries=True, detail=f"trade {fill.id}") for fill in ledger.conflicts]
    by_order = _by_order(ledger.intents.values())
    for symbol, answer in venue.fills.items():
        if isinstance(answer, Missing):
            out.append(_unanswered(f"trades of {symbol}", answer))
            continue
        new = [fill for fill in answer if name_of(fill) not in ledger.known_fills]
        mine = [fill for fill in new if _mine(fill, ledger, by_order)]
        if mine:
            ids = tuple(dict.fromkeys(fill.id for fill in mine))
            change = Change(kind=ChangeKind.COUNT_FILLS, symbol=symbol, ids=ids, automatic=True)
            out.append(Finding(code=Code.OWN_FILL_MISSING, key=f"fills:{symbol}", subject=symbol, confirmed=True,
                               detail=f"{len(ids)} trade(s)", change=change))
        twins = {fill.client_id for fill in new if fill not in mine and fill.client_id.startswith(PREFIX)
                 and now_ms - fill.market_ms >= patience.recent_ms}
        out += [Finding(code=Code.SECOND_WRITER, key=f"order:{symbol}:{name}", subject=symbol, confirmed=False,
                        stops_entries=True, detail=f"executed as {name}") for name in sorted(twins)]
    return out


def name_of(fill: Fill) -> tuple[str, str]:
    """What tells a fill from all others: its symbol, and its trade id with the side. A trade of the account with itself
    (a person buys what we sell) has one id for two fills, and one of them is ours.
    """
    return fill.symbol, f"{fill.id.partition(' ')[0]} {fill.side}"


def _by_order(intents: Iterable[Own]) -> dict[tuple[str, str], Own]:
    return {(own.symbol, own.order_id): own for own in intents if own.order_id}


def _mine(fill: Fill, ledger: LedgerView, by_order: Mapping[tuple[str, str], Own]) -> bool:
    """Whether an intent of ours proves the fill: by client id or order id, its side, and its time (X5)."""
    own = ledger.intents.get(fill.client_id) if fill.client_id else None
    own = own or by_order.get((fill.symbol, fill.order_id))
    if own is None or own.symbol != fill.symbol or own.side is not fill.side:
        return False
    return fill.market_ms >= own.market_ms - ledger.clock_slack_ms


def _balances(ledger: LedgerView, venue: VenueView, now_ms: int, patience: Patience) -> list[Finding]:
    if isinstance(venue.balances, Missing):
        return [_unanswered("balances", venue.balances)]
    bad = _impossible(venue.balances)
    if bad:
        return [Finding(code=Code.ANSWER_INVALID, key="invalid:balances", subject="balances", confirmed=False,
                        stops_entries=True, detail=", ".join(sorted(bad)))]
    if _empty(ledger, venue.balances):
        return [Finding(code=Code.ANSWER_EMPTY, key="empty:balances", subject="balances", confirmed=False,
                        stops_entries=True)]
    flying = {own.symbol for own in ledger.intents.values() if own.open}
    out = []
    for coins in ledger.coins.values():
        if now_ms - coins.touched_ms < patience.recent_ms or flying.intersection(coins.symbols):
            continue  # rule 4
        finding = _coin(coins, _total(venue.balances, coins.asset), ledger, venue)
        if finding is not None:
            out.append(finding)
    return out


def _total(balances: Mapping[str, Balance], asset: str) -> Decimal:
    """Free and locked. A full answer that does not list an asset says that there is none of it."""
    balance = balances.get(asset)
    return balance.free + balance.locked if balance is not None else ZERO


def _gap(coins: Coins, balances: Mapping[str, Balance]) -> Decimal:
    """How much more there is than we know of; zero within one step (X20)."""
    gap = _total(balances, coins.asset) - coins.ours - coins.external
    return gap if abs(gap) >= coins.step else ZERO


def _coin(coins: Coins, there: Decimal, ledger: LedgerView, venue: VenueView) -> Finding | None:
    """One asset (rule 3); None where it agrees within one step, or where own fills still have to be counted."""
    gap = there - coins.ours - coins.external
    if abs(gap) < coins.step:
        return None
    foreign = _foreign(coins, ledger, venue)
    if foreign is None:
        return None  # rule 2: own fills, or an answer about fills, come first
    traded = abs(foreign) >= coins.step and (foreign > 0) == (gap > 0)
    lost = ZERO if coins.cash else max(ZERO, coins.ours + min(ZERO, coins.external) - there)
    if lost:  # nothing external is left, and ours were touched
        change = Change(kind=ChangeKind.REDUCE_POSITION, asset=coins.asset, quantity=lost)
    else:
        change = Change(kind=ChangeKind.NOTE_EXTERNAL, asset=coins.asset, quantity=there - coins.ours)
    return Finding(code=_coin_code(coins, gap > 0, traded), key=f"coins:{coins.asset}", subject=coins.asset,
                   confirmed=False, stops_entries=lost >= coins.step, ours=coins.ours + coins.external, venue=there,
                   change=change)


def _coin_code(coins: Coins, more: bool, traded: bool) -> Code:
    if traded and coins.cash:
        return Code.CASH_BY_HAND
    if more:
        return Code.MANUAL_BUY if traded else Code.TRANSFER_IN
    return Code.MANUAL_SALE if traded else Code.TRANSFER_OUT


def _foreign(coins: Coins, ledger: LedgerView, venue: VenueView) -> Decimal | None:
    """What fills of others brought of this asset, fees aside; None while own fills are uncounted, or fills not told.

    Cash is explained by the fills that were asked for because of coins; it is not asked for by itself.
    """
    total = ZERO
    by_order = _by_order(ledger.intents.values())
    for symbol in coins.symbols:
        answer = venue.fills.get(symbol)
        if isinstance(answer, Missing) or (answer is None and not coins.cash):
            return None
        for fill in answer or ():
            if name_of(fill) in ledger.known_fills:
                continue
            if _mine(fill, ledger, by_order):
                return None
            flow = -fill.price * fill.quantity if coins.cash else fill.quantity
            total += flow if fill.side is Side.BUY else -flow
    return total


def _unanswered(subject: str, answer: Missing) -> Finding:
    return Finding(code=Code.ANSWER_MISSING, key=f"unanswered:{subject}", subject=subject, confirmed=False,
                   stops_entries=True, detail=answer.reason)
