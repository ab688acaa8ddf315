"""What time it is on the market, for reports ("today", "seven days"): never for a trading decision.

1. While a service knows (its heartbeat's ``market_ms`` moves), that.
2. On the simulated exchange, ``GET /sim/status``.
3. Else the newest record in our own files; on a real venue the calendar's time, which is the market's.
"""

import asyncio
import http.client
import json

from modules.exchange.types import Mode
from modules.supervision.service import read_beat
from modules.telegram.context import SIMULATOR, TRACKER, Context
from utils.wall import now_ms


async def market_now(context: Context) -> int:
    """Market time in milliseconds, as good as a report needs it."""
    if context.settings.exchange.name != "simulated":
        return now_ms()
    for name in (TRACKER, "scanner"):
        status = context.service(name)
        if status is not None and status.state == "ready" and isinstance(status.info.get("market_ms"), int):
            return int(status.info["market_ms"])
    told = await asyncio.to_thread(_ask_simulator, context)
    return told if told is not None else await context.read(lambda: _newest(context))


def _ask_simulator(context: Context) -> int | None:
    beat = read_beat(context.paths.run, SIMULATOR)
    port = beat.info.get("port") if beat else None
    if not isinstance(port, int):
        return None
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1.0)
    try:
        connection.request("GET", "/sim/status")
        told = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return int(told["market_ms"]) if isinstance(told, dict) and "market_ms" in told else None


def _newest(context: Context) -> int:
    found = [0]
    for mode in Mode:
        found += [trade.market_ms for trade in context.files(mode).trades.newest(1)]
        found += [record.market_ms for record in context.files(mode).activity.newest(1)]
    return max(found) or now_ms()
