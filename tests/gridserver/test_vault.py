"""Users' secrets at rest: rotated while processes run (the vault itself: tests/utils/test_vault.py)."""

from pathlib import Path

import pytest

from modules.gridserver import cli
from modules.strategies.grid.store.store import GridStore, vault_place
from tests.gridserver.conftest import user
from utils.vault import Vault, VaultError, keys_of, new_key


class _Settings:
    """As much of the settings as the command needs."""

    def __init__(self, secret: str = "") -> None:
        from modules.gridserver.settings import GridServerSettings
        from modules.storage.sql.settings import DatabaseSettings

        self.gridserver = GridServerSettings.model_validate({"secret_key": secret})
        self.db = DatabaseSettings()


def test_rotation_reaches_processes_that_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                             capsys: pytest.CaptureFixture[str]) -> None:
    from utils.paths import Paths

    paths, settings = Paths(tmp_path).prepare(), _Settings()
    place = vault_place(settings, paths)  # type: ignore[arg-type]
    running = GridStore.open(settings, paths)  # type: ignore[arg-type]
    running.users.add(user(), "platform")
    before = keys_of(place)
    assert cli.main(["rotate"], settings, paths) == 0  # type: ignore[arg-type]
    after = keys_of(place)
    assert len(after) == 2 and after[1] == before[0] != after[0]
    running.users.add(user("user-2"), "platform")  # sealed with the new key, by the process that runs
    assert cli.main(["rotate", "--drop-old"], settings, paths) == 0  # type: ignore[arg-type]
    assert keys_of(place) == after[:1]
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
