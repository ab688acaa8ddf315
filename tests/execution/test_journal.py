"""The intents journal X1, X2, P10."""

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modules.exchange.types import Fill, OrderType, Side
from modules.execution import journal as journal_module
from modules.execution.intents import FeeTerms, Intent, Leg, client_id
from modules.execution.journal import Journal, JournalError, read_journal
from modules.execution.order_state import Executed
from modules.storage import damage

FEES = FeeTerms("AAA", "USDT", Decimal("0.001"))
FILL = Fill("x", "AAAUSDT", "7", "", Side.SELL, Decimal("1.2"), Decimal(5), Decimal("0.1"), "USDT", 2_000)
EXECUTED = Executed(order_id="7", quantity=Decimal(5), quote=Decimal(6), fee_usdt=Decimal("0.1"), fill_ids=("x",),
                    market_ms=2_000)


def intent(slot: str = "s", generation: int = 0, *, symbol: str = "AAAUSDT", account: str = "TEST", cause: str = "",
           leg: Leg = "exit") -> Intent:
    return Intent(id=client_id("hype", account, symbol, leg, slot, generation), system="hype", account=account,
                  symbol=symbol, leg=leg, slot=slot, generation=generation, side=Side.SELL, type=OrderType.MARKET,
                  quantity=Decimal(5), reason="stop", cause=cause, position_id=slot, market_ms=1_000, fees=FEES)


def loaded(path: Path) -> Journal:
    journal = Journal(path)
    journal.load()
    return journal


def test_an_intent_and_all_that_became_of_it_survive(tmp_path):
    path = tmp_path / "intents.jsonl"
    journal = loaded(path)
    journal.open(intent("a", cause="message"))
    journal.open(intent("b"))
    journal.answer(intent("a").id, "accepted", order_id="7")
    journal.settle(intent("a").id, EXECUTED, [FILL])
    journal.close(intent("b").id, "refused")
    again = loaded(path)
    assert [entry.intent for entry in again.open_entries("hype", "TEST")] == [intent("a", cause="message")]
    entry = again.open_entries("hype", "TEST")[0]
    assert entry.executed is not None and entry.executed.price == Decimal("1.2") and entry.fills == (FILL,)
    assert entry.answer is not None and entry.answer.order_id == "7"
    assert [found.intent.slot for found in again.of_cause("message")] == ["a"]
    assert again.of_cause("") == []


def test_an_intent_is_flushed_to_the_disk_itself(tmp_path, monkeypatch):
    flushed: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: flushed.append(handle))
    journal = loaded(tmp_path / "j")
    journal.open(intent("a"))
    assert len(flushed) == 1
    journal.answer(intent("a").id, "accepted")
    assert len(flushed) == 1  # what follows can be asked of the venue again


def test_accounts_do_not_see_each_others_open_intents(tmp_path):
    journal = loaded(tmp_path / "j")
    journal.open(intent(account="LIVE"))
    assert journal.open_entries("hype", "TEST") == []
    assert len(journal.open_entries("hype", "LIVE")) == 1


def test_the_next_generation_comes_only_after_the_end_of_the_one_before(tmp_path):
    journal = loaded(tmp_path / "j")
    slot = ("hype", "TEST", "AAAUSDT", "exit", "s")
    assert journal.next_generation(*slot) == 0
    journal.open(intent())
    with pytest.raises(JournalError, match="still open"):
        journal.open(intent(generation=1))
    journal.close(intent().id, "nothing")
    assert journal.next_generation(*slot) == 1
    with pytest.raises(JournalError, match="has been used"):
        journal.open(intent())
    journal.open(intent(generation=1))
    assert loaded(tmp_path / "j").next_generation(*slot) == 2


def history(path: Path) -> list[bytes]:
    """A journal with every kind of line; its lines."""
    journal = loaded(path)
    journal.open(intent("a", cause="message"))
    journal.answer(intent("a").id, "accepted", order_id="7")
    journal.settle(intent("a").id, EXECUTED, [FILL])
    journal.close(intent("a").id, "booked")
    journal.open(intent("b"))
    return path.read_bytes().splitlines(keepends=True)


def told(path: Path) -> list[tuple[str, str, bool, int, str]]:
    return [(entry.intent.slot, entry.answer.phase if entry.answer else "", entry.executed is not None,
             len(entry.fills), entry.verdict) for entry in loaded(path).entries.values()]


