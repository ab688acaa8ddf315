"""The console: line by line, confirmation by the next line, notices in between."""

import asyncio
import io
import os
from pathlib import Path

import pytest

from modules.telegram.front_console import Console
from tests.telegram.house import House, position


def console(house: House, text: str = "") -> tuple[Console, io.StringIO]:
    sink = io.StringIO()
    return Console(house.router, io.StringIO(text), sink), sink


async def test_lines_are_carried_out_in_order_and_the_end_is_the_end(house: House) -> None:
    front, sink = console(house, "/ping\n\n# a remark\nping\n/teststatus")
    await asyncio.wait_for(front.run(), 60)
    shown = sink.getvalue()
    assert shown.count("pong") == 2 and shown.index("pong") < shown.index("Test mode is on")
    assert "> /ping" in shown and "<b>" not in shown


@pytest.mark.parametrize(("word", "sold"), [("yes", True), ("y", True), ("YES", True), ("no", False), ("/no", False)])
async def test_the_next_line_confirms(house: House, word: str, sold: bool) -> None:
    house.hold(position())
    front, sink = console(house, f"/sellall\n{word}\n")
    await asyncio.wait_for(front.run(), 60)
    assert bool(house.inbox("tracker")) is sold
    assert ("Selling" if sold else "Cancelled") in sink.getvalue()


async def test_any_other_line_cancels_and_is_carried_out(house: House) -> None:
    house.hold(position())
    front, sink = console(house, "/sellall\n/ping\nyes\n")
    await asyncio.wait_for(front.run(), 60)
    assert house.inbox("tracker") == [] and "Cancelled" in sink.getvalue() and "pong" in sink.getvalue()
    assert "Nothing waits for an answer" in sink.getvalue()


async def test_a_button_to_look_again_is_not_offered_as_more(house: House) -> None:
    front, sink = console(house, "/apikeys\n")
    await asyncio.wait_for(front.run(), 60)
    assert "no API key" in sink.getvalue() and "More:" not in sink.getvalue()


async def test_wait_and_quit_are_the_consoles_own(house: House) -> None:
    front, sink = console(house, "/wait 0.01\n/quit\n")
    await asyncio.wait_for(front.run(), 60)
    assert "Waited" in sink.getvalue() and house.ends == ["quit"]


async def test_quit_asks_while_positions_are_open(house: House) -> None:
    house.hold(position())
    front, sink = console(house, "/quit\nno\n")
    await asyncio.wait_for(front.run(), 60)
    assert house.ends == [] and "nobody would sell them" in sink.getvalue()


async def test_a_notice_prints_while_a_command_waits(house: House) -> None:
    front, sink = console(house)
    waiting = asyncio.create_task(front.line("/wait 5"))
    await asyncio.sleep(0)
    await front.deliver("<b>Bought</b>", Path("data/pictures/a.png"), True)
    assert "Bought\n[picture: " in sink.getvalue() and not waiting.done()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


async def test_a_pipe_is_never_read_ahead(house: House) -> None:
    """After /restartloop the next program reads on where this one stopped."""
    reader, writer = os.pipe()
    with open(reader, encoding="utf-8") as source, open(writer, "wb", buffering=0) as feed:
        feed.write(b"/ping\n/teststatus\n")
        front = Console(house.router, source, sink := io.StringIO())
        task = asyncio.create_task(front.run())
        while "Test mode" not in sink.getvalue():
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        # the thread waits in a read of one line: give it that one, what follows must still be in the pipe
        feed.write(b"given to the thread\nleft in the pipe\n")
        deadline = asyncio.get_running_loop().time() + 5
        while front._lines.empty() and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.01)
        assert os.read(reader, 100) == b"left in the pipe\n"


async def test_a_closed_terminal_is_survived(house: House, caplog: pytest.LogCaptureFixture) -> None:
    front, sink = console(house)
    sink.close()
    front.write("a")
    front.write("b")
    assert caplog.text.count("cannot be written") == 1
