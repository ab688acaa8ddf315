"""Request weight on a shared page (X31): no window of the venue is overspent, whatever happens to whom."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.exchange.budget import HEADER, PAGE_SIZE, SHARES, SLOTS, Budget, Ticket, Wait
from modules.exchange.lanes import Lane
from modules.exchange.page import Page

LIMIT, WINDOW_S = 450.0, 10.0
VENUE_LIMIT = 500


class Seconds:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def make(seconds: Seconds, page: Page | None = None, speed: float = 1.0) -> Budget:
    return Budget(page or Page(PAGE_SIZE), LIMIT, WINDOW_S, lambda: speed, seconds)


def fill(budget: Budget, key: str, lane: Lane, weight: int = 1) -> int:
    """Take and answer until it says wait; how much went."""
    taken = 0
    while isinstance(ticket := budget.claim(key, weight, lane, 1.0), Ticket):
        budget.settle(ticket)
        taken += weight
    return taken


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def page() -> Page:
    return Page(PAGE_SIZE)


requests = st.lists(
    st.tuples(st.floats(0, 0.5), st.sampled_from([1, 2, 10, 40]), st.sampled_from(list(Lane)), st.floats(0, 8),
              st.floats(0, 1)),
    min_size=50, max_size=300)


@given(requests, st.floats(0, 10), st.sampled_from([0.5, 1.0, 30.0]))
def test_no_window_of_the_venue_holds_more_than_its_limit(
    course: list[tuple[float, int, Lane, float, float]], offset: float, speed: float
) -> None:
    """Requests travel for seconds and are counted by the venue somewhere on the way, in windows of any alignment."""
    seconds, window_s = Seconds(), WINDOW_S / speed
    page = Page(PAGE_SIZE)
    processes = [make(seconds, page, speed) for _ in range(3)]
    under_way: list[tuple[float, Ticket, Budget]] = []
    counted: dict[int, float] = {}
    for number, (pause, weight, lane, travel, where) in enumerate(course):
        budget = processes[number % 3]
        seconds.now += pause / speed
        for arrived, ticket, owner in [one for one in under_way if one[0] <= seconds.now]:
            now, seconds.now = seconds.now, arrived
            owner.settle(ticket)
            seconds.now = now
            under_way.remove((arrived, ticket, owner))
        found = budget.claim("a", weight, lane, 10.0)
        if isinstance(found, Ticket):
            at = seconds.now + travel / speed * where
            window = math.floor((at - offset) / window_s)
            counted[window] = counted.get(window, 0) + weight
            under_way.append((seconds.now + travel / speed, found, budget))
    assert max(counted.values(), default=0) <= LIMIT


def test_each_lane_may_fill_its_own_share(seconds: Seconds, page: Page) -> None:
    budget, used = make(seconds, page), 0
    for lane in sorted(Lane, reverse=True):
        used += fill(budget, "a", lane)
        assert used == pytest.approx(LIMIT * SHARES[lane], abs=1)
    assert used == LIMIT < VENUE_LIMIT


def test_what_data_leaves_is_enough_for_twenty_exits_at_once(seconds: Seconds) -> None:
    budget = make(seconds)
    fill(budget, "order", Lane.DATA)
    for _ in range(20):  # a sale, two looks at it, a cancel
        assert isinstance(budget.claim("order", 1, Lane.EXIT, 10.0), Ticket)
        assert isinstance(budget.claim("order", 2, Lane.LOOKUP, 10.0), Ticket)
        assert isinstance(budget.claim("order", 1, Lane.PROTECT, 10.0), Ticket)
    assert isinstance(budget.claim("order", 1, Lane.DATA, 10.0), Wait)


def test_a_lane_leaves_room_for_any_call_of_each_lane_above() -> None:
    """The heaviest call that more than one lane makes weighs 10; all tickers, 40, are data or an exit's look."""
    shares = [SHARES[lane] * LIMIT for lane in sorted(Lane)]
    assert all(above - below >= 10 for above, below in zip(shares, shares[1:], strict=False))
    assert (SHARES[Lane.EXIT] - SHARES[Lane.DATA]) * LIMIT >= 40


def test_weight_is_free_one_window_after_the_answer(seconds: Seconds) -> None:
    budget = make(seconds)
    ticket = budget.claim("a", 450, Lane.PROTECT, 20.0)
    assert isinstance(ticket, Ticket)
    seconds.now += 5.0
    wait = budget.claim("a", 1, Lane.PROTECT, 20.0)
    assert isinstance(wait, Wait) and wait.seconds == pytest.approx(WINDOW_S, rel=0.02)  # if it were answered now
    budget.settle(ticket)
    seconds.now += WINDOW_S - 0.01
    assert isinstance(budget.claim("a", 1, Lane.PROTECT, 20.0), Wait)
    seconds.now += 0.3
    assert isinstance(budget.claim("a", 1, Lane.PROTECT, 20.0), Ticket)


def test_who_died_gives_back_by_himself(seconds: Seconds, page: Page) -> None:
    dead, alive = make(seconds, page), make(seconds, page)
    assert isinstance(dead.claim("a", 450, Lane.PROTECT, 11.0), Ticket)
    seconds.now += 20.0
    assert isinstance(alive.claim("a", 1, Lane.PROTECT, 11.0), Wait)
    seconds.now += 2.0
    assert fill(alive, "a", Lane.PROTECT) == 450


