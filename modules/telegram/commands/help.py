"""/help, from the declarations."""

import asyncio

from modules.telegram.command import Answer, Arg, Command, Group, Request, Role, shown
from modules.telegram.commands.crew import stopall_preview
from modules.telegram.context import Context
from modules.telegram.markup import b, code, esc, lines
from utils.figures import duration


async def help_(context: Context, request: Request) -> Answer:
    wanted = request.text("command").lstrip("/").lower()
    mine = [command for command in context.commands
            if command.role <= request.role and (not command.console_only or request.sender.channel != "telegram")]
    if wanted:
        found = next((command for command in mine if wanted in (command.name, *command.aliases)), None)
        if found is None:
            return Answer(f"There is no command {esc(shown(wanted))}. /help lists them.")
        return Answer(details(found))
    parts = []
    for group in Group:
        rows = [f"/{command.name}{_args(command)} – {esc(command.help)}" for command in mine if command.group is group]
        if rows:
            parts.append(lines(b(group), *rows))
    return Answer("\n\n".join([*parts, f"More on one: {code('/help chart')}"]))


def _args(command: Command) -> str:
    """Required arguments only: the list stays readable; /help COMMAND shows all."""
    return "".join(f" {arg.usage}" for arg in command.args if arg.required)


def details(command: Command) -> str:
    """All about one command."""
    asks = "Asks for a confirmation first." if command.preview else None
    also = f"Also: {', '.join('/' + name for name in command.aliases)}" if command.aliases else None
    return lines(b(command.usage), esc(command.help), also,
                 *(f"{code(arg.usage)} {esc(arg.help or arg.kind)}" for arg in command.args), asks)


async def wait(context: Context, request: Request) -> Answer:
    """On the console only: a script waits while notices print."""
    seconds = float(request.values["seconds"])
    await asyncio.sleep(seconds)
    return Answer(f"Waited {duration(seconds)}.")


async def quit_(context: Context, request: Request) -> Answer:
    """On the console only: the same as the end of its input."""
    context.request_end("quit")
    return Answer("Stopping everything …")


COMMANDS = (
    Command("help", "This list", Group.HELP, help_, Role.VIEWER, aliases=("start", "commands"),
            args=(Arg("command", "text", "one command's details"),)),
    Command("wait", "Wait while notices print", Group.HELP, wait, console_only=True,
            args=(Arg("seconds", "float", "how long", required=True, low=0, high=86_400),)),
    Command("quit", "Stop everything and end", Group.HELP, quit_, aliases=("exit",), console_only=True,
            preview=stopall_preview),
)
