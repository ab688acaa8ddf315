"""Which database the settings mean, as a URL with a driver that is installed; never shown with its password."""

import importlib.util

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from modules.storage.sql.settings import DatabaseSettings
from utils.environment import to_install
from utils.paths import Paths

_DRIVERS = {"postgresql": ("pg8000", "postgresql+pg8000"), "mysql": ("pymysql", "mysql+pymysql"),
            "mariadb": ("pymysql", "mysql+pymysql")}
_PORTS = {"postgresql": 5432, "mariadb": 3306}


class AddressError(Exception):
    """No such database can be meant; the text says why and what to set, and holds no password."""


def url_of(settings: DatabaseSettings, paths: Paths) -> URL:
    """The database of the settings. Raises AddressError."""
    text = settings.url.get_secret_value()
    if text:
        return _with_driver(_parsed(text))
    if settings.host:
        return _with_driver(URL.create(
            settings.kind, settings.user or None, settings.password.get_secret_value() or None, settings.host,
            settings.port or _PORTS[settings.kind], settings.name))
    return URL.create("sqlite", database=str(paths.data / "coxswain.db"))


def shown(url: URL) -> str:
    """For people: without password."""
    return url.render_as_string(hide_password=True)


def _parsed(text: str) -> URL:
    short = "postgres://"  # as many hosts write it
    try:
        return make_url(f"postgresql://{text.removeprefix(short)}" if text.startswith(short) else text)
    except (ArgumentError, ValueError):  # its text would hold the address
        raise AddressError("DB_URL is not an address of a database; write e.g. "
                           "postgresql://user:password@host:5432/coxswain") from None


def _with_driver(url: URL) -> URL:
    family = url.get_backend_name()
    if family == "sqlite":
        return url.set(drivername="sqlite")
    if family not in _DRIVERS:
        raise AddressError(f"DB_URL: {family} is no database that Coxswain knows. "
                           "There are sqlite, postgresql and mariadb (mysql).")
    module, driver = _DRIVERS[family]
    if importlib.util.find_spec(module) is None:
        raise AddressError(f"DB_URL: {family} needs the package {module}; "
                           f"install it with: {to_install('requirements-sql.txt')}")
    return url.set(drivername=driver)
