"""The Telegram front: long polling of our own, every update acted on once, every command a task of its own.

1. An update is recorded durably before it acts and never acts twice (X40, updates.py).
2. 409: told once, polling goes on with growing waits; a webhook found in the way is removed. 401/404: the token is
   wrong, polling ends. 429: waits as told. Network, 5xx: growing waits without end.
3. Polling never waits for a command: /ping is answered while others work.
4. A command that moves money and is older than `stale_after_s` is told, not carried out (the router decides).
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from modules.supervision.outbox import Outbox
from modules.telegram.command import Answer, Role, Sender
from modules.telegram.context import Context
from modules.telegram.delivery import Channel, Closed, DownTime, Undeliverable
from modules.telegram.markup import esc
from modules.telegram.menu import menu_for
from modules.telegram.router import NO, YES, Router
from modules.telegram.sending import Busy, Refused, SendQueue, Trouble, WrongToken
from modules.telegram.settings import TelegramSettings
from modules.telegram.updates import UpdateLog
from utils.figures import duration
from utils.wall import now_ms

if TYPE_CHECKING:
    from modules.telegram.bot_api import Attached, BotApi, Incoming

log = logging.getLogger(__name__)
T = TypeVar("T")
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 60.0
_QUIET_S = 86_400.0
_LAST_ANSWERS_S = 3.0


class Chat:
    """An owner's chat as a delivery channel."""

    gather_s = 0.4

    def __init__(self, user: int, queue: Callable[[], SendQueue | None]) -> None:
        self.user = user
        self.name = f"telegram_{user}"
        self._queue = queue

    async def deliver(self, text: str, picture: Path | None, loud: bool) -> None:
        """delivery.Channel."""
        queue = self._queue()
        while queue is None:  # Telegram is still being loaded
            await asyncio.sleep(0.1)
            queue = self._queue()
        await queue.send(self.user, Answer(text, picture), quiet=not loud)


