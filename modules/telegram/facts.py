"""A service's heartbeat facts as people read them in /status: the telling ones, in order, troubles marked.

What is not listed here (a service of a later day) is shown by its own name where it says something.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact: `words` with ``{}`` for the value. Zero, empty and `normal` are silent unless `always`."""

    key: str
    words: str
    always: bool = False
    normal: str = ""
    trouble: bool = False


_KNOWN: dict[str, tuple[Fact, ...]] = {
    "simulator": (Fact("speed", "speed {}", always=True), Fact("tokens", "{} tokens"), Fact("seed", "seed {}")),
    "tracker": (
        Fact("exchange", "exchange: {}", normal="ok", trouble=True),
        Fact("equity_usdt_test", "TEST equity {} USDT"), Fact("equity_usdt_live", "LIVE equity {} USDT"),
        Fact("bought", "{} bought"), Fact("refused", "{} refused"),
        Fact("look_p50_ms", "looks every {} ms of market time"), Fact("look_max_gap_ms", "longest gap {} ms"),
        Fact("unresolved", "{} orders unresolved", trouble=True), Fact("unguarded", "{} unguarded", trouble=True),
        Fact("failed_looks", "{} looks failed"), Fact("failures", "{} failures", trouble=True),
        Fact("last_refusal", "last refusal: {}"), Fact("last_error", "{}", trouble=True)),
    "scanner": (
        Fact("scans", "{} scans", always=True), Fact("last_scan_ms", "last {} ms"),
        Fact("data_age_s", "data {} s old", always=True), Fact("mood", "mood {}"),
        Fact("suspects", "{} suspects"), Fact("candidates", "{} candidates"), Fact("approved", "{} approved"),
        Fact("rejected", "{} rejected"), Fact("waiting", "{} waiting"), Fact("error", "{}", trouble=True)),
    "trainer": (
        Fact("state", "{}"), Fact("progress", "{}"), Fact("feedback_models", "{} feedback model"),
        Fact("models", "{} token models"), Fact("models_proven", "{} proven"), Fact("labelled", "{} labelled"),
        Fact("waiting_for_label", "{} wait for their label"), Fact("failures", "{} failures", trouble=True)),
}


def told(service: str, info: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The facts in one line, and the troubles, each a line of its own."""
    facts = _KNOWN.get(service, tuple(Fact(key, f"{key.replace('_', ' ')} {{}}") for key in info))
    quiet: list[str] = []
    troubles: list[str] = []
    for fact in facts:
        value = word(info.get(fact.key))
        if fact.key not in info or (not fact.always and value in ("", "0", "no", fact.normal)):
            continue
        (troubles if fact.trouble else quiet).append(fact.words.format(value))
    return " · ".join(quiet), troubles


def word(value: Any) -> str:
    """A value as a word; what is nested is for other eyes."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.2f}".rstrip("0").rstrip(".")
    if isinstance(value, int):
        return f"{value:,}"
    return value[:120] if isinstance(value, str) else ""
