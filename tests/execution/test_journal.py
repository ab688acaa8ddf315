"""The intents journal X1, X2, P10."""

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.exchange.types import OrderType, Side
from modules.execution import journal as journal_module
from modules.execution.intents import FeeTerms, Intent, client_id
from modules.execution.journal import Journal, JournalError
from modules.execution.order_state import Executed
from modules.storage import damage

FEES = FeeTerms("AAA", "USDT", Decimal("0.001"))


def intent(slot: str = "s", generation: int = 0, *, symbol: str = "AAAUSDT", account: str = "TEST", cause: str = "",
           leg: str = "exit") -> Intent:
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
    journal.settle(intent("a").id, Executed(order_id="7", quantity=Decimal(5), quote=Decimal(6),
                                            fee_usdt=Decimal("0.1"), fill_ids=("x",), market_ms=2_000))
    journal.close(intent("b").id, "refused")
    again = loaded(path)
    assert [entry.intent for entry in again.open_entries("hype", "TEST")] == [intent("a", cause="message")]
    entry = again.open_entries("hype", "TEST")[0]
    assert entry.executed is not None and entry.executed.price == Decimal("1.2")
    assert entry.answer is not None and entry.answer.order_id == "7"
    assert [found.intent.slot for found in again.of_cause("message")] == ["a"]
    assert again.of_cause("") == []


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


def test_a_torn_tail_is_cut_and_the_rest_is_whole(tmp_path):
    path = tmp_path / "j"
    journal = loaded(path)
    journal.open(intent("a"))
    whole = path.read_bytes()
    journal.open(intent("b"))
    for cut in range(len(whole) + 1, len(path.read_bytes()), 11):
        torn = tmp_path / f"torn{cut}"
        torn.write_bytes(path.read_bytes()[:cut])
        again = loaded(torn)
        assert [entry.intent.slot for entry in again.open_entries("hype", "TEST")] == ["a"]
        again.open(intent("c"))
        assert [entry.intent.slot for entry in loaded(torn).open_entries("hype", "TEST")] == ["a", "c"]


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


def test_a_long_journal_is_shortened_without_losing_open_intents(tmp_path, monkeypatch):
    monkeypatch.setattr(journal_module, "COMPACT_BYTES", 2_000)
    monkeypatch.setattr(journal_module, "KEPT", 3)
    path = tmp_path / "intents.jsonl"
    journal = loaded(path)
    journal.open(intent("open"))
    for number in range(20):
        journal.open(intent(f"s{number}"))
        journal.close(intent(f"s{number}").id, "booked")
    again = loaded(path)
    assert [entry.intent.slot for entry in again.entries.values()] == ["open", "s17", "s18", "s19"]
    assert len(path.read_bytes().splitlines()) == 7
    assert len(list(tmp_path.glob("intents.0*.jsonl"))) == 1
    assert [entry.intent.slot for entry in loaded(path).open_entries("hype", "TEST")] == ["open"]


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


@given(st.lists(st.text(max_size=8), min_size=5, max_size=5), st.integers(0, 99))
def test_client_ids_fit_the_venue_and_name_the_order_alone(parts, generation):
    made = client_id(*parts, generation)
    assert len(made) <= 32 and made.isalnum() and made.startswith("cx")
    assert made == client_id(*parts, generation)
    assert made != client_id(*parts, generation + 1)
