"""/metrics: text that Prometheus' own parser reads, from state the rooms' own writers made; who may read it."""

import math
import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from modules.dashboard.exposition import CONTENT_TYPE, Exposition
from modules.exchange.budget import PAGE_SIZE, Budget
from modules.exchange.lanes import Lane
from modules.exchange.page import SharedPage
from modules.exchange.types import Mode
from modules.execution.futures.plan import FuturesState
from modules.execution.risk_state import Limit, RiskState, Trading, futures_risk_file, futures_scope
from modules.storage.json_state import JsonFile
from modules.storage.sql.spool import Entry, Spool
from modules.storage.sql.waiting import waiting
from modules.strategies.hype.files import HypeFiles
from modules.supervision.service import ServiceRun
from tests.dashboard.asgi import LOOKING, Browser, parts_of
from tests.telegram.house import NOW_MS, House, position
from utils.paths import PROJECT

TOKEN = "0123456789abcdef0123"
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def read(text: str) -> Samples:
    """Every sample, by name and labels; each only once."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation and family.type in ("gauge", "counter"), family
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert key not in found, key
            found[key] = sample.value
    return found


def of(found: Samples, name: str, **labels: str) -> float | None:
    return found.get((name, frozenset(labels.items())))


async def scraped(house: House) -> Samples:
    browser = await Browser(parts_of(house).app).log_in(LOOKING)
    reply = await browser.ask("GET", "/metrics")
    assert reply.status == 200 and reply.headers["content-type"] == CONTENT_TYPE, reply.text
    return read(reply.text)


def risk(scope: str, **more: Any) -> RiskState:
    return RiskState(scope=scope, equity=Decimal(9600), equity_ms=NOW_MS, day="2025-10-09", day_start=Decimal(10_000),
                     week_start=Decimal(10_000), peak=Decimal(10_000), exposure=Decimal(120), **more)


async def test_without_any_state_it_is_read_and_nothing_is_made_up(house: House) -> None:
    found = await scraped(house)
    assert of(found, "coxswain_mode", mode="TEST") == 1 and of(found, "coxswain_mode", mode="LIVE") == 0
    assert of(found, "coxswain_command_process_up") == 0
    assert of(found, "coxswain_service_up", service="tracker") == 0
    assert not [name for name, _ in found if name in ("coxswain_equity_usdt", "coxswain_data_age_seconds")]
    assert {value for (name, _), value in found.items() if name == "coxswain_part_readable"} == {1.0}


async def test_services_positions_money_risk_latency_budgets_and_spool(house: House) -> None:
    ServiceRun("tracker", house.paths, 1.0).ready(exchange="ok", look_p50_ms=12, seen_ms=NOW_MS, unguarded=0,
                                                  unresolved=2)
    ServiceRun("scanner", house.paths, 1.0).ready(data_age_s=3.5)
    (house.paths.run / "desired.json").write_text('["tracker","trainer"]')
    house.hold(position(), position("DOGEUSDT"))
    HypeFiles(house.paths, Mode.TEST).risk.save(risk("hype/TEST", trading=Trading.HALTED, latched={Limit.DAY_LOSS: 0}))
    futures_risk_file(house.paths.data, "scalper", Mode.TEST).save(risk(futures_scope("scalper", Mode.TEST)))
    JsonFile(house.paths.data / "test_futures_scalper.json", FuturesState, FuturesState).save(
        FuturesState(blocked={"BTCUSDT LONG": "strange"}))
    page = SharedPage(house.paths.run / "exchange-simulated.budget1", PAGE_SIZE)
    Budget(page, 450.0, 10.0, lambda: 1.0).claim("ticker", 45, Lane.DATA, 5.0)
    spool = Spool(house.paths.data / "spool" / "signals")
    spool.put([Entry("signals", {"id": number}) for number in range(7)])
    found = await scraped(house)
    hype, scalper = {"system": "hype", "mode": "TEST"}, {"system": "scalper", "mode": "TEST"}
    assert of(found, "coxswain_service_up", service="tracker") == 1
    assert of(found, "coxswain_service_state", service="tracker", state="ready") == 1
    assert of(found, "coxswain_service_wanted", service="trainer") == 1
    assert of(found, "coxswain_service_up", service="trainer") == 0
    assert of(found, "coxswain_latency_seconds", service="tracker", what="look_p50") == 0.012
    assert of(found, "coxswain_data_age_seconds", source="scanner") == 3.5
    assert of(found, "coxswain_exchange_ok") == 1 and of(found, "coxswain_orders_unresolved", system="hype") == 2
    assert of(found, "coxswain_positions", **hype) == 2 and of(found, "coxswain_positions", **scalper) == 0
    assert of(found, "coxswain_equity_usdt", **hype) == 9600 and of(found, "coxswain_pnl_day_usdt", **hype) == -400
    assert of(found, "coxswain_exposure_usdt", **scalper) == 120
    assert of(found, "coxswain_risk_state", **hype, state="HALTED") == 1
    assert of(found, "coxswain_risk_state", **hype, state="ACTIVE") == 0
    assert of(found, "coxswain_limits_latched", **hype) == 1
    assert of(found, "coxswain_limit_used_ratio", **hype, limit="loss_of_the_day") == pytest.approx(0.8)
    assert of(found, "coxswain_legs_blocked", **scalper) == 1
    assert of(found, "coxswain_budget_used_ratio", venue="exchange") == pytest.approx(0.1)
    assert of(found, "coxswain_spool_rows", service="signals") == 7
    assert (of(found, "coxswain_disk_free_bytes") or 0) > 0
    page.close()
    spool.close()


async def test_what_is_damaged_is_said_and_the_rest_is_told(house: House) -> None:
    house.paths.config.joinpath("state.json").write_text("{")
    (house.paths.data / "risk_state.json").write_text("{")
    futures_risk_file(house.paths.data, "scalper", Mode.LIVE).save(risk(futures_scope("scalper", Mode.LIVE)))
    (house.paths.data / "futures_scalper.json").write_text("{")
    found = await scraped(house)
    assert of(found, "coxswain_part_readable", part="mode") == 0
    assert of(found, "coxswain_part_readable", part="futures") == 0
    assert of(found, "coxswain_part_readable", part="system_a") == 1
    assert of(found, "coxswain_risk_state", system="hype", mode="LIVE", state="UNREADABLE") == 1
    assert of(found, "coxswain_risk_state", system="scalper", mode="LIVE", state="ACTIVE") == 1
    assert of(found, "coxswain_positions", system="scalper", mode="LIVE") is None


def test_rows_that_were_written_away_do_not_wait(house: House) -> None:
    spool = Spool(house.paths.data / "spool" / "x")
    spool.put([Entry("signals", {"id": number}) for number in range(10)])
    _, place = spool.take(4)
    spool.done(place)
    told = waiting(spool.folder)
    assert (told.rows, told.bytes) == (6, spool.waiting_bytes()) and not told.damaged
    spool.close()
    assert waiting(house.paths.data / "spool" / "nobody").rows == 0


def home(house: House, **more: str) -> House:
    return House(house.paths.home, **more)


async def test_nobody_reads_it_without_login_or_token(house: House) -> None:
    open_ = home(house, DASHBOARD_METRICS_TOKEN=TOKEN)
    for parts in (parts_of(house), parts_of(open_)):
        for shown in ("", f"Bearer {TOKEN}x", "Bearer", "Bearer ", TOKEN, f"Basic {TOKEN}"):
            reply = await Browser(parts.app).ask("GET", "/metrics", authorization=shown)
            assert reply.status == 401, shown
    assert (await Browser(parts_of(house).app).ask("GET", "/metrics", authorization=f"Bearer {TOKEN}")).status == 401
    assert (await Browser(parts_of(open_).app).ask("GET", "/metrics", authorization=f"bearer {TOKEN}")).status == 200


async def test_the_token_opens_nothing_else(house: House) -> None:
    browser = Browser(parts_of(home(house, DASHBOARD_METRICS_TOKEN=TOKEN)).app)
    for method, path in (("GET", "/overview"), ("GET", "/api/me"), ("POST", "/metrics"), ("POST", "/api/ask"),
                         ("GET", "/metrics/"), ("GET", "//metrics"), ("GET", "/metrics/../api/me")):
        reply = await browser.ask(method, path, {} if method == "POST" else None, authorization=f"Bearer {TOKEN}")
        assert reply.status in (401, 403), path
    asked = await browser.ask("GET", "/metrics", authorization=f"Bearer {TOKEN}", host="coxswain:8080")
    assert asked.status == 200, "a container's name is no name of ours, the token is"


@pytest.mark.parametrize(("address", "more", "status"), [
    ("127.0.0.1", {}, 200), ("::1", {}, 200), ("10.0.0.5", {}, 401),
    ("127.0.0.1", {"x_forwarded_for": "127.0.0.1"}, 401),
    ("127.0.0.1", {"forwarded": "for=10.0.0.5"}, 401), ("127.0.0.1", {"x_real_ip": "10.0.0.5"}, 401),
    ("127.0.0.1", {"host": "evil.example"}, 421), ("?", {}, 401)],
    ids=["v4", "v6", "far", "proxied", "forwarded", "real-ip", "rebound", "unknown"])
async def test_from_this_machine_only_where_the_setting_says_so(house: House, address: str, more: dict[str, str],
                                                                 status: int) -> None:
    local = home(house, DASHBOARD_METRICS_ON_LOOPBACK="true")
    assert (await Browser(parts_of(local).app, address).ask("GET", "/metrics", **more)).status == status
    assert (await Browser(parts_of(house).app, address).ask("GET", "/metrics", **more)).status in (401, 421)
    assert (await Browser(parts_of(local).app, address).ask("GET", "/api/me", **more)).status in (401, 421)


def test_a_short_token_is_refused(house: House) -> None:
    with pytest.raises(Exception, match="shorter than 20"):
        home(house, DASHBOARD_METRICS_TOKEN="short")
    assert TOKEN not in repr(home(house, DASHBOARD_METRICS_TOKEN=TOKEN).settings.dashboard)


@given(st.text(max_size=30), st.floats(allow_nan=True), st.text(max_size=30))
def test_any_word_and_any_figure_is_read_back(word: str, value: float, told: str) -> None:
    shown = Exposition()
    shown.gauge("coxswain_some", told, value, name=word)
    shown.gauge("coxswain_some", told, 1, name=word + "!")
    shown.gauge("coxswain_some", told, None, name=word + "?")
    shown.counter("coxswain_more_total", "More.", 3)
    [some, more] = list(text_string_to_metric_families(shown.text()))
    assert [sample.labels["name"] for sample in some.samples] == [word, word + "!"]
    got = some.samples[0].value
    assert got == value or (math.isnan(got) and math.isnan(value))
    assert more.type == "counter" and more.samples[0].value == 3


def test_the_example_alerts_name_metrics_that_exist(house: House) -> None:
    """deploy/prometheus: no alert waits for a name that nobody tells."""
    sources = "".join(path.read_text("utf-8") for path in (PROJECT / "modules" / "dashboard").glob("metrics*.py"))
    rules = (PROJECT / "deploy" / "prometheus-alerts.yml").read_text("utf-8")
    named = set(re.findall(r"coxswain_\w+", rules))
    assert len(named) > 10 and not [name for name in named if f'"{name}"' not in sources]
