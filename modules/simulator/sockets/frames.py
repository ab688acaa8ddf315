"""The payloads of market streams: fields and their order as recorded from the venue.

Sources: cryptofeed's capture of 2021 (aggTrade, kline, depthUpdate), hftbacktest's of 2024 (trade, bookTicker,
depthUpdate) and, for streams that nobody recorded, the venue's documentation as Binance.Net's fixtures hold it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from modules.simulator.sockets.digits import Digits


@dataclass(frozen=True, slots=True)
class Writer:
    """How one symbol is written."""

    symbol: str
    price: Digits
    qty: Digits
    quote: Digits  # volumes in the quote coin: price's and quantity's decimals together


@dataclass(slots=True)
class Candle:
    """A candle: ticks, steps, and the quote volume in units of tick × step. Trade ids −1 where nobody traded."""

    open_ms: int
    open: int
    high: int
    low: int
    close: int
    volume: int = 0
    quote: int = 0
    count: int = 0
    taker: int = 0
    taker_quote: int = 0
    first: int = -1
    last: int = -1


@dataclass(frozen=True, slots=True)
class Day:
    """A symbol's last 24 hours, and its latest trade."""

    candle: Candle
    close_ms: int
    last_qty: int


@dataclass(frozen=True, slots=True)
class Mark:
    """Mark price, index price, estimated settlement price, funding rate (all as text), and when it settles."""

    mark: str
    index: str
    settle: str
    rate: str
    next_ms: int


def levels(writer: Writer, pairs: Iterable[tuple[int, int]]) -> str:
    """Price levels: [["61800.20","2.909"], …]."""
    price, qty = writer.price.text, writer.qty.text
    return "[" + ",".join([f'["{price(tick)}","{qty(steps)}"]' for tick, steps in pairs]) + "]"


def depth(writer: Writer, sent_ms: int, ms: int, ids: tuple[int, int, int], bids: str, asks: str) -> bytes:
    """`ids`: U, u, pu."""
    first, last, previous = ids
    return (f'{{"e":"depthUpdate","E":{sent_ms},"T":{ms},"s":"{writer.symbol}","U":{first},"u":{last},"pu":{previous},'
            f'"b":{bids},"a":{asks}}}').encode()


def book_ticker(
    writer: Writer, sent_ms: int, ms: int, update_id: int, bid: tuple[int, int], ask: tuple[int, int]
) -> bytes:
    """The touch: price and quantity on either side."""
    price, qty = writer.price.text, writer.qty.text
    return (f'{{"e":"bookTicker","u":{update_id},"s":"{writer.symbol}","b":"{price(bid[0])}","B":"{qty(bid[1])}",'
            f'"a":"{price(ask[0])}","A":"{qty(ask[1])}","T":{ms},"E":{sent_ms}}}').encode()


def trade(writer: Writer, sent_ms: int, ms: int, number: int, tick: int, steps: int, maker: bool) -> bytes:
    """A single trade; `maker`: the buyer is the maker, so the taker sold."""
    return (f'{{"e":"trade","E":{sent_ms},"T":{ms},"s":"{writer.symbol}","t":{number},"p":"{writer.price.text(tick)}",'
            f'"q":"{writer.qty.text(steps)}","X":"MARKET","m":{_bool(maker)}}}').encode()


def agg_trade(
    writer: Writer, sent_ms: int, ms: int, ids: tuple[int, int, int], tick: int, steps: int, maker: bool
) -> bytes:
    """`ids`: aggregate id, first and last trade id."""
    return (f'{{"e":"aggTrade","E":{sent_ms},"a":{ids[0]},"s":"{writer.symbol}","p":"{writer.price.text(tick)}",'
            f'"q":"{writer.qty.text(steps)}","f":{ids[1]},"l":{ids[2]},"T":{ms},"m":{_bool(maker)}}}').encode()


