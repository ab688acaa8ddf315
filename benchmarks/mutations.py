"""Takes each guard out, in a copy of the program, and sees that its test fails (issue 3).

    python -m benchmarks.mutations [--only TEXT] [--json]

The guards and their tests are in tests/execution/guards.py. Exit code 1 if a guard could be taken out unnoticed.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.execution.guards import GUARDS, Guard
from utils.paths import PROJECT

COPIED = ("modules", "utils", "config", "tests", "pyproject.toml", "bot.py")
LIMIT_S = 300
NO_TESTS = 5


def notices(guard: Guard, copy: Path) -> bool:
    """Whether the guard's test fails without it; the copy is whole again afterwards."""
    file = copy / guard.file
    whole = file.read_text(encoding="utf-8")
    file.write_text(whole.replace(guard.old, guard.new), encoding="utf-8", newline="\n")
    try:
        return run((guard.test,), copy) != 0
    finally:
        file.write_text(whole, encoding="utf-8", newline="\n")


def run(tests: tuple[str, ...], copy: Path) -> int:
    """Exit code of tests in the copy. Raises RuntimeError where one of them does not exist."""
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-x", "-p", "no:randomly", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, encoding="utf-8", timeout=LIMIT_S)
    if done.returncode == NO_TESTS or "not found:" in done.stdout + done.stderr:
        raise RuntimeError(f"not all of {', '.join(tests)} exist")
    return done.returncode


def main() -> int:
    """0 if every guard is missed when it is taken out."""
    parser = argparse.ArgumentParser(description="Take each guard out and see that its test fails.", allow_abbrev=False)
    parser.add_argument("--only", default="", help="guards whose rule contains this text")
    parser.add_argument("--json", action="store_true", help="print nothing but one JSON object")
    asked = parser.parse_args()
    chosen = [guard for guard in GUARDS if asked.only in guard.rule]
    missed: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in COPIED:
            source = PROJECT / name
            if source.is_dir():
                shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__", "state.json"))
            else:
                shutil.copy2(source, copy / name)
        if run(tuple(dict.fromkeys(guard.test for guard in chosen)), copy):
            raise SystemExit("a test fails already, with every guard in place")
        for guard in chosen:
            seen = notices(guard, copy)
            if not seen:
                missed.append(guard.rule)
            if not asked.json:
                print(f"{'noticed' if seen else 'NOT NOTICED'}: {guard.rule}", flush=True)
    print(json.dumps({"guards": len(chosen), "noticed": len(chosen) - len(missed), "missed": missed}))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
