"""System C as a user runs it: a decision opens a guarded position, kill -9 changes nothing, /closebtc closes it."""

from decimal import Decimal
from typing import Any

import psutil

from tests.e2e.conftest import StartProgram
from tests.e2e.harness import Program, state_files_are_whole
from tests.surroundings import wait_until

# Rules under which some contract of eight is decided on within seconds, with exits so far off that none is reached: the
# market of this seed opens with four of the eight falling on every interval.
RULES = {"SHOWDOWN_SYMBOLS": '["BTCUSDT","ETHUSDT","SOLUSDT","BNBUSDT","XRPUSDT","DOGEUSDT","ADAUSDT","LINKUSDT"]',
         "SHOWDOWN_DECIDE_S": "60", "SHOWDOWN_HISTORY_BARS": "200", "SHOWDOWN_SWING_BARS": "1",
         "SHOWDOWN_MIN_MOMENTUM": "0", "SHOWDOWN_MIN_CONFIDENCE": "0", "SHOWDOWN_MAX_RISK_SCORE": "1",
         "SHOWDOWN_MAX_FUNDING_PCT": "2", "SHOWDOWN_MAX_OI_FALL_PCT": "50", "SHOWDOWN_SL_ATR": "10",
         "SHOWDOWN_TP1_ATR": "19", "SHOWDOWN_TP2_ATR": "39", "SHOWDOWN_MAX_POSITION_USDT": "1000",
         "SHOWDOWN_CHASE_REQUOTES": "2", "SHOWDOWN_EMERGENCY_CONFIDENCE": "0", "SHOWDOWN_EMERGENCY_RISK_LEVEL": "5",
         "SHOWDOWN_EMERGENCY_REWARD": "0", "SHOWDOWN_EMERGENCY_SPREAD_PCT": "1", "SIMULATOR_TOKENS": "20",
         "SIMULATOR_SPEED": "30", "SIMULATOR_SEED": "4"}


def held(coxswain: Program) -> dict[str, Any]:
    """Trades whose entry is over, by contract."""
    trades = (coxswain.json("test_showdown_trades.json") or {"open": {}})["open"]
    return {symbol: one for symbol, one in trades.items() if not one["entering"] and one["entered"]}


def stops(coxswain: Program, symbol: str) -> list[str]:
    """Stops that wait on the paper account."""
    account = coxswain.json("test_futures_account_showdown.json") or {"triggers": []}
    return [one["trigger"] for one in account["triggers"]
            if one["symbol"] == symbol and one["kind"] == "STOP_MARKET" and one["status"] == "WAITING"]


def guarded(coxswain: Program) -> bool:
    """Whether the service says that its positions are under guard."""
    beat = coxswain.beat("showdown") or {"info": {}}
    return bool(beat["info"].get("accounts", {}).get("TEST", {}).get("guarded"))


def ended(coxswain: Program) -> dict[str, Any]:
    return {one["id"]: one for one in coxswain.json("test_showdown_history.json") or []}


def test_a_position_survives_a_kill_and_is_closed_by_command(program: StartProgram) -> None:
    coxswain = program(**RULES)
    coxswain.ask("/startbtc", r"\[TEST\] System C is running.*paper money")
    first = coxswain.wait_ready("showdown")
    wait_until(lambda: held(coxswain), "a decision that became a position", 120)
    symbol, trade = next(iter(held(coxswain).items()))
    wait_until(lambda: stops(coxswain, symbol), "its stop")
    coxswain.ask(f"/btc {symbol}", rf"\[TEST\].{{0,9}}{symbol} (LONG|SHORT) (open|entering).*stop")

    psutil.Process(first).kill()
    coxswain.wait_ready("showdown", other_than=first)
    wait_until(lambda: guarded(coxswain), "under guard again")
    assert held(coxswain)[symbol]["id"] == trade["id"] and len(stops(coxswain, symbol)) == 1
    coxswain.expect(r"Showdown works again", 120)  # commands go by what the supervisor has seen
    coxswain.ask("/stopbtc", r"keeps running: it holds")

    coxswain.ask(f"/closebtc {symbol}", r"Close at the market\?")
    coxswain.ask("yes", rf"{symbol} (LONG|SHORT) closed")
    one = wait_until(lambda: ended(coxswain).get(trade["id"]), "the record of the trade")
    assert one["ended"].startswith("closed by") and one["fills"] and one["orders"]
    net, parts = Decimal(one["net"]), [Decimal(one[name]) for name in ("realised", "fees", "funding")]
    assert net == parts[0] - parts[1] + parts[2]
    assert coxswain.end_of_input() == 0
    assert coxswain.left_over() == []
    state_files_are_whole(coxswain.home)
