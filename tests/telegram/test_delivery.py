"""Delivery: durable, in order, merged, nothing lost (X39)."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.supervision.outbox import Level, Notice, Outbox
from modules.supervision.second_channel import SecondChannel
from modules.telegram.delivery import SECOND, Channel, Closed, Delivery, DownTime, Undeliverable
from modules.telegram.markup import MESSAGE_LIMIT, length, plain
from modules.telegram.notices import next_batch, render
from tests.telegram.bot_api import parsed
from tests.telegram.house import Clock


class Wall:
    """A channel that takes everything, or raises what it is told to."""

    gather_s = 0.0

    def __init__(self, name: str = "wall", fails: Exception | None = None) -> None:
        self.name = name
        self.fails = fails
        self.read: list[tuple[str, Path | None, bool]] = []

    async def deliver(self, text: str, picture: Path | None, loud: bool) -> None:
        if self.fails:
            raise self.fails
        self.read.append((plain(text), picture, loud))


def delivery(tmp_path: Path, *channels: Channel) -> tuple[Outbox, Delivery]:
    outbox = Outbox(tmp_path / "outbox", "test")
    return outbox, Delivery(outbox, tmp_path, channels)


async def test_each_channel_gets_each_notice_once(tmp_path: Path) -> None:
    one, two = Wall("one"), Wall("two")
    outbox, post = delivery(tmp_path, one, two)
    outbox.say("Bought A", mode="TEST", level="trade", why="good", todo="wait")
    await asyncio.gather(post.drain(5), post.drain(5))
    assert [text for text, _, _ in one.read] == ["[TEST] Bought A\ngood\n→ wait"]
    assert one.read == two.read and not list(outbox.folder.glob("*.json"))


async def test_two_channels_at_once_do_not_forget_each_other(tmp_path: Path) -> None:
    """Both read the notice before either marks it: the second mark must not erase the first."""
    gate = asyncio.Event()

    class Slow(Wall):
        async def deliver(self, text: str, picture: Path | None, loud: bool) -> None:
            await gate.wait()
            await super().deliver(text, picture, loud)

    one, two, three = Slow("one"), Slow("two"), Wall("three", Closed())
    outbox, post = delivery(tmp_path, one, two, three)
    outbox.say("x")
    flushes = asyncio.gather(post.flush(one), post.flush(two))
    await asyncio.sleep(0)
    gate.set()
    await flushes
    assert not await post.flush(one) and not await post.flush(two)
    assert len(outbox.pending("three")) == 1


async def test_what_a_channel_did_not_take_waits_for_the_next_start(tmp_path: Path) -> None:
    outbox, post = delivery(tmp_path, Wall("one", Closed()))
    outbox.say("Sold", level="trade")
    await post.drain(1)
    later = Wall("one")
    await Delivery(outbox, tmp_path, [later]).drain(5)
    assert [text for text, _, _ in later.read] == ["Sold"]


async def test_refused_for_good_is_a_dead_letter_and_others_still_get_it(tmp_path: Path) -> None:
    gone, here = Wall("gone", Undeliverable("blocked")), Wall("here")
    outbox, post = delivery(tmp_path, gone, here)
    outbox.say("Sold", level="trade")
    await post.drain(5)
    assert outbox.dead() == 1 and len(here.read) == 1 and outbox.pending("gone") == []


async def test_notices_of_channels_no_longer_in_use_are_swept(tmp_path: Path) -> None:
    outbox, post = delivery(tmp_path, Wall("one"), Wall("two", Closed()))
    outbox.say("old")
    outbox.say("new to all")
    await post.flush(post.channels[0])
    outbox.say("after")
    _, alone = delivery(tmp_path, Wall("one"))
    alone.sweep()
    assert [notice.what for _, notice in outbox.pending("one")] == ["after"]
    assert len(list(outbox.folder.glob("*.json"))) == 1


async def test_status_knows_the_newest_alerts_and_what_waits(tmp_path: Path) -> None:
    wall, shut = Wall(), Wall("shut", Closed())
    outbox, post = delivery(tmp_path, wall, shut)
    assert post.told() == ""
    outbox.say("Tracker is down", level="alert")
    await post.flush(wall)
    assert post.told() == "Tracker is down (0s ago); 1 waiting to be delivered"


async def test_a_full_disk_delivers_once_from_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wall = Wall()
    outbox, post = delivery(tmp_path, wall)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("modules.supervision.outbox.write_atomic", full)
    monkeypatch.setattr("modules.supervision.outbox.append_synced", full)
    outbox.say("The disk is full", level="alert")
    assert await post.flush(wall) and not await post.flush(wall)
    assert [text for text, _, _ in wall.read] == ["🚨 The disk is full"]


async def test_a_picture_goes_along_and_a_missing_one_does_not_hold_the_words(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    wall = Wall()
    outbox, post = delivery(tmp_path, wall)
    outbox.say("with", image="a.png")
    outbox.say("without", image="gone.png")
    await post.drain(5)
    assert wall.read == [("with", tmp_path / "a.png", False), ("without", None, False)]


class Second(SecondChannel):
    """A second channel that notes."""

    def __init__(self) -> None:
        super().__init__(webhook_url="http://127.0.0.1:9")
        self.sent: list[str] = []
        self.woken = asyncio.Event()

    async def send(self, notice: Notice) -> bool:
        self.sent.append(notice.what)
        self.woken.set()
        return True


async def test_alerts_take_the_second_channel_when_the_first_is_down(tmp_path: Path) -> None:
    wall = Wall("telegram_1", Closed())
    outbox, post = delivery(tmp_path, wall)
    outbox.say("chatter")
    outbox.say("Tracker is down", level="alert")
    second, clock = Second(), Clock()
    down = DownTime(clock)
    down.failed("no network")
    clock.now += 301
    task = asyncio.create_task(post.second_channel(second, down.seconds, 300.0))
    await asyncio.wait_for(second.woken.wait(), 60)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert second.sent == ["Tracker is down"]
    marked = [notice for _, notice in outbox.pending("telegram_1") if SECOND in notice.delivered]
    assert len(marked) == 1  # Telegram still gets it when it is back; the second channel not again


def test_down_time() -> None:
    clock = Clock()
    down = DownTime(clock)
    assert down.seconds() == 0
    down.failed("x")
    clock.now += 5
    down.failed("y")
    assert down.seconds() == 5 and down.why == "y"
    down.works()
    assert down.seconds() == 0


levels = st.sampled_from(["info", "trade", "warning", "alert"])
texts = st.text(alphabet="ab <&>\n", min_size=1, max_size=300).filter(str.strip)


@given(st.lists(st.tuples(levels, texts), min_size=1, max_size=120))
def test_merging_keeps_everything_that_matters_in_order(found: list[tuple[Level, str]]) -> None:
    pending = [(Path(str(number)), Notice(id=str(number), level=level, mode="", what=what, source="t", created_ms=0))
               for number, (level, what) in enumerate(found)]
    seen: list[Path] = []
    left = pending
    while left:
        batch = next_batch(left)
        assert batch.notices and length(batch.text) <= MESSAGE_LIMIT
        parsed(batch.text, "HTML")
        for _, notice in batch.notices:
            assert render(notice) in batch.text  # nothing is left out; equal infos stand there once, counted
        loud = [render(notice) for _, notice in batch.notices if notice.level != "info"]
        assert all(batch.text.count(text) >= loud.count(text) for text in loud)
        seen += [path for path, _ in batch.notices]
        taken = {path for path, _ in batch.notices}
        left = [item for item in left if item[0] not in taken]
    assert sorted(seen) == sorted(path for path, _ in pending)


def test_equal_infos_are_counted() -> None:
    same = Notice(id="1", level="info", mode="", what="Scan", source="t", created_ms=0)
    batch = next_batch([(Path(str(n)), msgspec.structs.replace(same, id=str(n))) for n in range(3)])
    assert plain(batch.text) == "Scan ×3" and not batch.loud
