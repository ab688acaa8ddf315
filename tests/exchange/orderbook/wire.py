"""A venue's book written by hand: truth after each message, and the messages it would send."""

import json
import random
from dataclasses import dataclass, field


@dataclass
class Truth:
    """All levels of one symbol in whole units; sends diffs as the futures venue does, remembers every state."""

    dice: random.Random
    scale: int = 1
    symbol: str = "BTCUSDT"
    last_id: int = 1_000
    ms: int = 1_700_000_000_000
    bids: dict[int, int] = field(default_factory=dict)
    asks: dict[int, int] = field(default_factory=dict)
    at_id: dict[int, tuple[dict[int, int], dict[int, int]]] = field(default_factory=dict)
    middle: int = 10_000

    def __post_init__(self) -> None:
        for step in range(1, 40):
            self.bids[self.middle - step] = self.dice.randint(1, 999)
            self.asks[self.middle + step] = self.dice.randint(1, 999)
        self.at_id[self.last_id] = (dict(self.bids), dict(self.asks))

    def text(self, units: int) -> str:
        return f"{units // 10**self.scale}.{units % 10**self.scale:0{self.scale}d}"

    def frame(self, changes: int = 6, combined: bool = True) -> bytes:
        """One message with changes near and far, the state moved on."""
        bids, asks = {}, {}
        if self.dice.random() < 0.3:
            self.middle += self.dice.choice((-2, -1, 1, 2))
        for price in [p for p in self.bids if p >= self.middle]:
            bids[price] = 0
        for price in [p for p in self.asks if p <= self.middle]:
            asks[price] = 0
        for _ in range(self.dice.randint(0, changes)):
            bids.setdefault(self.middle - self.dice.randint(1, 60), self.quantity())
            asks.setdefault(self.middle + self.dice.randint(1, 60), self.quantity())
        bids.setdefault(self.middle - 1, self.dice.randint(1, 99))
        asks.setdefault(self.middle + 1, self.dice.randint(1, 99))
        for side, changed in ((self.bids, bids), (self.asks, asks)):
            for price, qty in changed.items():
                side.pop(price, None)
                if qty:
                    side[price] = qty
        first, previous = self.last_id + self.dice.randint(1, 5), self.last_id
        self.last_id = first + self.dice.randint(0, 9)
        self.ms += 100
        self.at_id[self.last_id] = (dict(self.bids), dict(self.asks))
        data = {"e": "depthUpdate", "E": self.ms, "T": self.ms - 2, "s": self.symbol, "U": first, "u": self.last_id,
                "pu": previous, "b": self.pairs(bids), "a": self.pairs(asks)}
        name = f"{self.symbol.lower()}@depth@100ms"
        return compact({"stream": name, "data": data} if combined else data)

    def quantity(self) -> int:
        return self.dice.choice((0, 1)) * self.dice.randint(1, 999)

    def pairs(self, levels: dict[int, int]) -> list[list[str]]:
        return [[self.text(p), self.text(q)] for p, q in sorted(levels.items())]

    def snapshot(self, limit: int = 1000, at_id: int | None = None) -> bytes:
        bids, asks = self.at_id[at_id or self.last_id]
        return compact({"lastUpdateId": at_id or self.last_id, "E": self.ms, "T": self.ms,
                        "bids": self.pairs(bids)[::-1][:limit], "asks": self.pairs(asks)[:limit]})


def compact(body: object) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()
