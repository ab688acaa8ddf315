"""What users' platforms are told of a grid (E11): keys, nesting and types of the seed's section 6, values by E4. Pure.

`pnl` is a position's price move × lot in USDT, `pnlPercent` the move from entry (no leverage): BUY at the bid, SELL at
the ask, as exits see them. `totalPnL` is realised − fees + what is open. `gridLevel` 1–4: orders 1–5 are level 1.
An indicator that is not known yet is 0.0, as the seed has it; `lastTradeAt` is null before the first trade.
"""

import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from modules.strategies.grid.events import LimitHit
from modules.strategies.grid.ledger import Entry, LegLedger
from modules.strategies.grid.rules import BUY, SELL
from modules.strategies.grid.state import SessionState
from modules.strategies.grid.units import orders_of
from utils.wall import iso

if TYPE_CHECKING:
    from modules.strategies.grid.settings import GridSettings

STATUS, LIMIT = "status_update", "global_limit_hit"
_SIGNALS = {BUY: "BUY", SELL: "SELL"}
_SPACE = uuid.UUID("5f0c6a52-53f2-4a35-9d3e-7a6b1d1f1e08")
ZERO = Decimal(0)


class Runtime(msgspec.Struct, frozen=True):
    """Whose grid it is, and since when it runs. Times in market ms; `last_trade_ms` 0: none yet."""

    user_id: str
    bot_id: str
    started_ms: int
    now_ms: int
    last_trade_ms: int = 0
    order_ids: dict[str, str] = {}


def status_update(state: SessionState, settings: "GridSettings", run: Runtime) -> dict[str, Any]:
    """The body of `status_update`. `run.order_ids`: an entry's id at the venue, where it is known (else our own)."""
    return {"event": STATUS, "timestamp": iso(run.now_ms), "data": status_data(state, settings, run)}


def status_data(state: SessionState, settings: "GridSettings", run: Runtime) -> dict[str, Any]:
    """`data` of `status_update`; also what `GET …/status` answers."""
    quote = state.quote
    bid, ask = (quote.bid, quote.ask) if quote is not None else (ZERO, ZERO)
    buy, sell = _rows(state.buy, bid, run), _rows(state.sell, ask, run)
    buy_pnl, sell_pnl = _open_pnl(state.buy, bid), _open_pnl(state.sell, ask)
    realised = state.buy.realised + state.sell.realised - state.buy.fees - state.sell.fees
    signals = state.signals
    return {
        "userId": run.user_id, "userBotId": run.bot_id, "symbol": settings.trading_symbol,
        "currentPrice": _number((bid + ask) / 2),
        "indicators": {"sma": signals.average or 0.0, "sar": signals.sar[0] if signals.trend else 0.0,
                       "cci": signals.cci or 0.0, "signal": _SIGNALS.get(signals.signal, "NONE")},
        "balance": _number(state.balance or ZERO),
        "positions": {"buy": buy, "sell": sell, "buyCount": len(buy), "sellCount": len(sell),
                      "buyPnl": _number(buy_pnl), "sellPnl": _number(sell_pnl),
                      "totalPnl": _number(buy_pnl + sell_pnl)},
        "grid": {"multiplier": settings.multiplier, "spacePercent": settings.space_percent,
                 "maxBuyOrders": orders_of(settings), "maxSellOrders": orders_of(settings)},
        "profit": {"singleOrderProfit": settings.single_order_profit, "pairGlobalProfit": settings.pair_global_profit,
                   "globalProfit": settings.global_profit, "maxLoss": settings.max_loss},
        "performance": {
            "totalTrades": state.trades, "winningTrades": state.wins, "losingTrades": state.trades - state.wins,
            "winRate": round(100 * state.wins / state.trades, 2) if state.trades else 0.0,
            "totalPnL": _number(realised + buy_pnl + sell_pnl), "unrealizedPnL": _number(buy_pnl + sell_pnl)},
        "settings": {"leverage": settings.leverage, "timeframe": settings.timeframe, "baseLot": settings.base_lot,
                     "useSmaEntry": settings.use_sma_sar, "cciPeriod": settings.cci_period},
        "runtime": {"tick": state.tick, "uptime": max(0, run.now_ms - run.started_ms) // 1000,
                    "startedAt": iso(run.started_ms),
                    "lastTradeAt": iso(run.last_trade_ms) if run.last_trade_ms else None},
        "tick": state.tick,
    }


def global_limit_hit(hit: LimitHit, symbol: str, run: Runtime) -> dict[str, Any]:
    """The body of `global_limit_hit`."""
    what = "Daily profit target reached" if hit.limit_type == "PROFIT" else "Daily loss limit reached"
    sign = "-" if hit.total_pnl < 0 else ""
    return {"event": LIMIT, "timestamp": iso(run.now_ms), "data": {
        "userId": run.user_id, "userBotId": run.bot_id, "symbol": symbol, "totalPnl": _number(hit.total_pnl),
        "limitType": hit.limit_type, "limitValue": _number(hit.limit_value), "positionsClosed": hit.positions_closed,
        "message": f"{what}: {sign}${abs(hit.total_pnl):.2f}"}}


def status_uid(user_id: str, now_ms: int) -> str:
    """The id of a status update: that of its user and moment."""
    return str(uuid.uuid5(_SPACE, f"{STATUS}:{user_id}:{now_ms}"))


def limit_uid(user_id: str, hit: LimitHit, started_ms: int) -> str:
    """The id of a limit's hit: one a user, day and start, however often a restart tells it."""
    return str(uuid.uuid5(_SPACE, f"{LIMIT}:{user_id}:{hit.day}:{hit.limit_type}:{started_ms}"))


def _rows(ledger: LegLedger, price: Decimal, run: Runtime) -> list[dict[str, Any]]:
    return [{"price": _number(entry.price), "lot": _number(entry.quantity),
             "orderId": run.order_ids.get(entry.id, entry.id), "gridLevel": entry.level,
             "pnl": _number(_pnl(ledger.side, entry, price)),
             "pnlPercent": _percent(ledger.side, entry, price), "openedAt": iso(entry.opened_ms)}
            for entry in ledger.entries]


def _open_pnl(ledger: LegLedger, price: Decimal) -> Decimal:
    return sum((_pnl(ledger.side, entry, price) for entry in ledger.entries), ZERO)


def _pnl(side: int, entry: Entry, price: Decimal) -> Decimal:
    return side * (price * entry.quantity - entry.cost) if price else ZERO


def _percent(side: int, entry: Entry, price: Decimal) -> float:
    return round(float(side * (price / entry.price - 1) * 100), 4) if price else 0.0


def _number(value: Decimal) -> float:
    return float(round(value, 8))
