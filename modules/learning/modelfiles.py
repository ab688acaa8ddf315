"""Model files: named as SPEC says, safe to read, replaced as one set.

1. ``NAME_model.pkl`` (trees), ``NAME_scaler.pkl`` (calibration, percentiles, rule of approval), ``NAME_features.pkl``
   (feature names in order), with NAME a symbol or ``feedback``. The endings are the seed's; the content is MessagePack
   of plain values: it is never unpickled and cannot run code.
2. ``NAME_manifest.json`` tells the generation, the SHA-256 of each part, features, data range, versions and metrics.
   A part is used only if its hash and generation fit; everything is checked before it is used.
3. Writing: the parts go aside as ``.NAME_PART.pkl.GENERATION.new``; then the manifest is replaced (this is the
   moment the new model stands); then the parts are renamed into place. Reading takes a part from either place. So
   after a crash at any point there is a whole model: the old one or the new one.
4. A manifest may also say that no model can be made now, and why; it then has no parts.
"""

import hashlib
import logging
import os
import time
import zlib
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from modules.learning.calibration import Scaler
from modules.learning.feature_version import VERSION
from modules.learning.gate import Evidence
from modules.learning.promise import Promise
from modules.learning.trees import BadModel, Trees, parse
from modules.learning.validation import Metrics
from utils.files import locked, write_atomic

log = logging.getLogger(__name__)
T = TypeVar("T")

FEEDBACK = "feedback"
PARTS = ("model", "scaler", "features")
FORMAT = "coxswain-model-1"
_MOST_TEXT = 64_000_000
_RENAME_TRIES = 20  # Windows refuses to replace a file that somebody reads just now


class Versions(msgspec.Struct, frozen=True):
    """What a model was made with."""

    features: int
    lightgbm: str
    python: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True, tag="model", tag_field="kind"):
    """Card of one model. Times are market time; `label` is the question its probability answers."""

    format: str
    name: str
    generation: str
    files: dict[str, str]
    features: tuple[str, ...]
    label: str
    origin: Literal["candles", "bootstrap", "bootstrap+labelled", "labelled"]
    rows: int
    labelled_rows: int
    from_ms: int
    to_ms: int
    trained_ms: int
    threshold: float
    aside: str
    metrics: Metrics | None
    versions: Versions
    gate: Evidence | None = None  # net result per trade, with and without the model, out of sample
    checked_ms: int = 0  # when a challenger last failed to beat this model
    promise: Promise | None = None  # what its live record is held against (promise.py)
    retired: str = ""  # why it stands aside although its training was good: it broke its promise


class NoneNow(msgspec.Struct, frozen=True, kw_only=True, tag="none", tag_field="kind"):
    """No model can be made of this token now (rule 4)."""

    format: str
    name: str
    reason: str
    tried_ms: int


class _Trees(msgspec.Struct, frozen=True):
    generation: str
    text: bytes  # zlib


class _Scaler(msgspec.Struct, frozen=True):
    generation: str
    scaler: Scaler


class _Features(msgspec.Struct, frozen=True):
    generation: str
    features: tuple[str, ...]


class Loaded:
    """A model ready to judge."""

    __slots__ = ("manifest", "scaler", "trees")

    def __init__(self, manifest: Manifest, trees: Trees, scaler: Scaler) -> None:
        self.manifest, self.trees, self.scaler = manifest, trees, scaler


def check_name(name: str) -> str:
    """`name` if it can be part of a file name: ``feedback`` or an exchange symbol. Raises ValueError."""
    plain = bool(name) and len(name) <= 60 and all(char.isalnum() or char in "_-" for char in name)
    if not plain or (name != FEEDBACK and (name != name.upper() or name.lower() == FEEDBACK)):
        raise ValueError(f"{name!r} cannot name a model")
    return name


def part_path(folder: Path, name: str, part: str) -> Path:
    """``NAME_PART.pkl``."""
    return folder / f"{check_name(name)}_{part}.pkl"


def manifest_path(folder: Path, name: str) -> Path:
    """``NAME_manifest.json``."""
    return folder / f"{check_name(name)}_manifest.json"


