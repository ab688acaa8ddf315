"""The control group (D10): the same symbol, side and exits, from random times. A signal is worth what it beats.

Each signal plans `controls` trades at uniformly random market times within the next hours, with its own distances as
shares of the price then. Those whose symbol is not heard, or whose book is in doubt, wait for the next look and are
dropped an hour after their time.
"""

import random
import uuid
from collections.abc import Callable

from modules.exchange.orderbook.views import BookView
from modules.strategies.signals import rules
from modules.strategies.signals.records import Follow, Planned, Signal
from modules.strategies.signals.settings import SignalSettings

HOUR_MS = 3_600_000
PATIENCE_MS = HOUR_MS


def plan(signal: Signal, settings: SignalSettings, dice: random.Random) -> list[Planned]:
    """Controls of a signal."""
    follow = signal.follow
    risk = abs(follow.entry - follow.stop)
    return [Planned(of=follow.id, symbol=follow.symbol, sign=follow.sign, risk=risk / follow.entry,
                    due_ms=follow.begun_ms + int(dice.random() * settings.control_within_h * HOUR_MS),
                    tp1_r=abs(follow.tp1 - follow.entry) / risk, tp2_r=abs(follow.tp2 - follow.entry) / risk,
                    hold_ms=follow.expires_ms - follow.begun_ms, priority=signal.priority, quality=signal.quality)
            for _ in range(settings.controls)]


def begin(planned: Planned, book: BookView, last_id: int, now_ms: int, tick: float = 0.0) -> Signal:
    """The control trade that begins now: entered at the price that a taker gets, levels on the grid, as a signal's."""
    entry = float(book.asks[0, 0] if planned.sign > 0 else book.bids[0, 0])
    stop, tp1, tp2 = rules.levels_of(planned.sign, entry, planned.risk * entry, planned.tp1_r, planned.tp2_r, tick)
    follow = Follow(
        id=str(uuid.uuid4()), symbol=planned.symbol, sign=planned.sign, entry=entry, stop=stop, tp1=tp1, tp2=tp2,
        begun_ms=now_ms, expires_ms=now_ms + planned.hold_ms, stop_now=stop, last_id=last_id, last_price=entry)
    return Signal(follow=follow, kind="CTRL", of=planned.of, priority=planned.priority, quality=planned.quality,
                  imbalance=0.0, large_trades=0, intensity=0.0, confidence=0.0, size_pct=0.0,
                  risk_reward=planned.tp2_r, hold_min=(0, planned.hold_ms // 60_000), told=True, end_told=True)


def due(waiting: list[Planned], now_ms: int, start: Callable[[Planned], bool]) -> list[Planned]:
    """Start what is due; returns what waits on."""
    left = []
    for one in waiting:
        if one.due_ms > now_ms or (not start(one) and now_ms - one.due_ms < PATIENCE_MS):
            left.append(one)
    return left
