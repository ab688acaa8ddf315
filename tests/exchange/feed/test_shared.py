"""Shared memory under a writer in another process that never rests: what is read is one state, never a mixture."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from modules.exchange.feed import page as pages
from modules.exchange.feed.page import Shape, attach, create
from modules.exchange.orderbook import layout as at
from modules.exchange.orderbook import views
from modules.exchange.orderbook.book import opener, prepare
from modules.exchange.orderbook.views import Torn
from tests.surroundings import wait_until
from utils.paths import Paths

SHAPE = Shape(2, 64, 16, 4, ("1m",))

WRITER = """
import sys
from pathlib import Path
from modules.exchange.feed import page as pages
from modules.exchange.feed.page import Shape, create
from modules.exchange.orderbook.book import opener, prepare
from utils.paths import Paths
page, _ = create(Paths(Path(sys.argv[1])).prepare(), Shape(2, 64, 16, 4, ("1m",)), 1)
make, _ = opener(compiled=sys.argv[2] == "compiled")
book = make(prepare(page.book(0), 0, 0))
n = 0
def frame(n):
    side = ",".join('["%d","%d"]' % (p, n % 900 + 1) for p in range(100, 130))
    other = side.replace('["1', '["2')
    return ('{"E":%d,"U":%d,"u":%d,"pu":%d,"b":[%s],"a":[%s]}' % (n, n, n, n - 1, side, other)).encode()
book.load(([100], [1]), ([-200], [1]), 1, 0, -9999, -9999)
book.on_depth(frame(1), 0, 1)
page.set_name(0, "BTCUSDT")
print("ready", flush=True)
n = 2
while True:
    for raw in [frame(one) for one in range(n, n + 5000)]:
        book.on_depth(raw, 0, n)
        n += 1
"""


@pytest.mark.parametrize("kind", ["compiled", "plain"])
def test_no_torn_read_under_a_hammering_writer(tmp_path: Path, kind: str) -> None:
    root = Path(pages.__file__).resolve().parents[3]
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), kind], cwd=root, stdout=subprocess.PIPE)
    try:
        assert writer.stdout is not None and writer.stdout.readline().strip() == b"ready"
        words = attach(Paths(tmp_path)).book(0)
        seen: set[int] = set()
        end = time.monotonic() + 60
        while len(seen) < 100 and time.monotonic() < end and writer.poll() is None:
            try:
                header, bids, asks = views.copy(words, None)
            except Torn:  # the writer was halted in the middle of a change for longer than a reader waits
                continue
            assert len(set(bids[1].tolist())) == 1 and bids[1].tolist() == asks[1].tolist(), header
            assert len(bids[0]) == len(asks[0]) == 30 and bids[1][0] == header[at.LAST_ID] % 900 + 1
            seen.add(header[at.LAST_ID])
        assert len(seen) == 100
    finally:
        writer.kill()
        writer.wait()
        assert writer.stdout is not None
        writer.stdout.close()
        Path(json.loads(pages.where_file(Paths(tmp_path)).read_text())["path"]).unlink(missing_ok=True)


def test_a_writer_that_died_in_the_middle_is_seen(tmp_path: Path) -> None:
    page, file = create(Paths(tmp_path).prepare(), SHAPE, 5)
    prepare(page.book(0), 0, 0)
    page.book(0)[at.SEQ] |= 1
    with pytest.raises(Torn, match="feed process"):
        views.view(attach(Paths(tmp_path)).book(0))
    file.unlink()


def test_readers_cannot_write(tmp_path: Path) -> None:
    _, file = create(Paths(tmp_path).prepare(), SHAPE, 5)
    with pytest.raises(ValueError, match="read-only"):
        attach(Paths(tmp_path)).words[0] = 1
    file.unlink()


def test_a_new_life_takes_the_old_memory_away(tmp_path: Path) -> None:
    _, first = create(Paths(tmp_path).prepare(), SHAPE, 1)
    page, second = create(Paths(tmp_path).prepare(), SHAPE, 2)
    assert not first.exists() and int(attach(Paths(tmp_path)).words[pages.H_LIFE]) == 2
    make, _ = opener(compiled=False)
    make(prepare(page.book(1), 0, 0)).load(([1], [1]), ([-2], [1]), 3, 3, 0, 0)
    wait_until(lambda: int(attach(Paths(tmp_path)).book(1)[at.LAST_ID]) == 3)
    assert isinstance(page.words, np.ndarray)
    second.unlink()
