"""Where settings come from: environment over ``.env`` over optimised ones over the YAML files over defaults.

A setting ``group.name`` is ``GROUP_NAME`` in the environment; some have a name of their own (``EXCHANGE``).
"""

import difflib
import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_origin

import yaml
from dotenv.parser import parse_stream
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

# Read by other parts of the program, or by tools beside it; never a typing error of a setting.
FOREIGN = frozenset({"COXSWAIN_HOME", "COXSWAIN_COMPILED", "COXSWAIN_CRASH_AT", "COXSWAIN_CRASH_ONCE",
                     "COXSWAIN_VAULT_KEY"})


def env_name(group: str, field: str, info: FieldInfo) -> str:
    """The environment variable of a setting."""
    extra = info.json_schema_extra
    if isinstance(extra, dict) and isinstance(extra.get("env"), str):
        return str(extra["env"])
    return f"{group}_{field}".upper()


def written(root: type[BaseModel], group: str, field: str, where: str) -> str:
    """How a person writes a setting: by its variable, unless it stands in a YAML file or was optimised."""
    section = root.model_fields[group].annotation
    assert isinstance(section, type) and issubclass(section, BaseModel)
    info = section.model_fields.get(field)
    if info is None or where.endswith(".yaml") or where.startswith("optimised"):
        return f"{group}.{field}"
    return env_name(group, field, info)


def names(root: type[BaseModel]) -> dict[str, tuple[str, str]]:
    """Every environment variable with the (group, field) that it sets."""
    found: dict[str, tuple[str, str]] = {}
    for group, section in root.model_fields.items():
        model = section.annotation
        assert isinstance(model, type) and issubclass(model, BaseModel)
        for field, info in model.model_fields.items():
            found[env_name(group, field, info)] = (group, field)
    return found


def read_yaml(path: Path, errors: list[str]) -> dict[str, Any]:
    """A YAML file as a mapping of groups; errors are added to `errors`."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as problem:
        errors.append(f"{path.name}: cannot be read ({_where(problem)}). Mend the file or remove it.")
        return {}
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(v, dict) for v in content.values()):
        errors.append(f"{path.name}: must hold groups of settings, e.g. 'hype:' with 'trade_usdt: 50' below it.")
        return {}
    return {str(group): dict(section) for group, section in content.items()}


def _where(problem: Exception) -> str:
    """What is wrong and where, without the text that stands there: it may be a secret."""
    if isinstance(problem, yaml.MarkedYAMLError) and problem.problem_mark is not None:
        mark = problem.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: {problem.problem}"
    if isinstance(problem, OSError):
        return problem.strerror or type(problem).__name__
    return "it is not UTF-8 text" if isinstance(problem, UnicodeDecodeError) else "it is not YAML"


def from_env(root: type[BaseModel], variables: Mapping[str, str | None], where: str, strict: bool,
             errors: list[str]) -> dict[str, dict[str, Any]]:
    """Settings named by environment variables. An unknown name is an error in a file of ours (`strict`), and
    in the environment where it begins like a group of ours (a typing error that would silently do nothing)."""
    known = names(root)
    groups = tuple(f"{group}_".upper() for group in root.model_fields)
    found: dict[str, dict[str, Any]] = {}
    for name, value in variables.items():
        if name in known:
            group, field = known[name]
            if value or _may_be_empty(root, group, field):
                found.setdefault(group, {})[field] = value or ""
        elif name not in FOREIGN and (strict or _looks_like_ours(name, groups, known)):
            errors.append(f"{where}: {name} is not a setting.{suggestion(name, known)}")
    return found


def _may_be_empty(root: type[BaseModel], group: str, field: str) -> bool:
    """Whether an empty text is a value: container files hand on unset variables as empty ones."""
    section = root.model_fields[group].annotation
    assert isinstance(section, type) and issubclass(section, BaseModel)
    kind = section.model_fields[field].annotation
    return kind in (str, SecretStr) or get_origin(kind) is tuple


def _looks_like_ours(name: str, groups: tuple[str, ...], known: Mapping[str, object]) -> bool:
    """A slip of the pen in the environment, which also holds names of other programs."""
    cutoff = 0.88 if name.startswith(groups) else 0.95
    return len(name) >= 10 and bool(difflib.get_close_matches(name, known, n=1, cutoff=cutoff))


def suggestion(name: str, known: Mapping[str, object]) -> str:
    """`` Did you mean X?`` where something known is near."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f" Did you mean {near[0]}?" if near else ""


def dotenv(path: Path, where: str, errors: list[str]) -> dict[str, str | None]:
    """Variables of a ``.env`` file, called `where`, taken literally (no ``${…}``); empty if there is none."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as problem:
        errors.append(f"{where}: cannot be read ({_where(problem)}). Mend the file or remove it.")
        return {}
    found: dict[str, str | None] = {}
    for binding in parse_stream(io.StringIO(text)):
        if binding.error or (binding.key is not None and binding.value is None):
            errors.append(f"{where}: line {binding.original.line} is not NAME=VALUE.")
        elif binding.key is not None:
            found[binding.key] = binding.value
    return found


def environment() -> Mapping[str, str]:
    """The environment of this process."""
    return os.environ


def listed(value: object) -> object:
    """A tuple setting written as text: JSON, or values separated by commas."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text.startswith("["):
        try:
            return json.loads(text)
        except ValueError:
            return value
    return [part.strip() for part in text.split(",") if part.strip()]
