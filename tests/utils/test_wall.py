"""Stamps for logs and file names, version, paths."""

import re
from pathlib import Path

import pytest

from utils.paths import PROJECT, default_paths
from utils.version import describe, version
from utils.wall import iso, now_ms, stamp


def test_stamps_are_utc_sortable_and_legal_in_file_names() -> None:
    assert iso(0) == "1970-01-01T00:00:00.000Z" and iso(1_743_499_800_123) == "2025-04-01T09:30:00.123Z"
    first, second = stamp(), stamp()
    assert re.fullmatch(r"\d{8}T\d{9}Z", first) and first <= second
    assert now_ms() > 1_700_000_000_000


def test_home_moves_all_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COXSWAIN_HOME", raising=False)
    assert default_paths().home == PROJECT
    monkeypatch.setenv("COXSWAIN_HOME", str(tmp_path / "x"))
    paths = default_paths().prepare()
    assert paths.run == tmp_path / "x" / "data" / "run" and paths.run.is_dir() and paths.models.is_dir()


def test_version_is_that_of_the_project_file() -> None:
    assert f'version = "{version()}"' in (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    assert version() in describe()
