"""What a trade came to, from its fills and the account's income (X11, X12). Pure."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec

from modules.exchange.futures_types import Income
from modules.exchange.types import Fill, Side
from modules.strategies.scalper.records import ZERO, Trade

NEAR = Decimal("0.25")  # share of the distance between stop and target that still counts as either


def own(fills: Iterable[Fill], trade: Trade, slack_ms: int) -> list[Fill]:
    """The fills of the trade: on its leg, from its birth on."""
    return [fill for fill in fills if fill.symbol == trade.symbol and fill.market_ms >= trade.asked_ms - slack_ms
            and str(fill.position_side) == trade.position_side]


def folded(trade: Trade, fills: Sequence[Fill]) -> Trade:
    """The trade with entry, exit, quantity and fees of its fills."""
    opening = Side.BUY if trade.side > 0 else Side.SELL
    into, out = _sum(fills, opening, True), _sum(fills, opening, False)
    taken = [fill for fill in fills if fill.side is opening]
    return msgspec.structs.replace(
        trade, filled=into[0], entry=into[1] / into[0] if into[0] else trade.entry,
        exit=out[1] / out[0] if out[0] else trade.exit, fees=sum((fill.fee for fill in fills), ZERO),
        pnl=trade.side * (out[1] - into[1] * (out[0] / into[0])) if into[0] else ZERO,
        maker=bool(taken) and all(fill.maker for fill in taken))


def left(trade: Trade, fills: Sequence[Fill]) -> Decimal:
    """What is held yet by these fills; 0: flat."""
    opening = Side.BUY if trade.side > 0 else Side.SELL
    return _sum(fills, opening, True)[0] - _sum(fills, opening, False)[0]


def ended(trade: Trade, fills: Sequence[Fill], incomes: Iterable[Income], now_ms: int) -> Trade:
    """The trade at its end: result after fees and funding, and why it ended."""
    made = folded(trade, fills)
    funding = sum((one.amount for one in incomes if one.kind == "FUNDING_FEE" and one.symbol == trade.symbol
                   and trade.asked_ms <= one.market_ms <= now_ms), ZERO)
    closed_ms = max((fill.market_ms for fill in fills), default=now_ms)
    return msgspec.structs.replace(made, funding=funding, pnl=made.pnl - made.fees + funding, closed_ms=closed_ms,
                                   why=trade.closing or _level(made))


def _level(trade: Trade) -> str:
    """Which of the two levels ended it, by the exit's price; "venue": neither."""
    span = abs(trade.take - trade.stop) * NEAR
    if (trade.exit - trade.stop) * trade.side <= span:
        return "stop"
    return "target" if (trade.take - trade.exit) * trade.side <= span else "venue"


def _sum(fills: Iterable[Fill], opening: Side, into: bool) -> tuple[Decimal, Decimal]:
    """(quantity, quote) of what opened, or of what closed."""
    found = [fill for fill in fills if (fill.side is opening) is into]
    return sum((fill.quantity for fill in found), ZERO), sum((fill.quantity * fill.price for fill in found), ZERO)
