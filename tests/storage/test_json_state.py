"""JSON state: atomic, checked, restored from its copy, never silently emptied."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modules.storage.damage import Damage, StateError
from modules.storage.json_state import JsonFile
from tests.storage.conftest import Sale
from utils.paths import PROJECT

State = dict[str, Sale]


def state(folder: Path) -> JsonFile[State]:
    return JsonFile(folder / "tracked_tokens.json", State, dict)


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    file = state(tmp_path)
    assert file.load() == {}
    file.save({"A": Sale(1)})
    assert file.load() == {"A": Sale(1)}
    assert file.update(lambda value: value | {"B": Sale(2)}) == {"A": Sale(1), "B": Sale(2)}
    assert state(tmp_path).load() == {"A": Sale(1), "B": Sale(2)}
    assert file.path.read_text(encoding="utf-8").startswith("{\n"), "people can read it"


@pytest.mark.parametrize("damage", [b"", b"  \n", b'{"A": {"id": 1', b'{"A": {"id": "x"}}', b"\0" * 40, b"\xff\xfe{}"])
def test_a_damaged_file_is_set_aside_restored_and_told(tmp_path: Path, damage: bytes, damages: list[Damage]) -> None:
    file = state(tmp_path)
    file.save({"A": Sale(1)})
    file.save({"A": Sale(2)})
    file.path.write_bytes(damage)
    assert file.problem()
    assert file.load() == {"A": Sale(2)}, "the newest, not the one before"
    assert file.problem() == "" and file.load() == {"A": Sale(2)}
    assert len(damages) == 1
    assert damages[0].set_aside is not None and damages[0].set_aside.read_bytes() == damage
    assert "tracked_tokens.json was damaged" in damages[0].sentence()


def test_update_restores_as_load_does(tmp_path: Path, damages: list[Damage]) -> None:
    file = state(tmp_path)
    file.save({"A": Sale(1)})
    file.path.write_bytes(b"{")
    assert file.update(lambda value: value | {"B": Sale(2)}) == {"A": Sale(1), "B": Sale(2)}
    assert len(damages) == 1


def test_a_missing_file_comes_back_from_its_copy_and_a_removed_one_does_not(tmp_path: Path,
                                                                           damages: list[Damage]) -> None:
    file = state(tmp_path)
    file.save({"A": Sale(1)})
    file.path.unlink()
    assert file.problem() == "the file is missing, its copy is there"
    assert file.load() == {"A": Sale(1)}
    assert damages[0].problem == "the file is missing"
    assert file.remove() is True
    assert file.load() == {} and file.remove() is False


def test_file_and_copy_damaged_is_an_error_and_changes_nothing(tmp_path: Path, damages: list[Damage]) -> None:
    file = state(tmp_path)
    file.save({"A": Sale(1)})
    file.path.write_bytes(b"{")
    (tmp_path / "tracked_tokens.json.bak").write_bytes(b"[")
    for attempt in (file.load, lambda: file.update(lambda value: value)):
        with pytest.raises(StateError, match=r"damaged .* its copy tracked_tokens\.json\.bak cannot be used"):
            attempt()
    assert file.path.read_bytes() == b"{" and not damages


def test_damage_to_the_file_never_reaches_the_copy(tmp_path: Path, damages: list[Damage]) -> None:
    file = state(tmp_path)
    file.save({"A": Sale(1)})
    with open(file.path, "r+b") as content:  # in place, as some editors write
        content.write(b"XXXX")
    assert file.load() == {"A": Sale(1)}


def test_a_value_that_could_not_be_read_again_is_never_written(tmp_path: Path) -> None:
    file: JsonFile[Any] = state(tmp_path)
    file.save({"A": Sale(1)})
    with pytest.raises(Exception, match="Expected"):
        file.save({"A": 5})
    assert file.load() == {"A": Sale(1)}


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = state(tmp_path)
    file.save({"A": Sale(1)})

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("utils.files.os.fsync", refuse)
        with pytest.raises(OSError, match="No space"):
            file.save({"A": Sale(2)})
    assert file.load() == {"A": Sale(1)}
    assert not list(tmp_path.glob(".*.tmp"))


@pytest.mark.parametrize("step", ["aside", "replaced"])
def test_a_crash_within_a_save_leaves_the_old_or_the_new(tmp_path: Path, step: str,
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    file = state(tmp_path)
    file.save({"A": Sale(1)})

    class Crash(BaseException):
        pass

    def die(*_: object) -> None:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr("utils.files.os.replace" if step == "aside" else "utils.files.sync_folder", die)
        with pytest.raises(Crash):
            file.save({"A": Sale(2)})
    assert state(tmp_path).load() == {"A": Sale(1 if step == "aside" else 2)}


ADDER = """
import sys
from pathlib import Path
from modules.storage.json_state import JsonFile
file = JsonFile(Path(sys.argv[1]), dict[str, int], dict)
for _ in range(60):
    file.update(lambda value: value | {"n": value.get("n", 0) + 1})
"""


def test_updates_of_two_processes_lose_none(tmp_path: Path, run_both: Callable[[str, Path], None]) -> None:
    path = tmp_path / "counter.json"
    run_both(ADDER, path)
    assert JsonFile(path, dict[str, int], dict).load() == {"n": 120}


@pytest.fixture
def run_both() -> Callable[[str, Path], None]:
    """Runs a script twice at the same time."""
    def run(script: str, path: Path) -> None:
        both = [subprocess.Popen([sys.executable, "-c", script, str(path)], cwd=PROJECT) for _ in range(2)]
        assert [one.wait(timeout=60) for one in both] == [0, 0]
    return run
