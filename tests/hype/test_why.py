"""/why: the first check that fails is the cause; every check tells its figure and its bar."""

from dataclasses import replace
from decimal import Decimal
from typing import Literal

import msgspec
import pytest

from config.settings import Settings
from modules.exchange.types import Mode
from modules.execution.risk_state import Limit, Trading
from modules.strategies.hype.files import HypeFiles, TestMode, mode_file
from modules.strategies.hype.reasons import Refusal
from modules.strategies.hype.records import Position, Strategy, Trade
from modules.strategies.hype.scan_report import BoardRow, LastCheck, ScanReport, scan_report_file
from modules.strategies.hype.why import explain, headline
from modules.supervision.status import ServiceStatus, State
from utils.paths import Paths

NOW = 1_750_000_000_000
BARS = {"min_price": 1e-9, "max_price": 1000.0, "min_quote_volume": 100_000.0, "max_spread_pct": 0.8,
        "growth_5m_pct": 3.0, "growth_1h_pct": 5.0, "growth_24h_pct": 15.0, "surge": 2.0, "min_depth_usdt": 300.0}


def service(name: str, state: State = "ready", wanted: bool = True, **info) -> ServiceStatus:
    return ServiceStatus(name, name.title(), state, wanted, info=info)


def crew(**changed: ServiceStatus | None) -> list[ServiceStatus]:
    plain = {"simulator": service("simulator"), "tracker": service("tracker"), "trainer": service("trainer"),
             "scanner": service("scanner", scans=9, data_age_s=1.0, pace_s=30.0, error="")}
    return [one for one in {**plain, **changed}.values() if one is not None]


def row(symbol: str, code: Refusal = Refusal.GROWTH_LOW, **figures: float | None) -> BoardRow:
    plain = BoardRow(symbol, 1.0, 0.1, 1e6, 0.1, 0.2, 0.3, int(code))
    return msgspec.structs.replace(plain, **figures)


REPORT = ScanReport(
    market_ms=NOW, started_ms=NOW - 3_600_000, scans=9, mode="TEST", mood="normal", btc_1h_pct=0.4,
    feedback_ready=True, bars=BARS, funnel={"listed": 310, "growth_low": 280, "volume_low": 28, "suspects": 2},
    totals={"looked_at": 9, "surge_low": 7, "candidates": 2, "approved": 1, "rejected": 1},
    board=[row("PEPEUSDT", Refusal.NONE, growth_1h=9.0), row("DOGEUSDT"), row("BTCUSDT")],
)


class House:
    """State on disk as a running crew leaves it."""

    def __init__(self, home) -> None:
        self.paths = Paths(home).prepare()
        self.settings = Settings()
        self.report(REPORT)
        self.trade("1", "OTHERUSDT", "BUY", NOW - 600_000)

    def report(self, report: ScanReport) -> None:
        scan_report_file(self.paths).save(report)

    def change(self, **fields) -> None:
        self.report(ScanReport(**{name: fields.get(name, getattr(REPORT, name)) for name in REPORT.__struct_fields__}))

    def trade(self, trade_id: str, symbol: str, side: Literal["BUY", "SELL"], ms: int, reason: str = "") -> None:
        HypeFiles(self.paths, Mode.TEST).trades.append(Trade(
            id=trade_id, position_id=trade_id, symbol=symbol, mode="TEST", side=side, market_ms=ms, price=Decimal(1),
            quantity=Decimal(1), quote_usdt=Decimal(1), fee_usdt=Decimal(0), strategy=Strategy.SIMPLE, confidence=0.9,
            reason=reason))

    def hold(self, *symbols: str, cost: str = "50") -> None:
        HypeFiles(self.paths, Mode.TEST).tracked.save({symbol: Position(
            id=symbol, symbol=symbol, mode="TEST", strategy=Strategy.SIMPLE, confidence=0.9, opened_ms=NOW,
            entry_price=Decimal(1), quantity=Decimal(50), initial_quantity=Decimal(50), cost_usdt=Decimal(cost),
            tp_prices=(Decimal("1.1"),), sl_price=Decimal("0.9"), sl_initial=Decimal("0.9"), dynamic_peak=Decimal(1),
        ) for symbol in symbols})

    def risk(self, **fields) -> None:
        file = HypeFiles(self.paths, Mode.TEST).risk
        file.save(msgspec.structs.replace(file.load(), **fields))

    def why(self, symbol: str | None = None, services=None):
        return explain(self.paths, self.settings, crew() if services is None else services, symbol)

    def cause(self, symbol: str | None = None, services=None):
        return next((check for check in self.why(symbol, services) if not check.ok), None)


@pytest.fixture
def house(tmp_path) -> House:
    return House(tmp_path)


def test_nothing_in_the_way(house):
    assert house.cause() is None
    assert "Nothing stands in the way" in headline(house.why())


