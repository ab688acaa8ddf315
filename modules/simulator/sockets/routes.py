"""The paths of the sockets: three families, the old path without one, raw and combined, streams in path or query."""

from __future__ import annotations

from urllib.parse import parse_qsl

from aiohttp import web

from modules.simulator.sockets.connection import Connection
from modules.simulator.sockets.hub import Hub
from modules.simulator.sockets.messages import MAX_STREAMS
from modules.simulator.sockets.names import Family

_FAMILIES: dict[str, Family | None] = {f"/{family.value}": family for family in Family} | {"": None}


class Routes:
    """Opens sockets of one hub."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def add_to(self, app: web.Application) -> None:
        """Put the paths into an application."""
        for prefix in _FAMILIES:
            for path in ("/ws", "/ws/{streams:.*}", "/stream"):
                app.router.add_get(prefix + path, self.open)
        app.on_shutdown.append(self._on_shutdown)

    async def _on_shutdown(self, app: web.Application) -> None:
        await self._hub.close()

    async def open(self, request: web.Request) -> web.StreamResponse:
        """Begin a socket; refused with 400 where more streams are asked for than one may hear."""
        hub = self._hub
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return web.Response(status=426, text="a WebSocket is expected here")
        if hub.faults is not None and (refusal := hub.faults.refusal(request.path)) is not None:
            return refusal
        head, _, _ = request.path.lstrip("/").partition("/")
        family = _FAMILIES.get(f"/{head}")
        connection = Connection(hub, family, request, combined=request.path.endswith("/stream"))
        if family is Family.PRIVATE:
            self._user_streams(connection, request)
        elif len(names := _names(request)) > MAX_STREAMS:
            return web.Response(status=400, text=f"{len(names)} streams asked for, {MAX_STREAMS} allowed")
        else:
            connection.first = names
        return await connection.serve()

    def _user_streams(self, connection: Connection, request: web.Request) -> None:
        """Listen keys in the path or the query; `events` behind a key says which of them are wanted."""
        wanted: list[tuple[str, frozenset[str]]] = [(name, frozenset()) for name in _names(request)]
        for name, value in parse_qsl(request.query_string):
            if name == "listenKey":
                wanted.append((value, frozenset()))
            elif name == "events" and wanted:
                wanted[-1] = (wanted[-1][0], frozenset(value.split("/")))
        for key, events in wanted:
            account = self._hub.keys.account(key)
            if account is None:
                self._hub.join(connection, [key])  # noted as unheard
            else:
                connection.watch(key, account, events)


def _names(request: web.Request) -> list[str]:
    text = request.match_info.get("streams", "")
    given = [name for name in text.split("/") if name]
    for name, value in parse_qsl(request.query_string):
        if name == "streams":
            given += [part for part in value.split("/") if part]
    return list(dict.fromkeys(given))
