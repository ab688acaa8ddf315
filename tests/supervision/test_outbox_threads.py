"""Notices are left by threads too: none is lost, none ends the process."""

import threading
from pathlib import Path

from modules.supervision.outbox import Outbox


def test_threads_leave_notices_while_the_loop_flushes(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, "tests")
    failures: list[BaseException] = []

    def talk(name: str) -> None:
        try:
            for number in range(60):
                outbox.say(f"{name} {number}")
                outbox.flush()
        except BaseException as problem:
            failures.append(problem)

    threads = [threading.Thread(target=talk, args=(f"thread{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert sorted(notice.what for _, notice in outbox.pending("console")) == \
        sorted(f"thread{n} {number}" for n in range(6) for number in range(60))
