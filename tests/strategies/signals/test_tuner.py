"""Monthly tuning: asked once a month, once also across deaths, never without enough days, never applied."""

from pathlib import Path

import pytest

from modules.storage.recordings.format import Kind, pack
from modules.strategies.signals.settings import SignalSettings
from modules.strategies.signals.tuner import Tuner, market_days
from modules.supervision.messages import Inbox
from modules.supervision.outbox import Outbox
from utils.paths import Paths

DAY_MS = 86_400_000
OCTOBER, NOVEMBER = 1_792_800_000_000, 1_793_600_000_000  # 2026-10-24, 2026-11-02
DECEMBER = NOVEMBER + 35 * DAY_MS


def recorded(paths: Paths, days: float) -> None:
    """Two files of half the days each, months apart, and one that has only just begun."""
    half = int(days / 2 * DAY_MS * 1e6)
    for name, times in (("a", (10**18, 10**18 + half)), ("b", (2 * 10**18, 2 * 10**18 + half)), ("c", ())):
        path = paths.data / "recordings" / "binance_usdm" / name / f"{name}.cxr"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(pack([(ns, 0, Kind.NOTE, b"{}")], {0: "recorder"}) for ns in times))


class House:
    def __init__(self, folder: Path, **settings: object) -> None:
        self.paths = Paths(folder).prepare()
        self.outbox = Outbox(self.paths.outbox, "signals")
        self.settings = SignalSettings.model_validate(settings)

    def tuner(self, speed: float = 1.0) -> Tuner:
        return Tuner(self.paths, self.settings, self.outbox, "UTC", "binance_usdm", speed)

    def lines(self) -> list[str]:
        return [message.body["line"] for _, message in Inbox(self.paths.inbox, "bot").take()]

    def said(self) -> list[str]:
        return [notice.what for _, notice in self.outbox.pending("owner")]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path, tune_trials=40, tune_symbols=3)


async def test_asked_once_when_a_month_has_begun(house: House) -> None:
    recorded(house.paths, 20)
    tuner = house.tuner()
    assert not await tuner.turn(OCTOBER), "the first run only notes the month"
    assert not await tuner.turn(OCTOBER + DAY_MS) and not house.lines()
    assert await tuner.turn(NOVEMBER) and not await tuner.turn(NOVEMBER + 1000)
    assert not await house.tuner().turn(NOVEMBER + DAY_MS), "nor after a restart"
    assert house.lines() == ["/optimize signals trials=40 top=3"]
    assert await house.tuner().turn(DECEMBER) and len(house.lines()) == 2
    assert house.said() == ["Signals: tuning of 2026-11 begins", "Signals: tuning of 2026-12 begins"]


async def test_a_death_between_asking_and_noting_asks_once(house: House) -> None:
    recorded(house.paths, 20)
    await house.tuner().turn(OCTOBER)
    before = (house.paths.data / "signals_tuning.json").read_bytes()
    await house.tuner().turn(NOVEMBER)
    inbox = Inbox(house.paths.inbox, "bot")
    for path, message in inbox.take():
        inbox.done(path, message)
    (house.paths.data / "signals_tuning.json").write_bytes(before)
    await house.tuner().turn(NOVEMBER + 5000)
    assert house.lines() == [] and len(house.said()) == 1


async def test_too_few_days_are_told_with_their_mend_and_a_later_month_is_asked(house: House) -> None:
    recorded(house.paths, 2)
    await house.tuner().turn(OCTOBER)
    assert not await house.tuner().turn(NOVEMBER) and house.lines() == []
    (notice,) = [notice for _, notice in house.outbox.pending("owner")]
    assert "no tuning in 2026-11" in notice.what and "2.0 market days" in notice.why and "RECORDER_" in notice.todo
    assert not await house.tuner().turn(NOVEMBER + DAY_MS) and len(house.said()) == 1
    recorded(house.paths, 9)
    assert await house.tuner().turn(DECEMBER)


async def test_switched_off_it_does_nothing_and_a_clock_that_jumps_back_begins_anew(tmp_path: Path) -> None:
    off = House(tmp_path / "off", tune=False)
    recorded(off.paths, 30)
    for now in (OCTOBER, NOVEMBER):
        assert not await off.tuner().turn(now)
    assert off.lines() == [] and not (off.paths.data / "signals_tuning.json").exists()
    back = House(tmp_path / "back")
    recorded(back.paths, 30)
    await back.tuner().turn(DECEMBER)
    assert not await back.tuner().turn(OCTOBER) and await back.tuner().turn(NOVEMBER)


def test_days_are_of_market_time(tmp_path: Path) -> None:
    paths = Paths(tmp_path).prepare()
    assert market_days([], 1.0) == 0
    recorded(paths, 0.5)
    files = sorted((paths.data / "recordings").rglob("*.cxr"))
    assert market_days(files, 60.0) == pytest.approx(30.0)
