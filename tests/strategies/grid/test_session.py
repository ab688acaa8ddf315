"""The session as a state machine: ids, gates, closing everything, restarts, and faults of the venue."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from modules.strategies.grid import events as ev
from modules.strategies.grid.acting import fitted
from modules.strategies.grid.events import Reason, What, Word
from modules.strategies.grid.ledger import GridFill
from modules.strategies.grid.session import step
from modules.strategies.grid.state import Mode, Phase, SessionState, restored, rulebook, saved
from tests.strategies.grid.venue import BTC, DAY, HOUR, START, Venue, book_of, candles, changed

D = Decimal


def reasons(venue: Venue) -> list[Reason]:
    """Why each order was placed."""
    return [one.reason for one in venue.placed]


def grown(orders: int = 3, **changes: object) -> Venue:
    """A venue whose BUY side has so many positions."""
    venue = Venue(book_of(**changes))
    price = D(60_000)
    for _ in range(60):
        venue.price(price)
        if len(venue.placed) == orders:
            return venue
        price *= D("0.995")
    raise AssertionError("the grid did not grow")


def test_opens_by_signal_adds_by_price_and_takes_the_combined_profit() -> None:
    venue = grown(3)
    assert reasons(venue) == [Reason.FIRST, Reason.ADD, Reason.ADD]
    assert [one.quantity for one in venue.placed] == [D("0.001"), D("0.001"), D("0.002")]
    venue.tell(ev.Said(venue.now, Word.PAUSE, "u"))
    venue.price(60_400)
    assert venue.placed[-1].reason is Reason.PAIR and venue.placed[-1].quantity == D("0.004")
    assert venue.quantity == {1: 0, -1: 0} and not venue.state.buy.entries
    assert venue.state.day_realised > 0 and venue.state.day_result == (
        venue.state.day_realised - venue.state.buy.fees)


def test_nothing_is_opened_before_balance_and_positions_are_known() -> None:
    """X16"""
    state = SessionState(signals=Venue(book_of()).state.signals)
    quote = ev.Quote(START, START, D(60_000), D(60_000))
    state, said = step(state, quote, book_of())
    assert {one.what for one in said if isinstance(one, ev.Ask)} == {What.BALANCE, What.POSITIONS}
    assert state.mode is Mode.STARTING and not any(isinstance(one, ev.Place) for one in said)
    state, said = step(state, ev.Balance(START, D(1000), D(1000)), book_of())
    assert state.mode is Mode.STARTING and not said


def test_balance_is_read_every_five_ticks_and_before_an_opening() -> None:
    venue = Venue(book_of(), signal=1)
    asked = []
    for _ in range(21):
        asked.append([one.routine for one in venue.price(60_000)
                      if isinstance(one, ev.Ask) and one.what is What.BALANCE])
    assert asked[0] == [False]  # the start, and at once the order
    assert [number for number, one in enumerate(asked) if one] == [0, 4, 9, 14, 19]
    assert all(one == [True] for one in asked[4::5]), "nothing waits for these"
    venue.said.clear()
    venue.price(59_600)  # tick 22: an addition is due, the balance is read first
    order = [type(one).__name__ for one in venue.said if isinstance(one, ev.Place) or one == ev.Ask(What.BALANCE)]
    assert order == ["Ask", "Place"]


def test_a_balance_too_small_for_the_margin_opens_nothing() -> None:
    venue = Venue(book_of(), balance="7")  # 60 USDT at leverage 10 need 7.2 with the buffer
    venue.price(60_000)
    assert not venue.placed and venue.state.refusal == "LOT_BELOW_MINIMUM"
    venue.balance = D(100)
    for _ in range(5):
        venue.price(60_000)
    assert venue.placed


@pytest.mark.parametrize("age", [5_001, 60_000])
def test_an_old_price_is_no_reason_for_anything(age: int) -> None:
    venue = grown(2)
    venue.now += 1000
    venue.tell(ev.Quote(venue.now, venue.now - age, D(70_000), D(70_000)))
    assert len(venue.placed) == 2 and venue.state.refusal == "PRICE_IS_OLD"


@pytest.mark.parametrize(("bid", "ask"), [("0", "1"), ("-5", "5"), ("60001", "60000")])
def test_a_price_that_cannot_be_is_passed_over(bid: str, ask: str) -> None:
    venue = Venue(book_of())
    venue.tell(ev.Quote(venue.now, venue.now, D(bid), D(ask)))
    assert not venue.placed and venue.state.refusal == "PRICE_CANNOT_BE"


def test_breaker_stops_entries_not_exits() -> None:
    """X35"""
    venue = grown(2)
    venue.tell(ev.Breaker(venue.now, True))
    venue.price(59_000)
    assert len(venue.placed) == 2
    venue.price(61_000)
    assert venue.placed[-1].reason is Reason.PAIR
    venue.tell(ev.Breaker(venue.now, False))
    venue.price(61_000)
    assert venue.placed[-1].reason is Reason.FIRST


@pytest.mark.parametrize(("word", "mode"), [(Word.PAUSE, Mode.PAUSED), (Word.DRAIN, Mode.DRAINING)])
def test_pause_and_drain_let_exits_run(word: Word, mode: Mode) -> None:
    venue = grown(2)
    venue.tell(ev.Said(venue.now, word, "u"))
    venue.price(59_000)
    assert len(venue.placed) == 2 and venue.state.mode is mode
    venue.price(61_000)
    assert venue.placed[-1].reason is Reason.PAIR


def test_flatten_closes_both_sides_confirms_twice_and_opens_nothing_after() -> None:
    """X36, X37"""
    venue = grown(2)
    venue.state = changed(venue.state, signals=Venue(book_of(), -1).state.signals)
    venue.price(59_700)
    assert venue.state.sell.entries
    venue.said.clear()
    venue.tell(ev.Said(venue.now, Word.FLATTEN, "u"))
    assert venue.quantity == {1: 0, -1: 0}
    assert [one.side for one in venue.said if isinstance(one, ev.Place)] == [1, -1]
    assert sum(one == ev.Ask(What.POSITIONS) for one in venue.said) >= 2
    assert venue.state.closing is None
    count = len(venue.placed)
    venue.price(59_700)
    assert len(venue.placed) == count and venue.state.mode is Mode.DRAINING


def test_stop_leaves_positions_with_their_protection() -> None:
    venue = grown(2)
    stops = [one for one in venue.said if isinstance(one, ev.Protect)]
    assert stops[-1].side == 1 and stops[-1].quantity == D("0.002")
    last = D(60_000)
    for count in range(1, 20):
        last *= 1 - (D("0.005"), D("0.01"), D("0.02"), D("0.03"))[count // 5]
    assert abs(stops[-1].trigger / (last * D("0.97")) - 1) < D("0.001")
    venue.tell(ev.Said(venue.now, Word.STOP, "u"))
    venue.price(30_000)
    venue.price(90_000)
    assert len(venue.placed) == 2 and venue.quantity[1] == D("0.002")
    venue.tell(ev.Said(venue.now, Word.RESUME, "u"))
    venue.price(60_500)
    assert venue.placed[2].reason is Reason.PAIR


@pytest.mark.parametrize(("changes", "price", "kind"), [
    ({"max_loss": 1.0}, 58_000, "LOSS"), ({"global_profit": 0.2, "pair_global_profit": 0.0}, 60_500, "PROFIT")])
def test_a_daily_limit_closes_everything_and_stops_until_the_next_day(changes: dict[str, float], price: int,
                                                                      kind: str) -> None:
    venue = grown(2, **changes)
    venue.price(price)
    hits = [one for one in venue.said if isinstance(one, ev.LimitHit)]
    assert [one.limit_type for one in hits] == [kind]
    assert hits[0].positions_closed == 2 and (hits[0].total_pnl > 0) is (kind == "PROFIT")
    assert venue.state.mode is Mode.DAY_STOPPED and venue.quantity[1] == 0
    count = len(venue.placed)
    for _ in range(40):
        venue.price(price)
    assert len(venue.placed) == count and len([one for one in venue.said if isinstance(one, ev.LimitHit)]) == 1
    venue.state = restored(saved(venue.state))  # the stop survives a restart
    venue.price(price)
    assert venue.state.mode is Mode.DAY_STOPPED and len(venue.placed) == count
    venue.price(price, later_ms=DAY - venue.now % DAY)
    venue.price(price)
    assert venue.state.mode is Mode.RUNNING and len(venue.placed) == count + 1
    assert venue.state.day_result <= 0  # only the new order's fee


def test_funding_counts_towards_the_day() -> None:
    venue = grown(2, max_loss=5.0)
    venue.tell(ev.Funded(venue.now, D("-4.9")))
    venue.price(59_600)
    assert venue.placed[-1].reason is Reason.DAY_LOSS


def test_first_order_waits_for_a_new_candle() -> None:
    venue = Venue(book_of(open_on_new_candle=True))
    venue.state = restored(saved(venue.state))  # history alone is no new candle
    for _ in range(5):
        venue.price(60_000)
    assert not venue.placed
    venue.now = START + HOUR + 500
    venue.tell(ev.Candles(venue.now, candles(1, end=START + HOUR)))
    venue.price(60_000)
    assert reasons(venue) == [Reason.FIRST]
    venue.price(61_000)  # closed within the candle: the next grid waits for the next one
    for _ in range(5):
        venue.price(60_000)
    assert reasons(venue) == [Reason.FIRST, Reason.PAIR]


def test_an_unknown_outcome_is_never_sent_again_until_proven() -> None:
    """X4, X2"""
    venue = Venue(book_of())
    venue.outcomes.append("unknown")
    for _ in range(30):
        venue.price(60_000)
    assert len(venue.placed) == 1 and venue.state.pending[0].phase is Phase.UNKNOWN
    assert ev.Ask(What.ORDER, "b1", 1) in venue.said
    venue.tell(ev.Answered(venue.now, "b1", 1, "absent"))
    venue.price(60_000, later_ms=6000)
    assert [(one.slot, one.generation) for one in venue.placed] == [("b1", 1), ("b1", 2)]


def test_an_unknown_order_that_filled_is_found_by_its_fill() -> None:
    venue = Venue(book_of())
    venue.outcomes.append("unknown")
    venue.price(60_000)
    venue.trade(1, True, D("0.001"), D(60_000))
    venue.tell(ev.Filled(venue.now, GridFill("q1", "b1", 1, True, D(60_000), D("0.001"), D("0.03"), venue.now)))
    assert venue.entries(1) == [D(60_000)] and not venue.state.pending
    venue.price(59_600)
    assert venue.placed[-1].slot == "b2"


def test_an_end_before_its_fills_waits_for_them() -> None:
    """X17"""
    venue = Venue(book_of())
    venue.outcomes.append("unknown")
    venue.price(60_000)
    told = venue.tell(ev.Done(venue.now, "b1", 1, D("0.001")))
    assert ev.Ask(What.FILLS, "b1", 1) in told and venue.state.pending[0].phase is Phase.SETTLING
    venue.price(59_000)
    assert len(venue.placed) == 1
    venue.trade(1, True, D("0.001"), D(60_000))
    venue.tell(ev.Filled(venue.now, GridFill("q1", "b1", 1, True, D(60_000), D("0.001"), D("0.03"), venue.now)))
    assert not venue.state.pending and len(venue.state.buy.entries) >= 1


def test_refused_openings_wait_longer_each_time_and_are_told() -> None:
    venue = Venue(book_of())
    venue.outcomes.extend(["refused"] * 6)
    times = []
    for _ in range(400):
        before = len(venue.placed)
        venue.price(60_000)
        times += [venue.now] * (len(venue.placed) - before)
    waits = [after - before for before, after in zip(times, times[1:], strict=False)]
    assert waits[:5] == [5_000, 10_000, 20_000, 40_000, 80_000]
    assert sum(isinstance(one, ev.Notice) for one in venue.said) == 1


def test_a_refused_exit_is_tried_again_within_seconds() -> None:
    venue = grown(2)
    venue.tell(ev.Said(venue.now, Word.PAUSE, "u"))
    venue.outcomes.extend(["refused"] * 3)
    for _ in range(8):
        venue.price(61_000)
    assert [one.generation for one in venue.placed if one.reason is Reason.PAIR] == [1, 2, 3, 4]
    assert venue.quantity[1] == 0


@pytest.mark.parametrize("side", [1, -1])
def test_a_manual_trade_blocks_new_levels_until_acknowledged(side: int) -> None:
    """X24"""
    venue = grown(2)
    venue.trade(side, True, D("0.005"), D(59_900))
    for _ in range(31):
        venue.price(59_650)
    assert any(isinstance(one, ev.Notice) and "somebody else" in one.why for one in venue.said)
    assert venue.state.check(side).blocked is not None
    venue.price(59_300)
    assert (len(venue.placed) == 2) is (side == 1)
    venue.tell(ev.Said(venue.now, Word.ACKNOWLEDGE, "u", side, "leave"))
    venue.price(58_900)
    assert venue.placed[-1].side == 1 and venue.placed[-1].opens
    venue.price(62_000)  # everything of ours is closed, what is not ours stays
    venue.price(62_000)
    assert venue.quantity[side] == D("0.005") or venue.state.buy.entries


def test_fills_from_outside_close_entries_and_block() -> None:
    venue = grown(2)
    venue.trade(1, False, D("0.001"), D(59_800))
    venue.tell(ev.Filled(venue.now, GridFill("m1", "", 1, False, D(59_800), D("0.001"), D("0.03"), venue.now)))
    assert len(venue.state.buy.entries) == 1
    venue.price(58_000)
    assert len(venue.placed) == 2
    venue.tell(ev.Said(venue.now, Word.ACKNOWLEDGE, "u", 1, "leave"))
    venue.price(58_000)
    assert len(venue.placed) == 3


def test_the_stop_on_the_exchange_is_ours_and_books_its_loss() -> None:
    venue = grown(2)
    venue.tell(ev.Said(venue.now, Word.PAUSE, "u"))
    venue.trade(1, False, D("0.002"), D(40_000))
    venue.tell(ev.Filled(venue.now, GridFill("m1", "stop-1", 1, False, D(40_000), D("0.002"), D("0.05"), venue.now)))
    assert not venue.state.buy.entries and venue.state.day_realised < -38
    assert not venue.state.buy_check.manual


def test_restart_goes_on_with_entries_ids_and_day() -> None:
    venue = grown(4)
    before = venue.state
    venue.state = restored(saved(venue.state))
    assert venue.state.buy == before.buy and venue.state.mode is Mode.STARTING
    venue.price(58_000)
    assert len(venue.placed) == 5 and venue.state.buy.entries[:4] == before.buy.entries
    assert venue.state.serial == before.serial + 1


def test_pending_orders_are_unknown_after_a_restart() -> None:
    venue = Venue(book_of())
    venue.outcomes.append("unknown")
    venue.price(60_000)
    venue.state = restored(saved(venue.state))
    for _ in range(20):
        venue.price(60_000)
    assert len(venue.placed) == 1


def test_an_order_below_the_least_notional_is_none() -> None:
    venue = Venue(book_of())
    venue.price(4_000)
    assert not venue.placed and venue.state.refusal == "BELOW_MIN_NOTIONAL"


def test_unknown_events_are_refused() -> None:
    with pytest.raises(TypeError, match="no event"):
        step(SessionState(), "tick", book_of())  # type: ignore[arg-type]


outcomes = st.lists(st.sampled_from(["accepted", "refused", "unknown", "absent"]), max_size=30)


@limits(deadline=None, max_examples=60)
@given(st.lists(st.integers(-150, 150), min_size=20, max_size=120), outcomes, st.sampled_from([1, -1]),
       st.sets(st.integers(0, 119), max_size=4))
def test_through_faults_ledger_and_venue_agree_and_no_id_comes_twice(moves: list[int], bad: list[str], signal: int,
                                                                     restarts: set[int]) -> None:
    """Random prices, answers lost and refused, restarts: the venue asserts X2, X8, X25 on the way."""
    venue = Venue(book_of(max_loss=60.0, single_order_profit=1.5), signal)
    venue.outcomes.extend(bad)
    price = D(60_000)
    for number, move in enumerate(moves):
        price *= 1 + D(move) / 10_000
        venue.price(round(price, 1))
        if number in restarts:
            venue.state = restored(saved(venue.state))
        for order in [one for one in venue.state.pending if one.phase is Phase.UNKNOWN]:
            if number % 3 == 0:
                venue.tell(ev.Answered(venue.now, order.slot, order.generation, "absent"))
    for order in venue.state.pending:
        venue.tell(ev.Answered(venue.now, order.slot, order.generation, "absent"))
    for side in (1, -1):
        assert venue.state.ledger(side).quantity == venue.quantity[side]
        assert abs(venue.state.ledger(side).fold_cost - venue.cost[side]) < D("1e-9")
        assert len(venue.state.ledger(side).entries) <= 20
    assert BTC.step == D("0.001")


class Fallen(Venue):
    """The market falls by a tenth between the tick and the fill."""

    def fill(self, order: ev.Place) -> list[ev.Event]:
        return super().fill(msgspec.structs.replace(order, price=order.price * Decimal("0.9")))


def test_a_fill_far_off_the_last_price_makes_it_an_old_one() -> None:
    """Bought at 54,000 while the last price says 60,000: that is a fall, no profit of 11 % to be taken at once."""
    venue = Fallen(book_of())
    venue.price(60_000)
    assert [one.reason for one in venue.placed] == [ev.Reason.FIRST]
    venue.price(54_000)
    assert [one.reason for one in venue.placed] == [ev.Reason.FIRST]
    venue.price(56_000)
    assert venue.placed[1].reason is ev.Reason.SINGLE


@pytest.mark.parametrize("answer, covered", [("adopt", "0.014"), ("leave", "0.004")])
def test_what_is_adopted_gets_a_stop_at_once(answer: str, covered: str) -> None:
    """X18: nothing else may have to happen on that side first; what is left outside gets none of ours."""
    venue = grown(3)
    venue.trade(1, True, D("0.010"), D(59_800))
    for _ in range(35):
        venue.price(59_700)
    assert venue.state.buy_check.blocked is not None
    venue.said.clear()
    venue.tell(ev.Said(venue.now, Word.ACKNOWLEDGE, "u", 1, answer))  # type: ignore[arg-type]
    assert venue.state.buy_check.blocked is None
    assert venue.state.protected[0][1] == D(covered) == venue.state.buy.quantity
    assert any(isinstance(one, ev.Protect) and one.side == 1 for one in venue.said) is (answer == "adopt")


def test_what_is_more_than_the_largest_order_is_closed_in_parts() -> None:
    """One order of all would be refused for ever, however large the loss."""
    venue = grown(5)
    venue.book = rulebook(venue.book.settings, msgspec.structs.replace(BTC, max_quantity=D("0.004")))
    held = venue.quantity[1]
    assert held > D("0.008")
    before = len(venue.placed)
    venue.tell(ev.Said(venue.now, Word.FLATTEN, "u"))
    for _ in range(6):
        venue.price(59_000)
    parts = [one.quantity for one in venue.placed[before:]]
    assert sum(parts) == held and max(parts) <= D("0.004") and venue.quantity == {1: 0, -1: 0}
    assert venue.state.closing is None and venue.state.mode is Mode.DRAINING


def test_another_tick_after_a_restart_is_no_profit() -> None:
    """Sums are kept in units of the tick: read in another unit they would be a fortune, and everything be closed."""
    venue = grown(2)
    finer = rulebook(venue.book.settings, msgspec.structs.replace(BTC, tick=D("0.01")))
    state = fitted(restored(saved(venue.state)), finer)
    at = venue.now + 1000
    state, said = step(state, ev.Quote(at, at, D(59_700), D(59_700)), finer)
    assert not any(isinstance(one, ev.Place) for one in said) and state.closing is None
    assert state.buy_leg[2] == venue.state.buy_leg[2] * 10


def test_stops_follow_the_settings_they_are_restored_with() -> None:
    venue = grown(2)
    trigger, quantity = venue.state.protected[0]
    nearer = rulebook(venue.book.settings.model_copy(update={"protect_pct": 1.0}), BTC)
    moved = fitted(venue.state, nearer).protected[0]
    assert moved[0] > trigger and moved[1] == quantity
    without = rulebook(venue.book.settings.model_copy(update={"protect_pct": 0.0}), BTC)
    assert fitted(venue.state, without).protected[0] == (0, 0)


def test_a_fill_before_the_first_price_of_a_day_counts_in_that_day() -> None:
    venue = grown(1, max_loss=1000.0)
    [entry] = venue.state.buy.entries
    at = (venue.now // DAY + 1) * DAY + 50
    venue.trade(1, False, entry.quantity, D(59_000))
    venue.tell(ev.Filled(at, GridFill("late", "stop1", 1, False, D(59_000), entry.quantity, D("0.03"), at)))
    assert venue.state.day == at // DAY and venue.state.day_realised == -1 and venue.state.day_fees == D("0.03")
    venue.now = at
    venue.price(59_000)
    assert venue.state.day_realised == -1
