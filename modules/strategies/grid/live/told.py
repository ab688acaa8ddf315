"""Events of a host for its user's webhook: built from the state, queued in the same save (E11, X39)."""

from typing import TYPE_CHECKING

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


def status_event(host: "Host") -> Event:
    """How the grid stands."""
    run = runtime(host)
    return Event(status_uid(run.user_id, run.now_ms), STATUS, status_update(host.state, host.book.settings, run))
