"""Which models there are, for /status, doctor and the trainer; and taking them away (/clearmodels)."""

from dataclasses import dataclass
from pathlib import Path

from modules.learning import modelfiles
from modules.learning.feature_version import VERSION
from modules.learning.modelfiles import FEEDBACK, Manifest, NoneNow, summary
from modules.learning.trees import BadModel


@dataclass(frozen=True, slots=True)
class Entry:
    """One model in a list. `state`: good, aside (no proven edge), none (cannot be made now), refused (damaged)."""

    name: str
    state: str
    text: str
    trained_ms: int = 0
    rows: int = 0


def entries(folder: Path, *, thorough: bool = False) -> list[Entry]:
    """Every model, ``feedback`` first. `thorough` also checks the files behind each manifest (doctor)."""
    return [_entry(folder, name, thorough) for name in modelfiles.names(folder)]


def counts(folder: Path) -> dict[str, int]:
    """``models`` (of tokens), ``models_proven`` (beat a constant) and ``feedback_models`` (0 or 1), for /status."""
    cards = [modelfiles.read_manifest(folder, name) for name in modelfiles.names(folder)]
    models = [card for card in cards if isinstance(card, Manifest)]
    tokens = [card for card in models if card.name != FEEDBACK]
    return {
        "models": len(tokens),
        "models_proven": sum(1 for card in tokens if not card.aside),
        "feedback_models": len(models) - len(tokens),
    }


def clear(folder: Path) -> int:
    """Remove every model (after new indicators); returns how many there were."""
    removed = sum(modelfiles.remove(folder, name) for name in modelfiles.names(folder))
    for aside in folder.glob(".*.pkl.*.new"):
        aside.unlink(missing_ok=True)
    return removed


def _entry(folder: Path, name: str, thorough: bool) -> Entry:
    card = modelfiles.read_manifest(folder, name)
    if thorough:
        try:
            modelfiles.load(folder, name)
        except BadModel as problem:
            return Entry(name, "refused", str(problem))
    if isinstance(card, NoneNow):
        return Entry(name, "none", card.reason, card.tried_ms)
    if card is None:
        return Entry(name, "refused", "it has no manifest that can be read: train it anew")
    if card.versions.features != VERSION:
        return Entry(name, "refused", "it was made with other features: train it anew", card.trained_ms, card.rows)
    return Entry(name, "aside" if card.aside else "good", summary(card), card.trained_ms, card.rows)
