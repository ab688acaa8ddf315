"""Bitget's private socket of one account (v2): login, orders and plans as they change, text pings, tried for ever.

What it tells is a reason to look, never a fact: frames may come twice, late, out of order, cut short or not at all, so
the caller asks by REST what is true (X21). After every (new) beginning the account must be read anew: `on_gap`.

Source: Bitget's API, "WebSocket": login {apiKey, passphrase, timestamp in s, sign of timestamp + "GET/user/verify"}; a
text "ping" every 30 s is answered by "pong"; without one for two minutes the venue cuts off.
"""

import asyncio
import base64
import hashlib
import hmac
import logging
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
import msgspec

from modules.exchange.bitget_wire import BitgetKey, BitgetLink
from modules.exchange.streams.backoff import Backoff
from modules.exchange.types import Unavailable

log = logging.getLogger(__name__)

LIVE, DEMO = "wss://ws.bitget.com", "wss://wspap.bitget.com"
PATH = "/v2/ws/private"
CHANNELS = ("orders", "orders-algo")
PING_S, SILENCE_S, LOGIN_S = 25.0, 60.0, 10.0


class StreamLost(Exception):
    """The socket is of no use any more; the text says why."""


class BitgetStream:
    """`on_order(row)` for each row of an order or plan; `on_gap(why)` when something may have been missed."""

    def __init__(self, link: BitgetLink, key: BitgetKey, on_order: Callable[[Mapping[str, Any]], None],
                 on_gap: Callable[[str], None], *, ping_s: float = PING_S, silence_s: float = SILENCE_S,
                 backoff: Backoff | None = None) -> None:
        self._link, self._key = link, key
        self._on_order, self._on_gap = on_order, on_gap
        self._ping_s, self._silence_s = ping_s, silence_s
        self._backoff = backoff or Backoff()
        self.logged_in = False
        self.logins = self.spoilt = 0

    @property
    def address(self) -> str:
        """Where it listens: beside the REST address where that is another than Bitget's own."""
        url = self._link.url
        if url and "bitget.com" not in url:
            return url.replace("http", "ws", 1).rstrip("/") + PATH
        return (DEMO if self._key.demo else LIVE) + PATH

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._once()
            except (StreamLost, aiohttp.ClientError, OSError, TimeoutError, Unavailable) as problem:
                log.info("private socket of Bitget: %s", str(problem) or type(problem).__name__)
            finally:
                self.logged_in = False
            await asyncio.sleep(self._backoff.next_s())

    async def _once(self) -> None:
        headers = {"paptrading": "1"} if self._key.demo else {}
        async with self._link.session.ws_connect(self.address, headers=headers, max_msg_size=1 << 22) as socket:
            await socket.send_str(self._login())
            heard = asked = asyncio.get_running_loop().time()
            while True:
                now = asyncio.get_running_loop().time()
                if now - heard > (self._silence_s if self.logged_in else LOGIN_S):
                    raise StreamLost("it is silent")
                if now - asked >= self._ping_s:
                    asked = now
                    await socket.send_str("ping")
                try:
                    message = await socket.receive(timeout=min(self._ping_s, LOGIN_S))
                except TimeoutError:
                    continue
                if message.type is not aiohttp.WSMsgType.TEXT:
                    raise StreamLost("it was cut")
                heard = asyncio.get_running_loop().time()
                if message.data != "pong":
                    await self._frame(socket, message.data)

    def _login(self) -> str:
        stamp = str(self._link.clock.now_ms() // 1000)
        sign = base64.b64encode(hmac.new(self._key.secret.encode(), f"{stamp}GET/user/verify".encode(),
                                         hashlib.sha256).digest()).decode()
        return msgspec.json.encode({"op": "login", "args": [{
            "apiKey": self._key.key, "passphrase": self._key.passphrase, "timestamp": stamp, "sign": sign}]}).decode()

    async def _frame(self, socket: aiohttp.ClientWebSocketResponse, text: str) -> None:
        """One message. What cannot be read may have been an order's end: somebody looks. Raises StreamLost."""
        try:
            content = msgspec.json.decode(text)
            event = content.get("event")
        except (msgspec.DecodeError, AttributeError):
            self.spoilt += 1
            self._on_gap("a frame of the private socket could not be read")
            return
        if event == "error":
            raise StreamLost(f"the exchange refuses it: {str(content.get('msg'))[:100]} (code {content.get('code')})")
        if event == "login":
            args = [{"instType": "USDT-FUTURES", "channel": channel, "instId": "default"} for channel in CHANNELS]
            await socket.send_str(msgspec.json.encode({"op": "subscribe", "args": args}).decode())
            self.logged_in = True
            self.logins += 1
            self._on_gap("the private socket begins")
        elif event is None and isinstance(content.get("data"), list):
            self._backoff.real_frame()
            for row in content["data"]:
                if isinstance(row, dict):
                    self._on_order(row)
