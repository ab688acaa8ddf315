"""What is made from the declarations is current and fits Telegram's limits."""

from config.crew import CREW
from modules.telegram.command import Role
from modules.telegram.commands import all_commands
from modules.telegram.menu import menu_for, reference
from utils.paths import PROJECT

COMMANDS = all_commands([service.name for service in CREW])


def test_the_reference_is_current() -> None:
    written = (PROJECT / "docs" / "COMMANDS.md").read_text(encoding="utf-8")
    assert written == reference(COMMANDS), "run scripts/write_commands.py"


def test_the_menu_fits_telegram() -> None:
    for role in Role:
        menu = menu_for(COMMANDS, role)
        assert 0 < len(menu) <= 100 and all(1 <= len(text) <= 256 and len(name) <= 32 for name, text in menu)


def test_every_button_can_be_pressed() -> None:
    """Button data is at most 64 bytes: the longest line a pager makes fits."""
    longest = max(COMMANDS, key=lambda command: len(command.name)).name
    assert len(f"run:/{longest} {'X' * 20}USDT 9999".encode()) <= 64