@pytest.mark.parametrize(("services", "name", "told", "todo"), [
    (crew(scanner=service("scanner", "stopped", wanted=False)), "Bot started", "stopped", "/startbot"),
    (crew(scanner=None), "Bot started", "stopped", "/startbot"),
    (crew(tracker=service("tracker", "stopped")), "Services alive", "tracker is stopped", "/logs tracker"),
    (crew(scanner=replace(service("scanner", "crash-loop"), last_error="boom")), "Services alive", "boom",
     "/logs scanner"),
    (crew(scanner=replace(service("scanner", "crash-loop"), last_error="Its port is taken.")), "Services alive",
     "the scanner crashed again and again and is not started any more: Its port is taken.", "/logs scanner"),
    (crew(scanner=replace(service("scanner", "starting"), last_error="of an earlier life")), "Services alive",
     "the scanner is starting.", "Wait"),
    (crew(simulator=None), "Services alive", "simulator is stopped", "/logs simulator"),
    (crew(scanner=service("scanner", "starting")), "Services alive", "starting", "Wait"),
    (crew(scanner=service("scanner", scans=9, data_age_s=40.0, pace_s=2.0, error="timeout")), "Exchange reachable",
     "timeout", "network"),
    (crew(scanner=service("scanner", error="no network")), "Exchange reachable", "no network", "network"),
    (crew(scanner=service("scanner", scans=9, data_age_s=400.0, pace_s=30.0, error="")), "Exchange reachable",
     "400 s old", "/logs"),
    (crew(scanner=service("scanner", data_age_s=1.0)), "Exchange reachable", "no scan", "Wait"),
])
def test_the_crew_comes_first(house, services, name, told, todo):
    house.risk(trading=Trading.PAUSED)  # a later cause never hides an earlier one
    cause = house.cause(services=services)
    assert cause.name == name
    assert told in cause.text
    assert todo in cause.todo
    assert headline(house.why(services=services)).startswith(f"Not trading because {cause.text}")


def test_a_missing_simulator_is_no_matter_on_a_real_exchange(house):
    house.settings = Settings.model_validate({"exchange": {"name": "mexc"}})
    assert house.cause(services=crew(simulator=None)) is None


def test_live_without_keys(house):
    house.settings = Settings.model_validate({"exchange": {"name": "mexc"}})
    mode_file(house.paths).save(TestMode(test_mode=False))
    cause = house.cause()
    assert cause.name == "Mode"
    assert "EXCHANGE_API_KEY" in cause.todo


def test_paused(house):
    house.risk(trading=Trading.PAUSED, reason="by hand")
    cause = house.cause()
    assert cause.text == "entries are stopped (PAUSED: by hand)."
    assert cause.todo == "Send /resume."


def test_a_broken_limit_is_the_cause_until_it_lifts(house):
    house.risk(latched={Limit.DAY_LOSS: NOW + 1000})
    cause = house.cause()
    assert cause.name == "Entries allowed" and "DAY_LOSS is broken" in cause.text and "/risk" in cause.todo
    house.risk(latched={Limit.DAY_LOSS: NOW})
    assert house.cause() is None


def test_the_closest_limit_is_told_and_a_passed_one_is_the_cause(house):
    house.risk(equity=Decimal(9000), equity_ms=NOW, peak=Decimal(10_000))
    limits = next(check for check in house.why() if check.name == "Risk limits")
    assert limits.ok and limits.value == "fall from the peak 10.00" and limits.limit == "20.00 %"
    house.risk(exposure=Decimal(6000))
    assert house.cause().name == "Risk limits" and "share of equity in positions is at" in house.cause().text


def test_a_risk_state_that_cannot_be_read_is_told(house):
    for path in (HypeFiles(house.paths, Mode.TEST).risk.path,):
        path.write_text("{torn", encoding="utf-8")
    cause = house.cause()
    assert cause.name == "Entries allowed" and cause.value == "unreadable" and "/resume" in cause.todo


def test_mood_pause_tells_the_figure_and_when_it_ends(house):
    house.change(mood="pause", btc_1h_pct=-3.4)
    cause = house.cause()
    assert (cause.name, cause.value, cause.limit) == ("Market mood", "-3.40 %", "-3.00 %")
    assert "-2.50 %" in cause.text
    house.change(mood="careful", btc_1h_pct=-1.4)
    assert house.cause() is None


def test_limits_full(house):
    house.hold(*(f"T{i}USDT" for i in range(5)))
    cause = house.cause()
    assert (cause.name, cause.value, cause.limit) == ("Open trades", "5", "5")
    house.hold("AUSDT", cost="480")
    assert house.cause().name == "Exposure"
    house.hold()
    house.settings = Settings.model_validate({"hype": {"max_trades_per_day": 1}})
    assert house.cause().name == "Trades today"


@pytest.mark.parametrize(("trainer", "todo"), [
    (service("trainer", "stopped"), "/starttrain"), (service("trainer", progress="feedback 40 %"), "40 %"),
])
def test_the_feedback_model_is_missing(house, trainer, todo):
    house.change(feedback_ready=False, feedback_model="the feedback model is not trained yet")
    cause = house.cause(services=crew(trainer=trainer))
    assert cause.name == "Models"
    assert "simple and revival wait" in cause.text
    assert todo in cause.todo