def test_a_tail_torn_at_any_byte_is_cut_and_the_rest_is_whole(tmp_path):
    lines = history(tmp_path / "j")
    after = [told_of(tmp_path, lines[:count]) for count in range(len(lines) + 1)]
    content, torn = b"".join(lines), tmp_path / "torn"
    for cut in range(len(content) + 1):
        torn.write_bytes(content[:cut])
        whole = content[:cut].count(b"\n")
        assert told(torn) == after[whole], cut
        if cut % 37 == 0:
            loaded(torn).open(intent("c"))
            assert [one[0] for one in told(torn)] == [*(one[0] for one in after[whole]), "c"]


def told_of(folder: Path, lines: list[bytes]) -> list[tuple[str, str, bool, int, str]]:
    path = folder / "whole"
    path.write_bytes(b"".join(lines))
    return told(path)


@given(st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_damage_whatever_stops_the_journal_or_costs_a_line_it_does_not_touch(tmp_path, data):
    path = tmp_path / "j"
    path.unlink(missing_ok=True)
    lines = history(path)
    broken = data.draw(st.integers(0, len(lines) - 1))
    junk = data.draw(st.binary(min_size=1, max_size=40)).replace(b"\n", b"x")
    at = data.draw(st.integers(0, len(lines[broken]) - 1))
    lines[broken] = lines[broken][:at] + junk + lines[broken][at:]
    path.write_bytes(b"".join(lines))
    journal = loaded(path)
    if broken != len(lines) - 1:
        assert "b" in {entry.intent.slot for entry in journal.open_entries("hype", "TEST")}
    journal.open(intent("c"))
    assert "c" in {entry.intent.slot for entry in loaded(path).open_entries("hype", "TEST")}


def test_a_line_that_is_there_twice_does_not_open_its_intent_again(tmp_path):
    path = tmp_path / "j"
    lines = history(path)
    path.write_bytes(b"".join([*lines, lines[0]]))
    assert [entry.intent.slot for entry in loaded(path).open_entries("hype", "TEST")] == ["b"]


def test_another_process_may_look_and_changes_nothing(tmp_path):
    path = tmp_path / "j"
    assert read_journal(path) == []
    history(path)
    with open(path, "ab") as other:
        other.write(b'{"type":"intent","intent":{"id":"half')
    before = path.read_bytes()
    assert [(entry.intent.slot, entry.open) for entry in read_journal(path)] == [("a", False), ("b", True)]
    assert path.read_bytes() == before


def test_a_line_that_another_process_left_torn_is_cut_before_ours_is_written(tmp_path):
    path = tmp_path / "j"
    journal = loaded(path)
    journal.open(intent("a"))
    with open(path, "ab") as other:
        other.write(b'{"type":"intent","intent":{"id":"half')
    journal.open(intent("b"))
    assert [entry.intent.slot for entry in loaded(path).open_entries("hype", "TEST")] == ["a", "b"]


def test_damage_in_the_middle_is_reported_and_the_rest_read(tmp_path, monkeypatch):
    told: list[str] = []
    monkeypatch.setattr(damage, "_listeners", [lambda found: told.append(found.sentence())])
    path = tmp_path / "j"
    journal = loaded(path)
    journal.open(intent("a"))
    journal.open(intent("b"))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"{garbage\n" + lines[1])
    assert [entry.intent.slot for entry in loaded(path).open_entries("hype", "TEST")] == ["b"]
    assert len(told) == 1 and "1 line(s)" in told[0]


def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "COMPACT_BYTES", 4_000)
    monkeypatch.setattr(journal_module, "KEPT", 3)
    monkeypatch.setattr(journal_module, "FLOORS_KEPT", 30)


def test_a_long_journal_is_shortened_while_it_runs_and_stays_small(tmp_path, monkeypatch):
    small(monkeypatch)
    path = tmp_path / "intents.jsonl"
    journal = loaded(path)
    journal.open(intent("open"))
    largest = 0
    for number in range(120):
        journal.open(intent(f"s{number}"))
        journal.close(intent(f"s{number}").id, "booked")
        largest = max(largest, path.stat().st_size)
    assert largest < 12_000 and len(journal.entries) < 60
    assert len(list(tmp_path.glob("intents.0*.jsonl"))) == journal_module.SEGMENTS
    again = loaded(path)
    assert [entry.intent.slot for entry in again.open_entries("hype", "TEST")] == ["open"]
    assert list(again.entries)[-3:] == list(journal.entries)[-3:]