def kline(writer: Writer, sent_ms: int, interval: str, end_ms: int, candle: Candle, closed: bool) -> bytes:
    """A candle of a symbol; `end_ms` is its last millisecond."""
    return (f'{{"e":"kline","E":{sent_ms},"s":"{writer.symbol}","k":{{"t":{candle.open_ms},"T":{end_ms},'
            f'"s":"{writer.symbol}",{_candle(writer, interval, candle, closed)}}}}}').encode()


def continuous(writer: Writer, sent_ms: int, interval: str, end_ms: int, candle: Candle, closed: bool) -> bytes:
    """A candle of a pair's perpetual contract."""
    return (f'{{"e":"continuous_kline","E":{sent_ms},"ps":"{writer.symbol}","ct":"PERPETUAL",'
            f'"k":{{"t":{candle.open_ms},"T":{end_ms},{_candle(writer, interval, candle, closed)}}}}}').encode()


def _candle(writer: Writer, interval: str, candle: Candle, closed: bool) -> str:
    price, qty, quote = writer.price.text, writer.qty.text, writer.quote.text
    return (f'"i":"{interval}","f":{candle.first},"L":{candle.last},"o":"{price(candle.open)}",'
            f'"c":"{price(candle.close)}","h":"{price(candle.high)}","l":"{price(candle.low)}",'
            f'"v":"{qty(candle.volume)}","n":{candle.count},"x":{_bool(closed)},"q":"{quote(candle.quote)}",'
            f'"V":"{qty(candle.taker)}","Q":"{quote(candle.taker_quote)}","B":"0"')


def mark(symbol: str, sent_ms: int, one: Mark) -> str:
    """Mark price and funding; text, as arrays of them are a stream too."""
    return (f'{{"e":"markPriceUpdate","E":{sent_ms},"s":"{symbol}","p":"{one.mark}","i":"{one.index}",'
            f'"P":"{one.settle}","r":"{one.rate}","T":{one.next_ms}}}')


def mini(writer: Writer, sent_ms: int, day: Day) -> str:
    """The short 24 h statistics."""
    candle, price = day.candle, writer.price.text
    return (f'{{"e":"24hrMiniTicker","E":{sent_ms},"s":"{writer.symbol}","c":"{price(candle.close)}",'
            f'"o":"{price(candle.open)}","h":"{price(candle.high)}","l":"{price(candle.low)}",'
            f'"v":"{writer.qty.text(candle.volume)}","q":"{writer.quote.text(candle.quote)}"}}')


def ticker(writer: Writer, sent_ms: int, day: Day) -> str:
    """The 24 h statistics."""
    candle, price = day.candle, writer.price.text
    change = candle.close - candle.open
    percent = 100.0 * change / candle.open if candle.open else 0.0
    # quote is in ticks × steps, so quote / volume is an average in ticks
    average = round(candle.quote / candle.volume) if candle.volume else candle.close
    return (f'{{"e":"24hrTicker","E":{sent_ms},"s":"{writer.symbol}","p":"{price(change)}","P":"{percent:.3f}",'
            f'"w":"{price(average)}","c":"{price(candle.close)}","Q":"{writer.qty.text(day.last_qty)}",'
            f'"o":"{price(candle.open)}","h":"{price(candle.high)}","l":"{price(candle.low)}",'
            f'"v":"{writer.qty.text(candle.volume)}","q":"{writer.quote.text(candle.quote)}","O":{candle.open_ms},'
            f'"C":{day.close_ms},"F":{candle.first},"L":{candle.last},"n":{candle.count}}}')


def force_order(writer: Writer, sent_ms: int, ms: int, side: str, tick: int, average: int, steps: int) -> bytes:
    """A liquidation."""
    qty = writer.qty.text(steps)
    return (f'{{"e":"forceOrder","E":{sent_ms},"o":{{"s":"{writer.symbol}","S":"{side}","o":"LIMIT","f":"IOC",'
            f'"q":"{qty}","p":"{writer.price.text(tick)}","ap":"{writer.price.text(average)}","X":"FILLED",'
            f'"l":"{qty}","z":"{qty}","T":{ms}}}}}').encode()


def _bool(value: bool) -> str:
    return "true" if value else "false"
