"""The program's version, told in one place: pyproject.toml."""

import platform
import tomllib

from utils.paths import PROJECT


def version() -> str:
    """E.g. ``0.1.0``."""
    return str(tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


def describe() -> str:
    """Version, Python and system, in one line for people and reports of errors."""
    return f"Coxswain {version()} · Python {platform.python_version()} · {platform.system()} {platform.release()}"
