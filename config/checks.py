"""What no single field can tell: settings that contradict each other, addresses, time zones, files."""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, SecretStr

from config.sources import suggestion

Origin = dict[tuple[str, str], str]
_TOKEN = re.compile(r"^\d{3,}:[A-Za-z0-9_-]{3,}$")
_URLS: dict[tuple[str, str], tuple[str, ...]] = {
    ("exchange", "base_url"): ("http", "https"),
    ("exchange", "proxy"): ("http", "https", "socks5"),
    ("telegram", "api_base"): ("http", "https"),
    ("report", "heartbeat_url"): ("http", "https"),
    ("report", "webhook_url"): ("http", "https"),
    ("report", "smtp_url"): ("smtp", "smtps"),
}
_DATABASES = ("sqlite", "postgresql", "postgres", "mariadb", "mysql")


def problems(groups: Mapping[str, BaseModel], origin: Origin, written: Callable[[str, str, str], str]) -> list[str]:
    """One line for each problem, with its mend. `groups`: those that are valid in themselves; `written`: how a
    person writes a setting in the source it came from."""
    found: list[str] = []
    for check in _CHECKS:
        for group, field, text in check(groups):
            where = origin.get((group, field), "settings")
            found.append(f"{where}: {written(group, field, where)} {text}")
    return found


Problems = Iterator[tuple[str, str, str]]


def _value(groups: Mapping[str, BaseModel], group: str, field: str) -> str:
    """The text of a setting; "" where it is not set or its group is not valid."""
    value = getattr(groups.get(group), field, "")
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def _numbers_are_finite(groups: Mapping[str, BaseModel]) -> Problems:
    for group, section in groups.items():
        for field in type(section).model_fields:
            value = getattr(section, field)
            for number in value if isinstance(value, tuple) else (value,):
                if isinstance(number, float) and not math.isfinite(number):
                    yield group, field, f"is {number}: a finite number is needed"


def _addresses(groups: Mapping[str, BaseModel]) -> Problems:
    for (group, field), schemes in _URLS.items():
        text = _value(groups, group, field)
        if not text:
            continue
        try:
            parts = urlsplit(text)
            good = parts.scheme in schemes and bool(parts.hostname) and (parts.port is None or parts.port > 0)
        except ValueError:
            good = False
        if not good:
            yield group, field, f"is not an address. It is {' or '.join(s + '://HOST' for s in schemes)}"


def _time_zone(groups: Mapping[str, BaseModel]) -> Problems:
    name = _value(groups, "report", "timezone")
    if "report" not in groups:
        return
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        near = suggestion(name, dict.fromkeys(available_timezones()))
        yield "report", "timezone", f"is {name!r}: no such time zone, e.g. UTC or Europe/Riga.{near}"


def _telegram(groups: Mapping[str, BaseModel]) -> Problems:
    token = _value(groups, "telegram", "token")
    if not token:
        return
    if not _TOKEN.match(token):
        yield "telegram", "token", "is no bot token. @BotFather gives one like 123456789:AAF…"
    owners: tuple[int, ...] = getattr(groups["telegram"], "owners", ())
    if not owners:
        yield "telegram", "owners", ("is empty, but a token is set: nobody would be served. "
                                     "Put your numeric user id there (@userinfobot tells it)")
    for field in ("owners", "viewers"):
        for user in getattr(groups["telegram"], field, ()):
            if user <= 0:
                yield "telegram", field, f"holds {user}: ids of persons are positive (groups are not served)"


def _mail(groups: Mapping[str, BaseModel]) -> Problems:
    server, to = _value(groups, "report", "smtp_url"), _value(groups, "report", "email_to")
    if server and not to:
        yield "report", "email_to", "is empty, but report.smtp_url is set: say to whom alerts go"
    if to and not server:
        yield "report", "smtp_url", "is empty, but report.email_to is set: say by which server, smtp://user:password@host:587"
    if to and "@" not in to:
        yield "report", "email_to", f"is {to!r}: no e-mail address"


def _keys(groups: Mapping[str, BaseModel]) -> Problems:
    key, secret = _value(groups, "exchange", "api_key"), _value(groups, "exchange", "api_secret")
    if bool(key) != bool(secret):
        missing = "api_secret" if key else "api_key"
        yield "exchange", missing, "is empty: a key and its secret belong together"


def _files(groups: Mapping[str, BaseModel]) -> Problems:
    name = _value(groups, "exchange", "ca_file")
    if name and not Path(name).is_file():
        yield "exchange", "ca_file", f"is {name!r}: no such file"


def _database(groups: Mapping[str, BaseModel]) -> Problems:
    text = _value(groups, "db", "url")
    family = text.partition("://")[0].partition("+")[0]
    if text and family not in _DATABASES:
        yield "db", "url", (f"is no address of a database that Coxswain knows ({', '.join(_DATABASES)}); write e.g. "
                            "postgresql://user:password@host:5432/coxswain")


def _size(groups: Mapping[str, BaseModel]) -> Problems:
    hype = groups.get("hype")
    one, most = getattr(hype, "trade_usdt", 0.0), getattr(hype, "max_exposure_usdt", math.inf)
    if one > most:
        yield "hype", "trade_usdt", (f"is {one:g}, more than hype.max_exposure_usdt ({most:g}): no trade would ever "
                                     "fit. Lower the one or raise the other")


_CHECKS: tuple[Callable[[Mapping[str, BaseModel]], Problems], ...] = (
    _numbers_are_finite, _addresses, _time_zone, _telegram, _mail, _keys, _files, _database, _size,
)