def save(folder: Path, manifest: Manifest, text: str, scaler: Scaler) -> Manifest:
    """Put a model in place (rule 3); `generation` and `files` of the manifest are filled in. Raises OSError."""
    digest = hashlib.sha256(text.encode() + msgspec.json.encode((scaler, manifest))).hexdigest()[:16]
    parts = {
        "model": msgspec.msgpack.encode(_Trees(digest, zlib.compress(text.encode(), 6))),
        "scaler": msgspec.msgpack.encode(_Scaler(digest, scaler)),
        "features": msgspec.msgpack.encode(_Features(digest, manifest.features)),
    }
    hashes = {part: hashlib.sha256(content).hexdigest() for part, content in parts.items()}
    manifest = msgspec.structs.replace(manifest, generation=digest, files=hashes)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / manifest.name):
        for part, content in parts.items():
            write_atomic(_aside(folder, manifest.name, part, digest), content)
        write_atomic(manifest_path(folder, manifest.name), pretty(manifest))
        _settle(folder, manifest)
    return manifest


def save_none(folder: Path, name: str, reason: str, tried_ms: int) -> None:
    """Note that no model can be made now; a model that stands is never replaced by that."""
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / name):
        if not isinstance(read_manifest(folder, name), Manifest):
            note = NoneNow(format=FORMAT, name=name, reason=reason, tried_ms=tried_ms)
            write_atomic(manifest_path(folder, name), pretty(note))


def read_manifest(folder: Path, name: str) -> Manifest | NoneNow | None:
    """The card of a model; None where there is none or it cannot be read."""
    try:
        raw = manifest_path(folder, name).read_bytes()
        return msgspec.json.decode(raw, type=Manifest | NoneNow)
    except FileNotFoundError:
        return None
    except (msgspec.MsgspecError, OSError) as problem:
        log.error("the manifest of %s cannot be read: %s", name, problem)
        return None


def load(folder: Path, name: str) -> Loaded | NoneNow | None:
    """A checked model, the note that there can be none, or None. Raises BadModel with the reason of a refusal."""
    for attempt in (1, 2, 3):
        try:
            raw = manifest_path(folder, name).read_bytes()
        except FileNotFoundError:
            return None
        card = _decode(raw, Manifest | NoneNow, "its manifest")  # type: ignore[arg-type]
        if isinstance(card, NoneNow):
            return card
        try:
            return _load(folder, name, card)
        except BadModel:
            if attempt == 3 or raw == manifest_path(folder, name).read_bytes():
                raise  # not a writer at work: the manifest stands as it was
    raise AssertionError("unreachable")


def recover(folder: Path) -> list[str]:
    """Finish writes that a crash interrupted, drop what never counted; returns the names concerned."""
    mended: set[str] = set()
    for aside in sorted(folder.glob(".*.pkl.*.new")):
        stem = aside.name[1:].split(".pkl.")[0]
        name = stem.rsplit("_", 1)[0]
        with locked(folder / check_name(name)):
            card = read_manifest(folder, name)
            if isinstance(card, Manifest) and aside.name.endswith(f".{card.generation}.new"):
                _settle(folder, card)
            aside.unlink(missing_ok=True)
        mended.add(name)
    return sorted(mended)


def remove(folder: Path, name: str) -> bool:
    """Remove one model; the manifest goes first, so that no half of it is ever used. False if there was none."""
    with locked(folder / check_name(name)):
        found = manifest_path(folder, name).exists()
        manifest_path(folder, name).unlink(missing_ok=True)
        for part in PARTS:
            found |= part_path(folder, name, part).exists()
            part_path(folder, name, part).unlink(missing_ok=True)
            for aside in folder.glob(f".{name}_{part}.pkl.*.new"):
                aside.unlink(missing_ok=True)
        (folder / f"{name}_card.json").unlink(missing_ok=True)
    return found


def names(folder: Path) -> list[str]:
    """Every name with a file in the folder, ``feedback`` first."""
    found: set[str] = set()
    for ending in (*(f"_{part}.pkl" for part in PARTS), "_manifest.json"):
        found |= {path.name.removesuffix(ending) for path in folder.glob(f"*{ending}") if path.name[0] != "."}
    return sorted(found, key=lambda name: (name != FEEDBACK, name))


