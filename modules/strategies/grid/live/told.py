"""What a host tells: events for its user's webhook, queued in the same save (E11, X39), notices, facts for status."""

from typing import TYPE_CHECKING, Any

from modules.strategies.grid import events as ev
from modules.strategies.grid.store.records import Event
from modules.strategies.grid.webhooks import (
    LIMIT,
    STATUS,
    Runtime,
    global_limit_hit,
    limit_uid,
    status_uid,
    status_update,
)

if TYPE_CHECKING:
    from modules.strategies.grid.live.host import Host


def runtime(host: "Host") -> Runtime:
    """Whose grid it is, and since when it runs."""
    memory = host.memory
    return Runtime(host.session.user_id, host.session.bot_id, memory.started_ms, host.now_ms, memory.last_trade_ms,
                   {slot: order_id for order_id, slot in memory.orders.items()})


def limit_event(host: "Host", hit: ev.LimitHit) -> Event:
    """A daily limit was hit and everything is flat; never dropped."""
    run = runtime(host)
    return Event(limit_uid(run.user_id, hit, run.started_ms), LIMIT, global_limit_hit(hit, host.symbol, run))


def limit_notice(host: "Host", hit: ev.LimitHit) -> ev.Notice:
    """The same for people."""
    word = "profit target" if hit.limit_type == "PROFIT" else "loss limit"
    return ev.Notice(
        f"{host.symbol}: the daily {word} closed everything", f"Result of the day {hit.total_pnl:.2f} USDT, limit "
        f"{hit.limit_value} USDT, {hit.positions_closed} positions closed", "It trades again on the next UTC day",
        f"limit-{host.lease.user_id}-{hit.day}")


def facts(host: "Host") -> dict[str, Any]:
    """What is saved beside the state."""
    quote = host.state.quote
    return {"host": host.memory.packed(), "mode": host.mode_word, "problem": host.problem,
            "key_refused": host.key_refused, "worker": host.lease.holder,
            "bid": str(quote.bid) if quote else None, "ask": str(quote.ask) if quote else None,
            "quoted_ms": quote.made_ms if quote else None,
            "liquidation": {str(side): None if price is None else str(price)
                            for side, price in host.readings.liquidation.items()}}


def status_event(host: "Host") -> Event:
    """How the grid stands."""
    run = runtime(host)
    return Event(status_uid(run.user_id, run.now_ms), STATUS, status_update(host.state, host.book.settings, run))
