"""Versions of settings: kept, applied, rolled back; a source of settings weaker than the environment."""

import json
from pathlib import Path

import pytest

from config.settings import SettingsError, load_settings, origins
from modules.storage.settings_versions import NoVersion, Versions, unusable
from utils.paths import Paths


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """An installation of its own."""
    return Paths(tmp_path).prepare()


def kept(paths: Paths, strategy: str = "hype", **settings: float) -> int:
    """A version with these settings of the strategy's group."""
    named: dict[str, bool | int | float | str] = {f"{strategy}.{name}": value for name, value in settings.items()}
    return Versions(paths).keep(strategy, "study", "2024-09-01", named, {}, {}).version


def test_an_applied_version_is_a_source_of_settings(paths: Paths) -> None:
    number = kept(paths, trail_fall_pct=5.5)
    assert load_settings(paths, {}).hype.trail_fall_pct == 3.0
    Versions(paths).apply(number)
    assert load_settings(paths, {}).hype.trail_fall_pct == 5.5
    assert "hype 1" in origins(paths, {})[("hype", "trail_fall_pct")]


def test_it_is_stronger_than_yaml_and_weaker_than_the_environment(paths: Paths) -> None:
    Versions(paths).apply(kept(paths, trail_fall_pct=5.5))
    (paths.config / "config.local.yaml").write_text("hype:\n  trail_fall_pct: 2\n")
    assert load_settings(paths, {}).hype.trail_fall_pct == 5.5
    (paths.home / ".env").write_text("HYPE_TRAIL_FALL_PCT=7\n")
    assert load_settings(paths, {}).hype.trail_fall_pct == 7.0
    assert load_settings(paths, {"HYPE_TRAIL_FALL_PCT": "8"}).hype.trail_fall_pct == 8.0


def test_rollback_goes_back_step_by_step_and_strategies_do_not_disturb_each_other(paths: Paths) -> None:
    versions = Versions(paths)
    one, two = kept(paths, trail_fall_pct=5.5), kept(paths, trail_fall_pct=6.5)
    other = kept(paths, "rsi", rsi_period=9)
    for number in (one, other, two, two):
        versions.apply(number)
    now = load_settings(paths, {})
    assert (now.hype.trail_fall_pct, now.rsi.rsi_period) == (6.5, 9)
    versions.rollback()
    now = load_settings(paths, {})
    assert (now.hype.trail_fall_pct, now.rsi.rsi_period) == (5.5, 9)
    versions.rollback()
    assert load_settings(paths, {}).rsi.rsi_period == 14
    versions.rollback()
    assert load_settings(paths, {}).hype.trail_fall_pct == 3.0
    with pytest.raises(NoVersion, match="nothing to go back"):
        versions.rollback()


def test_the_same_find_is_the_same_version(paths: Paths) -> None:
    assert kept(paths, trail_fall_pct=5.5) == kept(paths, trail_fall_pct=5.5) == 1
    assert kept(paths, trail_fall_pct=5.6) == 2


def test_a_version_that_is_missing_or_damaged_is_named(paths: Paths) -> None:
    versions = Versions(paths)
    with pytest.raises(NoVersion, match="there is no version 3; there are: none yet"):
        versions.apply(3)
    number = kept(paths, trail_fall_pct=5.5)
    (paths.data / "settings" / "v0001.json").write_text("{")
    with pytest.raises(NoVersion, match="version 1 is damaged"):
        versions.apply(number)
    assert kept(paths, trail_fall_pct=5.6) == 2  # a damaged number is never given away again


def test_an_applied_file_beyond_repair_stops_the_start_with_its_name(paths: Paths) -> None:
    Versions(paths).apply(kept(paths, trail_fall_pct=5.5))
    for name in ("applied.json", "applied.json.bak"):
        (paths.data / "settings" / name).write_text("{")
    with pytest.raises(SettingsError, match=r"optimised settings: .*applied\.json is damaged"):
        load_settings(paths, {})


def test_an_applied_setting_that_no_longer_is_one_is_named_with_its_source(paths: Paths) -> None:
    Versions(paths).apply(kept(paths, trail_fall_pct=5.5))
    path = paths.data / "settings" / "applied.json"
    told = json.loads(path.read_text())
    told["settings"] = {"hype.trail_fall_pct": 99.0}
    path.write_text(json.dumps(told))
    with pytest.raises(SettingsError, match=r"optimised settings \(version hype 1; bot.py optimize rollback\)"):
        load_settings(paths, {})


def test_a_version_is_checked_against_the_settings_it_would_join(paths: Paths) -> None:
    settings = load_settings(paths, {})
    versions = Versions(paths)
    assert unusable(versions.get(kept(paths, trail_fall_pct=5.5)), settings) == ""
    assert "less than 50" in unusable(versions.get(kept(paths, trail_fall_pct=70.0)), settings)
    assert "no group" not in unusable(versions.get(kept(paths, "gone", x=1.0)), settings)
    assert "gone is not a group" in unusable(versions.get(kept(paths, "gone", x=1.0)), settings)
