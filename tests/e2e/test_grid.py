"""The grid from the console, LIVE on the simulated Bitget: proven, traded, a hand's trade acknowledged, closed, gone.

What `/sim/truth` tells is the verdict.
"""

import json
import urllib.request
from collections import Counter
from decimal import Decimal
from typing import Any

from tests.e2e.conftest import StartProgram
from tests.e2e.harness import Program, state_files_are_whole
from tests.surroundings import wait_until

LONG_S = 120.0
EAGER = {"SIMULATOR_SPEED": "4", "SIMULATOR_TOKENS": "5", "SIMULATOR_FUTURES": "2", "OPEN_ON_NEW_CANDLE": "false",
         "TIMEFRAME": "1m", "GRID_STALE_AFTER_S": "120", "PAIR_GLOBAL_PROFIT": "0", "SINGLE_ORDER_PROFIT": "50",
         "GRIDLIVE_LEASE_S": "6"}


def account(program: Program) -> dict[str, Any]:
    found: dict[str, Any] = program.venue("/sim/truth")["futures"]["accounts"]["bitget"]
    return found


def held(program: Program) -> dict[str, Decimal]:
    return {row["leg"]: abs(Decimal(row["qty"])) for row in account(program)["positions"]}


def stops(program: Program) -> dict[str, Decimal]:
    return {row["leg"]: Decimal(row["qty"]) for row in account(program)["algos"] if row["status"] == "NEW"}


def by_hand(program: Program, **what: str) -> None:
    """The account's owner trades on the exchange."""
    beat = program.beat("simulator")
    assert beat is not None
    body = json.dumps({"futures": True, "account": "bitget", "symbol": "BTCUSDT", **what}).encode()
    urllib.request.urlopen(f"http://127.0.0.1:{beat['info']['port']}/sim/act", body, timeout=60).close()


def test_a_hand_on_the_exchange_is_acknowledged_and_everything_is_closed(program: StartProgram) -> None:
    grid = program(**EAGER)
    (grid.home / "config").mkdir(parents=True, exist_ok=True)
    (grid.home / "config" / "state.json").write_text('{"test_mode": false}', encoding="utf-8")
    grid.ask("/startgrid BTCUSDT 0.002 999", "must be from 1 to 150", LONG_S)
    grid.ask("/startgrid BTCUSDT 0.05 20", "It breaks limits", LONG_S)
    grid.ask("no", "Nothing was done", LONG_S)
    grid.ask("/startgrid BTCUSDT 0.001", r"\[LIVE\] Start a grid on BTCUSDT.*Within the limits", LONG_S)
    grid.ask("yes", r"\[LIVE\] The grid is on", LONG_S)
    leg, much = wait_until(lambda: next(iter(held(grid).items()), None), "a position of the grid", LONG_S)
    wait_until(lambda: stops(grid).get(leg), "its stop on the exchange", LONG_S)

    by_hand(grid, action="buy" if leg == "LONG" else "sell", leg=leg, qty="0.05")
    grid.expect("opened by somebody else", LONG_S)
    side = "buy" if leg == "LONG" else "sell"
    grid.ask(f"/gridack {side} adopt", r"\[LIVE\].*somebody else opened", LONG_S)
    grid.ask("yes", r"\[LIVE\] Acknowledged", LONG_S)
    wait_until(lambda: stops(grid).get(leg, 0) >= much + Decimal("0.05"), "a stop for what was adopted", LONG_S)
    grid.ask("/grid", r"\[LIVE\] Grid BTCUSDT.*picture: ", LONG_S)

    grid.ask("/stopall", "each side with its stop", LONG_S)
    grid.ask("no", "Nothing was done", LONG_S)
    grid.ask("/stopgrid close", "Close everything of the grid", LONG_S)
    grid.ask("yes", "everything is closed", LONG_S)
    assert held(grid) == {}
    wait_until(lambda: not stops(grid), "no stop is left behind", LONG_S)
    ids = Counter(row["client_id"] for row in account(grid)["orders"] if row["client_id"].startswith("cx"))
    assert ids and max(ids.values()) == 1
    assert grid.end_of_input() == 0
    assert grid.left_over() == []
    state_files_are_whole(grid.home)
