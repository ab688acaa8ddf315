"""Risk limits as a specification: what warns, what breaks, what lifts, and that exits are never concerned."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.exchange.types import Mode
from modules.execution.risk import Allowed, Blocked, may_enter, measures, step
from modules.execution.risk_settings import RiskSettings
from modules.execution.risk_state import (
    Broken,
    CancelEntries,
    Command,
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
    Moved,
    RiskState,
    Started,
    TradeClosed,
    Trading,
    Transferred,
    Unreadable,
    Warned,
    load_risk,
    risk_file,
)
from tests.execution.ledger_cases import D
from utils.paths import Paths

SETTINGS = RiskSettings(losing_streak=6)
DAY_MS = 86_400_000
# A Wednesday, noon.
NOON = int(datetime(2025, 4, 2, 12, tzinfo=UTC).timestamp() * 1000)


def run(state: RiskState, *events: Event, settings: RiskSettings = SETTINGS) -> tuple[RiskState, list[Decision]]:
    out: list[Decision] = []
    for event in events:
        state, more = step(state, event, settings)
        out += more
    return state, out


def equity(value: str | int, ms: int = NOON, exposure: str | int = 0) -> EquitySeen:
    return EquitySeen(ms, D(value), D(exposure))


def fresh(*events: Event) -> RiskState:
    """A state that trades: 1000 of equity, prices just seen."""
    return run(RiskState(scope="hype/TEST"), equity(1000), DataSeen(NOON, NOON), *events)[0]


def told(decisions: list[Decision]) -> list[tuple[str, Limit]]:
    return [(type(d).__name__, d.measure.limit if not isinstance(d, Lifted) else d.limit) for d in decisions
            if isinstance(d, (Warned, Broken, Lifted))]


def blocked(state: RiskState | Unreadable, ms: int = NOON) -> str:
    verdict = may_enter(state, ms, SETTINGS)
    return "; ".join(verdict.reasons) if isinstance(verdict, Blocked) else ""


def test_a_fresh_state_is_closed_until_equity_and_prices_are_known() -> None:  # X16
    state = RiskState(scope="hype/TEST")
    assert "equity is not known yet" in blocked(state) and "no market data yet" in blocked(state)
    assert may_enter(fresh(), NOON, SETTINGS) == Allowed()


def test_day_loss_warns_at_80_percent_breaks_once_and_lifts_at_midnight() -> None:
    state, seen = run(fresh(), equity(961), equity(959), equity(955), equity(950), equity(949), equity(951))
    assert told(seen) == [("Warned", Limit.DAY_LOSS), ("Broken", Limit.DAY_LOSS)]
    assert "DAY_LOSS" in blocked(state)
    midnight = NOON + DAY_MS // 2
    assert isinstance(seen[-1], Broken) and seen[-1].until_ms == midnight
    assert "DAY_LOSS" in blocked(state, midnight - 1)
    state, _ = run(state, DataSeen(midnight - 1, midnight - 1), equity(951, midnight - 1))
    after, seen = run(state, DataSeen(midnight, midnight), DataSeen(midnight + 1, midnight + 1),
                      equity(951, midnight + 2))
    assert told(seen) == [("Lifted", Limit.DAY_LOSS)]
    assert may_enter(after, midnight + 2, SETTINGS) == Allowed()
    assert (after.day, after.day_start) == ("2025-04-03", D(951))


def test_a_loss_while_nobody_looked_belongs_to_the_day_in_which_it_is_seen() -> None:
    _, seen = run(fresh(), equity(940, NOON + DAY_MS))
    assert ("Broken", Limit.DAY_LOSS) in told(seen)


def test_week_loss_lasts_until_monday() -> None:
    state, seen = run(fresh(), *(equity(1000 - 35 * day, NOON + day * DAY_MS) for day in range(1, 4)))
    assert ("Broken", Limit.WEEK_LOSS) in told(seen) and ("Broken", Limit.DAY_LOSS) not in told(seen)
    monday = int(datetime(2025, 4, 7, tzinfo=UTC).timestamp() * 1000)
    assert state.latched[Limit.WEEK_LOSS] == monday
    _, seen = run(state, equity(895, monday))
    assert told(seen) == [("Lifted", Limit.WEEK_LOSS)]


def test_drawdown_counts_from_the_highest_equity_ever_and_halts_until_a_person_accepts_it() -> None:  # X34
    wide = RiskSettings(day_loss_pct=0, week_loss_pct=0)
    state, seen = run(fresh(), equity(2000), equity(1000, NOON + 1), settings=wide)
    assert told(seen) == [("Broken", Limit.DRAWDOWN)]
    assert state.trading is Trading.HALTED and CancelEntries() in seen
    later = NOON + 90 * DAY_MS
    state, _ = run(state, equity(1900, later), DataSeen(later, later), settings=wide)
    state, seen = run(state, Commanded(later, Command.RESUME, "ann"), settings=wide)
    assert [type(d) for d in seen] == [Declined] and state.trading is Trading.HALTED
    state, seen = run(state, Commanded(later, Command.RESUME, "ann", accept_drawdown=True),
                      DataSeen(later, later), settings=wide)
    assert state.trading is Trading.ACTIVE and state.peak == D(1900)
    assert may_enter(state, later, wide) == Allowed()


def test_the_peak_survives_a_restart(tmp_path: Path) -> None:
    file = risk_file(Paths(tmp_path), "hype", Mode.TEST)
    file.save(fresh(equity(5000, NOON + 1)))
    again = load_risk(file, "hype/TEST")
    assert isinstance(again, RiskState) and again.peak == D(5000)
    _, seen = run(again, Started(NOON + 2), equity(3900, NOON + 3))
    assert ("Broken", Limit.DRAWDOWN) in told(seen)


def test_a_transfer_is_neither_gain_nor_loss() -> None:
    state, seen = run(fresh(), Transferred(NOON, D(-600)), equity(400, NOON + 1), Transferred(NOON + 2, D(5000)),
                      equity(5400, NOON + 3))
    assert seen == [] and state.peak == D(5400)
    assert all(seen.value == 0 for seen in measures(state, NOON + 3, SETTINGS) if "LOSS" in seen.limit)


def test_exposure_stops_entries_only_while_it_lasts_and_alerts_once_an_episode() -> None:
    state, seen = run(fresh(), equity(1000, NOON + 1, 410), equity(1000, NOON + 2, 500), equity(1000, NOON + 3, 490),
                      equity(1000, NOON + 4, 510))
    assert told(seen) == [("Warned", Limit.EXPOSURE), ("Broken", Limit.EXPOSURE)]
    assert "EXPOSURE" in blocked(state)
    state, seen = run(state, equity(1000, NOON + 5, 450))
    assert may_enter(state, NOON + 5, SETTINGS) == Allowed() and seen == []
    _, seen = run(state, equity(1000, NOON + 6, 290), equity(1000, NOON + 7, 420))
    assert told(seen) == [("Lifted", Limit.EXPOSURE), ("Warned", Limit.EXPOSURE)]


def test_a_losing_streak_rests_and_then_begins_anew() -> None:
    losses = [TradeClosed(NOON + i, f"t{i}", D(-1)) for i in range(6)]
    state, seen = run(fresh(), *losses[:4], *losses[:4])
    assert seen == [] and state.streak == 4  # each trade counts once
    state, seen = run(state, *losses[4:])
    assert told(seen) == [("Warned", Limit.LOSING_STREAK), ("Broken", Limit.LOSING_STREAK)]
    end = NOON + 5 + 14_400_000
    state, _ = run(state, DataSeen(end - 1, end - 1), equity(1000, end - 1))
    assert "LOSING_STREAK" in blocked(state, end - 1)
    state, seen = run(state, DataSeen(end, end))
    assert told(seen) == [("Lifted", Limit.LOSING_STREAK)] and state.streak == 0
    assert may_enter(state, end, SETTINGS) == Allowed()


@pytest.mark.parametrize(("pnl", "streak"), [("-1", 4), ("0", 3), ("1", 0)])
def test_a_gain_ends_a_streak_and_zero_leaves_it(pnl: str, streak: int) -> None:
    losses = [TradeClosed(NOON, f"t{i}", D(-1)) for i in range(3)]
    assert fresh(*losses, TradeClosed(NOON, "last", D(pnl))).streak == streak


def test_stale_prices_and_stale_equity_stop_entries_without_any_event() -> None:
    state = fresh()
    assert "STALE_DATA" in blocked(state, NOON + 30_000) and "STALE_EQUITY" not in blocked(state, NOON + 30_000)
    assert "STALE_EQUITY" in blocked(state, NOON + 300_000)
    _, seen = run(state, DataSeen(NOON + 31_000, NOON), DataSeen(NOON + 40_000, NOON), DataSeen(NOON + 41_000,
                                                                                               NOON + 41_000))
    assert told(seen) == [("Broken", Limit.STALE_DATA), ("Lifted", Limit.STALE_DATA)]


@pytest.mark.parametrize("name", ["day_loss_pct", "week_loss_pct", "drawdown_pct", "exposure_pct", "losing_streak"])
def test_zero_switches_a_limit_off(name: str) -> None:
    bad: list[Event] = [equity(100, NOON + 1, 99), *(TradeClosed(NOON, f"t{i}", D(-1)) for i in range(9))]
    limit = Limit(name.removesuffix("_pct").upper())
    assert limit in {seen for _, seen in told(run(fresh(), *bad)[1])}
    off = SETTINGS.model_copy(update={name: 0})
    assert limit not in {seen for _, seen in told(run(fresh(), *bad, settings=off)[1])}


@pytest.mark.parametrize("event", [
    equity("NaN"), equity("-1"), equity(1, exposure="-1"), equity(1, exposure="Infinity"), equity(1, ms=0),
    TradeClosed(NOON, "x", D("NaN")), Transferred(NOON, D("Infinity")), DataSeen(NOON, NOON + 61_000),
])
def test_what_cannot_be_is_declined_and_changes_nothing(event: Event) -> None:
    state = fresh()
    after, seen = run(state, event)
    assert after == state and [type(d) for d in seen] == [Declined]


def test_an_older_look_at_equity_changes_nothing() -> None:
    state = fresh(equity(1100, NOON + 10))
    assert run(state, equity(1, NOON + 9))[0] == state


def test_an_unreadable_state_refuses_entries_and_decides_nothing_else(tmp_path: Path) -> None:  # X35
    file = risk_file(Paths(tmp_path), "hype", Mode.LIVE)
    assert file.path.name == "risk_state.json"
    assert isinstance(load_risk(file, "hype/LIVE"), RiskState)  # never stored: a new one
    file.path.parent.mkdir(parents=True, exist_ok=True)
    file.path.write_text("{broken", encoding="utf-8")
    state = load_risk(file, "hype/LIVE")
    assert isinstance(state, Unreadable)
    assert "the risk state cannot be read" in blocked(state)


def test_a_pulled_kill_switch_blocks_whatever_the_trading_state_says() -> None:
    assert "kill switch" in blocked(msgspec.structs.replace(fresh(), killed=True))


def test_the_state_of_another_scope_is_not_used(tmp_path: Path) -> None:
    file = risk_file(Paths(tmp_path), "hype", Mode.LIVE)
    file.save(RiskState(scope="hype/TEST"))
    assert isinstance(load_risk(file, "hype/LIVE"), Unreadable)


# laws over any sequence of events

values = st.integers(1, 3000).map(D)
events = st.one_of(
    st.builds(lambda e, x: ("equity", e, x), values, st.integers(0, 3000).map(D)),
    st.builds(lambda age: ("data", age, 0), st.integers(0, 90_000)),
    st.builds(lambda i, pnl: ("trade", i, pnl), st.integers(0, 9), st.integers(-5, 5).map(D)),
    st.builds(lambda on: ("kill", on, 0), st.booleans()),
    st.builds(lambda c, accept: ("command", c, accept), st.sampled_from(list(Command)), st.booleans()),
    st.builds(lambda n: ("cleared", n, 0), st.sampled_from([None, 0, 2])),
    st.builds(lambda flat: ("flat", flat, 0), st.sampled_from([None, True, False])),
    st.just(("started", 0, 0)),
)


def build(ms: int, kind: str, one: object, two: object) -> Event:
    match kind:
        case "equity":
            return EquitySeen(ms, one, two)  # type: ignore[arg-type]
        case "data":
            return DataSeen(ms, ms - one)  # type: ignore[operator]
        case "trade":
            return TradeClosed(ms, f"t{one}", two)  # type: ignore[arg-type]
        case "kill":
            return KillSwitch(ms, bool(one))
        case "command":
            return Commanded(ms, one, "ann", accept_drawdown=bool(two))  # type: ignore[arg-type]
        case "cleared":
            return EntriesCleared(ms, one)  # type: ignore[arg-type]
        case "flat":
            return FlatSeen(ms, one)  # type: ignore[arg-type]
    return Started(ms)


@given(st.lists(st.tuples(events, st.integers(1, DAY_MS)), max_size=40))
def test_laws(script: list[tuple[tuple[str, object, object], int]]) -> None:
    state, ms = RiskState(scope="hype/TEST"), NOON
    warned: set[Limit] = set()
    for (kind, one, two), wait in script:
        ms += wait
        before, event = state, build(ms, kind, one, two)
        state, seen = step(state, event, SETTINGS)
        assert step(before, event, SETTINGS) == (state, seen)
        for decision in seen:
            if isinstance(decision, Warned):
                assert decision.measure.limit not in warned  # once an episode
        warned = set(state.episodes)
        if state.equity is not None:
            assert state.peak is not None and state.peak >= state.equity
        if state.trading is not Trading.ACTIVE or state.killed or state.latched:
            assert isinstance(may_enter(state, ms, SETTINGS), Blocked)
        if before.trading is not Trading.ACTIVE and state.trading is Trading.ACTIVE:
            assert isinstance(event, Commanded) and event.command is Command.RESUME  # nothing resumes by itself
        if before.trading is Trading.FLATTENING and state.trading is not Trading.FLATTENING:
            assert isinstance(event, (FlatSeen, Commanded))
        assert (before.trading is not state.trading) == any(isinstance(d, Moved) for d in seen)
        stored = msgspec.json.decode(msgspec.json.encode(state), type=RiskState)
        assert stored == state


def test_a_negative_settings_value_is_refused() -> None:
    with pytest.raises(ValueError, match="greater than or equal"):
        RiskSettings(day_loss_pct=-1)


def test_a_new_process_has_seen_nothing_yet_and_alarms_nobody() -> None:
    later = NOON + 3_600_000
    state, seen = run(fresh(), Started(later))
    assert seen == [] and "equity is not known yet" in blocked(state, later)
    assert "no market data" in blocked(state, later)
    state, seen = run(state, equity(1000, later))
    assert seen == [] and "no market data" in blocked(state, later)
    state, seen = run(state, DataSeen(later, later))
    assert seen == [] and may_enter(state, later, SETTINGS) == Allowed()
