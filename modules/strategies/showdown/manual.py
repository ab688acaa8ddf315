"""Manual sources (C3): ETF flows, liquidation map, sentiment: what they look like, and every error in them by name.

    ETF flows        {"days": [{"date": "2026-11-20", "flows": {"IBIT": 120e6, "FBTC": -30e6}, "total": 90e6}]}
                     or text: 2026-11-20 IBIT=120M FBTC=-30M
    liquidation map  {"price": 90000, "zones": [{"side": "long", "low": 88000, "high": 88500, "size_usd": 120e6}]}
                     or text: long 88000-88500 120M; short 93000-93500 80M
    sentiment        {"score": 0.4, "note": "why", "halt": false}       or text: 0.4 why

A zone's `side` says whose positions are liquidated there: longs BELOW the price, shorts above it.
"""

import datetime as dt
import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from modules.strategies.showdown.us_days import is_trading_day

Kind = Literal["etf", "liqmap", "sentiment"]
KINDS: tuple[Kind, ...] = ("etf", "liqmap", "sentiment")
TITLES = {"etf": "ETF flows", "liqmap": "Liquidation map", "sentiment": "Sentiment"}
EXAMPLES = {"etf": "2026-11-20 IBIT=120M FBTC=-30M", "liqmap": "long 88000-88500 120M; short 93000-93500 80M",
            "sentiment": "0.4 strong inflows"}
BIGGEST_TEXT = 200_000
# Chats make one line of many: a zone's side or a date begins the next entry as well.
_BETWEEN = re.compile(r"[;\n]|\s+(?=(?:long|short)s?\s)|\s+(?=[0-9]{4}-[0-9]{2}-[0-9]{2}\b)", re.IGNORECASE)
_UNITS = {"": 1.0, "K": 1e3, "M": 1e6, "B": 1e9}
_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)
Usd = Annotated[float, Field(ge=-5e10, le=5e10)]
Price = Annotated[float, Field(gt=0, le=1e9)]


class Invalid(Exception):
    """A manual source that cannot be taken: `problems` names every error."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class EtfDay(BaseModel):
    """Net flows of one US trading day in USD, by fund; `total` where only that is known, or to check the sum."""

    model_config = _STRICT

    date: dt.date
    flows: dict[Annotated[str, Field(pattern=r"^[A-Z0-9.]{1,12}$")], Usd] = Field(default_factory=dict, max_length=60)
    total: Usd | None = None

    @field_validator("date")
    @classmethod
    def _trading(cls, day: dt.date) -> dt.date:
        if not is_trading_day(day):
            raise ValueError(f"{day} is no US trading day: no fund reports flows for it")
        return day

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if not self.flows and self.total is None:
            raise ValueError(f"{self.date} has neither flows nor a total")
        if self.flows and self.total is not None:
            added = sum(self.flows.values())
            if abs(added - self.total) > max(1e6, 0.02 * abs(self.total)):
                raise ValueError(f"{self.date}: the funds add up to {added:,.0f} and the total says {self.total:,.0f}; "
                                 "give the right total or leave it out")
        return self

    @property
    def net(self) -> float:
        """USD that came in."""
        return sum(self.flows.values()) if self.flows else float(self.total or 0.0)


class EtfFlows(BaseModel):
    """ETF flows by day, any order."""

    model_config = _STRICT

    days: Annotated[tuple[EtfDay, ...], Field(min_length=1, max_length=400)]

    @model_validator(mode="after")
    def _once(self) -> Self:
        problems = _days_among(self.days)
        if problems:
            raise ValueError("; ".join(problems))
        return self


class Zone(BaseModel):
    """A pool of liquidations: longs' ones lie below the price."""

    model_config = _STRICT

    side: Literal["long", "short"]
    low: Price
    high: Price
    size_usd: Annotated[float, Field(gt=0, le=1e12)]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.high < self.low:
            raise ValueError(f"its high {self.high:g} is under its low {self.low:g}")
        return self


class LiquidationMap(BaseModel):
    """Where liquidations wait; `price` is the market's when the map was made (filled in where it is left out)."""

    model_config = _STRICT

    price: Price
    zones: Annotated[tuple[Zone, ...], Field(min_length=1, max_length=200)]

    @model_validator(mode="after")
    def _sides(self) -> Self:
        problems = _zones_among(dict(enumerate(self.zones)), self.price)
        if problems:
            raise ValueError("; ".join(problems))
        return self


