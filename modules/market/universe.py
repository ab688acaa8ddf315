"""Which symbols there are, and which one a person means: ``pepe``, ``PEPE/USDT`` and ``pepeusdt`` are PEPEUSDT."""

import difflib
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modules.exchange.types import Market, Ticker

QUOTE = "USDT"


def symbol_of(text: str) -> str:
    """What a person typed as the exchange would write it; may name nothing that exists."""
    plain = "".join(char for char in text.upper() if char.isalnum())
    return plain if plain.endswith(QUOTE) and plain != QUOTE else plain + QUOTE


def resolve(text: str, known: Collection[str]) -> tuple[str | None, list[str]]:
    """(symbol, []) for a known one, else (None, up to five names that are near)."""
    symbol = symbol_of(text)
    if symbol in known:
        return symbol, []
    base = symbol.removesuffix(QUOTE)
    bases = {name.removesuffix(QUOTE): name for name in known}
    near = difflib.get_close_matches(base, bases, n=5, cutoff=0.6)
    begins = [name for name in sorted(bases) if name.startswith(base) and name not in near] if base else []
    return None, [bases[name] for name in [*near, *begins][:5]]


def tradable(markets: Mapping[str, "Market"]) -> list[str]:
    """Symbols that trade and take API orders (A11), in the order of their names."""
    return sorted(name for name, market in markets.items() if market.trading and market.api_allowed
                  and market.quote == QUOTE)


def by_volume(symbols: Iterable[str], tickers: Mapping[str, "Ticker"]) -> list[str]:
    """The symbols that have a ticker, most traded first."""
    return sorted((name for name in symbols if name in tickers), key=lambda name: -tickers[name].quote_volume)
