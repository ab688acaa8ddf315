"""The program's own environment ``.venv``: a Python that lacks the packages hands over to it. Standard library only.

``python bot.py …`` is what people type and what the documents say; outside the environment that Python is bare.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from utils.paths import PROJECT

_PROBE = "msgspec"  # the first of requirements.txt that any part needs
_WINDOWS = os.name == "nt"
_FAILED = 2


def interpreter(project: Path = PROJECT) -> Path:
    """The environment's Python, whether it exists or not."""
    return project / ".venv" / ("Scripts/python.exe" if _WINDOWS else "bin/python")


def bare() -> bool:
    """Whether this Python lacks the program's packages."""
    return importlib.util.find_spec(_PROBE) is None


def enter(project: Path = PROJECT) -> None:
    """Go on in the environment where this Python is bare; ends with exit code 2 and the way out where there is none."""
    if not bare():
        return
    own = interpreter(project)
    if not own.exists() or Path(sys.prefix).resolve() == own.parents[1].resolve():
        start = r"scripts\start_telegram.bat" if _WINDOWS else "./scripts/run.sh"
        sys.stderr.write(f"This Python ({sys.executable}) lacks the program's packages. Nothing was started.\n"
                         f"Start it with {start}, which makes an environment of its own the first time; arguments "
                         f"follow, e.g. {start} doctor\n")
        sys.exit(_FAILED)
    sys.stdout.flush()
    command = [str(own), *sys.argv]
    if not _WINDOWS:
        os.execv(command[0], command)
    sys.exit(subprocess.call(command))


def to_install(requirements: str) -> str:
    """The command that installs a file of requirements where this program runs, e.g. ``requirements-sql.txt``."""
    python = Path(sys.executable)
    shown = python.relative_to(PROJECT) if python.is_relative_to(PROJECT) else python
    return f"{shown} -m pip install -r {requirements}"