def _days_among(days: Iterable[EtfDay]) -> list[str]:
    """What is wrong with days beside each other."""
    dates = [day.date for day in days]
    twice = sorted({str(day) for day in dates if dates.count(day) > 1})
    return [f"{', '.join(twice)}: given more than once, which contradicts itself; keep one"] if twice else []


def _zones_among(zones: dict[int, Zone], price: float) -> list[str]:
    """What is wrong with zones (by their place) beside each other and the price."""
    found = []
    wrong = [f"zones.{place} ({_shown(zone)})" for place, zone in zones.items()
             if (zone.low > price if zone.side == "long" else zone.high < price)]
    if wrong:
        found.append(f"{', '.join(wrong)} on the wrong side of the price {price:g}: longs are liquidated below it, "
                     "shorts above it")
    places: dict[tuple[str, float, float], list[int]] = {}
    for place, zone in zones.items():
        places.setdefault((zone.side, zone.low, zone.high), []).append(place)
    found += [f"{', '.join(f'zones.{place}' for place in same)} are the same zone ({_shown(zones[same[0]])}); keep one"
              for same in places.values() if len(same) > 1]
    return found


def _shown(zone: Zone) -> str:
    return f"{zone.side} {zone.low:g}–{zone.high:g}"


class Sentiment(BaseModel):
    """A person's reading: −1 all bearish … 1 all bullish; `halt` stops entries whatever the score."""

    model_config = _STRICT

    score: Annotated[float, Field(ge=-1, le=1)]
    note: Annotated[str, Field(max_length=500)] = ""
    halt: bool = False


_MODELS: dict[str, type[BaseModel]] = {"etf": EtfFlows, "liqmap": LiquidationMap, "sentiment": Sentiment}


def parse(kind: Kind, text: str, price: float | None, now_ms: int) -> dict[str, Any]:
    """A manual source out of JSON or text, checked. `price` is the market's, None where it is not known.

    Raises Invalid with every error. Returns plain JSON values.
    """
    if len(text) > BIGGEST_TEXT:
        raise Invalid([f"it is {len(text)} characters long; at most {BIGGEST_TEXT} are read"])
    body = _json(text) if text.lstrip()[:1] in ("{", "[") else _from_text(kind, text)
    return check(kind, body, price, now_ms)


def check(kind: Kind, body: Any, price: float | None, now_ms: int) -> dict[str, Any]:
    """The same for a body that is JSON already. Raises Invalid."""
    if kind == "etf" and isinstance(body, list):
        body = {"days": body}
    if kind == "liqmap":
        body = {"zones": body} if isinstance(body, list) else body
        if isinstance(body, dict) and "price" not in body:
            if price is None:
                raise Invalid(["price: the market's price is not known now; give it with the zones"])
            body = {**body, "price": price}
    try:
        found = _MODELS[kind].model_validate(body)
    except ValidationError as problem:
        errors = problem.errors(include_url=False, include_context=False)
        inner = [error for error in errors if error["type"] != "too_short"]  # a list of wrong rows counts as empty
        lines = [_line(error) for error in inner or errors]
        raise Invalid([*lines, *(one for one in _besides(kind, body) if one not in lines)]) from None
    if isinstance(found, EtfFlows):
        today = datetime.fromtimestamp(now_ms / 1000, UTC).date()
        late = [f"days: {day.date} lies in the future" for day in found.days if day.date > today]
        if late:
            raise Invalid(late)
    if isinstance(found, LiquidationMap) and price is not None and abs(found.price / price - 1) > 0.1:
        raise Invalid([f"price: {found.price:g} is more than 10 % away from the market's {price:g}: the map is of "
                       "another time or another contract"])
    made: dict[str, Any] = found.model_dump(mode="json")
    return made


def _besides(kind: Kind, body: Any) -> list[str]:
    """Contradictions among the parts that are right by themselves, where others are not: all errors at once."""
    rows = body.get("days" if kind == "etf" else "zones") if isinstance(body, dict) and kind != "sentiment" else None
    if not isinstance(rows, list):
        return []
    right: dict[int, Any] = {}
    for place, row in enumerate(rows[:400]):
        try:
            right[place] = (EtfDay if kind == "etf" else Zone).model_validate(row)
        except ValidationError:
            continue
    if kind == "etf":
        return _days_among(right.values())
    price = body.get("price")
    known = isinstance(price, int | float) and not isinstance(price, bool) and 0 < price < 1e9
    return _zones_among(right, price) if known else []


