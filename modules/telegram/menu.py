"""What is made from the declarations: Telegram's menu, and docs/COMMANDS.md."""

from collections.abc import Sequence

from modules.telegram.command import Command, Group, Role

MENU_LIMIT = 100
DESCRIPTION_LIMIT = 256


def menu_for(commands: Sequence[Command], role: Role) -> list[tuple[str, str]]:
    """Names and descriptions for Telegram's menu: what this role may do, aliases left out."""
    mine = [command for command in commands if command.role <= role and not command.console_only]
    return [(command.name, _described(command)[:DESCRIPTION_LIMIT]) for command in mine][:MENU_LIMIT]


def _described(command: Command) -> str:
    needed = " ".join(arg.usage for arg in command.args if arg.required)
    return f"{needed} – {command.help}" if needed else command.help


def reference(commands: Sequence[Command]) -> str:
    """docs/COMMANDS.md, written by ``scripts/write_commands.py``; a test keeps it current."""
    rows = ["# Commands", "",
            "The same in Telegram and on the console (`python bot.py --console`, there also without the slash). "
            "Made from the declarations in `modules/telegram/commands/` by `scripts/write_commands.py`.", "",
            "*Viewer*: also for users listed in `TELEGRAM_VIEWERS`. *Asks*: shows what will happen and waits for a "
            "confirmation that works once and expires."]
    for group in Group:
        mine = [command for command in commands if command.group is group]
        rows += ["", f"## {group}", "", "| command | does | who | |", "|---|---|---|---|"]
        rows += [_row(command) for command in mine]
    return "\n".join(rows) + "\n"


def _row(command: Command) -> str:
    usage = command.usage.replace("|", "\\|")
    also = "".join(f" (also `/{name}`)" for name in command.aliases)
    who = "viewer" if command.role is Role.VIEWER else "owner"
    marks = ", ".join(mark for mark in ("asks" if command.preview else "",
                                        "console only" if command.console_only else "") if mark)
    return f"| `{usage}`{also} | {command.help} | {who} | {marks} |"
