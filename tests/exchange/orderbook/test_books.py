"""Both books: the venue's rules (X28), damaged messages, edges, and equal results."""

import random
from typing import Any

import msgspec
import numpy as np
import pytest

from modules.exchange.orderbook import layout as at
from modules.exchange.orderbook import views
from modules.exchange.orderbook.book import Book, opener, prepare
from modules.exchange.orderbook.layout import Stale
from modules.exchange.orderbook.messages import Snapshot
from modules.exchange.orderbook.synchroniser import Synchroniser, Wants, empty_words
from tests.exchange.orderbook.wire import Truth, compact

KINDS = ("compiled", "plain")


def start_of(raw: bytes) -> int:
    found = raw.find(b'"data":')
    return 0 if found < 0 else found + 7


def new_book(kind: str, capacity: int = 512, strict: bool = True) -> Book:
    make, _ = opener(compiled=kind == "compiled")
    return make(prepare(empty_words(capacity), 1, 1, strict=strict))


def snapshot(raw: bytes) -> Snapshot:
    return msgspec.json.decode(raw, type=Snapshot)


def levels(book: Book) -> tuple[dict[int, int], dict[int, int]]:
    _, bids, asks = views.copy(book.array, None)
    return (dict(zip(bids[0].tolist(), bids[1].tolist(), strict=True)),
            {-key: qty for key, qty in zip(asks[0].tolist(), asks[1].tolist(), strict=True)})


@pytest.fixture(params=KINDS)
def kind(request: Any) -> str:
    return str(request.param)


class World:
    """A book that was brought in step with its truth."""

    def __init__(self, kind: str, seed: int = 1, limit: int = 1000) -> None:
        self.truth = Truth(random.Random(seed))
        self.sync = Synchroniser(new_book(kind))
        self.send(self.truth.frame())
        at_id = self.truth.last_id
        self.send(self.truth.frame())
        self.sync.on_snapshot(snapshot(self.truth.snapshot(limit, at_id)), limit)

    def send(self, raw: bytes) -> int:
        return self.sync.on_frame(raw, start_of(raw), 7)

    def right(self) -> bool:
        return levels(self.sync.book) == self.truth.at_id[int(self.sync.book.array[at.LAST_ID])]


def test_joins_snapshot_and_messages_then_follows(kind: str) -> None:
    world = World(kind)
    assert world.sync.stale is Stale.FRESH and world.right()
    for _ in range(300):
        assert world.send(world.truth.frame()) == at.APPLIED_OK
        assert world.sync.stale is Stale.FRESH and world.right()
    assert world.sync.book.array[at.LAST_ID] == world.truth.last_id


def test_a_plain_message_is_read_like_a_combined_one(kind: str) -> None:
    world = World(kind)
    assert world.send(world.truth.frame(combined=False)) == at.APPLIED_OK and world.right()


def test_a_lost_message_makes_it_stale_at_once_and_a_snapshot_mends_it(kind: str) -> None:
    world = World(kind)
    world.truth.frame()  # lost
    assert world.send(world.truth.frame()) == at.BROKEN
    assert world.sync.stale is Stale.GAP and world.sync.wants is Wants.SNAPSHOT
    world.send(world.truth.frame())
    epoch = world.sync.book.array[at.EPOCH]
    world.sync.on_snapshot(snapshot(world.truth.snapshot()), 1000)
    assert world.sync.stale is Stale.FRESH and world.right() and world.sync.book.array[at.EPOCH] == epoch + 1


def test_duplicates_and_late_ones_change_nothing(kind: str) -> None:
    world = World(kind)
    old = [world.truth.frame() for _ in range(3)]
    for raw in old:
        world.send(raw)
    assert [world.send(raw) for raw in old] == [at.OLD] * 3
    assert world.sync.stale is Stale.FRESH and world.right()


def test_ids_that_run_backwards_do_not_freeze_the_book(kind: str) -> None:
    world = World(kind)
    later = world.truth.ms + 60_000
    again = compact({"e": "depthUpdate", "E": later, "T": later, "s": "BTCUSDT", "U": 5, "u": 9, "pu": 4,
                     "b": [], "a": []})
    assert world.send(again) == at.BROKEN
    assert world.sync.stale is Stale.BACKWARDS


def test_a_snapshot_older_than_the_messages_is_thrown_away(kind: str) -> None:
    truth, sync = Truth(random.Random(3)), Synchroniser(new_book(kind))
    old = truth.snapshot()
    truth.frame()
    raw = truth.frame()
    sync.on_frame(raw, start_of(raw), 1)
    sync.on_snapshot(snapshot(old), 1000)
    assert sync.stale is Stale.STARTING and sync.wants is Wants.SNAPSHOT and sync.counts.too_old == 1


