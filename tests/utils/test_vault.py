"""Secrets at rest."""

import os
import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from utils.paths import Paths
from utils.redact import redact
from utils.vault import FILE, VARIABLE, Vault, VaultError, make_key, write_secret


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path).prepare()


def test_what_was_closed_opens_again_and_shows_nothing(paths: Paths) -> None:
    token = Vault.open(paths, make=True, variables={}).encrypt(b"sk-very-secret")
    assert b"secret" not in token
    assert Vault.open(paths, variables={}).decrypt(token) == b"sk-very-secret"


def test_without_a_key_nothing_is_made_by_reading(paths: Paths) -> None:
    with pytest.raises(VaultError, match=VARIABLE):
        Vault.open(paths, variables={})
    assert not (paths.config / FILE).exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_a_key_file_is_for_its_owner_only(paths: Paths) -> None:
    Vault.open(paths, make=True, variables={})
    file = paths.config / FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    with pytest.raises(VaultError, match="chmod 600"):
        Vault.open(paths, variables={})


def test_the_environment_is_stronger_than_the_file(paths: Paths) -> None:
    Vault.open(paths, make=True, variables={})
    key = Fernet.generate_key().decode()
    token = Vault.open(paths, variables={VARIABLE: key}).encrypt(b"x")
    assert Fernet(key).decrypt(token) == b"x"


@pytest.mark.parametrize("given", ["short", "ä" * 44, "A" * 43 + "=,x"], ids=["short", "umlauts", "second bad"])
def test_a_key_that_is_none_is_refused_and_not_repeated(paths: Paths, given: str) -> None:
    with pytest.raises(VaultError) as problem:
        Vault.open(paths, variables={VARIABLE: given})
    assert given not in str(problem.value)


def test_another_key_or_a_changed_byte_is_told(paths: Paths) -> None:
    one = Vault([Fernet.generate_key().decode()])
    token = one.encrypt(b"secret")
    with pytest.raises(VaultError, match="another key"):
        Vault([Fernet.generate_key().decode()]).decrypt(token)
    with pytest.raises(VaultError):
        one.decrypt(token[:-8] + b"AAAAAAAA")


def test_rotation_keeps_what_was_closed_before(paths: Paths) -> None:
    file = paths.config / FILE
    old = Vault.open(paths, make=True, variables={})
    token = old.encrypt(b"secret")
    make_key(file)
    both = Vault.open(paths, variables={})
    assert both.decrypt(token) == b"secret"
    renewed = both.renewed(token)
    with pytest.raises(VaultError):
        old.decrypt(renewed)


def test_keys_are_masked_wherever_they_turn_up(paths: Paths) -> None:
    key = Fernet.generate_key().decode()
    Vault([key])
    assert key not in redact(f"broken: {key}")


def test_files_of_secrets_are_for_their_owner(tmp_path: Path) -> None:
    write_secret(tmp_path / "a.enc", b"token")
    assert (tmp_path / "a.enc").read_bytes() == b"token"
    if os.name != "nt":
        assert stat.S_IMODE((tmp_path / "a.enc").stat().st_mode) == 0o600