def _load(folder: Path, name: str, card: Manifest) -> Loaded:
    if card.format != FORMAT or card.name != name:
        raise BadModel(f"its manifest is of {card.name} in the form {card.format}")
    if card.versions.features != VERSION:
        raise BadModel(f"it was made with features of version {card.versions.features}, now {VERSION}: train it anew")
    raw = {part: _part(folder, card, part) for part in PARTS}
    trees_part = _decode(raw["model"], _Trees, "its model file")
    scaler_part = _decode(raw["scaler"], _Scaler, "its scaler file")
    features_part = _decode(raw["features"], _Features, "its features file")
    if {trees_part.generation, scaler_part.generation, features_part.generation} != {card.generation}:
        raise BadModel("its files are of different trainings")
    trees = parse(_inflate(trees_part.text))
    if features_part.features != card.features or trees.features != len(card.features):
        raise BadModel("its list of features does not fit its trees")
    if not scaler_part.scaler.sound():
        raise BadModel("its calibration is damaged")
    scaler = scaler_part.scaler
    if card.retired:
        scaler = msgspec.structs.replace(scaler, aside=card.retired)
    return Loaded(card, trees, scaler)


def _part(folder: Path, card: Manifest, part: str) -> bytes:
    """The bytes of one part whose hash fits, from its place or from aside (rule 3)."""
    wanted = card.files.get(part)
    found = False
    for path in (part_path(folder, card.name, part), _aside(folder, card.name, part, card.generation)):
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            continue
        found = True
        if hashlib.sha256(content).hexdigest() == wanted:
            return content
    where = f"{card.name}_{part}.pkl"
    raise BadModel(f"{where} is not the file that its manifest names (changed or foreign)" if found
                   else f"{where} is missing")


def _decode(raw: bytes, kind: type[T], what: str) -> T:
    try:
        if what == "its manifest":
            return msgspec.json.decode(raw, type=kind)
        return msgspec.msgpack.decode(raw, type=kind)
    except msgspec.MsgspecError as problem:
        raise BadModel(f"{what} cannot be read ({problem})") from None


def _inflate(packed: bytes) -> str:
    """Decompressed text, bounded: a small file must not fill the memory."""
    machine = zlib.decompressobj()
    try:
        text = machine.decompress(packed, _MOST_TEXT)
        if machine.unconsumed_tail or not machine.eof:
            raise BadModel("its trees are cut off or too large")
        return text.decode("ascii")
    except (zlib.error, UnicodeDecodeError) as problem:
        raise BadModel(f"its trees cannot be unpacked ({problem})") from None


def _aside(folder: Path, name: str, part: str, generation: str) -> Path:
    return folder / f".{check_name(name)}_{part}.pkl.{generation}.new"


def _settle(folder: Path, card: Manifest) -> None:
    """Rename the parts of a model that stands into place; clear what is left of others."""
    for part in PARTS:
        aside = _aside(folder, card.name, part, card.generation)
        if aside.exists():
            _replace(aside, part_path(folder, card.name, part))
    for part in PARTS:
        for other in folder.glob(f".{card.name}_{part}.pkl.*.new"):
            if not other.name.endswith(f".{card.generation}.new"):
                other.unlink(missing_ok=True)


def _replace(source: Path, target: Path) -> None:
    for attempt in range(_RENAME_TRIES):
        try:
            os.replace(source, target)
            return
        except PermissionError:
            if attempt == _RENAME_TRIES - 1:
                raise
            time.sleep(0.05)


def pretty(card: Manifest | NoneNow) -> bytes:
    """A manifest as it lies on disk."""
    return msgspec.json.format(msgspec.json.encode(card), indent=1) + b"\n"


def summary(card: Manifest) -> str:
    """A model's honest figures in two sentences."""
    source = {"candles": "candles", "bootstrap": "past moments of hype", "labelled": "labelled candidates",
              "bootstrap+labelled": "past moments of hype and labelled candidates"}[card.origin]  # fmt: skip
    learnt = f"Learnt from {card.rows} {source}" + (f" ({card.labelled_rows} real)" if card.labelled_rows else "")
    judged = card.metrics.sentence() if card.metrics else "could not be judged out of sample"
    if card.gate is not None:
        judged += f"; {card.gate.sentence()}"
    return f"{learnt}; {judged}." + (f" Stands aside: {card.aside}." if card.aside else "")
