"""What becomes of model files after their training: checked, retired, reinstated, set aside when they are not sound.

1. A change of a standing model is a change of its manifest, replaced as a whole: the scanner sees it at its next look.
2. A refused model (changed, foreign, cut off, of other features) is moved to ``models/refused/`` before anything is
   trained in its place: what was found stays to be looked at, and no champion is defended that nobody can load.
"""

import logging
import os
from pathlib import Path

import msgspec

from modules.learning import modelfiles
from modules.learning.modelfiles import PARTS, Manifest
from modules.learning.trees import BadModel
from utils.files import locked, write_atomic
from utils.wall import stamp

log = logging.getLogger(__name__)

REFUSED = "refused"
KEPT = 50  # refused models left in the folder


def note_checked(folder: Path, name: str, now_ms: int) -> None:
    """Note that a challenger has failed to beat the standing model: it need not be trained again at once."""
    _change(folder, name, checked_ms=now_ms)


def retire(folder: Path, name: str, reason: str) -> bool:
    """Have a speaking model stand aside from now on; False if there is none that speaks."""
    card = modelfiles.read_manifest(folder, name)
    return isinstance(card, Manifest) and not card.aside and _change(folder, name, aside=reason, retired=reason)


def reinstate(folder: Path, name: str) -> bool:
    """Let a retired model speak again; False if it was not retired."""
    card = modelfiles.read_manifest(folder, name)
    return isinstance(card, Manifest) and bool(card.retired) and _change(folder, name, aside="", retired="")


def set_aside_unsound(folder: Path, name: str) -> str:
    """Move a model that is refused to ``models/refused/``; returns why it is refused, "" if nothing was moved."""
    try:
        modelfiles.load(folder, name)
    except BadModel as problem:
        aside = folder / REFUSED
        aside.mkdir(parents=True, exist_ok=True)
        mark = stamp()
        with locked(folder / modelfiles.check_name(name)):
            for path in (modelfiles.manifest_path(folder, name),
                         *(modelfiles.part_path(folder, name, part) for part in PARTS)):
                if path.exists():
                    os.replace(path, aside / f"{path.name}.{mark}")
        for old in sorted(aside.iterdir(), key=lambda found: found.stat().st_mtime)[: -KEPT * (len(PARTS) + 1)]:
            old.unlink(missing_ok=True)
        log.error("model %s is refused and set aside in %s: %s", name, aside.name, problem)
        return str(problem)
    return ""


def _change(folder: Path, name: str, **changes: object) -> bool:
    """Replace fields of a standing model's manifest; False if there is no model."""
    with locked(folder / modelfiles.check_name(name)):
        card = modelfiles.read_manifest(folder, name)
        if not isinstance(card, Manifest):
            return False
        changed = msgspec.structs.replace(card, **changes)
        write_atomic(modelfiles.manifest_path(folder, name), modelfiles.pretty(changed))
    return True
