"""The send queue: pace, retries, fallbacks. The API here fails as told; the clock is the real one, waits are short."""

import asyncio
from pathlib import Path

import pytest

from modules.telegram import sending
from modules.telegram.command import Answer, Button
from modules.telegram.delivery import Closed, DownTime, Undeliverable
from modules.telegram.sending import Busy, Pace, Refused, SendQueue, Trouble, WrongToken
from tests.telegram.house import Clock

Rows = tuple[tuple[Button, ...], ...]


class Api:
    """Notes what is sent; raises what `fails` holds first."""

    def __init__(self, *fails: Exception) -> None:
        self.fails = list(fails)
        self.sent: list[tuple[str, str, bool]] = []

    def _fail(self) -> None:
        if self.fails:
            raise self.fails.pop(0)

    async def text(self, chat: int, text: str, html: bool, rows: Rows = (), quiet: bool = False) -> None:
        self._fail()
        self.sent.append(("text", text, html))

    async def photo(self, chat: int, picture: Path, caption: str, html: bool, rows: Rows = ()) -> None:
        self._fail()
        self.sent.append(("photo", caption, html))

    async def edit(self, chat: int, message: int, text: str, html: bool, rows: Rows = ()) -> None:
        self._fail()
        self.sent.append(("edit", text, html))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "FIRST_WAIT_S", 0.005)
    monkeypatch.setattr(sending, "CHAT_EVERY_S", 0.002)


async def send(api: Api, answer: Answer, message: int = 0) -> list[tuple[str, str, bool]]:
    await SendQueue(api, DownTime()).send(7, answer, message)
    return api.sent


@pytest.mark.parametrize("failure", [Busy(0.01), Trouble("502"), Trouble("reset"), WrongToken("401")])
async def test_what_may_pass_is_sent_again(failure: Exception) -> None:
    assert await send(Api(failure, failure, failure), Answer("<b>a</b>")) == [("text", "<b>a</b>", True)]


async def test_bad_markup_is_sent_plain() -> None:
    api = Api(Refused("Bad Request: can't parse entities: Unsupported start tag"))
    assert await send(api, Answer("<b>a &lt; b</b>")) == [("text", "a < b", False)]


@pytest.mark.parametrize("failure", [
    Refused("Forbidden: bot was blocked by the user", blocked=True), Refused("Bad Request: chat not found")])
async def test_refused_for_good(failure: Refused) -> None:
    with pytest.raises(Undeliverable):
        await send(Api(failure), Answer("a"))


async def test_not_modified_is_success_and_a_lost_message_is_sent_anew() -> None:
    assert await send(Api(Refused("message is not modified")), Answer("a", replaces=True), 5) == []
    assert await send(Api(Refused("message to edit not found")), Answer("a", replaces=True), 5) == [("text", "a", True)]
    assert await send(Api(), Answer("a", replaces=True), 5) == [("edit", "a", True)]
    assert await send(Api(), Answer("a"), 5) == [("text", "a", True)]


async def test_pictures_with_their_words(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"x")
    assert await send(Api(), Answer("short", picture)) == [("photo", "short", True)]
    long = await send(Api(), Answer("w" * 2000, picture))
    assert [kind for kind, _, _ in long] == ["photo", "text"] and long[0][1] == ""
    refused = await send(Api(Refused("IMAGE_PROCESS_FAILED")), Answer("short", picture))
    assert refused == [("text", "short", True)]
    assert await send(Api(FileNotFoundError()), Answer("short", picture)) == [("text", "short", True)]


async def test_order_within_a_chat_is_kept_through_trouble() -> None:
    api = Api(Trouble("x"), Trouble("x"))
    queue = SendQueue(api, DownTime())
    await asyncio.gather(*(queue.send(7, Answer(str(number))) for number in range(20)))
    assert [text for _, text, _ in api.sent] == [str(number) for number in range(20)]


async def test_closing_ends_what_waits() -> None:
    queue = SendQueue(Api(*[Busy(60)] * 3), DownTime())
    waiting = asyncio.create_task(queue.send(7, Answer("a")))
    await asyncio.sleep(0.02)
    queue.close()
    with pytest.raises(Closed):
        await waiting


async def test_down_time_is_known() -> None:
    down = DownTime()
    queue = SendQueue(Api(*[Trouble("no route")] * 1000), down)
    waiting = asyncio.create_task(queue.send(7, Answer("a")))
    while not down.seconds():
        await asyncio.sleep(0.005)
    assert down.why == "no route"
    queue.close()
    await asyncio.gather(waiting, return_exceptions=True)


def test_pace_is_a_burst_then_one_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "CHAT_EVERY_S", 1.0)
    clock = Clock()
    pace = Pace(clock)
    assert [pace.wait(1) for _ in range(sending.BURST)] == [0.0] * sending.BURST
    assert pace.wait(1) == pytest.approx(1.0)
    assert pace.wait(2) == 0.0  # another chat does not wait
    clock.now += 1.0
    assert pace.wait(1) == 0.0 and pace.wait(1) > 0


def test_all_chats_together_stay_under_the_limit() -> None:
    clock = Clock()
    pace = Pace(clock)
    assert all(pace.wait(chat) == 0 for chat in range(sending.ALL_PER_S)) and pace.wait(999) == pytest.approx(1.0)


def test_a_chat_told_to_wait_rests_alone() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.rest(1, 30)
    assert pace.wait(1) == 30 and pace.wait(2) == 0
    clock.now += 31
    assert pace.wait(1) == 0
