"""The command process: supervisor, router, fronts, delivery, dead-man ping, in one event loop.

1. It is ready when its fronts answer; what is heavy (aiogram) is loaded only with a token, beside the loop.
2. At its start it adopts what lives, starts again what was wanted (and the tracker while positions are open), and
   says what it found.
3. It ends by Ctrl-C, a signal, ``bot.py stop``, the end of piped input, /quit: then it stops the crew; by
   /restartloop: then the crew lives on. A wrong Telegram token with no console is the end, exit code 2.
4. A part that fails (a front, the delivery) is logged with its stack, told, and started again with growing waits.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from modules.execution.mode import mode_word
from modules.supervision.alarms import tell_damages
from modules.supervision.deadman import ping_loop
from modules.supervision.lifetime import EXIT_RESTART, EXIT_SETTINGS, Lifetime
from modules.supervision.outbox import Outbox
from modules.supervision.registry import Service
from modules.supervision.second_channel import SecondChannel
from modules.supervision.supervisor import Supervisor
from modules.telegram.command import Sender
from modules.telegram.commands import all_commands
from modules.telegram.context import SENDER, Context
from modules.telegram.dashboard_front import NoticeRecord
from modules.telegram.delivery import Channel, Delivery
from modules.telegram.front_console import Console
from modules.telegram.gate import Gate
from modules.telegram.local_front import LogChannel, serve_inbox
from modules.telegram.markup import plain
from modules.telegram.router import Router
from modules.telegram.workers import Workers
from utils.figures import plural
from utils.paths import Paths

if TYPE_CHECKING:
    from config.settings import Settings
    from modules.telegram.front_telegram import TelegramFront

log = logging.getLogger(__name__)
_LOCAL = Sender(user="local", channel="local", name="start")
_LAST_WORDS_S, _LAST_WORDS_DOWN_S = 4.0, 0.5
_LONGEST_WAIT_S = 60.0
_TELL_AGAIN_S = 600.0


async def main(paths: Paths, settings: "Settings", console: bool, send: Sequence[str] = (),
               crew: Sequence[Service] = ()) -> int:
    """Run the command process to its end; returns the exit code for bot.py. `send`: commands carried out first."""
    with Lifetime(paths.run) as life:
        house = House(paths, settings, crew, life)
        if console:
            house.add_console()
        if settings.telegram.token.get_secret_value():
            house.add_telegram(alone=not console)
        return await house.live(send)


class House:
    """The parts of the command process and how they live together."""

    def __init__(self, paths: Paths, settings: "Settings", crew: Sequence[Service], life: Lifetime) -> None:
        self.life = life
        self.settings = settings
        self.outbox = Outbox(paths.outbox, SENDER)
        self._quiet = tell_damages(self.outbox)  # before the supervisor and the commands read state
        self.crew = Supervisor(paths, settings.supervision, crew, must_run=lambda: self.context.must_run(),
                               mode=lambda: mode_word(paths))
        self.context = Context(paths, settings, self.crew, Workers(paths, settings), life.request_restart, life.stop)
        self.context.commands = all_commands([service.name for service in crew])
        telegram = settings.telegram
        gate = Gate(telegram.owners, telegram.viewers, time.monotonic)
        self.router = Router(self.context.commands, self.context, gate, telegram.confirm_s, telegram.stale_after_s,
                             time.monotonic)
        self.channels: list[Channel] = []
        self.console: Console | None = None
        self.telegram: TelegramFront | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._code: int | None = None
        self._told: dict[str, float] = {}
        self._gate = gate

    def add_console(self) -> None:
        """Commands from standard input."""
        self.console = Console(self.router, ending=lambda: self.life.ending)
        self.channels.append(self.console)

    def add_telegram(self, alone: bool) -> None:
        """Commands from Telegram. `alone`: without a working token there is nobody left to command."""
        from modules.telegram.front_telegram import TelegramFront

        self.telegram = TelegramFront(self.settings.telegram, self.context, self.router, self.outbox)
        self.channels += self.telegram.channels()
        self._alone = alone
        self.context.facts.lines["Strangers"] = lambda: (
            plural(self._gate.refused, "message") + " not served" if self._gate.refused else "")

    async def live(self, send: Sequence[str]) -> int:
        """From start to end (rule 3)."""
        if not self.channels:
            self.channels.append(LogChannel())
        self.channels.append(NoticeRecord(self.context.paths))
        delivery = Delivery(self.outbox, self.context.paths.data, self.channels)
        delivery.sweep()
        self.context.facts.lines["Alerts"] = delivery.told
        self.context.facts.lines["Faults of commands"] = lambda: str(self.router.failures or "")
        self._greet()
        self._begin(delivery)
        if send:
            self._keep("first commands", lambda: self._first_commands(send))
        code = await self.life.ended()
        await self._end(delivery, code)
        self._quiet()
        return code if self._code is None or code == EXIT_RESTART else self._code

    def _begin(self, delivery: Delivery) -> None:
        report = self.settings.report
        self._keep("supervisor", self.crew.watch)
        self._keep("inbox", lambda: serve_inbox(self.context.paths, self.router, self.outbox))
        self._keep("dead-man ping", lambda: ping_loop(report.heartbeat_url, report.heartbeat_every_s,
                                                      self.crew.healthy))
        for channel in self.channels:
            self._keep(f"delivery to {channel.name}", partial(delivery.run, channel))
        if self.console is not None:
            self._keep("console", self._console)
        if self.telegram is not None:
            self._keep("Telegram", self._telegram)
            second = SecondChannel(report.webhook_url.get_secret_value(), report.smtp_url.get_secret_value(),
                                   report.email_to)
            down = self.telegram.down
            self._keep("second channel", lambda: delivery.second_channel(
                second, down.seconds, self.settings.telegram.second_after_s))

    async def _first_commands(self, lines: Sequence[str]) -> None:
        for line in lines:
            answer = await self.router.line(_LOCAL, line)
            if answer is not None:
                head, _, rest = plain(answer.text).partition("\n")
                self.outbox.say(f"{line}: {head}", why=rest)

    async def _console(self) -> None:
        assert self.console is not None
        await self.console.run()
        self.life.stop("end of input")

    async def _telegram(self) -> None:
        assert self.telegram is not None
        why = await self.telegram.run()
        if self._alone:
            self._code = EXIT_SETTINGS
            self.life.stop(why)

    def _greet(self) -> None:
        """Say what was found (rule 2)."""
        facts = self.context.facts
        adopted = [one.title for one in self.crew.status(False) if one.name in self.crew.adopted]
        again = [one.title for one in self.crew.status(False) if one.wanted and one.name not in self.crew.adopted]
        parts = [f"still running: {', '.join(adopted)}" if adopted else "",
                 f"starting again: {', '.join(again)}" if again else ""]
        found = "; ".join(part for part in parts if part)
        facts.found_at_start = f"At its start: {found}." if found else ""
        mode = self.context.mode()
        self.outbox.say(
            "Coxswain is here." + (f" {found[0].upper()}{found[1:]}." if found else ""), mode=mode.value,
            todo="" if found else "/startbot begins, /help lists the commands.")

    def _keep(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run a part until the end; one that fails is started again (rule 4), one that returns is done."""
        async def forever() -> None:
            wait = 0.5
            while True:
                began = time.monotonic()
                try:
                    await work()
                    return
                except asyncio.CancelledError:
                    raise
                except Exception:  # border of a part: logged, told, started again
                    log.exception("%s failed", name)
                    self._tell_failure(name)
                wait = 0.5 if time.monotonic() - began > _LONGEST_WAIT_S else min(2 * wait, _LONGEST_WAIT_S)
                await asyncio.sleep(wait)

        self._tasks.append(asyncio.create_task(forever(), name=name))

    def _tell_failure(self, name: str) -> None:
        """Once in ten minutes for each part."""
        now = time.monotonic()
        if now - self._told.get(name, float("-inf")) > _TELL_AGAIN_S:
            self._told[name] = now
            self.outbox.say(f"{name} had an error and is started again.", level="alert",
                            todo="/logs bot has the details.")

    async def _end(self, delivery: Delivery, code: int) -> None:
        """Stop the crew (unless it lives on), say the last words, end the parts."""
        if self.console is not None and code != EXIT_RESTART:
            running = [one.title for one in self.crew.status(False) if one.pid is not None]
            if running:
                self.console.show(f"Stopping {', '.join(running)} …")
        for task in self._tasks:
            if task.get_name() in ("supervisor", "console", "second channel", "inbox"):
                task.cancel()
        if code != EXIT_RESTART:
            await self.crew.shutdown()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        down = self.telegram is not None and self.telegram.down.seconds() > 0
        await delivery.drain(_LAST_WORDS_DOWN_S if down else _LAST_WORDS_S)
        if self.telegram is not None:
            await self.telegram.close()
