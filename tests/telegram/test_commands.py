"""Every command against state files of its own: what it says, what it asks of the crew, what it leaves in inboxes."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from modules.exchange.types import Mode
from modules.execution.risk_state import RiskState, futures_risk_file, futures_scope
from modules.strategies.hype.files import HypeFiles, TestMode, mode_file
from modules.strategies.hype.records import Activity, Strategy
from modules.telegram.command import Role
from modules.telegram.markup import MESSAGE_LIMIT, length, plain
from tests.telegram.bot_api import parsed
from tests.telegram.house import CONSOLE, DAY_MS, NOW_MS, VIEWER, House, bought_and_sold, position, telegram

SPEC_A = (
    "startbot", "stopbot", "stopall", "restartbot", "restartloop", "restarloop", "starttrain", "stoptrain",
    "retrainfeedback", "summary", "testsummary", "activity", "testactivity", "resync", "tracked", "testtracked",
    "cleartracked", "balance", "cleanup", "status", "ping", "help", "testmode_on", "testmode_off", "teststatus",
    "clearmodels", "cleartestdata", "profit", "daily", "performance", "chart", "sell", "sellall", "pause", "resume",
    "logs", "settings", "version", "why",
)
ACTS = {"startbot", "stopbot", "testmode_on", "logs", "settings", "backup"}
DESTROYS_OR_SPENDS = {"closebtc", "stopall", "sell", "sellall", "testmode_off", "clearmodels", "cleartestdata",
                      "cleartracked", "resync", "cleanup", "quit", "pause", "resume", "drain", "flatten", "kill",
                      "shutdown", "optimize", "service", "dashboardpassword", "release", "closeleg", "stopscalper",
                      "startgrid", "stopgrid", "gridack", "data"}


def live(house: House) -> None:
    mode_file(house.paths).save(TestMode(test_mode=False))


# -- declarations


@pytest.mark.parametrize("name", SPEC_A)
def test_every_command_of_the_specification_is_there(house: House, name: str) -> None:
    assert house.router.find(name) is not None


def test_what_destroys_or_spends_asks_first(house: House) -> None:
    assert {command.name for command in house.context.commands if command.preview} == DESTROYS_OR_SPENDS


def test_viewers_only_read(house: House) -> None:
    allowed = {command.name for command in house.context.commands if command.role is Role.VIEWER}
    assert not allowed & (ACTS | DESTROYS_OR_SPENDS)


@pytest.mark.parametrize("line", [f"/{name}" for name in SPEC_A if name not in ("chart", "sell", "cleanup")])
async def test_every_answer_is_whole_markup_with_and_without_data(house: House, line: str) -> None:
    house.worker.answers["balance"] = {"balances": {}, "equity": "0", "venue": "x", "unpriced": [], "note": ""}
    parsed(await house.ask(line), "HTML")
    house.hold(position(), position("<EVIL>USDT", tp_hit=3, state="halted"))
    house.trade(*bought_and_sold(1, "-2", NOW_MS, "A&BUSDT"))
    record = Activity(market_ms=NOW_MS, event="judged", symbol="<X>", text="&")
    HypeFiles(house.paths, Mode.TEST).activity.append(record)
    house.crew.broken = {"tracker"}
    answer = await house.ask(line)
    parsed(answer, "HTML")
    assert answer and length(answer) <= MESSAGE_LIMIT


# -- starting and stopping


async def test_startbot_says_what_happens_next(house: House) -> None:
    steps: list[str] = []

    async def progress(text: str) -> None:
        steps.append(plain(text))

    told = plain(await house.ask("/startbot", progress=progress))
    assert steps == ["Starting on the simulated exchange, TEST mode …"]
    assert house.crew.asked == [("start", "tracker", "scanner", "trainer")]
    for word in ("simulated exchange, TEST mode", "paper money", "First candidates", "/why", "50.00 USDT a trade"):
        assert word in told
    assert "Already running" in plain(await house.ask("/startbot"))


async def test_startbot_promises_nothing_while_the_exchange_is_away(house: House) -> None:
    house.crew.info["scanner"] = {"error": "nothing could be sent"}
    told = plain(await house.ask("/startbot"))
    assert "The exchange cannot be reached yet" in told and "First candidates" not in told


async def test_startbot_names_what_did_not_start(house: House) -> None:
    house.crew.broken = {"scanner"}
    told = plain(await house.ask("/startbot"))
    assert "Not everything started" in told and "Scanner: crash-loop. it fell over" in told and "/logs scanner" in told


async def test_startbot_live_is_loud(tmp_path: Path) -> None:
    house = House(tmp_path, EXCHANGE="mexc", EXCHANGE_API_KEY="k" * 20, EXCHANGE_API_SECRET="s" * 20)
    live(house)
    assert "REAL MONEY" in await house.ask("/startbot") and "[LIVE]" in await house.ask("/status")


async def test_stopbot_leaves_the_guard_on_while_positions_are_open(house: House) -> None:
    await house.ask("/startbot")
    house.hold(position())
    house.crew.must = {"tracker"}
    told = plain(await house.ask("/stopbot"))
    assert "tracker goes on guarding" in told and "1 position, 52.00 USDT: PEPEUSDT" in told
    assert house.crew.states["scanner"] == "stopped" and house.crew.states["tracker"] == "ready"


async def test_stopbot_without_positions_stops_both(house: House) -> None:
    await house.ask("/startbot")
    assert "Scanner and tracker stopped" in await house.ask("/stopbot")


async def test_stopall_asks_only_while_positions_are_open(house: House) -> None:
    assert "Everything is stopped" in await house.ask("/stopall")
    house.hold(position(), mode=Mode.LIVE)
    asked = plain(await house.ask("/stopall"))
    assert "LIVE: 1 position, 52.00 USDT" in asked and "nobody would sell them" in asked
    told = plain(await house.confirm("/stopall"))
    assert "Unguarded" in told and house.crew.asked == [("stop_all",), ("stop_all",)]


async def test_restartloop_under_both_names(house: House) -> None:
    await house.ask("/startbot")
    for name in ("/restartloop", "/restarloop"):
        assert "they live on" in await house.ask(name)
    assert house.restarts == 2


def test_positions_keep_the_tracker_running(house: House) -> None:
    assert house.context.must_run() == set()
    house.hold(position(), mode=Mode.LIVE)
    assert house.context.must_run() == {"tracker"}
    for path in house.paths.data.glob("tracked_tokens.json*"):
        path.write_text("{torn", encoding="utf-8")
    assert house.context.must_run() == {"tracker"}  # unreadable is not "none"


# -- positions


async def test_tracked_shows_figures(house: House) -> None:
    house.crew.states["tracker"] = "ready"
    house.hold(position(realized_usdt=Decimal("1.5"), tp_hit=1))
    told = plain(await house.ask("/tracked"))
    for word in ("[TEST] 1 open position, 52.00 USDT", "in 0.5 → 0.52 (+4.00%)", "SL 0.4825 · TP2 0.55",
                 "open +2.00", "taken +1.50", "held 1h"):
        assert word in told, told


async def test_tracked_pages(house: House) -> None:
    house.hold(*(position(f"T{number:02d}USDT", opened_ms=NOW_MS - 60_000 + number) for number in range(20)))
    answer = await house.router.line(CONSOLE, "/tracked")
    assert answer is not None and "T07USDT" in answer.text and "T08USDT" not in answer.text
    (button,), = answer.buttons
    second = await house.router.press(CONSOLE, button.data)
    assert second is not None and second.replaces and "T08USDT" in second.text and "T07USDT" not in second.text
    assert [b.label for b in second.buttons[0]] == ["← newer", "3/3 →"]


async def test_each_mode_has_its_own(house: House) -> None:
    house.hold(position("LIVEUSDT", "LIVE"), mode=Mode.LIVE)
    assert "LIVE holds 1 position" in plain(await house.ask("/tracked"))
    assert "LIVEUSDT" in await house.ask("/tracked live") and "LIVEUSDT" not in await house.ask("/testtracked")


async def test_sell_states_the_exposure_and_starts_the_tracker(house: House) -> None:
    house.hold(position())
    asked = plain(await house.ask("/sell pepe"))
    assert "100, about 52.00 USDT, open result +2.00 USDT" in asked and "At stake: paper money." in asked
    told = plain(await house.confirm("/sell pepe"))
    assert "has been started for this" in told and ("start", "tracker") in house.crew.asked
    assert house.inbox("tracker") == [("sell", {"symbol": "PEPEUSDT", "mode": "TEST", "reason": "manual"})]


async def test_sell_of_what_is_not_held_names_what_is(house: House) -> None:
    house.hold(position())
    told = plain(await house.ask("/sell doge"))
    assert "DOGEUSDT is not held" in told and "Held: PEPEUSDT" in told


async def test_sellall_takes_both_modes_or_the_one_named(house: House) -> None:
    house.crew.states["tracker"] = "ready"
    house.hold(position())
    house.hold(position("DOGEUSDT", "LIVE"), mode=Mode.LIVE)
    assert "all 2 positions" in plain(await house.ask("/sellall"))
    await house.confirm("/sellall live")
    assert house.inbox("tracker") == [("sell_all", {"mode": "LIVE", "reason": "manual"})]


async def test_resync_previews_the_changes(house: House) -> None:
    house.crew.states["tracker"] = "ready"
    house.worker.answers["resync_changes"] = {"changes": []}
    assert "Nothing to mend" in await house.ask("/resync")
    house.worker.answers["resync_changes"] = {"changes": [
        {"symbol": "PEPEUSDT", "kind": "drop", "line": "PEPEUSDT: drop (none in the account)"}]}
    assert "PEPEUSDT: drop" in await house.ask("/resync")
    await house.confirm("/resync")
    house.hold(position())
    assert "52.00 USDT is tracked that is not there" in await house.ask("/cleartracked")
    await house.confirm("/cleartracked")
    assert house.inbox("tracker") == [("resync", {"mode": "TEST"}),
                                      ("clear_tracked", {"mode": "TEST", "symbols": ["PEPEUSDT"]})]


@pytest.mark.parametrize("line", ["/resync", "/cleartracked", "/balance live", "/chart pepe"])
async def test_an_unreachable_exchange_is_said_and_changes_nothing(house: House, line: str) -> None:
    house.hold(position())
    told = plain(await house.ask(line))
    assert "could not be done" in told and "cannot be reached" in told and house.inbox("tracker") == []


async def test_balance(house: House) -> None:
    house.worker.answers["balance"] = {
        "balances": {"USDT": {"free": "900", "locked": "50", "total": "950", "usdt": "950"},
                     "PEPE": {"free": "10", "locked": "0", "total": "10", "usdt": None}},
        "equity": "950.00", "venue": "mexc", "unpriced": ["PEPE"], "note": ""}
    told = plain(await house.ask("/balance"))
    for word in ("[TEST] Balance: 950.00 USDT", "paper account", "USDT: 950, 50 in orders", "Without a price: PEPE"):
        assert word in told


async def test_balance_while_an_account_opens_is_no_failure(house: House) -> None:
    house.crew.states["scalper"] = "ready"  # it runs, and has left no books yet
    told = plain(await house.ask("/balance"))  # and the spot account was never begun
    assert "[TEST] Balance: no spot account" in told and "Futures scalper: the account is being opened" in told
    assert "could not be done" not in told
    state = RiskState(scope=futures_scope("scalper", Mode.TEST), equity=Decimal("9876.5"))
    futures_risk_file(house.paths.data, "scalper", Mode.TEST).save(state)
    assert "Futures scalper: 9,876.50 USDT, open results included" in plain(await house.ask("/balance"))


# -- reports


def _history(house: House) -> None:
    house.crew.states["tracker"] = "ready"
    house.trade(*bought_and_sold(1, "5", NOW_MS - 9 * DAY_MS))
    house.trade(*bought_and_sold(2, "-2", NOW_MS - 3 * DAY_MS, "DOGEUSDT", strategy=Strategy.REVIVAL, reason="stop"))
    house.trade(*bought_and_sold(3, "1.5", NOW_MS - 3_600_000))


async def test_summary_has_real_figures_and_a_picture(house: House) -> None:
    _history(house)
    house.hold(position())
    house.worker.answers["equity"] = {"picture": "pictures/e.png"}
    answer = await house.router.line(CONSOLE, "/summary")
    assert answer is not None and answer.picture == house.paths.data / "pictures" / "e.png"
    told = plain(answer.text)
    for word in ("[TEST] Summary (paper money)", "Today: +1.50 USDT net", "7 days: −0.50 USDT net",
                 "All: +4.50 USDT net", "3 trades closed, 67% won, fees 0.30", "Best PEPEUSDT +10.00% (+5.00 USDT)",
                 "Worst DOGEUSDT −4.00% (−2.00 USDT)", "1 open position: 52.00 USDT, open +2.00"):
        assert word in told, told
    spec: dict[str, Any] = house.worker.asked[-1][1]
    assert [total for _, total in spec["points"]] == [5.0, 3.0, 4.5] and spec["unrealised"] == 2.0


async def test_summary_without_its_picture_keeps_its_figures(house: House) -> None:
    _history(house)
    told = plain(await house.ask("/summary"))
    assert "All: +4.50" in told and "no picture" in told


async def test_testsummary_is_of_test_also_in_live_mode(house: House) -> None:
    _history(house)
    live(house)
    assert "[TEST] Summary" in await house.ask("/testsummary") and "[LIVE] Summary" in await house.ask("/summary")


async def test_profit_daily_performance(house: House) -> None:
    _history(house)
    assert "Profit factor 3.25" in await house.ask("/profit")
    days = plain(await house.ask("/daily 10"))
    assert "10-09       1  100%      +1.50" in days and "10-06       1    0%      −2.00" in days
    assert "Together +4.50" in days and "09-30       1  100%      +5.00" in days
    table = plain(await house.ask("/performance"))
    for row in ("simple          2 100%     +6.50", "revival         1   0%     −2.00", "stop            1   0%",
                "PEPE            2 100%     +6.50"):
        assert row in table, table


async def test_tables_fit_a_phone(house: House) -> None:
    _history(house)
    for line in ("/daily 60", "/performance"):
        assert max(len(row) for row in plain(await house.ask(line)).splitlines()) <= 46


async def test_activity_newest_first_in_pages(house: House) -> None:
    for number in range(30):
        HypeFiles(house.paths, Mode.TEST).activity.append(Activity(
            market_ms=NOW_MS + number, event="judged", symbol=f"N{number:02d}USDT", strategy="simple",
            verdict="rejected", codes=("growth_low",), confidence=0.7, price=0.5))
    answer = await house.router.line(CONSOLE, "/activity")
    assert answer is not None and answer.text.index("N29") < answer.text.index("N18") and "N17" not in answer.text
    assert "growth_low" in answer.text and "conf 0.70" in answer.text
    last = await house.ask("/activity 3")
    assert "N05" in last and "N06" not in last
    assert await house.ask("/activity 99") == last


async def test_chart_asks_for_lines_and_fills(house: House) -> None:
    _history(house)
    house.hold(position())
    house.worker.answers["chart"] = {"picture": "pictures/c.png", "last": 0.52, "change_pct": 3.0}
    answer = await house.router.line(telegram(VIEWER), "/chart pepe 1h")
    assert answer is not None and answer.picture is not None and "+3.00%" in answer.text
    assert answer.text.count("targets reached") == 1
    spec = house.worker.asked[-1][1]
    assert spec["position"]["entry"] == 0.5 and spec["position"]["sl"] == 0.4825 and len(spec["fills"]) == 4


async def test_chart_of_an_unknown_symbol_names_near_ones(house: House) -> None:
    house.worker.answers["chart"] = {"unknown": True, "symbols": ["BTCUSDT", "PEPEUSDT"]}
    assert "Near: PEPEUSDT" in plain(await house.ask("/chart peppe"))


# -- test and live


async def test_live_needs_keys(tmp_path: Path) -> None:
    house = House(tmp_path, EXCHANGE="mexc")
    told = plain(await house.ask("/testmode_off"))
    assert "Live needs keys" in told and "EXCHANGE_API_KEY" in told and house.context.mode() is Mode.TEST


async def test_a_key_that_can_withdraw_is_refused(house: House) -> None:
    house.worker.answers["key_report"] = {"refused": "This key can withdraw coins.", "usdt": "0"}
    assert "can withdraw" in await house.ask("/testmode_off") and house.context.mode() is Mode.TEST


async def test_testmode_off_says_live_loudly_with_the_exposure(house: House) -> None:
    house.worker.answers["key_report"] = {"refused": "", "usdt": "812.5"}
    asked = plain(await house.ask("/testmode_off"))
    for word in ("🔴 LIVE 🔴", "812.50 USDT free", "A trade: 50.00 USDT", "at most 500.00 USDT", "at most 50 entries"):
        assert word in asked
    assert house.context.mode() is Mode.TEST
    assert "[LIVE]" in await house.confirm("/testmode_off") and house.context.mode() is Mode.LIVE
    house.hold(position("DOGEUSDT", "LIVE"), mode=Mode.LIVE)
    assert "Live positions stay guarded" in await house.ask("/testmode_on") and house.context.mode() is Mode.TEST


# -- state


async def test_status_shows_the_crew(house: House) -> None:
    await house.ask("/startbot")
    house.crew.info = {"scanner": {"scans": 12, "data_age_s": 0.4}, "tracker": {"unresolved": 2, "exchange": "ok"}}
    told = plain(await house.ask("/status"))
    for word in ("[TEST] simulated exchange, paper money", "Tracker: ready · up 1m 5s · 80 MB",
                 "12 scans · data 0.4 s old", "⚠️ 2 orders unresolved", "TEST: 0 open positions"):
        assert word in told, told
    assert "exchange: ok" not in told


async def test_status_of_a_crash_loop_says_what_to_do(house: House) -> None:
    house.crew.broken = {"tracker"}
    await house.ask("/startbot")
    told = plain(await house.ask("/status"))
    assert "🔴 Tracker: crash-loop" in told and "it fell over" in told and "/logs tracker" in told


async def test_why_begins_with_the_cause(house: House) -> None:
    told = plain(await house.ask("/why"))
    assert told.startswith("[TEST] Not trading because") and "/startbot" in told
    assert told.splitlines()[0].count("because") == 1


async def test_logs_hide_secrets_and_settings_too(tmp_path: Path) -> None:
    secret = "0123456789abcdefSECRET"
    house = House(tmp_path, EXCHANGE_API_SECRET=secret, EXCHANGE_API_KEY="k" * 20, HYPE_TRADE_USDT="75")
    (house.paths.logs / "bot.log").write_text(f"2025-04-01T09:30:00.000Z INFO x: key {secret} <b>\n", encoding="utf-8")
    told = await house.ask("/logs")
    assert secret not in told and "09:30:00 INFO x: key" in told
    shown = plain(await house.ask("/settings"))
    assert "hype.trade_usdt = 75.0" in shown and "exchange.api_secret = set" in shown and secret not in shown
    assert "hype.max_open_trades = 5" in plain(await house.ask("/settings hype"))
    assert "There is no group 'xyz'" in await house.ask("/settings xyz")


async def test_help_by_role_and_in_detail(house: House) -> None:
    mine, theirs = await house.ask("/help"), await house.ask("/help", telegram(VIEWER))
    assert "/sellall" in mine and "/sellall" not in theirs and "/wait" in mine and "/wait" not in theirs
    assert "Asks for a confirmation" in await house.ask("/help sell")
    assert "no command 'sell'" in await house.ask("/help sell", telegram(VIEWER))


async def test_testmode_off_says_when_entries_are_stopped(house: House) -> None:
    house.crew.states.update(scanner="ready", tracker="ready")
    house.worker.answers["key_report"] = {"refused": "", "usdt": "812.5"}
    assert "it buys at once" in await house.ask("/testmode_off")
    house.crew.info["tracker"] = {"stopped_live": "paused by <User1>"}
    told = await house.ask("/testmode_off")
    assert "it buys at once" not in told and "Nothing is bought at first: paused by &lt;User1&gt;" in told


async def test_startbot_keeps_words_of_an_earlier_life_to_itself(house: House) -> None:
    house.crew.broken = {"scanner"}
    house.crew.start = broken_start(house)  # type: ignore[method-assign]
    told = plain(await house.ask("/startbot"))
    assert "Scanner: stopped." in told and "it fell over" not in told


def broken_start(house: House) -> Any:
    async def start(*names: str) -> Any:
        house.crew.states["scanner"] = "stopped"
        return [status for status in house.crew.status() if status.name in names]
    return start
