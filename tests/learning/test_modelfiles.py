"""Model files: checked before use, refused when changed or foreign, whole after a crash at any point."""

import hashlib
import json
import os
import pickle
from pathlib import Path
from typing import Any

import msgspec
import pytest

from modules.learning import catalog, modelfiles
from modules.learning.modelfiles import FEEDBACK, Loaded, Manifest, NoneNow
from modules.learning.trees import BadModel
from tests.learning.models import put, small_model

PARTS = modelfiles.PARTS


def loaded(folder: Path, name: str) -> Loaded:
    found = modelfiles.load(folder, name)
    assert isinstance(found, Loaded)
    return found


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    text, card, scaler = put(tmp_path, "PEPEUSDT", seed=1)
    found = loaded(tmp_path, "PEPEUSDT")
    assert found.scaler == scaler and found.manifest.metrics == card.metrics
    assert sorted(path.name for path in tmp_path.iterdir() if path.name[0] != ".") == [
        "PEPEUSDT_features.pkl", "PEPEUSDT_manifest.json", "PEPEUSDT_model.pkl", "PEPEUSDT_scaler.pkl"]
    assert set(json.loads((tmp_path / "PEPEUSDT_manifest.json").read_text(encoding="utf-8"))["files"]) == set(PARTS)


def test_nothing_in_the_files_is_a_pickle(tmp_path: Path) -> None:
    put(tmp_path, FEEDBACK, seed=1)
    for part in PARTS:
        with pytest.raises(Exception):  # noqa: B017 - whatever pickle says: it must not be one
            pickle.loads(modelfiles.part_path(tmp_path, FEEDBACK, part).read_bytes())


class _Trap:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("trap",)


@pytest.mark.parametrize("part", PARTS)
def test_a_foreign_pickle_is_refused_and_not_run(tmp_path: Path, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _, card, _ = put(tmp_path, "PEPEUSDT", seed=1)
    trap = pickle.dumps(_Trap())
    modelfiles.part_path(tmp_path, "PEPEUSDT", part).write_bytes(trap)
    with pytest.raises(BadModel, match="changed or foreign"):
        modelfiles.load(tmp_path, "PEPEUSDT")
    # also when the manifest was changed with it
    forged = msgspec.structs.replace(card, files={**card.files, part: hashlib.sha256(trap).hexdigest()})
    modelfiles.manifest_path(tmp_path, "PEPEUSDT").write_bytes(msgspec.json.encode(forged))
    with pytest.raises(BadModel, match="cannot be read"):
        modelfiles.load(tmp_path, "PEPEUSDT")
    assert not (tmp_path / "trap").exists()


@pytest.mark.parametrize("part", PARTS)
def test_one_changed_byte_is_noticed(tmp_path: Path, part: str) -> None:
    put(tmp_path, "PEPEUSDT", seed=1)
    path = modelfiles.part_path(tmp_path, "PEPEUSDT", part)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(BadModel):
        modelfiles.load(tmp_path, "PEPEUSDT")
    path.unlink()
    with pytest.raises(BadModel, match="missing"):
        modelfiles.load(tmp_path, "PEPEUSDT")


@pytest.mark.parametrize("part", PARTS)
def test_a_part_of_another_training_is_refused(tmp_path: Path, part: str) -> None:
    put(tmp_path / "other", "PEPEUSDT", seed=2)
    _, card, _ = put(tmp_path, "PEPEUSDT", seed=1)
    foreign = modelfiles.part_path(tmp_path / "other", "PEPEUSDT", part).read_bytes()
    modelfiles.part_path(tmp_path, "PEPEUSDT", part).write_bytes(foreign)
    forged = msgspec.structs.replace(card, files={**card.files, part: hashlib.sha256(foreign).hexdigest()})
    modelfiles.manifest_path(tmp_path, "PEPEUSDT").write_bytes(msgspec.json.encode(forged))
    with pytest.raises(BadModel, match="different trainings"):
        modelfiles.load(tmp_path, "PEPEUSDT")


def test_a_model_of_another_token_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "PEPEUSDT", seed=1)
    for path in list(tmp_path.glob("PEPEUSDT_*")):
        path.rename(tmp_path / path.name.replace("PEPE", "DOGE"))
    with pytest.raises(BadModel, match="PEPEUSDT"):
        modelfiles.load(tmp_path, "DOGEUSDT")


@pytest.mark.parametrize("change", [{"format": "x"}, {"features": ("rsi_14",)}, {"name": "X"}])
def test_a_manifest_that_does_not_fit_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    _, card, _ = put(tmp_path, "PEPEUSDT", seed=1)
    path = modelfiles.manifest_path(tmp_path, "PEPEUSDT")
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(card, **change)))
    with pytest.raises(BadModel):
        modelfiles.load(tmp_path, "PEPEUSDT")


def test_features_of_another_version_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "PEPEUSDT", seed=1)
    monkeypatch.setattr(modelfiles, "VERSION", 99)
    with pytest.raises(BadModel, match="train it anew"):
        modelfiles.load(tmp_path, "PEPEUSDT")


