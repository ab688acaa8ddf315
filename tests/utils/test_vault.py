"""Secrets at rest: made once with mode 0600, refused where others may read, rotated while processes run."""

import os
import stat
import threading
from pathlib import Path

import pytest

from utils.redact import redact
from utils.vault import Place, Vault, VaultError, add_key, keys_of, new_key, write_keys, write_secret

POSIX = pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place("SOME_VAULT_KEY", tmp_path / "config" / "some.key")


def test_what_was_sealed_opens_again_and_shows_nothing(place: Place) -> None:
    sealed = Vault.of(place).seal("sk-very-secret")
    assert "secret" not in sealed
    assert Vault.of(place, make=False).open(sealed) == "sk-very-secret"


def test_the_key_file_is_made_once_for_its_owner_only(place: Place) -> None:
    found: list[list[str]] = []
    makers = [threading.Thread(target=lambda: found.append(keys_of(place))) for _ in range(8)]
    for one in makers:
        one.start()
    for one in makers:
        one.join(60)
    assert len(found) == 8 and all(keys == found[0] for keys in found) and len(found[0]) == 1
    assert [one.name for one in place.file.parent.iterdir()] == [place.file.name]
    if os.name == "posix":
        assert stat.S_IMODE(place.file.stat().st_mode) == 0o600


def test_without_a_key_nothing_is_made_by_reading(place: Place) -> None:
    with pytest.raises(VaultError, match=r"cannot be read.*SOME_VAULT_KEY"):
        Vault.of(place, make=False)
    assert not place.file.exists()


@POSIX
def test_a_file_that_others_may_read_is_refused(place: Place) -> None:
    write_keys(place.file, [new_key()])
    place.file.chmod(0o640)
    with pytest.raises(VaultError, match="chmod 600"):
        Vault.of(place)


def test_the_variable_is_stronger_than_the_file(place: Place) -> None:
    Vault.of(place)
    key = new_key()
    assert Vault([key]).open(Vault.of(place._replace(text=f"\n{key}, ")).seal("x")) == "x"


@pytest.mark.parametrize("given", ["short", "ä" * 44, "A" * 43 + "=,x"], ids=["short", "umlauts", "second bad"])
def test_a_key_that_is_none_is_refused_and_not_repeated(place: Place, given: str) -> None:
    with pytest.raises(VaultError) as problem:
        Vault.of(place._replace(text=given))
    assert given not in str(problem.value)


def test_a_file_without_a_key_is_said(place: Place) -> None:
    write_keys(place.file, ["# empty"])
    with pytest.raises(VaultError, match="holds no key"):
        Vault.of(place)


def test_another_key_or_a_changed_byte_is_told() -> None:
    old, new = new_key(), new_key()
    sealed = Vault([old]).seal("secret")
    assert Vault([new, old]).open(sealed) == "secret"
    for broken in (sealed[:-8] + "AAAAAAAA", "nonsense", "ä"):
        with pytest.raises(VaultError):
            Vault([old]).open(broken)
    with pytest.raises(VaultError, match="another key"):
        Vault([new]).open(sealed)
    assert Vault([new]).open(Vault([new, old]).renewed(sealed)) == "secret"


def test_rotation_keeps_what_was_sealed_and_reaches_who_runs(place: Place) -> None:
    running = Vault.of(place)
    old = running.seal("secret")
    before = keys_of(place)
    add_key(place)
    assert keys_of(place)[1:] == before
    fresh = running.seal("secret")  # with the new key, by a vault that was open already
    with pytest.raises(VaultError):
        Vault(before).open(fresh)
    assert running.open(old) == running.open(running.renewed(old)) == "secret"


def test_keys_are_masked_wherever_they_turn_up() -> None:
    key = new_key()
    assert key not in repr(Vault([key])) and key not in redact(f"broken: {key}")


def test_files_of_secrets_are_for_their_owner(tmp_path: Path) -> None:
    write_secret(tmp_path / "a.enc", "token")
    assert (tmp_path / "a.enc").read_bytes() == b"token"
    if os.name == "posix":
        assert stat.S_IMODE((tmp_path / "a.enc").stat().st_mode) == 0o600