def test_a_shortened_slot_never_gets_an_old_id_again(tmp_path, monkeypatch):
    small(monkeypatch)
    path = tmp_path / "intents.jsonl"
    journal = loaded(path)
    slot = ("hype", "TEST", "AAAUSDT", "exit", "long")
    for generation in range(2):
        journal.open(intent("long", generation))
        journal.close(intent("long", generation).id, "nothing")
    number = 0
    while intent("long").id in journal.entries:
        journal.open(intent(f"s{number}"))
        journal.close(intent(f"s{number}").id, "booked")
        number += 1
    assert journal.next_generation(*slot) == loaded(path).next_generation(*slot) == 2
    with pytest.raises(JournalError, match="has been used"):
        journal.open(intent("long", 1))


def test_shortening_keeps_what_another_process_wrote(tmp_path, monkeypatch):
    small(monkeypatch)
    path = tmp_path / "intents.jsonl"
    journal = loaded(path)
    journal.open(intent("first"))
    loaded(path).open(intent("other", account="LIVE"))
    for number in range(20):
        journal.open(intent(f"s{number}"))
        journal.close(intent(f"s{number}").id, "booked")
    assert [entry.intent.slot for entry in loaded(path).open_entries("hype", "LIVE")] == ["other"]


def test_a_disk_that_refuses_the_shortening_loses_nothing(tmp_path, monkeypatch):
    small(monkeypatch)
    journal = loaded(tmp_path / "intents.jsonl")

    def full(path: Path, content: bytes) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(journal_module, "write_atomic", full)
    for number in range(20):
        journal.open(intent(f"s{number}"))
        journal.close(intent(f"s{number}").id, "booked")
    assert len(journal.entries) == len(read_journal(journal.path)) == 20


def test_two_processes_write_whole_lines(tmp_path):
    path = tmp_path / "j"
    code = ("import sys; from pathlib import Path; from tests.execution.test_journal import intent, loaded; "
            "journal = loaded(Path(sys.argv[1])); "
            "[journal.open(intent(f'{sys.argv[2]}{n}')) for n in range(60)]")
    runs = [subprocess.Popen([sys.executable, "-c", code, str(path), name], cwd=Path(__file__).parents[2])
            for name in ("a", "b")]
    assert [run.wait(60) for run in runs] == [0, 0]
    assert len(loaded(path).open_entries("hype", "TEST")) == 120


def test_an_intent_that_the_disk_refuses_is_not_remembered(tmp_path):
    journal = loaded(tmp_path / "j")
    journal.path = tmp_path  # a folder cannot be appended to
    with pytest.raises(OSError):
        journal.open(intent())
    assert journal.open_entries("hype", "TEST") == []


def test_what_follows_an_accepted_order_waits_in_memory_for_a_full_disk(tmp_path, monkeypatch):
    journal = loaded(tmp_path / "j")
    journal.open(intent())

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(journal_module, "write_all", full)
        journal.answer(intent().id, "accepted", order_id="v1")  # X7: raises nothing
        kept = journal.entries[intent().id].answer
        assert kept is not None and kept.order_id == "v1"
        with pytest.raises(OSError):
            journal.open(intent("other"))  # X1: no intent, no order
        assert loaded(journal.path).entries[intent().id].answer is None
    journal.close(intent().id, "booked")
    found = loaded(journal.path).entries[intent().id]
    assert found.answer is not None and (found.answer.order_id, found.verdict) == ("v1", "booked")


@given(st.tuples(*[st.text(max_size=8)] * 5), st.integers(0, 99))
def test_client_ids_fit_the_venue_and_name_the_order_alone(parts: tuple[str, str, str, str, str],
                                                           generation: int) -> None:
    made = client_id(*parts, generation)
    assert len(made) <= 32 and made.isalnum() and made.startswith("cx")
    assert made == client_id(*parts, generation)
    assert made != client_id(*parts, generation + 1)
