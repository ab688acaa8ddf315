"""A backup of a running program with live positions, brought back in another home: it guards and agrees with its venue.

The venue is part of the backup here (simulated exchange), read last: like a real one it may be ahead of the books.
"""

import subprocess
import sys
import zipfile
from collections import defaultdict
from decimal import Decimal
from typing import Any

from tests.e2e.conftest import StartProgram
from tests.e2e.harness import PROJECT, Program, state_files_are_whole, wait_until

SECRET = "never-in-a-backup"


def live_positions(program: Program) -> dict[str, Any]:
    found: dict[str, Any] = program.json("tracked_tokens.json") or {}
    return found


def books_agree(program: Program) -> bool:
    """Coins and USDT by our live history, and by the venue."""
    truth = program.venue("/sim/truth")["accounts"]["trader"]
    there = {asset: Decimal(row["free"]) + Decimal(row["locked"]) for asset, row in truth["balances"].items()}
    ours: dict[str, Decimal] = defaultdict(Decimal)
    ours["USDT"] = Decimal(10_000)
    for trade in program.trades(""):
        sign = 1 if trade["side"] == "BUY" else -1
        ours[trade["symbol"].removesuffix("USDT")] += sign * Decimal(trade["quantity"])
        ours["USDT"] -= sign * Decimal(trade["quote_usdt"]) + Decimal(trade["fee_usdt"])
    return {asset: amount for asset, amount in there.items() if amount} == \
        {asset: amount for asset, amount in ours.items() if amount}


def test_backup_restored_elsewhere_guards_and_agrees_with_the_venue(program: StartProgram) -> None:
    first = program()
    first.ask("/startbot", r"Running: simulated exchange, TEST mode")
    (first.home / ".env").write_text(f"# {SECRET}\n", encoding="utf-8")
    first.ask("/testmode_off", r"LIVE.*yes or no")
    first.ask("yes", r"LIVE")
    wait_until(lambda: live_positions(first), "a live position")
    first.ask("/pause test", r"Pause\?.*yes or no")
    first.ask("yes", r"Paused: nothing is bought")
    wait_until(lambda: (first.json("test_risk_state.json") or {}).get("trading") == "PAUSED", "the pause on disk")

    name = first.ask("/backup", r"Backup made.*backups/(\S+\.zip).*Not in it: keys").group(1)
    made = first.home / "backups" / name
    with zipfile.ZipFile(made) as archive:
        held = archive.read("data/tracked_tokens.json").decode()
        assert not any(SECRET in archive.read(one).decode("utf-8", "replace") for one in archive.namelist())
    assert first.end_of_input() == 0

    second_home = first.home.with_name("second")
    restored = subprocess.run(
        [sys.executable, str(PROJECT / "scripts" / "restore.py"), str(made), "--home", str(second_home), "--yes"],
        capture_output=True, text=True, encoding="utf-8", timeout=120, check=False)
    assert restored.returncode == 0, restored.stdout + restored.stderr
    assert (second_home / "data" / "tracked_tokens.json").read_text("utf-8") == held

    second = program(home="second")
    second.wait_ready("tracker")  # nobody started it: positions are always guarded
    second.expect(r"LIVE: \d+ open position|positions? (is|are) open|unguarded|is here")
    wait_until(lambda: books_agree(second), "books and venue agree")
    second.ask("/risk test", r"\[TEST\] Trading: PAUSED")
    second.ask("/resync live", r"\[LIVE\] Nothing to mend")
    second.ask("/flatten live", r"Sell everything and halt\?.*\[LIVE\] FLATTEN.*yes or no")
    second.ask("yes", r"\[LIVE\] Flat: everything is sold, confirmed twice")
    wait_until(lambda: books_agree(second), "books and venue agree at the end")
    assert live_positions(second) == {}
    assert second.end_of_input() == 0
    assert second.left_over() == []
    state_files_are_whole(second_home)
