"""Our words of crypto and finance with their valence: for VADER, and as two features of our own model."""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

_FILE = Path(__file__).with_name("lexicon.tsv")
_TOKEN = re.compile(r"[a-z0-9][a-z0-9'%-]*|[^\sa-z0-9.,;:!?\"'()\[\]]", re.I)
_NOT = frozenset({"not", "no", "never", "without", "isn't", "won't", "doesn't", "don't", "didn't", "hasn't", "nor",
                  "fails", "cannot", "can't", "denies", "unlikely", "avoids", "recovers", "rebounds"})


class Lexicon(NamedTuple):
    """Words and phrases (in lower case) with valence −4 … 4."""

    version: str
    valence: dict[str, float]
    longest: int  # words in the longest phrase


@cache
def lexicon() -> Lexicon:
    """The lexicon that ships. Raises ValueError (file, line and what is wrong) for a damaged file."""
    version, valence = "", {}
    for number, line in enumerate(_FILE.read_text("utf-8").splitlines(), 1):
        if line.startswith("# version\t"):
            version = line.split("\t")[1]
        if not line or line.startswith("#"):
            continue
        word, _, value = line.rpartition("\t")
        try:
            valence[word] = float(value)
        except ValueError:
            raise ValueError(f"{_FILE.name}, line {number}: {value!r} is no number; expected word, tab, number"
                             ) from None
        if not word or not -4 <= valence[word] <= 4:
            raise ValueError(f"{_FILE.name}, line {number}: valence of {word!r} is {value}; it must lie in -4 … 4")
    return Lexicon(version, valence, max(word.count(" ") + 1 for word in valence))


def hits(text: str) -> tuple[float, float]:
    """(sum of bullish valences, sum of bearish valences, both ≥ 0) of a cleaned text; longest phrase first.

    A negation up to two words before turns a word's side and halves it: "no longer bullish" is mildly bearish.
    """
    words = [each.lower() for each in _TOKEN.findall(text)]
    known = lexicon()
    up = down = 0.0
    at = 0
    while at < len(words):
        length = next((n for n in range(min(known.longest, len(words) - at), 0, -1)
                       if " ".join(words[at:at + n]) in known.valence), 0)
        if not length:
            at += 1
            continue
        value = known.valence[" ".join(words[at:at + length])]
        if _NOT.intersection(words[max(0, at - 2):at]):
            value *= -0.5
        up, down = up + max(value, 0.0), down + max(-value, 0.0)
        at += length
    return up, down


def joined(text: str) -> str:
    """`text` with our phrases of several words written as one (``rug_pull``), for tools that know only words."""
    return _phrases().sub(lambda found: found.group(0).replace(" ", "_"), text)


@cache
def _phrases() -> re.Pattern[str]:
    several = sorted((re.escape(word) for word in lexicon().valence if " " in word), key=len, reverse=True)
    return re.compile(r"(?<!\w)(?:" + "|".join(several) + r")(?!\w)", re.I)