def test_a_broken_manifest_is_refused_not_ignored(tmp_path: Path) -> None:
    put(tmp_path, "PEPEUSDT", seed=1)
    modelfiles.manifest_path(tmp_path, "PEPEUSDT").write_bytes(b"{")
    with pytest.raises(BadModel, match="manifest"):
        modelfiles.load(tmp_path, "PEPEUSDT")
    assert modelfiles.read_manifest(tmp_path, "PEPEUSDT") is None


class _Crash(BaseException):
    """The process ends here."""


def test_a_crash_at_any_point_leaves_the_old_model_or_the_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old_card, new_card = put(tmp_path / "a", "PEPEUSDT", seed=1)[1], put(tmp_path / "b", "PEPEUSDT", seed=2)[1]
    real = os.replace
    seen: list[str] = []
    for moment in range(12):
        folder = tmp_path / f"crash{moment}"
        put(folder, "PEPEUSDT", seed=1)
        calls = 0

        def replace(source: Any, target: Any, moment: int = moment) -> None:
            nonlocal calls
            if calls == moment:
                raise _Crash
            calls += 1
            real(source, target)

        monkeypatch.setattr(os, "replace", replace)
        crashed = False
        try:
            put(folder, "PEPEUSDT", seed=2)
        except _Crash:
            crashed = True
        monkeypatch.setattr(os, "replace", real)
        standing = loaded(folder, "PEPEUSDT").manifest.generation
        assert standing in (old_card.generation, new_card.generation)
        modelfiles.recover(folder)
        assert loaded(folder, "PEPEUSDT").manifest.generation == standing, "mending changes nothing"
        assert not list(folder.glob(".*.new"))
        seen.append("old" if standing == old_card.generation else "new")
        if not crashed:
            break
    assert seen[0] == "old" and seen[-1] == "new" and len(seen) >= 6, seen
    assert seen == sorted(seen, reverse=True), "old before, new from one moment on"


def test_a_note_that_there_can_be_no_model_never_replaces_one(tmp_path: Path) -> None:
    modelfiles.save_none(tmp_path, "NEWUSDT", "too young", 5)
    assert modelfiles.load(tmp_path, "NEWUSDT") == NoneNow(format=modelfiles.FORMAT, name="NEWUSDT",
                                                           reason="too young", tried_ms=5)
    put(tmp_path, "NEWUSDT", seed=1)
    modelfiles.save_none(tmp_path, "NEWUSDT", "too young", 6)
    assert isinstance(modelfiles.load(tmp_path, "NEWUSDT"), Loaded)
    assert modelfiles.load(tmp_path, "NOTUSDT") is None


@pytest.mark.parametrize("name", ["", "../x", "a/b", "pepe", "FEEDBACK", "Feedback", "A" * 61, "A.B", "A B", ".X"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError):
        modelfiles.manifest_path(tmp_path, name)


@pytest.mark.parametrize("name", ["feedback", "PEPEUSDT", "1INCHUSDT", "币安USDT", "A-B_USDT"])
def test_names_of_exchanges_are_taken(tmp_path: Path, name: str) -> None:
    assert modelfiles.manifest_path(tmp_path, name).name == f"{name}_manifest.json"


def test_a_small_file_cannot_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "PEPEUSDT", seed=1)
    monkeypatch.setattr(modelfiles, "_MOST_TEXT", 500)
    with pytest.raises(BadModel, match="too large"):
        modelfiles.load(tmp_path, "PEPEUSDT")


def test_the_catalog_lists_counts_and_clears(tmp_path: Path) -> None:
    put(tmp_path, FEEDBACK, seed=1)
    put(tmp_path, "PEPEUSDT", seed=2, aside="no edge")
    put(tmp_path, "DOGEUSDT", seed=3)
    modelfiles.save_none(tmp_path, "NEWUSDT", "too young", 5)
    modelfiles.part_path(tmp_path, "DOGEUSDT", "scaler").write_bytes(b"x")
    assert [(entry.name, entry.state) for entry in catalog.entries(tmp_path, thorough=True)] == [
        ("feedback", "good"), ("DOGEUSDT", "refused"), ("NEWUSDT", "none"), ("PEPEUSDT", "aside")]
    assert catalog.counts(tmp_path) == {"models": 2, "models_proven": 1, "feedback_models": 1}
    (tmp_path / "README.md").write_text("stays", encoding="utf-8")
    assert catalog.clear(tmp_path) == 4
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == ["README.md"]
    assert catalog.entries(tmp_path) == [] and catalog.clear(tmp_path) == 0


def test_the_same_training_writes_the_same_bytes(tmp_path: Path) -> None:
    put(tmp_path / "a", "PEPEUSDT", seed=4)
    put(tmp_path / "b", "PEPEUSDT", seed=4)
    for name in ("PEPEUSDT_model.pkl", "PEPEUSDT_scaler.pkl", "PEPEUSDT_features.pkl", "PEPEUSDT_manifest.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_small_models_differ_by_seed() -> None:
    assert small_model(1)[0] != small_model(2)[0]
    assert isinstance(small_model(1)[1], Manifest)
