"""What a text from outside says, in plain words: cleaning, symbols, near-duplicates, language. Pure functions."""

import hashlib
import html
import re
import unicodedata
from collections.abc import Collection, Iterable

MOST_RAW = 20_000  # characters that are looked at before cleaning: mark-up may be long
MOST_CLEAN = 2_000  # and after it: what moves a market stands in the first lines

_TAG = re.compile(r"<(?:script|style)\b[^<]*(?:</(?:script|style)\s*>)?|<!--|-->|</?[a-zA-Z!][^<>]{0,2000}>", re.I)
_URL = re.compile(r"(?:https?://|www\.|t\.co/|pic\.twitter\.com/)\S+", re.I)
_SPACE = re.compile(r"\s+")
_CASHTAG = re.compile(r"(?<![\w$])\$([A-Za-z][A-Za-z0-9]{1,14})(?![\w])")
_HASHTAG = re.compile(r"(?<![\w#])#([A-Za-z][A-Za-z0-9]{1,24})(?![\w])")
_WORD = re.compile(r"[A-Za-z0-9]+")
_CAPITALS = re.compile(r"(?<![\w$#@])([A-Z0-9]{2,15})(?![\w])")
_QUOTES = ("USDT", "USDC", "USD", "BTC", "ETH", "EUR")
_LETTERS_ONLY = re.compile(r"[^\w$#@]+")
_RETWEET = re.compile(r"^\s*(?:rt\s+@\w+:?|breaking|just in|update \d+|live)\s*[:\-–|]?\s*", re.I)
_NAMES = {"bitcoin": "BTC", "ethereum": "ETH", "ether": "ETH", "solana": "SOL", "dogecoin": "DOGE", "ripple": "XRP",
          "cardano": "ADA", "litecoin": "LTC", "polkadot": "DOT", "avalanche": "AVAX", "chainlink": "LINK",
          "toncoin": "TON", "tron": "TRX", "shiba": "SHIB", "pepe": "PEPE", "polygon": "POL", "uniswap": "UNI"}
# Tickers that are English words too: they count only as $NAME, as #NAME or as a pair.
_WORDLIKE = frozenset({"ONE", "NEAR", "LINK", "GAS", "HOT", "KEY", "FUN", "WIN", "SUN", "ID", "GO", "OM", "IO", "AI",
                       "TON", "HIGH", "DOT", "UNI", "US", "USD", "CEO", "ETF", "SEC", "IPO", "EPS", "FED", "GDP", "CPI",
                       "ALL", "NOW", "IN", "ON", "IS", "OR", "TO", "UP", "FOR", "BE", "IT", "AT", "BY", "NOT", "ACT",
                       "TRUMP"})


def clean(text: str) -> str:
    """The words of `text`: entities resolved, HTML, addresses and control characters gone, NFKC, single spaces.

    Emojis, cashtags, digits and every script stay. At most `MOST_CLEAN` characters come back; work is bounded by
    `MOST_RAW` whatever the length that came in.
    """
    kept = text[:MOST_RAW]
    if "&" in kept:
        kept = html.unescape(kept)
    if "<" in kept:
        kept = _TAG.sub(" ", kept)
    kept = _URL.sub(" ", kept)
    if not kept.isascii():
        kept = unicodedata.normalize("NFKC", kept)
        kept = "".join(" " if unicodedata.category(each) in ("Cc", "Co", "Cs", "Zl", "Zp") else each
                       for each in kept if unicodedata.category(each) != "Cf" or each == "\u200d")
    elif not kept.isprintable():
        kept = "".join(each if each.isprintable() else " " for each in kept)
    return _SPACE.sub(" ", kept).strip()[:MOST_CLEAN]


def symbols_of(text: str, known: Collection[str]) -> tuple[str, ...]:
    """The symbols out of `known` (``BTCUSDT`` or bare ``BTC``) that `text` speaks of, in the order of `known`.

    Found as $BTC, #BTC, BTC/USDT, BTCUSDT, BTC in capitals, or by the coin's English name. A ticker that is an
    English word too (NEAR, ONE) counts only with $ or # or as a pair: a missed mention is safer than a wrong one.
    """
    words = clean(text)
    marked = {each.upper() for each in (*_CASHTAG.findall(words), *_HASHTAG.findall(words))}
    capitals = set(_CAPITALS.findall(words))
    named = {_NAMES[each] for each in (found.lower() for found in _WORD.findall(words)) if each in _NAMES}
    named |= {_NAMES[each.lower()] for each in marked if each.lower() in _NAMES}
    pairs = {a + b for a, b in re.findall(r"(?<!\w)([A-Z0-9]{2,15})[/\-_]([A-Z]{3,5})(?!\w)", words)}
    found = []
    for symbol in known:
        base = _base(symbol)
        plain = base in capitals and base not in _WORDLIKE and not base.isdigit()
        whole = symbol in capitals | pairs | marked and (symbol != base or plain)
        if whole or plain or base in marked or base in named or any(base + quote in pairs for quote in _QUOTES):
            found.append(symbol)
    return tuple(found)


def _base(symbol: str) -> str:
    for quote in _QUOTES:
        if symbol.endswith(quote) and len(symbol) > len(quote) + 1:
            return symbol[:-len(quote)]
    return symbol


def fingerprint(text: str) -> str:
    """The same 16 hex digits for texts that differ only in case, spacing, punctuation, addresses or "RT @x:"."""
    words = _LETTERS_ONLY.sub(" ", _RETWEET.sub("", clean(text)).casefold()).strip()
    return hashlib.blake2b(words.encode("utf-8", "replace"), digest_size=8).hexdigest()


def without_duplicates(texts: Iterable[str]) -> list[int]:
    """The places of the first of each group of near-duplicates, in order."""
    seen: set[str] = set()
    kept = []
    for place, text in enumerate(texts):
        mark = fingerprint(text)
        if mark not in seen:
            seen.add(mark)
            kept.append(place)
    return kept
