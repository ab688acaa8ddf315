"""Limits and words in the running program: a tiny loss limit stops entries and only those; /flatten ends flat; a
killed tracker forgets neither."""

from typing import Any

import psutil

from tests.e2e.conftest import StartProgram
from tests.e2e.harness import Program, state_files_are_whole, wait_until


def risk(program: Program) -> dict[str, Any]:
    return program.json("test_risk_state.json") or {}


def purchases(program: Program) -> int:
    return sum(1 for trade in program.trades() if trade["side"] == "BUY")


def kill_tracker(program: Program) -> None:
    pid = program.wait_ready("tracker")
    psutil.Process(pid).kill()
    program.wait_ready("tracker", other_than=pid)


def test_limits_and_words(program: StartProgram) -> None:
    # 0.01 % of 10,000 USDT: fees and spread of a few purchases. The week's limit holds should midnight come meanwhile.
    coxswain = program(RISK_DAY_LOSS_PCT="0.01", RISK_WEEK_LOSS_PCT="0.01")
    coxswain.ask("/startbot", r"Running: simulated exchange, TEST mode")
    coxswain.expect(r"\[TEST\] Entries stop: loss of the (day|week).*Exits go on")
    wait_until(lambda: risk(coxswain).get("latched"), "the broken limit on disk")

    def refused() -> bool:
        return "entries_paused" in (coxswain.home / "data" / "candidate_tokens.csv").read_text("utf-8")

    kill_tracker(coxswain)
    assert risk(coxswain)["latched"], "a killed tracker forgot the broken limit"
    bought = purchases(coxswain)
    wait_until(refused, "a proposal that the limit refused")
    assert purchases(coxswain) == bought
    coxswain.ask("/risk", r"\[TEST\] Trading: ACTIVE.*loss.*STOP")
    coxswain.ask("/status", r"TEST: .*trading ACTIVE.*no entries: the limit (DAY|WEEK)_LOSS is broken")

    coxswain.ask("/flatten test", r"Sell everything and halt\?.*\[TEST\] (FLATTEN|.*No positions).*yes or no")
    coxswain.ask("yes", r"\[TEST\] Flat: everything is sold, confirmed twice")
    assert coxswain.json("test_tracked_tokens.json") == {}
    assert purchases(coxswain) == bought
    opened = {trade["position_id"] for trade in coxswain.trades() if trade["side"] == "BUY"}
    assert opened == {trade["position_id"] for trade in coxswain.trades() if trade["closes"]}, "exits must go on"
    kill_tracker(coxswain)
    assert risk(coxswain)["trading"] == "HALTED"
    coxswain.ask("/why", r"HALTED: everything is sold")
    coxswain.ask("/resume test", r"Buy again\?.*yes or no")
    coxswain.ask("yes", r"\[TEST\] Entries are open again")
    wait_until(lambda: risk(coxswain)["trading"] == "ACTIVE", "trading is active")

    assert coxswain.end_of_input() == 0
    assert coxswain.left_over() == []
    state_files_are_whole(coxswain.home)
