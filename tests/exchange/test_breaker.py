"""Circuit breakers: a failing venue is left alone by what can wait, never by exits (X31, X35)."""

import pytest

from modules.exchange.breaker import FAILURES, FEW, LONGEST_WAIT_S, SPAN_S, WITHIN_S, Breakers, Circuit
from modules.exchange.budget import PAGE_SIZE
from modules.exchange.lanes import Lane
from modules.exchange.page import Page


class Seconds:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def page() -> Page:
    return Page(PAGE_SIZE)


def fail(breakers: Breakers, times: int, placing: bool = False) -> None:
    for _ in range(times):
        breakers.note(good=False, placing=placing)


def test_failures_in_a_row_open_it(seconds: Seconds, page: Page) -> None:
    breakers = Breakers(page, seconds)
    fail(breakers, FAILURES - 1)
    breakers.note(good=True, placing=False)
    fail(breakers, FAILURES - 1)
    assert all(breakers.admit(lane) == 0 for lane in Lane)
    fail(breakers, 1)
    assert breakers.venue.open and not breakers.orders.open
    assert {lane for lane in Lane if breakers.admit(lane) > 0} == {Lane.ENTRY, Lane.DATA}


def test_few_failures_open_it_when_they_last(seconds: Seconds, page: Page) -> None:
    """A venue where every request hangs until its timeout fails slowly."""
    breakers = Breakers(page, seconds)
    for _ in range(FEW - 1):
        fail(breakers, 1)
        seconds.now += SPAN_S / 2
    assert not breakers.venue.open
    fail(breakers, 1)
    assert breakers.venue.open


def test_failures_far_apart_do_not(seconds: Seconds, page: Page) -> None:
    breakers = Breakers(page, seconds)
    for _ in range(20):
        fail(breakers, 1)
        seconds.now += WITHIN_S + 1
    assert not breakers.venue.open


def test_one_probe_at_a_time_less_and_less_often(seconds: Seconds, page: Page) -> None:
    ours, theirs = Breakers(page, seconds), Breakers(page, seconds)
    fail(ours, FAILURES)
    waits = []
    for _ in range(5):
        wait_s = theirs.admit(Lane.DATA)
        assert wait_s > 0
        waits.append(wait_s)
        seconds.now += wait_s
        assert ours.admit(Lane.DATA) == 0  # the probe
        assert theirs.admit(Lane.DATA) > 0 and ours.admit(Lane.ENTRY) > 0
        fail(ours, 1)
    assert waits == sorted(waits) and waits[-1] == LONGEST_WAIT_S


def test_failures_that_were_under_way_do_not_lengthen_the_wait(seconds: Seconds, page: Page) -> None:
    breakers = Breakers(page, seconds)
    fail(breakers, FAILURES)
    before = breakers.admit(Lane.DATA)
    fail(breakers, 10)
    assert breakers.admit(Lane.DATA) == before


def test_the_first_success_heals_it_for_all(seconds: Seconds, page: Page) -> None:
    ours, theirs = Breakers(page, seconds), Breakers(page, seconds)
    fail(ours, FAILURES, placing=True)
    assert theirs.admit(Lane.ENTRY) > 0 and theirs.venue.open_s > 0
    theirs.note(good=True, placing=False)
    assert ours.admit(Lane.DATA) == 0
    assert ours.admit(Lane.ENTRY) > 0  # the order desk has not answered yet
    theirs.note(good=True, placing=True)
    assert ours.admit(Lane.ENTRY) == 0 and ours.venue.open_s == 0


def test_a_venue_that_only_knows_the_time_is_not_well(seconds: Seconds, page: Page) -> None:
    breakers = Breakers(page, seconds)
    for _ in range(FAILURES):
        fail(breakers, 1)
        breakers.heard(good=True)
    assert breakers.venue.open
    assert breakers.admit(Lane.DATA) == 0 and breakers.admit(Lane.DATA) > 0  # one probe, at once
    for _ in range(FAILURES):
        breakers.heard(good=False)
    assert breakers.venue.open


def test_an_order_desk_that_fails_alone(seconds: Seconds, page: Page) -> None:
    breakers = Breakers(page, seconds)
    for _ in range(FAILURES):
        breakers.note(good=False, placing=True)
        breakers.note(good=True, placing=False)
    assert not breakers.venue.open and breakers.orders.open
    assert {lane for lane in Lane if breakers.admit(lane) > 0} == {Lane.ENTRY}


def test_people_are_told_once_an_episode_whoever_asks(seconds: Seconds, page: Page) -> None:
    ours, theirs = Breakers(page, seconds), Breakers(page, seconds)
    fail(ours, FAILURES)
    told = theirs.untold()
    assert [(one.circuit, one.over) for one in told] == [(Circuit.VENUE, False)]
    assert "fails" in told[0].what and "exits are tried" in told[0].todo
    assert ours.untold() == [] == theirs.untold()
    fail(ours, 20)
    assert ours.untold() == []
    ours.note(good=True, placing=False)
    assert [one.over for one in ours.untold()] == [True]
    assert theirs.untold() == []


def test_an_episode_that_ended_before_it_was_told_is_not_told(seconds: Seconds, page: Page) -> None:
    breakers = Breakers(page, seconds)
    fail(breakers, FAILURES)
    breakers.note(good=True, placing=False)
    assert breakers.untold() == []


def test_a_state_from_before_a_reboot_lets_a_probe_go(seconds: Seconds, page: Page) -> None:
    seconds.now = 1e6
    fail(Breakers(page, seconds), FAILURES)
    seconds.now = 3.0
    assert Breakers(page, seconds).admit(Lane.DATA) == 0
