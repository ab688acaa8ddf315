"""What a command is: declared once; help, menu, usage, validation, roles and docs come from the declaration.

A handler gets typed arguments and answers HTML (see markup.py). A command that destroys or spends has a `preview`
that states the exact exposure; the router asks for a confirmation with it before the handler runs.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from modules.telegram.context import Context

Value = str | int | float
Progress = Callable[[str], Awaitable[None]]
_LONGEST_QUOTE = 60


class Role(IntEnum):
    """What a person may do; an owner may all that a viewer may."""

    VIEWER = 1
    OWNER = 2


class Group(StrEnum):
    """Headings of /help."""

    CREW = "Start and stop"
    TRADING = "Positions and money"
    REPORTS = "Reports"
    SIGNALS = "Signals"
    MODELS = "Models"
    MODE = "Test and live"
    DATA = "Data"
    HELP = "State and help"


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sent a command, by which channel. The console and local tools are the owner's own."""

    user: str
    channel: Literal["telegram", "console", "local", "dashboard"]
    name: str = ""
    chat: int = 0


AGAIN = "↻"  # the label of a button that asks the same once more; nothing to offer on a console


@dataclass(frozen=True, slots=True)
class Button:
    """One inline button. `data` goes back to the router: a command line, or a confirmation."""

    label: str
    data: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to a person. `replaces`: edit the message whose button was pressed instead of a new one."""

    text: str
    picture: Path | None = None
    buttons: tuple[tuple[Button, ...], ...] = ()
    replaces: bool = False


@dataclass(frozen=True, slots=True)
class Preview:
    """What will happen if confirmed, with the exact exposure. If `fingerprint` differs at the confirmation, the
    world has changed in between and a new preview is shown instead of acting on an old one."""

    text: str
    fingerprint: str = ""
    yes: str = "Yes, do it"


class UsageError(Exception):
    """An argument that cannot be used; the text says which and why."""


class Refusal(Exception):
    """A command that cannot be carried out now: the text is HTML fit for a person."""


@dataclass(frozen=True, slots=True)
class Arg:
    """One argument. `low`/`high` bound numbers; `choices` are the words of a choice."""

    name: str
    kind: Literal["symbol", "int", "float", "choice", "text"]
    help: str = ""
    required: bool = False
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None

    @property
    def usage(self) -> str:
        word = "|".join(self.choices) if self.kind == "choice" and len(self.choices) <= 5 else self.name.upper()
        return word if self.required else f"[{word}]"

    def parse(self, text: str) -> Value:
        """The value of `text`. Raises UsageError."""
        if self.kind == "symbol":
            return parse_symbol(text)
        if self.kind == "choice":
            word = text.lower()
            if word not in self.choices:
                raise UsageError(f"{shown(text)} is not known here; it can be {', '.join(self.choices)}.")
            return word
        if self.kind in ("int", "float"):
            return self._number(text)
        return text

    def _number(self, text: str) -> int | float:
        try:
            value = int(text) if self.kind == "int" else float(text)
        except ValueError:
            raise UsageError(f"{self.name} is {shown(text)}; it must be a number.") from None
        if value != value or value in (float("inf"), float("-inf")):
            raise UsageError(f"{self.name} is {shown(text)}; it must be a number.")
        if (self.low is not None and value < self.low) or (self.high is not None and value > self.high):
            raise UsageError(f"{self.name} is {shown(text)}; it must be {self._limits()}.")
        return value

    def _limits(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.low:g} or more" if self.low is not None else f"{self.high:g} or less"
        return f"from {self.low:g} to {self.high:g}"


_SYMBOL = re.compile(r"[A-Z0-9]{1,20}USDT")


def parse_symbol(text: str) -> str:
    """A symbol as people type it (``pepe``, ``PEPE/USDT``, ``$pepe``) as the exchange's. Raises UsageError."""
    name = re.sub(r"[\s/_\-$]", "", text).upper()
    if not name.endswith("USDT") or name == "USDT":
        name += "USDT"
    if not _SYMBOL.fullmatch(name):
        raise UsageError(f"{shown(text)} is not a symbol. Write for example PEPE or PEPEUSDT.")
    return name


async def _silent(_: str) -> None:
    """Progress nobody listens to."""


@dataclass(frozen=True, slots=True)
class Request:
    """One command on its way: who, which arguments, where progress goes."""

    sender: Sender
    role: Role
    values: dict[str, Value] = field(default_factory=dict)
    progress: Progress = _silent
    attached: str = ""  # the text of a file that came with it

    def text(self, name: str, default: str = "") -> str:
        """An argument as text."""
        value = self.values.get(name, default)
        return str(value)

    def number(self, name: str, default: int) -> int:
        """An argument as a whole number."""
        return int(self.values.get(name, default))


Handler = Callable[["Context", Request], Awaitable[Answer]]
Previewer = Callable[["Context", Request], Awaitable[Preview | Answer | None]]


@dataclass(frozen=True, slots=True)
class Command:
    """One command. `money`: it buys, sells or lets others do so; a stale one is not carried out (X40).

    `preview` returns a Preview to be confirmed, an Answer that ends the matter (nothing to do, refused), or None
    where no confirmation is needed this time. `takes_file`: bytes of the largest text file that may come with it,
    as a document in Telegram or ``@PATH`` on the console; 0: none.
    """

    name: str
    help: str
    group: Group
    handler: Handler
    role: Role = Role.OWNER
    aliases: tuple[str, ...] = ()
    args: tuple[Arg, ...] = ()
    preview: Previewer | None = None
    money: bool = False
    console_only: bool = False
    takes_file: int = 0

    @property
    def usage(self) -> str:
        return " ".join([f"/{self.name}", *(arg.usage for arg in self.args)])

    def parse(self, words: list[str]) -> dict[str, Value]:
        """Typed arguments of `words`. Raises UsageError."""
        if self.args and self.args[-1].kind == "text" and len(words) > len(self.args):
            last = len(self.args) - 1
            words = [*words[:last], " ".join(words[last:])]
        if len(words) > len(self.args):
            raise UsageError(f"/{self.name} takes {_count(len(self.args))}; {shown(' '.join(words))} is too much.")
        values: dict[str, Value] = {}
        left = list(self.args)
        for word in words:
            self._assign(word, left, values)
        for arg in left:
            if arg.required:
                raise UsageError(f"{arg.usage} is missing.")
        return values

    @staticmethod
    def _assign(word: str, left: list[Arg], values: dict[str, Value]) -> None:
        """Give a word to the first argument that can be it; optional ones may be passed over (``/activity 2``)."""
        problem: UsageError | None = None
        for position, arg in enumerate(left):
            try:
                values[arg.name] = arg.parse(word)
            except UsageError as refused:
                problem = problem or refused
                if arg.required:
                    break
                continue
            passed = left[:position]
            left[:] = [*passed, *left[position + 1:]]
            return
        raise problem or UsageError(f"{shown(word)} is too much.")


def shown(text: str) -> str:
    """What a person wrote, quoted in an answer: its beginning where it is long."""
    return repr(text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE - 1] + "…")


def _count(number: int) -> str:
    return {0: "no arguments", 1: "one argument"}.get(number, f"{number} arguments")
