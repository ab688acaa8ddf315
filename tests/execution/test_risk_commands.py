"""PAUSE, DRAIN, FLATTEN, SHUTDOWN, the kill switch (X36): the table of moves, and the previews."""

import pytest

from modules.execution.risk import step
from modules.execution.risk_commands import MOVES, Exposed, preview
from modules.execution.risk_settings import RiskSettings
from modules.execution.risk_state import (
    CancelEntries,
    ClosePositions,
    Command,
    Commanded,
    Decision,
    Declined,
    EntriesCleared,
    Event,
    FlatSeen,
    KillSwitch,
    Moved,
    RiskState,
    Started,
    StopServices,
    Trading,
)
from tests.execution.ledger_cases import D

A, P, DR, F, H = Trading.ACTIVE, Trading.PAUSED, Trading.DRAINING, Trading.FLATTENING, Trading.HALTED


def run(state: RiskState, *events: Event) -> tuple[RiskState, list[Decision]]:
    out: list[Decision] = []
    for event in events:
        state, more = step(state, event, RiskSettings())
        out += more
    return state, out


def at(trading: Trading, **more: object) -> RiskState:
    return RiskState(scope="hype/TEST", trading=trading, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(("command", "moves"), [
    (Command.PAUSE, {A: P}),
    (Command.RESUME, {P: A, DR: A, H: A}),
    (Command.DRAIN, {A: DR, P: DR, F: DR}),
    (Command.FLATTEN, {A: F, P: F, DR: F, H: F}),
])
def test_the_table_of_moves(command: Command, moves: dict[Trading, Trading]) -> None:
    for old in Trading:
        state, seen = run(at(old), Commanded(5, command, "ann"))
        assert state.trading is moves.get(old, old), old
        assert any(isinstance(d, Declined) for d in seen) is (old not in moves)
        if old in moves:
            assert seen[0] == Moved(old, moves[old], state.reason)
            assert (CancelEntries() in seen) is (moves[old] in (DR, F))
            assert state.by == "ann" and (state.reason or moves[old] is A)


def test_shutdown_cancels_entries_ends_processes_and_leaves_the_trading_state() -> None:
    for old in Trading:
        state, seen = run(at(old), Commanded(5, Command.SHUTDOWN, "ann"))
        assert state.trading is old and seen == [CancelEntries(), StopServices()]


def test_flatten_cancels_entries_first_then_sells_then_confirms_flat_twice() -> None:
    state, seen = run(at(A), Commanded(1, Command.FLATTEN, "ann"))
    assert ClosePositions() not in seen
    state, seen = run(state, FlatSeen(2, True), FlatSeen(9_000, True))
    assert seen == [] and state.trading is F  # nothing counts before the entries are gone
    state, seen = run(state, EntriesCleared(9_001, None), EntriesCleared(9_002, 1))
    assert seen == [CancelEntries(), CancelEntries()]
    state, seen = run(state, EntriesCleared(9_003, 0))
    assert seen == [ClosePositions()]
    state, seen = run(state, FlatSeen(10_000, False), FlatSeen(11_000, True), FlatSeen(12_000, None),
                      FlatSeen(15_999, True))
    assert seen == [ClosePositions()] and state.trading is F
    state, seen = run(state, FlatSeen(16_000, True))
    assert seen == [Moved(F, H, "everything is sold; confirmed twice")]
    assert state.flat_since_ms == 0 and not state.closing


def test_a_flat_that_is_not_flat_any_more_counts_from_the_start() -> None:
    state, _ = run(at(F, closing=True), FlatSeen(1_000, True), FlatSeen(2_000, False), FlatSeen(3_000, True),
                   FlatSeen(7_999, True))
    assert state.trading is F
    assert run(state, FlatSeen(8_000, True))[0].trading is H


def test_a_drain_ends_paused_once_flat_and_sells_nothing_by_itself() -> None:
    state, seen = run(at(DR), FlatSeen(1_000, False), FlatSeen(2_000, True), FlatSeen(7_000, True))
    assert state.trading is P and seen == [Moved(DR, P, "all positions are closed")]


@pytest.mark.parametrize(("state", "expected"), [
    (at(F), [CancelEntries()]),
    (at(F, closing=True, flat_since_ms=5), [ClosePositions()]),
    (at(DR), [CancelEntries()]),
    (at(H), [CancelEntries()]),
    (at(A), []),
    (at(P), []),
])
def test_a_start_goes_on_where_a_crash_interrupted(state: RiskState, expected: list[Decision]) -> None:
    after, seen = run(state, Started(9))
    assert seen == expected and after.flat_since_ms == 0


@pytest.mark.parametrize(("old", "new"), [(A, H), (P, H), (DR, H), (F, F), (H, H)])
def test_the_kill_switch_halts_but_never_interrupts_a_flatten(old: Trading, new: Trading) -> None:
    state, seen = run(at(old), KillSwitch(5, True, "file KILL found"), KillSwitch(6, True))
    assert state.trading is new and state.killed
    assert len([d for d in seen if isinstance(d, Moved)]) == (old is not new)


def test_nothing_resumes_while_the_kill_switch_is_on_nor_when_it_goes_off() -> None:
    state, seen = run(at(A), KillSwitch(5, True), Commanded(6, Command.RESUME, "ann"))
    assert isinstance(seen[-1], Declined) and "kill switch" in seen[-1].reason
    state, seen = run(state, KillSwitch(7, False))
    assert state.trading is H and seen == []
    assert run(state, Commanded(8, Command.RESUME, "ann"))[0].trading is A


def test_every_command_is_in_the_table() -> None:
    assert set(MOVES) == set(Command)


PEPE = Exposed("PEPEUSDT", D("1000.50"), D("0.02"), D("0.001"))
DUST = Exposed("DUSTUSDT", D("3"), None, D("0.001"), sellable=False)


def test_a_flatten_previews_the_exact_exposure() -> None:
    seen = preview(at(A), Command.FLATTEN, "LIVE", [PEPE, DUST], 2)
    assert seen.value == D("1000.50") * D("0.02") * D("0.999")
    assert seen.unpriced == ("DUSTUSDT",)
    assert seen.lines() == [
        "[LIVE] FLATTEN sells everything of this mode",
        "Cancels 2 waiting entries",
        "Sells PEPEUSDT 1000.5: ≈ 19.99 USDT",
        "Cannot sell DUSTUSDT 3 now (no price now)",
        "2 position(s) worth ≈ 19.99 USDT after fees; without DUSTUSDT, which has no price now",
    ]


def test_a_shutdown_names_what_stays_unguarded() -> None:
    kept = Exposed("SAFEUSDT", D(1), D(10), D(0), at_venue=True)
    seen = preview(at(A), Command.SHUTDOWN, "LIVE", [PEPE, kept], 0).lines()
    assert seen[-1] == "UNGUARDED until the next start, no stop rests on the exchange: PEPEUSDT"
    assert "UNGUARDED" not in " ".join(preview(at(A), Command.SHUTDOWN, "LIVE", [kept], 0).lines())


@pytest.mark.parametrize("command", list(Command))
def test_every_preview_tells_mode_command_and_exposure(command: Command) -> None:
    state = at(P if command is Command.RESUME else A)
    lines = preview(state, command, "TEST", [PEPE], 0).lines()
    assert lines[0].startswith(f"[TEST] {command}")
    assert any("1 position(s) worth ≈ 19.99 USDT" in line for line in lines)
    assert preview(state, command, "TEST", [], 0).lines()[-1] == "No positions are open"


def test_a_preview_says_what_is_not_possible_and_why() -> None:
    assert preview(at(F), Command.RESUME, "TEST", [], 0).lines() == [
        "[TEST] RESUME is not possible: everything is being sold; DRAIN ends that, then RESUME"]
    assert preview(at(H), Command.PAUSE, "TEST", [], 0).refused == "it is HALTED already, which is stricter"
    assert preview(at(P), Command.PAUSE, "TEST", [], 0).refused == "it is PAUSED already"
