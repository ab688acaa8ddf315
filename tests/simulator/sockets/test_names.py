"""Names of streams: what each means, and which sockets hear it (X26)."""

from __future__ import annotations

import pytest

from modules.simulator.sockets.names import Family, Kind, parse

CASES = [
    ("btcusdt@depth", Kind.DEPTH, "BTCUSDT", 250, Family.PUBLIC),
    ("btcusdt@depth@100ms", Kind.DEPTH, "BTCUSDT", 100, Family.PUBLIC),
    ("btcusdt@depth@0ms", Kind.DEPTH, "BTCUSDT", 0, Family.PUBLIC),
    ("ethusdt@depth20@500ms", Kind.PARTIAL, "ETHUSDT", 500, Family.PUBLIC),
    ("ethusdt@depth5", Kind.PARTIAL, "ETHUSDT", 250, Family.PUBLIC),
    ("btcusdt@bookTicker", Kind.BOOK_TICKER, "BTCUSDT", 0, Family.PUBLIC),
    ("!bookTicker", Kind.ALL_BOOK_TICKERS, None, 5000, Family.PUBLIC),
    ("btcusdt@trade", Kind.TRADE, "BTCUSDT", 0, Family.PUBLIC),
    ("btcusdt@aggTrade", Kind.AGG_TRADE, "BTCUSDT", 100, Family.MARKET),
    ("btcusdt@kline_1M", Kind.KLINE, "BTCUSDT", 250, Family.MARKET),
    ("btcusdt_perpetual@continuousKline_15m", Kind.CONTINUOUS, "BTCUSDT", 250, Family.MARKET),
    ("btcusdt@markPrice", Kind.MARK, "BTCUSDT", 3000, Family.MARKET),
    ("btcusdt@markPrice@1s", Kind.MARK, "BTCUSDT", 1000, Family.MARKET),
    ("!markPrice@arr@1s", Kind.ALL_MARKS, None, 1000, Family.MARKET),
    ("!miniTicker@arr", Kind.ALL_MINIS, None, 1000, Family.MARKET),
    ("btcusdt@ticker", Kind.TICKER, "BTCUSDT", 2000, Family.MARKET),
    ("!forceOrder@arr", Kind.ALL_FORCES, None, 1000, Family.MARKET),
]


@pytest.mark.parametrize(("name", "kind", "symbol", "every", "family"), CASES, ids=[case[0] for case in CASES])
def test_a_stream_says_what_it_tells(
    name: str, kind: Kind, symbol: str | None, every: int, family: Family
) -> None:
    stream = parse(name)
    assert stream is not None
    assert (stream.kind, stream.symbol, stream.every_ms, stream.family) == (kind, symbol, every, family)


@pytest.mark.parametrize("name", [
    "", "btcusdt", "BTCUSDT@depth", "btcusdt@depth7", "btcusdt@depth@50ms", "btcusdt@kline_7m", "btcusdt@kline_",
    "btcusdt@continuousKline_1m", "btcusdt@nothing", "@depth", "!depth", "btcusdt@DEPTH"])
def test_what_is_no_stream_is_none(name: str) -> None:
    assert parse(name) is None