class TelegramFront:
    """Polling, acting, answering."""

    def __init__(self, settings: TelegramSettings, context: Context, router: Router, outbox: Outbox) -> None:
        self.down = DownTime()
        self.state = "starting"
        self._settings = settings
        self._router = router
        self._outbox = outbox
        self._commands = context.commands
        self._updates = UpdateLog(context.paths.run / "telegram_updates.jsonl")
        self._api: BotApi | None = None
        self._queue: SendQueue | None = None
        self._name = ""
        self._acting: set[asyncio.Task[None]] = set()
        self._menu_set: set[int] = set()
        self._heard = asyncio.get_running_loop().time()
        context.facts.lines["Telegram"] = self._describe

    def channels(self) -> list[Channel]:
        """Every owner's chat."""
        return [Chat(user, lambda: self._queue) for user in self._router.gate.owners]

    def _describe(self) -> str:
        sent = f", {self._queue.sent} sent" if self._queue is not None else ""
        down = self.down.seconds()
        return f"{self.state}{sent}" + (f", down for {duration(down)} ({self.down.why})" if down else "")

    async def run(self) -> str:
        """Serve until the token turns out wrong; returns why it ended. Cancelled at the end of the program."""
        try:
            await self._open()
            return await self._poll()
        except WrongToken:
            self.state = "stopped: the token is wrong"
            self.down.failed("the token is wrong")
            log.error("Telegram refuses the token, so no command from Telegram is served. "
                      "Get the right one from @BotFather, set TELEGRAM_TOKEN, start again")
            self._outbox.say("Telegram refuses the bot's token; no command from Telegram is served.", level="alert",
                             todo="Get the token from @BotFather, set TELEGRAM_TOKEN, start again.")
            return "Telegram refuses the token"

    async def _open(self) -> None:
        """Load aiogram off the loop, learn our name, tell what an earlier end cut short, offer the menus."""
        if self._api is None:
            self._tell_unfinished(await asyncio.to_thread(self._updates.load))
            self._api, self._queue = await asyncio.to_thread(self._load)
        self._name = (await self._insist(lambda: self._require().me())).lower()
        self.state = f"@{self._name}"
        for user in (*self._router.gate.owners, *self._router.gate.viewers):
            await self._offer_menu(user)

    def _tell_unfinished(self, commands: list[str]) -> None:
        for what in commands:
            self._outbox.say(f"A command was cut short: {what}", level="warning",
                             why="The program ended while it was carried out; it is not repeated.",
                             todo="Look at /status and /tracked, then send it again if you still want it.")

    def _load(self) -> "tuple[BotApi, SendQueue]":
        from modules.telegram import aiogram_lite

        aiogram_lite.load()  # before anything of aiogram is imported
        from modules.telegram.bot_api import BotApi

        api = BotApi(self._settings.token.get_secret_value(), self._settings.api_base)
        return api, SendQueue(api, self.down)

    async def _offer_menu(self, user: int) -> None:
        """The menu of one person; refused until they have written to us once."""
        assert self._api is not None
        role = Role.OWNER if user in self._router.gate.owners else Role.VIEWER
        try:
            await self._insist(lambda: self._require().menu(user, menu_for(self._commands, role)))
        except Refused as problem:
            log.info("no menu for %s yet: %s", user, problem)
        else:
            self._menu_set.add(user)

    def _require(self) -> "BotApi":
        assert self._api is not None
        return self._api

    async def _insist(self, call: Callable[[], Coroutine[object, object, T]]) -> T:
        """A call of the start, repeated until Telegram answers (rule 2)."""
        wait = _FIRST_WAIT_S
        while True:
            try:
                found = await call()
            except Busy as problem:
                await asyncio.sleep(problem.seconds)
            except Trouble as problem:
                self.down.failed(str(problem))
                await asyncio.sleep(wait)
                wait = min(2 * wait, _LONGEST_WAIT_S)
            else:
                self.down.works()
                return found

    async def _poll(self) -> str:
        """The polling loop (rule 2)."""
        from modules.telegram.bot_api import SecondPoller

        offset: int | None = None  # the first poll asks for all that waits: ids decide what is new (updates.py)
        wait = _FIRST_WAIT_S
        while True:
            if asyncio.get_running_loop().time() - self._heard > _QUIET_S:
                offset = None  # after a quiet week ids start anew, perhaps below ours
            try:
                found, highest = await self._require().updates(offset, self._settings.poll_timeout_s)
            except Busy as problem:
                await asyncio.sleep(problem.seconds)
            except SecondPoller as problem:
                await self._conflict(problem.webhook)
                await asyncio.sleep(wait)
                wait = min(2 * wait, _LONGEST_WAIT_S)
            except (Trouble, Refused) as problem:
                self.down.failed(str(problem))
                await asyncio.sleep(wait)
                wait = min(2 * wait, _LONGEST_WAIT_S)
            else:
                self._works()
                wait = _FIRST_WAIT_S
                await self._take(found)
                if highest is not None:
                    offset = highest + 1
                    self._heard = asyncio.get_running_loop().time()

    def _works(self) -> None:
        self.down.works()
        if self.state.startswith("another"):
            self.state = f"@{self._name}"
            self._outbox.say("Telegram is mine alone again.", why="No other program polls with this token any more.")

    async def _conflict(self, webhook: bool) -> None:
        """409: once for each episode."""
        if webhook:
            log.warning("a webhook is set for this token: it is removed")
            try:
                await self._require().drop_webhook()
            except (Busy, Trouble, Refused) as problem:
                log.error("it cannot be removed: %s", problem)
            return
        if not self.state.startswith("another"):
            self.state = "another program polls with this token"
            log.error("409: another program polls with this token")
            self._outbox.say("Another program polls Telegram with this bot's token.", level="alert",
                             why="Commands may reach that one instead of me. I keep trying.",
                             todo="Stop the other one, or revoke the token with @BotFather and set the new one.")

    async def _take(self, found: "list[Incoming]") -> None:
        """Record, then act (rule 1). Without a record nothing acts: a full disk must not make commands repeat."""
        try:
            new = await self._updates.take([(item.id, item.press or item.text) for item in found])
        except OSError as problem:
            log.error("updates cannot be recorded, so they are not carried out: %s", problem)
            for item in found:
                self._start(self._tell(item, Answer("I cannot write to my disk, so I do nothing. Is it full?")))
            return
        for item in found:
            if item.id in new:
                new.discard(item.id)
                self._start(self._act(item))

    def _start(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._acting.add(task)
        task.add_done_callback(self._acting.discard)

    async def _act(self, item: "Incoming") -> None:
        """One update, from gate to answer. The border of its task."""
        try:
            answer = await self._answer(item)
            self._updates.done(item.id)
            if answer is not None:
                await self._send(item, answer)
        except Exception:  # border of the task: logged, counted, answered
            log.exception("update %s failed", item.id)
            self._router.failures += 1

    async def _answer(self, item: "Incoming") -> Answer | None:
        sender = Sender(str(item.user), "telegram", item.name, item.chat)
        if self._router.gate.role(sender) is None:  # nothing at all, not even the button's clock is stopped
            return None
        if item.press:
            await self._tidy(item)
            return await self._router.press(sender, item.press, self._progress(item))
        text = self._addressed(item.text)
        if text is None:
            return None
        if item.user not in self._menu_set:
            await self._offer_menu(item.user)
        age_s = max(0.0, now_ms() / 1000 - item.sent_at)  # Telegram's own clock is the wall's
        if item.file is not None:
            return await self._with_file(item, item.file, sender, text, age_s)
        return await self._router.line(sender, text, self._progress(item), age_s)

    async def _with_file(self, item: "Incoming", file: "Attached", sender: Sender, text: str, age_s: float) -> Answer:
        """A document and its caption: fetched only where the command, the sender and the size allow it."""
        refusal = self._router.refuses_file(sender, text, file.size)
        if refusal:
            return Answer(refusal)
        command = self._router.find(text.split()[0])
        try:
            raw = await self._require().download(file, command.takes_file if command is not None else 0)
        except Busy as problem:
            return Answer(f"Telegram asks to wait {problem.seconds:.0f} s; nothing was done. Send the file again then.")
        except (Trouble, Refused) as problem:
            return Answer(f"The file could not be fetched, nothing was done: {esc(problem)}. Send it again.")
        answer = await self._router.line(sender, text, self._progress(item), age_s, raw)
        return answer if answer is not None else Answer("")

    def _addressed(self, text: str) -> str | None:
        """``/ping@OurBot`` is for us, ``/ping@OtherBot`` is not."""
        word, _, rest = text.partition(" ")
        name, at, whom = word.partition("@")
        if at and name.startswith("/"):
            return f"{name} {rest}".strip() if whom.lower() == self._name else None
        return text

    def _progress(self, item: "Incoming") -> Callable[[str], Coroutine[object, object, None]]:
        shown: int | None = None  # what a command tells on its way is one message, edited

        async def tell(text: str) -> None:
            nonlocal shown
            shown = await self._send(item, Answer(text, replaces=shown is not None), shown or 0)

        return tell

    async def _tidy(self, item: "Incoming") -> None:
        """Stop the pressed button's clock; a confirmation's buttons go, it works only once."""
        try:
            await self._require().pressed(item.callback)
            if item.press.startswith((YES, NO)) and item.message:
                await self._require().strip(item.chat, item.message)
        except (Busy, Trouble, Refused) as problem:
            log.info("button: %s", problem)

    async def _tell(self, item: "Incoming", answer: Answer) -> None:
        await self._send(item, answer)

    async def _send(self, item: "Incoming", answer: Answer, message: int | None = None) -> int | None:
        """Answer; the message that can be edited afterwards. `message`: the one to edit, not that of the button."""
        assert self._queue is not None
        try:
            return await self._queue.send(item.chat, answer, item.message if message is None else message)
        except Undeliverable as problem:
            log.error("answer to %s cannot be delivered: %s", item.user, problem)
        except Closed:
            log.info("answer to %s was not sent before the end", item.user)
        return None

    async def close(self) -> None:
        """Let the last answers out, then release connections."""
        if self._acting:
            await asyncio.wait(self._acting, timeout=_LAST_ANSWERS_S)
        if self._queue is not None:
            self._queue.close()
        if self._api is not None:
            await self._api.close()
