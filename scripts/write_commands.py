"""Write docs/COMMANDS.md anew from the declarations in modules/telegram/commands."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from config.crew import CREW
from modules.telegram.commands import all_commands
from modules.telegram.menu import reference
from utils.paths import PROJECT


def main() -> int:
    """Always 0."""
    text = reference(all_commands([service.name for service in CREW]))
    (PROJECT / "docs" / "COMMANDS.md").write_text(text, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
