"""From a line of text or a pressed button to an answer: gate, find, validate, confirm, run. Both fronts use it.

1. The gate comes first, for commands and buttons alike; whoever it does not know gets None: nothing.
2. A wrong argument answers the usage, an unknown command the nearest known one.
3. A command with a preview runs only with a one-time token (confirm.py), and only if what was previewed still holds.
4. A command that spends and was sent long ago (the bot was down) is told, not carried out (X40).
5. No handler's failure ends the router: what a person can mend is answered in words, the rest is logged with its
   stack, counted and answered.
"""

import difflib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from modules.exchange.types import Unavailable
from modules.storage.damage import StateError
from modules.telegram.command import (
    Answer,
    Button,
    Command,
    Preview,
    Progress,
    Refusal,
    Request,
    Role,
    Sender,
    UsageError,
    Value,
    _silent,
)
from modules.telegram.confirm import Confirmations, Verdict
from modules.telegram.context import Context
from modules.telegram.gate import Gate
from modules.telegram.markup import b, code, esc, lines
from utils.figures import duration
from utils.redact import redact

log = logging.getLogger(__name__)
RUN, YES, NO = "run:", "yes:", "no:"
_NEAR = 0.7  # how alike a command must be to be asked about: "hello" is not meant for /sell


@dataclass(frozen=True, slots=True)
class Call:
    """A command with its arguments, ready to run."""

    command: Command
    values: dict[str, Value]
    line: str


