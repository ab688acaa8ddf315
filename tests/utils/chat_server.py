"""A chat provider on loopback that behaves as it is told: answers, lies, dawdles, floods."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

Behaviour = Callable[["Asked", asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Asked:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class ChatServer:
    """`behave` answers each request; `asked` keeps them."""

    behave: Behaviour
    url: str = ""
    asked: list[Asked] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
            raw = await reader.readexactly(int(headers.get("content-length", "0")))
            request = Asked(head[0].split()[1], headers, json.loads(raw))
            self.asked.append(request)
            await self.behave(request, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def http(status: int, body: bytes, headers: str = "") -> bytes:
    """An HTTP answer, whole."""
    return (f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{headers}\r\n").encode() + body


def says(text: str) -> Behaviour:
    """OpenAI's form, or Gemini's where that path is asked."""
    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
        body: dict[str, Any] = {"choices": [{"message": {"role": "assistant", "content": text}}],
                                "usage": {"prompt_tokens": 11, "completion_tokens": 7}}
        if ":generateContent" in asked.path:
            body = {"candidates": [{"content": {"parts": [{"text": text}]}}],
                    "usageMetadata": {"promptTokenCount": 11, "candidatesTokenCount": 7}}
        writer.write(http(200, json.dumps(body).encode()))
        await writer.drain()
    return behave


def sends(raw: bytes) -> Behaviour:
    """These bytes, whatever was asked."""
    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()
    return behave


async def floods(asked: Asked, writer: asyncio.StreamWriter) -> None:
    """Megabytes without an end."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    while True:
        writer.write(b"x" * 65_536)
        await writer.drain()


async def drips(asked: Asked, writer: asyncio.StreamWriter) -> None:
    """A byte now and then, for ever: each read is in time, the whole never is."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def silent(asked: Asked, writer: asyncio.StreamWriter) -> None:
    """Nothing at all."""
    await asyncio.sleep(3600)


@asynccontextmanager
async def chat_server(behave: Behaviour) -> AsyncIterator[ChatServer]:
    """The server, at `url`, until the block ends."""
    made = ChatServer(behave)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await made.serve(reader, writer)
        except asyncio.CancelledError:
            pass
        finally:
            tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield made
    finally:
        for task in tasks:
            task.cancel()
        server.close()
