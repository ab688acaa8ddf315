"""A cleaned headline as hashed n-grams: the input of our own model, the same in training and in use."""

import re
from zlib import crc32

from modules.sentiment.lexicon import hits

BITS = 17
SIZE = 1 << BITS
_COMPARED = re.compile(r"([+-]?)[$€£]?(\d+(?:\.\d+)?)[%kmbt]?\s+(?:vs\.?|versus|from)\s+"
                       r"([+-]?)[$€£]?(\d+(?:\.\d+)?)", re.I)
_SYMBOL = re.compile(r"\$[a-z][a-z.]{0,9}\b")
_PARENS = re.compile(r"\((?:nyse|nasdaq|nasdaqgs|otcmkts|lon|asx|tsx)[^)]*\)")
_NUMBER = re.compile(r"([+-])?([$€£])?\d[\d,.]*([%kmbt]\b|%)?")
_TOKEN = re.compile(r"[+-]?\$?#%?|[@$]\w+|[^\W\d_]+(?:['’][a-z]+)?|[!?]|[^\s\w.,;:\"'()\[\]/\\|*…\-–—]")


def normal(text: str) -> str:
    """Lower case; tickers, people and numbers by their kind: "$BTC +3.5%" is "$t +#%"."""
    low = text.lower()
    compared = _COMPARED.search(low)
    low = _PARENS.sub(" $t ", _SYMBOL.sub("$t", low))
    low = re.sub(r"@\w+", "@u", low)
    low = _NUMBER.sub(lambda m: f" {m[1] or ''}{'$' if m[2] else ''}#{'%' if m[3] == '%' else ''} ", low)
    if compared:
        first = float(compared[2]) * (-1 if compared[1] == "-" else 1)
        second = float(compared[4]) * (-1 if compared[3] == "-" else 1)
        low += " @more" if first > second else " @less" if first < second else " @same"
    return low


def grams(text: str) -> list[int]:
    """The indices (0 … SIZE-1, each once, sorted) of the words, their first five letters, and the pairs of words."""
    words = _TOKEN.findall(normal(text))
    found = {f"w{word}" for word in words}
    found.update(f"p{word[:5]}" for word in words if len(word) > 5)
    found.update(f"b{a} {b}" for a, b in zip(words, words[1:], strict=False))
    found.update(f"s{a} {b}" for a, b in zip(words, words[2:], strict=False))
    return sorted({crc32(each.encode("utf-8", "replace")) & (SIZE - 1) for each in found})


def dense(text: str) -> tuple[float, float, float]:
    """What our lexicon says of the text: bullish, bearish (each 0 … 1) and their difference."""
    up, down = hits(text)
    return min(up, 6.0) / 6.0, min(down, 6.0) / 6.0, max(-1.0, min(1.0, (up - down) / 6.0))
