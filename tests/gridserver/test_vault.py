"""Secrets at rest: made once with mode 0600, refused where others may read, rotated while processes run."""

import os
import stat
import threading
from pathlib import Path

import pytest

from modules.gridserver import cli
from modules.storage.vault import NAME, Vault, VaultError, keys_of, new_key, write_keys
from modules.strategies.grid.store.store import GridStore
from tests.gridserver.conftest import user


class _Settings:
    """As much of the settings as the command needs."""

    def __init__(self, secret: str = "") -> None:
        from modules.gridserver.settings import GridServerSettings
        from modules.storage.sql.settings import DatabaseSettings

        self.gridserver = GridServerSettings.model_validate({"secret_key": secret})
        self.db = DatabaseSettings()


def test_the_key_file_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "config" / NAME
    found: list[list[str]] = []
    makers = [threading.Thread(target=lambda: found.append(keys_of("", file))) for _ in range(8)]
    for one in makers:
        one.start()
    for one in makers:
        one.join(60)
    assert len(found) == 8 and all(keys == found[0] for keys in found) and len(found[0]) == 1
    assert [one.name for one in file.parent.iterdir()] == [NAME]
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / NAME
    write_keys(file, [new_key()])
    file.chmod(0o640)
    with pytest.raises(VaultError, match="chmod 600"):
        keys_of("", file)


def test_a_key_that_is_missing_or_none_is_said_without_showing_it(tmp_path: Path) -> None:
    with pytest.raises(VaultError, match="cannot be read"):
        keys_of("", tmp_path / NAME, make=False)
    (tmp_path / NAME).write_text("# empty\n")
    (tmp_path / NAME).chmod(0o600)
    with pytest.raises(VaultError, match="holds no key"):
        keys_of("", tmp_path / NAME)
    with pytest.raises(VaultError) as problem:
        Vault(["not-a-fernet-key"])
    assert "not-a-fernet-key" not in str(problem.value)


def test_what_was_sealed_is_opened_by_its_key_only(tmp_path: Path) -> None:
    old, new = new_key(), new_key()
    sealed = Vault([old]).seal("secret")
    assert "secret" not in sealed and Vault([new, old]).open(sealed) == "secret"
    for broken in (sealed[:-2] + "AA", "nonsense"):
        with pytest.raises(VaultError):
            Vault([old]).open(broken)
    with pytest.raises(VaultError, match="another key"):
        Vault([new]).open(sealed)
    renewed = Vault([new, old]).renewed(sealed)
    assert Vault([new]).open(renewed) == "secret"


def test_rotation_reaches_processes_that_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                             capsys: pytest.CaptureFixture[str]) -> None:
    from utils.paths import Paths

    paths, settings = Paths(tmp_path).prepare(), _Settings()
    running = GridStore.open(settings, paths)  # type: ignore[arg-type]
    running.users.add(user(), "platform")
    before = keys_of("", paths.config / NAME)
    assert cli.main(["rotate"], settings, paths) == 0  # type: ignore[arg-type]
    after = keys_of("", paths.config / NAME)
    assert len(after) == 2 and after[1] == before[0] != after[0]
    running.users.add(user("user-2"), "platform")  # sealed with the new key, by the process that runs
    assert cli.main(["rotate", "--drop-old"], settings, paths) == 0  # type: ignore[arg-type]
    assert keys_of("", paths.config / NAME) == after[:1]
    for name in ("user-1", "user-2"):
        assert running.users.credentials(name).api_secret == "very-secret"
        assert running.users.webhook(name).secret == "hook-secret"
    running.close()
    told = capsys.readouterr().out
    assert "4 secrets" in told and not any(key in told for key in (*before, *after))
    with pytest.raises(VaultError):
        Vault(before).open(_sealed(tmp_path))


def _sealed(home: Path) -> str:
    import sqlite3

    with sqlite3.connect(home / "data" / "coxswain.db") as connection:
        found = str(connection.execute("SELECT sealed FROM grid_keys LIMIT 1").fetchone()[0])
    connection.close()
    return found


def test_a_rotation_that_cannot_open_one_changes_none(light: GridStore) -> None:
    light.users.add(user(), "platform")
    light.users.vault = Vault([new_key()])
    light.users.add(user("user-2"), "platform")
    with pytest.raises(VaultError, match="nothing was changed"):
        light.users.rotate("operator")
    assert light.users.credentials("user-2").api_secret == "very-secret"


def test_the_key_command_prints_a_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from utils.paths import Paths

    assert cli.main(["key"], _Settings(), Paths(tmp_path)) == 0  # type: ignore[arg-type]
    Vault([capsys.readouterr().out.strip()])