def test_a_ticket_that_ran_out_takes_nothing_from_another(seconds: Seconds, page: Page) -> None:
    slow, other = make(seconds, page), make(seconds, page)
    late = slow.claim("a", 450, Lane.PROTECT, 1.0)
    assert isinstance(late, Ticket)
    seconds.now += 12.0
    assert isinstance(other.claim("a", 450, Lane.PROTECT, 100.0), Ticket)
    slow.settle(late)
    seconds.now += 20.0
    assert isinstance(other.claim("a", 1, Lane.PROTECT, 1.0), Wait)


def test_endpoints_are_apart_and_a_fast_market_frees_faster(seconds: Seconds) -> None:
    budget = make(seconds, speed=100.0)
    assert fill(budget, "a", Lane.PROTECT) == 450 and fill(budget, "b", Lane.PROTECT) == 450
    seconds.now += 0.11
    assert fill(budget, "a", Lane.PROTECT) == 450


def test_more_endpoints_than_places_are_counted_together(seconds: Seconds) -> None:
    budget = make(seconds)
    for number in range(SLOTS - 1):
        assert fill(budget, f"e{number}", Lane.PROTECT, 450) == 450
    assert fill(budget, "one more", Lane.PROTECT, 450) == 450
    assert fill(budget, "and another", Lane.PROTECT, 450) == 0
    assert fill(budget, "e3", Lane.PROTECT) == 0


def test_more_weight_than_a_share_goes_alone(seconds: Seconds) -> None:
    budget = make(seconds)
    assert isinstance(budget.claim("a", 400, Lane.DATA, 1.0), Ticket)
    assert isinstance(budget.claim("a", 400, Lane.DATA, 1.0), Wait)


def test_a_refusal_rests_the_endpoint_and_all_entries_and_data(seconds: Seconds, page: Page) -> None:
    refused, other = make(seconds, page), make(seconds, page)
    refused.rest("a", 7.0, everything=False)
    for lane in Lane:
        assert other.delay("a", 1, lane) == pytest.approx(7.0)
        assert other.delay("b", 1, lane) == (pytest.approx(7.0) if lane >= Lane.ENTRY else 0)
    assert other.rest_s(Lane.DATA) == pytest.approx(7.0) and other.rest_s(Lane.EXIT) == 0
    refused.rest("a", 1.0, everything=False)  # a shorter one ends nothing
    seconds.now += 6.9
    assert isinstance(other.claim("b", 1, Lane.ENTRY, 1.0), Wait)
    seconds.now += 0.2
    assert isinstance(other.claim("b", 1, Lane.ENTRY, 1.0), Ticket)


def test_a_ban_rests_everything(seconds: Seconds, page: Page) -> None:
    make(seconds, page).rest("a", 120.0, everything=True)
    assert all(make(seconds, page).delay("b", 1, lane) == pytest.approx(120.0) for lane in Lane)


def test_the_venues_own_count_corrects_ours(seconds: Seconds, page: Page) -> None:
    budget = make(seconds, page)
    budget.correct("a", 440)
    assert fill(budget, "a", Lane.PROTECT) == 10
    budget.correct("a", 3)  # less than we know of: what is under way has not arrived there
    assert fill(budget, "a", Lane.PROTECT) == 0
    seconds.now += 10.2
    assert fill(budget, "a", Lane.PROTECT) == 450


@pytest.mark.parametrize("rubbish", [math.nan, math.inf, -math.inf, -1.0, 1e300, 5e6])
def test_rubbish_on_the_page_blocks_nobody(seconds: Seconds, page: Page, rubbish: float) -> None:
    """A torn write, or instants from before a reboot."""
    for cell in range(HEADER):
        page.cells[cell] = rubbish
    budget = make(seconds, page)
    fill(budget, "a", Lane.DATA)
    for cell in range(HEADER + 1, HEADER + 1000):
        page.cells[cell] = rubbish
    assert isinstance(budget.claim("a", 1, Lane.EXIT, 10.0), Ticket)
    assert isinstance(budget.claim("b", 1, Lane.EXIT, 10.0), Ticket)


@pytest.mark.parametrize("rubbish", [math.nan, math.inf, 1e300, -1e300])
def test_a_weight_that_cannot_be_counts_nothing(seconds: Seconds, page: Page, rubbish: float) -> None:
    budget = make(seconds, page)
    assert isinstance(budget.claim("a", 7, Lane.DATA, 10.0), Ticket)
    (at,) = [cell for cell in range(HEADER, PAGE_SIZE) if page.cells[cell] == -7.0]
    page.cells[at] = rubbish
    assert fill(budget, "a", Lane.PROTECT) == 450


@pytest.mark.parametrize("uptime_s", [20.0, 5000.0, 1e6])
def test_a_reboot_blocks_nobody(seconds: Seconds, page: Page, uptime_s: float) -> None:
    seconds.now = uptime_s
    before = make(seconds, page)
    fill(before, "a", Lane.PROTECT)
    before.rest("a", 500.0, everything=True)
    seconds.now = 3.0  # monotonic time begins anew
    assert make(seconds, page).rest_s(Lane.DATA) == 0
    assert fill(make(seconds, page), "a", Lane.PROTECT) == 450
