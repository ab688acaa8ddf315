"""What /status tells of CPU: a figure at once, then of the time since the last look."""

import os

import psutil
import pytest

from modules.supervision.child import Child, Record
from modules.supervision.status import cpu_pct, measure


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> Child:
    """This process, as if it had been started ten seconds ago."""
    monkeypatch.setattr(Child, "age_s", lambda self: 10.0)
    return Child(Record(os.getpid(), 0.0, own_session=False), psutil.Process())


def test_the_first_look_tells_the_average_since_the_start(child: Child) -> None:
    assert cpu_pct(child, used_s=5.0, now_s=100.0) == pytest.approx(50.0)


def test_later_looks_tell_the_time_between(child: Child) -> None:
    cpu_pct(child, used_s=5.0, now_s=100.0)
    assert cpu_pct(child, used_s=5.5, now_s=105.0) == pytest.approx(10.0)
    assert cpu_pct(child, used_s=15.5, now_s=110.0) == pytest.approx(200.0)  # two cores


def test_a_look_at_once_after_another_tells_the_same(child: Child) -> None:
    first = cpu_pct(child, used_s=5.0, now_s=100.0)
    assert cpu_pct(child, used_s=5.0, now_s=100.2) == first
    assert cpu_pct(child, used_s=6.0, now_s=102.0) == pytest.approx(50.0)  # the time before is not lost


def test_a_worker_that_is_gone_makes_no_negative_load(child: Child) -> None:
    cpu_pct(child, used_s=5.0, now_s=100.0)
    assert cpu_pct(child, used_s=1.0, now_s=105.0) == 0.0


def test_a_real_process_is_told_with_all_it_used(child: Child) -> None:
    times = psutil.Process().cpu_times()
    load = measure(child)
    assert load.cpu_pct >= (times.user + times.system) * 10.0 > 0 and load.rss_mb > 5
