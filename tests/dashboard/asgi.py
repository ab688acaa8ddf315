"""Asks an ASGI application as a browser would, without a server."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from modules.dashboard.assembly import Parts, assemble
from modules.dashboard.passwords import hashed
from modules.dashboard.sessions import OWNER, VIEWER
from tests.telegram.house import House

PASSWORD, LOOKING = "correct horse battery", "only looking at it"
HASHES = {OWNER: hashed(PASSWORD), VIEWER: hashed(LOOKING)}
HOST = "127.0.0.1:8080"


def parts_of(house: House, **hashes: str) -> Parts:
    """The dashboard on a house's state."""
    from config.crew import crew_for

    return assemble(house.paths, "dashboard", house.settings, crew_for(house.settings), hashes or HASHES)


@dataclass
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


class Browser:
    """Keeps cookie and CSRF token. `address`: where it is."""

    def __init__(self, app: Any, address: str = "127.0.0.1") -> None:
        self.app = app
        self.address = address
        self.cookie = ""
        self.csrf = ""

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """One request. A header given as "" is left out."""
        content = b"" if body is None else json.dumps(body).encode()
        sent = {"host": HOST, "cookie": self.cookie, "content-length": str(len(content))}
        if method != "GET":
            sent |= {"origin": f"http://{HOST}", "content-type": "application/json", "x-csrf": self.csrf}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"",
                 "headers": [(name.encode(), value.encode()) for name, value in sent.items() if value],
                 "client": (self.address, 5000), "server": ("127.0.0.1", 8080), "scheme": "http",
                 "http_version": "1.1", "root_path": ""}
        reply = Reply(0, {}, b"")

        sent_all = asyncio.Event()

        async def receive() -> dict[str, Any]:
            if sent_all.is_set():
                await asyncio.Event().wait()  # the browser stays until it has its answer
            sent_all.set()
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                reply.status = message["status"]
                reply.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                reply.body += message.get("body", b"")

        await self.app(scope, receive, send)
        if "set-cookie" in reply.headers:
            self.cookie = reply.headers["set-cookie"].split(";")[0]
        return reply

    async def log_in(self, password: str = PASSWORD) -> "Browser":
        """By password."""
        reply = await self.ask("POST", "/login", {"password": password})
        assert reply.status == 200, reply.text
        self.csrf = (await self.ask("GET", "/api/me")).json()["csrf"]
        return self
