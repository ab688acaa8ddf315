"""The intent of an entry on futures, and the plan that such an intent carries with it."""

from decimal import Decimal

from modules.exchange.futures_types import FuturesMarket
from modules.exchange.types import Side
from modules.execution.futures.checklist import PerpAsk
from modules.execution.futures.guard import Identity
from modules.execution.futures.plan import ZERO, LegKey, Plan
from modules.execution.intents import FeeTerms, Intent, client_id
from modules.execution.journal import Journal


def entry_of(journal: Journal, who: Identity, now_ms: int, ask: PerpAsk, leg: LegKey, market: FuturesMarket | None,
             slot: str, cause: str = "", reason: str = "", rest_s: float = 0.0) -> Intent:
    """The order of an entry, not written yet. Stop and target travel in its note (`plan_of`)."""
    name = f"{leg.side}:{slot}"
    number = journal.next_generation(who.system, who.account, ask.symbol, "entry", name)
    base, quote, taker = (market.base, market.quote, market.taker_fee) if market else ("", "", ZERO)
    return Intent(
        id=client_id(who.system, who.account, ask.symbol, "entry", name, number), system=who.system,
        account=who.account, symbol=ask.symbol, leg="entry", slot=name, generation=number,
        side=Side.BUY if ask.long else Side.SELL, type=ask.type, quantity=ask.quantity, price=ask.price,
        reason=reason, cause=cause, market_ms=now_ms, fees=FeeTerms(base, quote, taker),
        position_side=leg.side, rest_s=rest_s, note={"stop": str(ask.stop), "take": str(ask.take or "")})


def plan_of(intent: Intent) -> Plan:
    """The plan that an entry was sent with. Raises KeyError for an intent without a stop in its note."""
    take = intent.note.get("take")
    return Plan(symbol=intent.symbol, side=intent.position_side, long=intent.side is Side.BUY,
                stop=Decimal(intent.note["stop"]), take=Decimal(take) if take else None,
                slot=intent.slot.removeprefix(f"{intent.position_side}:"), opened_ms=intent.market_ms)
