"""The reference of all settings, generated from their declarations: docs/SETTINGS.md and config/.env.example."""

import sys
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from config.checks import Origin
from config.settings import Settings
from config.sources import env_name
from utils.files import write_atomic
from utils.paths import PROJECT
from utils.redact import redact

_HEAD = """# Settings

Everything has a default; with none set, Coxswain trades in test mode on the simulated exchange.

A setting comes from, strongest first: the environment, `.env` (in the program's folder, or in `config/`), an applied
version of `bot.py optimize`, `config/config.local.yaml`, `config/config.yaml`, its default. In YAML `hype.trade_usdt`
is `trade_usdt:` below `hype:`; in the environment and `.env` it has the name in the second column. Lists are separated
by commas.
Secrets belong in `.env`. Every error is named at the start, all at once; `python bot.py doctor` checks more.

This page is generated: `python bot.py settings --write`.
"""
_TABLE = "| setting | environment | default | what |\n|---|---|---|---|"
_ENV_HEAD = """\
# Copy to .env (beside bot.py, or here in config/) and take away the # of what you set. All settings: docs/SETTINGS.md.
# Keys and tokens belong here, never in a YAML file. Never give a key the right to withdraw.
"""


def groups() -> Iterator[tuple[str, type[BaseModel]]]:
    """Every group of settings, in the order of their declaration."""
    for name, info in Settings.model_fields.items():
        model = info.annotation
        assert isinstance(model, type) and issubclass(model, BaseModel)
        yield name, model


def settings_page() -> str:
    """docs/SETTINGS.md."""
    parts = [_HEAD]
    for group, model in groups():
        parts.append(f"\n## {group}\n\n{_first_line(model)}\n\n{_TABLE}")
        for field, info in model.model_fields.items():
            parts.append(f"| `{group}.{field}` | `{env_name(group, field, info)}` | {_code(default_text(info))} "
                         f"| {_cell(info.description or '')}{_cell(_range(info))} |")
    return "\n".join(parts) + "\n"


def env_example() -> str:
    """config/.env.example."""
    parts = [_ENV_HEAD]
    for group, model in groups():
        parts.append(f"# --- {group}: {_first_line(model)}")
        for field, info in model.model_fields.items():
            parts.append(f"# {info.description or field}{_range(info)}")
            parts.append(f"#{env_name(group, field, info)}={default_text(info)}")
        parts.append("")
    return "\n".join(parts)


def rows(settings: Settings, origin: Origin) -> tuple[dict[str, Any], ...]:
    """Every setting with its value in use and where that comes from, for a page; of a secret only whether it is set."""
    found = []
    for group, model in groups():
        for field, info in model.model_fields.items():
            value = getattr(getattr(settings, group), field)
            secret = isinstance(value, SecretStr)
            found.append({"group": group, "name": f"{group}.{field}", "env": env_name(group, field, info),
                          "value": value_text(value), "default": default_text(info), "secret": secret,
                          "changed": value != info.get_default(call_default_factory=True),
                          "source": origin.get((group, field), ""), "about": _first_line(model),
                          "what": f"{info.description or ''}{_range(info)}"})
    return tuple(found)


def value_text(value: object) -> str:
    """A value as one would write it; a secret is never shown, nor a password within an address."""
    if isinstance(value, SecretStr):
        return "set, not shown" if value.get_secret_value() else ""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return ""
    return redact(",".join(str(item) for item in value) if isinstance(value, tuple) else str(value))


def default_text(info: FieldInfo) -> str:
    """The default as one would write it in the environment."""
    value: Any = info.get_default(call_default_factory=True)
    if value is None or isinstance(value, SecretStr):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(str(item) for item in value) if isinstance(value, tuple) else str(value)


def _range(info: FieldInfo) -> str:
    kind = info.annotation
    if get_origin(kind) is Literal:
        return f" ({', '.join(str(choice) for choice in get_args(kind))})"
    words = []
    for rule in info.metadata:
        for name, word in (("gt", "over"), ("ge", "from"), ("lt", "below"), ("le", "to")):
            limit = getattr(rule, name, None)
            if limit is not None:
                words.append(f"{word} {limit:g}" if isinstance(limit, float) else f"{word} {limit}")
    return f" ({' '.join(words)})" if words else ""


def _first_line(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().splitlines()[0] if model.__doc__ else ""


def _code(text: str) -> str:
    return f"`{_cell(text)}`" if text else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def command(write: bool) -> int:
    """``bot.py settings [--write]``."""
    if not write:
        sys.stdout.write(settings_page())
        return 0
    for path, text in ((PROJECT / "docs" / "SETTINGS.md", settings_page()),
                       (PROJECT / "config" / ".env.example", env_example())):
        write_atomic(path, text.encode("utf-8"))
        sys.stdout.write(f"written: {path.relative_to(PROJECT).as_posix()}\n")
    return 0
