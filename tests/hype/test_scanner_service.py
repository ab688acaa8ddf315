"""The scanner as a service: pace, outage, messages, warm-up; and once against the real simulated exchange."""

import asyncio
from datetime import UTC, datetime

import pytest

from config.settings import Settings
from modules.exchange.types import Mode
from modules.learning.predictor import Predictor
from modules.simulator.server import serve
from modules.simulator.settings import SimulatorSettings
from modules.strategies.hype import scanner_service
from modules.strategies.hype.files import HypeFiles
from modules.strategies.hype.scan_report import scan_report_file
from modules.strategies.hype.scanner import Scanner
from modules.strategies.hype.scanner_service import ScannerLoop
from modules.supervision.messages import Inbox
from modules.supervision.service import ServiceRun, read_beat
from tests.hype.market_in_memory import Coin, MemoryMarket
from tests.surroundings import until
from utils.paths import Paths

QUICK = Settings.model_validate({"hype": {"scan_interval_s": 1.0}})


class Service:
    """A running ScannerLoop on a venue in memory."""

    def __init__(self, home, monkeypatch) -> None:
        for name in ("FLOOR_S", "RETRY_S"):
            monkeypatch.setattr(scanner_service, name, 0.01)
        monkeypatch.setattr(scanner_service, "OUTAGE_SAID_AFTER_S", 0.05)
        self.paths = Paths(home).prepare()
        self.market = MemoryMarket({"BTCUSDT": Coin(price=60_000.0, volume_24h=1e9), "PEPEUSDT": Coin()})
        self.market.hand.speed = 1000.0
        self.run = ServiceRun("scanner", self.paths, 0.5)
        self.scanner = Scanner(self.market, Predictor(self.paths.models), QUICK.hype, self.paths)
        self.task = asyncio.create_task(ScannerLoop(self.run, QUICK, self.market, self.scanner).work())

    @property
    def facts(self):
        return self.scanner.view.facts

    async def stop(self) -> None:
        self.run.stop.set()
        await self.task

    def notices(self) -> list[str]:
        return [notice.what for _, notice in self.run.outbox.pending("test")]


@pytest.fixture
async def service(tmp_path, monkeypatch):
    made = Service(tmp_path, monkeypatch)
    yield made
    if not made.task.done():
        await made.stop()


async def test_it_scans_warms_up_tells_and_leaves_a_report(service):
    await until(lambda: service.facts.scans >= 3 and service.facts.warmed == 2, "three scans and the warm-up")
    await service.stop()
    service.run.beat()
    beat = read_beat(service.paths.run, "scanner")
    assert beat is not None
    told = beat.info
    assert told["scans"] >= 3
    assert told["error"] == ""
    assert told["warmed"] == 2
    assert scan_report_file(service.paths).load().scans == service.facts.scans


async def test_an_outage_is_told_once_then_its_end_and_nothing_crashes(service):
    await until(lambda: service.facts.scans >= 1, "a scan")
    service.market.broken.add("tickers")
    await until(lambda: service.notices(), "the notice of an outage")
    failed = len(service.market.calls)
    await until(lambda: len(service.market.calls) > failed + 10, "ten more tries")
    assert len(service.notices()) == 1
    assert "broken" in service.facts.error
    service.market.broken.clear()
    scans = service.facts.scans
    await until(lambda: service.facts.scans > scans and len(service.notices()) == 2, "scans and a notice of the end")
    assert service.facts.error == ""
    assert not service.task.done()


async def test_a_full_disk_is_told_stops_proposals_and_ends_when_there_is_room(service):
    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    coin = Coin(growth_5m=9.0, growth_1h=12.0, growth_24h=20.0, surge=6.0)
    written, service.scanner._records.judged = service.scanner._records.judged, full
    service.market.coins["PEPEUSDT"] = coin
    tracker = Inbox(service.paths.inbox, "tracker")
    await until(lambda: service.notices(), "the notice")
    assert "No space left" in service.facts.error
    assert tracker.waiting() == 0
    service.scanner._records.judged = written
    await until(lambda: tracker.waiting() == 1, "the proposal")
    assert not service.task.done()


async def test_messages_are_taken_once_and_unknown_ones_do_no_harm(service):
    came: list[str] = []
    service.scanner.model_ready = came.append
    inbox = Inbox(service.paths.inbox, "scanner")
    inbox.post("model_ready", {"symbol": "PEPEUSDT", "made": True, "reason": ""}, "trainer")
    inbox.post("dance", {}, "nobody")
    inbox.post("model_ready", {"symbol": "feedback", "text": "the feedback model is retired: it broke its promise"},
               "trainer")
    await until(lambda: inbox.waiting() == 0, "taking the messages")
    assert came == ["PEPEUSDT", "feedback"]
    noted = [record for record in HypeFiles(service.paths, Mode.TEST).activity.newest(9) if record.event == "model"]
    assert [record.text for record in noted] == ["the feedback model is retired: it broke its promise"]


async def test_a_token_without_candles_does_not_end_the_warm_up(service):
    service.market.coins["BADUSDT"] = Coin(growth_24h=40.0)
    service.market.broken.add("BADUSDT")
    await until(lambda: service.facts.warmed == 2 and not service.facts.warming, "the warm-up of the others")
    assert not service.task.done()


async def test_an_unreachable_exchange_is_waited_for_not_crashed_on(tmp_path, monkeypatch):
    monkeypatch.setattr(scanner_service, "RETRY_S", 0.01)
    run = ServiceRun("scanner", Paths(tmp_path).prepare(), 0.5)
    task = asyncio.create_task(scanner_service.main(run, Settings()))  # the simulated exchange is not running

    def told() -> bool:
        run.beat()
        beat = read_beat(run.paths.run, "scanner")
        return beat is not None and beat.ready and "not running" in str(beat.info.get("error"))

    await until(told, "telling the error")
    run.stop.set()
    await task


async def test_on_the_real_simulated_exchange_it_knows_the_hour_of_the_market_within_seconds(tmp_path):
    port: list[int] = []
    stop = asyncio.Event()
    options = SimulatorSettings(tokens=60, seed=3, speed=60, start=datetime(2026, 3, 3, 12, tzinfo=UTC))
    venue = asyncio.create_task(serve(options, port.append, stop))
    try:
        await until(lambda: port or venue.done(), "the simulator's start")
        settings = Settings.model_validate({"exchange": {"base_url": f"http://127.0.0.1:{port[0]}"}})
        run = ServiceRun("scanner", Paths(tmp_path).prepare(), 0.5)
        task = asyncio.create_task(scanner_service.main(run, replace_hype(settings)))
        report = lambda: scan_report_file(run.paths).load()  # noqa: E731
        known = lambda: sum(row.growth_1h is not None for row in report().board)  # noqa: E731
        await until(lambda: report().warmed > 20 and known() > 20, "the warm-up")
        run.stop.set()
        await task
        last = report()
        assert last.funnel["listed"] > 60
        assert last.btc_1h_pct is not None
        assert last.mood in ("calm", "normal", "careful", "pause")
        assert last.error == ""
    finally:
        stop.set()
        await venue


def replace_hype(settings: Settings) -> Settings:
    """Settings with a scan every market second: as fast as the floor lets."""
    return settings.model_copy(update={"hype": settings.hype.model_copy(update={"scan_interval_s": 1.0})})
