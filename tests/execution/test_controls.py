"""Only what passed its checklist can be sent: by type, and at run time (X10); exits sell what is there (X25)."""

import ast
import copy
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal

import msgspec
import pytest

from modules.exchange.types import OrderType, Side
from modules.execution.controls import (
    Approved,
    ExitCode,
    ExitWorld,
    NotApprovedError,
    Refusals,
    RefusedExit,
    approve_entry,
    approve_exit,
)
from modules.execution.executor import Executor
from modules.execution.intents import FeeTerms, Intent, client_id
from modules.execution.journal import Journal
from modules.execution.limits import EntryCode, EntryRequest
from tests.execution.approval import LIMITS, WORLD, approved
from tests.execution.test_executor import QUICK
from tests.execution.venue import START_MS, AccountStub, MarketStub, market
from utils.paths import PROJECT

D = Decimal
ENTRY = Intent(id=client_id("hype", "TEST", "AAAUSDT", "entry", "m", 0), system="hype", account="TEST",
               symbol="AAAUSDT", leg="entry", slot="m", generation=0, side=Side.BUY, type=OrderType.IOC,
               quantity=D(10), price=D("2.1"), reason="test", market_ms=START_MS,
               fees=FeeTerms("AAA", "USDT", D("0.001")))
EXIT = msgspec.structs.replace(ENTRY, leg="exit", side=Side.SELL, type=OrderType.MARKET, price=None)
ASK = EntryRequest(symbol="AAAUSDT", quote=D(21), price=D("2.1"), proposed_ms=START_MS, ask=D("2.1"),
                   price_ms=START_MS, offered=D(10), quantity=D(10), cap=D("2.1"), market=market())


def sale(intent: Intent = EXIT, *, ledger: str | None = None, free: str | None = None, placing: str = "",
         **changes: object) -> Approved[Intent] | RefusedExit:
    known = [None if amount is None else D(amount) for amount in (ledger, free)]
    return approve_exit(intent, ExitWorld(market("AAAUSDT", **changes), known[0], known[1], frozenset(placing.split())))


def test_what_passes_is_approved_as_it_is():
    passed = approve_entry(ENTRY, ASK, WORLD, LIMITS)
    assert isinstance(passed, Approved) and passed.order is ENTRY


def test_every_refusal_comes_back_not_only_the_first():
    refused = approve_entry(ENTRY, ASK, replace(WORLD, closed="starting", free_quote=None), LIMITS)
    assert isinstance(refused, Refusals) and refused.first.code is EntryCode.CLOSED
    assert refused.text() == "CLOSED: starting; FUNDS: the balance could not be read"


@pytest.mark.parametrize("other", [
    {"quantity": D(11)}, {"price": D("2.2")}, {"symbol": "BBBUSDT"}, {"side": Side.SELL}, {"leg": "exit"},
    {"type": OrderType.MARKET}, {"quote_quantity": D(21)}])
def test_an_order_other_than_the_one_that_was_checked_is_not_approved(other):
    with pytest.raises(NotApprovedError):
        approve_entry(msgspec.structs.replace(ENTRY, **other), ASK, WORLD, LIMITS)


@pytest.mark.parametrize(("ledger", "free", "sold"), [
    (None, None, 10), ("10", "10", 10), ("99", "99", 10), ("7.9", None, 7), ("9", "4.2", 4), (None, "3", 3)])
def test_an_exit_sells_at_most_what_is_ours_and_what_is_free(ledger, free, sold):
    passed = sale(ledger=ledger, free=free)
    assert isinstance(passed, Approved) and passed.order.quantity == sold
    assert msgspec.structs.replace(passed.order, quantity=D(10)) == EXIT


@pytest.mark.parametrize(("code", "world"), [
    (ExitCode.NOTHING, {"free": "0.9"}), (ExitCode.NOTHING, {"ledger": "0"}), (ExitCode.HALTED, {"trading": False}),
    (ExitCode.HALTED, {"sells": False}), (ExitCode.IN_FLIGHT, {"placing": "AAAUSDT BBBUSDT"})])
def test_an_exit_that_would_be_of_no_use_is_refused_with_a_reason(code, world):
    refused = sale(**world)
    assert isinstance(refused, RefusedExit) and refused.code is code and refused.text


def test_no_limit_of_entries_stands_before_an_exit():
    assert isinstance(sale(buys=False, api_allowed=False, min_notional=D(10**9)), Approved)


@pytest.mark.parametrize("wrong", [{"side": Side.BUY}, {"leg": "entry"}, {"quantity": None}])
def test_only_a_sale_of_a_quantity_is_an_exit(wrong):
    with pytest.raises(NotApprovedError):
        sale(msgspec.structs.replace(EXIT, **wrong))


def test_nobody_else_can_approve():
    with pytest.raises(NotApprovedError):
        Approved(ENTRY, object())  # type: ignore[arg-type]
    with pytest.raises(NotApprovedError):
        _ = Approved.__new__(Approved).order


async def test_what_is_not_approved_is_neither_sent_nor_written_down(tmp_path):
    venue = MarketStub()
    venue.add("AAAUSDT", "2")
    account, journal = AccountStub(venue), Journal(tmp_path / "j")
    journal.load()
    executor = Executor(account, venue, journal, QUICK)
    with pytest.raises(NotApprovedError):
        await executor.execute(Approved.__new__(Approved))
    with pytest.raises(AttributeError):
        await executor.execute(ENTRY)  # type: ignore[arg-type]
    assert account.placed == [] and journal.entries == {}
    assert await executor.execute(approved(ENTRY)) and len(account.placed) == 1


def test_a_copy_of_an_approval_is_the_same_order():
    passed = approved(ENTRY)
    assert copy.copy(passed).order is passed.order


def test_in_the_program_only_the_gate_makes_approvals():
    found = []
    for file in (PROJECT / "modules").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and {name.name for name in node.names} & {"_TOKEN", "_Token"}:
                found.append(f"{file.name} imports the token")
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Approved":
                found.append(file.name)
    assert set(found) == {"controls.py"}


UNCHECKED = """
from modules.execution.executor import Executor
from modules.execution.intents import Intent

async def send(executor: Executor, intent: Intent) -> None:
    await executor.execute(intent)
"""


@pytest.mark.slow
def test_mypy_refuses_an_order_that_no_checklist_has_passed(tmp_path):
    (tmp_path / "unchecked.py").write_text(UNCHECKED, encoding="utf-8")
    done = subprocess.run([sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"),
                           str(tmp_path / "unchecked.py")], cwd=PROJECT, capture_output=True, text=True,
                          encoding="utf-8", timeout=110)
    assert 'has incompatible type "Intent"; expected "Approved[Intent]"' in done.stdout, done.stdout
