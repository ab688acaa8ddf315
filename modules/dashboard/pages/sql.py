"""The database for all pages: opened when first looked at, read only, asked at most every so often.

A database that is away is left alone for a while, because its time-out would hold up every page.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.dashboard.pages.sources import Sources

if TYPE_CHECKING:
    from sqlalchemy import Connection

log = logging.getLogger(__name__)
EVERY_S = 2.0
AWAY_S = 15.0
Read = Callable[["Connection"], dict[str, Any]]


class Sql:
    """Reads for pages. Not for several threads at once."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._database: Any = None
        self._away = ("", float("-inf"))

    def read(self, key: str, work: Read, todo: str) -> dict[str, Any]:
        """What `work` reads in one transaction, two seconds old at most, with ``problem``: why there is nothing.

        `todo`: what makes the tables, for people.
        """
        return self._sources.for_a_while(("sql", key), EVERY_S, lambda: self._read(work, todo))

    def _read(self, work: Read, todo: str) -> dict[str, Any]:
        from sqlalchemy.exc import SQLAlchemyError

        from modules.storage.sql.address import AddressError
        from modules.storage.sql.database import Database, DatabaseAway

        said, since = self._away
        if time.monotonic() - since < AWAY_S:
            return {"problem": said}
        try:
            if self._database is None:
                self._database = Database.of(self._sources.settings.db, self._sources.paths)
            if self._database.url.get_backend_name() == "sqlite" and not _there(self._database.url.database):
                return {"problem": f"There is no database yet; {todo}"}
            with self._database.begin() as connection:
                return {"problem": "", **work(connection)}
        except (DatabaseAway, AddressError) as problem:
            said = f"The database does not answer: {problem}"
            self._away = (said, time.monotonic())
            return {"problem": said}
        except SQLAlchemyError as problem:
            log.debug("%s", problem)
            return {"problem": f"The database has no such tables yet; {todo} bot.py db upgrade makes them too."}


def _there(path: str | None) -> bool:
    return bool(path) and Path(str(path)).exists()
