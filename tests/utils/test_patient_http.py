"""Who sends or reads drop by drop is cut off; who asks properly is served, however long he stays."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import uvicorn

from utils.listening import listening
from utils.patient_http import PatientHttp

PATIENCE_S = 60
SHORT: dict[str, Any] = {"request_s": 0.3, "answer_s": 0.3}
LONG: dict[str, Any] = {"request_s": 60.0, "answer_s": 60.0}


async def answers(scope: Any, receive: Any, send: Any) -> None:
    """/wait answers never, /big more than a socket holds; anything else reads the body and answers."""
    if scope["path"] == "/wait":
        await asyncio.Event().wait()
    message = await receive()
    while message.get("more_body"):
        message = await receive()
    body = b"x" * 50_000_000 if scope["path"] == "/big" else b"yes"
    await send({"type": "http.response.start", "status": 200,
                "headers": [(b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})


class Quiet(uvicorn.Server):
    """Leaves the signals to pytest."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def served(running: list[uvicorn.Server] | None = None, **limits: Any) -> AsyncIterator[int]:
    listener = listening("127.0.0.1", 0, 100)
    server = Quiet(uvicorn.Config(answers, http=type("Http", (PatientHttp,), limits), log_config=None,
                                           lifespan="off", timeout_keep_alive=0, timeout_graceful_shutdown=1))
    if running is not None:
        running.append(server)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield int(listener.getsockname()[1])
    finally:
        server.should_exit = True
        await asyncio.wait_for(task, PATIENCE_S)
        listener.close()


async def cut(port: int, *words: bytes) -> bytes:
    """Send these and wait for the server to end the connection; what it had answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    got = b""
    try:
        for word in words:
            writer.write(word)
            await writer.drain()
        async with asyncio.timeout(PATIENCE_S):
            while block := await reader.read(65_536):
                got += block
    except ConnectionError:
        pass
    finally:
        writer.close()
    return got


@pytest.mark.parametrize("words", [
    (), (b"GET / HT",), (b"GET / HTTP/1.1\r\nHost: x\r\nX-A: b\r\n",),
    (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n", b"{"),
    (b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n",)], ids=["silent", "line", "headers", "body", "answer"])
async def test_nobody_holds_a_connection_for_ever(words: tuple[bytes, ...]) -> None:
    async with served(**SHORT) as port:
        assert await cut(port, *words) == b""


async def test_who_does_not_read_is_cut_off() -> None:
    running: list[uvicorn.Server] = []
    async with served(running, **SHORT) as port:
        [server] = running
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1000)
        writer.write(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(PATIENCE_S):
            await reader.readexactly(10)
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            other = await cut(port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert other.endswith(b"yes"), "others are served meanwhile"
            while server.server_state.connections:  # until it is cut off
                await asyncio.sleep(0.01)
            writer.transport.resume_reading()  # type: ignore[attr-defined]
            got = 0
            with contextlib.suppress(ConnectionError):
                while block := await reader.read(1_000_000):
                    got += len(block)
        writer.close()
        assert got < 50_000_000


async def test_a_kept_connection_is_served_again_and_again() -> None:
    async with served(**LONG) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(PATIENCE_S):
            writer.write(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
            for _ in range(3):
                assert (await reader.readuntil(b"yes")).startswith(b"HTTP/1.1 200")
        writer.close()


@pytest.mark.parametrize("length", [b"9" * 5000, b"-1", b"1, 2", b"0x10", b"\xb2"],
                         ids=["huge", "negative", "two", "hex", "superscript"])
async def test_a_length_that_is_none_is_refused(length: bytes) -> None:
    async with served(**LONG) as port:
        got = await cut(port, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + length + b"\r\n\r\n")
        assert got.startswith(b"HTTP/1.1 400")


async def test_one_address_has_so_many_connections_and_loopback_more(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(most=2, **LONG) as port:
        for far, allowed in ((True, 2), (False, 5)):
            monkeypatch.setattr("utils.patient_http._loopback", lambda host, far=far: not far)
            held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
            good = 0
            for reader, writer in held:
                try:
                    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                    async with asyncio.timeout(PATIENCE_S):
                        good += (await reader.read(1000)).startswith(b"HTTP/1.1 200")
                except ConnectionError:
                    pass
            for _, writer in held:
                writer.close()
            assert good == allowed
            async with asyncio.timeout(PATIENCE_S):
                while (await cut(port, b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")) == b"":
                    await asyncio.sleep(0.01)
