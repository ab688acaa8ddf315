"""The send queue: every message to Telegram goes through here, in order for each chat, until it was taken.

1. Pace: a burst of a few messages a chat, then one a second; 25 a second over all.
2. 429: the chat rests for as long as Telegram says. Network loss and 5xx: again, with growing waits, without end.
3. Bad markup (400): the same once more as plain text. "Not modified" is success. A message that cannot be edited is
   sent anew. Too long is split beforehand (4096; a caption 1024, the rest follows as text).
4. Blocked, chat gone, or refused for another good reason: Undeliverable.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol, TypeVar

from modules.telegram.command import Answer, Button
from modules.telegram.delivery import Closed, DownTime, Undeliverable
from modules.telegram.markup import CAPTION_LIMIT, length, plain, split

log = logging.getLogger(__name__)
BURST = 5
CHAT_EVERY_S = 1.0
ALL_PER_S = 25
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 60.0
T = TypeVar("T")
Rows = tuple[tuple[Button, ...], ...]


class Busy(Exception):
    """429: wait that many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"asked to wait {seconds:.0f} s")
        self.seconds = seconds


class Refused(Exception):
    """400, 403, 413: asking again would not help. `blocked`: the person wants nothing from us."""

    def __init__(self, text: str, blocked: bool = False) -> None:
        super().__init__(text)
        self.text = text.lower()
        self.blocked = blocked


class Trouble(Exception):
    """Network, 5xx, an answer that is none: may pass."""


class WrongToken(Exception):
    """401 or 404: Telegram does not know this token."""


class Api(Protocol):
    """What the queue sends with (bot_api.BotApi)."""

    async def text(self, chat: int, text: str, html: bool, rows: Rows = (), quiet: bool = False) -> int | None: ...

    async def photo(self, chat: int, picture: Path, caption: str, html: bool, rows: Rows = ()) -> None: ...

    async def edit(self, chat: int, message: int, text: str, html: bool, rows: Rows = ()) -> None: ...


class Pace:
    """When the next message may go (rule 1). Times are monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._all: deque[float] = deque(maxlen=ALL_PER_S)
        self._chats: dict[int, tuple[float, float]] = {}  # chat: tokens, at
        self._rests: dict[int, float] = {}

    def rest(self, chat: int, seconds: float) -> None:
        """Rule 2."""
        self._rests[chat] = self._clock() + seconds

    def wait(self, chat: int) -> float:
        """Seconds until a message to `chat` may go; 0 takes its place."""
        now = self._clock()
        rest = self._rests.get(chat, now) - now
        if rest > 0:
            return rest
        if len(self._all) == ALL_PER_S and now - self._all[0] < 1.0:
            return 1.0 - (now - self._all[0])
        tokens, at = self._chats.get(chat, (float(BURST), now))
        tokens = min(float(BURST), tokens + (now - at) / CHAT_EVERY_S)
        if tokens < 1.0:
            self._chats[chat] = (tokens, now)
            return (1.0 - tokens) * CHAT_EVERY_S
        self._chats[chat] = (tokens - 1.0, now)
        self._all.append(now)
        return 0.0


class SendQueue:
    """Messages to chats."""

    def __init__(self, api: Api, down: DownTime, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._down = down
        self._pace = Pace(clock)
        self._turns: dict[int, asyncio.Lock] = {}
        self._closing = asyncio.Event()
        self.sent = 0

    async def send(self, chat: int, answer: Answer, message: int = 0, quiet: bool = False) -> int | None:
        """Send, or with `message` edit that one where the answer allows it. Raises Undeliverable, Closed.

        Returns the message that shows the text now, if it is one that can be edited.
        """
        async with self._turns.setdefault(chat, asyncio.Lock()):
            parts = split(answer.text)
            editable = message and answer.replaces and answer.picture is None and len(parts) == 1
            if editable and await self._edit(chat, message, answer):
                return message
            if answer.picture is not None:
                parts = await self._picture(chat, answer)
            last: int | None = None
            for number, part in enumerate(parts):
                rows = answer.buttons if number == len(parts) - 1 else ()
                last = await self._text(chat, part, rows, quiet)
            return last

    def close(self) -> None:
        """What waits ends with Closed: notices stay in the outbox for the next start."""
        self._closing.set()

    async def _text(self, chat: int, text: str, rows: Rows, quiet: bool) -> int | None:
        try:
            return await self._insist(chat, lambda: self._api.text(chat, text, True, rows, quiet))
        except Refused as problem:
            if problem.blocked or not _markup(problem):
                raise Undeliverable(str(problem)) from None
            log.error("markup refused, sent as plain text: %s", problem)
            return await self._plainly(chat, lambda: self._api.text(chat, plain(text), False, rows, quiet))

    async def _picture(self, chat: int, answer: Answer) -> list[str]:
        """Send the picture; returns what is left to be sent as text. A picture refused must not lose its words."""
        picture = answer.picture
        assert picture is not None
        fits = length(answer.text) <= CAPTION_LIMIT
        caption, rows = (answer.text, answer.buttons) if fits else ("", ())
        try:
            await self._insist(chat, lambda: self._api.photo(chat, picture, caption, True, rows))
        except Refused as problem:
            if problem.blocked:
                raise Undeliverable(str(problem)) from None
            log.error("picture refused: %s", problem)
            return split(answer.text)
        except FileNotFoundError:
            log.error("the picture %s is gone", picture.name)
            return split(answer.text)
        return [] if fits else split(answer.text)

    async def _edit(self, chat: int, message: int, answer: Answer) -> bool:
        try:
            await self._insist(chat, lambda: self._api.edit(chat, message, answer.text, True, answer.buttons))
        except Refused as problem:
            if "not modified" in problem.text:
                return True
            if problem.blocked:
                raise Undeliverable(str(problem)) from None
            log.info("cannot be edited, sent anew: %s", problem)
            return False
        return True

    async def _plainly(self, chat: int, call: Callable[[], Awaitable[T]]) -> T:
        try:
            return await self._insist(chat, call)
        except Refused as problem:
            raise Undeliverable(str(problem)) from None

    async def _insist(self, chat: int, call: Callable[[], Awaitable[T]]) -> T:
        """Until it was taken or refused (rules 1 and 2)."""
        wait = FIRST_WAIT_S
        while True:
            while (pause := self._pace.wait(chat)) > 0:
                await self._sleep(pause)
            if self._closing.is_set() and self._down.seconds() > 0:
                raise Closed
            try:
                taken = await call()
            except Busy as problem:
                log.warning("chat %s: Telegram asks to wait %.0f s", chat, problem.seconds)
                self._pace.rest(chat, problem.seconds)
            except (Trouble, WrongToken) as problem:  # the front tells of a wrong token; messages wait for a right one
                self._down.failed(str(problem))
                await self._sleep(wait)
                wait = min(2 * wait, LONGEST_WAIT_S)
            else:
                self._down.works()
                self.sent += 1
                return taken

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
            raise Closed
        except TimeoutError:
            return


def _markup(problem: Refused) -> bool:
    return "parse" in problem.text or "entit" in problem.text