def test_a_snapshot_newer_than_the_messages_waits_for_the_one_that_follows(kind: str) -> None:
    truth, sync = Truth(random.Random(4)), Synchroniser(new_book(kind))
    raws = [truth.frame() for _ in range(3)]
    sync.on_frame(raws[0], start_of(raws[0]), 1)
    sync.on_snapshot(snapshot(truth.snapshot()), 1000)
    assert sync.stale is Stale.STARTING and sync.wants is Wants.NOTHING
    following = truth.frame()
    sync.on_frame(following, start_of(following), 1)  # pu is the snapshot's own id
    assert sync.stale is Stale.FRESH and levels(sync.book) == truth.at_id[truth.last_id]


@pytest.mark.parametrize("damage", [
    lambda raw: raw[:-1], lambda raw: raw[:len(raw) // 2], lambda raw: raw[:len(raw) - 3], lambda raw: b"\xff\x00" * 9,
    lambda raw: raw.replace(b'"u":', b'"w":'), lambda raw: raw + b"}", lambda raw: raw.replace(b'"b":[[', b'"b":[[['),
    lambda raw: raw.replace(b'"a":', b'"a":null,"x":'), lambda raw: raw.replace(b'"U":', b'"U":-'), lambda raw: b"",
    lambda raw: raw.replace(b'.', b'.e', 1),
])
def test_a_damaged_message_changes_nothing_and_is_a_doubt_until_the_chain_holds(kind: str, damage: Any) -> None:
    world = World(kind)
    good = world.truth.frame()
    before = levels(world.sync.book)
    assert world.sync.on_frame(damage(good), start_of(good), 1) == at.BAD_FRAME
    assert world.sync.stale is Stale.MALFORMED_FRAME and levels(world.sync.book) == before
    assert world.send(good) == at.APPLIED_OK and world.sync.stale is Stale.FRESH and world.right()


def test_a_damaged_message_that_never_comes_whole_is_a_gap(kind: str) -> None:
    world = World(kind)
    bad = world.truth.frame()
    world.sync.on_frame(bad[:-4], start_of(bad), 1)
    assert world.send(world.truth.frame()) == at.BROKEN and world.sync.stale is Stale.GAP


def test_a_finer_price_asks_for_new_units(kind: str) -> None:
    world = World(kind)
    raw = world.truth.frame()
    finer = raw.replace(b'"b":[', b'"b":[["999.95","1.0"],')
    assert world.send(finer) == at.OFF_GRID
    assert world.sync.stale is Stale.GRID and world.sync.wants is Wants.UNITS
    assert world.send(raw) == at.WAITING


def test_zeros_behind_the_scale_are_no_finer_price(kind: str) -> None:
    world = World(kind)
    raw = world.truth.frame().replace(b'"b":[', b'"b":[["900.100","3.000"],')
    assert world.send(raw) == at.APPLIED_OK and levels(world.sync.book)[0][9001] == 30


def test_a_crossed_book_is_stale(kind: str) -> None:
    world = World(kind)
    price = world.truth.text(world.truth.middle + 30).encode()
    raw = world.truth.frame().replace(b'"b":[', b'"b":[["%s","1.0"],' % price)
    assert world.send(raw) == at.BROKEN and world.sync.stale is Stale.CROSSED
    assert world.sync.book.array[at.CROSSINGS] == 1 and world.sync.wants is Wants.SNAPSHOT


def test_beyond_the_snapshot_levels_are_unknown_not_zero(kind: str) -> None:
    world = World(kind, limit=10)
    shown = views.view(world.sync.book.array, 30)
    assert not shown.whole and len(shown.bids) < 30
    assert world.sync.look_for_edge() and world.sync.wants is Wants.SNAPSHOT
    assert not views.depth_within(world.sync.book.array, 2.0).whole
    assert world.sync.stale is Stale.FRESH  # the old book lives on while the new one comes
    world.send(world.truth.frame())
    world.sync.on_snapshot(snapshot(world.truth.snapshot()), 1000)
    world.send(world.truth.frame())
    assert world.sync.stale is Stale.FRESH and world.right()
    assert views.view(world.sync.book.array, 20).whole and not world.sync.look_for_edge()


def test_a_best_level_outside_what_is_known_is_stale(kind: str) -> None:
    truth = Truth(random.Random(5))
    sync = Synchroniser(new_book(kind))
    first = truth.frame()
    sync.on_frame(first, start_of(first), 1)
    sync.on_snapshot(snapshot(truth.snapshot(5)), 5)
    bids = truth.pairs({price: 0 for price in truth.bids if price > truth.middle - 12})
    raw = compact({"e": "depthUpdate", "E": truth.ms + 1, "T": 1, "s": "X", "U": truth.last_id + 1,
                   "u": truth.last_id + 2, "pu": truth.last_id, "b": bids, "a": []})
    assert sync.on_frame(raw, 0, 1) == at.BROKEN and sync.stale is Stale.EMPTY


def test_a_full_side_forgets_its_far_end_and_says_so(kind: str) -> None:
    truth, sync = Truth(random.Random(6)), Synchroniser(new_book(kind, capacity=24))
    first = truth.frame()
    sync.on_frame(first, start_of(first), 1)
    sync.on_snapshot(snapshot(truth.snapshot()), 0)
    for _ in range(200):
        raw = truth.frame(20)
        sync.on_frame(raw, start_of(raw), 1)
    assert sync.book.array[at.TRIMS] > 0
    for side, best in ((0, 1), (1, -1)):
        held, true = levels(sync.book)[side], truth.at_id[truth.last_id][side]
        edge = int(sync.book.array[at.BID_EDGE + side])
        near = [{p: q for p, q in of.items() if best * p >= edge} for of in (held, true)]
        assert near[0] == near[1]


def test_both_books_are_equal_word_for_word() -> None:
    worlds = {kind: World(kind, seed=9) for kind in KINDS}
    for _ in range(200):
        for world in worlds.values():
            world.send(world.truth.frame())
    one, other = (world.sync.book.array for world in worlds.values())
    header = [i for i in range(at.HEADER) if i != at.SEQ]
    assert one[header].tolist() == other[header].tolist()
    assert levels(worlds["compiled"].sync.book) == levels(worlds["plain"].sync.book)


def test_imbalance_and_depth(kind: str) -> None:
    world = World(kind)
    shown = views.view(world.sync.book.array, 10)
    bids, asks = world.truth.at_id[int(world.sync.book.array[at.LAST_ID])]
    bid = sum(bids[p] for p in sorted(bids)[-10:])
    ask = sum(asks[p] for p in sorted(asks)[:10])
    assert world.sync.book.array[at.TOP:at.TOP + 3].tolist() == [bid, ask, 1]
    assert shown.imbalance(10) == pytest.approx((bid - ask) / (bid + ask))
    assert shown.exact("bids")[0][0] == max(bids) / 10
    assert np.all(np.diff(shown.bids[:, 0]) < 0) and np.all(np.diff(shown.asks[:, 0]) > 0)
    mid = (max(bids) + min(asks)) / 2
    within = views.depth_within(world.sync.book.array, 0.1)
    assert within.whole
    assert within.bid_quote == pytest.approx(sum(p * q for p, q in bids.items() if p >= mid * 0.999) / 100)


@pytest.mark.parametrize(("U", "u", "fits"), [(10, 12, True), (8, 10, True), (10, 10, True), (11, 12, False)])
def test_spot_rule(kind: str, U: int, u: int, fits: bool) -> None:
    book = new_book(kind)
    book.array[at.RULE] = at.RULE_SPOT
    sync = Synchroniser(book)
    raw = compact({"e": "depthUpdate", "E": 5, "s": "X", "U": U, "u": u, "b": [], "a": []})
    sync.on_snapshot(Snapshot(9, [("1.0", "1.0")], [("2.0", "1.0")]), 0)
    sync.on_frame(raw, 0, 1)
    assert (sync.stale is Stale.FRESH) == fits
    if fits:
        following = compact({"e": "depthUpdate", "E": 6, "s": "X", "U": u + 1, "u": u + 1, "b": [], "a": []})
        assert sync.on_frame(following, 0, 1) == at.APPLIED_OK


def test_ticker_words(kind: str) -> None:
    book = new_book(kind)
    raw = (b'{"stream":"x@bookTicker","data":{"e":"bookTicker","u":9,"s":"X","b":"61.2","B":"2.5","a":"61.3","A":"2.1",'
           b'"T":5,"E":6}}')
    assert book.on_ticker(raw, start_of(raw), 8) == at.APPLIED_OK
    assert book.array[at.TICKER:at.TICKER + 7].tolist() == [612, 25, 613, 21, 9, 6, 8]
    assert book.on_ticker(raw.replace(b'"u":9', b'"u":8'), start_of(raw), 9) == at.OLD
    assert book.on_ticker(raw[:-2], start_of(raw), 9) == at.BAD_FRAME