class Router:
    """Every command, behind one gate."""

    def __init__(self, commands: Sequence[Command], context: Context, gate: Gate, confirm_s: float, stale_s: float,
                 clock: Callable[[], float]) -> None:
        self.commands = tuple(commands)
        self.context = context
        self.gate = gate
        self.confirmations = Confirmations(confirm_s, clock)
        self.failures = 0
        self._stale_s = stale_s
        self._by_name = _index(self.commands)

    async def line(self, sender: Sender, text: str, progress: Progress = _silent, age_s: float = 0.0,
                   attached: bytes | None = None) -> Answer | None:
        """Answer one line; None where the sender is nobody here. `age_s`: how long ago it was sent; `attached`: a file
        that came with it."""
        role = self.gate.role(sender)
        if role is None:
            return None
        try:
            call = self._read(text, sender, role)
            if call.command.money and age_s > self._stale_s:
                return self._stale(call, age_s)
            content = self._file(call.command, attached, None) if attached is not None else ""
            return await self._begin(call, Request(sender, role, call.values, progress, content))
        except UsageError as problem:
            return Answer(str(problem))

    def refuses_file(self, sender: Sender, text: str, size: int | None) -> str:
        """Why a file of `size` bytes need not even be fetched for this line; "" if it is welcome. Nothing is done."""
        role = self.gate.role(sender)
        if role is None:
            return "not served"
        try:
            self._file(self._read(text, sender, role).command if text.strip() else None, None, size)
        except UsageError as problem:
            return str(problem)
        return ""

    def _file(self, command: Command | None, raw: bytes | None, size: int | None) -> str:
        """The text of a file. Raises UsageError where the command takes none, or not this one."""
        if command is None or not command.takes_file:
            takers = " ".join(f"/{one.name}" for one in self.commands if one.takes_file)
            said = "A file needs a caption: the command it is for." if command is None else (
                f"/{command.name} takes no file.")
            raise UsageError(f"{said} These take one: {takers}.")
        size = len(raw) if raw is not None else size
        if size is not None and size > command.takes_file:
            raise UsageError(f"The file has {size:,} bytes; /{command.name} takes at most {command.takes_file:,}.")
        try:
            content = (raw or b"").decode("utf-8-sig")
        except UnicodeDecodeError as problem:
            raise UsageError(f"The file is no UTF-8 text (byte {problem.start}). Save it as UTF-8.") from None
        if raw is not None and not content.strip():
            raise UsageError("The file is empty.")
        return content

    async def press(self, sender: Sender, data: str, progress: Progress = _silent) -> Answer | None:
        """Answer one pressed button."""
        role = self.gate.role(sender)
        if role is None:
            return None
        if data.startswith(RUN):
            answer = await self.line(sender, data.removeprefix(RUN), progress)
            return answer and Answer(answer.text, answer.picture, answer.buttons, replaces=answer.picture is None)
        if data.startswith(YES):
            return await self._confirmed(sender, role, data.removeprefix(YES), progress)
        if data.startswith(NO):
            verdict, _ = self.confirmations.take(data.removeprefix(NO), sender.user)
            return Answer("Cancelled. Nothing was done." if verdict is Verdict.GOOD else _VERDICTS[verdict],
                          replaces=verdict is not Verdict.FOREIGN)
        return Answer("This button is from another version. Send the command again.")

    def find(self, name: str) -> Command | None:
        """A command by name or alias."""
        return self._by_name.get(name.lower().lstrip("/"))

    def _read(self, text: str, sender: Sender, role: Role) -> Call:
        words = text.split()
        if not words:
            raise UsageError("Nothing was sent. /help lists the commands.")
        if not words[0].startswith("/"):
            raise UsageError("Commands begin with a slash. /help lists them.")
        command = self.find(words[0])
        if command is None or not _offered(command, sender):
            raise UsageError(self._unknown(words[0], role, sender))
        if role < command.role:
            raise UsageError(f"/{command.name} is for owners; you are listed as a viewer. /help shows what you can do.")
        try:
            values = command.parse(words[1:])
        except UsageError as problem:
            helps = [f"{code(arg.usage)} {esc(arg.help)}" for arg in command.args if arg.help]
            raise UsageError(lines(esc(problem), f"Usage: {code(command.usage)}", *helps)) from None
        return Call(command, values, " ".join([f"/{command.name}", *words[1:]]))

    def _unknown(self, word: str, role: Role, sender: Sender) -> str:
        names = [name for name, command in self._by_name.items()
                 if command.role <= role and _offered(command, sender)]
        near = difflib.get_close_matches(word.lower().lstrip("/"), names, n=1, cutoff=_NEAR)
        hint = f"Did you mean /{near[0]}? " if near else ""
        return f"I don't know {esc(word[:40])}. {hint}/help lists the commands."

    def _stale(self, call: Call, age_s: float) -> Answer:
        return Answer(lines(
            f"{b('Not carried out')}: {code(call.line)}",
            f"It was sent {duration(age_s)} ago, while I could not be reached, and it moves money.",
            "→ Send it again if you still want it."))

    async def _begin(self, call: Call, request: Request) -> Answer:
        """Run, or ask first (rule 3)."""
        if call.command.preview is None:
            return await self._run(call, request)
        preview = await self._guard(call, call.command.preview(self.context, request))
        if isinstance(preview, Answer):
            return preview
        if preview is None:
            return await self._run(call, request)
        return self._ask(call, request, preview)

    def _ask(self, call: Call, request: Request, preview: Preview) -> Answer:
        token = self.confirmations.ask(request.sender.user, call.line, preview.fingerprint)
        valid = duration(self.confirmations.valid_s)
        how = "Answer yes or no" if request.sender.channel == "console" else "Press a button"
        buttons = ((Button(preview.yes, YES + token), Button("No", NO + token)),)
        return Answer(lines(preview.text, f"{how} within {valid}."), buttons=buttons)

    async def _confirmed(self, sender: Sender, role: Role, token: str, progress: Progress) -> Answer:
        verdict, pending = self.confirmations.take(token, sender.user)
        if pending is None:
            return Answer(_VERDICTS[verdict], replaces=verdict is Verdict.EXPIRED)
        try:
            call = self._read(pending.line, sender, role)
        except UsageError as problem:
            return Answer(str(problem))
        request = Request(sender, role, call.values, progress)
        if call.command.preview is not None:
            now = await self._guard(call, call.command.preview(self.context, request))
            if isinstance(now, Answer):
                return now
            if now is not None and now.fingerprint != pending.fingerprint:
                changed = Preview(lines(b("It changed since you asked; nothing was done."), now.text), now.fingerprint,
                                  now.yes)
                return self._ask(call, request, changed)
        return await self._run(call, request)

    async def _run(self, call: Call, request: Request) -> Answer:
        log.info("%s %s: %s", request.sender.channel, request.sender.user, redact(call.line))
        answer = await self._guard(call, call.command.handler(self.context, request))
        assert isinstance(answer, Answer)
        return answer

    async def _guard(self, call: Call, work: Awaitable[Answer | Preview | None]) -> Answer | Preview | None:
        """Failures as words (rule 5)."""
        try:
            return await work
        except Refusal as problem:
            return Answer(str(problem))
        except (Unavailable, StateError) as problem:
            return Answer(lines(f"{code(call.line)} could not be done.", esc(redact(str(problem)))))
        except OSError as problem:
            log.exception("%s failed", call.line)
            return Answer(lines(f"{code(call.line)} could not be done.", esc(redact(str(problem))),
                                "→ Is the disk full, or a folder not writable? /status shows the space left."))
        except Exception as problem:  # the border of one command's task
            self.failures += 1
            log.exception("%s failed", call.line)
            return Answer(lines(f"{code(call.line)} failed: {esc(type(problem).__name__)}.",
                                "→ This is a fault of the program; /logs bot shows where."))


_VERDICTS = {
    Verdict.UNKNOWN: "This confirmation is used up or from before a restart. Nothing was done. Send the command again.",
    Verdict.EXPIRED: "This confirmation has expired. Nothing was done. Send the command again.",
    Verdict.FOREIGN: "Only the person who asked can confirm this.",
    Verdict.GOOD: "",
}


def _offered(command: Command, sender: Sender) -> bool:
    """Whether a command exists where the sender writes."""
    return not command.console_only or sender.channel not in ("telegram", "dashboard")


def _index(commands: Sequence[Command]) -> dict[str, Command]:
    """Commands by every name. A name given twice is an error of the declaration."""
    found: dict[str, Command] = {}
    for command in commands:
        for name in (command.name, *command.aliases):
            if name in found:
                raise ValueError(f"two commands are called {name}")
            found[name] = command
    return found