def test_a_feedback_model_that_stands_aside_is_said_and_stops_nothing(house):
    house.change(feedback_model="its Brier score is no better than a constant's")
    [models] = [check for check in house.why() if check.name == "Models"]
    assert models.ok
    assert "stands aside" in models.text
    assert "Brier" in models.text


def test_the_funnel_tells_where_tokens_fall(house):
    house.change(totals={"looked_at": 9, "surge_low": 7, "fading": 2, "no_strategy": 9})
    cause = house.cause()
    assert cause.name == "Candidates"
    assert "only 2 of 310 symbols show hype now (280 not grown enough, 28 too little volume)" in cause.text
    assert "9 no strategy fits, 7 no surge of volume, 2 falling back" in cause.text
    assert "5.0 %/1h" in cause.limit
    house.change(totals={"candidates": 4, "rejected": 4, "feedback_no": 3, "confidence_low": 1})
    assert "4 candidates were judged in 60 min, 0 approved (3 feedback model said no" in house.cause().text


def test_approved_but_never_bought(house):
    HypeFiles(house.paths, Mode.TEST).trades.clear()
    assert house.cause().name == "Purchases"


@pytest.mark.parametrize("typed", ["doge", "DOGE/USDT", "dogeusdt"])
def test_a_token_that_has_not_grown_is_told_with_figures(house, typed):
    checks = house.why(typed)
    [growth] = [check for check in checks if check.name == "Growth"]
    assert not growth.ok
    assert growth.value == "5m +0.10 %, 1h +0.20 %, 24h +0.30 %"
    assert growth.limit == "one of 5m 3 %, 1h 5 %, 24h 15 %"
    assert headline(checks, "DOGEUSDT").startswith("DOGEUSDT is not bought because it has not grown enough: 5m +0.10 %")


def test_an_unknown_token_gets_the_nearest_names(house):
    cause = house.cause("pepee")
    assert cause.text == "the exchange lists no PEPEEUSDT."
    assert cause.todo == "Did you mean PEPEUSDT?"


@pytest.mark.parametrize(("code", "figures", "name", "value"), [
    (Refusal.NOT_TRADING, {}, "Listed and trading", ""),
    (Refusal.API_CLOSED, {}, "Open to API orders", ""),
    (Refusal.PRICE_HIGH, {"price": 2000.0}, "Price", "2000.0"),
    (Refusal.VOLUME_LOW, {"quote_volume": 5_000.0}, "Volume 24 h", "5,000 USDT"),
    (Refusal.SPREAD_WIDE, {"spread_pct": 1.4}, "Spread", "1.40 %"),
])
def test_each_filter_of_a_token(house, code, figures, name, value):
    house.change(board=[row("XUSDT", code, growth_1h=9.0, **figures)])
    cause = house.cause("x")
    assert (cause.name, cause.value) == (name, value)


def test_held_and_resting_tokens(house):
    house.hold("PEPEUSDT")
    assert house.cause("pepe").name == "Not held"
    house.hold()
    house.trade("2", "PEPEUSDT", "SELL", NOW - 600_000, "stop")
    cause = house.cause("pepe")
    assert cause.name == "Cool-down"
    assert "3.8 h after a stop" in cause.text


def seen(**fields) -> dict[str, LastCheck]:
    plain = {"symbol": "PEPEUSDT", "market_ms": NOW - 60_000, "strategy": "simple", "verdict": "rejected",
             "figures": {"depth_usdt": 900.0, "surge_1h": 3.0, "surge_15m": 4.0}}
    return {"PEPEUSDT": LastCheck(**{**plain, **fields})}


@pytest.mark.parametrize(("check", "name", "told"), [
    ({}, "Close look", "close look"),
    (seen(strategy="", verdict="refused", codes=("surge_low", "no_strategy")), "Volume surge", "3.0 ×"),
    (seen(strategy="", verdict="refused", codes=("depth_low",)), "Depth", "900 USDT"),
    (seen(strategy="", verdict="refused", codes=("fading", "no_strategy")), "Strategy", "falling back"),
    (seen(codes=("feedback_no",), confidence=0.31, text="chance 12 %"), "Models", "chance 12 %"),
    (seen(verdict="waiting", codes=("no_token_model",)), "Models", "waits for its own model"),
])
def test_the_close_look_and_the_verdict(house, check, name, told):
    house.change(checks=check)
    cause = house.cause("pepe")
    assert cause.name == name
    assert told in cause.text


def test_an_approved_token_is_held_up_only_by_the_account(house):
    house.change(checks=seen(verdict="approved", confidence=0.91))
    assert house.cause("pepe") is None
    house.risk(trading=Trading.PAUSED)
    assert house.cause("pepe").name == "Entries allowed"


def test_a_fresh_install_says_what_to_do(tmp_path):
    checks = explain(Paths(tmp_path).prepare(), Settings(), [])
    assert headline(checks) == "Not trading because the scanner is stopped."
    assert explain(Paths(tmp_path), Settings(), [], "pepe")
