"""Which database is meant, and that no password is shown."""

from pathlib import Path

import pytest

from modules.storage.sql.address import AddressError, shown, url_of
from modules.storage.sql.database import Database, DatabaseAway
from modules.storage.sql.settings import DatabaseSettings
from utils.paths import Paths


@pytest.mark.parametrize(("given", "expected"), [
    ({}, "sqlite:///{home}/data/coxswain.db"),
    ({"url": "postgres://u:geheim@h/d"}, "postgresql+pg8000://u:***@h/d"),
    ({"url": "postgresql://u:geheim@h/d"}, "postgresql+pg8000://u:***@h/d"),
    ({"url": "mariadb://u:geheim@h:1/d"}, "mysql+pymysql://u:***@h:1/d"),
    ({"host": "h", "user": "u", "password": "geheim"}, "mysql+pymysql://u:***@h:3306/coxswain"),
    ({"kind": "postgresql", "host": "h", "name": "btc"}, "postgresql+pg8000://h:5432/btc"),
    ({"url": "geheim"}, None), ({"url": "oracle://u:geheim@h/d"}, None),
])
def test_addresses(tmp_path: Path, given: dict[str, str], expected: str | None) -> None:
    settings = DatabaseSettings.model_validate(given)
    if expected is None:
        with pytest.raises(AddressError) as caught:
            url_of(settings, Paths(tmp_path))
        assert "geheim" not in str(caught.value) and "DB_URL" in str(caught.value)
    else:
        assert shown(url_of(settings, Paths(tmp_path))) == expected.format(home=tmp_path)


def test_an_absent_server_is_told_without_its_password(tmp_path: Path) -> None:
    settings = DatabaseSettings.model_validate({"url": "postgresql://u:geheim@127.0.0.1:1/d"})
    database = Database.of(settings, Paths(tmp_path))
    with pytest.raises(DatabaseAway) as caught:
        database.ping()
    database.close()
    assert "geheim" not in str(caught.value) and "127.0.0.1:1" in str(caught.value)