def _json(text: str) -> Any:
    twice: list[str] = []

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in found]
        twice.extend(sorted({name for name in names if names.count(name) > 1}))
        return dict(found)

    try:
        body = json.loads(text, object_pairs_hook=pairs)
    except (ValueError, RecursionError) as problem:
        raise Invalid([f"it is no JSON: {str(problem)[:150]}"]) from None
    if twice:
        raise Invalid([f"{name[:40]}: given twice, which contradicts itself; keep one" for name in twice[:20]])
    return body


def _line(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    message = str(error["msg"]).removeprefix("Value error, ").replace("a valid tuple", "a list")
    if where == "score" and error["type"] in ("greater_than_equal", "less_than_equal"):
        message = f"{message}, it goes from -1 (bearish) to 1 (bullish)".replace("Input", "it")
    if error["type"].startswith("date"):
        message = "no date; write e.g. 2026-11-20"
    shown = repr(error["input"])[:60] if not isinstance(error["input"], dict | list) else ""
    shown = "" if shown.strip("'") in message else shown
    return f"{where + ': ' if where else ''}{message}{f' (it is {shown})' if shown else ''}"


def _from_text(kind: Kind, text: str) -> Any:
    if kind == "sentiment":
        return _sentiment(text)
    parts = [part.strip() for part in _BETWEEN.split(text) if part.strip()]
    if not parts:
        raise Invalid([f"nothing was given; write e.g. {EXAMPLES[kind]}"])
    rows, problems = [], []
    for part in parts:
        try:
            rows.append(_etf_day(part) if kind == "etf" else _zone(part))
        except Invalid as problem:
            problems += problem.problems
    if problems:
        raise Invalid(problems)
    return {"days" if kind == "etf" else "zones": rows}


def _sentiment(text: str) -> dict[str, Any]:
    first, _, note = text.strip().partition(" ")
    halt = first.lower() == "halt"
    try:
        score = 0.0 if halt else float(first.replace(",", "."))
    except ValueError:
        raise Invalid([f"score: {first[:40]!r} is no number; write e.g. {EXAMPLES['sentiment']}"]) from None
    return {"score": score, "note": note.strip(), "halt": halt}


def _etf_day(text: str) -> dict[str, Any]:
    day, *rest = text.split()
    flows: dict[str, float] = {}
    total: float | None = None
    problems: list[str] = []
    for word in rest:
        name, equals, figure = word.rpartition("=")
        try:
            usd = _usd(figure if equals else word)
        except Invalid as problem:
            problems += [f"{day[:40]}: {one}" for one in problem.problems]
            continue
        if not equals or name.lower() == "total":
            if total is not None:
                problems.append(f"{day[:40]}: the total is given twice")
            total = usd
        elif name.upper() in flows:
            problems.append(f"{day[:40]}: {name[:12]} is given twice")
        else:
            flows[name.upper()] = usd
    if problems:
        try:
            dt.date.fromisoformat(day)
        except ValueError:
            problems.insert(0, f"{day[:40]!r} is no date; write e.g. 2026-11-20")
        raise Invalid(problems)
    return {"date": day, "flows": flows, "total": total}


def _zone(text: str) -> dict[str, Any]:
    found = re.fullmatch(r"(long|short)s?\s+([0-9.]+)\s*(?:[-–]\s*([0-9.]+))?\s+(\S+)", text.strip().lower())
    if found is None:
        raise Invalid([f"{text[:60]!r} is no zone; write e.g. {EXAMPLES['liqmap']}"])
    side, low, high, size = found.groups()
    return {"side": side, "low": low, "high": high or low, "size_usd": _usd(size)}


def _usd(text: str) -> float:
    found = re.fullmatch(r"([+-]?[0-9]+(?:\.[0-9]+)?)([KMB]?)\$?", text.upper().replace(",", ""))
    if found is None:
        raise Invalid([f"{text[:40]!r} is no amount; write e.g. 120M or -30.5M"])
    return float(found[1]) * _UNITS[found[2]]
