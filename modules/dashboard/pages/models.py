"""Models of system A and their cards: who votes, who stands aside and why, what was promised and what was kept."""

from dataclasses import asdict
from typing import Any

from modules.dashboard.pages.sources import Sources
from modules.learning import cards, catalog, modelfiles
from modules.learning.cards import Bar, Card
from modules.learning.modelfiles import FEEDBACK, Manifest, NoneNow
from modules.learning.validation import Interval
from modules.storage.damage import StateError
from modules.strategies.hype.files import LearningFiles

MOST, EVERY_S = 200, 20.0


def models(sources: Sources) -> list[dict[str, Any]]:
    """Every model (the newest two hundred), the feedback model first."""
    def read() -> list[dict[str, Any]]:
        rows = [asdict(one) for one in catalog.entries(sources.paths.models)]
        return sorted(rows, key=lambda row: (row["name"] != FEEDBACK, -row["trained_ms"]))[:MOST]

    return sources.for_a_while("models", EVERY_S, read)


def card(sources: Sources, name: str) -> dict[str, Any]:
    """One model's card; `problem` says why there is none."""
    try:
        modelfiles.check_name(name)
    except ValueError:
        name = FEEDBACK
    return sources.for_a_while(("card", name), 5.0, lambda: _card(sources, name))


def _card(sources: Sources, name: str) -> dict[str, Any]:
    manifest = modelfiles.read_manifest(sources.paths.models, name)
    if not isinstance(manifest, Manifest):
        why = manifest.reason if isinstance(manifest, NoneNow) else "there is no such model yet: /starttrain"
        return {"name": name, "problem": why}
    found = cards.read(sources.paths.models, name, manifest.generation)
    return {"name": name, "problem": "" if found else "it could not be judged on candidates it had not seen",
            **facts(sources, manifest), **(drawn(found) if found else {})}


def facts(sources: Sources, manifest: Manifest) -> dict[str, Any]:
    """The manifest in words."""
    try:
        kept = LearningFiles(sources.paths).watch.load().get(manifest.name)
    except StateError:
        kept = None
    aside = manifest.retired or manifest.aside
    return {"state": "retired" if manifest.retired else "stands aside" if manifest.aside else "votes", "aside": aside,
            "label": manifest.label, "rows": manifest.rows, "trained_ms": manifest.trained_ms,
            "from_ms": manifest.from_ms, "to_ms": manifest.to_ms,
            "metrics": manifest.metrics.sentence() if manifest.metrics else "",
            "gate": manifest.gate.sentence() if manifest.gate else "",
            "promised": manifest.promise.sentence() if manifest.promise else "",
            "kept": kept.watch.sentence() if kept is not None else "no live candidate is resolved yet"}


def drawn(found: Card) -> dict[str, Any]:
    """What the card draws: how often it was right at what it said, by confidence, and what it would have earned."""
    curve = found.equity
    seconds = [ms // 1000 for ms in curve.time]
    return {"judged": found.judged, "base_rate": found.base_rate,
            "reliability": [bar(one) for one in found.reliability],
            "confidence": [bar(one) for one in found.confidence],
            "all": sorted(dict(zip(seconds, curve.all, strict=True)).items()),
            "approved": sorted(dict(zip(seconds, curve.approved, strict=True)).items())}


def bar(one: Bar) -> dict[str, Any]:
    """One bin."""
    def told(value: Interval | None) -> list[float] | None:
        return None if value is None else [value.mean, value.low, value.high]

    return {"low": one.low, "high": one.high, "count": one.count, "said": one.said, "right": told(one.right),
            "net": told(one.net)}
