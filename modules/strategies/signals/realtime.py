"""Live signals to Redis, for programs on other machines (D14): what is open, and each entry and exit once.

1. ``coxswain:signals:open`` holds one JSON list of open signals and expires: silence means that the bot is gone.
2. ``coxswain:signals:events`` is a stream (the newest MOST); each also goes to the channel of that name. Event and
   its mark ``coxswain:signals:told:ID:TYPE`` are set in one step of Redis, so repeating it after a lost answer or a
   restart changes nothing.
3. A Redis that is away costs nothing but its readers: events wait in memory (MOST), nobody waits for it. History lies
   in SQL; Redis is never read to decide.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from modules.exchange.streams.backoff import Backoff
from modules.strategies.signals.follow import Rules, result
from modules.strategies.signals.records import Signal
from utils.environment import to_install

log = logging.getLogger(__name__)
PREFIX = "coxswain:signals"
EVERY_S, EXPIRES_S, MARK_S, MOST = 0.5, 30, 7 * 86_400, 10_000
ONCE = """
if redis.call('SET', KEYS[1], '1', 'NX', 'EX', ARGV[1]) then
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], '*', 'signal', ARGV[3])
  redis.call('PUBLISH', KEYS[2], ARGV[3])
  return 1
end
return 0
"""


def body_of(signal: Signal, event: str, rules: Rules) -> dict[str, Any]:
    """A signal as D9 has it. `event`: ENTRY or EXIT. Times are market ms."""
    follow = signal.follow
    net_r, net_pct = result(follow, rules) if follow.outcome else (None, None)
    return {
        "id": signal.id, "type": event, "symbol": signal.symbol, "direction": signal.direction,
        "priority": signal.sent_as, "judged": signal.priority, "timestamp": follow.begun_ms, "entry": follow.entry,
        "stop_loss": follow.stop, "tp1": follow.tp1, "tp2": follow.tp2, "quality": signal.quality,
        "imbalance": signal.imbalance, "large_trades": signal.large_trades, "intensity": signal.intensity,
        "confidence": signal.confidence, "size_pct": signal.size_pct, "risk_reward": signal.risk_reward,
        "hold_min": list(signal.hold_min), "expires_ms": follow.expires_ms, "stop_now": follow.stop_now,
        "last": follow.last_price, "outcome": follow.outcome or None, "closed_ms": follow.closed_ms or None,
        "net_r": net_r, "net_pct": net_pct}


class Realtime:
    """One connection; `run` until cancelled. `opened()`: signals that are open."""

    def __init__(self, url: str, rules: Rules, opened: Callable[[], Iterable[Signal]], prefix: str = PREFIX) -> None:
        self._url, self._rules, self._opened, self._prefix = url, rules, opened, prefix
        self._waiting: deque[tuple[str, str, bytes]] = deque(maxlen=MOST)
        self.away = False

    def told(self, signal: Signal, event: str) -> None:
        """A message about it lies in the outbox. With no Redis wanted nothing is kept."""
        if self._url:
            self._waiting.append((signal.id, event, msgspec.json.encode(body_of(signal, event, self._rules))))

    def begin_again(self) -> None:
        """After a restart entries may not have been told here: they are offered again."""
        for signal in self._opened():
            if signal.told and signal.sent_as:
                self.told(signal, "ENTRY")

    async def run(self) -> None:
        """Until cancelled; at once where none is wanted. Without the redis package an error is logged, once."""
        if not self._url:
            return
        try:
            from redis.asyncio import Redis
            from redis.exceptions import RedisError
        except ImportError:
            log.error("REDIS_URL is set, but the redis package is not installed (%s)",
                      to_install("requirements-sql.txt"))
            return
        redis: Redis = Redis.from_url(self._url, socket_timeout=2.0, socket_connect_timeout=2.0)
        backoff = Backoff(1.0, 30.0)
        try:
            while True:
                try:
                    await self._push(redis)
                    if self.away:
                        log.warning("Redis answers again and has the live signals")
                    self.away = False
                    backoff.real_frame()
                except (RedisError, OSError, TimeoutError) as problem:
                    if not self.away:
                        log.error("Redis does not take live signals (%s); the signal bot itself goes on",
                                  type(problem).__name__)
                    self.away = True
                    await asyncio.sleep(backoff.next_s())
                    continue
                await asyncio.sleep(EVERY_S)
        finally:
            await redis.aclose()

    async def _push(self, redis: Any) -> None:
        live = [body_of(one, "ENTRY", self._rules) for one in self._opened() if one.sent_as and not one.follow.outcome]
        await redis.set(f"{self._prefix}:open", msgspec.json.encode(live), ex=EXPIRES_S)
        while self._waiting:
            name, event, body = self._waiting[0]
            keys = (f"{self._prefix}:told:{name}:{event}", f"{self._prefix}:events")
            await redis.eval(ONCE, len(keys), *keys, MARK_S, MOST, body)
            self._waiting.popleft()
