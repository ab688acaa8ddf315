"""Sends webhooks from the queue in SQL (E11, X39): signed, in order per user, with back-off and dead letters.

1. Each event goes out as one POST; its id, kind, time and signature are in the headers. HMAC-SHA256 with the user's
   secret over ``TIMESTAMP.BODY``, so that neither can be changed or replayed late.
2. Only 2xx is an arrival. A failure makes all of that user wait, 2, 4, 8 … s (or what Retry-After asks), at most ten
   minutes; after the last try the event becomes a dead letter, with its reason.
   Arrivals are written together, a few times a second: on SQLite each write keeps the workers waiting.
3. One user's slow or dead address holds one of the places, for one timeout; no other user waits for it.
"""

import asyncio
import email.utils
import hashlib
import hmac
import logging
from collections.abc import Callable
from functools import partial
from itertools import groupby

import aiohttp
import msgspec

from modules.gridserver.settings import GridServerSettings
from modules.gridserver.targets import client, problems
from modules.storage.sql.database import DatabaseAway
from modules.strategies.grid.store.events import Outgoing
from modules.strategies.grid.store.store import GridStore
from utils.vault import VaultError
from utils.wall import now_ms

log = logging.getLogger(__name__)
LOOK_S = 0.2
A_USER = 20  # events of one user that are sent in a row before the others are looked at again
LONGEST_S = 600.0
_ANSWER_BYTES = 2048


