"""Reads the crash points out of the source: who declares which, who calls which."""

import ast
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Found:
    """Points by module path; `odd` are calls whose name is not a plain text, so that nobody could check them."""

    declared: dict[str, str] = field(default_factory=dict)
    called: dict[str, list[str]] = field(default_factory=dict)
    odd: list[str] = field(default_factory=list)


def _name(call: ast.Call) -> str:
    target = call.func
    return target.id if isinstance(target, ast.Name) else target.attr if isinstance(target, ast.Attribute) else ""


def read_source(text: str, where: str, found: Found) -> None:
    """Add what one file declares and calls."""
    if "crash" not in text:
        return
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call) or _name(node) not in ("declare", "crash_point"):
            continue
        words = node.args[1:] if _name(node) == "declare" else node.args
        for word in words:
            if not (isinstance(word, ast.Constant) and isinstance(word.value, str)):
                found.odd.append(f"{where}:{node.lineno}")
            elif _name(node) == "declare":
                found.declared[word.value] = where
            else:
                found.called.setdefault(word.value, []).append(where)


def read_tree(root: Path) -> Found:
    """Everything below `root`."""
    found = Found()
    for file in sorted(root.rglob("*.py")):
        if file.name != "crashpoints.py":
            read_source(file.read_text(encoding="utf-8"), file.relative_to(root).as_posix(), found)
    return found


def problems(found: Found) -> list[str]:
    """What breaks rule 5 of crashpoints: each a sentence."""
    out = [f"{where}: the name of a crash point must be written out" for where in found.odd]
    out += [f"{name} is called in {', '.join(where)}, but declared nowhere"
            for name, where in found.called.items() if name not in found.declared]
    out += [f"{name} is declared in {where}, but never called"
            for name, where in found.declared.items() if name not in found.called]
    out += [f"{name} is declared in {found.declared[name]}, but called in {other}"
            for name, where in found.called.items() if name in found.declared
            for other in where if other != found.declared[name]]
    return sorted(out)
