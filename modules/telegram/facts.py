"""A service's heartbeat facts as people read them in /status: the telling ones, in order, troubles marked.

What is not listed here (a service of a later day) is shown by its own name where it says something.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact: `words` with ``{}`` for the value. Zero, empty and `normal` are silent unless `always`.

    A key ``*_gaps`` stands for every key with that ending; its beginning, a contract, is said before the words.
    """

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
    "feed": (
        Fact("symbols", "{} futures", always=True), Fact("late_ms", "{} ms behind"), Fact("sockets", "{} sockets"),
        Fact("recorded_mb", "{} MB recorded"), Fact("stale_streams", "{} streams silent"),
        Fact("damaged", "{} messages damaged"), Fact("snapshot_failures", "{} snapshots failed"),
        Fact("not_recorded", "{} messages not recorded", trouble=True), Fact("recorder", "recorder: {}", trouble=True),
        Fact("waiting", "waits: {}", trouble=True)),
    "signals": (
        Fact("symbols", "{} futures watched", always=True), Fact("open", "{} open"),
        Fact("sent_today", "{} sent today"), Fact("holes", "{} holes in the trades"), Fact("paused", "paused: {}"),
        Fact("waiting", "waits: {}", trouble=True), Fact("trouble", "{}", trouble=True),
        Fact("database", "database: {}", trouble=True), Fact("failures", "{} failures", trouble=True)),
    "scalper": (
        Fact("mode", "trades {}"), Fact("contracts", "{} contracts", always=True), Fact("open", "{} open"),
        Fact("today", "{} entries today"), Fact("equity_usdt_test", "TEST equity {} USDT"),
        Fact("equity_usdt_live", "LIVE equity {} USDT"), Fact("settings_version", "optimised version {}"),
        Fact("waiting", "waits: {}", trouble=True), Fact("problem", "{}", trouble=True)),
    "showdown": (
        Fact("mode", "trades {}"), Fact("*_action", "{}"), Fact("trades", "{} open"),
        Fact("*_gaps", "{} gaps in the candles"), Fact("entries_stopped", "entries stopped: {}", trouble=True),
        Fact("error", "{}", trouble=True)),
    "sentiment": (
        Fact("sources", "{} sources", always=True), Fact("scored", "{} texts scored"),
        Fact("providers", "scored by: {}"), Fact("sources_failing", "{} sources fail", trouble=True),
        Fact("waiting", "waits: {}", trouble=True), Fact("trouble", "{}", trouble=True)),
    "grid": (
        Fact("grids", "{} grids", always=True), Fact("tick_ms", "a tick takes {} ms"),
        Fact("deaths", "{} workers died"), Fact("waiting", "waits: {}", trouble=True)),
    "gridserver": (
        Fact("url", "{}"), Fact("users", "{} users"), Fact("running", "{} grids on"),
        Fact("webhooks_waiting", "{} webhooks wait"), Fact("webhooks_dead", "{} webhooks given up", trouble=True),
        Fact("turned_away", "{} requests turned away"), Fact("database", "database: {}", trouble=True)),
    "dashboard": (
        Fact("url", "{}"), Fact("clients", "{} browsers"), Fact("turned_away", "{} requests turned away"),
        Fact("page_failures", "{} pages failed", trouble=True)),
}


def told(service: str, info: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The facts in one line, and the troubles, each a line of its own."""
    facts = _KNOWN.get(service, tuple(Fact(key, f"{key.replace('_', ' ')} {{}}") for key in info))
    quiet: list[str] = []
    troubles: list[str] = []
    for fact in (one for each in facts for one in _every(each, info)):
        value = word(info.get(fact.key))
        if fact.key not in info or (not fact.always and value in ("", "0", "no", fact.normal)):
            continue
        (troubles if fact.trouble else quiet).append(fact.words.format(value))
    return " · ".join(quiet), troubles


def _every(fact: Fact, info: Mapping[str, Any]) -> list[Fact]:
    """The fact itself, or one for each contract that its key stands for."""
    if not fact.key.startswith("*"):
        return [fact]
    ending = fact.key[1:]
    return [replace(fact, key=key, words=f"{key.removesuffix(ending)} {fact.words}")
            for key in info if key.endswith(ending)]


def word(value: Any) -> str:
    """A value as a word; what is nested is for other eyes."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.2f}".rstrip("0").rstrip(".")
    if isinstance(value, int):
        return f"{value:,}"
    return value[:120] if isinstance(value, str) else ""
