"""/startscalper, /stopscalper, /scalper: what a trader reads of the scalper on a phone."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from modules.exchange.types import Mode
from modules.storage.settings_versions import Versions
from modules.strategies.scalper.records import VIEW, State, Trade, state_file
from modules.supervision.messages import Inbox
from modules.supervision.status import State as State_
from tests.telegram.house import NOW_MS, House


def trade(**changes: object) -> Trade:
    return msgspec.structs.replace(Trade(
        id="b1-1", symbol="ETHUSDT", side=1, position_side="LONG", asked_ms=NOW_MS - 9000, score=0.41,
        quantity=Decimal("0.25"), price=Decimal("2000"), stop=Decimal("1994.00"), take=Decimal("2009.00"),
        opened_ms=NOW_MS - 8000, deadline_ms=NOW_MS + 60_000, entry=Decimal("2000"), filled=Decimal("0.25")), **changes)


def shown(one: Trade) -> dict[str, object]:
    return {**msgspec.to_builtins(one, builtin_types=()), "pnl_pct": one.pnl_pct, "word": one.word}


def view(**changes: object) -> bytes:
    flow = {"imbalance_1": 0.5, "imbalance_5": 0.4, "imbalance_10": 0.3, "imbalance_20": 0.2, "micro_bps": 0.1,
            "spread_bps": 0.5, "ofi": 0.6, "delta": -0.2, "large_resting": 0.0, "large_traded": 1.0, "speed": 12.0,
            "speed_ratio": 1.1, "volatility_bps": 3.0}
    mood = {"symbol": "ETHUSDT", "score": 0.3, "confidence": 0.6, "texts": 4, "age_s": 90.0, "providers": ["local"],
            "sources": ["feed"], "fallback": True}
    mode = {"problem": "", "equity": 10_000.0, "open": [shown(trade())], "today": 3, "day_pnl": -0.5,
            "last": [shown(trade(pnl=Decimal("-0.5"), why="stop", closed_ms=NOW_MS))], "pnl": -0.5,
            "trades": 1, "wins": 0, "fees": 0.3, "free_ms": {}, "refused": {"COOL_DOWN": 4},
            "refusal": {"symbol": "ETHUSDT", "code": "VENUE", "ms": NOW_MS, "text": "RISK: losing streak"}}
    signal = {"symbol": "ETHUSDT", "side": -1, "score": -0.4, "parts": {"order flow": -0.3, "RSI": -0.1}, "bid": 2001.0,
              "ask": 2001.1, "ms": NOW_MS, "first_ms": NOW_MS, "last_ms": NOW_MS, "times": 7, "code": "HELD",
              "why": "a position of the contract is open"}
    body = {"ms": NOW_MS, "mode": "TEST", "waiting": "", "signals": [signal], "modes": {"TEST": mode},
            "contracts": [{"symbol": "ETHUSDT", "code": "SCORE", "why": "the parts together speak too weakly",
                           "looks": 9, "bid": 2001.0, "ask": 2001.1, "score": 0.12, "parts": {}, "flow": flow,
                           "atr_bps": 12.0, "mood": mood}], **changes}
    return msgspec.json.encode(body)


def plain(text: str) -> str:
    return text.replace("<b>", "").replace("</b>", "")


async def test_before_its_first_run_it_says_how_to_start(tmp_path: Path) -> None:
    assert "/startscalper" in await House(tmp_path).ask("/scalper")


@pytest.mark.parametrize(("page", "parts"), [
    ("", ("1 position", "ETHUSDT TEST 0.25 in 2,000 → 2,001 (+0.05%)", "SL 1994.00", "1m left", "−0.50 USDT",
          "3 entries of 60", "score +0.12", "losing streak", "does not run")),
    ("signals", ("▼ SELL ETHUSDT", "score −0.40", "7 looks", "order flow −0.30, RSI −0.10", "is open")),
    ("trades", ("[TEST] 1 trade, 0 won", "❌", "stop reached", "trades.log")),
    ("flow", ("+0.50 / +0.40 / +0.30 / +0.20", "volume delta −0.20", "12.0 trades/s", "sentiment +0.30", "fallback"))])
async def test_what_it_shows(tmp_path: Path, page: str, parts: tuple[str, ...]) -> None:
    house = House(tmp_path)
    (house.context.paths.data / VIEW).write_bytes(view())
    told = plain(await house.ask(f"/scalper {page}"))
    for part in parts:
        assert part in told, part


async def test_start_says_the_mode_and_what_is_at_stake(tmp_path: Path) -> None:
    told = plain(await House(tmp_path).ask("/startscalper"))
    for part in ("[TEST]", "paper money", "BTCUSDT, ETHUSDT, SOLUSDT", "500.00 USDT", "/stopscalper"):
        assert part in told, part


@pytest.mark.parametrize(("waits", "kinds"), [(False, ["resume"]), (True, ["flatten"])])
async def test_a_start_takes_back_an_earlier_closing_but_not_one_that_still_waits(tmp_path: Path, waits: bool,
                                                                                 kinds: list[str]) -> None:
    """A process that was stopped since knows it from its file; one that waits is to be done by this start."""
    house = House(tmp_path)
    state_file(house.context.paths, Mode.TEST).save(State(stopped="closed by hand"))
    inbox = Inbox(house.context.paths.inbox, "scalper")
    if waits:
        inbox.post("flatten", {"mode": "TEST"}, "test")
    await house.ask("/startscalper")
    assert [message.kind for _, message in inbox.take()] == kinds


async def test_stop_names_what_stays_guarded(tmp_path: Path) -> None:
    house = House(tmp_path)
    state_file(house.context.paths, Mode.TEST).save(State(open={"b1-1": trade()}))
    told = plain(await house.ask("/stopscalper"))
    assert "stopped" in told and "SL 1994.00" in told and "TEST positions are looked at again" in told


async def test_closing_asks_first_with_the_exact_exposure(tmp_path: Path) -> None:
    house = House(tmp_path)
    assert "holds nothing" in await house.ask("/stopscalper close")
    state_file(house.context.paths, Mode.TEST).save(State(open={"b1-1": trade()}))
    told = plain(await house.ask("/stopscalper close"))
    assert "LONG ETHUSDT 0.25, 500.00 USDT" in told and "enter nothing more" in told


@pytest.mark.parametrize(("state", "parts"), [
    ("ready", ("[TEST] Closing 1 position at market",)),
    ("backoff", ("[TEST] The scalper is being started again", "as soon as it is up", "Do not stop it")),
    ("starting", ("[TEST] The scalper is being started again",)),
    ("stopped", ("[TEST] The scalper does not run", "closes 1 position when it starts", "/startscalper"))])
async def test_closing_says_what_the_process_is_about_to_do(tmp_path: Path, state: State_, parts: tuple[str, ...]
                                                            ) -> None:
    house = House(tmp_path)
    state_file(house.context.paths, Mode.TEST).save(State(open={"b1-1": trade()}))
    house.crew.states["scalper"] = state
    told = plain(await house.confirm("/stopscalper close"))
    for part in parts:
        assert part in told, told
    assert [message.kind for _, message in Inbox(house.context.paths.inbox, "scalper").take()] == ["flatten"]


async def test_stopping_one_that_is_being_restarted_says_so(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.crew.states["scalper"] = "backoff"
    told = plain(await house.ask("/stopscalper"))
    assert "[TEST] Scalper stopped" in told and "called off" in told
    assert "called off" not in await house.ask("/stopscalper")


async def test_it_says_which_optimised_settings_it_runs_with(tmp_path: Path) -> None:
    house = House(tmp_path)
    paths = house.context.paths
    (paths.data / VIEW).write_bytes(view(version=0))
    assert "Settings: your own" in plain(await house.ask("/scalper"))
    made = Versions(paths).keep("scalper", "study", "2026-01-01", {"scalper.w_ofi": 2.0}, {"scalper.w_ofi": 1.0}, {})
    Versions(paths).apply(made.version)
    told = plain(await house.ask("/scalper"))
    assert "Since then version 1 is applied: → /startscalper takes it" in told
    (paths.data / VIEW).write_bytes(view(version=1))
    told = plain(await house.ask("/scalper"))
    assert "Settings: optimised, version 1." in told and "Since then" not in told
    Versions(paths).rollback()
    assert "no longer applied" in plain(await house.ask("/scalper"))
