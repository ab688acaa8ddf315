"""What a foreign client found: one line for each call, a sum at the end. Needs the standard library alone.

Every program beside this one takes the simulator's address as its argument, runs in an interpreter of its own
environment and ends with 1 where a call failed.
"""

import asyncio
import inspect
import sys
import traceback
from collections.abc import Callable
from typing import Any

KEY, SECRET = "sim-key", "sim-secret"


def address() -> str:
    """The simulator's address: http://127.0.0.1:PORT."""
    if len(sys.argv) < 2:
        sys.exit(f"usage: {sys.argv[0]} http://127.0.0.1:PORT")
    return sys.argv[1].rstrip("/")


class Tally:
    """Counts calls of one client."""

    def __init__(self, client: str) -> None:
        self.client = client
        self.passed = 0
        self.failed: list[str] = []

    def note(self, name: str, problem: str = "") -> None:
        """One call and what was wrong with it."""
        if problem:
            self.failed.append(name)
        else:
            self.passed += 1
        print(f"{'FAIL' if problem else 'ok  '} {self.client}: {name}{': ' + problem if problem else ''}", flush=True)

    def try_(self, name: str, call: Callable[[], Any], check: Callable[[Any], Any] | None = None) -> Any:
        """Call, check the answer, note it; the answer, None where it failed."""
        try:
            answer = call()
            if check is not None:
                said = check(answer)
                assert said is None or said, f"unexpected: {str(answer)[:300]}"
        except Exception as problem:  # noqa: BLE001 - whatever a client meets is a finding
            self.note(name, _told(problem))
            return None
        self.note(name)
        return answer

    async def atry(self, name: str, call: Callable[[], Any], check: Callable[[Any], Any] | None = None) -> Any:
        """The same for a coroutine."""
        try:
            answer = call()
            if inspect.isawaitable(answer):
                answer = await asyncio.wait_for(answer, 60)
            if check is not None:
                said = check(answer)
                assert said is None or said, f"unexpected: {str(answer)[:300]}"
        except Exception as problem:  # noqa: BLE001 - whatever a client meets is a finding
            self.note(name, _told(problem))
            return None
        self.note(name)
        return answer

    async def refused(self, name: str, call: Callable[[], Any], kind: type[Exception], words: str) -> None:
        """A call that has to be refused, in these words."""
        try:
            answer = call()
            if inspect.isawaitable(answer):
                answer = await asyncio.wait_for(answer, 60)
        except kind as problem:
            self.note(name, "" if words in str(problem) else f"refused otherwise: {problem}")
        except Exception as problem:  # noqa: BLE001 - whatever a client meets is a finding
            self.note(name, f"refused as {_told(problem)}")
        else:
            self.note(name, f"was not refused: {str(answer)[:200]}")

    def end(self) -> None:
        """Print the sum and leave."""
        print(f"== {self.client}: {self.passed} passed, {len(self.failed)} failed"
              + (": " + ", ".join(self.failed) if self.failed else ""), flush=True)
        sys.exit(1 if self.failed else 0)


def _told(problem: Exception) -> str:
    last = traceback.extract_tb(problem.__traceback__)[-1]
    return f"{type(problem).__name__} {str(problem)[:400]} ({last.filename.rsplit('/', 1)[-1]}:{last.lineno})"
