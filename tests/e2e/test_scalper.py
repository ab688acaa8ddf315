"""The scalper as a process, LIVE on the simulated futures venue: trades, dies with a position, comes back, ends flat.

What `/sim/truth` tells is the verdict: no order twice, no position without a stop, money equal to our books.
"""

import json
from collections import Counter
from decimal import Decimal
from typing import Any

import psutil
import pytest

from modules.execution.journal import read_journal
from tests.e2e.conftest import StartProgram
from tests.e2e.harness import Program, state_files_are_whole
from tests.surroundings import wait_until

LONG_S = 120.0
# Any flow will do: the test needs trades, not good ones. Nothing but a person ends them.
EAGER = {"SIMULATOR_SPEED": "4", "SIMULATOR_TOKENS": "5", "SIMULATOR_FUTURES": "4", "FUTURES_ARRANGE": "true",
         "SCALPER_SYMBOLS": "ETHUSDT", "SCALPER_FLOW_S": "2", "SCALPER_FAST_S": "1", "SCALPER_BUY_SCORE": "0.02",
         "SCALPER_MIN_SPEED": "0", "SCALPER_MIN_TRADES": "0", "SCALPER_MAX_SPREAD_BPS": "100",
         "SCALPER_MAX_VOLATILITY_BPS": "5000", "SCALPER_COST_FACTOR": "0", "SCALPER_MIN_STOP_BPS": "400",
         "SCALPER_MAX_STOP_BPS": "400", "SCALPER_MAX_CHASE_BPS": "50", "SCALPER_RISK_PCT": "5",
         "SCALPER_MAX_BOOK_AGE_S": "10", "SCALPER_FLIP": "false", "SCALPER_HOLD_S": "86400",
         "SCALPER_COOLDOWN_S": "3600", "SCALPER_COMPILED": "false", "SCALPER_COOLDOWN_LOSS_S": "3600",
         "SENTIMENT_FEEDS": "",
         "FEED_LATE_AFTER_S": "30", "FEED_STALE_AFTER_S": "20"}


ACCOUNTS = {"binance": "trader", "bybit": "bybit"}  # behind which wire of the simulated venue which account is


def account(program: Program) -> dict[str, Any]:
    """The venue's own view of the scalper's account."""
    found: dict[str, Any] = program.venue("/sim/truth")["futures"]["accounts"][
        ACCOUNTS[program.environment.get("FUTURES_DIALECT", "binance")]]
    return found


def held(program: Program) -> list[dict[str, Any]]:
    return [row for row in account(program)["positions"] if Decimal(row["qty"])]


def state(program: Program) -> dict[str, Any]:
    return program.json("scalper_state.json") or {}


def opened(program: Program) -> dict[str, Any] | None:
    return next((trade for trade in state(program).get("open", {}).values() if trade["opened_ms"]), None)


def guarded(program: Program) -> bool:
    kinds = Counter(algo["kind"] for algo in account(program)["algos"] if algo["status"] == "NEW")
    return kinds["STOP_MARKET"] >= 1 and kinds["TAKE_PROFIT_MARKET"] >= 1


@pytest.mark.parametrize("dialect", list(ACCOUNTS))
def test_killed_with_a_position_and_flat_in_the_end(program: StartProgram, dialect: str) -> None:
    scalper = program(**EAGER, FUTURES_DIALECT=dialect)
    (scalper.home / "config").mkdir(parents=True, exist_ok=True)
    (scalper.home / "config" / "state.json").write_text('{"test_mode": false}', encoding="utf-8")
    scalper.ask("/startscalper", r"\[LIVE\] Scalper is running", LONG_S)
    trade = wait_until(lambda: opened(scalper), "a position of the scalper", LONG_S)
    wait_until(lambda: guarded(scalper), "stop and target on the venue", LONG_S)
    pid = scalper.wait_ready("scalper")

    psutil.Process(pid).kill()
    scalper.wait_ready("scalper", other_than=pid, patience_s=LONG_S)
    assert [row["symbol"] for row in held(scalper)] == [trade["symbol"]]
    assert guarded(scalper)
    scalper.ask("/scalper", rf"{trade['symbol']} LIVE", LONG_S)

    scalper.ask("/stopscalper close", "Close everything", LONG_S)
    scalper.ask("yes", "Closing 1 position|closes 1 position", LONG_S)  # or it is not seen back yet
    wait_until(lambda: not held(scalper), "the venue flat", LONG_S)
    done = wait_until(lambda: next((one for one in state(scalper)["last"] if one["id"] == trade["id"]), None),
                      "the trade's result", LONG_S)
    assert done["why"] == "hand" and Decimal(done["filled"]) == Decimal(trade["filled"])
    assert not [algo for algo in account(scalper)["algos"] if algo["status"] == "NEW"]

    entries = [entry for entry in read_journal(scalper.home / "data" / "futures_scalper_intents.jsonl")
               if entry.intent.leg == "entry" and entry.intent.cause == trade["id"]]
    filled = [entry for entry in entries if entry.executed is not None]
    assert sum(entry.executed.quantity for entry in filled if entry.executed) == Decimal(trade["filled"])
    logged = (scalper.home / "data" / "logs" / "trades.jsonl").read_text("utf-8")
    lines = [json.loads(line) for line in logged.splitlines()]
    assert [line["event"] for line in lines if line["id"] == trade["id"]] == ["open", "close"]
    assert scalper.end_of_input() == 0
    assert scalper.left_over() == []
    state_files_are_whole(scalper.home)
