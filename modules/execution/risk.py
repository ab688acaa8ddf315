"""The risk rules: ``step(state, event, settings) → (state, decisions)``; pure, time comes in the event (X34–X36).

1. Drawdown is the fall of equity (with unrealised result and fees) from the highest ever seen, which survives restarts.
   Day and week losses count from the last equity before the day or the week began.
2. Every limit warns at 80 % and alerts when broken, once an episode; an episode ends under `rearm_at_pct` (X34).
3. A broken limit stops entries, never exits (X35): day and week loss until the next begins, a losing streak for a rest,
   drawdown until a person accepts it; exposure and staleness for as long as they last.
4. Input that cannot be is declined and changes nothing.
5. ``may_enter`` is asked before every entry; an exit asks nobody.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from modules.execution import risk_commands as commands
from modules.execution.risk_settings import RiskSettings
from modules.execution.risk_state import (
    Broken,
    CancelEntries,
    Commanded,
    DataSeen,
    Decision,
    Declined,
    EntriesCleared,
    EquitySeen,
    Event,
    FlatSeen,
    KillSwitch,
    Lifted,
    Limit,
    Measure,
    Moved,
    RiskState,
    Started,
    TradeClosed,
    Trading,
    Transferred,
    Unreadable,
    Warned,
)

REMEMBERED = 500
_WARNED, _BROKEN = "warned", "broken"
_LATCHING = (Limit.DAY_LOSS, Limit.WEEK_LOSS, Limit.DRAWDOWN, Limit.LOSING_STREAK)

Step = tuple[RiskState, list[Decision]]


@dataclass(frozen=True, slots=True)
class Blocked:
    """Entries are refused; every reason is named."""

    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Allowed:
    """Nothing speaks against an entry."""


def may_enter(state: RiskState | Unreadable, now_ms: int, settings: RiskSettings) -> Allowed | Blocked:
    """Whether an entry may be sent now (rule 5)."""
    reasons = standing(state, now_ms)
    if isinstance(state, Unreadable):
        return Blocked(tuple(reasons))
    if state.equity is None or not state.equity_ms:
        reasons.append("equity is not known yet")
    if not state.data_ms:
        reasons.append("no market data yet")
    reasons += [f"{seen.limit}: {seen.value:.2f} of at most {seen.allowed:.2f} {seen.unit}"
                for seen in measures(state, now_ms, settings)
                if seen.value >= seen.allowed and seen.limit not in state.latched]
    return Blocked(tuple(reasons)) if reasons else Allowed()


def standing(state: RiskState | Unreadable, now_ms: int) -> list[str]:
    """What stops entries until a person or the calendar lifts it; what only a running process can tell is left out."""
    if isinstance(state, Unreadable):
        return [f"the risk state cannot be read: {state.reason}"]
    reasons = []
    if state.trading is not Trading.ACTIVE:
        reasons.append(f"{state.trading}: {state.reason}" if state.reason else str(state.trading))
    if state.killed:
        reasons.append("the kill switch is on")
    return reasons + [f"the limit {limit} is broken" for limit, until in sorted(state.latched.items())
                      if until == 0 or now_ms < until]


def measures(state: RiskState, now_ms: int, settings: RiskSettings) -> list[Measure]:
    """Every limit that is on and can be told now (rule 1)."""
    out: list[Measure] = []

    def add(limit: Limit, value: Decimal, allowed: float | Decimal, unit: str) -> None:
        bar = allowed if isinstance(allowed, Decimal) else Decimal(str(allowed))
        if bar > 0:
            out.append(Measure(limit, max(Decimal(0), value), bar, unit))

    if state.equity is not None:
        if state.day_start and state.day == _day(now_ms):  # yesterday's loss must not stop today
            add(Limit.DAY_LOSS, _fall_pct(state.day_start, state.equity), settings.day_loss_pct, "%")
        if state.week_start and state.week == _week(now_ms):
            add(Limit.WEEK_LOSS, _fall_pct(state.week_start, state.equity), settings.week_loss_pct, "%")
        if state.peak:
            add(Limit.DRAWDOWN, _fall_pct(state.peak, state.equity), settings.drawdown_pct, "%")
        share = state.exposure / state.equity * 100 if state.equity > 0 else Decimal(100)
        add(Limit.EXPOSURE, share if state.exposure else Decimal(0), settings.exposure_pct, "% of equity")
        if state.equity_ms:
            add(Limit.STALE_EQUITY, _seconds(now_ms - state.equity_ms), settings.equity_stale_s, "s")
    add(Limit.LOSING_STREAK, Decimal(state.streak), Decimal(settings.losing_streak), "losses in a row")
    if state.data_ms:
        add(Limit.STALE_DATA, _seconds(now_ms - state.data_ms), settings.data_stale_s, "s")
    return out


def step(state: RiskState, event: Event, settings: RiskSettings) -> Step:
    """The state after an event, and what is to be done because of it."""
    problem = _problem(event)
    if problem:
        return state, [Declined(problem)]  # rule 4
    state, decisions = _lift(state, event.ms)
    state, more = _take(state, event, settings)
    decisions += more
    state, more = _judge(state, event.ms, settings)
    return state, decisions + more


def _take(state: RiskState, event: Event, settings: RiskSettings) -> Step:
    match event:
        case EquitySeen():
            return _equity(state, event), []
        case DataSeen(_, data_ms):
            return replace(state, data_ms=max(state.data_ms, data_ms)), []
        case TradeClosed():
            return _trade(state, event), []
        case Transferred(_, amount):
            return _transfer(state, amount), []
        case KillSwitch():
            return commands.kill(state, event)
        case Commanded():
            return commands.command(state, event)
        case EntriesCleared():
            return commands.entries_cleared(state, event)
        case FlatSeen():
            return commands.flat_seen(state, event, round(1000 * settings.flat_apart_s))
        case Started():
            return commands.started(state)


def _equity(state: RiskState, event: EquitySeen) -> RiskState:
    """A look at equity; an older one than the last is left out. Days and weeks only go forward (rule 1)."""
    if event.ms < state.equity_ms:
        return state
    before = state.equity if state.equity is not None else event.equity
    day, week = _day(event.ms), _week(event.ms)
    changes: dict[str, Any] = {}
    if day > state.day:
        changes |= {"day": day, "day_start": before}
    if week > state.week:
        changes |= {"week": week, "week_start": before}
    peak = event.equity if state.peak is None else max(state.peak, event.equity)
    return replace(state, equity=event.equity, equity_ms=event.ms, exposure=event.exposure, peak=peak, **changes)


def _trade(state: RiskState, event: TradeClosed) -> RiskState:
    """A loss makes the streak longer, a gain ends it, zero leaves it; each trade counts once."""
    if event.id in state.counted:
        return state
    streak = state.streak + 1 if event.pnl < 0 else 0 if event.pnl > 0 else state.streak
    return replace(state, streak=streak, counted=(*state.counted, event.id)[-REMEMBERED:])


def _transfer(state: RiskState, amount: Decimal) -> RiskState:
    """What a person moves shifts equity and everything that it is compared with."""
    def moved(value: Decimal | None) -> Decimal | None:
        return None if value is None else max(Decimal(0), value + amount)
    return replace(state, equity=moved(state.equity), peak=moved(state.peak), day_start=moved(state.day_start),
                   week_start=moved(state.week_start))


def _lift(state: RiskState, ms: int) -> Step:
    """Limits whose time is over (rule 3)."""
    over = [limit for limit, until in state.latched.items() if until and ms >= until]
    if not over:
        return state, []
    latched = {limit: until for limit, until in state.latched.items() if limit not in over}
    episodes = {limit: word for limit, word in state.episodes.items() if limit not in over}
    streak = 0 if Limit.LOSING_STREAK in over else state.streak
    lifted: list[Decision] = [Lifted(limit) for limit in over]
    return replace(state, latched=latched, episodes=episodes, streak=streak), lifted


def _judge(state: RiskState, ms: int, settings: RiskSettings) -> Step:
    """Every limit against its value (rules 2, 3)."""
    decisions: list[Decision] = []
    episodes, latched = dict(state.episodes), dict(state.latched)
    for seen in measures(state, ms, settings):
        word = episodes.get(seen.limit, "")
        if seen.limit in latched:
            continue
        if seen.value >= seen.allowed:
            if seen.limit in _LATCHING:
                latched[seen.limit] = _until(seen.limit, ms, settings)
            if word != _BROKEN:
                episodes[seen.limit] = _BROKEN
                decisions.append(Broken(seen, latched.get(seen.limit, 0)))
        elif seen.used_pct >= Decimal(str(settings.warn_at_pct)):
            if not word:
                episodes[seen.limit] = _WARNED
                decisions.append(Warned(seen))
        elif word and seen.used_pct < Decimal(str(settings.rearm_at_pct)):
            del episodes[seen.limit]
            if word == _BROKEN:
                decisions.append(Lifted(seen.limit))
    state = replace(state, episodes=episodes, latched=latched)
    if Limit.DRAWDOWN in latched and state.trading in (Trading.ACTIVE, Trading.PAUSED):
        return _halt(state, ms, decisions)
    return state, decisions


def _halt(state: RiskState, ms: int, decisions: list[Decision]) -> Step:
    reason = "equity fell too far from its peak"
    moved = replace(state, trading=Trading.HALTED, reason=reason, by="risk", since_ms=ms)
    return moved, [*decisions, Moved(state.trading, Trading.HALTED, reason), CancelEntries()]


def _until(limit: Limit, ms: int, settings: RiskSettings) -> int:
    """When a broken limit lifts by itself; 0: a person must."""
    today = datetime.fromtimestamp(ms / 1000, UTC).date()
    if limit is Limit.DAY_LOSS:
        return _midnight_ms(today + timedelta(days=1))
    if limit is Limit.WEEK_LOSS:
        return _midnight_ms(today + timedelta(days=7 - today.weekday()))
    if limit is Limit.LOSING_STREAK:
        return ms + max(1, round(1000 * settings.streak_rest_s))
    return 0


def _problem(event: Event) -> str:
    """Why an event cannot be believed; empty if it can."""
    if event.ms <= 0:
        return f"an event at {event.ms} ms"
    figures: tuple[Decimal, ...] = ()
    if isinstance(event, EquitySeen):
        figures = (event.equity, event.exposure)
        if all(figure.is_finite() for figure in figures) and min(figures) < 0:
            return f"equity {event.equity}, exposure {event.exposure}: neither can be negative"
    elif isinstance(event, TradeClosed):
        figures = (event.pnl,)
    elif isinstance(event, Transferred):
        figures = (event.amount,)
    elif isinstance(event, DataSeen) and event.data_ms > event.ms + 60_000:
        return f"market data from the future ({event.data_ms - event.ms} ms ahead)"
    bad = [figure for figure in figures if not figure.is_finite()]
    return f"{type(event).__name__} with {bad[0]}" if bad else ""


def _fall_pct(start: Decimal, now: Decimal) -> Decimal:
    return (start - now) / start * 100


def _seconds(ms: int) -> Decimal:
    return Decimal(ms) / 1000


def _day(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).date().isoformat()


def _week(ms: int) -> str:
    year, week, _ = datetime.fromtimestamp(ms / 1000, UTC).isocalendar()
    return f"{year:04d}-W{week:02d}"


def _midnight_ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
