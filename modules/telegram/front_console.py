"""The local console: the same commands, typed at a prompt or read from a pipe, one line after the other.

1. A thread reads standard input (portable: no readiness of file handles is asked for), a line only when one is
   wanted, and never ahead: after /restartloop the next program reads on where this one stopped.
2. A line is carried out to its end before the next; a pending confirmation is answered by the next line, yes or no;
   any other line cancels it and is carried out itself.
3. At the end of the input the program stops everything and ends with 0.
4. ``/wait SECONDS`` exists here only: notices go on printing meanwhile.
5. Pictures are files; their path is printed. Markup becomes plain text, bold on a terminal.
6. ``/etf @PATH`` hands a file to a command that takes one, as a document does in Telegram.
"""

import asyncio
import io
import logging
import queue
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from modules.telegram.command import AGAIN, Answer, Sender
from modules.telegram.markup import ansi, plain
from modules.telegram.router import NO, RUN, YES, Router

log = logging.getLogger(__name__)
PROMPT = "> "
LONGEST_LINE = 2000
SENDER = Sender(user="console", channel="console", name="console")


class Console:
    """Standard input to the router, answers and notices to standard output. Also a delivery channel."""

    name = "console"
    gather_s = 0.0

    def __init__(self, router: Router, source: TextIO | None = None, sink: TextIO | None = None,
                 ending: Callable[[], bool] = bool) -> None:
        """`ending`: whether the program ends already, so that no further line is wanted."""
        self._router = router
        self._ending = ending
        self._in = source if source is not None else sys.stdin
        self._out = sink if sink is not None else sys.stdout
        self._terminal = self._in.isatty() and self._out.isatty()
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._wanted: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._confirm = ""
        self._prompting = False
        self._lost = False
        reconfigure = getattr(self._out, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")  # a console that cannot show a sign shows ? instead of failing

    async def deliver(self, text: str, picture: Path | None, loud: bool) -> None:
        """A notice (delivery.Channel)."""
        self.show(text, picture)

    async def run(self) -> None:
        """Carry out lines until the input ends (rule 3)."""
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, args=(loop,), name="console", daemon=True).start()
        while True:
            self._prompt()
            self._wanted.put(None)
            line = await self._lines.get()
            self._prompting = False
            if line is None:
                return
            if not self._terminal and line.strip():
                self.write(f"{PROMPT}{line.strip()}")
            await self.line(line.strip()[:LONGEST_LINE])
            if self._ending():
                return

    async def line(self, text: str) -> None:
        """Carry out one line."""
        if self._confirm:
            token, self._confirm = self._confirm, ""
            word = text.lower().lstrip("/")
            if word in ("yes", "y", "no", "n"):
                kind = YES if word in ("yes", "y") else NO
                self._take(await self._router.press(SENDER, kind + token, self.progress))
                return
            self._take(await self._router.press(SENDER, NO + token, self.progress))
        if text.lower() in ("yes", "y", "no", "n"):
            self.write("Nothing waits for an answer.")
            return
        if not text or text.startswith("#"):
            return
        command = text if text.startswith("/") else f"/{text}"
        head, _, word = command.rpartition(" ")
        found = self._router.find(head.split()[0]) if head and word.startswith("@") else None
        attached = None
        if found is not None and found.takes_file:  # rule 6
            try:
                attached = await asyncio.to_thread(_read_file, Path(word[1:]).expanduser(), found.takes_file)
            except OSError as problem:
                self.write(f"{word[1:]} cannot be read: {problem.strerror or problem}. Nothing was done.")
                return
            command = head
        self._take(await self._router.line(SENDER, command, self.progress, attached=attached))

    async def progress(self, text: str) -> None:
        """A word in between."""
        self.show(text)

    def show(self, text: str, picture: Path | None = None) -> None:
        """Print markup, with the path of its picture."""
        self.write((ansi if self._terminal else plain)(text) + (f"\n[picture: {picture}]" if picture else ""))

    def write(self, text: str) -> None:
        """Print plain text; the prompt comes back below it."""
        try:
            self._out.write(f"\r{text}\n" if self._prompting and self._terminal else f"{text}\n")
            self._out.flush()
        except (OSError, ValueError) as problem:  # the terminal was closed: go on without it, once told
            if not self._lost:
                self._lost = True
                log.error("the console cannot be written to any more: %s", problem)
            return
        if self._prompting:
            self._prompt()

    def _take(self, answer: Answer | None) -> None:
        if answer is None:
            return
        data = [button.data for row in answer.buttons for button in row]
        self._confirm = next((item.removeprefix(YES) for item in data if item.startswith(YES)), "")
        more = [button.data.removeprefix(RUN) for row in answer.buttons for button in row
                if button.data.startswith(RUN) and button.label != AGAIN]
        self.show("\n".join([answer.text, *(f"More: {line}" for line in more)]), answer.picture)

    def _prompt(self) -> None:
        if self._terminal:
            self._out.write("yes/no> " if self._confirm else PROMPT)
            self._out.flush()
        self._prompting = True

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        """The reading thread (rule 1)."""
        def hand(line: str | None) -> bool:
            try:
                loop.call_soon_threadsafe(self._lines.put_nowait, line)
            except RuntimeError:  # the loop is closed: the program has ended
                return False
            return True

        read = _reader(self._in, self._terminal)
        while True:
            self._wanted.get()
            try:
                line = read()
            except (OSError, ValueError) as problem:
                log.error("the console cannot be read any more: %s", problem)
                line = ""
            if not hand(line.rstrip("\r\n") if line else None) or not line:
                return


def _read_file(path: Path, most: int) -> bytes:
    """At most `most` bytes and one more, so that a larger one shows. Raises OSError."""
    with open(path, "rb") as source:
        return source.read(most + 1)


def _reader(source: TextIO, terminal: bool) -> Callable[[], str]:
    """Reads one line and not a byte more, where the source is a pipe; "" at its end."""
    if terminal:
        return source.readline
    try:
        handle = source.fileno()
    except (OSError, io.UnsupportedOperation):
        return source.readline
    raw = open(handle, "rb", buffering=0, closefd=False)  # noqa: SIM115  lives as long as the process
    return lambda: raw.readline().decode("utf-8", "replace")