class Sender:
    """The one that sends. `sent`, `failures`, `given_up` count since the start."""

    def __init__(self, store: GridStore, settings: GridServerSettings, session: aiohttp.ClientSession | None = None,
                 clock_ms: Callable[[], int] = now_ms) -> None:
        self.store = store
        self.settings = settings
        self.session = session or client(settings.webhook_loopback, settings.webhook_at_once,
                                         settings.webhook_timeout_s)
        self.clock_ms = clock_ms
        self.sent = self.failures = self.given_up = 0
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._arrived: list[int] = []
        # The claim outlives the longest row of tries of one user.
        self._claim_s = settings.webhook_timeout_s * A_USER + 60

    async def run(self) -> None:
        """Until cancelled. A database that is away is waited for."""
        away = False
        try:
            while True:
                try:
                    await self.look()
                    away = False
                except DatabaseAway as problem:
                    if not away:
                        log.error("webhooks wait: %s", problem)
                    away = True
                await asyncio.sleep(LOOK_S)
        finally:
            await self.close()

    async def look(self) -> int:
        """Write down what arrived, then begin to send what is due; how many events were taken."""
        await self._note_arrivals()
        room = self.settings.webhook_at_once - len(self._busy)
        if room <= 0:
            return 0
        due = await asyncio.to_thread(self.store.events.due, room, self._claim_s, A_USER, tuple(self._busy))
        taken = sorted(due, key=lambda one: (one.user_id, one.number))
        for user_id, events in groupby(taken, key=lambda one: one.user_id):
            task = asyncio.create_task(self._user(list(events)), name=f"webhooks of {user_id}")
            self._busy[user_id] = task
            task.add_done_callback(partial(self._over, user_id))
        return len(taken)

    def _over(self, user_id: str, task: "asyncio.Task[None]") -> None:
        if self._busy.get(user_id) is task:
            del self._busy[user_id]
        if not task.cancelled() and task.exception() is not None:
            log.error("webhooks of %s: %s", user_id, task.exception())

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        while self._busy:
            await asyncio.gather(*self._busy.values(), return_exceptions=True)
        await self._note_arrivals()

    async def _note_arrivals(self) -> None:
        """In one transaction. Where that fails they stay claimed, and arrive once more later. Raises DatabaseAway."""
        arrived, self._arrived = self._arrived, []
        if arrived:
            try:
                await asyncio.to_thread(self.store.events.sent, arrived)
            except DatabaseAway:
                self._arrived = arrived + self._arrived
                raise

    async def close(self) -> None:
        """Stop sending; what was claimed is due again when its claim has run out."""
        for task in list(self._busy.values()):
            task.cancel()
        try:
            await self.idle()
        except DatabaseAway as problem:
            log.warning("%d webhooks that arrived will arrive once more: %s", len(self._arrived), problem)
        await self.session.close()

    async def _user(self, events: list[Outgoing]) -> None:
        """Events of one user, in order, until one fails (rule 2)."""
        for event in events:
            error, wait_s = await self._send(event)
            if not error:
                self.sent += 1
                self._arrived.append(event.number)
                continue
            await self._note_arrivals()  # a failure makes all of the user due again; those are not among them
            self.failures += 1
            if event.tries + 1 >= self.settings.webhook_tries:
                self.given_up += 1
                log.warning("webhook %s of %s given up: %s", event.kind, event.user_id, error)
                await asyncio.to_thread(self.store.events.give_up, event, error)
            wait = min(max(self.settings.webhook_first_wait_s * 2 ** min(event.tries, 20), wait_s), LONGEST_S)
            await asyncio.to_thread(self.store.events.failed, event, error, wait)
            return

    async def _send(self, event: Outgoing) -> tuple[str, float]:
        """(why it failed, what Retry-After asks for); ("", 0) where it arrived."""
        wrong = problems(event.url, self.settings.webhook_loopback, self.settings.webhook_http)
        if wrong:
            return wrong[0], 0.0
        try:
            secret = self.store.vault.open(event.sealed_secret) or self.settings.bot_secret.get_secret_value()
        except VaultError as problem:
            return str(problem), 0.0
        body = msgspec.json.encode(event.body)
        try:
            async with self.session.post(event.url, data=body, allow_redirects=False,
                                         headers=headers(event, body, secret, self.clock_ms() // 1000)) as answer:
                await answer.content.read(_ANSWER_BYTES)
                if 200 <= answer.status < 300:
                    return "", 0.0
                what = "a redirect, which is not followed" if 300 <= answer.status < 400 else "no arrival"
                return f"HTTP {answer.status}: {what}", _retry_after(answer.headers.get("Retry-After", ""),
                                                                     self.clock_ms() // 1000)
        except TimeoutError:
            return f"no answer within {self.settings.webhook_timeout_s:g} s", 0.0
        except (aiohttp.ClientError, OSError, ValueError) as problem:
            return _words(problem), 0.0


def headers(event: Outgoing, body: bytes, secret: str, now_s: int) -> dict[str, str]:
    """What goes with a body (rule 1)."""
    return {"Content-Type": "application/json", "X-Webhook-Id": event.uid, "X-Webhook-Event": event.kind,
            "X-Webhook-Timestamp": str(now_s), "X-Webhook-Signature": f"sha256={signature(secret, now_s, body)}"}


def signature(secret: str, now_s: int, body: bytes) -> str:
    """HMAC-SHA256, hex, of ``TIMESTAMP.BODY``."""
    return hmac.new(secret.encode(), str(now_s).encode() + b"." + body, hashlib.sha256).hexdigest()


def _retry_after(text: str, now_s: int) -> float:
    """Seconds that a Retry-After asks for, at most the longest wait; 0 for none or one that cannot be read."""
    if text.isdecimal():
        return min(float(text[:9]), LONGEST_S)
    try:
        return min(max(email.utils.parsedate_to_datetime(text).timestamp() - now_s, 0.0), LONGEST_S)
    except (TypeError, ValueError):
        return 0.0


def _words(problem: Exception) -> str:
    """A failure in words; the URL, which may hold a token of the platform, stays out."""
    cause = problem.__cause__ or getattr(problem, "os_error", None) or problem
    text = str(cause).strip()
    return f"{type(cause).__name__}: {text[:200]}" if text and "://" not in text else type(problem).__name__
